"""What plugins hand to the host: a name, a way to build, and the model of what may be configured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol

from attrs import field, frozen

from swarm_core.contracts import AgentResolver, BlueprintReader, Clock, Processes, Spawner, SpawnerLayer
from swarm_core.errors import SettingsError, did_you_mean
from swarm_core.known import distribution_of
from swarm_core.model.blueprint import AgentDef, AgentHint, Blueprint, LayerUse
from swarm_core.model.problem import Problem
from swarm_core.model.shown import shown
from swarm_core.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from swarm_core.endpoints import Endpoint
    from swarm_core.tools import Tool
    from swarm_core.verifiers import Verifier


class Stage(IntEnum):
    """How far out a layer stands; the smallest is outermost. Within a stage the listed order counts."""

    OBSERVE = 10
    RECOVER = 20
    ATTEND = 30
    ROUTE = 40
    STORE = 50
    DELEGATE = 60


@frozen(eq=False)
class Function:
    """A named Python callable: for agents of kind `function`, and, when `pure`, also for `call_extern` in flows.

    A plain callable runs in a thread; when `inline` it runs on the event loop, which it must not hold up.
    """

    __repr__ = shown

    name: str
    call: Callable[..., Any]
    pure: bool = False
    inline: bool = False


@frozen(kw_only=True, eq=False)
class Environment:
    """What a factory may use while it builds.

    `spawners` are the installed kinds, by kind and alias, `tools` what plugins offer to models, by name. `services`
    holds what plugins' lifespans put there, by type. `directory` is the folder of the Blueprint's file, None when it
    came as data.
    """

    __repr__ = shown

    blueprint: Blueprint
    settings: Settings
    processes: Processes
    clock: Clock
    functions: Mapping[str, Function] = field(factory=dict)
    resolvers: Mapping[str, ResolverFactory] = field(factory=dict)
    spawners: Mapping[str, SpawnerFactory] = field(factory=dict)
    tools: Mapping[str, Tool] = field(factory=dict)
    services: MutableMapping[type, Any] = field(factory=dict)
    directory: Path | None = None


@frozen(eq=False)
class SpawnerFactory:
    """Provides a worker kind.

    `build(agent, spec, hint, environment)` is called once per agent and prepared Blueprint, which may be
    launched any number of times: what one run is about does not stay in the spawner. `spec` is the attrs model that
    `agents[].spec` is checked against and structured to before `build`; without a model the raw value is passed.
    Raises in `build`: ValueError, reported as `invalid_spec` at the agent's place.
    """

    __repr__ = shown

    kind: str
    build: Callable[[AgentDef, Any, AgentHint, Environment], Spawner]
    spec: type | None = None
    aliases: tuple[str, ...] = ()
    summary: str = ""


@frozen(eq=False)
class LayerFactory:
    """Provides a layer.

    `build(options, environment)` is called once per prepared Blueprint. `options` is the attrs model that the layer's
    options are checked against; without a model the layer takes none.
    """

    __repr__ = shown

    key: str
    stage: Stage
    build: Callable[[Any, Environment], SpawnerLayer]
    options: type | None = None
    summary: str = ""


@frozen(eq=False)
class LayerSet:
    """A named list of layers for a team."""

    __repr__ = shown

    name: str
    use: tuple[LayerUse, ...]
    summary: str = ""


@frozen(eq=False)
class StoreFactory:
    """Provides a store for a role (`output`), chosen by the scheme of a URL such as `memory://`."""

    __repr__ = shown

    role: str
    scheme: str
    open: Callable[[str], AbstractAsyncContextManager[Any]]
    summary: str = ""


@frozen(eq=False)
class ResolverFactory:
    """Provides a resolver for the `resolver` layer."""

    __repr__ = shown

    name: str
    build: Callable[[Environment], AgentResolver]
    summary: str = ""


@frozen(eq=False)
class ReaderFactory:
    """Provides a reader of Blueprint sources for some file suffixes (`.json`)."""

    __repr__ = shown

    name: str
    suffixes: tuple[str, ...]
    build: Callable[[], BlueprintReader]
    summary: str = ""


class Opener(Protocol):
    """What a directive may look at: the Blueprint's own fields, and the files below its folder.

    Every path that is refused raises DocumentError with a problem that says why.
    """

    @property
    def document(self) -> Mapping[str, Any]:
        """The Blueprint's own fields as its file has them, before anything is replaced; empty when it is no object."""

    def __call__(self, path: str) -> bytes:
        """Return a file's bytes."""

    def find(self, pattern: str) -> Sequence[str]:
        """Return the paths, sorted, that a pattern such as `agents/*.md` or `agents/**/*.md` fits.

        Names that begin with a dot are not found by a pattern. What is found may still be refused when it is read.
        """

    def note(self, problem: Problem) -> None:
        """Tell what is worth a look without refusing anything: a problem that is a warning or a note."""


@frozen(eq=False)
class DirectiveFactory:
    """Provides a directive: an object whose key `name` (`$file`) is replaced, wherever it stands in a Blueprint file.

    `expand(value, siblings, opener)` gets the directive's value and the object's other keys (already expanded) and
    returns what takes the object's place. A problem that it raises or notes may name a `file` of its own, relative to
    the Blueprint's folder. `siblings` tells whether other keys may stand beside it. When `splices`, it returns a list,
    whose items take the object's place one by one where that is an item of an array.
    """

    __repr__ = shown

    name: str
    expand: Callable[[Any, Mapping[str, Any], Opener], Any]
    siblings: bool = False
    splices: bool = False
    summary: str = ""


@frozen(kw_only=True, eq=False)
class Catalog:
    """Everything that the admitted plugins provide, by name.

    `spawners` is keyed by kind and by alias, `stores` by (role, scheme), `readers` by suffix, `directives` by name,
    `endpoints` by method and path (`GET /v1/issues/{issue_id}`), `tools` by name, `verifiers` by
    axis.
    `provider` names who brought a thing, keyed by what and name: `provider["spawner", "lua"]` is
    `lua (swarm-plugin-lua 0.1.0)`. `absent` tells, keyed alike, why a refused or disabled plugin does not provide what
    it is known for. `checks` are the plugins' own Blueprint checks, in admission order.
    """

    __repr__ = shown

    spawners: Mapping[str, SpawnerFactory] = field(factory=dict)
    layers: Mapping[str, LayerFactory] = field(factory=dict)
    layer_sets: Mapping[str, LayerSet] = field(factory=dict)
    stores: Mapping[tuple[str, str], StoreFactory] = field(factory=dict)
    resolvers: Mapping[str, ResolverFactory] = field(factory=dict)
    functions: Mapping[str, Function] = field(factory=dict)
    readers: Mapping[str, ReaderFactory] = field(factory=dict)
    directives: Mapping[str, DirectiveFactory] = field(factory=dict)
    endpoints: Mapping[str, Endpoint] = field(factory=dict)
    tools: Mapping[str, Tool] = field(factory=dict)
    verifiers: Mapping[str, Verifier] = field(factory=dict)
    checks: tuple[Callable[[Blueprint], Iterable[Problem]], ...] = ()
    provider: Mapping[tuple[str, str], str] = field(factory=dict)
    absent: Mapping[tuple[str, str], str] = field(factory=dict)

    def store(self, role: str, url: str) -> StoreFactory:
        """Return what opens the store of a role at a URL; raises SettingsError, which tells only the URL's scheme."""
        scheme = url.partition("://")[0]
        found = self.stores.get((role, scheme))
        if found is None:
            known = [name for each, name in self.stores if each == role]
            brought_by = distribution_of("store", f"{role} {scheme}")
            near = did_you_mean(scheme, known, otherwise="installed")
            hint = f"pip install {brought_by} brings it" if brought_by else near
            raise SettingsError(f"no {role} store for {scheme}://...", hint=hint)  # the rest may hold a password
        return found

"""The Blueprint: a flow, the agents it names, and how they are to be run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from attrs import field, frozen

from swarm_core.model.budget import AgentBudget, Budget
from swarm_core.model.nodes import Node
from swarm_core.model.operator import OperatorKind
from swarm_core.model.shown import shown

SCHEMA_VERSION = "0.1.0"

SUBPROCESS_FORMATS = ("text", "json", "ndjson")
ON_INVALID = ("repair", "block")
LINT_LEVELS = ("allow", "warn", "deny")
RETRY_CAUSES = ("failed", "timeout", "refused", "blocked", "no_final")


@frozen(kw_only=True)
class AgentProfile:
    """What an agent is told and given."""

    __repr__ = shown

    system_prompt: str = ""
    model: str | None = None
    effort: str | None = None
    tools: tuple[str, ...] = ()
    description: str | None = None
    extras: Any = None
    version_hash: str | None = None


@frozen(kw_only=True)
class AgentMeta:
    """What people say about an agent or an operator."""

    __repr__ = shown

    description: str | None = None
    version: str | None = None
    tags: tuple[str, ...] = ()


@frozen(kw_only=True)
class VerdictContract:
    """Which values an agent may give for what branches look at.

    `path` says where in the result the value stands (`$` is the whole result). A value that is not among `values` is
    treated as `on_invalid` says: `repair` gives the agent one more attempt that is told the reason and then blocks,
    `block` blocks at once.
    """

    __repr__ = shown

    values: tuple[str, ...]
    path: str = "$"
    on_invalid: str = "repair"


@frozen(kw_only=True)
class AgentDef:
    """A name that steps refer to, and the kind of worker that stands behind it."""

    __repr__ = shown

    name: str
    kind: str
    spec: Any = None
    profile: AgentProfile | None = None
    meta: AgentMeta | None = None
    verdict: VerdictContract | None = None


@frozen(kw_only=True)
class SubprocessOutput:
    """How the output of a command becomes a result.

    `format` is one of SUBPROCESS_FORMATS. `result_ptr` is the JSON Pointer (RFC 6901) of the value in it, `ok_from` the
    pointer of a truth value that says whether it is a success, or with a `!` before it of what tells a failure, such as
    `!/is_error`; without it the exit code alone says so.
    """

    __repr__ = shown

    format: str = "json"
    result_ptr: str | None = None
    ok_from: str | None = None


@frozen(kw_only=True)
class SubprocessDef:
    """A command that agents of kind `subprocess` may name as their `template`.

    Each part of `command` may hold placeholders, such as `{prompt}`, out of a closed set. `stdin` is what the command
    reads, with placeholders too; None means the step's input.
    """

    __repr__ = shown

    name: str
    command: tuple[str, ...]
    stdin: str | None = None
    output: SubprocessOutput = field(factory=SubprocessOutput)
    env: Mapping[str, str] = field(factory=dict)
    work_dir: str | None = None
    description: str | None = None


@frozen(kw_only=True)
class OperatorDef:
    """A seat that agents of kind `operator` refer to."""

    __repr__ = shown

    name: str
    display_name: str | None = None
    kind: OperatorKind | None = None
    spec: Any = None
    profile: AgentProfile | None = None
    meta: AgentMeta | None = None


@frozen(kw_only=True)
class InlineOrigin:
    """The Blueprint was passed as data."""

    __repr__ = shown

    kind: ClassVar[str] = "inline"


@frozen(kw_only=True)
class FileOrigin:
    """The Blueprint was read from a file."""

    __repr__ = shown

    kind: ClassVar[str] = "file"
    path: str


@frozen(kw_only=True)
class AlgoOrigin:
    """The Blueprint was made by a program."""

    __repr__ = shown

    kind: ClassVar[str] = "algo"
    session_id: str


BlueprintOrigin = InlineOrigin | FileOrigin | AlgoOrigin


@frozen(kw_only=True)
class BlueprintMetadata:
    """What people and stores say about a Blueprint; `lints` sets the level of a lint by its code."""

    __repr__ = shown

    description: str | None = None
    origin: BlueprintOrigin = field(factory=InlineOrigin)
    tags: tuple[str, ...] = ()
    version_label: str | None = None
    project_name_alias: str | None = None
    default_run_ttl_secs: int | None = None
    lints: Mapping[str, str] = field(factory=dict)


@frozen(kw_only=True)
class RetryHint:
    """How often, after what wait and for which causes an attempt is made again.

    `backoff` is the wait before the second attempt, doubled each time up to `max_backoff`; each wait is shortened by a
    random part (full jitter). `on` holds causes out of RETRY_CAUSES.
    """

    __repr__ = shown

    max_attempts: int = 3
    backoff: str | float = "1s"
    max_backoff: str | float = "60s"
    on: tuple[str, ...] = ("failed", "timeout")


@frozen(kw_only=True)
class AgentHint:
    """What the engine does for one agent, or for all of them; `extra` belongs to the agent's factory.

    Durations are numbers of seconds or texts such as `90s`, `5m`, `2h`, `500ms`.
    """

    __repr__ = shown

    timeout: str | float | None = None
    retry: RetryHint | None = None
    concurrency: int | None = None
    budget: AgentBudget | None = None
    bind: str | None = None
    extra: Mapping[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class CompilerHints:
    """Hints by agent name, and those for all agents; what an agent does not say, `global` says.

    `global` is a reserved word of Python, so the field is `global_`; the document says `global`.
    """

    __repr__ = shown

    per_agent: Mapping[str, AgentHint] = field(factory=dict)
    global_: AgentHint | None = None


@frozen(kw_only=True)
class CompilerStrategy:
    """Which doubts refuse a Blueprint: unknown refs, unknown kinds, unknown layers."""

    __repr__ = shown

    strict_refs: bool = True
    strict_kind: bool = True
    strict_layers: bool = False


@frozen(kw_only=True)
class LayerUse:
    """A layer asked for by key, with its options; in a document `"key"` or `{"key": options}`."""

    __repr__ = shown

    key: str
    options: Any = None


@frozen(kw_only=True)
class SpawnerHints:
    """The layers that a Blueprint asks for."""

    __repr__ = shown

    layers: tuple[LayerUse, ...] = ()


@frozen(kw_only=True)
class Blueprint:
    """A whole program: the flow and everything needed to run it."""

    __repr__ = shown

    id: str
    flow: Node
    schema_version: str = SCHEMA_VERSION
    agents: tuple[AgentDef, ...] = ()
    operators: tuple[OperatorDef, ...] = ()
    subprocesses: tuple[SubprocessDef, ...] = ()
    hints: CompilerHints = field(factory=CompilerHints)
    strategy: CompilerStrategy = field(factory=CompilerStrategy)
    metadata: BlueprintMetadata = field(factory=BlueprintMetadata)
    spawner_hints: SpawnerHints = field(factory=SpawnerHints)
    budget: Budget | None = None
    default_agent_kind: str = "operator"
    default_operator_kind: OperatorKind | None = None
    default_init_ctx: Any = None

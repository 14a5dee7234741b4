"""Agents: which kind each one runs on, and the spawner that its kind builds."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import define, evolve, field, frozen

from swarm_core.codec import structure
from swarm_core.compile.policies import bind_place, merged_hint
from swarm_core.compile.wording import advice, build_failed
from swarm_core.contracts import Spawner
from swarm_core.errors import DocumentError
from swarm_core.factories import Catalog, Environment, SpawnerFactory
from swarm_core.model.blueprint import AgentDef, Blueprint
from swarm_core.model.ids import is_name
from swarm_core.model.problem import Problem, Severity


@frozen(kw_only=True, eq=False, repr=False)
class BuiltAgent:
    """An agent that can run: `asked` is the kind that its definition names, `factory` the kind that it runs on."""

    name: str
    asked: str
    factory: SpawnerFactory
    spawner: Spawner


@frozen(kw_only=True, eq=False, repr=False)
class Agents:
    """The agents of a Blueprint: those that can run, by name, and why the others cannot.

    `dropped` maps an agent to the kind that nobody provides.
    """

    built: Mapping[str, BuiltAgent]
    dropped: Mapping[str, str]
    problems: tuple[Problem, ...]


def build_agents(blueprint: Blueprint, catalog: Catalog, environment: Environment, bind: Mapping[str, str]) -> Agents:
    """Build every agent in the order of the list; `bind` names the kind on which an agent runs instead of its own.

    An agent that a launch or a hint binds to another kind keeps its spec when that kind is an alias of its own or has
    no spec model; else the kind gets an empty spec, because what was written is meant for another one.
    """
    workshop = _Workshop(blueprint, catalog, environment, bind)
    for at, agent in enumerate(blueprint.agents):
        workshop.add(agent, f"$.agents[{at}]")
    return Agents(built=workshop.built, dropped=workshop.dropped, problems=tuple(workshop.problems))


@define(eq=False, repr=False)
class _Workshop:
    blueprint: Blueprint
    catalog: Catalog
    environment: Environment
    bind: Mapping[str, str]
    built: dict[str, BuiltAgent] = field(factory=dict)
    dropped: dict[str, str] = field(factory=dict)
    problems: list[Problem] = field(factory=list)
    _first: dict[str, tuple[str, str]] = field(factory=dict)

    def add(self, agent: AgentDef, path: str) -> None:
        """Take one agent in; what is wrong with it goes to `problems`, its name first, then its kind, then its spec."""
        self.problems.extend(self._name_problems(agent, path))
        kind, place = self._kind(agent, path)
        factory = self.catalog.spawners.get(kind)
        if factory is None:
            self.dropped.setdefault(agent.name, kind)
            self.problems.append(self._unknown_kind(agent, kind, place))
            return
        own = factory is self.catalog.spawners.get(agent.kind)
        keeps_spec = own or factory.spec is None
        bound = agent if kind == agent.kind else evolve(agent, kind=kind, spec=agent.spec if keeps_spec else None)
        what = f"agent {agent.name!r}" if own else f"agent {agent.name!r}, bound to kind {kind!r},"
        spawner = self._build(bound, factory, what, f"{path}.spec" if own else place)
        if spawner is not None:
            self.built.setdefault(
                agent.name, BuiltAgent(name=agent.name, asked=agent.kind, factory=factory, spawner=spawner)
            )

    def _kind(self, agent: AgentDef, path: str) -> tuple[str, str]:
        """Return the kind that the agent runs on, and the place that says so."""
        if agent.name in self.bind:
            return self.bind[agent.name], f"{path}.kind"
        bound = merged_hint(self.blueprint.hints, agent.name).bind
        if bound is not None:
            return bound, bind_place(self.blueprint.hints, agent.name)
        return agent.kind, f"{path}.kind"

    def _name_problems(self, agent: AgentDef, path: str) -> Iterator[Problem]:
        same = unicodedata.normalize("NFC", agent.name).strip().casefold()
        name, place = self._first.setdefault(same, (agent.name, path))
        if place != path:
            message = f"two agents are named {agent.name!r}"
            if name != agent.name:
                message = f"agents {name!r} and {agent.name!r} differ only in case, blanks or accents"
            yield Problem(
                code="duplicate_agent",
                message=message,
                path=f"{path}.name",
                hint=f"the first one is {place}; rename or remove one",
            )
        if not is_name(agent.name):
            yield Problem(
                code="bad_name",
                message=f"{agent.name[:80]!r} cannot name an agent",
                path=f"{path}.name",
                hint="use letters, digits, '_', '.' and '-', a letter or digit first, 64 at most",
            )

    def _unknown_kind(self, agent: AgentDef, kind: str, place: str) -> Problem:
        launch = " by the launch" if agent.name in self.bind else ""
        verb = f"is bound{launch} to kind" if kind != agent.kind else "has kind"
        return Problem(
            code="unknown_kind",
            message=f"agent {agent.name!r} {verb} {kind!r}, which no installed plugin provides",
            path=place,
            severity=Severity.ERROR if self.blueprint.strategy.strict_kind else Severity.WARNING,
            hint=advice("spawner", kind, self.catalog.spawners, self.catalog.absent),
        )

    def _build(self, agent: AgentDef, factory: SpawnerFactory, what: str, path: str) -> Spawner | None:
        try:
            spec = _spec(agent.spec, factory, path)
            spawner = factory.build(agent, spec, merged_hint(self.blueprint.hints, agent.name), self.environment)
            if not isinstance(spawner, Spawner):
                raise TypeError(f"build returned {type(spawner).__name__}, not a Spawner")
        except DocumentError as error:
            self.problems.extend(_invalid(what, p.message, p.path, p.hint) for p in error.problems)
        except ValueError as error:
            self.problems.append(_invalid(what, str(error), path, None))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            thing = ("spawner", factory.kind)
            self.problems.append(build_failed(what, thing, self.catalog, path, error))
        else:
            return spawner
        return None


def _spec(spec: Any, factory: SpawnerFactory, path: str) -> Any:
    if factory.spec is None:
        return spec
    return structure({} if spec is None else spec, factory.spec, path=path)


def _invalid(what: str, message: str, path: str, hint: str | None) -> Problem:
    return Problem(code="invalid_spec", message=f"{what} spec invalid: {message}", path=path, hint=hint)

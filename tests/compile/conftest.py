"""Blueprints in few words, and a catalog with kinds and layers to compile them against."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve, frozen

from swarm_core import testing
from swarm_core.builtin.function import FUNCTION_KIND
from swarm_core.compile import check
from swarm_core.contracts import Spawner, SpawnerLayer
from swarm_core.errors import SpawnFailed
from swarm_core.factories import Catalog, Environment, Function, LayerFactory, LayerSet, SpawnerFactory, Stage
from swarm_core.model.blueprint import AgentDef, Blueprint, LayerUse, SpawnerHints
from swarm_core.model.call import Call, Result
from swarm_core.model.nodes import Lit, Path, Seq, Step
from swarm_core.settings import Settings


class Echo(Spawner):
    """Answers with what it was built from and the agent that it was asked as."""

    def __init__(self, facts):
        self.facts = facts

    async def run(self, call):
        return Result({"agent": call.agent, **self.facts})


@frozen(kw_only=True)
class TalkSpec:
    voice: str
    volume: int = 5


@frozen(kw_only=True)
class StampOptions:
    mark: str = "x"


class Stamp(SpawnerLayer):
    """Puts its mark around what the inner ones say."""

    def __init__(self, mark):
        self.mark = mark

    async def run(self, call, inner):
        result = await inner(call)
        return Result([self.mark, result.value], result.ok)


def build_echo(agent, spec, hint, environment):
    return Echo({"spec": spec, "extra": dict(hint.extra)})


def build_talk(agent, spec, hint, environment):
    if spec.volume > 11:
        raise ValueError("volume goes up to 11")
    return Echo({"voice": spec.voice, "kind": agent.kind})


def build_broken(agent, spec, hint, environment):
    raise agent.spec


def build_nothing(agent, spec, hint, environment):
    return None


def build_unready(agent, spec, hint, environment):
    raise SpawnFailed("the engine is not there", hint="start it")


KINDS = (
    FUNCTION_KIND,
    SpawnerFactory("echo", build_echo),
    SpawnerFactory("talk", build_talk, spec=TalkSpec, aliases=("speak",)),
    SpawnerFactory("broken", build_broken),
    SpawnerFactory("nothing", build_nothing),
    SpawnerFactory("unready", build_unready),
)


def stamp(key: str, stage: Stage) -> LayerFactory:
    """Make a layer that leaves its key as its mark, unless its options name another one."""
    return LayerFactory(key, stage, lambda options, environment: Stamp(f"{key}:{options.mark}"), options=StampOptions)


LAYERS = (
    stamp("deep", Stage.DELEGATE),
    stamp("near", Stage.ROUTE),
    stamp("also_near", Stage.ROUTE),
    stamp("outer", Stage.OBSERVE),
    LayerFactory("plain", Stage.STORE, lambda options, environment: Stamp("plain")),
    LayerFactory("breaking", Stage.STORE, lambda options, environment: 1 / 0),
    LayerFactory("nothing", Stage.STORE, lambda options, environment: None),
)


@pytest.fixture
def catalog():
    """What six kinds and seven layers provide, with the set `team` of two layers and an empty set `standard`."""
    return Catalog(
        spawners={name: kind for kind in KINDS for name in (kind.kind, *kind.aliases)},
        layers={layer.key: layer for layer in LAYERS},
        layer_sets={
            "standard": LayerSet("standard", ()),
            "team": LayerSet("team", (LayerUse(key="near"), LayerUse(key="outer"))),
        },
        provider={
            ("spawner", "talk"): "talk (swarm-plugin-talk 1.0)",
            ("spawner", "broken"): "broken (swarm-plugin-broken 2.0)",
            ("layer", "outer"): "outer (swarm-plugin-outer 3.0)",
        },
    )


@pytest.fixture
def blueprint():
    """Make a Blueprint of agents, given as (name, kind) or (name, kind, spec), one step for each name in `refs`."""

    def make(*agents, refs: tuple[str, ...] = (), layers: tuple[LayerUse, ...] = (), **fields: Any) -> Blueprint:
        steps = tuple(Step(ref=ref, in_=Lit(value=None), out=Path(at="$.x")) for ref in refs)
        defined = tuple(AgentDef(name=a[0], kind=a[1], spec=a[2] if len(a) > 2 else None) for a in agents)
        flow = fields.pop("flow", Seq(children=steps))
        return Blueprint(id="b", flow=flow, agents=defined, spawner_hints=SpawnerHints(layers=layers), **fields)

    return make


@pytest.fixture
def environment():
    """Make the environment of a Blueprint, with functions by name; two are there already: plain `up`, pure `half`."""

    def make(blueprint: Blueprint, *functions: Function, **fields: Any) -> Environment:
        known = (Function("up", str.upper), Function("half", lambda number: number / 2, pure=True), *functions)
        # Neither processes nor a clock: a builder that asks for them here fails.
        return Environment(
            blueprint=blueprint,
            # Most tests here declare agents and no step for them.
            settings=fields.pop("settings", Settings(lints={"agent_never_used": "allow"})),
            processes=None,
            clock=None,
            functions={function.name: function for function in known},
            **fields,
        )

    return make


@pytest.fixture
def call():
    """Make a Call of an agent."""

    def make(agent: str = "a", **facts: Any) -> Call:
        return evolve(testing.make_call(), agent=agent, **facts)

    return make


@pytest.fixture
def found(catalog, environment):
    """Check a Blueprint and return its problems."""

    def checked(blueprint, **options):
        return check(blueprint, options.pop("catalog", catalog), environment(blueprint), **options)

    return checked

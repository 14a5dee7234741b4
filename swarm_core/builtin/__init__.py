"""What the core itself provides, through the same hooks as any plugin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from swarm_core.builtin.ask import ASK_KIND
from swarm_core.builtin.function import FUNCTION_KIND
from swarm_core.builtin.memory import MEMORY_STORES
from swarm_core.builtin.resolver import RESOLVER_LAYER, unused_mappings
from swarm_core.builtin.sqlite import SQLITE_STORES
from swarm_core.builtin.telling import ALIAS_LAYER, INPUT_INJECT_LAYER, SINK_LAYER
from swarm_core.builtin.verdict import VERDICT_LAYER
from swarm_core.factories import (
    DirectiveFactory,
    Function,
    LayerFactory,
    LayerSet,
    ReaderFactory,
    SpawnerFactory,
    StoreFactory,
)
from swarm_core.hookspecs import hookimpl
from swarm_core.model.blueprint import Blueprint, LayerUse
from swarm_core.model.call import Call
from swarm_core.model.problem import Problem

SWARM_API = 1


def identity(call: Call) -> dict[str, Any]:
    """Return the input, and who was asked."""
    return {"by": "baseline-identity", "agent": call.agent, "echoed": call.input}


@hookimpl
def swarm_register_spawners() -> Iterable[SpawnerFactory]:
    """Provide the kinds for Python functions and for questions to people."""
    return [FUNCTION_KIND, ASK_KIND]


@hookimpl
def swarm_register_layers() -> Iterable[LayerFactory]:
    """Provide the layer that asks a resolver, those that tell workers a fact, and the one for verdict contracts."""
    return [RESOLVER_LAYER, ALIAS_LAYER, SINK_LAYER, INPUT_INJECT_LAYER, VERDICT_LAYER]


@hookimpl
def swarm_register_layer_sets() -> Iterable[LayerSet]:
    """Provide the set that is used where nothing else is asked for."""
    return [LayerSet("standard", (LayerUse(key="audit"),), summary="records every attempt, where audit is installed")]


@hookimpl
def swarm_register_stores() -> Iterable[StoreFactory]:
    """Provide the stores of runs, outputs, Blueprints and the enhance loop: in memory, and in one SQLite file."""
    return [*MEMORY_STORES, *SQLITE_STORES]


@hookimpl
def swarm_register_functions() -> Iterable[Function]:
    """Provide the function that gives back what it got."""
    return [Function("identity", identity, inline=True)]


@hookimpl
def swarm_register_readers() -> Iterable[ReaderFactory | DirectiveFactory]:
    """Provide the readers and directives of Blueprint files."""
    from swarm_core.builtin.readers import FACTORIES

    return FACTORIES


@hookimpl
def swarm_check_blueprint(blueprint: Blueprint) -> Iterable[Problem]:
    """Tell what the Blueprint's own resolver maps in vain."""
    return unused_mappings(blueprint)

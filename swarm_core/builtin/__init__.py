"""What the core itself provides, through the same hooks as any plugin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from swarm_core.builtin.ask import ASK_KIND
from swarm_core.builtin.function import FUNCTION_KIND
from swarm_core.builtin.memory import MEMORY_OUTPUTS, MEMORY_RUNS
from swarm_core.builtin.resolver import RESOLVER_LAYER
from swarm_core.builtin.sqlite import SQLITE_OUTPUTS, SQLITE_RUNS
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
from swarm_core.model.blueprint import LayerUse
from swarm_core.model.call import Call

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
    """Provide the layer that asks a resolver."""
    return [RESOLVER_LAYER]


@hookimpl
def swarm_register_layer_sets() -> Iterable[LayerSet]:
    """Provide the set that is used where nothing else is asked for."""
    return [LayerSet("standard", (LayerUse(key="audit"),), summary="records every attempt, where audit is installed")]


@hookimpl
def swarm_register_stores() -> Iterable[StoreFactory]:
    """Provide the stores of runs and outputs: in memory, and in one SQLite file."""
    return [MEMORY_OUTPUTS, MEMORY_RUNS, SQLITE_OUTPUTS, SQLITE_RUNS]


@hookimpl
def swarm_register_functions() -> Iterable[Function]:
    """Provide the function that gives back what it got."""
    return [Function("identity", identity, inline=True)]


@hookimpl
def swarm_register_readers() -> Iterable[ReaderFactory | DirectiveFactory]:
    """Provide the readers and directives of Blueprint files."""
    from swarm_core.builtin.readers import FACTORIES

    return FACTORIES

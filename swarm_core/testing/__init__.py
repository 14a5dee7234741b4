"""What tests of plugins need: fakes, recordings, contract checks, simulated time; each loaded when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swarm_core.testing.checks import ContractBroken as ContractBroken
    from swarm_core.testing.checks import check_layer as check_layer
    from swarm_core.testing.checks import check_output_store as check_output_store
    from swarm_core.testing.checks import check_plugin as check_plugin
    from swarm_core.testing.checks import check_reader as check_reader
    from swarm_core.testing.checks import check_resolver as check_resolver
    from swarm_core.testing.checks import check_spawner as check_spawner
    from swarm_core.testing.fakes import FakeScript as FakeScript
    from swarm_core.testing.fakes import FakeSpawner as FakeSpawner
    from swarm_core.testing.recording import RecordingContext as RecordingContext
    from swarm_core.testing.recording import make_call as make_call
    from swarm_core.testing.simulation import SimulatedClock as SimulatedClock
    from swarm_core.testing.simulation import SimulationLoop as SimulationLoop
    from swarm_core.testing.simulation import SimulationStuck as SimulationStuck
    from swarm_core.testing.simulation import simulate as simulate
    from swarm_core.testing.workers import processes as processes

_ROOM = {
    "ContractBroken": "checks",
    "FakeScript": "fakes",
    "FakeSpawner": "fakes",
    "RecordingContext": "recording",
    "SimulatedClock": "simulation",
    "SimulationLoop": "simulation",
    "SimulationStuck": "simulation",
    "check_layer": "checks",
    "check_output_store": "checks",
    "check_plugin": "checks",
    "check_reader": "checks",
    "check_resolver": "checks",
    "check_spawner": "checks",
    "make_call": "recording",
    "processes": "workers",
    "simulate": "simulation",
}


def __dir__() -> list[str]:
    return sorted(_ROOM)


def __getattr__(name: str) -> Any:
    if name not in _ROOM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOM[name]}"), name)

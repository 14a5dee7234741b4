"""What tests of plugins need: fakes, recordings, contract checks, simulated time; each loaded when it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swarm_core.lazy import lazy_names

if TYPE_CHECKING:
    from swarm_core.testing.checks import ContractBroken as ContractBroken
    from swarm_core.testing.checks import check_blueprint_store as check_blueprint_store
    from swarm_core.testing.checks import check_durable_blueprint_store as check_durable_blueprint_store
    from swarm_core.testing.checks import check_durable_issue_store as check_durable_issue_store
    from swarm_core.testing.checks import check_durable_run_store as check_durable_run_store
    from swarm_core.testing.checks import check_enhance_log_store as check_enhance_log_store
    from swarm_core.testing.checks import check_enhance_setting_store as check_enhance_setting_store
    from swarm_core.testing.checks import check_issue_store as check_issue_store
    from swarm_core.testing.checks import check_layer as check_layer
    from swarm_core.testing.checks import check_output_store as check_output_store
    from swarm_core.testing.checks import check_plugin as check_plugin
    from swarm_core.testing.checks import check_reader as check_reader
    from swarm_core.testing.checks import check_resolver as check_resolver
    from swarm_core.testing.checks import check_run_store as check_run_store
    from swarm_core.testing.checks import check_spawner as check_spawner
    from swarm_core.testing.commands import CommandEnded as CommandEnded
    from swarm_core.testing.commands import Commands as Commands
    from swarm_core.testing.failing import FailingRunStore as FailingRunStore
    from swarm_core.testing.failing import StoreCall as StoreCall
    from swarm_core.testing.fakes import FakeScript as FakeScript
    from swarm_core.testing.fakes import FakeSpawner as FakeSpawner
    from swarm_core.testing.recording import RecordingContext as RecordingContext
    from swarm_core.testing.recording import make_call as make_call
    from swarm_core.testing.simulation import SimulatedClock as SimulatedClock
    from swarm_core.testing.simulation import SimulationLoop as SimulationLoop
    from swarm_core.testing.simulation import SimulationStuck as SimulationStuck
    from swarm_core.testing.simulation import simulate as simulate
    from swarm_core.testing.workers import processes as processes

_HOMES = {
    "checks": (
        "ContractBroken",
        "check_blueprint_store",
        "check_durable_blueprint_store",
        "check_durable_issue_store",
        "check_durable_run_store",
        "check_enhance_log_store",
        "check_enhance_setting_store",
        "check_issue_store",
        "check_layer",
        "check_output_store",
        "check_plugin",
        "check_reader",
        "check_resolver",
        "check_run_store",
        "check_spawner",
    ),
    "commands": ("CommandEnded", "Commands"),
    "failing": ("FailingRunStore", "StoreCall"),
    "fakes": ("FakeScript", "FakeSpawner"),
    "recording": ("RecordingContext", "make_call"),
    "simulation": ("SimulatedClock", "SimulationLoop", "SimulationStuck", "simulate"),
    "workers": ("processes",),
}

__getattr__, __dir__ = lazy_names(__name__, globals(), _HOMES)

"""The peers: one adapter for what stays in memory, one for what is kept on disk, either may be missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from attrs import frozen
from workloads import Workload

HERE = Path(__file__).parent
PEERS = ("floor", "swarm", "burr", "pydantic_graph", "langgraph", "dbos", "dbos_wal")


@frozen(kw_only=True)
class Peer:
    """One column of the report. `environment` is the virtual environment's name, which peers may share."""

    name: str
    environment: str
    adapters: Mapping[str, ModuleType]

    @classmethod
    def load(cls, name: str) -> Peer:
        found = {module: import_module(module) for module in modules_of(name)}
        shared = [getattr(module, "ENVIRONMENT", name) for module in found.values()]
        return cls(name=name, environment=shared[0], adapters=found)

    @property
    def requires(self) -> list[str]:
        return list(dict.fromkeys(require for module in self.adapters.values() for require in module.REQUIRES))

    @property
    def how(self) -> dict[str, str]:
        return {name: text for module in self.adapters.values() for name, text in module.HOW.items()}

    def offers(self, workload: Workload) -> bool:
        return self.module_for(workload) is not None or self.command_for(workload) is not None

    def module_for(self, workload: Workload) -> str | None:
        """Return the module that does the workload, as measure.py takes it."""
        return next((module for module, found in self.adapters.items() if hasattr(found, workload.name)), None)

    def command_for(self, workload: Workload) -> Sequence[str] | None:
        """Return the command that is the workload, for those that are one."""
        commands = {name: command for module in self.adapters.values() for name, command in commands_of(module).items()}
        return commands.get(workload.name)

    def size(self, workload: Workload, scale: float) -> int:
        """Return how much the peer does: less of it where it is slow and the figure is one per step."""
        if not workload.scales:
            return workload.size
        own = next((share for module in self.adapters.values() for share in [scale_of(module, workload)] if share), 1)
        return max(1, round(workload.size * scale * own))


def modules_of(name: str) -> list[str]:
    return [module for module in (f"peers.{name}", f"peers.durable.{name}") if find_spec(module)]


def commands_of(module: ModuleType) -> Mapping[str, Sequence[str]]:
    return getattr(module, "COMMANDS", {})


def scale_of(module: ModuleType, workload: Workload) -> float | None:
    return getattr(module, "SCALE", {}).get(workload.name)

"""Worker processes: none outlives its attempt, none outlives the engine."""

from swarm_core.processes.supervisor import open_processes

__all__ = ["open_processes"]

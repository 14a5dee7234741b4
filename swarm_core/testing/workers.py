"""Real worker processes for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from swarm_core.contracts import Processes


@asynccontextmanager
async def processes() -> AsyncIterator[Processes]:
    """Give a plugin's test what starts processes in an engine; at the end none of them is left."""
    from swarm_core.processes import open_processes

    async with open_processes() as real:
        yield real

"""Runs and outputs in one SQLite file; what needs SQLite is loaded when such a store is opened."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from swarm_core.contracts import OutputStore, RunStore
from swarm_core.factories import StoreFactory


@asynccontextmanager
async def open_sqlite_runs(url: str) -> AsyncIterator[RunStore]:
    """Open the file of a URL, which is made when it is not there, as a run store that keeps outputs too.

    Raises: SettingsError, when the URL is wrong; StoreUnavailable, StoreUnreadable.
    """
    from swarm_core.builtin.sqlite.runs import SqliteRunStore

    store = await SqliteRunStore.open(url)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def open_sqlite_outputs(url: str) -> AsyncIterator[OutputStore]:
    """Open the file of a URL for its outputs alone; raises as `open_sqlite_runs`."""
    async with open_sqlite_runs(url) as store:
        assert store.outputs is not None
        yield store.outputs


SQLITE_RUNS = StoreFactory("run", "sqlite", open_sqlite_runs, summary="runs in one SQLite file")
SQLITE_OUTPUTS = StoreFactory("output", "sqlite", open_sqlite_outputs, summary="outputs in one SQLite file")

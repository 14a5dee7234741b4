"""Runs, outputs, Blueprints and issues in one SQLite file; what needs SQLite is loaded when such a store is opened."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from swarm_core.contracts import (
    BlueprintStore,
    EnhanceLogStore,
    EnhanceSettingStore,
    IssueStore,
    OutputStore,
    RunStore,
)
from swarm_core.factories import StoreFactory

if TYPE_CHECKING:
    from swarm_core.builtin.sqlite.part import Part


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


@asynccontextmanager
async def open_sqlite_blueprints(url: str) -> AsyncIterator[BlueprintStore]:
    """Open the file of a URL as a store of Blueprints, whoever keeps runs in it; raises as `open_sqlite_runs`."""
    from swarm_core.builtin.sqlite.blueprints import SqliteBlueprintStore

    store = await SqliteBlueprintStore.open(url)
    try:
        yield store
    finally:
        store.close()


@asynccontextmanager
async def open_sqlite_issues(url: str) -> AsyncIterator[IssueStore]:
    """Open the file of a URL as a store of issues, whatever else is kept in it; raises as `open_sqlite_runs`."""
    from swarm_core.builtin.sqlite.issues import SqliteIssueStore

    async with _part(url) as part:
        yield SqliteIssueStore(part)


@asynccontextmanager
async def open_sqlite_enhance_settings(url: str) -> AsyncIterator[EnhanceSettingStore]:
    """Open the file of a URL as a store of enhance settings, likewise; raises as `open_sqlite_runs`."""
    from swarm_core.builtin.sqlite.enhance import SqliteEnhanceSettingStore

    async with _part(url) as part:
        yield SqliteEnhanceSettingStore(part)


@asynccontextmanager
async def open_sqlite_enhance_log(url: str) -> AsyncIterator[EnhanceLogStore]:
    """Open the file of a URL as a store of the enhance log, likewise; raises as `open_sqlite_runs`."""
    from swarm_core.builtin.sqlite.enhance import SqliteEnhanceLogStore

    async with _part(url) as part:
        yield SqliteEnhanceLogStore(part)


@asynccontextmanager
async def _part(url: str) -> AsyncIterator[Part]:
    from swarm_core.builtin.sqlite.part import Part

    part = await Part.open(url)
    try:
        yield part
    finally:
        part.close()


SQLITE_RUNS = StoreFactory("run", "sqlite", open_sqlite_runs, summary="runs in one SQLite file")
SQLITE_OUTPUTS = StoreFactory("output", "sqlite", open_sqlite_outputs, summary="outputs in one SQLite file")
SQLITE_BLUEPRINTS = StoreFactory(
    "blueprint", "sqlite", open_sqlite_blueprints, summary="Blueprints in one SQLite file, beside the runs"
)
SQLITE_ISSUES = StoreFactory("issue", "sqlite", open_sqlite_issues, summary="issues in one SQLite file")
SQLITE_ENHANCE_SETTINGS = StoreFactory(
    "enhance_setting", "sqlite", open_sqlite_enhance_settings, summary="enhance settings in one SQLite file"
)
SQLITE_ENHANCE_LOG = StoreFactory(
    "enhance_log", "sqlite", open_sqlite_enhance_log, summary="the enhance log in one SQLite file"
)
SQLITE_STORES = (
    *(SQLITE_OUTPUTS, SQLITE_RUNS, SQLITE_BLUEPRINTS),
    *(SQLITE_ISSUES, SQLITE_ENHANCE_SETTINGS, SQLITE_ENHANCE_LOG),
)

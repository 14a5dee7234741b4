"""Blueprints in a bare git repository; what needs git's formats is loaded when such a store is opened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from swarm_core.contracts import BlueprintStore
from swarm_core.factories import StoreFactory
from swarm_core.hookspecs import hookimpl

SWARM_API = 1


@asynccontextmanager
async def open_git_blueprints(url: str) -> AsyncIterator[BlueprintStore]:
    """Open the repository of a URL, which is made for the first entry when it is not there.

    Raises: SettingsError, when the URL is wrong; StoreUnavailable, StoreUnreadable.
    """
    from swarm_plugin_git.store import GitBlueprintStore

    store = await GitBlueprintStore.open(url)
    try:
        yield store
    finally:
        await store.close()


@hookimpl
def swarm_register_stores() -> Iterable[StoreFactory]:
    """Provide the store of Blueprints."""
    return [StoreFactory("blueprint", "git", open_git_blueprints, summary="Blueprints in a bare git repository")]

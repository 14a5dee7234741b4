"""Opening a store by its URL, whatever is wrong with the plugins that do not provide it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from swarm_core import builtin
from swarm_core.contracts import BlueprintStore, EnhanceStores, OutputStore, RunStore
from swarm_core.factories import Catalog
from swarm_core.history.history import History
from swarm_core.host import Host
from swarm_core.kept import opened_enhance
from swarm_core.settings import Settings, blueprints_url, issues_url, store_url

_MEMORY = "memory://"


@asynccontextmanager
async def open_store(settings: Settings, url: str | None = None) -> AsyncIterator[RunStore]:
    """Open the run store at a URL, by default the one of the settings, else the project's own.

    Raises: SettingsError, when no installed store has the URL's scheme; StoreUnavailable, StoreUnreadable.
    """
    wanted = store_url(settings, url)
    async with _catalog(settings).store("run", wanted).open(wanted) as store:
        yield store


@asynccontextmanager
async def open_history(settings: Settings, url: str | None = None) -> AsyncIterator[History]:
    """Open the run store at a URL, with the outputs that it keeps, and give what can be asked of them.

    Raises: as `open_store`.
    """
    wanted = store_url(settings, url)
    catalog = _catalog(settings)
    async with AsyncExitStack() as stack:
        store: RunStore = await stack.enter_async_context(catalog.store("run", wanted).open(wanted))
        yield History(store, await _outputs_of(store, catalog, stack), lease=settings.engine.lease)


@asynccontextmanager
async def open_blueprints(settings: Settings, url: str | None = None) -> AsyncIterator[BlueprintStore]:
    """Open the store of Blueprints at a URL, by default the one of the settings, else the file of the project's runs.

    Raises: as `open_store`.
    """
    wanted = blueprints_url(settings, url)
    async with _catalog(settings).store("blueprint", wanted).open(wanted) as store:
        yield store


@asynccontextmanager
async def open_enhance(settings: Settings, url: str | None = None) -> AsyncIterator[EnhanceStores]:
    """Open issues, enhance settings and the enhance log at a URL, by default where the settings say, likewise.

    Raises: as `open_store`.
    """
    async with AsyncExitStack() as stack:
        yield await opened_enhance(_catalog(settings), issues_url(settings, url), stack)


async def _outputs_of(store: RunStore, catalog: Catalog, stack: AsyncExitStack) -> OutputStore:
    """Return where a run store keeps outputs; when it keeps none, an empty one: each engine had its own."""
    if store.outputs is not None:
        return store.outputs
    empty: OutputStore = await stack.enter_async_context(catalog.store("output", _MEMORY).open(_MEMORY))
    return empty


def _catalog(settings: Settings) -> Catalog:
    return Host.load(None, settings, builtin=(builtin,), strict=False).catalog

"""Stores that are opened when they are needed: of Blueprints, with the documents read from it, and of issues."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from swarm_core.codec import structure_blueprint
from swarm_core.contracts import BlueprintStore, EnhanceStores
from swarm_core.documents import Document
from swarm_core.errors import SettingsError
from swarm_core.model.version import BlueprintVersion, CommitMetadata, IdRef, InlineRef

if TYPE_CHECKING:
    from pathlib import Path

    from swarm_core.factories import Catalog

_ROLE, _SCHEME = "blueprint", "bp:"


def ref_of(source: object) -> IdRef | InlineRef | None:
    """Return what a source says that names a Blueprint in place of being one: `bp:NAME[@SELECTOR]`, or a document.

    Raises: DocumentError, InvalidId, InvalidSemver.
    """
    if isinstance(source, str) and source.startswith(_SCHEME):
        from swarm_core.selecting import parse_source

        return parse_source(source)
    if isinstance(source, Mapping) and "kind" in source and "flow" not in source:
        from swarm_core.selecting import parse_ref

        return parse_ref(source)
    return None


async def kept_document(store: BlueprintStore | None, ref: IdRef, folder: Path) -> Document:
    """Return the Blueprint that a reference means, with the functions of the project's folder.

    Raises: SettingsError, when there is no store; BlueprintNotFound, BlueprintArchived, InvalidSemver,
    NoMatchingVersion, StoreError; DocumentError, when this version cannot read the Blueprint any more.
    """
    from swarm_core.builtin.swarmfile import functions_beside
    from swarm_core.selecting import choose, ref_json

    if store is None:
        raise without_blueprints(f"{_SCHEME}{ref.id}")
    text, entry = await choose(store, ref)
    name = f"{_SCHEME}{ref.id}@{entry.version[:12]}"
    return Document(
        blueprint=structure_blueprint(json.loads(text), name=name),
        name=name,
        base=folder,
        functions=functions_beside(folder),
        kept={"id": ref.id, "version": entry.version, "selector": ref_json(ref)["version"]},
    )


def without_blueprints(what: str) -> SettingsError:
    """Return the error of a swarm that is asked for a Blueprint of a store, and has none."""
    hint = 'open the swarm with blueprints="sqlite:///...", or set `[store] blueprints` or SWARM_BLUEPRINTS'
    return SettingsError(f"{what} needs a store of Blueprints", hint=hint)


def without_issues() -> SettingsError:
    """Return the error of a swarm that is asked for issues, and has no store of them."""
    hint = 'open the swarm with issues="sqlite:///...", or set `[store] issues` or SWARM_ISSUES'
    return SettingsError("the enhance loop needs a store of issues", hint=hint)


class EnhanceOnDemand:
    """The stores of the enhance loop at a URL, opened when they are first asked for; most swarms never ask."""

    def __init__(
        self, catalog: Catalog, url: str, stack: AsyncExitStack, *, opened: EnhanceStores | None = None
    ) -> None:
        self._catalog, self._url, self._stack, self._opened = catalog, url, stack, opened
        self._opening = asyncio.Lock()

    async def stores(self) -> EnhanceStores:
        """Return the stores; raises SettingsError, StoreUnavailable, StoreUnreadable."""
        async with self._opening:
            if self._opened is None:
                self._opened = await opened_enhance(self._catalog, self._url, self._stack)
            return self._opened


async def opened_enhance(catalog: Catalog, url: str, stack: AsyncExitStack) -> EnhanceStores:
    """Open the stores of the enhance loop at a URL for as long as a stack lives; raises as `EnhanceOnDemand.stores`."""
    opened = {}
    for name, role in (("issues", "issue"), ("settings", "enhance_setting"), ("log", "enhance_log")):
        opened[name] = await stack.enter_async_context(catalog.store(role, url).open(url))
    return EnhanceStores(**opened)


class StoreOnDemand(BlueprintStore):
    """The store at a URL, opened with the first thing that is asked of it; most swarms never ask."""

    def __init__(self, catalog: Catalog, url: str, stack: AsyncExitStack) -> None:
        scheme = url.partition("://")[0]
        self.url = f"{scheme}://..."  # the rest may hold a password
        self._catalog, self._scheme, self._stack, self._at = catalog, scheme, stack, url
        self._opening = asyncio.Lock()
        self._opened: BlueprintStore | None = None

    async def store(self) -> BlueprintStore:
        """Return the store itself.

        Raises: SettingsError, when no installed store has the URL's scheme; StoreUnavailable, StoreUnreadable.
        """
        async with self._opening:
            if self._opened is not None:
                return self._opened
            factory = self._catalog.store(_ROLE, self._at)
            store: BlueprintStore = await self._stack.enter_async_context(factory.open(self._at))
            self._opened, self.url = store, store.url
            return store

    async def write_new(
        self, blueprint_id: str, text: str, *, parent: str | None, metadata: CommitMetadata
    ) -> BlueprintVersion:
        return await (await self.store()).write_new(blueprint_id, text, parent=parent, metadata=metadata)

    async def read_head(self, blueprint_id: str) -> tuple[str, BlueprintVersion]:
        return await (await self.store()).read_head(blueprint_id)

    async def read_version(self, blueprint_id: str, version: str) -> tuple[str, BlueprintVersion]:
        return await (await self.store()).read_version(blueprint_id, version)

    async def history(self, blueprint_id: str, limit: int | None = None) -> Sequence[BlueprintVersion]:
        return await (await self.store()).history(blueprint_id, limit)

    async def list_ids(self, *, archived: bool = False) -> Sequence[str]:
        return await (await self.store()).list_ids(archived=archived)

    async def archive_id(self, blueprint_id: str, *, by: str) -> None:
        await (await self.store()).archive_id(blueprint_id, by=by)

    async def unarchive_id(self, blueprint_id: str, *, by: str) -> None:
        await (await self.store()).unarchive_id(blueprint_id, by=by)

    async def is_archived(self, blueprint_id: str) -> bool:
        return await (await self.store()).is_archived(blueprint_id)

    async def problems(self) -> Sequence[str]:
        return await (await self.store()).problems()

"""The store of Blueprints in a git repository."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Generic, TypeVar

from swarm_core.contracts import BlueprintStore
from swarm_core.errors import StoreUnavailable
from swarm_core.model.version import BlueprintVersion, CommitMetadata
from swarm_plugin_git.place import Place, parse_url
from swarm_plugin_git.reading import Nothing, Reading
from swarm_plugin_git.repository import Repository, is_there, make_ready
from swarm_plugin_git.trouble import told_by_system
from swarm_plugin_git.writing import Writing

D = TypeVar("D")
T = TypeVar("T")


class GitBlueprintStore(BlueprintStore):
    """A store on one bare repository: one thread reads, another one writes, so that nobody waits for a lock to read."""

    def __init__(self, place: Place) -> None:
        self._closing = threading.Event()
        found = threading.Event()
        self._reader: _Desk[Reading | Nothing] = _Desk(place, found, Reading, otherwise=Nothing())
        self._writer: _Desk[Writing] = _Desk(place, found, partial(Writing, closing=self._closing))
        self.url = place.url

    @classmethod
    async def open(cls, url: str) -> GitBlueprintStore:
        """Open the repository of a URL, which is made for the first entry when it is not there.

        Raises: SettingsError, when the URL is wrong; StoreUnavailable, StoreUnreadable.
        """
        place = parse_url(url)
        store = cls(place)
        try:
            await store._reader.do(lambda _: None)
        except BaseException:
            await store.close()
            raise
        return store

    async def close(self) -> None:
        """End what is under way, and close the files; closing it again does nothing."""
        self._closing.set()
        await self._writer.close()
        await self._reader.close()

    async def write_new(
        self, blueprint_id: str, text: str, *, parent: str | None, metadata: CommitMetadata
    ) -> BlueprintVersion:
        """Add an entry to a Blueprint's branch."""
        entry = await self._writer.do(lambda at: at.write(blueprint_id, text, parent=parent, metadata=metadata))
        self._writer.later(lambda at: at.tidy())
        return entry

    async def read_head(self, blueprint_id: str) -> tuple[str, BlueprintVersion]:
        """Return the text of the head, and its entry."""
        return await self._reader.do(lambda at: at.head(blueprint_id))

    async def read_version(self, blueprint_id: str, version: str) -> tuple[str, BlueprintVersion]:
        """Return the text of a version, and the newest entry that has it."""
        return await self._reader.do(lambda at: at.version(blueprint_id, version))

    async def history(self, blueprint_id: str, limit: int | None = None) -> Sequence[BlueprintVersion]:
        """Return the entries of a Blueprint, the newest first."""
        return await self._reader.do(lambda at: at.entries(blueprint_id, limit))

    async def list_ids(self, *, archived: bool = False) -> Sequence[str]:
        """Return the ids that are in use, sorted, or those that are archived."""
        return await self._reader.do(lambda at: at.ids(archived=archived))

    async def archive_id(self, blueprint_id: str, *, by: str) -> None:
        """Take a Blueprint out of use: a commit on its branch says so."""
        await self._writer.do(lambda at: at.archive(blueprint_id, archived=True, by=by))

    async def unarchive_id(self, blueprint_id: str, *, by: str) -> None:
        """Take a Blueprint into use again."""
        await self._writer.do(lambda at: at.archive(blueprint_id, archived=False, by=by))

    async def is_archived(self, blueprint_id: str) -> bool:
        """Tell whether a Blueprint is archived."""
        return await self._reader.do(lambda at: at.is_archived(blueprint_id))

    async def problems(self) -> Sequence[str]:
        """Read all that is there, and return what is wrong with it."""
        return await self._reader.do(lambda at: at.problems())


class _Desk(Generic[D]):
    """A thread of its own with what works there on the repository, opened when it is first used.

    A repository that is not there is made, unless there is something `otherwise` to work with until somebody makes it.
    One that was `found` before is not made again: its disk may be elsewhere now.
    """

    def __init__(
        self, place: Place, found: threading.Event, build: Callable[[Repository], D], *, otherwise: D | None = None
    ) -> None:
        self._place, self._found, self._build, self._otherwise = place, found, build, otherwise
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="swarm-git")
        self._open: tuple[Repository, D] | None = None

    async def do(self, work: Callable[[D], T]) -> T:
        """Return what the work returns; raises StoreUnavailable, StoreUnreadable, and what the work raises."""
        return await self._in_thread(self._work, work)

    def later(self, work: Callable[[D], object]) -> None:
        """Do something when its turn comes, for which nobody waits."""
        with suppress(RuntimeError):  # the pool is shut down
            self._pool.submit(self._work, work)

    async def close(self) -> None:
        """Wait for what is under way, refuse what comes, and close the repository."""
        self._pool.shutdown(wait=False)
        await asyncio.to_thread(self._pool.shutdown)
        if self._open is not None:
            self._open[0].close()
            self._open = None

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        try:
            running = asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)
        except RuntimeError:  # the pool is shut down
            raise StoreUnavailable("is closed", where=self._place.url, hint="open the store anew") from None
        try:
            return await running
        except OSError as error:
            raise told_by_system(error, self._place.url) from None

    def _work(self, work: Callable[[D], T]) -> T:
        if self._open is None:
            if self._otherwise is not None and not self._found.is_set() and not is_there(self._place):
                return work(self._otherwise)
            self._open = self._opened()
        return work(self._open[1])

    def _opened(self) -> tuple[Repository, D]:
        if not self._found.is_set():
            make_ready(self._place)
        repository = Repository(self._place)
        self._found.set()
        try:
            return repository, self._build(repository)
        except BaseException:
            repository.close()
            raise

"""Files that are whole or not there: written beside their place, synced, and moved to it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from dulwich.file import SharedPerm, adjust_shared_perm

_THREADS = 3  # an entry has as many objects


class Syncing:
    """Makes files durable, several at once: the system then takes their waits for the disk together.

    Of eight syncs one after the other, which an entry needs, a busy disk makes 20 to 40 ms, of these 6 to 13 ms.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="swarm-git-sync")

    def put(
        self, files: Mapping[Path, bytes], *, scratch: Path, what: str, mode: int, shared: SharedPerm | None
    ) -> None:
        """Write files as wholes, by way of names that begin with `what` in the scratch folder, and make them durable.

        New folders they stand in are made durable by the caller.
        """
        besides = {scratch / fresh_name(what): path for path in files}
        try:
            for beside, path in besides.items():
                _write(beside, files[path], mode)
                adjust_shared_perm(beside, shared)
            self.sync(besides)
            for beside, path in besides.items():
                beside.replace(path)
        finally:
            for beside in besides:
                with suppress(FileNotFoundError):
                    beside.unlink()
        self.sync({path.parent for path in files})

    def sync(self, paths: Iterable[Path]) -> None:
        """Make files, or which files there are in folders, durable."""
        for _ in self._pool.map(_sync, paths):
            pass

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()


def fresh_name(what: str) -> str:
    """Return the name of a file that nobody else writes."""
    return f"{what}{os.getpid()}_{os.urandom(6).hex()}"


def _write(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

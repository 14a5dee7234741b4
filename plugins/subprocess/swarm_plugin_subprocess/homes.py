"""Homes: a private folder for each attempt, which goes with it, also when its engine was killed."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

_MADE, _NAME = ".swarm-worker-", "swarm-worker-"


class Homes:
    """Makes homes; with the first one, those that killed engines left behind are removed.

    A home is locked by the engine that made it, and the system unlocks it when that engine is gone.
    """

    def __init__(self) -> None:
        self._swept = False

    @asynccontextmanager
    async def home(self) -> AsyncIterator[str]:
        """Make a folder that only this user can read, and remove it afterwards with all that is in it."""
        if not self._swept:
            self._swept = True
            await asyncio.to_thread(sweep)
        with _locked_folder() as folder:
            try:
                yield folder
            finally:
                try:
                    os.rmdir(folder)  # noqa: PTH106 - nearly always empty, and then no thread is needed
                except OSError:
                    await asyncio.to_thread(_remove, folder)


def sweep() -> None:
    """Remove the homes whose engine is gone."""
    with os.scandir(tempfile.gettempdir()) as entries:
        found = [entry.path for entry in entries if entry.name.startswith(_NAME)]
    for folder in found:
        with suppress(OSError), _lock(folder):
            _remove(folder)


@contextmanager
def _locked_folder() -> Iterator[str]:
    """Make a folder under a name that no sweep looks at, and give it its own when it is locked."""
    made = Path(tempfile.mkdtemp(prefix=_MADE))
    with _lock(str(made)):
        yield str(made.rename(made.with_name(made.name.replace(_MADE, _NAME, 1))))


@contextmanager
def _lock(folder: str) -> Iterator[None]:
    """Hold the lock of this user's folder; raises OSError, when another engine holds it or the folder is not ours."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise PermissionError(folder)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _remove(folder: str) -> None:
    try:
        shutil.rmtree(folder)
    except OSError:  # folders that the program closed to its user
        Path(folder).chmod(0o700)
        for outer, names, _ in os.walk(folder):
            for inner in (Path(outer, name) for name in names):
                if not inner.is_symlink():
                    inner.chmod(0o700)
        shutil.rmtree(folder, ignore_errors=True)

"""Git's own locks on refs, such that the lock of a process that was killed is known for what it is."""

from __future__ import annotations

import fcntl
import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, time

from attrs import frozen

from swarm_core.errors import StoreError, StoreUnavailable
from swarm_plugin_git.files import fresh_name

MARK = b"swarm-plugin-git holds this lock while it lives\n"

_FIRST_PAUSE, _LAST_PAUSE = 0.001, 0.05
_ABANDONED = 3600.0  # seconds after which nobody is about to use a file of the scratch folder


@frozen(kw_only=True)
class Patience:
    """How long a lock is waited for; `closing` ends it at once."""

    url: str
    seconds: float
    closing: threading.Event

    def pauses(self) -> Iterator[None]:
        """Yield for each try, until the time is over.

        Between tries passes a time that doubles, less up to half of it by chance, so that those who wait for one lock
        do not meet again and again. Raises: StoreUnavailable, when the store is closed meanwhile.
        """
        last, pause = monotonic() + self.seconds, _FIRST_PAUSE
        yield
        while monotonic() < last:
            if self.closing.wait(pause * random.uniform(0.5, 1.0)):
                raise StoreUnavailable("is closed", where=self.url, hint="open the store anew")
            pause = min(pause * 2, _LAST_PAUSE)
            yield


@contextmanager
def locked(target: Path, *, scratch: Path, patience: Patience) -> Iterator[None]:
    """Hold the lock of a file as git does, by the existence of `target.lock`.

    The lock is a file with our mark that is also locked with the system's means (flock), from the moment on at which it
    can be seen until its owner gives it up or dies, however it dies. Raises: StoreUnavailable.
    """
    lock = target.with_name(f"{target.name}.lock")
    with _marked_file(scratch) as marked:
        _link_patiently(marked, lock, patience)
        try:
            yield
        finally:
            with suppress(FileNotFoundError):
                lock.unlink()


def is_left_behind(lock: Path) -> bool | None:
    """Tell whether the owner of a lock is dead; None when that cannot be told, because another program made it."""
    return _with_dead(lock, lambda: None)


def sweep(scratch: Path) -> None:
    """Remove what processes that were killed left in the scratch folder."""
    with suppress(OSError):
        for path in scratch.iterdir():
            with suppress(OSError):
                if path.stat().st_mtime < time() - _ABANDONED and _is_free(path):
                    path.unlink()


@contextmanager
def only_one(path: Path) -> Iterator[bool]:
    """Give True to one process at a time, and False at once to the others."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        yield _try_flock(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _marked_file(scratch: Path) -> Iterator[Path]:
    path = scratch / fresh_name("lock_")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, MARK)
        try:
            yield path
        finally:
            with suppress(FileNotFoundError):
                path.unlink()
    finally:
        os.close(descriptor)


def _link_patiently(marked: Path, lock: Path, patience: Patience) -> None:
    for _ in patience.pauses():
        try:
            return os.link(marked, lock)
        except FileExistsError:
            _with_dead(lock, lock.unlink)
    raise _held(lock, patience)


def _held(lock: Path, patience: Patience) -> StoreError:
    if is_left_behind(lock) is None:
        hint = f"when no git command is at work there, remove {lock}"
        return StoreUnavailable(f"{lock.stem!r} is locked by another program", where=patience.url, hint=hint)
    hint = "nothing was written; something holds it longer than lock_timeout allows"
    return StoreUnavailable(f"{lock.stem!r} is locked by another writer", where=patience.url, hint=hint)


def _with_dead(lock: Path, act: Callable[[], object]) -> bool | None:
    """Do something about a lock of ours whose owner is dead, while nobody else can; tell whether it was one.

    Who holds the system's lock on such a file and finds it still in its place is the only one that may remove it: what
    is there cannot be a later lock of somebody who lives.
    """
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        if os.read(descriptor, len(MARK)) != MARK:
            return None
        if not _try_flock(descriptor) or not _is_there(descriptor, lock):
            return False
        act()
        return True
    finally:
        os.close(descriptor)


def _try_flock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_there(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def _is_free(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return _try_flock(descriptor)
    finally:
        os.close(descriptor)

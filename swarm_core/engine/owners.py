"""Who holds a run: engines, their signs of life, and what is left of one that is gone."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from attrs import evolve

from swarm_core.contracts import Clock
from swarm_core.model.run import Owner

_PROC = Path("/proc")
_BOOT = _PROC / "sys/kernel/random/boot_id"
_START = 19  # the place of a process's start time behind its name in /proc/<pid>/stat
_PARENT = 1
_ROUNDS, _ROUND = 100, 0.002


def this_owner(owner_id: str, clock: Clock) -> Owner:
    """Return what this process says of itself."""
    pid = os.getpid()
    boot = _read(_BOOT)
    return Owner(
        id=owner_id,
        host=socket.gethostname(),
        pid=pid,
        boot=boot.strip() if boot else None,
        started=_started(pid),
        seen_at=clock.time(),
        seen_mono=clock.monotonic(),
    )


def seen_now(owner: Owner, clock: Clock) -> Owner:
    """Return an owner with a fresh sign of life."""
    return evolve(owner, seen_at=clock.time(), seen_mono=clock.monotonic())


def is_alive(owner: Owner, *, now: float, mono: float, lease: float) -> bool:
    """Tell whether an owner still holds its runs; `now` and `mono` are the clocks of whoever asks.

    Of this machine's processes the system tells when one is gone; a process that is there, or one of another machine,
    holds its runs for as long as its signs of life are not older than `lease` seconds. Processes of the same boot
    compare the monotonic clock, so no jump of the wall clock ends a lease.
    """
    here = owner.host == socket.gethostname()
    boot = _read(_BOOT)
    if here and owner.boot is not None and boot is not None:
        if owner.boot != boot.strip() or not _is_there(owner):
            return False
        return mono - owner.seen_mono <= lease
    if here and not _is_there(owner):
        return False
    return now - owner.seen_at <= lease


def end_workers_of(owner: Owner) -> int:
    """Kill all that a hung engine of this machine has started, and return how many; the engine itself is left alone.

    Its runs go on elsewhere: were its workers left, two attempts of one step would be alive at the same time.
    """
    if owner.host != socket.gethostname() or owner.pid == os.getpid() or not _is_there(owner):
        return 0
    killed: set[int] = set()
    for _ in range(_ROUNDS):  # what is being killed may have started something more
        below = [pid for pid in _descendants(owner.pid) if _kill(pid)]
        if not below:
            break
        killed.update(below)
        time.sleep(_ROUND)
    return len(killed)


def _is_there(owner: Owner) -> bool:
    if owner.started is not None and (_PROC / "self").exists():
        return _started(owner.pid) == owner.started
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _started(pid: int) -> str | None:
    """Return when a process was started, in ticks since the boot; None when there is none, or only its corpse."""
    fields = _stat(pid)
    return None if fields is None or fields[0] in "ZX" else fields[_START]


def _stat(pid: int) -> list[str] | None:
    text = _read(_PROC / str(pid) / "stat")
    return None if text is None else text.rpartition(")")[2].split()


def _descendants(pid: int) -> Iterator[int]:
    parents: dict[int, int] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdecimal() and (fields := _stat(int(entry.name))) is not None and fields[0] not in "ZX":
            parents[int(entry.name)] = int(fields[_PARENT])
    for child in parents:
        above = child
        while (above := parents.get(above, 0)) not in (0, pid):
            pass
        if above == pid:
            yield child


def _kill(pid: int) -> bool:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None

"""What a worker of the crash test does to the world: a line in the ledger at its start, and one at its end.

Each line is one write and one fsync, so that what a worker did is on disk whatever is killed next. An attempt is
alive while it holds its step's lock, which ends with the process that holds it. Stdlib only: programs run it with `-S`.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LEDGER = "CRASH_LEDGER"
PACE = "CRASH_PACE"  # the longest time that a function takes, in milliseconds
PROGRAM_PACE = (
    "CRASH_PROGRAM_PACE"  # the same for a program: when it is long, one that is not ended meets its successor
)


@contextmanager
def effect(key: str, run: str, address: str, attempt: int) -> Iterator[Callable[[Any], None]]:
    """Note the start of an attempt; what is yielded notes its end, with its result. Not ended, there is no END."""
    facts = (run, address, attempt, key)
    lock = os.open(_lock_of(run, address), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note("OVERLAP", *facts)
        note("START", *facts)
        yield lambda result: note("END", *facts, result)
    finally:
        os.close(lock)


def note(kind: str, run: str, address: str, attempt: int, key: str, result: Any = None) -> None:
    """Append one line to the ledger, on disk when this returns."""
    line = [kind, run, address, attempt, key, os.getpid(), began(os.getpid()), time.monotonic(), result]
    ledger = os.open(os.environ[LEDGER], os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    try:
        # a kill can cut a write where a page of the file ends: what is torn must not take the next line with it
        os.write(ledger, f"\n{json.dumps(line)}\n".encode())
        os.fsync(ledger)  # not fdatasync, which is what the crash test lets fail for the store
    finally:
        os.close(ledger)


def answer(address: str, given: Any, of: Sequence[Any] = (), **facts: Any) -> dict[str, Any]:
    """Return a result that no other attempt gives, and whose `chain` depends on all that it was made from."""
    nonce = os.urandom(6).hex()
    return {"nonce": nonce, "chain": chain(address, given, nonce, of), "of": list(of), **facts}


def chain(address: str, given: Any, nonce: str, of: Sequence[Any] = ()) -> str:
    """Return the digest of a step: where it stands, what it was given, its nonce, and its children's results."""
    text = json.dumps([address, given, nonce, list(of)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def pace(name: str = PACE) -> float:
    """Return how many seconds a worker shall take."""
    return random.random() * float(os.environ.get(name, "10")) / 1000


def began(pid: int) -> str:
    """Return when a process began, in the machine's ticks, blank when there is none: with its number, who it is."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[19]
    except OSError:
        return ""


def _lock_of(run: str, address: str) -> str:
    folder = Path(os.environ[LEDGER] + ".locks")
    folder.mkdir(exist_ok=True)
    return str(folder / hashlib.sha256(f"{run}:{address}".encode()).hexdigest()[:32])

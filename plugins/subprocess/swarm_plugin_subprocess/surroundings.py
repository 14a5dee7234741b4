"""What a program finds around it: its environment, and a home of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from fnmatch import fnmatchcase
from pathlib import Path

from swarm_core.model.call import Call

# How many engines stand above a program: one that runs `swarm` again is refused when there are too many.
DEPTH = "SWARM_DEPTH"
ALWAYS_PASSED = ("PATH", "LANG", "LC_*")


def passed_on(names: Iterable[str], environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables of the engine that programs get: a few that all need, and those that `names` allows."""
    allowed = (*ALWAYS_PASSED, *names)
    found = {name: value for name, value in environ.items() if any(fnmatchcase(name, each) for each in allowed)}
    return {"PATH": os.defpath, **found}


def depth_of(environ: Mapping[str, str]) -> int:
    """Return how many engines stand above this one."""
    told = environ.get(DEPTH, "0")
    return int(told) if told.isdecimal() else 0


def environment_of(call: Call, passed: Mapping[str, str], own: Mapping[str, str], home: str) -> dict[str, str]:
    """Return a program's whole environment; later ones win: its home, the engine's, its own, the attempt's facts.

    The handle stands for the attempt's token and dies with the attempt; the token itself is not told.
    """
    facts = {
        "MSE_TASK_ID": call.task_id,
        "MSE_ATTEMPT": str(call.attempt),
        "MSE_CTX_AGENT": call.agent,
        "MSE_TOKEN_AGENT_ID": call.agent,
        "SWARM_WORKER_HANDLE": call.context.handle(),
        "SWARM_IDEMPOTENCY_KEY": call.idempotency_key,
        DEPTH: str(depth_of(os.environ) + 1),
    }
    if call.run_id is not None:
        facts["SWARM_RUN_ID"] = call.run_id
    return {"HOME": home, "TMPDIR": home, **passed, **own, **facts}


@asynccontextmanager
async def private_home() -> AsyncIterator[str]:
    """Make a folder that only this user can read, and remove it afterwards with all that is in it."""
    folder = tempfile.mkdtemp(prefix="swarm-worker-")
    try:
        yield folder
    finally:
        try:
            os.rmdir(folder)  # noqa: PTH106 - nearly always empty, and then no thread is needed
        except OSError:
            await asyncio.to_thread(_remove, folder)


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

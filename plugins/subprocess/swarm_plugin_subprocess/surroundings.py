"""What a program finds around it: its environment."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from swarm_core.model.call import Call

# How many engines stand above a program: one that runs `swarm` again is refused when there are too many.
DEPTH = "SWARM_DEPTH"
META = "SWARM_META_"
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


def environment_of(
    call: Call, passed: Mapping[str, str], own: Mapping[str, str], home: str, *, url: str | None = None
) -> dict[str, str]:
    """Return a program's whole environment; later ones win: its home, the engine's, its own, the attempt's facts.

    The handle stands for the attempt's token and dies with the attempt; the token itself is not told. `url` is that of
    the server where the handle is good, None without one.
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
    if url is not None:
        facts["SWARM_URL"] = url
    if isinstance(trace := call.meta.get("traceparent"), str):
        facts["TRACEPARENT"] = trace
    return {"HOME": home, "TMPDIR": home, **passed, **own, **facts, **dict(_told(call.meta))}


def _told(meta: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what layers tell the worker as variables: a text as it is, any other JSON value as JSON."""
    for key, value in meta.items():
        if not re.fullmatch(r"[A-Za-z0-9_]+", key):
            continue
        try:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        except (TypeError, ValueError):  # what layers tell each other may be no JSON
            continue
        yield f"{META}{key.upper()}", text

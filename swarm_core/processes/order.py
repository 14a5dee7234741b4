"""What is to be started, checked and written down for the reaper."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping, Sequence

from swarm_core.errors import SpawnFailed, did_you_mean

LIMITS = {
    "as": resource.RLIMIT_AS,
    "core": resource.RLIMIT_CORE,
    "cpu": resource.RLIMIT_CPU,
    "fsize": resource.RLIMIT_FSIZE,
    "nofile": resource.RLIMIT_NOFILE,
    "nproc": resource.RLIMIT_NPROC,
}


def write_order(
    argv: Sequence[str], *, env: Mapping[str, str], cwd: str | None, limits: Mapping[str, int] | None
) -> bytes:
    """Return the order as the reaper reads it: fields that NUL bytes part.

    No core dump is written unless `limits` says so: it would hold whatever the worker was told.
    Raises: SpawnFailed.
    """
    if not argv or not argv[0]:
        raise SpawnFailed("there is no program to start: the argument list is empty")
    for name in env:
        if not name or "=" in name:
            raise SpawnFailed(f"{name!r} cannot name an environment variable")
    folder = os.path.abspath(cwd or ".")  # noqa: PTH100 - pathlib does not normalise
    counts = f"{len(argv)} {len(env)}"
    variables = [f"{name}={value}" for name, value in env.items()]
    fields = [folder, _limits(limits or {}), counts, *argv, *variables, *_paths(argv[0], env)]
    for field in fields:
        if "\0" in field:
            shown = field if len(field) <= 80 else f"{field[:80]}..."
            raise SpawnFailed(f"{shown!r} holds a NUL character, which no argument can", errno_name="EINVAL")
    return "\0".join(fields).encode("utf-8", "surrogateescape")


def _paths(program: str, env: Mapping[str, str]) -> list[str]:
    """Return where the program may be; an empty entry of PATH, which would mean the working directory, is none."""
    if "/" in program:
        return [program]
    return [f"{folder}/{program}" for folder in env.get("PATH", os.defpath).split(":") if folder]


def _limits(limits: Mapping[str, int]) -> str:
    pairs = {"core": 0, **limits}
    for name, value in pairs.items():
        if name not in LIMITS:
            raise SpawnFailed(f"unknown limit {name!r}", hint=did_you_mean(name, LIMITS))
        if not isinstance(value, int) or value < 0:
            raise SpawnFailed(f"limit {name!r} is {value!r}, not a whole number from 0")
    return " ".join(f"{LIMITS[name]}={value}" for name, value in pairs.items())

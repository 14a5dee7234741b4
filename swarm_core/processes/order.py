"""What is to be started, checked and written down for the reaper."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping, Sequence

from attrs import frozen

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
    variables = [_Text(f"variable {name!r}", f"{name}={value}") for name, value in env.items()]
    arguments = [_Text(f"argument {number}", text) for number, text in enumerate(argv)]
    fields = [
        _Text(f"the working directory {folder!r}", folder),
        _Text("the limits", _limits(limits or {})),
        _Text("the counts", f"{len(argv)} {len(env)}"),
        *arguments,
        *variables,
        *(_Text("PATH", path) for path in _paths(argv[0], env)),
    ]
    return b"\0".join(map(_encoded, fields))


@frozen
class _Text:
    """A text and what to call it in an error: the text itself may be a secret."""

    name: str
    text: str


def _encoded(text: _Text) -> bytes:
    if "\0" in text.text:
        raise SpawnFailed(f"{text.name} holds a NUL character, which no program can be given", errno_name="EINVAL")
    try:
        return text.text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise SpawnFailed(f"{text.name} holds a lone surrogate, which is no text", errno_name="EILSEQ") from None


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
        if type(value) is not int or value < 0:
            raise SpawnFailed(f"limit {name!r} is {value!r}, not a whole number from 0")
    return " ".join(f"{LIMITS[name]}={value}" for name, value in pairs.items())

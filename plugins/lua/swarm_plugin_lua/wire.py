"""What crosses between the engine and a Lua process: frames of JSON behind their length, and their limits.

Used on both sides, so nothing but the standard library is imported.
"""

from __future__ import annotations

import json
import struct
from typing import Any, NoReturn

MAX_SOURCE = 256 * 1024  # bytes of a script
MAX_REQUEST = 4 * 1024 * 1024  # bytes of a job: script, input and all
MAX_JSON = 1024 * 1024  # bytes of a result, and of what crosses for one host function
MAX_LOG = 64 * 1024  # bytes of what a script prints
MAX_REPLY = 2 * 1024 * 1024  # bytes of a frame from a Lua process: a result, a log with every byte escaped
MAX_DEPTH = 64  # levels of a result
MAX_HOST_CALLS = 10_000  # of one attempt

_LENGTH = struct.Struct(">I")
HEADER = _LENGTH.size


def frame(payload: bytes) -> bytes:
    """Return a payload behind its length (four bytes, most significant first)."""
    return _LENGTH.pack(len(payload)) + payload


def length_of(header: bytes) -> int:
    """Return the length that a frame's first four bytes announce."""
    length: int = _LENGTH.unpack(header)[0]
    return length


def dumps(value: Any) -> bytes:
    """Return a value as compact JSON.

    Raises: ValueError, when it has no form in JSON.
    """
    try:
        return _ENCODER.encode(value).encode()
    except TypeError as error:
        raise ValueError(str(error)) from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("a text holds a lone surrogate") from None


def loads(text: bytes | str) -> Any:
    """Return the value of a JSON text.

    Raises: ValueError, when the text is no JSON (`NaN` and the infinities are none) or is nested too deeply to be read.
    """
    try:
        return _DECODER.decode(text if isinstance(text, str) else text.decode())
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


# Made once: `json.dumps` and `json.loads` make new ones for every call that asks for other than their defaults.
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_DECODER = json.JSONDecoder(parse_constant=_refuse)

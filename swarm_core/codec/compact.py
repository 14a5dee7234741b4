"""JSON text as it is kept: without blanks, in the order in which things come, writable as UTF-8."""

from __future__ import annotations

import json
from typing import Any

import orjson

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
_encode_ascii = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_ONLY_JSON = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME


def compact(value: Any) -> str:
    """Return a JSON value as text that can be written as UTF-8.

    What orjson does not take (integers of more than 64 bits, more than 254 levels, keys that are no text) the standard
    library does. The text of an error may hold half a surrogate pair (a file name that is no UTF-8); then all that is
    not ASCII is escaped. Raises: TypeError, for what is no JSON value; RecursionError.
    """
    try:
        return orjson.dumps(value, option=_ONLY_JSON).decode()
    except TypeError:
        text = _encode(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        return _encode_ascii(value)
    return text

"""Bytes to text: size, encoding, emptiness."""

from __future__ import annotations

from swarm_core.codec.limits import Limits
from swarm_core.errors import DocumentError
from swarm_core.model.problem import Problem

_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def decode(data: bytes, name: str, limits: Limits) -> str:
    """Return a document's text, without a byte order mark.

    Raises: DocumentError `too_large`, `not_utf8`, `bad_unicode` (a NUL character) or `blueprint_empty`.
    """
    if len(data) > limits.size:
        message = f"the document has more than {limits.size:,} bytes"
        raise _refused("too_large", message, name, "move long texts into files of their own")
    if data.startswith(_UTF16) or 0 in data[:4]:
        raise _refused("not_utf8", "byte 0 is not UTF-8: this looks like UTF-16 or UTF-32", name, "save it as UTF-8")
    try:
        text = data.removeprefix(_BOM).decode()
    except UnicodeDecodeError as error:
        raise _not_utf8(data, error, name) from None
    if "\0" in text:
        raise _nul(data, name)
    if not text.strip():
        raise _refused("blueprint_empty", "the document is empty", name, None)
    return text


def _not_utf8(data: bytes, error: UnicodeDecodeError, name: str) -> DocumentError:
    offset = error.start + (len(_BOM) if data.startswith(_BOM) else 0)
    message = f"byte {offset} (0x{data[offset]:02x}) is not UTF-8"
    return _refused("not_utf8", message, name, "save it as UTF-8", _line_of(data, offset))


def _nul(data: bytes, name: str) -> DocumentError:
    offset = data.index(0)
    return _refused("bad_unicode", f"byte {offset} is a NUL character", name, None, _line_of(data, offset))


def _line_of(data: bytes, offset: int) -> int:
    return data.count(b"\n", 0, offset) + 1


def _refused(code: str, message: str, name: str, hint: str | None, line: int = 1) -> DocumentError:
    return DocumentError([Problem(code=code, message=message, hint=hint, file=name, line=line)])

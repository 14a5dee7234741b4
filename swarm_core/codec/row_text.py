"""The text of journal rows: JSON, and in its end a link of the chain that holds the rows of a run together.

A row's link is the SHA-256 of the link before it, the numbers of its first and last event, and its text without the
link; what stands before the first row is drawn from the run's id. So a link says what all rows up to its own are.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from hashlib import sha256

_LINK = re.compile(r',"([A-Za-z0-9+/]{43})"\]')
_TAIL = len(',""]') + 43


def first_link(run_id: str) -> str:
    """Return what stands before the first row of a run in the place of a link."""
    return link_after("", 0, 0, run_id)


def link_after(before: str, first: int, last: int, text: str) -> str:
    """Return the link of the row with these events: 43 characters of base64, without padding."""
    digest = sha256(f"{before} {first} {last} {text}".encode("utf-8", "surrogatepass")).digest()
    return b2a_base64(digest, newline=False)[:43].decode()


def with_link(text: str, link: str) -> str:
    """Return the body of the row that has this text, a JSON array of entries, and this link."""
    return f'{text[:-1]},"{link}"]'


def parted(body: str) -> tuple[str, str | None]:
    """Return a row's text and its link, None when it has none: rows of before there were links."""
    found = _LINK.fullmatch(body, max(0, len(body) - _TAIL))
    return (body, None) if found is None else (f"{body[:-_TAIL]}]", found[1])


def link_as_hex(link: str) -> str:
    """Return a link as people are shown it: 64 hex digits."""
    return a2b_base64(f"{link}=").hex()


def link_from_hex(digits: str) -> str:
    """Return the link that is shown so; raises ValueError."""
    digest = bytes.fromhex(digits)
    if len(digest) != 32:
        raise ValueError(f"a link is 64 hex digits, this is {len(digits)} characters")
    return b2a_base64(digest, newline=False)[:43].decode()

"""Identifiers: their prefixes, how they are made and how they are checked."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NewType

from swarm_core.errors import InvalidId

RunId = NewType("RunId", str)
TaskId = NewType("TaskId", str)
SessionId = NewType("SessionId", str)
ResumeKey = NewType("ResumeKey", str)

# prefix -> random bits. These ids grant nothing; what does (nonces, handles) is made where tokens are.
BITS = {"RUN-": 64, "T-": 64, "S-": 64, "out-": 64, "E-": 64, "h-": 64}

_MADE = {prefix: (bits, f"{prefix}%0{bits // 4}x") for prefix, bits in BITS.items()}
# Compiled when it is first used, not at every start.
_REST = r"[0-9A-Za-z_.-]{1,120}\Z"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
_GIVEN_LENGTH = 200

RandomBits = Callable[[int], int]


def new_id(prefix: str, random_bits: RandomBits) -> str:
    """Make an id of the given prefix from `random_bits(n)`, a source of n random bits."""
    bits, form = _MADE[prefix]
    return form % random_bits(bits)


def check_id(prefix: str, text: str) -> str:
    """Return the text when it is an id of the prefix.

    Raises: InvalidId.
    """
    if not isinstance(text, str) or not text.startswith(prefix) or not re.match(_REST, text[len(prefix) :]):
        raise InvalidId(str(text), expected=f"an id of the form {prefix}...")
    return text


def is_name(text: str) -> bool:
    """Tell whether the text may name an agent, a function, a layer or a plugin."""
    return _NAME.match(text) is not None


def check_blueprint_id(text: str) -> str:
    """Return the text when a store may keep a Blueprint under it.

    It is compared character by character: other case, other accents, another script is another id. Raises: InvalidId.
    """
    return _check_given(text, "a Blueprint's id")


def check_setting_id(text: str) -> str:
    """Return the text when a store may keep an enhance setting under it; the rules are those of a Blueprint's id.

    Raises: InvalidId.
    """
    return _check_given(text, "an enhance setting's id")


def _check_given(text: str, what: str) -> str:
    fits = isinstance(text, str) and 0 < len(text) <= _GIVEN_LENGTH and text == text.strip()
    if not fits or not text.isprintable() or text[0] in ".-" or any(each in "/\\@" for each in text):
        expected = (
            f"{what}: 1 to {_GIVEN_LENGTH} printable characters without blanks around them, "
            "none of them '/', '\\' or '@', the first not '.' or '-'"
        )
        raise InvalidId(str(text), expected=expected)
    return text


def senior_key(task_id: str) -> ResumeKey:
    """Return the key under which the senior's answer for a task is awaited (as in the seeds)."""
    return ResumeKey(f"R-senior-{task_id}")

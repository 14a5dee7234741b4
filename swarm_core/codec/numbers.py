"""Numbers as documents write them: kept exactly, or refused."""

from __future__ import annotations

from math import isfinite

SMALLEST, LARGEST = -(2**63), 2**64 - 1
_MOST_DIGITS = 24


class BadNumber(ValueError):
    """A number cannot be kept as it is written; `code` and `hint` are those of the problem to report."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        self.code, self.message, self.hint = code, message, hint
        super().__init__(message)


def whole(text: str, base: int = 10) -> int:
    """Return an integer from its digits.

    Raises: BadNumber, when it is less than -2^63 or more than 2^64 - 1.
    """
    if len(text) <= _MOST_DIGITS:
        number = int(text, base)
        if SMALLEST <= number <= LARGEST:
            return number
    raise BadNumber(
        "number_range",
        f"the integer {shorten(text)} is out of range: integers go from -2^63 to 2^64 - 1",
        "write it as a string, or as a float such as 1e30 where its digits do not matter",
    )


def binary64(text: str) -> float:
    """Return a float from its text.

    Raises: BadNumber, when it is too large for binary64.
    """
    number = float(text)
    if isfinite(number):
        return number
    raise BadNumber("bad_number", f"{shorten(text)} is too large for a number", "write it as a string")


def no_number(text: str) -> BadNumber:
    """Return the error for what stands for no number in JSON: NaN and the infinities."""
    return BadNumber("bad_number", f"{shorten(text)} is no JSON number", "write null, or a string")


def shorten(text: str, most: int = 40) -> str:
    """Return a text that is fit for a message: no longer than `most` characters and an ellipsis."""
    return text if len(text) <= most else f"{text[:most]}..."

"""What a failure says: its place, its address, its text."""

from __future__ import annotations

from typing import Any

from swarm_core.errors import FlowError

MAX_TEXT = 4_096


def locate(error: FlowError, at: str, address: str) -> None:
    """Write down where an error happened, unless a node further inside has done so."""
    if error.at is None:
        error.at, error.address = at, address


def error_text(error: BaseException) -> str:
    """Return the text of an error: never empty, never more than MAX_TEXT bytes of UTF-8."""
    text = str(error) or type(error).__name__
    if len(text) * 4 <= MAX_TEXT:
        return text
    data = text.encode("utf-8", "replace")
    return text if len(data) <= MAX_TEXT else data[: MAX_TEXT - 3].decode("utf-8", "ignore") + "..."


def dispatcher_error(ref: str, error: Exception) -> FlowError:
    """Return the failure of a step whose dispatch raised; the text of a FlowError is kept as it is."""
    text = error_text(error)
    return FlowError(
        "DispatcherError", text if isinstance(error, FlowError) else f"step {ref!r} failed: {text}", ref=ref
    )


def type_error(op: str, expected: str, got: str) -> FlowError:
    """Return the failure of an operation on a value of the wrong type."""
    return FlowError("TypeError", f"{op}: expected {expected}, got {got}", op=op)


def not_json(kind: str, ref: str, error: Any) -> FlowError:
    """Return the failure of a step or an extern that answered with something else than JSON."""
    return FlowError(kind, f"{ref!r} answered with what is no JSON value: {error}", ref=ref)

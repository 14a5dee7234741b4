"""What the checks of the enhance loop's stores write, and how they look at what becomes of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from swarm_core.errors import SwarmError
from swarm_core.model.enhance import (
    AxisVerdict,
    EnhanceLogEntry,
    EnhanceLogStatus,
    EnhanceSetting,
    IssuePayload,
    VerdictStatus,
)
from swarm_core.testing.checks.contract import ContractBroken, require

S = TypeVar("S")

TEXTS = (
    *("two\nlines\n", "\r\n", "\ttab", "\0", "a\0b", "\x7f\x85\u2028", "\N{SNOWMAN} \U0001f41d e\u0301"),
    *("'; DROP TABLE issues; --", '"}, "status": "applied', "Applied", "{}", "%s%n", "word " * 20_000),
)
"""What people and programs may write; none of it means anything to a store."""

NOT_TEXT = "a\udcffb"
"""What UTF-8 cannot hold. It comes with file names, so reasons may have it; a flow cannot."""

BAD_ISSUE_IDS = ("", "h-", "issue-1", "H-1", "h-a b", "h-../x", "h-1\n", "h-\udcff", "h-" + "x" * 121)
BAD_NAMES = ("", " ", "..", "a/b", "a\\b", ".git", "-rf", "a@b", "a\nb", " a", "x" * 201, "a\udcff")
UNKNOWN = ("h-unknown", "", "'; DROP TABLE issues; --", "h-%", "\udcff", "x" * 1000)


def an_issue(number: int = 1, **facts: Any) -> IssuePayload:
    """Return an issue; other numbers make other ones."""
    known = {"blueprint_id": "review", "intent": f"make it better {number}"}
    return IssuePayload(issue_id=f"h-{number}", **{**known, **facts})


def a_setting(setting_id: str = "default", **facts: Any) -> EnhanceSetting:
    """Return a setting."""
    return EnhanceSetting(id=setting_id, **{"blueprint_id": "enhance-default", "ttl_secs": 600, **facts})


def an_entry(number: int = 1, **facts: Any) -> EnhanceLogEntry:
    """Return a log entry with something in each of its fields."""
    known: dict[str, Any] = {
        "issue_id": f"h-{number}",
        "blueprint_id": "review",
        "prev_hash": "a" * 64,
        "new_hash": "b" * 64,
        "intent": "make it better",
        "rationale": "it is",
        "verdicts": (
            AxisVerdict(axis="des", status=VerdictStatus.PASS, detail="all there"),
            AxisVerdict(axis="noop", status=VerdictStatus.DENY, detail={"hash": ["b", None]}),
        ),
        "status": EnhanceLogStatus.APPLIED,
        "reasons": ("noop: the same",),
        "ts_ms": 1_700_000_000_123,
    }
    return EnhanceLogEntry(**{**known, **facts})


async def run_parts(
    parts: tuple[Callable[[S], Awaitable[None]], ...], open_store: Callable[[], AbstractAsyncContextManager[S]]
) -> None:
    """Check each part on a store of its own; an error that no part expects breaks the contract as well."""
    for part in parts:
        async with open_store() as store:
            try:
                await part(store)
            except SwarmError as error:
                raise ContractBroken(f"{part.__name__.strip('_')}: {type(error).__name__}: {error}") from error


def same(found: object, expected: object, what: str) -> None:
    """Require that two values are the same."""
    require(found == expected, f"{what} {found!r}, where {expected!r} is due"[:2000])


async def raises(awaitable: Awaitable[Any], kind: type[SwarmError], what: str) -> Any:
    """Require that something raises an error of a kind, and return it."""
    try:
        found = await awaitable
    except SwarmError as error:
        if isinstance(error, kind):
            return error
        raise ContractBroken(f"{what} raised {error!r}, where {kind.__name__} is due") from error
    raise ContractBroken(f"{what} returned {found!r}, where {kind.__name__} is due")

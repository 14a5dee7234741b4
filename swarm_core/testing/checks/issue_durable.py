"""The contract of stores of issues that outlive their process."""

from __future__ import annotations

import asyncio

from swarm_core.contracts import IssueStore
from swarm_core.errors import IssueEnded, IssueExists, IssueLost, SwarmError
from swarm_core.model.enhance import Applied, InFlight, Pending, Rejected, TakenIssue
from swarm_core.testing.checks.contract import ContractBroken, require
from swarm_core.testing.checks.enhance_samples import an_issue, raises, same
from swarm_core.testing.checks.issue_stores import OpenIssueStore

_APPLIED, _REJECTED = Applied(new_version="c" * 64), Rejected(reason="no")
_HELD = TakenIssue(issue=an_issue(3), owner="E-dead", attempt=1, until=200.0)


async def check_durable_issue_store(open_at: OpenIssueStore) -> None:
    """Require that what was acknowledged is there after closing and opening, and that two may be open at once.

    `open_at()` returns an async context manager that opens one place, the same each time, empty at first. Raises:
    ContractBroken.
    """
    try:
        async with open_at() as store:
            await _write(store)
        async with open_at() as store:
            await _read(store)
        async with open_at() as one, open_at() as other:
            await _share(one, other)
            await _compete(one, other)
    except SwarmError as error:
        raise ContractBroken(f"{type(error).__name__}: {error}") from error


async def _write(store: IssueStore) -> None:
    for number in range(1, 5):
        await store.create(an_issue(number))
    await store.update_status("h-1", _APPLIED)
    await store.update_status("h-2", _REJECTED)
    same(await store.pop_pending("E-dead", now=100.0, until=200.0), _HELD, "pop_pending returned")


async def _read(store: IssueStore) -> None:
    expected = [("h-1", _APPLIED), ("h-2", _REJECTED), ("h-3", InFlight()), ("h-4", Pending())]
    same(list(await store.list()), expected, "after opening it again list returned")
    same(await store.holder("h-3"), _HELD, "after opening it again holder returned")
    same(await store.get("h-4"), an_issue(4), "after opening it again get returned")
    await raises(store.create(an_issue(1)), IssueExists, "after opening it again create of an id that is there")


async def _share(one: IssueStore, other: IssueStore) -> None:
    taken = await one.pop_pending("E-1", now=200.0, until=300.0)
    same(
        taken,
        TakenIssue(issue=an_issue(3), owner="E-1", attempt=2, until=300.0),
        "pop_pending of a dropped issue returned",
    )
    same(await other.holder("h-3"), taken, "after another one has taken it holder returned")
    await raises(other.update_status("h-3", _APPLIED, taken=_HELD), IssueLost, "a change by its owner before that")
    await one.update_status("h-3", _APPLIED, taken=taken)
    await raises(other.update_status("h-3", _REJECTED), IssueEnded, "a change of what another one has ended")
    await other.create(an_issue(5))
    same(await one.get("h-5"), an_issue(5), "after another one has created it get returned")


async def _compete(one: IssueStore, other: IssueStore) -> None:
    await asyncio.gather(*((one, other)[number % 2].create(an_issue(number)) for number in range(6, 30)))
    taken: list[str] = []
    await asyncio.gather(*(_take(store, taken) for store in (one, other) * 4))
    require(len(taken) == len(set(taken)), f"of two that take at once both were given one: {sorted(taken)}")
    same(
        sorted(taken), sorted(f"h-{number}" for number in range(4, 30)), "of two that take at once each took; together"
    )


async def _take(store: IssueStore, taken: list[str]) -> None:
    while (one := await store.pop_pending("E-1", now=100.0, until=200.0)) is not None:
        taken.append(one.issue.issue_id)
        await asyncio.sleep(0)

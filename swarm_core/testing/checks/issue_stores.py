"""The contract of stores of issues."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from attrs import evolve

from swarm_core.contracts import IssueStore
from swarm_core.errors import DocumentError, InvalidId, IssueEnded, IssueExists, IssueLost, IssueNotFound, StoreError
from swarm_core.model.enhance import Applied, InFlight, IssueStatus, Pending, Rejected, TakenIssue
from swarm_core.testing.checks.contract import require
from swarm_core.testing.checks.enhance_samples import (
    BAD_ISSUE_IDS,
    BAD_NAMES,
    NOT_TEXT,
    TEXTS,
    UNKNOWN,
    an_issue,
    raises,
    run_parts,
    same,
)

OpenIssueStore = Callable[[], AbstractAsyncContextManager[IssueStore]]

_MANY, _RIVALS = 20, 8
_APPLIED, _REJECTED = Applied(new_version="c" * 64), Rejected(reason="verifier deny: noop")


async def check_issue_store(open_store: OpenIssueStore) -> None:
    """Run a store of issues through its contract; each part is checked on a store of its own, an empty one.

    `open_store()` returns an async context manager that gives an empty store. Raises: ContractBroken.
    """
    await run_parts(_PARTS, open_store)


async def _fill(store: IssueStore, count: int) -> None:
    for number in range(1, count + 1):
        await store.create(an_issue(number))


async def _pop(store: IssueStore, owner: str = "E-1", *, now: float = 100.0, until: float = 200.0) -> TakenIssue:
    taken = await store.pop_pending(owner, now=now, until=until)
    require(taken is not None, "pop_pending returned None, though there is an issue that nobody has")
    assert taken is not None
    return taken


async def _pops_nothing(store: IssueStore, now: float, why: str) -> None:
    found = await store.pop_pending("E-9", now=now, until=now + 100)
    require(found is None, f"pop_pending returned {found!r}, where None is due: {why}")


async def _stands(store: IssueStore, issue_id: str, expected: IssueStatus, after: str) -> None:
    same(await store.status(issue_id), expected, f"after {after} status returned")
    same(dict(await store.list())[issue_id], expected, f"after {after} list has")


async def _keeps_issues(store: IssueStore) -> None:
    same(list(await store.list()), [], "list of an empty store returned")
    issues = [an_issue(number, intent=text) for number, text in enumerate(TEXTS, 1) if text.strip()]
    issues.append(an_issue(99, blueprint_id="\u5b57 x"))
    for issue in issues:
        await store.create(issue)
    for issue in issues:
        same(await store.get(issue.issue_id), issue, "get returned")
    expected = [(issue.issue_id, Pending()) for issue in issues]
    same(list(await store.list()), expected, "list, which is in the order in which issues came, returned")


async def _refuses_bad_issues(store: IssueStore) -> None:
    for issue_id in BAD_ISSUE_IDS:
        await raises(store.create(evolve(an_issue(), issue_id=issue_id)), InvalidId, f"create of {issue_id!r}")
    for name in BAD_NAMES:
        await raises(store.create(an_issue(blueprint_id=name)), InvalidId, f"create with the Blueprint {name!r}")
    for bad in ("", " \n", NOT_TEXT):
        await raises(store.create(an_issue(intent=bad)), DocumentError, f"create with the intent {bad!r}")
    same(list(await store.list()), [], "after issues that were refused list returned")


async def _refuses_what_is_there(store: IssueStore) -> None:
    await _fill(store, 2)
    await raises(store.create(an_issue(1, intent="another")), IssueExists, "create of an id that is there")
    taken = await _pop(store)
    await store.update_status("h-1", _APPLIED, taken=taken)
    await raises(store.create(an_issue(1)), IssueExists, "create of an id that has ended")
    same(await store.get("h-1"), an_issue(1), "after a create that was refused get returned")
    same(list(await store.list()), [("h-1", _APPLIED), ("h-2", Pending())], "after it list returned")


async def _refuses_unknown(store: IssueStore) -> None:
    await _fill(store, 1)
    taken = await _pop(store)
    for issue_id in UNKNOWN:
        unknown = evolve(taken, issue=evolve(taken.issue, issue_id=issue_id))
        for name in ("get", "status", "holder"):
            await raises(getattr(store, name)(issue_id), IssueNotFound, f"{name}({issue_id!r})")
        await raises(store.renew(unknown, until=300.0), IssueNotFound, f"renew of {issue_id!r}")
        await raises(store.update_status(issue_id, _APPLIED), IssueNotFound, f"update_status of {issue_id!r}")


async def _pops_in_order(store: IssueStore) -> None:
    await _pops_nothing(store, 100.0, "there is no issue")
    await _fill(store, 3)
    for number in (1, 2, 3):
        expected = TakenIssue(issue=an_issue(number), owner="E-1", attempt=1, until=200.0)
        same(await _pop(store), expected, "pop_pending, which takes the oldest, returned")
        await _stands(store, f"h-{number}", InFlight(), "pop_pending")
        same(await store.holder(f"h-{number}"), expected, "holder returned")
    await _pops_nothing(store, 100.0, "all issues are in flight")
    await store.create(an_issue(4))
    same((await _pop(store)).issue, an_issue(4), "pop_pending of a new issue returned")


async def _ends_issues(store: IssueStore) -> None:
    await _fill(store, 3)
    endings: tuple[Applied | Rejected, ...] = (_APPLIED, _REJECTED, Rejected(reason="".join((NOT_TEXT, *TEXTS))))
    for number, status in enumerate(endings, 1):
        taken = await _pop(store)
        await store.update_status(taken.issue.issue_id, status, taken=taken)
        await store.update_status(taken.issue.issue_id, status, taken=taken)
        await _stands(store, f"h-{number}", status, "update_status")
        same(await store.holder(f"h-{number}"), None, "holder of an issue that has ended returned")
        for other in (Pending(), Applied(new_version="d"), Rejected(reason="d")):
            await raises(store.update_status(f"h-{number}", other), IssueEnded, "update_status of what has ended")
        await raises(store.renew(taken, until=300.0), IssueLost, "renew of what has ended")
        await _stands(store, f"h-{number}", status, "changes that were refused")
    await _pops_nothing(store, 1e12, "all issues have ended")


async def _lets_anybody_end_an_issue(store: IssueStore) -> None:
    await _fill(store, 2)
    await store.update_status("h-1", _REJECTED)
    taken = await _pop(store)
    same(taken.issue, an_issue(2), "after the first one was rejected pop_pending returned")
    await store.update_status("h-2", _REJECTED)
    late = store.update_status("h-2", _APPLIED, taken=taken)
    await raises(late, IssueEnded, "update_status by the owner of an issue that somebody else has ended")
    wrong: Any = InFlight()
    await raises(store.update_status("h-2", wrong), StoreError, "update_status with InFlight")


async def _gives_back(store: IssueStore) -> None:
    await _fill(store, 2)
    taken = await _pop(store)
    await store.update_status("h-1", Pending(), taken=taken)
    await _stands(store, "h-1", Pending(), "giving it back")
    same(await store.holder("h-1"), None, "holder of an issue that was given back returned")
    for late in (store.renew(taken, until=300.0), store.update_status("h-1", _APPLIED, taken=taken)):
        await raises(late, IssueLost, "a change by who gave the issue back")
    again = await _pop(store)
    expected = evolve(taken, attempt=2)
    same(again, expected, "pop_pending of an issue that was given back, which has its old place, returned")
    await raises(store.update_status("h-1", _APPLIED, taken=taken), IssueLost, "a change by an earlier taking")
    await store.update_status("h-1", _APPLIED, taken=again)


async def _takes_up_what_was_dropped(store: IssueStore) -> None:
    await _fill(store, 3)
    dead = await _pop(store, "E-dead", until=150.0)
    await _pop(store, "E-1", until=1000.0)
    await _pop(store, "E-1", now=149.9, until=1000.0)
    await _pops_nothing(store, 149.9, "every lease runs on")
    taken = await _pop(store, "E-2", now=150.0, until=250.0)
    expected = TakenIssue(issue=an_issue(1), owner="E-2", attempt=2, until=250.0)
    same(taken, expected, "pop_pending of an issue whose lease ran out returned")
    for late in (store.renew(dead, until=300.0), store.update_status("h-1", _APPLIED, taken=dead)):
        await raises(late, IssueLost, "a change by an owner whose issue was taken up by another one")
    await _stands(store, "h-1", InFlight(), "a change that was refused")
    again = await _pop(store, "E-2", now=250.0, until=350.0)
    same(again.attempt, 3, "the third taking is attempt")
    own = store.update_status("h-1", _APPLIED, taken=taken)
    await raises(own, IssueLost, "a change by an earlier taking of the same owner")


async def _renews(store: IssueStore) -> None:
    await _fill(store, 1)
    taken = await _pop(store, until=150.0)
    renewed = await store.renew(taken, until=250.0)
    same(renewed, evolve(taken, until=250.0), "renew returned")
    same(await store.holder("h-1"), renewed, "after renew holder returned")
    await _pops_nothing(store, 249.9, "the lease was renewed")
    same(await store.renew(taken, until=350.0), evolve(taken, until=350.0), "renew of a lease that ran out returned")
    await store.update_status("h-1", _APPLIED, taken=taken)
    await _stands(store, "h-1", _APPLIED, "the end of an issue whose lease was renewed")


async def _gives_each_to_one(store: IssueStore) -> None:
    await asyncio.gather(*(store.create(an_issue(number)) for number in range(1, _MANY + 1)))
    taken: list[str] = []

    async def take(owner: str) -> None:
        while (one := await store.pop_pending(owner, now=100.0, until=200.0)) is not None:
            taken.append(one.issue.issue_id)
            await asyncio.sleep(0)

    await asyncio.gather(*(take(f"E-{number}") for number in range(_RIVALS)))
    expected = sorted(f"h-{number}" for number in range(1, _MANY + 1))
    same(sorted(taken), expected, "of many takers at once each issue is for one; they took")


async def _ends_once(store: IssueStore) -> None:
    await _fill(store, 1)
    ends = [store.update_status("h-1", Rejected(reason=f"{number}")) for number in range(_RIVALS)]
    ended = await asyncio.gather(*ends, return_exceptions=True)
    refused = [end for end in ended if isinstance(end, IssueEnded)]
    require(len(refused) == _RIVALS - 1, f"of {_RIVALS} ends of one issue at once one counts; they ended as {ended!r}")
    made = await asyncio.gather(*(store.create(an_issue(2)) for _ in range(_RIVALS)), return_exceptions=True)
    there = [end for end in made if isinstance(end, IssueExists)]
    require(len(there) == _RIVALS - 1, f"of {_RIVALS} creations of one id at once one counts; they ended as {made!r}")


_PARTS = (
    _keeps_issues,
    _refuses_bad_issues,
    _pops_in_order,
    _refuses_what_is_there,
    _refuses_unknown,
    _ends_issues,
    _lets_anybody_end_an_issue,
    _gives_back,
    _takes_up_what_was_dropped,
    _renews,
    _gives_each_to_one,
    _ends_once,
)

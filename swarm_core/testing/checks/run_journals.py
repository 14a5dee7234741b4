"""The contract of run stores: what is written to a run, and what is refused."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from swarm_core.contracts import RunStore
from swarm_core.errors import RunLost, RunNotFound
from swarm_core.model.run import RunChange, RunWrite
from swarm_core.model.task import RunStatus
from swarm_core.testing.checks.contract import require
from swarm_core.testing.checks.run_samples import (
    BLUEPRINT,
    BODY,
    OTHER_BLUEPRINT,
    a_question,
    a_row,
    a_run,
    accepted,
    begin,
    raises,
    refused,
    same_rows,
    same_run,
)

_LARGE = 2_000_000


async def _keeps_journals(store: RunStore) -> None:
    rows = [a_row(1, 3), a_row(4), a_row(5, 9, body=BODY * 3), a_row(10, 12)]
    await begin(store, None, *rows[:2])
    await begin(store, a_run("RUN-2"), a_row(1, run_id="RUN-2"))
    await accepted(store, RunWrite(run_id="RUN-1", epoch=1, rows=tuple(rows[2:])))
    await same_rows(store, "RUN-1", rows, "three commits")
    require((await store.get("RUN-1")).last_seq == 12, "last_seq is not the number of the last event")
    for after, limit, expected in (
        (3, None, rows[1:]),
        (6, 1, rows[2:3]),
        (0, 2, rows[:2]),
        (12, None, []),
        (0, 0, []),
    ):
        found = list(await store.rows("RUN-1", after, limit))
        require(found == expected, f"rows(after={after}, limit={limit}) returned {found!r}, not {expected!r}")


async def _fences_by_number(store: RunStore) -> None:
    run = await begin(store, None, a_row(1, 2))
    for rows in ((a_row(2),), (a_row(4),), (a_row(1, 2),), (a_row(3), a_row(5)), (a_row(3), a_row(3))):
        write = RunWrite(run_id="RUN-1", epoch=1, rows=rows, change=RunChange(updated_at=7.0, status=RunStatus.DONE))
        await refused(store, "fenced", write)
        await same_run(store, run, f"rows from {rows[0].first_seq} on that were refused")
        await same_rows(store, "RUN-1", [a_row(1, 2)], "rows that were refused")
    await refused(store, "fenced", RunWrite(run_id="RUN-9", epoch=1, rows=(a_row(1, run_id="RUN-9"),)))
    await refused(store, "fenced", RunWrite(run_id="RUN-9", epoch=1, change=RunChange(updated_at=7.0)))


async def _fences_by_epoch(store: RunStore) -> None:
    run = await begin(store, None, a_row(1))
    claimed = await store.claim("RUN-1", "E-2", 1)
    expected = evolve(run, owner="E-2", epoch=2)
    require(claimed == expected, f"claim returned {claimed!r}, where {expected!r} is due")
    await raises(store.claim("RUN-1", "E-3", 1), RunLost, "claim of a run that is at another epoch")
    await raises(store.claim("RUN-9", "E-3", 1), RunNotFound, "claim of an unknown run")
    change = RunChange(updated_at=9.0, status=RunStatus.DONE, result="1")
    for late in (
        RunWrite(run_id="RUN-1", epoch=1, rows=(a_row(2),)),
        RunWrite(run_id="RUN-1", epoch=1, rows=(a_row(2),), change=change, opened=(a_question(),)),
        RunWrite(run_id="RUN-1", epoch=1, change=change, blueprints={OTHER_BLUEPRINT: "{}"}),
        RunWrite(run_id="RUN-1", epoch=3, rows=(a_row(2),)),
    ):
        await refused(store, "fenced", late)
        await same_run(store, expected, "a write of another epoch")
        await same_rows(store, "RUN-1", [a_row(1)], "a write of another epoch")
    require(not await store.questions("RUN-1"), "a write of another epoch has left a question")
    await accepted(store, RunWrite(run_id="RUN-1", epoch=2, rows=(a_row(2),)))
    await same_rows(store, "RUN-1", [a_row(1), a_row(2)], "a write of its epoch")


async def _writes_all_but_the_refused(store: RunStore) -> None:
    for name in ("RUN-1", "RUN-2", "RUN-3"):
        await begin(store, a_run(name), a_row(1, run_id=name))
    await store.claim("RUN-2", "E-2", 1)
    writes = [
        RunWrite(
            run_id=name,
            epoch=1,
            rows=(a_row(2, run_id=name),),
            change=RunChange(updated_at=8.0, status=RunStatus.WAITING),
            opened=(a_question(f"R-{name}", run_id=name),),
        )
        for name in ("RUN-2", "RUN-1", "RUN-3")
    ]
    await refused(store, "fenced", *writes)
    for name, last, status in (("RUN-1", 2, "waiting"), ("RUN-2", 1, "running"), ("RUN-3", 2, "waiting")):
        found = await store.get(name)
        told = (found.last_seq, str(found.status), len(await store.questions(name)))
        due = (last, status, last - 1)
        require(told == due, f"one refused of three: {name} has (last_seq, status, questions) {told}, not {due}")


async def _changes_what_is_said(store: RunStore) -> None:
    run = await begin(store, a_run(owner="E-1", key="k"))
    whole = RunChange(
        updated_at=2000.5,
        status=RunStatus.FAILED,
        ended_at=2000.25,
        error={"code": "e"},
        counts={"steps": 2},
        result='{"a":"\N{SNOWMAN}"}',
    )
    await accepted(store, RunWrite(run_id="RUN-1", epoch=1, change=whole))
    facts: dict[str, Any] = {
        "status": RunStatus.FAILED,
        "ended_at": 2000.25,
        "error": {"code": "e"},
        "counts": {"steps": 2},
    }
    expected = evolve(run, updated_at=2000.5, **facts)
    await same_run(store, expected, "a change")
    require(await store.result("RUN-1") == whole.result, "result does not return the result that was written")
    moved = RunChange(updated_at=2001.5, blueprint_hash=OTHER_BLUEPRINT, release=True)
    write = RunWrite(run_id="RUN-1", epoch=1, change=moved, blueprints={OTHER_BLUEPRINT: "{}", BLUEPRINT: "another"})
    await accepted(store, write)
    expected = evolve(expected, updated_at=2001.5, blueprint_hash=OTHER_BLUEPRINT, owner=None)
    await same_run(store, expected, "a change that says little: what it does not say stays")
    require(await store.result("RUN-1") == whole.result, "a change without a result took the result")
    require(await store.blueprint(OTHER_BLUEPRINT) == "{}", "blueprint does not return the text that was written")


async def _keeps_large_values(store: RunStore) -> None:
    body = f'["{"x" * _LARGE}\N{SNOWMAN}"]'
    run = await begin(store, a_run(launch={"init_ctx": body}), a_row(1, body=body))
    await accepted(store, RunWrite(run_id="RUN-1", epoch=1, change=RunChange(updated_at=1000.25, result=body)))
    await same_run(store, run, "a large result")
    await same_rows(store, "RUN-1", [a_row(1, body=body)], "a large row")
    require(await store.result("RUN-1") == body, "a large result did not come back as it was")


JOURNALS = (
    _keeps_journals,
    _fences_by_number,
    _fences_by_epoch,
    _writes_all_but_the_refused,
    _changes_what_is_said,
    _keeps_large_values,
)

"""The contract of run stores: many writers at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from swarm_core.contracts import RunStore
from swarm_core.errors import AlreadyAnswered, RunLost, SwarmError
from swarm_core.model.run import RunChange, RunFilter, RunWrite
from swarm_core.model.task import RunStatus
from swarm_core.testing.checks.contract import require
from swarm_core.testing.checks.run_samples import a_question, a_row, a_run, accepted, begin, same_rows

_LANES = 8
_ROWS = 25


async def _is_shared(store: RunStore) -> None:
    async def fill(name: str) -> None:
        await begin(store, a_run(name))
        for number in range(1, _ROWS + 1):
            row = a_row(number, run_id=name, body=f'["{name} {number}"]')
            await accepted(store, RunWrite(run_id=name, epoch=1, rows=(row,)))
        await accepted(store, RunWrite(run_id=name, epoch=1, change=RunChange(updated_at=2.5, status=RunStatus.DONE)))

    names = [f"RUN-{lane}" for lane in range(_LANES)]
    await asyncio.gather(*map(fill, names))
    for name in names:
        rows = [a_row(number, run_id=name, body=f'["{name} {number}"]') for number in range(1, _ROWS + 1)]
        await same_rows(store, name, rows, "writing in eight tasks")
    counted = dict(await store.count())
    require(counted == {RunStatus.DONE: _LANES}, f"after writing in eight tasks count returned {counted!r}")


async def _lets_one_create(store: RunStore) -> None:
    writes = [RunWrite(run_id=f"RUN-{lane}", epoch=1, create=a_run(f"RUN-{lane}", key="k")) for lane in range(_LANES)]
    refused = [dict(found) for found in await asyncio.gather(*(store.commit([write]) for write in writes))]
    require(refused.count({}) == 1, f"{refused.count({})} of eight runs of one key were created, not one")
    found = await store.find("k")
    require(found is not None and refused[int(found.id.removeprefix("RUN-"))] == {}, "the key leads to a refused run")
    require(len(await store.runs(RunFilter())) == 1, "runs that were refused are listed")


async def _lets_one_claim(store: RunStore) -> None:
    await begin(store)
    claims = [store.claim("RUN-1", f"E-{lane}", 1) for lane in range(_LANES)]
    won = await _winners(claims, RunLost)
    require(len(won) == 1, f"{len(won)} of eight claims of one epoch succeeded, not one")
    found = await store.get("RUN-1")
    told = (found.owner, found.epoch)
    require(told == (won[0].owner, 2), f"after eight claims owner and epoch are {told}, not those of the one that won")


async def _lets_one_append(store: RunStore) -> None:
    await begin(store)
    rows = [a_row(1, body=f"[{lane}]") for lane in range(_LANES)]
    refused = await asyncio.gather(*(store.commit([RunWrite(run_id="RUN-1", epoch=1, rows=(row,))]) for row in rows))
    winners = [row for row, found in zip(rows, refused, strict=True) if not found]
    require(len(winners) == 1, f"{len(winners)} of eight rows with one number were taken, not one")
    await same_rows(store, "RUN-1", winners, "eight writes of one number")


async def _lets_one_answer(store: RunStore) -> None:
    await begin(store, None, opened=(a_question(),))
    answers = [store.answer("R-1", lane, by=f"lane {lane}", at=1.5) for lane in range(_LANES)]
    won = await _winners(answers, AlreadyAnswered)
    require(len(won) == 1, f"{len(won)} of eight answers to one question were taken, not one")
    require(await store.question("R-1") == won[0], "the question has another answer than the one that was taken")


async def _winners(attempts: list[Any], lost: type[SwarmError]) -> list[Any]:
    async def tried(attempt: Awaitable[Any]) -> Any:
        try:
            return await attempt
        except lost:
            return None

    return [end for end in await asyncio.gather(*map(tried, attempts)) if end is not None]


RACES = (_is_shared, _lets_one_create, _lets_one_claim, _lets_one_append, _lets_one_answer)

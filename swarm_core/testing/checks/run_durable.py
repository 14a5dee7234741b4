"""The contract of run stores that outlive their process: what was written is there when they are opened again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from hashlib import sha256
from typing import Any

from attrs import evolve

from swarm_core.contracts import OutputStore, RunStore
from swarm_core.errors import RunLost
from swarm_core.model.output import Final, Inline
from swarm_core.model.run import Asked, Durability, Question, QuestionState, RunChange, RunFilter, RunWrite
from swarm_core.testing.checks.contract import require
from swarm_core.testing.checks.run_samples import (
    BLUEPRINT,
    a_question,
    a_row,
    a_run,
    accepted,
    an_owner,
    begin,
    refused,
    same_rows,
    same_run,
)
from swarm_core.testing.checks.run_stores import Part, run_part

OpenAgain = Callable[[], AbstractAsyncContextManager[RunStore]]

_BLOBS = {sha256(data).hexdigest(): data for data in (b"small", b"large" * 300_000)}


async def check_durable_run_store(open_at: OpenAgain) -> None:
    """Require that what was acknowledged is there after closing and opening, and that two may be open at once.

    `open_at()` returns an async context manager that opens one place, the same each time, empty at first. Raises:
    ContractBroken.
    """
    for part in (_write, _stays, _stays_refused):
        async with open_at() as store:
            await run_part(part, store)
    async with open_at() as one, open_at() as other:
        await run_part(_both(_share_runs, one), other)
        await run_part(_both(_share_questions, one), other)
        await run_part(_both(_compete, one), other)


def _both(part: Callable[[RunStore, RunStore], object], one: RunStore) -> Part:
    async def checked(other: RunStore) -> None:
        await part(one, other)  # type: ignore[misc]

    checked.__name__ = part.__name__
    return checked


def _answered() -> Question:
    facts: dict[str, Any] = {"answer": [1, None], "answered_by": "alice", "answered_at": 3.5}
    return evolve(a_question(), state=QuestionState.ANSWERED, **facts)


async def _write(store: RunStore) -> None:
    require(store.durability is not Durability.NONE, "the store says that it keeps nothing")
    await store.enlist(an_owner())
    await begin(store, a_run(owner="E-1", key="k"), a_row(1, 2), opened=(a_question(), a_question("R-2")))
    await accepted(store, RunWrite(run_id="RUN-1", epoch=1, rows=(a_row(3),)))
    change = RunChange(updated_at=4.5, result='"the end"')
    await accepted(store, RunWrite(run_id="RUN-1", epoch=1, change=change))
    await store.answer("R-1", [1, None], by="alice", at=3.5)
    await store.ask_cancel("RUN-1", "bob", 4.5)
    if store.outputs is not None:
        await _append(store.outputs)
        await store.outputs.keep("RUN-1", _BLOBS)


async def _append(outputs: OutputStore) -> None:
    for number in range(3):
        event = Final(Inline({"number": number}), ok=True)
        await outputs.append(run_id="RUN-1", task_id="T-1", attempt=1, producer_agent="a", event=event)


async def _stays(store: RunStore) -> None:
    run = a_run(owner="E-1", key="k", updated_at=4.5, last_seq=3, cancel={"by": "bob", "at": 4.5})
    await same_run(store, run, "opening it again")
    await same_rows(store, "RUN-1", [a_row(1, 2), a_row(3)], "opening it again")
    require(await store.find("k") == run, "after opening it again the key does not lead to its run")
    require(await store.result("RUN-1") == '"the end"', "after opening it again the result is not there")
    require(await store.blueprint(BLUEPRINT), "after opening it again the Blueprint is not there")
    require(list(await store.owners()) == [an_owner()], "after opening it again the owner is not there")
    questions = list(await store.questions())
    require(questions == [_answered(), a_question("R-2")], f"after opening it again the questions are {questions!r}")
    told = await store.asked("E-1", 1.0)
    expected = Asked(cancelled=("RUN-1",), answered=(_answered(),))
    require(told == expected, f"after opening it again asked returned {told!r}, where {expected!r} is due")
    if store.outputs is not None:
        listed = [record.event for record in await store.outputs.list_for_attempt("T-1", 1)]
        expected_events = [Final(Inline({"number": number}), ok=True) for number in range(3)]
        require(listed == expected_events, f"after opening it again the outputs are {listed!r}")
        for digest, data in _BLOBS.items():
            require(await store.outputs.load(digest) == data, "after opening it again a large value is another one")
    problems = list(await store.problems())
    require(not problems, f"after opening it again there are problems: {problems!r}")


async def _stays_refused(store: RunStore) -> None:
    await refused(store, "exists", RunWrite(run_id="RUN-1", epoch=1, create=a_run()))
    await refused(store, "key_taken", RunWrite(run_id="RUN-2", epoch=1, create=a_run("RUN-2", key="k")))
    await refused(store, "fenced", RunWrite(run_id="RUN-1", epoch=1, rows=(a_row(3),)))
    await accepted(store, RunWrite(run_id="RUN-1", epoch=1, rows=(a_row(4),)))


async def _share_runs(one: RunStore, other: RunStore) -> None:
    seen = await other.version()
    run = await begin(one, a_run("RUN-5"), a_row(1, run_id="RUN-5"))
    require(await other.version() != seen, "version is the same after another one has written")
    await same_run(other, run, "another one has written it")
    await accepted(other, RunWrite(run_id="RUN-5", epoch=1, rows=(a_row(2, run_id="RUN-5"),)))
    await refused(one, "fenced", RunWrite(run_id="RUN-5", epoch=1, rows=(a_row(2, run_id="RUN-5"),)))
    await same_rows(one, "RUN-5", [a_row(1, run_id="RUN-5"), a_row(2, run_id="RUN-5")], "both have written")


async def _share_questions(one: RunStore, other: RunStore) -> None:
    await begin(one, a_run("RUN-6", owner="E-6"), opened=(a_question("R-6", run_id="RUN-6"),))
    await one.asked("E-6", 1.0)
    answered = await other.answer("R-6", True, by="alice", at=2.5)
    told = await one.asked("E-6", 1.0)
    expected = Asked(answered=(answered,))
    require(told == expected, f"another one has answered: asked returned {told!r}, where {expected!r} is due")
    await other.ask_cancel("RUN-6", "bob", 2.5)
    told = await one.asked("E-6", 1.0)
    require(told == evolve(expected, cancelled=("RUN-6",)), f"another one asks for a cancel: asked returned {told!r}")


async def _compete(one: RunStore, other: RunStore) -> None:
    await begin(one, a_run("RUN-7"))
    claims = (store.claim("RUN-7", name, 1) for store, name in ((one, "E-1"), (other, "E-2")))
    ends = await asyncio.gather(*claims, return_exceptions=True)
    lost = [end for end in ends if isinstance(end, RunLost)]
    require(len(lost) == 1, f"two claims of one epoch ended as {ends!r}, where one of them must lose")

    async def fill(store: RunStore, name: str) -> None:
        for number in range(1, 21):
            row = a_row(number, run_id=name)
            create = a_run(name) if number == 1 else None
            await accepted(store, RunWrite(run_id=name, epoch=1, create=create, rows=(row,)))

    await asyncio.gather(fill(one, "RUN-8"), fill(other, "RUN-9"))
    for name in ("RUN-8", "RUN-9"):
        await same_rows(one, name, [a_row(number, run_id=name) for number in range(1, 21)], "both wrote at once")
    listed = {run.id for run in await other.runs(RunFilter())}
    require({"RUN-8", "RUN-9"} <= listed, f"after both wrote at once only {sorted(listed)} are listed")

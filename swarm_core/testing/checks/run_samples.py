"""What the checks of run stores write, and how they compare it."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any

from attrs import evolve

from swarm_core.contracts import RunStore
from swarm_core.errors import RunNotFound, StoreError, SwarmError
from swarm_core.model.run import JournalRow, Owner, Question, RunWrite, StoredRun
from swarm_core.model.task import RunStatus
from swarm_core.testing.checks.contract import ContractBroken, require

BLUEPRINT, OTHER_BLUEPRINT = "b" * 64, "c" * 64
BODY = '[["task_pass",12.5,"T-1",1,{"result":"\N{SNOWMAN} à la carte \\u0000"}]]'
HOSTILE = ("'; DROP TABLE runs; --", "../../etc/passwd", "a\nb", "%s%n", "RUN-\N{SNOWMAN}", "*", "RUN-\0", "")
NOT_TEXT = "RUN-\udcff"
"""What a command line makes of a byte that is no UTF-8."""


def a_run(run_id: str = "RUN-1", **facts: Any) -> StoredRun:
    """Return the record of a run that just began."""
    return StoredRun(
        id=run_id,
        **{
            "blueprint_id": "review",
            "blueprint_hash": BLUEPRINT,
            "launch": {"init_ctx": {"n": [1, 2.5, None, "\N{SNOWMAN}"]}, "bind": {}},
            "status": RunStatus.RUNNING,
            "created_at": 1000.25,
            "updated_at": 1000.25,
            **facts,
        },
    )


def a_row(first: int, last: int | None = None, *, run_id: str = "RUN-1", body: str = BODY) -> JournalRow:
    """Return a row that says it holds the events `first` to `last`."""
    return JournalRow(run_id=run_id, first_seq=first, last_seq=first if last is None else last, body=body)


def an_owner(name: str = "E-1", **facts: Any) -> Owner:
    """Return an engine that lives."""
    known = {"host": "here", "pid": 7, "boot": "b-1", "started": "99", "seen_at": 5.5, "seen_mono": 6.5}
    return Owner(id=name, **{**known, **facts})


def a_question(key: str = "R-1", *, run_id: str = "RUN-1", **facts: Any) -> Question:
    """Return a question that was just asked."""
    return Question(
        key=key,
        run_id=run_id,
        **{
            "task_id": "T-1",
            "address": "0.1",
            "agent": "reviewer",
            "question": {"what": "ship it?", "of": ["a", "\N{SNOWMAN}"]},
            "schema": {"type": "boolean"},
            "who": ("alice", "bob"),
            "asked_at": 1001.5,
            **facts,
        },
    )


async def begin(store: RunStore, run: StoredRun | None = None, *rows: JournalRow, **facts: Any) -> StoredRun:
    """Create a run and return its record as it should be."""
    run = run or a_run()
    blueprints = {run.blueprint_hash: f'{{"id":"{run.blueprint_hash[:4]}"}}'}
    write = RunWrite(run_id=run.id, epoch=run.epoch, create=run, blueprints=blueprints, rows=rows, **facts)
    await accepted(store, write)
    return evolve(run, last_seq=rows[-1].last_seq if rows else 0)


async def accepted(store: RunStore, *writes: RunWrite) -> None:
    """Write, and require that nothing is refused."""
    refused = dict(await store.commit(writes))
    require(not refused, f"commit refused {refused!r}, where nothing speaks against the writes")


async def refused(store: RunStore, wanted: str, *writes: RunWrite) -> None:
    """Write, and require that the first run is refused for the reason, and no other."""
    found = {run_id: str(reason) for run_id, reason in (await store.commit(writes)).items()}
    expected = {writes[0].run_id: wanted}
    require(found == expected, f"commit refused {found!r}, where {expected!r} is due")


async def same_run(store: RunStore, expected: StoredRun, after: str) -> None:
    """Require that a run's record is what it should be."""
    found = await store.get(expected.id)
    require(found == expected, f"after {after} get returned {found!r}, where {expected!r} is due")


async def same_rows(store: RunStore, run_id: str, expected: Sequence[JournalRow], after: str) -> None:
    """Require that a run's journal is what it should be."""
    found = list(await store.rows(run_id))
    require(found == list(expected), f"after {after} the journal of {run_id} is {found!r}, not {list(expected)!r}")


async def raises(awaitable: Awaitable[Any], kind: type[SwarmError], what: str) -> SwarmError:
    """Require that something raises an error of a kind, and return it."""
    try:
        found = await awaitable
    except SwarmError as error:
        if isinstance(error, kind):
            return error
        raise ContractBroken(f"{what} raised {error!r}, where {kind.__name__} is due") from error
    raise ContractBroken(f"{what} returned {found!r}, where {kind.__name__} is due")


async def gone(store: RunStore, run_id: str) -> None:
    """Require that nothing tells of a run any more."""
    for name in ("get", "rows", "result"):
        await raises(getattr(store, name)(run_id), RunNotFound, f"{name} of a deleted run")
    left = await store.questions(run_id)
    require(not left, f"questions of a deleted run are still there: {left!r}")


async def no_blueprint(store: RunStore, digest: str, why: str) -> None:
    """Require that a Blueprint is not there."""
    await raises(store.blueprint(digest), StoreError, f"blueprint({digest[:4]}...) {why}")

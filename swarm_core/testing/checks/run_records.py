"""The contract of run stores: records of runs, how they are found, listed and deleted."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from swarm_core.contracts import RunStore
from swarm_core.errors import OutputNotFound, RunNotFound
from swarm_core.model.output import Final, Inline
from swarm_core.model.run import Durability, RunFilter, RunWrite
from swarm_core.model.task import RunStatus
from swarm_core.testing.checks.contract import require
from swarm_core.testing.checks.run_samples import (
    BLUEPRINT,
    HOSTILE,
    NOT_TEXT,
    OTHER_BLUEPRINT,
    a_question,
    a_row,
    a_run,
    an_owner,
    begin,
    gone,
    no_blueprint,
    raises,
    refused,
    same_rows,
    same_run,
)


async def _says_what_it_is(store: RunStore) -> None:
    require(isinstance(store.durability, Durability), f"durability is {store.durability!r}, not a Durability")
    require(isinstance(store.url, str) and "://" in store.url, f"url is {store.url!r}, not a URL")
    problems = list(await store.problems())
    require(not problems, f"an empty store has problems: {problems!r}")
    require(not await store.runs(RunFilter()), "an empty store lists runs")
    require(not dict(await store.count()), "an empty store counts runs")


async def _keeps_records(store: RunStore) -> None:
    plain = await begin(store)
    await same_run(store, plain, "its creation")
    full = a_run(
        "RUN-2",
        epoch=3,
        owner="E-9",
        key="order 66",
        parent="RUN-1",
        status=RunStatus.FAILED,
        ended_at=1002.5,
        error={"code": "x", "message": "\N{SNOWMAN}"},
        counts={"steps": 3},
        cancel={"by": "me", "at": 1.5},
    )
    expected = await begin(store, full, a_row(1, 4, run_id="RUN-2"))
    await same_run(store, expected, "its creation")
    require(await store.find("order 66") == expected, "find does not return the run that was launched under the key")
    require(await store.find("order 67") is None, "find returned a run for a key that none has")
    require(await store.result("RUN-2") is None, "result is not None before a run has one")


async def _refuses_what_is_there(store: RunStore) -> None:
    first = await begin(store, a_run(key="k"), a_row(1))
    again = a_run(key="other", launch={"init_ctx": "other"})
    write = RunWrite(run_id="RUN-1", epoch=1, create=again, blueprints={OTHER_BLUEPRINT: "{}"}, rows=(a_row(1),))
    await refused(store, "exists", write)
    await same_run(store, first, "a second creation that was refused")
    require(await store.find("other") is None, "a creation that was refused has left its key")
    await no_blueprint(store, OTHER_BLUEPRINT, "of a creation that was refused")
    taken = RunWrite(run_id="RUN-2", epoch=1, create=a_run("RUN-2", key="k"), opened=(a_question(run_id="RUN-2"),))
    await refused(store, "key_taken", taken)
    await gone(store, "RUN-2")
    late = RunWrite(run_id="RUN-3", epoch=1, create=a_run("RUN-3"), rows=(a_row(2, run_id="RUN-3"),))
    await refused(store, "fenced", late)
    await gone(store, "RUN-3")


async def _keeps_owners(store: RunStore) -> None:
    first, second = an_owner("E-1"), an_owner("E-2", boot=None, started=None)
    for owner in (first, second, evolve(first, seen_at=9.5, seen_mono=10.5)):
        await store.enlist(owner)
    found = sorted(await store.owners(), key=lambda owner: owner.id)
    require(found == [evolve(first, seen_at=9.5, seen_mono=10.5), second], f"owners returned {found!r}")
    held = await begin(store, a_run(owner="E-1"))
    other = await begin(store, a_run("RUN-2", owner="E-2"))
    await store.leave("E-1")
    await store.leave("E-unknown")
    require([second] == list(await store.owners()), "an owner that left is still there, or another one went with it")
    await same_run(store, evolve(held, owner=None), "its owner left")
    await same_run(store, other, "another owner left")


async def _lists_runs(store: RunStore) -> None:
    statuses = list(RunStatus)
    for number in range(12):
        facts: dict[str, Any] = {"owner": f"E-{number % 2}", "created_at": 1000.0 + number, "ended_at": 2000.0 + number}
        blueprint_id = "odd" if number % 2 else "even"
        await begin(store, a_run(f"RUN-{number}", status=statuses[number % 6], blueprint_id=blueprint_id, **facts))
    for wanted, numbers in (
        (RunFilter(), range(11, -1, -1)),
        (RunFilter(limit=3), (11, 10, 9)),
        (RunFilter(limit=3, before="RUN-9"), (8, 7, 6)),
        (RunFilter(before="RUN-0"), ()),
        (RunFilter(limit=0), ()),
        (RunFilter(statuses=(statuses[0], statuses[4])), (10, 6, 4, 0)),
        (RunFilter(blueprint_id="odd", ended_before=2004.0), (3, 1)),
        (RunFilter(owner="E-0", before="RUN-5", limit=2), (4, 2)),
        (RunFilter(blueprint_id="none"), ()),
    ):
        found = [run.id for run in await store.runs(wanted)]
        expected = [f"RUN-{number}" for number in numbers]
        require(found == expected, f"runs({wanted!r}) returned {found!r}, not {expected!r}")
    await raises(store.runs(RunFilter(before="RUN-99")), RunNotFound, "runs before an unknown run")
    counted = dict(await store.count())
    require(counted == dict.fromkeys(statuses, 2), f"count returned {counted!r}, where each status has two runs")


async def _deletes(store: RunStore) -> None:
    for name, digest in (("RUN-1", BLUEPRINT), ("RUN-2", BLUEPRINT), ("RUN-3", OTHER_BLUEPRINT)):
        facts: dict[str, Any] = {"key": f"key of {name}", "blueprint_hash": digest}
        await begin(store, a_run(name, **facts), a_row(1, run_id=name), opened=(a_question(f"R-{name}", run_id=name),))
    await store.delete("RUN-1")
    await gone(store, "RUN-1")
    require(await store.find("key of RUN-1") is None, "the key of a deleted run still leads to it")
    require(await store.blueprint(BLUEPRINT), "deleting a run took a Blueprint that another run has")
    await same_rows(store, "RUN-2", [a_row(1, run_id="RUN-2")], "another run was deleted")
    require(len(await store.questions()) == 2, "deleting a run took a question of another")
    await store.delete("RUN-3")
    await no_blueprint(store, OTHER_BLUEPRINT, "that no run has any more")
    await raises(store.delete("RUN-3"), RunNotFound, "delete of a deleted run")
    await begin(store, a_run("RUN-1", key="key of RUN-1"), a_row(1, body="[]"))
    await same_rows(store, "RUN-1", [a_row(1, body="[]")], "a run was deleted and another of its id begun")


async def _deletes_outputs(store: RunStore) -> None:
    if store.outputs is None:
        return
    facts: dict[str, Any] = {
        "task_id": "T-1",
        "attempt": 1,
        "producer_agent": "a",
        "event": Final(Inline("x"), ok=True),
    }
    refs = []
    for name in ("RUN-1", "RUN-2"):
        await begin(store, a_run(name))
        refs.append(await store.outputs.append(run_id=name, **facts))
    await store.delete("RUN-1")
    await raises(store.outputs.get(refs[0]), OutputNotFound, "get of an output of a deleted run")
    require((await store.outputs.get(refs[1])).run_id == "RUN-2", "deleting a run took an output of another")


async def _takes_any_text(store: RunStore) -> None:
    for number, text in enumerate(HOSTILE):
        facts: dict[str, Any] = {
            "key": text,
            "blueprint_id": text,
            "owner": text,
            "launch": {text: text},
            "counts": {text: 1},
        }
        expected = await begin(store, a_run(text, **facts), a_row(1, run_id=text, body=f'["{number}"]'))
        await same_run(store, expected, "its creation")
        require(await store.find(text) == expected, f"find({text!r}) does not return its run")
        await same_rows(store, text, [a_row(1, run_id=text, body=f'["{number}"]')], "its creation")
    listed = [run.id for run in await store.runs(RunFilter())]
    require(listed == list(reversed(HOSTILE)), f"runs returned the ids {listed!r}")
    for name in ("get", "rows", "result", "delete"):
        for text in ("RUN-unknown", "%", "_" * len(HOSTILE[0]), NOT_TEXT):
            await raises(getattr(store, name)(text), RunNotFound, f"{name}({text!r})")
    require(await store.find(NOT_TEXT) is None, "find of a key that is no text returned a run")


async def _names_the_nearest(store: RunStore) -> None:
    for name in ("RUN-0123456789abcdef", "RUN-fedcba9876543210"):
        await begin(store, a_run(name))
    error = await raises(store.get("RUN-0123456789abcdee"), RunNotFound, "get of an unknown run")
    told = "RUN-0123456789abcdef" in str(error) and "RUN-fed" not in str(error)
    require(told, f"the error for an unknown run does not name the nearest: {error}")


RECORDS = (
    _says_what_it_is,
    _keeps_records,
    _refuses_what_is_there,
    _keeps_owners,
    _lists_runs,
    _deletes,
    _deletes_outputs,
    _takes_any_text,
    _names_the_nearest,
)

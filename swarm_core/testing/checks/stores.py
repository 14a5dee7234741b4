"""The contract of output stores."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from hashlib import sha256
from typing import Any

from attrs import field, frozen

from swarm_core.contracts import OutputStore
from swarm_core.errors import InvalidId, OutputNotFound
from swarm_core.model.ids import check_id
from swarm_core.model.output import Artifact, FileRef, Final, Inline, OutputEvent, OutputRecord, Partial, Progress
from swarm_core.testing.checks.contract import ContractBroken, require

OpenOutputStore = Callable[[], AbstractAsyncContextManager[OutputStore]]

_EVENTS: tuple[OutputEvent, ...] = (
    Progress("reading"),
    Progress("writing", note="page 1"),
    Partial("à la carte \N{SNOWMAN}\n\t\0"),
    Artifact("plan", Inline({"steps": [1, 2.5, None, True], "deep": [[[{}]]]})),
    Artifact("photo", FileRef("out/photo.png", mime="image/png", size_hint=12)),
    Final(FileRef("out/report.pdf"), ok=True),
    Final(Inline(2**60), ok=False),
    Final(Inline("the layer's word"), ok=True, by="senior"),
)

_HOSTILE = ("'; DROP TABLE outputs; --", "../../etc/passwd", "a\nb", "%s%n", "\N{SNOWMAN}", "*", "")


async def check_output_store(open_store: OpenOutputStore) -> None:
    """Run an output store through its contract; each part is checked on a store of its own, empty one.

    `open_store()` returns an async context manager that gives an empty store. Raises: ContractBroken.
    """
    for part in _PARTS:
        async with open_store() as store:
            await _check(part, store)


async def _check(part: Callable[[_Writer], Awaitable[None]], store: OutputStore) -> None:
    try:
        await part(_Writer(store))
    except OutputNotFound as error:
        raise ContractBroken(f"{error}, but it was appended and not forgotten") from error


@frozen
class _Writer:
    store: OutputStore
    given: set[str] = field(factory=set)

    async def append(self, event: OutputEvent | str, **place: Any) -> OutputRecord:
        """Append an output and return the record that should be there."""
        final = Final(Inline(event), ok=True) if isinstance(event, str) else event
        facts: dict[str, Any] = {"run_id": "RUN-1", "task_id": "T-1", "attempt": 1, "producer_agent": "writer", **place}
        ref = await self.store.append(event=final, **facts)
        try:
            check_id("out-", ref)
        except InvalidId:
            raise ContractBroken(f"append returned {ref!r}, not an id of the form out-...") from None
        require(ref not in self.given, f"append gave the reference {ref} twice")
        self.given.add(ref)
        return OutputRecord(id=ref, event=final, **{**facts, "parent_refs": tuple(facts.get("parent_refs", ()))})


async def _keeps_events(writer: _Writer) -> None:
    for event in _EVENTS:
        expected = await writer.append(event, parent_refs=("out-a", "out-b"))
        got = await writer.store.get(expected.id)
        require(got == expected, f"get returned {got!r} where {expected!r} was appended")


async def _finds_latest(writer: _Writer) -> None:
    first = await writer.append("A")
    second = await writer.append("B", run_id="RUN-2", task_id="T-2")
    await writer.append("C", producer_agent="reader")
    latest = await writer.store.get_latest_by_name("writer")
    require(latest == second, f"get_latest_by_name returned {latest!r}, not the newest, {second!r}")
    require(await writer.store.get(first.id) == first, "an output is gone after a newer one of the same producer")


async def _keeps_order(writer: _Writer) -> None:
    expected = [await writer.append(f"output {number}") for number in range(30)]
    listed = list(await writer.store.list_for_attempt("T-1", 1))
    require(listed == expected, "list_for_attempt does not return the outputs in the order they came")


async def _keeps_apart(writer: _Writer) -> None:
    places = [(task, attempt) for task in ("T-1", "T-11", *_HOSTILE) for attempt in (1, 2, 11)]
    expected = [await writer.append("x", producer_agent=task, task_id=task, attempt=number) for task, number in places]
    for place, record in zip(places, expected, strict=True):
        listed = list(await writer.store.list_for_attempt(*place))
        require(listed == [record], f"list_for_attempt{place} returned {listed!r}, not the one output of that attempt")
    for name in _HOSTILE:
        latest = await writer.store.get_latest_by_name(name)
        require(latest.producer_agent == name, f"the producer {name!r} came back as {latest.producer_agent!r}")


async def _refuses_unknown(writer: _Writer) -> None:
    await writer.append("A")
    for key in ("out-0000000000000000", *_HOSTILE):
        await _require_not_found(writer.store.get(key), f"get({key!r})")
        await _require_not_found(writer.store.get_latest_by_name(key), f"get_latest_by_name({key!r})")
    listed = await writer.store.list_for_attempt("T-unknown", 1)
    require(len(listed) == 0, f"list_for_attempt of an unknown task returned {listed!r}, not nothing")


async def _require_not_found(answer: Awaitable[object], asked: str) -> None:
    try:
        found = await answer
    except OutputNotFound:
        return
    raise ContractBroken(f"{asked} returned {found!r}, where OutputNotFound is due")


async def _forgets_runs(writer: _Writer) -> None:
    older = await writer.append("kept, older", run_id="RUN-1", task_id="T-1")
    gone = await writer.append("gone", run_id="RUN-2", task_id="T-2")
    only = await writer.append("gone too", run_id="RUN-2", task_id="T-2", producer_agent="once")
    await writer.store.forget_run("RUN-2")
    await writer.store.forget_run("RUN-unknown")
    await _require_not_found(writer.store.get(gone.id), "get of a forgotten output")
    await _require_not_found(
        writer.store.get_latest_by_name(only.producer_agent), "get_latest_by_name of a forgotten one"
    )
    listed = await writer.store.list_for_attempt("T-2", 1)
    require(len(listed) == 0, "list_for_attempt still returns outputs of a forgotten run")
    require(await writer.store.get(older.id) == older, "forgetting one run took an output of another")
    latest = await writer.store.get_latest_by_name("writer")
    require(latest == older, "the newest output of a producer is not the newest of those that are left")


async def _is_shared(writer: _Writer) -> None:
    lanes = [[(lane, number) for number in range(10)] for lane in range(8)]

    async def fill(lane: list[tuple[int, int]]) -> list[OutputRecord]:
        return [await writer.append(f"{number}", task_id=f"T-{one}") for one, number in lane]

    written = await asyncio.gather(*(fill(lane) for lane in lanes))
    for number, expected in enumerate(written):
        listed = list(await writer.store.list_for_attempt(f"T-{number}", 1))
        require(listed == expected, "outputs that came at the same time were lost, mixed or reordered")


async def _keeps_values(writer: _Writer) -> None:
    blobs = dict(_blob(data) for data in (b"", b"x", bytes(range(256)), b"a" * 40_000, b"b" * 3_000_000))
    await writer.store.keep("RUN-1", blobs)
    await writer.store.keep("RUN-1", dict(list(blobs.items())[:3]))
    await writer.store.keep("RUN-1", {})
    for digest, data in blobs.items():
        await _require_value(writer, digest, data)
    for key in ("0" * 64, "f" * 63, *_HOSTILE):
        await _require_not_found(writer.store.load(key), f"load({key!r})")


async def _forgets_values(writer: _Writer) -> None:
    shared, own, last = (dict([_blob(data * 1_500_000)]) for data in (b"s", b"o", b"l"))
    await writer.store.keep("RUN-1", {**shared, **own})
    await writer.store.keep("RUN-2", {**shared, **last})
    await writer.store.forget_run("RUN-1")
    await _require_not_found(writer.store.load(*own), "load of a value of a forgotten run")
    for digest, data in {**shared, **last}.items():
        await _require_value(writer, digest, data)
    await writer.store.keep("RUN-3", own)
    await writer.store.forget_run("RUN-2")
    for digest in (*shared, *last):
        await _require_not_found(writer.store.load(digest), "load of a value that no run refers to any more")
    await _require_value(writer, *next(iter(own.items())))


def _blob(data: bytes) -> tuple[str, bytes]:
    return sha256(data).hexdigest(), data


async def _require_value(writer: _Writer, digest: str, data: bytes) -> None:
    found = await writer.store.load(digest)
    require(found == data, f"load returned {len(found)} bytes that are not the {len(data)} that were kept")


_PARTS = (
    _keeps_events,
    _finds_latest,
    _keeps_order,
    _keeps_apart,
    _refuses_unknown,
    _forgets_runs,
    _is_shared,
    _keeps_values,
    _forgets_values,
)

"""What must hold after any number of kills: pure functions over what was seen, each yielding what is wrong."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain as chained
from itertools import pairwise
from typing import Any

from attrs import frozen
from crash.history import FINAL, Break, History, RunSeen
from crash.ledger import Line
from crash.reference import Stuck, replay
from crash.workers.effects import chain


@frozen
class Violation:
    """One thing that must not be: which invariant says so, of which run, and what was seen."""

    invariant: str
    run: str
    what: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.run}: {self.what}"


Invariant = Callable[[History], Iterator[Violation]]


def violations(history: History) -> list[Violation]:
    """Return everything that is wrong with a history."""
    return [found for invariant in INVARIANTS.values() for found in invariant(history)]


# runs --------------------------------------------------------------------------------------------------------


def i1_every_run_ends(history: History) -> Iterator[Violation]:
    """Every acknowledged run is there and has ended; as is every run that was not acknowledged, but is there (P1)."""
    known = {run.id: run for run in history.runs}
    for run_id in {run_id for _, run_id in history.acknowledged} - known.keys():
        yield Violation("I1", run_id, "was acknowledged and is gone")
    for run in history.runs:
        if run.status not in run.wanted:
            yield Violation("I1", run.id, f"is {run.status}, not {' or '.join(run.wanted)}")


def i2_results_are_real(history: History) -> Iterator[Violation]:
    """Every recorded result was given by a worker of that step (or by whoever answered its question)."""
    given = _given(history)
    for run in history.runs:
        for address, end in run.ends():
            result = end.get("result")
            if result is None or _text(result) in given.get((run.id, address), ()):
                continue
            if result not in chained.from_iterable(history.given.values()):
                yield Violation("I2", run.id, f"{address} recorded what no worker gave: {result}")


def i5_value_is_the_chain_of_all_results(history: History) -> Iterator[Violation]:
    """The final ctx is what the flow makes of the recorded results, and each of those is made from its step's input."""
    for run in history.runs:
        if run.status == "done":
            yield from _value_of(run)


def _value_of(run: RunSeen) -> Iterator[Violation]:
    ends = run.ends()
    try:
        replayed = replay(run.flow, run.init_ctx, ends)
    except Stuck as error:
        yield Violation("I5", run.id, f"is done, but {error}")
        return
    if replayed.error is not None or replayed.final_ctx != run.final_ctx:
        yield Violation("I5", run.id, f"has {run.final_ctx}, not {replayed.error or replayed.final_ctx}")
    results = {address: end["result"] for address, end in ends if isinstance(end.get("result"), Mapping)}
    for _, given, address in replayed.asked:
        result = results.get(address, {})
        if "chain" in result and result["chain"] != chain(address, given, result["nonce"], result["of"]):
            yield Violation("I5", run.id, f"{address} was not made from what the flow gives it")
    yield from _children_of(run, results)


def _children_of(run: RunSeen, results: Mapping[str, Any]) -> Iterator[Violation]:
    children: dict[str, list[str]] = {}
    for address, result in results.items():
        children.setdefault(_parent(address) or "", []).append(_text(result))
    for address, result in results.items():
        if address in children and sorted(children[address]) != sorted(map(_text, result.get("of", ()))):
            yield Violation("I5", run.id, f"{address} has other children's results than were recorded")


# steps -------------------------------------------------------------------------------------------------------


def i3_recorded_steps_stay(history: History) -> Iterator[Violation]:
    """No attempt of a step STARTs after the one that was recorded, nor after a step that comes behind it (P3)."""
    ended_by = {(run.id, address): _nonce(end) for run in history.runs for address, end in run.ends()}
    over: dict[tuple[str, str], Line] = {}
    for line in history.lines:
        if line.kind == "END" and _nonce_of(line.result) is not None:
            if ended_by.get(line.step) == _nonce_of(line.result):
                over[line.step] = line
        elif line.kind == "START" and line.step in over and not _from_before(line, history.breaks):
            yield Violation("I3", line.run, f"{line.address} STARTed again after its recorded result")
    yield from _order(history)


def _order(history: History) -> Iterator[Violation]:
    started: dict[str, list[Line]] = {}
    for line in history.lines:
        if line.kind == "START":
            before = started.setdefault(line.run, [])
            later = next((each for each in before if comes_before(line.address, each.address)), None)
            if later is not None and not _from_before(line, history.breaks):
                yield Violation("I3", line.run, f"{line.address} STARTed after {later.address}, which comes behind it")
            before.append(line)


def comes_before(address: str, other: str) -> bool:
    """Tell whether a step has to end before the other one may begin; lanes and children stand beside each other."""
    for one, two in zip(address.strip("/").split("/"), other.strip("/").split("/"), strict=False):
        if one == two:
            continue
        if one.isdigit() and two.isdigit():
            return int(one) < int(two)
        if one.startswith("body") and two.startswith("body@"):
            return int(one.partition("@")[2]) < int(two.partition("@")[2])
        return one == "body" and two == "catch"
    return False


def i4_starts_are_bounded(history: History) -> Iterator[Violation]:
    """A step STARTs again only after a kill, or as the next attempt: of a policy that grants one, or of a worker that
    was asking when its engine left in order because all that was left waited (P3, P18).
    """
    runs = {run.id: run for run in history.runs}
    starts: dict[tuple[str, str], list[Line]] = {}
    for line in history.lines:
        if line.kind == "START":
            starts.setdefault(line.step, []).append(line)
    for step, lines in starts.items():
        for one, two in pairwise(lines):
            run = runs.get(step[0]) if two.attempt == one.attempt + 1 else None
            granted = run is not None and (run.may_retry(step[1]) or run.was_asking(step[1], one.attempt))
            if not granted and not _struck_between(history.breaks, one.at, two.at):
                what = f"STARTed at {one.at:.3f} and at {two.at:.3f} without a kill between"
                yield Violation("I4", step[0], f"{step[1]} {what}")


def i11_keys_are_stable(history: History) -> Iterator[Violation]:
    """Every attempt of a step has the same idempotency key, and no other step has it (P4)."""
    seen: dict[str, tuple[str, str]] = {}
    for line in history.lines:
        if seen.setdefault(line.key, line.step) != line.step:
            yield Violation("I11", line.run, f"{line.address} has the key {line.key} of {seen[line.key]}")
        if line.key != f"{line.run}:{line.address}":
            yield Violation("I11", line.run, f"{line.address} has the key {line.key}")


# events ------------------------------------------------------------------------------------------------------


def i6_events_are_one_story(history: History) -> Iterator[Violation]:
    """Numbers without a hole, one terminal event and it is the last, one end per step; what was read stays (P5)."""
    for run in history.runs:
        numbers = [event["seq"] for event in run.events]
        if numbers != list(range(1, len(numbers) + 1)):
            yield Violation("I6", run.id, f"its events are numbered {numbers}")
        terminal = [event["seq"] for event in run.events if event["kind"] == "run_ended"]
        if run.status in FINAL and terminal != numbers[-1:]:
            yield Violation("I6", run.id, f"has {len(numbers)} events and ended at {terminal}")
        for address, count in Counter(address for address, _ in run.ends()).items():
            if count > 1:
                yield Violation("I6", run.id, f"{address} has {count} recorded ends")
        if unknown := {event.get("task_id") for event in run.events} - run.addresses().keys() - {None}:
            yield Violation("I6", run.id, f"has events of tasks that never began: {unknown}")
        for before in run.read_before:
            if list(before) != list(run.events[: len(before)]):
                yield Violation("I6", run.id, f"its first {len(before)} events are not those that were read before")


def i14_the_chain_holds(history: History) -> Iterator[Violation]:
    """Every row of a journal has its link, whoever wrote it: the engine, its successor, a sweep, a rerun."""
    for run in history.runs:
        for found in run.chain:
            yield Violation("I14", run.id, found)


# attempts ----------------------------------------------------------------------------------------------------


def i7_attempts_are_alone(history: History) -> Iterator[Violation]:
    """No two attempts of a step are alive at once, and no process is left when all is over (P13, P15).

    Functions of an engine that is stopped cannot be ended by anybody; programs can, and must be.
    """
    for line in history.lines:
        excused = line.pid in history.engines and _from_before(line, history.breaks)
        if line.kind == "OVERLAP" and not excused:
            yield Violation("I7", line.run, f"{line.address}: attempt {line.attempt} began while another was alive")
    for line in history.survivors:
        yield Violation("I7", line.run, f"{line.address}: process {line.pid} ({line.kind}) is still alive")


def i8_late_results_are_refused(history: History) -> Iterator[Violation]:
    """A result that came when its engine was stopped or dead is not recorded (P10, P13)."""
    recorded = {(run.id, address): _nonce(end) for run in history.runs for address, end in run.ends()}
    began: dict[tuple[str, str, int], float] = {}
    for line in history.lines:
        who = (line.run, line.address, line.pid)
        if line.kind == "START":
            began[who] = line.at
        elif line.kind == "END" and _nonce_of(line.result) is not None:
            late = any(began.get(who, line.at) < each.struck and each.stopped < line.at for each in history.breaks)
            if late and recorded.get(line.step) == _nonce_of(line.result):
                yield Violation("I8", line.run, f"{line.address} recorded a result that came after its engine's end")


# the store ---------------------------------------------------------------------------------------------------


def i9_store_is_whole(history: History) -> Iterator[Violation]:
    """`PRAGMA integrity_check`, and the store's own check, find nothing."""
    for problem in history.integrity:
        yield Violation("I9", "the store", problem)


def i10_one_key_one_run(history: History) -> Iterator[Violation]:
    """Submits under one idempotency key gave one run id, and there is one run (P7)."""
    told: dict[str, set[str]] = {}
    for key, run_id in history.acknowledged:
        if key is not None:
            told.setdefault(key, set()).add(run_id)
    for run in history.runs:
        if run.key is not None:
            told.setdefault(run.key, set()).add(run.id)
    for key, ids in told.items():
        if len(ids) > 1:
            yield Violation("I10", ", ".join(sorted(ids)), f"are runs of one key, {key}")


def i12_an_end_is_final(history: History) -> Iterator[Violation]:
    """Once a run was seen to have ended, no worker of it STARTs (P14)."""
    ended = {run.id: run.ended_by for run in history.runs if run.ended_by is not None}
    for line in history.lines:
        late = line.at - ended.get(line.run, line.at)
        if line.kind == "START" and late > 0 and not _from_before(line, history.breaks):
            yield Violation("I12", line.run, f"{line.address} STARTed {late:.3f} s after the run's end was seen")


def i13_the_first_answer_counts(history: History) -> Iterator[Violation]:
    """An answer is one that somebody gave to that question, and one that was acknowledged is never another (P18)."""
    for key, answer in history.answers.items():
        if answer not in history.given.get(key, ()):
            yield Violation("I13", key, f"has the answer {answer}, which nobody gave")
    for key, answer in history.kept:
        if history.answers.get(key) != answer:
            yield Violation("I13", key, f"was answered {answer}, and now has {history.answers.get(key)}")


INVARIANTS: Mapping[str, Invariant] = {
    function.__name__.partition("_")[0].upper(): function
    for function in (
        i1_every_run_ends,
        i2_results_are_real,
        i3_recorded_steps_stay,
        i4_starts_are_bounded,
        i5_value_is_the_chain_of_all_results,
        i6_events_are_one_story,
        i7_attempts_are_alone,
        i8_late_results_are_refused,
        i9_store_is_whole,
        i10_one_key_one_run,
        i11_keys_are_stable,
        i12_an_end_is_final,
        i13_the_first_answer_counts,
        i14_the_chain_holds,
    )
}


# small things ------------------------------------------------------------------------------------------------


def _given(history: History) -> dict[tuple[str, str], set[str]]:
    given: dict[tuple[str, str], set[str]] = {}
    for line in history.lines:
        if line.kind == "END":
            given.setdefault(line.step, set()).add(_text(line.result))
    return given


def _struck_between(breaks: Iterable[Break], one: float, two: float) -> bool:
    return any(each.over >= one and each.struck <= two for each in breaks)


def _from_before(line: Line, breaks: Iterable[Break]) -> bool:
    """Tell whether a worker of a stopped engine may have written the line: it was begun before, and nobody ended it."""
    return any(each.frozen and each.struck <= line.at <= each.over for each in breaks)


def _nonce(end: Mapping[str, Any]) -> str | None:
    return _nonce_of(end.get("result"))


def _nonce_of(result: Any) -> str | None:
    return result.get("nonce") if isinstance(result, Mapping) else None


def _parent(address: str) -> str | None:
    parent, _, last = address.rpartition("/")
    return parent if last.startswith("child@") else None


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)

"""Each invariant finds what it is there for, and nothing in a history that is right."""

import json
from pathlib import Path

import pytest
from attrs import evolve
from crash.history import Break, History, RunSeen
from crash.invariants import INVARIANTS, comes_before, violations
from crash.ledger import Line, parse
from crash.workers.effects import answer

RUN = "RUN-00000000000000aa"
FLOW = {
    "kind": "seq",
    "children": [
        {"kind": "step", "ref": "link", "in": {"op": "path", "at": "$.chain"}, "out": {"op": "path", "at": "$.chain"}},
        {"kind": "step", "ref": "link", "in": {"op": "path", "at": "$.chain"}, "out": {"op": "path", "at": "$.chain"}},
        {"kind": "step", "ref": "boss", "in": {"op": "path", "at": "$.chain"}, "out": {"op": "path", "at": "$.chain"}},
    ],
}
INIT = {"chain": {"from": "nothing"}}
FIRST = answer("/0", INIT["chain"])
LOST = answer("/1", FIRST)
SECOND = answer("/1", FIRST)
CHILD = answer("/2/child@0", {"part": 1})
THIRD = answer("/2", SECOND, [CHILD])


def line(kind, address, at, result=None, *, attempt=1, pid=1):
    return Line(kind, RUN, address, attempt, f"{RUN}:{address}", pid, "100", at, result)


def told(*entries):
    """Return numbered events; each entry is a kind, a task, and facts."""
    common = {"run_id": RUN, "time": 0.0}
    return [
        {"kind": kind, "seq": n, "task_id": task, **common, **facts} for n, (kind, task, facts) in enumerate(entries, 1)
    ]


EVENTS = told(
    ("run_started", None, {}),
    ("task_created", "T-0", {"address": "/0", "agent": "link"}),
    ("task_pass", "T-0", {"result": FIRST}),
    ("task_created", "T-1", {"address": "/1", "agent": "link"}),
    ("run_resumed", None, {}),
    ("task_pass", "T-1", {"result": SECOND}),
    ("task_created", "T-2", {"address": "/2", "agent": "boss"}),
    ("task_created", "T-3", {"address": "/2/child@0", "agent": "link"}),
    ("task_pass", "T-3", {"result": CHILD}),
    ("task_pass", "T-2", {"result": THIRD}),
    ("run_ended", None, {"status": "done"}),
)
# The engine was killed at 4.5: what /1 had done was lost, and it was done again.
LINES = (
    line("START", "/0", 1),
    line("END", "/0", 2, FIRST),
    line("START", "/1", 3),
    line("END", "/1", 4, LOST),
    line("START", "/1", 6, attempt=2, pid=2),
    line("END", "/1", 7, SECOND, attempt=2, pid=2),
    line("START", "/2", 8, pid=2),
    line("START", "/2/child@0", 9, pid=3),
    line("END", "/2/child@0", 10, CHILD, pid=3),
    line("END", "/2", 11, THIRD, pid=2),
)
KILL = Break(struck=4.5, stopped=4.6, over=5)
RIGHT = RunSeen(
    id=RUN,
    blueprint="sequence",
    status="done",
    flow=FLOW,
    init_ctx=INIT,
    final_ctx={"chain": THIRD},
    events=EVENTS,
    read_before=[EVENTS[:4], EVENTS[:9]],
    ended_by=12,
    key="once",
)
GOOD = History(runs=[RIGHT], lines=LINES, breaks=[KILL], acknowledged=[("once", RUN)])


def numbers(history):
    return {found.invariant for found in violations(history)}


def with_run(**changes):
    return evolve(GOOD, runs=[evolve(RIGHT, **changes)])


def without(*places):
    return told(*((e["kind"], e["task_id"], e) for n, e in enumerate(EVENTS) if n not in places))


def renumbered(events):
    return [{**event, "seq": n} for n, event in enumerate(events, 1)]


def test_a_history_that_is_right_passes():
    assert [] == violations(GOOD)


def test_p1_i1_an_acknowledged_run_that_is_gone():
    assert {"I1"} == numbers(evolve(GOOD, acknowledged=[(None, "RUN-00000000000000bb")]))


@pytest.mark.parametrize("status", ["running", "interrupted", "failed"])
def test_p1_i1_a_run_that_did_not_end_as_it_should(status):
    assert "I1" in numbers(with_run(status=status))


def test_i2_a_result_that_no_worker_gave():
    forged = [{**event, "result": answer("/0", 1)} if event["seq"] == 3 else event for event in EVENTS]

    assert "I2" in numbers(with_run(events=forged, read_before=[]))


def test_i2_an_answer_counts_as_given():
    asked = [{**event, "result": "yes"} if event["seq"] == 3 else event for event in EVENTS]

    assert "I2" not in numbers(evolve(with_run(events=asked, read_before=[]), given={"R-1": ["yes"]}))


def test_p3_i3_a_step_that_starts_after_its_recorded_result():
    again = line("START", "/1", 7.5, pid=2)
    kill = Break(struck=7.2, stopped=7.3, over=7.4)

    assert {"I3"} == numbers(evolve(GOOD, lines=[*LINES[:6], again, *LINES[6:]], breaks=[KILL, kill]))


def test_p3_i3_a_step_that_starts_after_one_behind_it():
    blocked = [{**event, "kind": "task_blocked", "result": None} if event["seq"] == 3 else event for event in EVENTS]
    again = line("START", "/0", 8.5)
    kill = Break(struck=8.2, stopped=8.3, over=8.4)
    history = evolve(with_run(events=blocked), lines=[*LINES[:7], again, *LINES[7:]], breaks=[KILL, kill])

    assert "I3" in numbers(history)


def test_p3_i4_a_second_start_without_a_kill():
    assert {"I4"} == numbers(evolve(GOOD, breaks=[]))
    assert {"I4"} == numbers(evolve(GOOD, breaks=[evolve(KILL, struck=1, stopped=1.5, over=2)]))


def test_i4_a_further_attempt_that_the_policy_grants_is_none():
    assert set() == numbers(evolve(with_run(retries=["link"]), breaks=[]))
    again = evolve(LINES[4], attempt=1)
    assert {"I4"} == numbers(evolve(with_run(retries=["link"]), lines=[*LINES[:4], again, *LINES[5:]], breaks=[]))


def test_i4_a_further_attempt_of_a_step_whose_beginning_no_event_tells_of_is_none():
    unheard = with_run(retries=["link"], events=EVENTS[:1], read_before=[], status="cancelled")

    assert "I4" not in numbers(evolve(unheard, breaks=[]))


def test_a_flow_says_which_steps_may_be_tried_again():
    link, gate = {"kind": "step", "ref": "link"}, {"kind": "step", "ref": "gate"}
    loop = {"kind": "loop", "body": {"kind": "seq", "children": [gate, link]}}
    children = [
        {"kind": "task_created", "address": f"/1/child@{number}", "agent": agent}
        for number, agent in ((1, "gate"), (2, "link"))
    ]
    lanes = {"kind": "fanout", "body": {"kind": "seq", "children": [gate, link]}}
    flow = {"kind": "seq", "children": [loop, gate, lanes]}
    run = evolve(RIGHT, retries=["link"], flow=flow, events=children)

    steps = ("/0/body@3/0", "/0/body@3/1", "/1", "/1/child@1", "/1/child@2", "/1/child@3", "/2/lane@4/0", "/2/lane@4/1")
    may = [address for address in steps if run.may_retry(address)]

    assert ["/0/body@3/1", "/1/child@2", "/1/child@3", "/2/lane@4/1"] == may  # of the third child nothing is known


ASKED, LEFT = ["task_attempt_started", "senior_queried", "task_suspended"], ["run_waiting", "run_interrupted"]


@pytest.mark.parametrize(
    ("kinds", "was"),
    [
        ([*ASKED, *LEFT, "run_resumed"], True),
        ([*ASKED, "run_resumed"], False),
        ([*ASKED[:1], *LEFT, "run_resumed"], False),
        ([*ASKED, *LEFT], False),
    ],
)
def test_an_attempt_that_asked_when_its_engine_left_in_order_may_be_begun_again(kinds, was):
    begun = {"seq": 1, "kind": "task_created", "task_id": "T-1", "address": "/4", "agent": "asker"}
    of_task = {"task_id": "T-1", "attempt": 1}
    events = [{"seq": n, "kind": kind} | ({} if kind.startswith("run") else of_task) for n, kind in enumerate(kinds, 2)]

    assert was is evolve(RIGHT, events=[begun, *events]).was_asking("/4", 1)


def test_i5_a_final_ctx_that_the_results_do_not_give():
    assert {"I5"} == numbers(with_run(final_ctx={"chain": SECOND}))


def test_i5_results_that_changed_places():
    """A result that a worker gave, but to something else than the flow asked."""
    strange = answer("/1", {"from": "elsewhere"})
    events = [{**event, "result": strange} if event["seq"] == 6 else event for event in EVENTS]
    lines = [evolve(each, result=strange) if each.result == SECOND else each for each in LINES]

    assert {"I5"} == numbers(evolve(with_run(events=events, read_before=[]), lines=lines))


def test_i5_a_run_that_is_done_without_a_step():
    assert "I5" in numbers(with_run(events=renumbered(without(5)), read_before=[]))


def test_i5_a_child_whose_result_its_parent_did_not_get():
    other = answer("/2/child@0", {"part": 1})
    events = [{**event, "result": other} if event["seq"] == 9 else event for event in EVENTS]
    lines = [*LINES[:8], line("END", "/2/child@0", 10, other, pid=3), LINES[9]]

    assert {"I5"} == numbers(evolve(with_run(events=events, read_before=[]), lines=lines))


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([*EVENTS[:4], *EVENTS[5:]], id="a-hole"),
        pytest.param([*EVENTS[:4], EVENTS[3], *EVENTS[4:]], id="a-double"),
        pytest.param([EVENTS[0], EVENTS[2], EVENTS[1], *EVENTS[3:]], id="another-order"),
        pytest.param(EVENTS[:-1], id="no-terminal-event"),
        pytest.param([*EVENTS, {**EVENTS[-1], "seq": 12}], id="two-terminal-events"),
        pytest.param([*EVENTS, {**EVENTS[4], "seq": 12}], id="an-event-after-the-end"),
        pytest.param(renumbered([*EVENTS[:3], *EVENTS[4:]]), id="an-end-without-a-beginning"),
        pytest.param(renumbered([*EVENTS[:6], EVENTS[5], *EVENTS[6:]]), id="two-ends-of-a-step"),
    ],
)
def test_p5_i6_events_that_are_not_one_story(events):
    assert "I6" in numbers(with_run(events=events, read_before=[]))


def test_p5_i6_what_was_read_is_no_prefix():
    changed = [EVENTS[0], {**EVENTS[1], "time": 1.0}]

    assert {"I6"} == numbers(with_run(read_before=[changed]))
    assert {"I6"} == numbers(with_run(read_before=[[*EVENTS, {**EVENTS[0], "seq": 12}]]))


def test_p13_i7_two_attempts_alive():
    overlap = line("OVERLAP", "/1", 5.5, attempt=2, pid=2)

    assert {"I7"} == numbers(evolve(GOOD, lines=[*LINES[:4], overlap, *LINES[4:]]))


def test_p13_i7_functions_of_a_stopped_engine_may_overlap_and_programs_may_not():
    overlap = line("OVERLAP", "/1", 4.9, attempt=2, pid=2)
    history = evolve(GOOD, lines=[*LINES[:4], overlap, *LINES[4:]], breaks=[evolve(KILL, frozen=True)])

    assert {"I7"} == numbers(history)
    assert set() == numbers(evolve(history, engines={2}))


def test_p15_i7_a_process_that_is_left():
    assert {"I7"} == numbers(evolve(GOOD, survivors=[LINES[0]]))


def test_p13_i8_a_late_result_that_is_recorded():
    late = [each if each.result != LOST else evolve(each, result=SECOND, at=4.8) for each in LINES[:4]]

    assert "I8" in numbers(evolve(GOOD, lines=[*late, *LINES[6:]]))


def test_i9_a_store_that_is_damaged():
    assert {"I9"} == numbers(evolve(GOOD, integrity=["row 3 missing from index"]))


def test_p7_i10_two_runs_of_one_key():
    twin = evolve(RIGHT, id="RUN-00000000000000bb", events=[{**e, "run_id": "RUN-00000000000000bb"} for e in EVENTS])

    assert "I10" in numbers(evolve(GOOD, runs=[RIGHT, twin]))
    assert "I10" in numbers(evolve(GOOD, acknowledged=[("once", RUN), ("once", "RUN-00000000000000bb")]))


def test_p4_i11_a_key_that_is_another_one_at_the_second_attempt():
    changed = evolve(LINES[4], key=f"{RUN}:/1:2")

    assert {"I11"} == numbers(evolve(GOOD, lines=[*LINES[:4], changed, *LINES[5:]]))


def test_p14_i12_a_start_after_the_end_of_the_run_was_seen():
    assert "I12" in numbers(with_run(ended_by=8.5))


@pytest.mark.parametrize(
    ("answers", "right"), [({"R-1": "no"}, True), ({"R-1": "yes"}, False), ({"R-1": "perhaps"}, False), ({}, False)]
)
def test_p18_i13_an_answer_that_was_acknowledged_and_is_another_now(answers, right):
    history = evolve(GOOD, given={"R-1": ["no", "yes"]}, kept=[("R-1", "no")], answers=answers)

    assert (set() if right else {"I13"}) == numbers(history)


def test_i14_a_journal_whose_chain_is_broken():
    assert {"I14"} == numbers(with_run(chain=["events 3 to 4 are not what was written after event 2"]))


def test_every_invariant_is_named_in_a_test():
    source = Path(__file__).read_text(encoding="utf-8")

    assert [] == [name for name in INVARIANTS if f'"{name}"' not in source]


@pytest.mark.parametrize(
    ("one", "other", "before"),
    [
        ("/0", "/1", True),
        ("/1", "/0", False),
        ("/0/body@1/1", "/0/body@2/0", True),
        ("/0/lane@1/1", "/0/lane@2/0", False),
        ("/0/lane@1/0", "/0/lane@1/1", True),
        ("/0/lane@1/9", "/1", True),
        ("/0/body/1", "/0/catch", True),
        ("/0", "/0/child@0", False),
        ("/0/child@0", "/0", False),
        ("/0/child@0", "/0/child@1", False),
        ("/0/child@3", "/1", True),
        ("/10", "/9", False),
        ("/", "/", False),
    ],
)
def test_order_of_steps(one, other, before):
    assert before == comes_before(one, other)


def test_a_ledger_is_read_as_it_was_written():
    assert [LINES[0]] == parse([json.dumps(["START", RUN, "/0", 1, f"{RUN}:/0", 1, "100", 1, None])])

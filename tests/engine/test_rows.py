"""Journal rows: what is written is read back, results stand once, rows that do not decode say which they are."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm_core.codec.compact import compact
from swarm_core.engine.rows import decode_row, encode_entries
from swarm_core.errors import StoreUnreadable
from swarm_core.model.event import EVENT_KINDS
from swarm_core.model.run import JournalRow

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
kinds = st.sampled_from(sorted(set(EVENT_KINDS) - {"task_attempt_completed"})) | st.just("a_kind_of_a_plugin")
times = st.floats(0, 4e9)
facts = st.dictionaries(st.text(max_size=8), values, max_size=4)
plain = st.tuples(
    kinds, times, st.none() | st.just("T-1") | st.text(max_size=8), st.none() | st.integers(1, 9), facts
).map(lambda entry: [entry])
unhurried = settings(deadline=None)
RESULT = {"i": 1, "ok": True}


@st.composite
def ends(draw):
    """An attempt that completes, and mostly the end of its task after it, with the same result or another one."""
    result, task_id, attempt = draw(values), draw(st.sampled_from(["T-1", "T-2"])), draw(st.integers(1, 9))
    other = draw(st.sampled_from(["same", "copy", "other"]))
    shown = {"same": result, "copy": json.loads(json.dumps(result)), "other": draw(values)}[other]
    completed = ("task_attempt_completed", draw(times), task_id, attempt, {"ok": draw(st.booleans()), "result": result})
    end = (draw(st.sampled_from(["task_pass", "task_blocked"])), draw(times), task_id, attempt, {"result": shown})
    return [completed, *([end] if draw(st.booleans()) else [])]


entry_lists = st.lists(plain | ends(), max_size=6).map(lambda groups: [entry for group in groups for entry in group])


def row_of(body, *, first=1, count=None):
    count = len(json.loads(body)) if count is None else count
    return JournalRow(run_id="RUN-7", first_seq=first, last_seq=first + count - 1, body=body)


def exact(events):
    """The events as text that tells 1 from 1.0 and True, and 0.0 from -0.0."""
    return [json.dumps([e.kind, e.time, e.task_id, e.attempt, e.data]) for e in events]


def step(result, ending="task_pass", task_id="T-0123456789abcdef"):
    """The events of a step as the engine notes them, with the ids it makes."""
    created = {"agent": "worker", "address": "0/#17", "depth": 0, "input_digest": "0123456789abcdef"}
    return [
        ("task_created", 1754550000.123456, task_id, None, created),
        ("task_attempt_started", 1754550000.123556, task_id, 1, {"agent": "worker"}),
        ("task_attempt_completed", 1754550000.123656, task_id, 1, {"ok": True, "result": result}),
        (ending, 1754550000.123756, task_id, 1, {"result": result}),
    ]


@unhurried
@given(entries=entry_lists, first=st.integers(1, 10**9))
def test_a_row_gives_back_the_events_that_were_written(entries, first):
    events = decode_row(row_of(encode_entries(entries), first=first, count=len(entries)))

    assert [json.dumps(entry) for entry in entries] == exact(events)
    assert [(first + at, "RUN-7") for at in range(len(entries))] == [(e.seq, e.run_id) for e in events]


@unhurried
@given(entries=entry_lists)
def test_a_row_can_be_written_as_utf_8_and_holds_no_line_break(entries):
    body = encode_entries(entries)

    assert body.encode().decode() == body
    assert "\n" not in body


def test_the_four_events_of_a_step_take_at_most_350_bytes():
    assert len(encode_entries(step(RESULT))) <= 350


class TestTaskIds:
    def test_the_entries_of_one_task_name_it_once(self):
        body = encode_entries(step(RESULT))

        assert body.count("T-0123456789abcdef") == 1
        assert [event.task_id for event in decode_row(row_of(body))] == ["T-0123456789abcdef"] * 4

    def test_another_task_and_none_are_told_apart(self):
        entries = [(f"kind_{at}", 1.0, id, None, {}) for at, id in enumerate(["T-1", None, None, "T-1", "T-2", "T-2"])]

        body = encode_entries(entries)

        assert [entry[2] for entry in json.loads(body)] == ["T-1", None, None, "T-1", "T-2", 0]
        assert [event.task_id for event in decode_row(row_of(body, count=6))] == [entry[2] for entry in entries]

    def test_rows_that_repeat_the_task_id_are_read_as_before(self):
        entries = [[kind, time, task_id, attempt, data] for kind, time, task_id, attempt, data in step(RESULT)]

        assert [event.task_id for event in decode_row(row_of(json.dumps(entries)))] == ["T-0123456789abcdef"] * 4

    @pytest.mark.parametrize("first", [0, False, 1])
    def test_a_row_whose_first_task_id_is_not_there_is_damaged(self, first):
        with pytest.raises(StoreUnreadable):
            decode_row(row_of(json.dumps([["task_pass", 1.0, first, 1, {"result": 1}]]), count=1))

    @pytest.mark.parametrize("again", [False, 0.0, 1])
    def test_only_a_zero_stands_for_the_task_id_before(self, again):
        entries = [["task_created", 1.0, "T-1", None, {}], ["task_pass", 1.0, again, 1, {"result": 1}]]

        with pytest.raises(StoreUnreadable):
            decode_row(row_of(json.dumps(entries), count=2))


class TestTwins:
    @pytest.mark.parametrize("ending", ["task_pass", "task_blocked"])
    def test_a_result_stands_once(self, ending):
        body = encode_entries(step({"said": "only once"}, ending))

        assert body.count("only once") == 1
        completed, end = decode_row(row_of(body))[2:]
        assert completed.data == {"ok": True, "result": {"said": "only once"}}
        assert end.data["result"] is completed.data["result"]

    def test_a_result_of_null_stands_once_as_well(self):
        body = encode_entries(step(None))

        assert body.count("null") == 2  # created belongs to no attempt
        assert decode_row(row_of(body))[2].data == {"ok": True, "result": None}

    def test_results_that_are_equal_but_not_the_same_stand_twice(self):
        *before, completed, (kind, time, task_id, attempt, _) = step([1])

        events = decode_row(
            row_of(encode_entries([*before, completed, (kind, time, task_id, attempt, {"result": [True]})]))
        )

        assert exact(events)[2:] == [
            json.dumps(completed),
            json.dumps((kind, time, task_id, attempt, {"result": [True]})),
        ]

    def test_an_attempt_that_is_followed_by_another_task_s_end_keeps_its_result(self):
        completed, end = step(RESULT)[2], step(RESULT, task_id="T-other")[3]

        body = encode_entries([completed, end])

        assert json.loads(body)[0][4] == {"ok": True, "result": RESULT}

    def test_an_attempt_that_ends_the_row_keeps_its_result(self):
        body = encode_entries(step(RESULT)[:3])

        assert decode_row(row_of(body))[2].data == {"ok": True, "result": RESULT}

    def test_other_facts_of_the_attempt_stay(self):
        completed = ("task_attempt_completed", 1.0, "T-1", 1, {"ok": False, "result": RESULT, "by": "a layer"})

        body = encode_entries([completed, ("task_blocked", 2.0, "T-1", 1, {"result": RESULT})])

        assert json.loads(body)[0][4] == {"ok": False, "by": "a layer"}
        assert decode_row(row_of(body))[0].data == {"ok": False, "by": "a layer", "result": RESULT}

    def test_what_was_noted_is_not_changed(self):
        entries = step(RESULT)

        encode_entries(entries)

        assert entries == step(RESULT)


class TestText:
    def test_characters_stand_as_they_are(self):
        assert compact({"größe": "日本"}) == '{"größe":"日本"}'

    def test_half_a_surrogate_pair_does_not_keep_an_error_out_of_the_journal(self):
        entries = [("task_blocked", 1.0, "T-1", 1, {"result": None, "error": "no such file: 'gr\udcfc\udcdfe' ü 😀"})]

        body = encode_entries(entries)

        body.encode()
        assert decode_row(row_of(body))[0].data == entries[0][4]


GOOD = encode_entries([("task_cancelled", 1.0, "T-1", 1, {})])
BAD_BODIES = {
    "empty": "",
    "cut off": encode_entries(step(RESULT))[:-40],
    "zeros": "\0" * 40,
    "a number": "7",
    "a text": '"task_pass"',
    "null": "null",
    "an object": '{"abcde":1}',
    "entries that are texts": '["abcde"]',
    "entries that are objects": '[{"a":1,"b":2,"c":3,"d":4,"e":5}]',
    "an empty entry": "[[]]",
    "an entry too short": '[["task_cancelled",1.0,"T-1",1]]',
    "an entry too long": '[["task_cancelled",1.0,"T-1",1,{},{}]]',
    "a kind that is no text": '[[7,1.0,"T-1",1,{}]]',
    "a time that is no number": '[["task_cancelled","now","T-1",1,{}]]',
    "a time that is true": '[["task_cancelled",true,"T-1",1,{}]]',
    "a task id that is no text": '[["task_cancelled",1.0,7,1,{}]]',
    "an attempt that is no number": '[["task_cancelled",1.0,"T-1","1",{}]]',
    "facts that are no object": '[["task_cancelled",1.0,"T-1",1,[]]]',
    "facts of a result that are no object": '[["task_attempt_completed",1.0,"T-1",1,"result"]]',
    "facts of a result that are null": '[["task_attempt_completed",1.0,"T-1",1,null]]',
    "a result that is missing": '[["task_attempt_completed",1.0,"T-1",1,{"ok":true}]]',
    "a deep nest": "[" * 100_000,
}


class TestUnreadable:
    @pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
    def test_a_row_that_does_not_decode_names_run_and_row(self, body):
        row = JournalRow(run_id="RUN-7", first_seq=41, last_seq=41, body=body)

        with pytest.raises(StoreUnreadable, match="events 41 to 41 of run RUN-7 do not decode") as caught:
            decode_row(row)

        assert "restore a backup" in str(caught.value)
        assert len(str(caught.value)) < 500

    @pytest.mark.parametrize(
        "after", ['["task_pass",1.0,"T-2",1,{"result":1}]', '["task_created",1.0,"T-1",1,{"result":1}]']
    )
    def test_a_result_is_not_taken_from_another_event_than_the_task_s_end(self, after):
        body = f'[["task_attempt_completed",1.0,"T-1",1,{{"ok":true}}],{after}]'

        with pytest.raises(StoreUnreadable, match="the result of entry 0 is missing"):
            decode_row(row_of(body))

    @pytest.mark.parametrize("count", [0, 2, 5])
    def test_a_row_with_fewer_or_more_events_than_its_numbers_is_refused(self, count):
        with pytest.raises(StoreUnreadable, match="does not hold the events that it says"):
            decode_row(row_of(GOOD, count=count))

    @unhurried
    @given(cut=st.integers(0, 400))
    def test_no_part_of_a_row_passes_for_the_row(self, cut):
        body = encode_entries(step(RESULT))

        with pytest.raises(StoreUnreadable):
            decode_row(row_of(body[: min(cut, len(body) - 1)], count=4))

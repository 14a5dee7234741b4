"""What a run must have computed follows from its flow and its journal alone."""

import pytest
from crash.reference import Stuck, replay
from crash.workers.effects import answer, chain


def step(at="$.x"):
    return {"kind": "step", "ref": "link", "in": {"op": "path", "at": at}, "out": {"op": "path", "at": at}}


def passed(address, result):
    return address, {"kind": "task_pass", "result": result}


def test_steps_get_what_was_recorded():
    replayed = replay({"kind": "seq", "children": [step(), step()]}, {"x": 0}, [passed("/0", 1), passed("/1", 2)])

    assert {"x": 2} == replayed.final_ctx
    assert [("link", 0, "/0"), ("link", 1, "/1")] == replayed.asked


def test_a_race_is_won_by_the_lane_that_was_recorded_first():
    race = {
        "kind": "fanout",
        "items": {"op": "lit", "value": [1, 2]},
        "bind": {"op": "path", "at": "$.item"},
        "join": "race",
        "out": {"op": "path", "at": "$.won"},
        "body": step(),
    }
    one, two = passed("/lane@0", "one"), passed("/lane@1", "two")

    won = [replay(race, {"x": 0}, ends).final_ctx["won"]["x"] for ends in ([one, two], [two, one], [two])]

    assert ["one", "two", "two"] == won


@pytest.mark.parametrize(
    ("end", "text"),
    [
        ({"kind": "task_blocked", "result": {"a": 1}}, "step 'link' failed: blocked: {\"a\":1}"),
        ({"kind": "task_blocked", "result": None, "error": "died"}, "step 'link' failed: dispatch failed: died"),
    ],
)
def test_failures_are_what_the_engine_makes_of_them(end, text):
    node = {
        "kind": "try",
        "body": step(),
        "catch": {"kind": "seq", "children": []},
        "err_at": {"op": "path", "at": "$.e"},
    }

    assert {"x": 0, "e": text} == replay(node, {"x": 0}, [("/body", end)]).final_ctx


def test_a_step_without_an_end_is_told():
    with pytest.raises(Stuck, match="/1"):
        replay({"kind": "seq", "children": [step(), step()]}, {"x": 0}, [passed("/0", 1)])


def test_a_result_depends_on_its_place_its_input_and_its_parts():
    given = answer("/0", {"a": 1}, ["part"])
    same = chain("/0", {"a": 1}, given["nonce"], ["part"])
    others = {
        chain("/1", {"a": 1}, given["nonce"], ["part"]),
        chain("/0", {"a": 2}, given["nonce"], ["part"]),
        chain("/0", {"a": 1}, given["nonce"], []),
    }

    assert given["chain"] == same
    assert same not in others
    assert answer("/0", 1) != answer("/0", 1)

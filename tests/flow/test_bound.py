"""Upper bounds of dispatches, as numbers and as terms that depend on data."""

import asyncio

import pytest

from swarm_core.flow import evaluate
from swarm_core.flow.bound import dispatch_bound
from swarm_core.model.parse import parse_node


def read(path):
    return {"op": "path", "at": path}


def lit(value):
    return {"op": "lit", "value": value}


STEP = {"kind": "step", "ref": "work", "in": lit(1), "out": read("$.out")}
LET = {"kind": "let", "at": "$.x", "value": lit(1)}


def seq(*children):
    return {"kind": "seq", "children": list(children)}


def loop(body, most):
    return {"kind": "loop", "counter": read("$.i"), "cond": lit(True), "body": body, "max": most}


def fanout(items, body):
    items = read(items) if isinstance(items, str) else items
    return {"kind": "fanout", "items": items, "bind": read("$.n"), "body": body, "join": "all", "out": read("$.all")}


def branch(then, other):
    return {"kind": "branch", "cond": lit(True), "then": then, "else": other}


def bound(document):
    return dispatch_bound(parse_node(document))


@pytest.mark.parametrize(
    ("document", "steps", "total", "text"),
    [
        (LET, 0, 0, "0 dispatches"),
        (STEP, 1, 1, "1 dispatch"),
        (seq(STEP, STEP, LET), 2, 2, "2 dispatches"),
        (branch(seq(STEP, STEP), STEP), 3, 2, "2 dispatches"),
        ({"kind": "try", "body": STEP, "catch": STEP}, 2, 2, "2 dispatches"),
        (loop(seq(STEP, STEP), 1_000), 2, 2_000, "2,000 dispatches"),
        (loop(loop(STEP, 10), 2**32 - 1), 1, 10 * (2**32 - 1), "42,949,672,950 dispatches"),
        (loop(STEP, 0), 1, 0, "0 dispatches"),
        (fanout(lit([1, 2, 3]), STEP), 1, 3, "3 dispatches"),
        (fanout(lit([]), STEP), 1, 0, "0 dispatches"),
        (fanout(lit("no array"), STEP), 1, 0, "0 dispatches"),
        (fanout("$.files", STEP), 1, None, "1 per item of $.files dispatches"),
        (seq(STEP, fanout("ctx.files", seq(STEP, STEP))), 3, None, "1 + 2 per item of $.files dispatches"),
        (
            loop(fanout("$.b", fanout("$.a", STEP)), 3),
            1,
            None,
            "3 per item of $.a per item of $.b dispatches",
        ),
        (branch(fanout("$.a", STEP), seq(STEP, STEP)), 3, None, "2 + 1 per item of $.a dispatches"),
        (
            fanout({"op": "call_extern", "ref": "split", "args": []}, STEP),
            1,
            None,
            "1 per item of split(...) dispatches",
        ),
        (fanout({"op": "len", "arg": lit([])}, STEP), 1, None, "1 per item of len(...) dispatches"),
    ],
)
def test_a_flow_dispatches_at_most(document, steps, total, text):
    found = bound(document)

    assert (steps, total, text) == (found.steps, found.total, str(found))


def test_known_lengths_make_a_number():
    found = bound(seq(STEP, fanout("$.a", seq(STEP, fanout("$.a", STEP)))))

    assert 1 + 7 + 49 == found.given({"$.a": 7})
    with pytest.raises(KeyError):
        found.given({})


def test_a_bound_is_data():
    assert {
        "steps": 2,
        "total": None,
        "terms": [{"per": [], "count": 1}, {"per": ["$.a"], "count": 1}],
        "text": "1 + 1 per item of $.a dispatches",
    } == bound(seq(STEP, fanout("$.a", STEP))).as_json()


@pytest.mark.parametrize(
    "document",
    [
        seq(loop(branch(STEP, LET), 4), fanout("$.a", loop(STEP, 3)), {"kind": "try", "body": STEP, "catch": STEP}),
        fanout("$.a", fanout("$.a", seq(STEP, branch(STEP, seq(STEP, STEP))))),
    ],
)
def test_no_evaluation_dispatches_more(document):
    calls = []

    async def dispatch(ref, value, address):
        calls.append(address)
        return 1

    asyncio.run(evaluate(document, {"a": [1, 2, 3, 4, 5]}, dispatch))

    assert 0 < len(calls) <= bound(document).given({"$.a": 5})

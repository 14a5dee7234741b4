"""What values become before the flow computes with them."""

import json
from collections import OrderedDict, namedtuple
from enum import IntEnum, StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_core.model.plain import plain_json
from swarm_core.model.value import NotJson

Color = StrEnum("Color", {"RED": "red"})
Level = IntEnum("Level", {"LOW": 1})
Pair = namedtuple("Pair", "a b")

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(json_values)
def test_plain_json_is_itself(value):
    assert plain_json(value) is value


@given(json_values)
def test_a_fresh_one_is_equal_and_shares_no_container(value):
    fresh = plain_json(value, fresh=True)

    assert json.dumps(value) == json.dumps(fresh)
    assert not containers(value) & containers(fresh)


def containers(value):
    if not isinstance(value, dict | list):
        return set()
    members = value.values() if isinstance(value, dict) else value
    return {id(value)}.union(*(containers(member) for member in members))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2**64, float(2**64)),
        ([-(2**63) - 1], [float(-(2**63) - 1)]),
        ((1, (2,)), [1, [2]]),
        (Color.RED, "red"),
        ({Color.RED: Color.RED}, {"red": "red"}),
        (Level.LOW, 1),
        (OrderedDict(a=OrderedDict(b=1)), {"a": {"b": 1}}),
        (Pair(1, 2), [1, 2]),
    ],
)
def test_what_is_nearly_json_becomes_it(value, expected):
    got = plain_json(value)

    assert (expected, type(expected), json.dumps(expected)) == (got, type(got), json.dumps(got))


def test_only_what_must_change_is_copied():
    kept, value = {"k": [1]}, {"a": [2**64]}
    value["kept"] = kept

    got = plain_json(value)

    assert got["kept"] is kept
    assert {"a": [2**64], "kept": kept} == value
    assert [float(2**64)] == got["a"]


@pytest.mark.parametrize(
    "value", [float("nan"), float("-inf"), 10**400, {1}, b"x", object(), {1: 2}, {None: 1}, [{"a": {2}}]]
)
def test_what_is_no_json_is_refused(value):
    with pytest.raises(NotJson):
        plain_json(value)


@pytest.mark.parametrize("fresh", [True, False])
def test_what_is_too_deep_or_cyclic_is_refused(fresh):
    deep = []
    for _ in range(100_000):
        deep = [deep]
    cyclic = {"a": []}
    cyclic["a"].append(cyclic)

    for value in (deep, cyclic):
        with pytest.raises(NotJson, match="nested deeper than 200 levels"):
            plain_json(value, fresh=fresh)

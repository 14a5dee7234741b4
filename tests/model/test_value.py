"""Copies of JSON values: what is refused, what is shared, what is bounded."""

import json
from collections import OrderedDict, namedtuple
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_core.model.value import MAX_DEPTH, NotJson, json_copy

MIB = 1 << 20

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


class Word(StrEnum):
    YES = "yes"


def containers(value):
    if isinstance(value, dict):
        yield id(value)
        for item in value.values():
            yield from containers(item)
    elif isinstance(value, list):
        yield id(value)
        for item in value:
            yield from containers(item)


@given(value=values)
def test_a_copy_is_equal_and_shares_no_container(value):
    copy = json_copy(value, max_bytes=MIB)

    assert json.dumps(value) == json.dumps(copy)
    assert not set(containers(value)) & set(containers(copy))


def test_what_is_shared_inside_stays_shared():
    inner = {"a": [1]}

    copy = json_copy([inner, {"b": inner}], max_bytes=MIB)

    assert copy[0] is copy[1]["b"]


def test_subclasses_become_what_they_stand_for():
    pair = namedtuple("pair", "a b")

    copy = json_copy({"word": Word.YES, "pair": pair(1, (2,)), "ordered": OrderedDict(x=True)}, max_bytes=MIB)

    assert {"word": "yes", "pair": [1, [2]], "ordered": {"x": True}} == copy
    assert [str, list, dict] == [type(item) for item in copy.values()]


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1])
def test_an_integer_beyond_64_bits_is_read_as_a_float(number):
    assert (float(number), float) == ((copy := json_copy([number], max_bytes=MIB)[0]), type(copy))


def nested(depth):
    value = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (float("nan"), "nan is no JSON number"),
        ({"x": float("inf")}, "inf is no JSON number"),
        ([10**400], "too large for a JSON number"),
        ({1: "x"}, "keys are strings"),
        ({"x": object()}, "object is no JSON value"),
        ([b"bytes"], "bytes is no JSON value"),
        ({"x": {1, 2}}, "set is no JSON value"),
        ("\ud800", "lone surrogate at character 0"),
        ({"\udfff": 1}, "lone surrogate"),
        ("x" * (MIB + 1), "larger than 1048576 bytes"),
        (["x" * 1000] * 2000, "larger than 1048576 bytes"),
        (nested(MAX_DEPTH + 1), "nested deeper than 200 levels"),
    ],
)
def test_what_is_no_json_is_named(value, told):
    with pytest.raises(NotJson, match=told):
        json_copy(value, max_bytes=MIB)


def test_a_value_that_holds_itself_is_refused():
    value = []
    value.append(value)

    with pytest.raises(NotJson, match="holds itself"):
        json_copy(value, max_bytes=MIB)


def test_the_deepest_value_allowed_is_copied():
    assert nested(MAX_DEPTH) == json_copy(nested(MAX_DEPTH), max_bytes=MIB)

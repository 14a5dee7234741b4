"""JSON text as it is kept."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_core.codec.compact import compact

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(categories=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_a_value_comes_back_as_it_was_and_can_be_written_as_utf_8(value):
    text = compact(value)

    assert json.dumps(json.loads(text.encode())) == json.dumps(value)


def test_there_are_no_blanks_and_keys_keep_their_order():
    assert compact({"b": [1, 2.5, "ä"], "a": {}}) == '{"b":[1,2.5,"ä"],"a":{}}'


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1, 10**400, "\ud800", {"\udfff": "ä"}])
def test_what_few_can_write_comes_back_too(value):
    assert json.loads(compact([value]).encode()) == [value]


def test_levels_are_not_bounded_by_the_writer():
    value = []
    for _ in range(500):
        value = [value]

    assert compact(value) == "[" * 501 + "]" * 501


@pytest.mark.parametrize("value", [{1, 2}, datetime(2026, 1, 1), object()])
def test_what_is_no_json_is_refused(value):
    with pytest.raises(TypeError):
        compact({"value": value})

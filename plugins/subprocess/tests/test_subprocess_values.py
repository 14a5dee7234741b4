"""JSON that a program printed is data, bounded, and can be stored (P30)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swarm_plugin_subprocess.values import read_json, text_of

from swarm_core.model.value import MAX_DEPTH, json_copy

ANY_TEXT = st.text(st.characters(codec=None))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_p30_whatever_is_read_is_a_value_that_the_engine_takes(value):
    read = read_json(json.dumps(value))

    assert json_copy(read, max_bytes=10**6) == read


@pytest.mark.parametrize("number", [-(2**63) - 1, 2**64, 10**300])
def test_an_integer_beyond_64_bits_is_the_nearest_float(number):
    read = read_json(f"[{number}]")[0]

    assert (float, float(number)) == (type(read), read)


@pytest.mark.parametrize("number", [-(2**63), 2**64 - 1, 10**17, -(10**17)])
def test_an_integer_of_64_bits_stays_exact(number):
    read = read_json(f"[{number}]")[0]

    assert (int, number) == (type(read), read)


@given(st.text())
def test_what_is_valid_is_read_as_it_is(text):
    for ascii_only in (True, False):
        assert read_json(json.dumps({text: [text]}, ensure_ascii=ascii_only)) == {text: [text]}


@given(st.text() | st.text('[]{},:"\\u019dDeE+-. \n', max_size=40))
def test_any_text_is_a_value_or_a_value_error(text):
    try:
        read_json(text)
    except ValueError:
        return
    json.loads(text.strip().removeprefix("\ufeff"))


@given(st.binary())
def test_any_bytes_are_text(data):
    assert text_of(data).encode() is not None


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 900, 5_000, 200_000])
@pytest.mark.parametrize(("left", "right"), [("[", "]"), ('{"a":', "}")])
def test_deep_nesting_is_a_value_error(depth, left, right):
    with pytest.raises(ValueError, match="nested deeper than 200 levels"):
        read_json(left * depth + "1" + right * depth)


def test_nesting_up_to_the_engines_own_bound_is_read():
    value = read_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)

    assert json_copy(value, max_bytes=10**6) == value


def test_many_brackets_side_by_side_are_not_deep():
    assert read_json("[" + ",".join(["[]"] * 1000) + "]") == [[]] * 1000


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "[1e999]", "9" * 5000, "", "{} {}", "{'a':1}", "\ufeff\ufeff1"])
def test_what_is_no_json_is_a_value_error(text):
    with pytest.raises(ValueError, match=r".+"):
        read_json(text)


def test_a_byte_order_mark_is_passed_over():
    assert read_json("\ufeff[1]") == [1]

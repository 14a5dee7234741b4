"""What is written as YAML reads back as the same value, here and with any other reader of YAML."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from swarm_core.cli.yaml_form import as_yaml
from swarm_core.codec import load_yaml

WORDS = [
    "no",
    "on",
    "y",
    "null",
    "~",
    "1:30",
    "017",
    "0o17",
    "1e3",
    ".5",
    ".inf",
    "<<",
    "=",
    "2020-01-01",
    "0x1F",
    "+1",
]
TEXTS = (
    st.text(st.characters(codec="utf-8"), max_size=30)
    | st.sampled_from(WORDS)
    | st.text("ab #:-|>'\"\n\t ", max_size=20)
)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_any_value_reads_back_the_same(value):
    text = as_yaml({"value": value})

    assert {"value": value} == load_yaml(text.encode(), name="x").value
    assert {"value": value} == yaml.safe_load(text)


@pytest.mark.parametrize("word", WORDS)
def test_words_that_some_readers_take_for_something_else_are_quoted(word):
    assert f'w: "{word}"\n' == as_yaml({"w": word}).replace("'", '"')


@pytest.mark.parametrize("odd", ["\x85", "\u2028", "\u2029", "\ufeff", "\x00"])
def test_a_text_of_several_lines_with_an_odd_character_is_quoted(odd):
    text = as_yaml({"t": f"one\ntwo{odd}three"})

    assert {"t": f"one\ntwo{odd}three"} == load_yaml(text.encode(), name="x").value
    assert odd not in text


def test_a_text_of_several_lines_is_a_block_and_keys_keep_their_order():
    assert "b: |\n  one\n\n  two\na:\n- x\n" == as_yaml({"b": "one\n\ntwo\n", "a": ["x"]})


def test_what_stands_in_several_places_is_written_in_each():
    shared = {"x": 1}

    assert "a:\n  x: 1\nb:\n  x: 1\n" == as_yaml({"a": shared, "b": shared})

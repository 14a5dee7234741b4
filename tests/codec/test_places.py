"""Places as text and as steps, and what is said of very long ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_core.codec import Positions, load_json, locate
from swarm_core.codec.places import Steps, place_of, shown, steps_of


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ((), "$"),
        (("agents", 0, "kind"), "$.agents[0].kind"),
        (("a-b", "_c"), "$.a-b._c"),
        (("any key", "x.y", "[0]", ""), '$["any key"]["x.y"]["[0]"][""]'),
        (("größe", 'say "x"'), '$["größe"]["say \\"x\\""]'),
        (("$file",), '$["$file"]'),
        ((10, 0), "$[10][0]"),
    ],
)
def test_a_place_is_read_as_it_is_written(steps: Steps, text: str) -> None:
    assert text == place_of(steps)
    assert steps == steps_of(text)


@given(st.lists(st.integers(0, 99) | st.text("ab_-é .[0$", max_size=6), max_size=6).map(tuple))
def test_any_place_without_quotes_comes_back(steps: Steps) -> None:
    assert steps == steps_of(place_of(steps))


@pytest.mark.parametrize(
    ("text", "steps"), [("plugin.audit.level", ("audit", "level")), ("$.a[x].b", ("a",)), ("$.a..b", ("a",)), ("", ())]
)
def test_a_place_is_read_as_far_as_it_can_be(text: str, steps: Steps) -> None:
    assert steps == steps_of(text)


def test_a_place_may_have_another_root() -> None:
    assert "plugin.audit.level" == place_of(("level",), "plugin.audit")


def test_the_middle_of_a_very_long_place_is_left_out() -> None:
    text = shown("$" + "[0]" * 500 + ".end")

    assert text.startswith("$[0][0]")
    assert text.endswith("[0].end")
    assert len(text) < 260


def test_positions_are_a_mapping() -> None:
    positions = load_json(b'{"a": [1, 2]}', name="x").positions

    assert ["$", "$.a", "$.a[0]", "$.a[1]"] == list(positions)
    assert 4 == len(positions)
    assert "$.a[2]" not in positions
    assert "$.a.b" not in positions
    assert None is positions.get("$.b")


def test_positions_are_worked_out_when_the_first_one_is_asked_for() -> None:
    grown = []
    positions = Positions("text", lambda: grown.append(1) or (2, None))

    assert [] == grown
    assert ((1, 3), (1, 3)) == (positions["$"], positions["$"])
    assert [1] == grown


def test_without_any_position_there_is_none() -> None:
    assert None is locate({}, "$.a.b")

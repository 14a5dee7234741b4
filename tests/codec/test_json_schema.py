"""Schemas that strangers wrote, and answers that people gave: both are bounded, and told in sentences."""

import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from swarm_core.codec.json_schema import LONGEST_TEXT, check_json_schema, misfit

DECISION = {
    "type": "object",
    "properties": {
        "approved": {"type": "boolean"},
        "note": {"type": "string", "maxLength": 5},
        "day": {"format": "date"},
        "size": {"enum": ["small", "large"]},
        "amount": {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"net": {"minimum": 3}}}]},
        "items": {"contains": {"type": "string"}},
        "secret": False,
    },
    "required": ["approved"],
    "additionalProperties": False,
}


class TestFits:
    @pytest.mark.parametrize(
        ("schema", "value"),
        [
            (True, {"any": ["thing"]}),
            ({}, None),
            (DECISION, {"approved": True, "note": "fine", "day": "2026-02-28", "size": "large", "amount": None}),
            ({"type": "integer"}, 2**64 - 1),
            ({"type": "integer"}, 3.0),
            ({"$schema": "http://json-schema.org/draft-07/schema#", "type": "string"}, "x"),
            ({"$id": "http://a.b/root", "$ref": "#/$defs/c", "$defs": {"c": {"type": "string"}}}, "x"),
            ({"$ref": "#/$defs/odd~1key%25", "$defs": {"odd/key%": {"type": "string"}}}, "x"),
            ({"allOf": [{"type": "string"}, {"$ref": "#/allOf/0"}]}, "x"),
            ({"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}}, {"left": {"right": {}}}),
            ({"$ref": "#"}, 1),
            ({"format": "no format that anyone knows"}, "x"),
        ],
    )
    def test_a_value_that_fits(self, schema, value):
        check_json_schema(schema)

        assert misfit(schema, value) is None

    @given(
        value=st.recursive(
            st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
            max_leaves=6,
        )
    )
    def test_another_library_is_of_the_same_opinion(self, value):
        schema = {
            "$ref": "#/$defs/tree",
            "$defs": {
                "tree": {
                    "anyOf": [
                        {"type": "integer", "minimum": 0},
                        {"type": "array", "items": {"$ref": "#/$defs/tree"}, "uniqueItems": True},
                        {"type": "object", "properties": {"a": {"$ref": "#/$defs/tree"}}, "required": ["a"]},
                    ]
                }
            },
        }

        assert Draft202012Validator(schema).is_valid(value) == (misfit(schema, value) is None)


class TestMisfits:
    @pytest.mark.parametrize(
        ("value", "told"),
        [
            ([], '$ is not of type "object"'),
            ({}, '$: "approved" is a required property'),
            ({"approved": 1}, '$.approved is not of type "boolean"'),
            ({"approved": True, "note": "too long"}, "$.note is longer than 5 characters"),
            ({"approved": True, "day": "2026-02-30"}, '$.day is not a "date"'),
            ({"approved": True, "size": "huge"}, '$.size is not one of "small" or "large"'),
            (
                {"approved": True, "amount": {"net": 1}},
                '$.amount fits none of the alternatives (is not of type "null", $.amount.net is less than the minimum '
                "of 3)",
            ),
            ({"approved": True, "items": [1]}, "$.items does not contain what it must"),
            ({"approved": True, "secret": 1}, "$.secret is not allowed"),
            ({"approved": True, "odd key": 1}, "$: Additional properties are not allowed ('odd key' was unexpected)"),
        ],
    )
    def test_a_misfit_has_its_place_and_its_reason(self, value, told):
        assert misfit(DECISION, value) == told

    def test_the_first_three_are_told_and_the_rest_counted(self):
        told = misfit({"items": {"type": "string"}}, [1, 2, 3, 4, 5])

        assert told == "; ".join(f'$[{n}] is not of type "string"' for n in range(3)) + "; and 2 more"

    @pytest.mark.parametrize(
        "value", [{"x" * 10_000: 1}, {"approved": "y" * 100_000}, {"approved": True, "note": "z" * 100_000}]
    )
    def test_the_sentence_is_short_whatever_the_value(self, value):
        told = misfit(DECISION, value)

        assert told is not None
        assert len(told) <= LONGEST_TEXT
        assert "yyyy" not in told
        assert "zzzz" not in told


class TestSchemas:
    @pytest.mark.parametrize(
        ("schema", "told"),
        [
            (None, "$: a JSON Schema is an object, or true or false"),
            (["type"], "$: a JSON Schema is an object, or true or false"),
            ({1: 2}, "$: an object has the key 1; keys are strings"),
            ({"maximum": float("nan")}, "$: nan is no JSON number"),
            ({"properties": {"a": {"minimum": "x"}}}, '$.properties.a.minimum is not of type "number"'),
            ({"properties": {"odd key": 5}}, '$.properties["odd key"] is not of types "boolean", "object"'),
            ({"$schema": "http://json-schema.org/draft-03/schema#"}, '$["$schema"] names no draft'),
            ({"not": {"$ref": "#/$defs/x"}}, "$.not[\"$ref\"]: '#/$defs/x': there is no such part in the schema"),
            ({"$anchor": "a", "not": {"$ref": "#a"}}, "$.not[\"$ref\"]: '#a' is no reference that is known here"),
            ({"not": {"$dynamicRef": "#"}}, "$.not[\"$dynamicRef\"]: '#' is no reference that is known here"),
            ({"$defs": {"a": {"$id": "b"}}}, '$["$defs"].a["$id"]: \'b\': only the schema as a whole'),
            ({"pattern": "("}, '$.pattern is not a "regex"'),
            ({"patternProperties": {"(": {}}}, '$.patternProperties["("] is not a "regex"'),
        ],
    )
    def test_what_is_no_schema_is_refused_at_its_place(self, schema, told):
        with pytest.raises(ValueError) as caught:
            check_json_schema(schema)

        assert str(caught.value).startswith(told)

    def test_a_type_that_is_none_says_what_types_there_are(self):
        with pytest.raises(ValueError, match=r'\$\.type fits none of the alternatives \(is not one of "array"'):
            check_json_schema({"type": "objekt"})

    def test_misfit_refuses_what_is_no_schema_too(self):
        with pytest.raises(ValueError, match=r"\$\.type"):
            misfit({"type": "objekt"}, 1)

    @pytest.mark.parametrize("reference", ["http://127.0.0.1:9/x.json", "file:///etc/passwd", "other.json"])
    def test_nothing_is_fetched(self, reference):
        """A reference to elsewhere is refused with its place, and neither file nor server is touched."""
        with pytest.raises(ValueError) as caught:
            check_json_schema({"properties": {"a": {"$ref": reference}}})

        assert f"$.properties.a[\"$ref\"]: '{reference}' leads out of the schema, and nothing is fetched" in str(
            caught.value
        )

    def test_what_only_looks_like_a_reference_is_data(self):
        check_json_schema({"const": {"$ref": "http://elsewhere"}})

        assert misfit({"const": {"$ref": "http://elsewhere"}}, {"$ref": "http://elsewhere"}) is None

    @pytest.mark.parametrize("text", ["a" * 70_000, "é" * 40_000])
    def test_p32_a_large_schema_is_refused(self, text):
        with pytest.raises(ValueError, match="at most 64 KiB"):
            check_json_schema({"const": text})

    def test_p32_what_is_shared_counts_each_time(self):
        shared = ["x"]
        for _ in range(60):
            shared = [shared, shared]

        with pytest.raises(ValueError, match="at most 64 KiB"):
            check_json_schema({"const": shared})

    def test_p32_a_schema_that_is_nested_too_deeply_is_refused(self):
        schema = {}
        for _ in range(5_000):
            schema = {"not": schema}

        with pytest.raises(ValueError, match="nested deeper"):
            check_json_schema(schema)

    @pytest.mark.parametrize("pattern", ["(a)\\1", "^(?=.*b)a", "((a{100}){100}){100}", "^.{1,100000}$"])
    def test_p32_a_pattern_that_cannot_be_bounded_is_refused(self, pattern):
        with pytest.raises(ValueError, match="in bounded time"):
            check_json_schema({"pattern": pattern})


def doubling(levels):
    """Return a schema with 2^levels ways to its one misfit."""
    links = {f"n{i}": {"allOf": [{"$ref": f"#/$defs/n{i + 1}"}] * 2} for i in range(levels)}
    return {"$ref": "#/$defs/n0", "$defs": {**links, f"n{levels}": {"type": "string"}}}


def nested(depth, leaf=1):
    value = leaf
    for _ in range(depth):
        value = {"a": value}
    return value


TWICE_EACH_LEVEL = {"type": "object", "anyOf": [{"properties": {"a": {"$ref": "#"}}}] * 2}


def chained(links, wrap):
    """Return a schema that goes through so many references before it looks one level deeper."""
    defs = {str(i): wrap({"$ref": f"#/$defs/{i + 1}"}) for i in range(links)}
    defs[str(links)] = {"type": "object", "properties": {"a": {"$ref": "#/$defs/0"}}}
    return {"$ref": "#/$defs/0", "$defs": defs}


class TestBombs:
    """P32: what would take for ever, or the whole stack, is told apart from what only looks like it."""

    @pytest.mark.parametrize("levels", [20, 40, 400])
    def test_p32_a_schema_of_a_million_ways_is_refused(self, levels):
        with pytest.raises(ValueError, match=r"\$: references lead to its parts in more than 100,000 ways"):
            check_json_schema(doubling(levels))

    @pytest.mark.parametrize("value", [1, {}, "fits"])
    def test_a_schema_of_a_thousand_ways_is_none_of_them(self, value):
        assert (misfit(doubling(10), value) is None) == (value == "fits")

    @pytest.mark.parametrize("depth", [2, 12, 40, 190])
    @pytest.mark.parametrize("leaf", [{}, 1])
    def test_p32_a_value_that_is_met_2_to_the_depth_times_is_decided_all_the_same(self, depth, leaf):
        assert (misfit(TWICE_EACH_LEVEL, nested(depth, leaf)) is None) == (leaf == {})

    def test_a_misfit_that_would_be_found_too_often_is_told_without_its_place(self):
        told = misfit(TWICE_EACH_LEVEL, nested(40, 1))

        assert told == "$ does not fit the schema; it is too large to say where"

    def test_what_is_only_large_still_has_its_places(self):
        told = misfit({"items": {"properties": {"a": {"type": "string"}}}}, [{"a": "x"}] * 2_000 + [{"a": 1}])

        assert told == '$[2000].a is not of type "string"'

    @pytest.mark.parametrize("wrap", [lambda ref: ref, lambda ref: {"not": ref}, lambda ref: {"anyOf": [ref, False]}])
    @pytest.mark.parametrize("links", [10, 300, 1_000])
    @pytest.mark.parametrize("depth", [1, 30, 190])
    def test_p32_no_chain_of_references_overflows_the_stack(self, wrap, links, depth):
        """It would take this process with it."""
        told = misfit(chained(links, wrap), nested(depth))

        assert told is None or told.startswith("$")

    def test_p32_a_value_of_too_many_parts_is_refused(self):
        schema = {"allOf": [{"items": {"minimum": -n}} for n in range(1_000)]}

        assert misfit(schema, list(range(100_000))) == "$ is too large to be checked against its schema"

    def test_p32_text_is_matched_with_heavy_patterns_only_when_it_is_short(self):
        text = "".join(random.Random(1).choice("ab") for _ in range(20_000))
        heavy, light = {"pattern": "[ab]*a[ab]{5000}c"}, {"pattern": "^[ab]*c"}

        assert misfit(heavy, text) == "$ has more than 16 KiB of text, too much for the patterns of its schema"
        assert misfit(heavy, text[:1_000]) == '$ does not match "[ab]*a[ab]{5000}c"'
        assert misfit(light, text) == '$ does not match "^[ab]*c"'

    def test_many_patterns_share_what_one_may_weigh(self):
        check_json_schema({"pattern": "^.{1,250}$"})

        with pytest.raises(ValueError, match="in bounded time"):
            check_json_schema({"allOf": [{"pattern": f"^.{{1,{n}}}$"} for n in range(250, 300)]})


def test_the_library_is_loaded_at_the_first_use():
    program = (
        "import sys, swarm_core.codec.json_schema as room, swarm_core.builtin as other;"
        "assert 'jsonschema_rs' not in sys.modules;"
        "room.misfit({}, 1); assert 'jsonschema_rs' in sys.modules"
    )

    subprocess.run([sys.executable, "-c", program], check=True)

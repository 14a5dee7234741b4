"""The JSON Schema of Blueprints and of plugins' models: valid itself, and as strict as the codec."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any, ClassVar, Literal

import jsonschema
import pytest
from attrs import field, frozen

from swarm_core.codec import blueprint_schema, document_problems, model_schema
from swarm_core.model.nodes import EXPR_OPS, NODE_KINDS

PATH = {"op": "path", "at": "$.x"}
STEP = {"kind": "step", "ref": "a", "in": PATH, "out": PATH}
GOOD = {
    "$schema": "urn:swarm-core:blueprint:0.1.0",
    "schema_version": "0.1.3",
    "id": "größe",
    "flow": {
        "kind": "seq",
        "children": [
            STEP,
            {"kind": "branch", "cond": {"op": "not", "operand": PATH}, "then": STEP, "else": STEP},
            {
                "kind": "fanout",
                "items": PATH,
                "bind": PATH,
                "body": STEP,
                "join": "all",
                "out": PATH,
                "max_concurrency": 3,
            },
            {"kind": "loop", "counter": PATH, "cond": {"op": "exists", "at": "$.a"}, "body": STEP, "max": 0},
            {"kind": "try", "body": STEP, "catch": STEP, "err_at": None},
            {"kind": "assign", "at": {"op": "lit", "value": 1}, "value": {"op": "and", "operands": [PATH]}},
            {"kind": "let", "at": 'ctx["any key"][-1].b', "value": {"op": "call_extern", "ref": "f", "args": []}},
        ],
    },
    "agents": [
        {"name": "a", "kind": "lua", "spec": {"source": "return 1"}, "meta": {"tags": ["t"]}},
        {"name": "b", "kind": "llm", "profile": {"system_prompt": "x", "model": None, "tools": ["t"], "extras": [1]}},
    ],
    "operators": [{"name": "main ai", "kind": "main_ai", "display_name": "M"}],
    "hints": {
        "per_agent": {"a": {"timeout": "5m", "retry": {"max_attempts": 2, "on": ["timeout"], "backoff": 0}, "own": 1}},
        "global": {"concurrency": 2, "timeout": 1.5, "budget": {"attempts": 9, "counters": {"tokens": 5}}},
    },
    "strategy": {"strict_layers": True},
    "metadata": {"origin": {"kind": "file", "path": "x"}, "default_run_ttl_secs": 60},
    "spawner_hints": {"layers": ["audit", {"long_hold": {"after": "1h"}}]},
    "budget": {"dispatches": 200, "wall_time": "2h", "breaker": None, "counters": {"tokens": 1e6, "cost": 0}},
    "default_operator_kind": None,
    "default_init_ctx": {"x": [1]},
}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return blueprint_schema()


@pytest.fixture(scope="module")
def validator(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture(scope="module")
def file_validator() -> jsonschema.Draft202012Validator:
    schema = blueprint_schema(["$file", "$agent_md"])
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def changed(*path: str | int, value: Any) -> Any:
    """Return the good document with one place changed."""
    document = json.loads(json.dumps(GOOD))
    holder = document
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return document


class TestBlueprintSchema:
    def test_it_is_a_schema_of_draft_2020_12(self, schema: dict[str, Any]) -> None:
        jsonschema.Draft202012Validator.check_schema(schema)

        assert "https://json-schema.org/draft/2020-12/schema" == schema["$schema"]
        assert "urn:swarm-core:blueprint:0.1.0" == schema["$id"]

    def test_it_is_json_and_the_same_each_time(self, schema: dict[str, Any]) -> None:
        assert json.dumps(schema) == json.dumps(blueprint_schema())

    def test_every_reference_leads_somewhere(self, schema: dict[str, Any]) -> None:
        text = json.dumps(schema)
        wanted = {part.split('"')[0] for part in text.split('"$ref": "#/$defs/')[1:]}

        assert wanted == schema["$defs"].keys()

    def test_every_kind_and_op_has_its_definition_with_a_description(self, schema: dict[str, Any]) -> None:
        names = [*(f"kind_{kind}" for kind in NODE_KINDS), *(f"op_{op}" for op in EXPR_OPS)]

        assert [] == [name for name in names if not schema["$defs"].get(name, {}).get("description")]

    def test_classes_bring_their_name_and_docstring(self, schema: dict[str, Any]) -> None:
        assert "A whole program: the flow and everything needed to run it." == schema["description"]
        assert "RetryHint" == schema["$defs"]["RetryHint"]["title"]
        assert schema["$defs"]["RetryHint"]["description"].startswith("How often, after what wait")

    def test_defaults_are_shown(self, schema: dict[str, Any]) -> None:
        assert "0.1.0" == schema["properties"]["schema_version"]["default"]
        assert True is schema["$defs"]["CompilerStrategy"]["properties"]["strict_refs"]["default"]
        assert {"kind": "inline"} == schema["$defs"]["BlueprintMetadata"]["properties"]["origin"]["default"]

    def test_a_good_document_is_valid_by_both(self, validator: Any) -> None:
        assert [] == [error.message for error in validator.iter_errors(GOOD)]
        assert () == document_problems(GOOD)

    @pytest.mark.parametrize(
        "document",
        [
            [],
            {},
            changed("flwo", value=STEP),
            changed("id", value=""),
            changed("id", value=" x"),
            changed("id", value="a\0"),
            changed("id", value=5),
            changed("schema_version", value="0.2.0"),
            changed("schema_version", value="abc"),
            changed("flow", value={"kind": "stp"}),
            changed("flow", value={"kind": "step", "ref": "a"}),
            changed("flow", "children", 0, "extra", value=1),
            changed("flow", "children", 0, "ref", value=None),
            changed("flow", "children", 0, "in", value={"op": "pth", "at": "$"}),
            changed("flow", "children", 0, "in", value={"op": "path", "at": "x.y"}),
            changed("flow", "children", 0, "in", value={"op": "path", "at": "$..y"}),
            changed("flow", "children", 0, "in", value={"op": "path", "at": "$["}),
            changed("flow", "children", 1, "cond", value={"op": "not", "operand": PATH, "arg": PATH}),
            changed("flow", "children", 1, "else", value=None),
            changed("flow", "children", 2, "join", value="some"),
            changed("flow", "children", 2, "max_concurrency", value=0),
            changed("flow", "children", 3, "max", value=-1),
            changed("flow", "children", 3, "max", value=1.5),
            changed("flow", "children", 3, "max", value="3"),
            changed("flow", "children", 3, "cond", value={"op": "exists", "at": "a"}),
            changed("flow", "children", 6, "at", value=PATH),
            changed("agents", 0, "name", value="../x"),
            changed("agents", 0, "kind", value=None),
            changed("agents", 0, "profile", value={"tools": [1]}),
            changed("agents", 0, value="a"),
            changed("operators", 0, "kind", value="mainai"),
            changed("hints", "per_agent", "a", "timeout", value="5 parsecs"),
            changed("hints", "per_agent", "a", "timeout", value=0),
            changed("hints", "per_agent", "a", "retry", "on", value=["never"]),
            changed("hints", "global", "concurrency", value=0),
            changed("hints", "global", "budget", value={"depth": 2}),
            changed("hints", "global", "budget", "attempts", value=0),
            changed("hints", "global", "budget", "counters", value={"tokens": -1}),
            changed("budget", value=[]),
            changed("budget", value={"dispatchs": 2}),
            changed("budget", "dispatches", value=1.5),
            changed("budget", "depth", value=10**12 + 1),
            changed("budget", "wall_time", value="soon"),
            changed("budget", "wall_time", value=0),
            changed("budget", "counters", value={"attempts": 2}),
            changed("budget", "counters", value={"two words": 2}),
            changed("budget", "counters", value={"tokens": True}),
            changed("budget", "counters", value={"tokens": 10**18 + 1}),
            changed("strategy", "strict_layers", value=1),
            changed("metadata", "origin", value={"kind": "git"}),
            changed("metadata", "origin", value={"path": "x"}),
            changed("metadata", "origin", value={"kind": "inline", "path": "x"}),
            changed("metadata", "default_run_ttl_secs", value=0),
            changed("spawner_hints", "layers", value=[{"a": 1, "b": 2}]),
            changed("spawner_hints", "layers", value=[1]),
            changed("$schema", value=1),
        ],
    )
    def test_a_broken_document_is_refused_by_both(self, document: Any, validator: Any) -> None:
        assert document_problems(document)
        assert not validator.is_valid(document)

    @pytest.mark.parametrize(
        "document",
        [
            changed("agents", 1, "name", value="A"),
            changed("flow", "children", 3, "max", value=1.0),
            changed("hints", "global", "timeout", value="9999999d"),
            changed("schema_version", value="0.1.0-a..b"),
            changed("id", value="a\u202eb"),
        ],
        ids=["twins", "whole-float", "ten-years", "semver", "invisible"],
    )
    def test_what_only_reading_finds_is_as_the_module_says(self, document: Any, validator: Any) -> None:
        assert document_problems(document)
        assert validator.is_valid(document)

    def test_an_error_speaks_of_the_kind_that_was_meant(self, validator: Any) -> None:
        document = changed("flow", "children", 0, value={"kind": "step", "ref": "a", "in": PATH, "uot": PATH})

        messages = {error.message for error in validator.iter_errors(document)}

        assert {
            "'out' is a required property",
            "Additional properties are not allowed ('uot' was unexpected)",
        } == messages


class TestSchemaOfFiles:
    @pytest.mark.parametrize(
        "document",
        [
            GOOD,
            changed("agents", 1, "profile", "system_prompt", value={"$file": "prompt.md"}),
            changed("agents", 0, value={"$agent_md": "a.md", "kind": "llm"}),
            changed("flow", "children", 0, "in", value={"op": "lit", "value": {"$file": "x"}}),
            changed("agents", 0, "spec", value={"source": {"$file": "a.lua"}}),
        ],
    )
    def test_a_directive_may_stand_for_a_text_or_an_object(self, document: Any, file_validator: Any) -> None:
        assert [] == [error.message for error in file_validator.iter_errors(document)]

    @pytest.mark.parametrize(
        "document",
        [
            changed("agents", 1, "profile", "system_prompt", value={"$flie": "prompt.md"}),
            changed("agents", 1, "profile", "system_prompt", value=5),
            changed("agents", 0, value={"agent_md": "a.md", "kind": "llm"}),
            changed("flow", value={"kind": "stp"}),
            changed("strategy", "strict_refs", value={"$file": "x"}),
        ],
    )
    def test_and_everything_else_is_as_strict_as_before(self, document: Any, file_validator: Any) -> None:
        assert not file_validator.is_valid(document)


class Mode(StrEnum):
    FAST = "fast"
    SLOW = "slow"


@frozen
class Left:
    type: ClassVar[str] = "left"
    x: int


@frozen
class Right:
    type: ClassVar[str] = "right"
    y: int = 1


@frozen(kw_only=True)
class Options:
    """What a layer may be told.

    More about it.
    """

    after: str | float
    mode: Mode = Mode.SLOW
    level: Literal["low", "high"] | None = None
    sides: tuple[Left | Right, ...] = ()
    limits: dict[str, int] = field(factory=dict)
    inner: Options | None = None


class TestModelSchema:
    def test_a_plugins_model_is_described(self) -> None:
        schema = model_schema(Options)

        jsonschema.Draft202012Validator.check_schema(schema)
        assert ("Options", "What a layer may be told.\n\nMore about it.", ["after"], False) == (
            schema["title"],
            schema["description"],
            schema["required"],
            schema["additionalProperties"],
        )
        assert {"enum": ["fast", "slow"], "default": "slow"} == schema["properties"]["mode"]

    @pytest.mark.parametrize(
        ("value", "good"),
        [
            ({"after": "1h"}, True),
            ({"after": 5, "mode": "fast", "level": "low", "inner": {"after": 1}}, True),
            ({"after": 5, "sides": [{"type": "left", "x": 1}, {"type": "right"}], "limits": {"a": 1}}, True),
            ({}, False),
            ({"after": True}, False),
            ({"after": 1, "mode": "quick"}, False),
            ({"after": 1, "sides": [{"type": "left"}]}, False),
            ({"after": 1, "sides": [{"x": 1}]}, False),
            ({"after": 1, "limits": {"a": "1"}}, False),
            ({"after": 1, "inner": {"aftr": 1}}, False),
        ],
    )
    def test_it_accepts_what_the_model_reads(self, value: Any, good: bool) -> None:
        validator = jsonschema.Draft202012Validator(model_schema(Options))

        assert good == validator.is_valid(value)

    def test_a_model_without_fields_takes_an_empty_object(self) -> None:
        @frozen
        class Nothing:
            pass

        validator = jsonschema.Draft202012Validator(model_schema(Nothing))

        assert validator.is_valid({})
        assert not validator.is_valid({"x": 1})

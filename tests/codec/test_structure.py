"""JSON values to models and back: strict, all problems at once, each with its place."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NewType

import pytest
from attrs import field, frozen, validators

from swarm_core.codec import structure, unstructure
from swarm_core.model.blueprint import AgentDef, AgentHint, AgentProfile, CompilerHints, LayerUse, RetryHint
from swarm_core.model.duration import parse_duration
from swarm_core.model.nodes import Lit, Step
from swarm_core.model.nodes import Path as PathExpr

Label = NewType("Label", str)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Level(Enum):
    LOW = "low"


@frozen(kw_only=True)
class Inner:
    """A part."""

    size: int
    tags: tuple[str, ...] = ()


@frozen(kw_only=True)
class Spec:
    """A plugin's spec."""

    program: str
    ratio: float = 1.0
    strict: bool = False
    inner: Inner | None = None
    parts: Sequence[Inner] = ()
    env: Mapping[str, str] = field(factory=dict)
    colour: Colour = Colour.RED
    mode: Literal["fast", "slow"] | None = None
    wait: str | float | None = None
    class_: Annotated[str, "a reserved word"] = "x"
    label: Label = Label("none")
    free: Any = None
    _hidden: int = 0


@frozen
class Circle:
    kind: ClassVar[str] = "circle"
    radius: float


@frozen
class Square:
    kind: ClassVar[str] = "square"
    side: int


@frozen(kw_only=True)
class Drawing:
    shape: Circle | Square
    more: tuple[Circle | Square | None, ...] = ()
    title: str | Inner = ""


@frozen(kw_only=True)
class Tree:
    name: str
    below: tuple[Tree, ...] = ()


@frozen(kw_only=True)
class Checked:
    port: int = field(default=80, validator=[validators.ge(1), validators.le(65535)])
    wait: float = field(default=1.0, converter=parse_duration)
    words: tuple[str, ...] = field(default=())
    most: int = field(default=2)

    @words.validator
    def _no_blanks(self, attribute: Any, value: tuple[str, ...]) -> None:
        if "" in value:
            raise ValueError("no word may be empty")

    @most.validator
    def _not_more(self, attribute: Any, value: int) -> None:
        if len(self.words) > value:
            raise ValueError("more words than there may be")


@dataclass
class Point:
    x: int
    y: int = 0


@frozen(kw_only=True)
class Odd:
    """Types that are left to cattrs."""

    point: Point = field(factory=lambda: Point(0))
    where: Path = Path()
    day: datetime.date = datetime.date(2000, 1, 1)
    bag: frozenset[str] = frozenset()
    pair: tuple[int, str] = (0, "")


def told(problems: list[Any]) -> list[tuple[str, str]]:
    return [(problem.code, problem.path) for problem in problems]


class TestReading:
    def test_every_field_is_read_by_its_type(self) -> None:
        value = {
            "program": "ls",
            "ratio": 2,
            "strict": True,
            "inner": {"size": 1, "tags": ["a"]},
            "parts": [{"size": 2}],
            "env": {"A": "b"},
            "colour": "blue",
            "mode": "slow",
            "wait": 1.5,
            "class": "y",
            "label": "l",
            "free": {"x": [1, None]},
            "_hidden": 3,
        }

        spec = structure(value, Spec)

        assert spec == Spec(
            program="ls",
            ratio=2,
            strict=True,
            inner=Inner(size=1, tags=("a",)),
            parts=(Inner(size=2),),
            env={"A": "b"},
            colour=Colour.BLUE,
            mode="slow",
            wait=1.5,
            class_="y",
            label=Label("l"),
            free={"x": [1, None]},
            hidden=3,
        )

    def test_defaults_stand_in_for_what_is_not_given(self) -> None:
        assert Spec(program="ls") == structure({"program": "ls"}, Spec)

    def test_the_model_shares_no_container_with_the_document(self) -> None:
        value = {"program": "x", "free": {"list": [1]}, "env": {}}

        spec = structure(value, Spec)
        value["free"]["list"].append(2)

        assert {"list": [1]} == spec.free

    def test_a_class_may_hold_itself(self) -> None:
        assert Tree(name="a", below=(Tree(name="b"),)) == structure({"name": "a", "below": [{"name": "b"}]}, Tree)

    def test_a_tag_tells_classes_apart(self) -> None:
        value = {"shape": {"kind": "square", "side": 2}, "more": [{"kind": "circle", "radius": 1}, None]}

        assert Drawing(shape=Square(2), more=(Circle(1), None)) == structure(value, Drawing)

    def test_the_json_type_tells_the_rest_apart(self) -> None:
        shape = {"kind": "square", "side": 2}

        assert Inner(size=1) == structure({"shape": shape, "title": {"size": 1}}, Drawing).title
        assert "x" == structure({"shape": shape, "title": "x"}, Drawing).title

    def test_a_tagged_class_by_itself_may_say_its_tag(self) -> None:
        assert Circle(1) == structure({"kind": "circle", "radius": 1}, Circle) == structure({"radius": 1}, Circle)

    @pytest.mark.parametrize(
        ("annotation", "value", "made"),
        [
            (list[int], [1, 2], [1, 2]),
            (tuple[str, ...], ["a"], ("a",)),
            (dict[str, bool], {"a": True}, {"a": True}),
            (Level, "low", Level.LOW),
            (int | None, None, None),
            (str, "x", "x"),
        ],
    )
    def test_types_need_no_class_around_them(self, annotation: Any, value: Any, made: Any) -> None:
        assert made == structure(value, annotation)


class TestRefusals:
    def test_bp20_an_unknown_field_is_named_with_the_nearest_known_one(self, problems_of) -> None:
        (problem,) = problems_of(structure, {"program": "x", "stric": True}, Spec)

        assert ("unknown_field", "$.stric") == (problem.code, problem.path)
        assert ("Spec has no field 'stric'", "did you mean 'strict'?") == (problem.message, problem.hint)

    def test_bp21_a_missing_field_is_told_at_the_object_that_lacks_it(self, problems_of) -> None:
        (problem,) = problems_of(structure, {"program": "x", "inner": {}}, Spec)

        assert ("missing_field", "$.inner") == (problem.code, problem.path)
        assert ("Inner lacks the field 'size'", "add an integer") == (problem.message, problem.hint)

    @pytest.mark.parametrize(
        ("field", "value", "expected", "got"),
        [
            ("program", 5, "a string", "the number 5"),
            ("program", None, "a string", "null"),
            ("ratio", "1", "a number", "the string '1'"),
            ("ratio", True, "a number", "true"),
            ("strict", 1, "true or false", "the number 1"),
            ("strict", "true", "true or false", "the string 'true'"),
            ("inner", [], "an object", "an array"),
            ("parts", {}, "an array", "an object"),
            ("parts", "abc", "an array", "the string 'abc'"),
            ("env", [["a", "b"]], "an object", "an array"),
            ("colour", 1, "one of red, blue", "the number 1"),
            ("wait", True, "a string or a number", "true"),
        ],
    )
    def test_bp21_nothing_is_coerced(self, field: str, value: Any, expected: str, got: str, problems_of) -> None:
        (problem,) = problems_of(structure, {"program": "x", field: value}, Spec)

        assert ("wrong_type", f"$.{field}") == (problem.code, problem.path)
        assert f"expected {expected}, got {got}" == problem.message

    @pytest.mark.parametrize("value", [1.0, True, "1", None])
    def test_bp21_an_integer_is_an_integer(self, value: Any, problems_of) -> None:
        assert [("wrong_type", "$.size")] == told(problems_of(structure, {"size": value}, Inner))

    def test_bp21_a_word_out_of_a_list_gets_the_nearest(self, problems_of) -> None:
        problems = problems_of(structure, {"program": "x", "colour": "blu", "mode": "sideways"}, Spec)

        assert [("bad_value", "$.colour"), ("bad_value", "$.mode")] == told(problems)
        assert ["did you mean 'blue'?", "known: fast, slow"] == [problem.hint for problem in problems]

    def test_bp22_an_unknown_tag_gets_the_known_ones(self, problems_of) -> None:
        problems = problems_of(structure, {"shape": {"kind": "cirle"}, "more": [{"radius": 1}, {"kind": 7}]}, Drawing)

        assert [
            ("unknown_kind", "$.shape.kind"),
            ("missing_field", "$.more[0]"),
            ("unknown_kind", "$.more[1].kind"),
        ] == told(problems)
        assert ["did you mean 'circle'?", "one of circle, square", "known: circle, square"] == [
            p.hint for p in problems
        ]

    def test_a_tagged_class_by_itself_refuses_another_tag(self, problems_of) -> None:
        assert [("bad_value", "$.kind")] == told(problems_of(structure, {"kind": "square", "radius": 1}, Circle))

    def test_all_problems_are_told_at_once_in_the_order_of_the_document(self, problems_of) -> None:
        value = {
            "parts": [{"size": 1}, {"tags": ["a", 1], "size": "x"}, 7],
            "odd": 1,
            "env": {"A": 1, "b c": None},
            "inner": {"sise": 1},
        }

        assert [
            ("missing_field", "$"),
            ("wrong_type", "$.parts[1].tags[1]"),
            ("wrong_type", "$.parts[1].size"),
            ("wrong_type", "$.parts[2]"),
            ("unknown_field", "$.odd"),
            ("wrong_type", "$.env.A"),
            ("wrong_type", '$.env["b c"]'),
            ("missing_field", "$.inner"),
            ("unknown_field", "$.inner.sise"),
        ] == told(problems_of(structure, value, Spec))

    def test_places_begin_where_the_value_stands(self, problems_of) -> None:
        (problem,) = problems_of(structure, {"size": "x"}, Inner, path="$.agents[3].spec")

        assert "$.agents[3].spec.size" == problem.path

    def test_the_nearest_known_position_is_given(self, problems_of) -> None:
        positions = {"$": (1, 1), "$.inner": (4, 3)}

        problems = problems_of(structure, {"inner": {"size": 1, "x": 1}, "y": 1}, Spec, positions=positions, name="f")

        assert [("f", 1, 1), ("f", 4, 3), ("f", 1, 1)] == [(p.file, p.line, p.column) for p in problems]

    def test_a_validator_of_the_class_is_told_at_its_field(self, problems_of) -> None:
        (problem,) = problems_of(structure, {"port": 70000}, Checked)

        assert ("bad_value", "$.port") == (problem.code, problem.path)
        assert "65535" in problem.message

    def test_a_validator_that_is_a_method_is_told_at_its_field(self, problems_of) -> None:
        (problem,) = problems_of(structure, {"words": ["a", ""]}, Checked)

        assert ("$.words", "no word may be empty") == (problem.path, problem.message)

    def test_a_converter_of_the_class_is_told_at_its_field(self, problems_of) -> None:
        (problem,) = problems_of(structure, {"wait": -1.0}, Checked)

        assert ("bad_value", "$.wait") == (problem.code, problem.path)
        assert "out of range" in problem.message

    def test_a_refusal_of_the_class_that_names_no_field_is_told_at_the_object(self, problems_of) -> None:
        (problem,) = problems_of(structure, {"words": ["a", "b", "c"]}, Checked)

        assert ("$", "more words than there may be") == (problem.path, problem.message)

    def test_of_very_many_problems_a_hundred_are_told(self, problems_of) -> None:
        value = {f"k{i}": i for i in range(20_000)}

        problems = problems_of(structure, value, Inner)

        assert 101 == len(problems)
        assert ("too_many_problems", "there are more problems than these 100") == (
            problems[-1].code,
            problems[-1].message,
        )

    def test_a_very_long_key_gets_a_short_message(self, problems_of) -> None:
        (problem,) = problems_of(structure, {"size": 1, "k" * 100_000: 1}, Inner)

        assert "unknown_field" == problem.code
        assert len(str(problem)) < 1000

    @pytest.mark.parametrize("value", [{1, 2}, b"x", object(), float("nan"), {1: 2}])
    def test_what_is_no_json_is_refused_in_free_places_too(self, value: Any, problems_of) -> None:
        assert [("bad_value", "$.free")] == told(problems_of(structure, {"program": "x", "free": value}, Spec))

    def test_free_places_have_a_depth(self, problems_of) -> None:
        deep: Any = 1
        for _ in range(300):
            deep = [deep]

        assert [("too_deep", "$.free")] == told(problems_of(structure, {"program": "x", "free": deep}, Spec))

    def test_a_class_that_no_document_can_tell_from_another_is_refused_by_name(self) -> None:
        @frozen
        class Mixed:
            part: Inner | Spec

        with pytest.raises(TypeError, match="ClassVar 'kind'"):
            structure({"part": {}}, Mixed)


class TestForeignTypes:
    def test_cattrs_reads_what_we_do_not(self) -> None:
        value = {
            "point": {"x": 1},
            "where": "a/b",
            "day": "2026-11-21",
            "bag": ["a", "a"],
            "pair": [1, "x"],
        }

        odd = structure(value, Odd)

        assert odd == Odd(
            point=Point(1),
            where=Path("a/b"),
            day=datetime.date(2026, 11, 21),
            bag=frozenset({"a"}),
            pair=(1, "x"),
        )

    def test_and_writes_it(self) -> None:
        odd = Odd(point=Point(1, 2), where=Path("a/b"), day=datetime.date(2026, 11, 21), bag=frozenset({"a"}))

        assert {
            "point": {"x": 1, "y": 2},
            "where": "a/b",
            "day": "2026-11-21",
            "bag": ["a"],
        } == unstructure(odd)

    def test_its_faults_have_places_like_ours(self, problems_of) -> None:
        value = {"point": {"x": "1", "z": 2}, "bag": ["a", 1], "pair": [True, "x"], "day": "soon"}

        assert [
            ("wrong_type", "$.point.x"),
            ("unknown_field", "$.point.z"),
            ("wrong_type", "$.bag[1]"),
            ("wrong_type", "$.pair[0]"),
            ("wrong_type", "$.day"),
        ] == told(problems_of(structure, value, Odd))

    def test_a_missing_field_is_told(self, problems_of) -> None:
        assert [("missing_field", "$.point")] == told(problems_of(structure, {"point": {}}, Odd))

    def test_a_type_that_nobody_can_read_is_refused_by_name(self) -> None:
        class Strange:
            def __init__(self, one: Any, two: Any) -> None:
                self.one, self.two = one, two

        with pytest.raises(TypeError, match="Strange"):
            structure({}, Strange)


class TestModelsOfABlueprint:
    def test_unknown_hints_belong_to_the_factory(self) -> None:
        hint = structure({"timeout": "5m", "temperature": 0.5, "x": {"y": 1}}, AgentHint)

        assert AgentHint(timeout="5m", extra={"temperature": 0.5, "x": {"y": 1}}) == hint

    def test_extra_hints_stand_beside_the_others_in_a_document(self) -> None:
        assert {"timeout": 5, "x": 1} == unstructure(AgentHint(timeout=5, extra={"x": 1}))

    def test_extra_hints_cannot_stand_for_a_known_one(self) -> None:
        with pytest.raises(ValueError, match="'timeout' stands among the extra fields"):
            unstructure(AgentHint(extra={"timeout": 1}))

    def test_global_is_global_in_a_document(self) -> None:
        hints = CompilerHints(global_=AgentHint(bind="fake"))

        assert {"global": {"bind": "fake"}} == unstructure(hints)
        assert hints == structure({"global": {"bind": "fake"}}, CompilerHints)

    @pytest.mark.parametrize(
        ("value", "use"),
        [
            ("audit", LayerUse(key="audit")),
            ({"audit": None}, LayerUse(key="audit")),
            ({"audit": {"x": 1}}, LayerUse(key="audit", options={"x": 1})),
            ({"audit": 5}, LayerUse(key="audit", options=5)),
        ],
    )
    def test_a_layer_is_a_key_or_a_key_with_options(self, value: Any, use: LayerUse) -> None:
        assert use == structure(value, LayerUse)

    @pytest.mark.parametrize(
        "use", [LayerUse(key="a"), LayerUse(key="a", options={"x": [1]}), LayerUse(key="a", options=0)]
    )
    def test_a_layer_comes_back_from_its_document(self, use: LayerUse) -> None:
        assert use == structure(unstructure(use), LayerUse)

    @pytest.mark.parametrize("value", [1, [], {}, {"a": 1, "b": 2}, None])
    def test_anything_else_is_no_layer(self, value: Any, problems_of) -> None:
        assert [("wrong_type", "$")] == told(problems_of(structure, value, LayerUse))

    @pytest.mark.parametrize("value", ["", " a", "a\0b", {"\u202e": 1}])
    def test_bp16_a_layers_key_is_printable(self, value: Any, problems_of) -> None:
        assert [("bad_name", "$")] == told(problems_of(structure, value, LayerUse))

    @pytest.mark.parametrize("value", ["5 parsecs", "-1s", "0s", "", -1, 0, "9"])
    def test_cl150_a_bad_timeout_is_a_problem_at_its_place(self, value: Any, problems_of) -> None:
        assert [("bad_duration", "$.timeout")] == told(problems_of(structure, {"timeout": value}, AgentHint))

    @pytest.mark.parametrize("value", [0, "0", "0s", "1s", 2.5, "500ms"])
    def test_a_backoff_may_be_none_at_all(self, value: Any) -> None:
        assert RetryHint(backoff=value) == structure({"backoff": value}, RetryHint)

    def test_retry_hints_are_checked(self, problems_of) -> None:
        value = {"max_attempts": 0, "backoff": "soon", "on": ["failed", "tmeout"]}

        problems = problems_of(structure, value, RetryHint)

        assert [("out_of_range", "$.max_attempts"), ("bad_duration", "$.backoff"), ("bad_value", "$.on[1]")] == told(
            problems
        )
        assert "did you mean 'timeout'?" == problems[2].hint

    def test_fields_that_have_their_default_are_left_out(self) -> None:
        agent = AgentDef(name="a", kind="k", profile=AgentProfile(system_prompt="x"), spec={"y": None})

        assert {"name": "a", "kind": "k", "spec": {"y": None}, "profile": {"system_prompt": "x"}} == unstructure(agent)
        assert ["name", "kind", "spec", "profile"] == list(unstructure(agent))

    def test_a_value_that_equals_its_default_but_has_another_type_is_written(self) -> None:
        assert {"program": "x", "free": 0, "ratio": 1} == unstructure(Spec(program="x", free=0, ratio=1))

    def test_containers_of_models_are_written_too(self) -> None:
        step = Step(ref="a", in_=Lit(value=1), out=PathExpr(at="$.x"))

        written = unstructure({"flows": [step], "colours": (Colour.RED,), "plain": None})

        assert {
            "flows": [
                {"kind": "step", "ref": "a", "in": {"op": "lit", "value": 1}, "out": {"op": "path", "at": "$.x"}}
            ],
            "colours": ["red"],
            "plain": None,
        } == written

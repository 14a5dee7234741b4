"""The Blueprint as a document: what it may say, what is refused, and where each problem stands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from swarm_core.codec import (
    blueprint_json,
    document_problems,
    load_json,
    load_yaml,
    locate,
    structure_blueprint,
    with_place,
)
from swarm_core.model.blueprint import AgentDef, Blueprint, CompilerStrategy, FileOrigin
from swarm_core.model.nodes import Lit, Loop, Path, Seq, Step
from swarm_core.model.problem import Problem

PATH = {"op": "path", "at": "$.x"}
STEP = {"kind": "step", "ref": "a", "in": PATH, "out": PATH}


def document(**fields: Any) -> dict[str, Any]:
    return {"id": "x", "flow": STEP, **fields}


def agents(*names: str) -> dict[str, Any]:
    return document(agents=[{"name": name, "kind": "function"} for name in names])


def told(value: Any) -> list[tuple[str, str]]:
    return [(problem.code, problem.path) for problem in document_problems(value)]


class TestReading:
    def test_row_33_id_and_flow_suffice(self) -> None:
        blueprint = structure_blueprint(document())

        assert Blueprint(id="x", flow=Step(ref="a", in_=Path(at="$.x"), out=Path(at="$.x"))) == blueprint
        assert CompilerStrategy(strict_refs=True, strict_kind=True, strict_layers=False) == blueprint.strategy

    @pytest.mark.parametrize(
        ("left_out", "message"), [("id", "lacks the field 'id'"), ("flow", "lacks the field 'flow'")]
    )
    def test_row_33_without_id_or_flow_it_is_refused(self, left_out: str, message: str) -> None:
        (problem,) = document_problems({key: each for key, each in document().items() if key != left_out})

        assert ("missing_field", "$") == (problem.code, problem.path)
        assert message in problem.message

    def test_a_document_may_name_its_schema_for_editors(self) -> None:
        assert structure_blueprint(document()) == structure_blueprint({"$schema": "blueprint.json", **document()})

    def test_the_name_of_the_schema_is_a_string(self) -> None:
        assert [("wrong_type", '$["$schema"]')] == told({"$schema": 1, **document()})

    def test_the_version_is_always_written_and_defaults_are_not(self) -> None:
        assert {"id": "x", "flow": STEP, "schema_version": "0.1.0"} == blueprint_json(structure_blueprint(document()))

    def test_json_and_yaml_give_the_same_blueprint(self) -> None:
        value = document(
            agents=[{"name": "a", "kind": "lua", "spec": {"source": "return 1\n"}}], metadata={"tags": ["t"]}
        )
        text = json.dumps(value).encode()
        yaml = b"""
id: x
flow:
  kind: step
  ref: a
  in: &here {op: path, at: $.x}
  out: *here
agents:
  - name: a
    kind: lua
    spec:
      source: |
        return 1
metadata: {tags: [t]}
"""

        assert structure_blueprint(load_json(text, name="x").value) == structure_blueprint(
            load_yaml(yaml, name="x").value
        )

    def test_older_spellings_are_read_and_written_in_the_newest(self) -> None:
        flow = {"kind": "assign", "at": PATH, "value": {"op": "not", "operand": {"op": "le", "lhs": PATH, "rhs": PATH}}}

        written = blueprint_json(structure_blueprint(document(flow=flow)))["flow"]

        assert {
            "kind": "let",
            "at": "$.x",
            "value": {"op": "not", "arg": {"op": "lte", "lhs": PATH, "rhs": PATH}},
        } == written


class TestShape:
    @pytest.mark.parametrize("value", [[], "x", None, 5, True, [document()]])
    def test_bp3_the_top_level_is_an_object(self, value: Any) -> None:
        (problem,) = document_problems(value)

        assert ("wrong_type", "$") == (problem.code, problem.path)
        assert problem.message.startswith("expected an object, got ")

    @pytest.mark.parametrize(
        ("value", "path", "hint"),
        [
            (document(agnets=[]), "$.agnets", "did you mean 'agents'?"),
            (document(flow={"kind": "seq", "childern": []}), "$.flow.childern", "did you mean 'children'?"),
            (document(flow={**STEP, "timeout": 5}), "$.flow.timeout", None),
            (agents("a") | {"strategy": {"strict_ref": True}}, "$.strategy.strict_ref", "did you mean 'strict_refs'?"),
            (document(metadata={"origin": {"kind": "inline", "path": "x"}}), "$.metadata.origin.path", "known: kind"),
            (document(metadata={"tag": []}), "$.metadata.tag", "did you mean 'tags'?"),
            (document(hints={"per_agents": {}}), "$.hints.per_agents", "did you mean 'per_agent'?"),
            (document(hints={"global": {"retry": {"max": 1}}}), "$.hints.global.retry.max", None),
            (document(operators=[{"name": "o", "seat": 1}]), "$.operators[0].seat", None),
            (document(agents=[{"name": "a", "kind": "k", "verdicts": {}}]), "$.agents[0].verdicts", None),
            (document(agents=[{"name": "a", "kind": "k", "profile": {"tool": []}}]), "$.agents[0].profile.tool", None),
            (document(agents=[{"name": "a", "kind": "k", "meta": {"tag": []}}]), "$.agents[0].meta.tag", None),
            (document(spawner_hints={"layer": []}), "$.spawner_hints.layer", "did you mean 'layers'?"),
            (document(budget={"dispatchs": 5}), "$.budget.dispatchs", "did you mean 'dispatches'?"),
            (document(hints={"global": {"budget": {"atempts": 1}}}), "$.hints.global.budget.atempts", None),
            (document(hints={"global": {"budget": {"depth": 1}}}), "$.hints.global.budget.depth", None),
        ],
    )
    def test_bp20_row_32_an_unknown_field_is_refused_at_every_level(
        self, value: Any, path: str, hint: str | None
    ) -> None:
        problems = [problem for problem in document_problems(value) if problem.code == "unknown_field"]

        assert [path] == [problem.path for problem in problems]
        assert hint in (None, problems[0].hint)

    @pytest.mark.parametrize(
        ("value", "path"),
        [
            (document(id=5), "$.id"),
            (document(flow=[]), "$.flow"),
            (document(flow={**STEP, "in": "$.x"}), "$.flow.in"),
            (document(agents={}), "$.agents"),
            (document(agents=["a"]), "$.agents[0]"),
            (document(agents=None), "$.agents"),
            (document(agents=[{"name": "a", "kind": "k", "profile": {"tools": "x"}}]), "$.agents[0].profile.tools"),
            (document(strategy={"strict_refs": "true"}), "$.strategy.strict_refs"),
            (document(hints={"per_agent": {"a b": 1}}), '$.hints.per_agent["a b"]'),
            (document(metadata={"default_run_ttl_secs": 1.5}), "$.metadata.default_run_ttl_secs"),
            (document(spawner_hints={"layers": "audit"}), "$.spawner_hints.layers"),
            (document(default_operator_kind=1), "$.default_operator_kind"),
            (document(budget={"dispatches": "3"}), "$.budget.dispatches"),
            (document(budget={"wall_time": True}), "$.budget.wall_time"),
            (document(budget={"counters": {"tokens": "1e6"}}), "$.budget.counters.tokens"),
            (document(schema_version=0.1), "$.schema_version"),
        ],
    )
    def test_bp21_a_wrong_type_is_told_with_place_expected_and_got(self, value: Any, path: str) -> None:
        (problem,) = document_problems(value)

        assert ("wrong_type", path) == (problem.code, problem.path)
        assert problem.message.startswith("expected ")
        assert ", got " in problem.message

    @pytest.mark.parametrize(
        ("flow", "code", "path", "hint"),
        [
            ({"kind": "stp"}, "unknown_node_kind", "$.flow.kind", "step, seq, branch, fanout, loop, try, let"),
            ({"kind": "Step"}, "unknown_node_kind", "$.flow.kind", "kinds: step"),
            ({**STEP, "in": {"op": "pth"}}, "unknown_op", "$.flow.in.op", "did you mean 'path'?"),
            ({"kind": "seq", "children": [{"ref": "a"}]}, "missing_field", "$.flow.children[0]", "kinds: step"),
            ({}, "missing_field", "$.flow", "kinds: step"),
        ],
    )
    def test_bp22_an_unknown_kind_or_op_gets_the_list(self, flow: Any, code: str, path: str, hint: str) -> None:
        (problem,) = document_problems(document(flow=flow))

        assert (code, path) == (problem.code, problem.path)
        assert hint in (problem.hint or "")

    @pytest.mark.parametrize("field", ["default_operator_kind", "operators"])
    def test_bp22_a_word_out_of_a_closed_list_gets_the_nearest(self, field: str) -> None:
        value = "mainai" if field != "operators" else [{"name": "o", "kind": "mainai"}]

        (problem,) = document_problems(document(**{field: value}))

        assert ("bad_value", "did you mean 'main_ai'?") == (problem.code, problem.hint)

    def test_bp22_an_unknown_origin_gets_the_known_ones(self) -> None:
        (problem,) = document_problems(document(metadata={"origin": {"kind": "git"}}))

        assert ("unknown_kind", "$.metadata.origin.kind", "known: algo, file, inline") == (
            problem.code,
            problem.path,
            problem.hint,
        )


class TestVersions:
    @pytest.mark.parametrize("version", ["0.1.0", "0.1.7", "0.1.0-rc.1", "0.1.2+build.5"])
    def test_bp23_versions_of_this_line_are_read(self, version: str) -> None:
        assert version == structure_blueprint(document(schema_version=version)).schema_version

    @pytest.mark.parametrize(
        "version", ["0.2.0", "1.0.0", "0.0.5", "0.10.0", "abc", "", "0.1", "v0.1.0", "00.1.0", "0.1.0\n"]
    )
    def test_bp23_other_versions_are_refused_with_what_is_supported(self, version: str) -> None:
        (problem,) = document_problems(document(schema_version=version))

        assert ("schema_version", "$.schema_version") == (problem.code, problem.path)
        assert "this version reads 0.1.x" == problem.hint

    def test_bp23_a_missing_version_is_the_first_one(self) -> None:
        assert "0.1.0" == structure_blueprint(document()).schema_version


class TestNames:
    @pytest.mark.parametrize(
        "name",
        [
            "../x",
            "a|b",
            "a,b",
            "*",
            "",
            "x" * 10_000,
            "x" * 65,
            "a\u202eb",
            ".a",
            "-a",
            "a b",
            "a/b",
            "é",
            "a\n",
            "a\0",
            " a",
        ],
    )
    def test_bp26_an_agents_name_is_a_plain_word(self, name: str) -> None:
        (problem,) = document_problems(agents(name))

        assert ("bad_name", "$.agents[0].name") == (problem.code, problem.path)
        assert len(str(problem)) < 300
        assert "letters, digits" in (problem.hint or "")

    @pytest.mark.parametrize("name", ["a", "A1", "code-reviewer", "v1.2_b", "x" * 64])
    def test_bp26_plain_words_are_names(self, name: str) -> None:
        assert name == structure_blueprint(agents(name)).agents[0].name

    @pytest.mark.parametrize("text", ["", " ", "a\0b", "a\x1bb", " a", "a ", "a\u202eb", "x" * 201, "a\nb"])
    @pytest.mark.parametrize("place", ["$.id", "$.operators[0].name"])
    def test_bp16_other_names_are_printable(self, place: str, text: str) -> None:
        value = document(id=text) if place == "$.id" else document(operators=[{"name": text}])

        assert [("bad_name", place)] == told(value)

    @pytest.mark.parametrize("text", ["größe", "team/plan v2", "企画", "x" * 200])
    def test_bp16_names_of_people_and_projects_are_fine(self, text: str) -> None:
        assert text == structure_blueprint(document(id=text)).id

    def test_bp16_a_nul_in_a_path_is_refused(self) -> None:
        value = document(
            flow={**STEP, "out": {"op": "path", "at": '$["a\0b"]'}},
            metadata={"origin": {"kind": "file", "path": "a\0"}},
        )

        assert [("bad_path", "$.flow.out.at"), ("bad_path", "$.metadata.origin.path")] == told(value)

    def test_bp16_a_nul_in_a_text_is_text(self) -> None:
        value = document(agents=[{"name": "a", "kind": "k", "profile": {"system_prompt": "a\0b"}}])

        profile = structure_blueprint(value).agents[0].profile

        assert profile is not None
        assert "a\0b" == profile.system_prompt

    @pytest.mark.parametrize(
        ("first", "second", "message"),
        [
            ("plan", "plan", "two agents are named 'plan'"),
            ("plan", "Plan", "agents 'plan' and 'Plan' differ only in case"),
            ("plan", "plan ", "agents 'plan' and 'plan ' differ only in"),
            ("caf\u00e9", "cafe\u0301", "differ only in case, blanks or accents"),
            ("strasse", "stra\u00dfe", "differ only in case"),
        ],
    )
    def test_bp25_row_34_two_agents_of_one_name_are_refused(self, first: str, second: str, message: str) -> None:
        problems = [p for p in document_problems(agents("other", first, second)) if p.code == "duplicate_agent"]

        assert ["$.agents[2].name"] == [problem.path for problem in problems]
        assert message in problems[0].message
        assert "$.agents[1]" in (problems[0].hint or "")

    def test_bp25_a_third_agent_of_the_name_is_told_too(self) -> None:
        assert [("duplicate_agent", "$.agents[1].name"), ("duplicate_agent", "$.agents[2].name")] == told(
            agents("a", "a", "A")
        )

    def test_bp25_two_operators_of_one_name_are_refused(self) -> None:
        value = document(operators=[{"name": "main"}, {"name": "Main"}])

        assert [("duplicate_operator", "$.operators[1].name")] == told(value)

    def test_bp25_an_agent_and_an_operator_may_share_a_name(self) -> None:
        assert () == document_problems(agents("main") | {"operators": [{"name": "main"}]})


class TestFlowLimits:
    def test_bp29_more_than_ten_thousand_nodes_are_refused(self) -> None:
        flow = {"kind": "seq", "children": [STEP] * 10_000}

        assert "too_many_nodes" in [code for code, _ in told(document(flow=flow))]

    def test_bp29_ten_thousand_nodes_are_read(self) -> None:
        flow = {"kind": "seq", "children": [STEP] * 9_999}

        blueprint = structure_blueprint(document(flow=flow))

        assert isinstance(blueprint.flow, Seq)
        assert 9_999 == len(blueprint.flow.children)

    @pytest.mark.parametrize("levels", [201, 5_000])
    def test_bp29_nesting_of_more_than_200_levels_is_refused(self, levels: int) -> None:
        flow: Any = STEP
        for _ in range(levels):
            flow = {"kind": "seq", "children": [flow]}

        assert ["too_deep"] == [code for code, _ in told(document(flow=flow))]

    def test_bp29_a_flow_of_200_levels_passes_the_loader_too(self) -> None:
        flow: Any = {"kind": "seq", "children": []}
        for _ in range(199):
            flow = {"kind": "seq", "children": [flow]}
        text = json.dumps(document(flow=flow)).encode()

        assert structure_blueprint(load_json(text, name="x").value) == structure_blueprint(
            load_yaml(text, name="x").value
        )

    @pytest.mark.parametrize("most", [-1, 2**40, 1.5, "3", True, None, 2.0])
    def test_bp31_a_loop_has_a_count(self, most: Any) -> None:
        flow = {"kind": "loop", "counter": PATH, "cond": {"op": "lit", "value": 1}, "body": STEP, "max": most}

        (problem,) = document_problems(document(flow=flow))

        assert "$.flow.max" == problem.path
        assert problem.code in ("wrong_type", "out_of_range")

    @pytest.mark.parametrize("most", [0, 1, 2**32 - 1])
    def test_bp31_counts_from_none_to_four_thousand_million_are_read(self, most: int) -> None:
        flow = {"kind": "loop", "counter": PATH, "cond": {"op": "lit", "value": 1}, "body": STEP, "max": most}

        loop = structure_blueprint(document(flow=flow)).flow

        assert isinstance(loop, Loop)
        assert most == loop.max


class TestPlaces:
    TEXT = b"""id: x
flow:
  kind: seq
  children:
    - kind: step
      ref: a
      in: {op: pth}
agents:
  - name: a
    kind: lua
  - kind: lua
    name: A
    profile:
      model: 5
extra: 1
"""

    def test_problems_have_file_line_and_column_in_the_order_of_the_text(self, problems_of) -> None:
        loaded = load_yaml(self.TEXT, name="bp.yaml")

        problems = problems_of(structure_blueprint, loaded.value, positions=loaded.positions, name="bp.yaml")

        assert [
            ("missing_field", 5, 7),
            ("unknown_op", 7, 12),
            ("duplicate_agent", 12, 5),
            ("wrong_type", 14, 7),
            ("unknown_field", 15, 1),
        ] == [(p.code, p.line, p.column) for p in problems]
        assert {"bp.yaml"} == {problem.file for problem in problems}
        assert str(problems[1]).startswith("bp.yaml:7:12: $.flow.children[0].in.op: ")

    def test_the_places_are_those_of_json_too(self, problems_of) -> None:
        loaded = load_json(b'{"id": "x",\n "flow": {"kind": "seq",\n  "children": [{}]}}', name="bp.json")

        (problem,) = problems_of(structure_blueprint, loaded.value, positions=loaded.positions, name="bp.json")

        assert ("bp.json", 3, 16) == (problem.file, problem.line, problem.column)

    def test_data_has_no_lines(self) -> None:
        (problem,) = document_problems(document(x=1))

        assert (None, None, None) == (problem.file, problem.line, problem.column)

    @pytest.mark.parametrize(
        ("path", "place"),
        [
            ("$.agents[1].profile.model", (14, 7)),
            ("$.agents[1].profile.tools[3]", (13, 5)),
            ("$.agents[7].name", (8, 1)),
            ('$.agents["x"].y', (8, 1)),
            ("$.nowhere", (1, 1)),
            ("$", (1, 1)),
        ],
    )
    def test_a_place_that_is_unknown_has_the_line_of_what_is_around_it(self, path: str, place: tuple[int, int]) -> None:
        assert place == locate(load_yaml(self.TEXT, name="x").positions, path)

    def test_later_checks_can_place_their_problems_too(self) -> None:
        positions = load_yaml(self.TEXT, name="x").positions
        problem = Problem(code="unknown_kind", message="no such kind", path="$.agents[0].kind")

        placed = with_place(problem, positions, "bp.yaml")

        assert "bp.yaml:10:5: $.agents[0].kind: no such kind" == str(placed)


def test_a_model_made_by_hand_is_written_as_its_document() -> None:
    blueprint = Blueprint(
        id="x",
        flow=Step(ref="a", in_=Lit(value=None), out=Path(at="$.y")),
        agents=(AgentDef(name="a", kind="function"),),
    )

    assert {
        "id": "x",
        "flow": {"kind": "step", "ref": "a", "in": {"op": "lit", "value": None}, "out": {"op": "path", "at": "$.y"}},
        "schema_version": "0.1.0",
        "agents": [{"name": "a", "kind": "function"}],
    } == blueprint_json(blueprint)


def test_an_origin_is_told_by_its_kind() -> None:
    blueprint = structure_blueprint(document(metadata={"origin": {"kind": "file", "path": "a/b.yaml"}}))

    assert FileOrigin(path="a/b.yaml") == blueprint.metadata.origin

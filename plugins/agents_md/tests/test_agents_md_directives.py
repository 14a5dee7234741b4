"""`$agent_md` and `$agents_md` in a Blueprint: what stands in their place, and what is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import swarm_plugin_agents_md
from swarm_plugin_agents_md.directives import expand_agent, expand_agents

from swarm_core.errors import DocumentError
from swarm_core.model.problem import Problem
from swarm_core.testing import check_plugin

AGENT = "---\nname: {name}\n---\nYou are {name}.\n"


def agent(name: str) -> str:
    return AGENT.format(name=name)


class Files:
    """Files as a directive sees them, out of a mapping; notes are kept."""

    def __init__(self, files: Mapping[str, bytes | str], document: Mapping[str, Any] | None = None) -> None:
        self.files, self.document = files, document or {}
        self.notes: list[Problem] = []

    def __call__(self, path: str) -> bytes:
        if path not in self.files:
            raise DocumentError([Problem(code="not_found", message=f"there is no file {path!r}")])
        content = self.files[path]
        return content if isinstance(content, bytes) else content.encode()

    def find(self, pattern: str) -> Sequence[str]:
        return sorted(path for path in self.files if Path(path).match(pattern))

    def note(self, problem: Problem) -> None:
        self.notes.append(problem)


class TestOneFile:
    def test_an_agent_takes_the_directives_place(self) -> None:
        made = expand_agent("a.md", {}, Files({"a.md": agent("a")}))

        assert ("a", "operator", "You are a.\n") == (made["name"], made["kind"], made["profile"]["system_prompt"])

    def test_row_41_af54_siblings_go_over_what_the_file_says(self) -> None:
        siblings = {"name": "b", "kind": "llm", "spec": {"x": 1}, "meta": {"tags": ["t"]}}

        made = expand_agent("a.md", siblings, Files({"a.md": agent("a")}, {"default_agent_kind": "lua"}))

        assert siblings == {key: made[key] for key in siblings}
        assert "You are a.\n" == made["profile"]["system_prompt"]

    @pytest.mark.parametrize(("default", "kind"), [("lua", "lua"), (None, "operator"), (5, "operator")])
    def test_row_41_the_kind_is_the_blueprints_default_else_operator(self, default: Any, kind: str) -> None:
        document = {} if default is None else {"default_agent_kind": default}

        assert kind == expand_agent("a.md", {}, Files({"a.md": agent("a")}, document))["kind"]

    def test_a_profile_beside_it_replaces_all_and_that_is_told(self) -> None:
        files = Files({"a.md": agent("a")})

        made = expand_agent("a.md", {"profile": {"model": "x"}}, files)

        assert {"model": "x"} == made["profile"]
        assert ["profile_replaced"] == [note.code for note in files.notes]

    @pytest.mark.parametrize("value", [5, None, ["a.md"], {}])
    def test_its_value_is_a_path(self, value: Any) -> None:
        with pytest.raises(ValueError, match="its value is the path of an agent file"):
            expand_agent(value, {}, Files({}))


class TestFolder:
    def test_the_files_of_a_folder_come_sorted_and_siblings_go_over_each(self) -> None:
        files = Files({"x/b.md": agent("b"), "x/a.md": agent("a"), "x/n.txt": "", "y/c.md": agent("c")})

        made = expand_agents("x", {"kind": "llm"}, files)

        assert [("a", "llm"), ("b", "llm")] == [(one["name"], one["kind"]) for one in made]
        assert made == expand_agents("x/", {"kind": "llm"}, files) == expand_agents("x/*.md", {"kind": "llm"}, files)

    def test_one_file_is_a_folder_of_one(self) -> None:
        assert ["a"] == [one["name"] for one in expand_agents("x/a.md", {}, Files({"x/a.md": agent("a")}))]

    def test_files_without_front_matter_are_skipped_with_a_note(self) -> None:
        files = Files({"x/README.md": "hello", "x/a.md": agent("a")})

        assert ["a"] == [one["name"] for one in expand_agents("x", {}, files)]
        assert [("no_frontmatter", "note", "x/README.md")] == [
            (note.code, str(note.severity), note.file) for note in files.notes
        ]

    def test_af59_two_files_with_one_name_are_both_named(self) -> None:
        files = Files({"x/a.md": agent("same"), "x/b.md": "---\nmodel: m\nname: Same\n---\n"})

        with pytest.raises(DocumentError) as caught:
            expand_agents("x", {}, files)

        (problem,) = caught.value.problems
        assert ("duplicate_agent", "x/b.md", 3) == (problem.code, problem.file, problem.line)
        assert "'x/a.md'" in problem.message

    def test_the_problems_of_all_files_are_told_at_once(self) -> None:
        files = Files({"x/a.md": "---\nmodel: 5\n---\n", "x/b.md": "---\n", "x/c.md": agent("c")})

        with pytest.raises(DocumentError) as caught:
            expand_agents("x", {}, files)

        assert [("missing_name", "x/a.md"), ("wrong_type", "x/a.md"), ("frontmatter_unclosed", "x/b.md")] == [
            (problem.code, problem.file) for problem in caught.value.problems
        ]

    @pytest.mark.parametrize("files", [{}, {"x/README.md": "hello"}])
    def test_a_folder_without_agents_is_refused(self, files: dict[str, str]) -> None:
        with pytest.raises(DocumentError) as caught:
            expand_agents("x", {}, Files(files))

        assert ["not_found"] == [problem.code for problem in caught.value.problems]

    @pytest.mark.parametrize(("value", "siblings"), [(5, {}), ("", {}), ("x", {"name": "a"})])
    def test_what_makes_no_sense_is_refused(self, value: Any, siblings: dict[str, Any]) -> None:
        with pytest.raises(ValueError):
            expand_agents(value, siblings, Files({"x/a.md": agent("a")}))


class TestBlueprint:
    """Black box: `swarm check` on files."""

    SPEC: dict[str, Any] = {"kind": "function", "spec": {"fn_id": "identity"}}  # noqa: RUF012

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "agents/sub").mkdir(parents=True)
        for name in ("one", "two"):
            (tmp_path / f"agents/{name}.md").write_text(agent(name))
        (tmp_path / "agents/sub/three.md").write_text(agent("three"))
        return tmp_path

    def flow(self, *agents: str) -> dict[str, Any]:
        path = {"op": "path", "at": "$"}
        return {"kind": "seq", "children": [{"kind": "step", "ref": name, "in": path, "out": path} for name in agents]}

    @pytest.mark.parametrize(
        ("agents", "names"),
        [
            ([{"$agent_md": "agents/one.md", **SPEC}], ["one"]),
            ({"$agents_md": "agents", **SPEC}, ["one", "two"]),
            ([{"name": "own", **SPEC}, {"$agents_md": "agents", **SPEC}], ["own", "one", "two"]),
            ([{"$agents_md": "agents/**/*.md", **SPEC}, {"name": "own", **SPEC}], ["one", "two", "three", "own"]),
        ],
    )
    def test_agents_come_from_files_alone_in_place_of_all_and_among_others(
        self, agents: Any, names: list[str], check: Any
    ) -> None:
        assert [] == check(agents, flow=self.flow(*names))

    def test_row_41_the_default_kind_of_the_blueprint_counts(self, check: Any) -> None:
        (problem,) = check([{"$agent_md": "agents/one.md"}], default_agent_kind="nowhere")

        assert "unknown_kind" == problem["code"]
        assert "'nowhere'" in problem["message"]

    @pytest.mark.parametrize(
        ("path", "code"),
        [
            ("/etc/passwd", "ref_outside"),
            ("../x.md", "ref_outside"),
            ("agents/../../x.md", "ref_outside"),
            ("agents/link.md", "ref_symlink"),
            ("linked/one.md", "ref_symlink"),
            ("agents/pipe.md", "ref_not_regular"),
            ("agents/hard.md", "ref_outside"),
            ("agents", "ref_not_regular"),
            ("missing.md", "not_found"),
            ("agents/huge.md", "too_large"),
        ],
    )
    def test_row_40_p26_af53_files_are_read_below_the_folder_and_within_limits(
        self, path: str, code: str, check: Any, folder: Path
    ) -> None:
        (folder / "agents/link.md").symlink_to("one.md")
        (folder / "linked").symlink_to("agents")
        os.mkfifo(folder / "agents/pipe.md")
        (folder / "secret").write_text("TOP-SECRET")
        os.link(folder / "secret", folder / "agents/hard.md")
        (folder / "agents/huge.md").write_text(agent("huge") + "x" * 5 * 1024 * 1024)

        (problem,) = check([{"$agent_md": path, **self.SPEC}])

        assert (code, "bp.json") == (problem["code"], problem["file"])

    @pytest.mark.parametrize("value", ["linked", "agents/*.md", "l*/*.md", "**/*.md"])
    def test_row_40_p26_a_folder_is_looked_through_as_carefully_as_a_file_is_read(
        self, value: str, check: Any, folder: Path
    ) -> None:
        (folder / "linked").symlink_to("agents")
        (folder / "agents/link.md").symlink_to("one.md")

        problems = check({"$agents_md": value, **self.SPEC})

        assert ["ref_symlink"] == [problem["code"] for problem in problems]

    def test_row_42_problems_name_the_file_its_line_and_what_to_do(self, check: Any, folder: Path) -> None:
        (folder / "agents/one.md").write_text("---\nmodel: x\n---\n")
        (folder / "agents/two.md").write_text("nothing")

        found = check([{"$agent_md": f"agents/{name}.md", **self.SPEC} for name in ("one", "two")])

        assert [("missing_name", "agents/one.md", 2), ("no_frontmatter", "agents/two.md", 1)] == [
            (problem["code"], problem["file"], problem["line"]) for problem in found
        ]
        assert all(problem["hint"] for problem in found)

    def test_af60_a_file_name_cannot_steer_the_terminal(self, swarm: Any, folder: Path) -> None:
        name = "agents/\x1b[31m\nred.md"
        (folder / name).write_text("nothing")
        blueprint = {"id": "bp", "flow": self.flow(), "agents": [{"$agent_md": name}]}
        (folder / "bp.json").write_text(json.dumps(blueprint))

        told = swarm("check", "bp.json")

        assert 3 == told.code
        assert "\x1b" not in told.out + told.err
        assert "\\x1b[31m\\nred.md:1:" in told.out

    def test_fr49_a_thousand_files_are_the_most_that_a_blueprint_refers_to(self, check: Any, folder: Path) -> None:
        (folder / "many").mkdir()
        for number in range(1_001):
            (folder / "many" / f"{number}.md").write_text(agent(f"a{number}"))

        assert "too_many_refs" in {problem["code"] for problem in check({"$agents_md": "many", **self.SPEC})}


class TestPlugin:
    def test_it_keeps_the_contract_of_plugins(self) -> None:
        catalog = check_plugin(swarm_plugin_agents_md)

        assert {"$agent_md", "$agents_md"} == set(catalog.directives)

    def test_the_schema_lets_its_directives_stand_for_agents(self, swarm: Any) -> None:
        schema = swarm("schema").out

        assert '"$agent_md"' in schema
        assert '"$agents_md"' in schema

"""What an agent file says, and what is said of one that is wrong."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swarm_plugin_agents_md.agent_file import AgentFile, read_agent_file

from swarm_core.errors import DocumentError
from swarm_core.model.problem import Problem, Severity

WHOLE = """---
name: code-reviewer
description: "  Reads changes.  "
model: sonnet
effort: high
tools: Read, Grep, Bash(git diff, git log)
disallowedTools: [Write]
permissionMode: plan
maxTurns: 5
mcpServers: {files: {command: node}}
---
You review.
"""


def read(text: str | bytes) -> AgentFile:
    return read_agent_file(text if isinstance(text, bytes) else text.encode(), "a.md")


def refused(text: str | bytes) -> list[Problem]:
    with pytest.raises(DocumentError) as caught:
        read(text)
    assert {"a.md"} == {problem.file for problem in caught.value.problems}
    return list(caught.value.problems)


class TestFields:
    def test_every_field_lands_where_a_blueprint_has_it(self) -> None:
        agent = read(WHOLE)

        assert ("code-reviewer", 2, ()) == (agent.name, agent.line, agent.notes)
        assert agent.profile == {
            "system_prompt": "You review.\n",
            "description": "Reads changes.",
            "model": "sonnet",
            "effort": "high",
            "tools": ["Read", "Grep", "Bash(git diff, git log)"],
            "extras": {
                "disallowedTools": ["Write"],
                "permissionMode": "plan",
                "maxTurns": 5,
                "mcpServers": {"files": {"command": "node"}},
            },
            "version_hash": sha256(b"You review.\n").hexdigest(),
        }

    def test_a_name_is_enough(self) -> None:
        assert {"system_prompt", "version_hash"} == set(read("---\nname: a\n---\n").profile)

    @pytest.mark.parametrize(
        ("tools", "said"),
        [
            ("A, B", ["A", "B"]),
            ("[A, B]", ["A", "B"]),
            ("\n  - A\n  - ' B '", ["A", "B"]),
            ("A,,B,", ["A", "B"]),
            ("'*'", ["*"]),
            ("'Agent(one, two), Bash(x(y, z))'", ["Agent(one, two)", "Bash(x(y, z))"]),
            ("'A), B'", ["A)", "B"]),
            ("null", []),
            ("[]", []),
            ("''", []),
        ],
    )
    def test_row_42_af55_tools_are_a_text_with_commas_or_a_list(self, tools: str, said: list[str]) -> None:
        assert said == list(read(f"---\nname: a\ntools: {tools}\n---\n").profile.get("tools", []))

    @pytest.mark.parametrize("tools", ["5", "true", "{a: 1}", "[A, 5]", "[[A]]"])
    def test_af55_other_tools_are_refused(self, tools: str) -> None:
        (problem,) = refused(f"---\nname: a\ntools: {tools}\n---\n")

        assert ("wrong_type", "$.tools", 3) == (problem.code, problem.path, problem.line)

    def test_a_model_that_is_inherited_says_nothing(self) -> None:
        assert "model" not in read("---\nname: a\nmodel: inherit\n---\n").profile

    @pytest.mark.parametrize("key", ["name", "description", "model", "effort"])
    def test_a_text_of_another_type_is_refused_where_it_stands(self, key: str) -> None:
        first = "" if key == "name" else "name: a\n"
        (problem,) = refused(f"---\n{first}# so\n{key}: 5\n---\n")

        assert ("wrong_type", f"$.{key}", 3 + bool(first)) == (problem.code, problem.path, problem.line)

    def test_all_that_is_wrong_is_told_at_once(self) -> None:
        assert ["$.name", "$.description", "$.tools"] == [
            problem.path for problem in refused("---\ndescription: 1\nname: 2\ntools: 3\n---\n")
        ]

    def test_af56_an_unknown_field_is_kept_and_one_that_looks_misspelt_is_told(self) -> None:
        agent = read("---\nname: a\ndescripton: x\ncolour: red\n---\n")

        assert {"descripton": "x", "colour": "red"} == agent.profile["extras"]
        assert [("$.descripton", Severity.WARNING, 3)] == [
            (note.path, note.severity, note.line) for note in agent.notes
        ]
        assert "did you mean 'description'?" == agent.notes[0].hint

    def test_a_field_that_belongs_into_the_blueprint_is_told(self) -> None:
        (note,) = read("---\nname: a\nkind: llm\n---\n").notes

        assert "write kind beside $agent_md in the Blueprint" == note.hint

    def test_fields_of_claude_code_are_no_slips(self) -> None:
        names = "background color hooks initialPrompt isolation maxTurns mcpServers memory permissionMode skills"
        text = "\n".join(f"{name}: x" for name in names.split())

        assert () == read(f"---\nname: a\n{text}\n---\n").notes


class TestBody:
    @given(st.text())
    def test_row_42_af58_the_body_is_kept_byte_for_byte(self, body: str) -> None:
        agent = read(f"---\nname: a\n---\n{body}".encode("utf-8", "surrogatepass")) if _is_utf8(body) else None

        assert agent is None or body == agent.profile["system_prompt"]

    @pytest.mark.parametrize(
        "body", ["{{ x }} {0.__class__} %(x)s ${IFS}", "---\nname: b\n---\n", "\n\n  x", "a\r\nb\0"]
    )
    def test_af58_nothing_in_it_means_anything(self, body: str) -> None:
        assert body == read(f"---\nname: a\n---\n{body}").profile["system_prompt"]

    def test_row_42_its_hash_depends_on_nothing_else(self) -> None:
        one, other = read("---\nname: a\n---\nbody"), read("---\nmodel: x\nname: b\n---\nbody")

        assert one.profile["version_hash"] == other.profile["version_hash"]
        assert one.profile["version_hash"] != read("---\nname: a\n---\nbody\n").profile["version_hash"]

    def test_af57_line_ends_of_windows_and_tabs_make_no_difference_to_the_fields(self) -> None:
        unix, windows = read(WHOLE), read(WHOLE.replace("\n", "\r\n"))
        odd = read("---\t\nname: a\ndescription:\tx\n--- \n")

        assert {**windows.profile, "system_prompt": "", "version_hash": ""} == {
            **unix.profile, "system_prompt": "", "version_hash": "",
        }  # fmt: skip
        assert "You review.\r\n" == windows.profile["system_prompt"]
        assert "x" == odd.profile["description"]

    @pytest.mark.parametrize("text", ["---\nname: a\n---", "---\nname: a\n---\n"])
    def test_af57_a_file_may_end_with_its_front_matter(self, text: str) -> None:
        assert "" == read(text).profile["system_prompt"]

    def test_a_byte_order_mark_is_looked_over(self) -> None:
        assert "x" == read(b"\xef\xbb\xbf---\nname: a\n---\nx").profile["system_prompt"]


class TestRefusals:
    @pytest.mark.parametrize(
        "text", ["", "hello", "--\nname: a\n--\n", " ---\nname: a\n---\n", "----\nname: a\n---\n", "\n---\n"]
    )
    def test_row_42_af50_a_file_without_front_matter_is_refused(self, text: str) -> None:
        (problem,) = refused(text)

        assert ("no_frontmatter", 1) == (problem.code, problem.line)

    @pytest.mark.parametrize("text", ["---\nname: a\n", "---\nname: a\n--- not\n", "---\nname: a\n ---\n"])
    def test_af51_front_matter_that_is_never_closed_is_refused(self, text: str) -> None:
        (problem,) = refused(text)

        assert ("frontmatter_unclosed", 1) == (problem.code, problem.line)

    @pytest.mark.parametrize("front", ["", "# a comment\n", "model: x\n", "name:\n", "name: ''\n", "null\n"])
    def test_row_42_a_file_without_a_name_is_refused(self, front: str) -> None:
        (problem,) = refused(f"---\n{front}---\nbody")

        assert ("missing_name", "$.name") == (problem.code, problem.path)

    @pytest.mark.parametrize("name", ["a b", "../a", "a/b", "-a", "x" * 65, '"a\\nb"', '"\\e[31m"'])
    def test_af60_a_name_that_no_step_could_write_is_refused(self, name: str) -> None:
        (problem,) = refused(f"---\nmodel: x\nname: {name}\n---\n")

        assert ("bad_name", 3) == (problem.code, problem.line)
        assert problem.message.isprintable()

    @pytest.mark.parametrize("front", ["- a\n- b\n", "just a text\n", "5\n"])
    def test_af52_front_matter_that_is_no_mapping_is_refused(self, front: str) -> None:
        (problem,) = refused(f"---\n{front}---\n")

        assert ("wrong_type", 2) == (problem.code, problem.line)

    @pytest.mark.parametrize(
        ("front", "code", "line"),
        [
            ("name: a\nmodel: x\nname: b\n", "duplicate_key", 4),
            ("name: &a x\nmodel: *a\n", "alias_limit", 3),
            ("name: [\n", "yaml_syntax", 3),
            ("name: !!python/name:os.system x\n", "bad_tag", 2),
            ("name: a\n<<: {model: x}\n", "merge_key", 3),
            ("name: a\nx: .nan\n", "bad_number", 3),
        ],
    )
    def test_bad_yaml_is_refused_in_the_lines_of_the_file(self, front: str, code: str, line: int) -> None:
        problem = refused(f"---\n{front}---\nbody\n")[0]

        assert (code, line) == (problem.code, problem.line)

    def test_a_colon_in_a_text_is_explained(self) -> None:
        (problem,) = refused("---\nname: a\ndescription: Use it. Example: a user says x\n---\n")

        assert ("yaml_syntax", 3) == (problem.code, problem.line)
        assert "stands in quotes" in (problem.hint or "")

    def test_front_matter_has_a_size(self) -> None:
        assert ["too_large"] == [problem.code for problem in refused("---\nname: a\nx: " + "y" * 70_000 + "\n---\n")]

    def test_a_body_that_is_not_utf8_is_refused_in_its_line(self) -> None:
        (problem,) = refused(b"---\nname: a\n---\nfine\ncaf\xe9\n")

        assert ("not_utf8", 5) == (problem.code, problem.line)

    @given(st.binary())
    def test_whatever_a_file_holds_it_is_read_or_refused_with_a_code(self, data: bytes) -> None:
        for text in (data, b"---\n" + data, b"---\nname: a\n" + data + b"\n---\n" + data):
            try:
                read_agent_file(text, "a.md")
            except DocumentError as error:
                assert all(problem.code and problem.line for problem in error.problems)


def _is_utf8(text: Any) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

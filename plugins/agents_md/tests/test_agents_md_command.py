"""`swarm agents`: what stands in a folder, and what is wrong with it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents/a.md").write_text(
        "---\nname: reviewer\ndescription: Reads\nmodel: m\ntools: [Read]\ncolor: red\n---\nHi.\n"
    )
    (tmp_path / "agents/notes.txt").write_text("no Markdown")
    return tmp_path


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"agents/{name}.md").write_text(text)


def test_agents_are_listed_with_what_their_files_say(swarm: Any, folder: Path) -> None:
    done = swarm("agents")

    assert (0, "") == (done.code, done.err)
    head, row = done.out.splitlines()
    assert ["agent", "description", "model", "tools", "state", "file"] == head.split()
    assert ["reviewer", "Reads", "m", "Read", "ok", "a.md"] == row.split()


def test_json_has_everything_but_the_prompt(swarm: Any, folder: Path) -> None:
    listed = json.loads(swarm("agents", "agents", "--json").out)

    (agent,) = listed["agents"]
    assert 64 == len(agent.pop("version_hash"))
    assert agent == {
        "file": "agents/a.md", "name": "reviewer", "description": "Reads", "model": "m", "effort": None,
        "tools": ["Read"], "extras": {"color": "red"}, "prompt_bytes": 4,
    }  # fmt: skip
    assert ("agents", []) == (listed["folder"], listed["problems"])


def test_what_is_wrong_is_told_file_by_file(swarm: Any, folder: Path) -> None:
    write(folder, b="---\nname: REVIEWER\n---\n", c="---\n", README="hello", d="---\nname: d\nmodle: x\n---\n")
    (folder / "agents/e.md").symlink_to("a.md")
    os.mkfifo(folder / "agents/f.md")

    done, told = swarm("agents"), json.loads(swarm("agents", "--json").out)

    assert 3 == done.code
    assert {
        ("agents/README.md", "no_frontmatter", "note"),
        ("agents/b.md", "duplicate_agent", "error"),
        ("agents/c.md", "frontmatter_unclosed", "error"),
        ("agents/d.md", "frontmatter_field", "warning"),
        ("agents/e.md", "ref_symlink", "error"),
        ("agents/f.md", "ref_not_regular", "error"),
    } == {(problem["file"], problem["code"], problem["severity"]) for problem in told["problems"]}
    assert "error: agents/c.md:1: $: the front matter that begins here does not end" in done.err


def test_notes_and_warnings_alone_are_no_failure(swarm: Any, folder: Path) -> None:
    write(folder, README="hello", d="---\nname: d\nmodle: x\n---\n")

    assert 0 == swarm("agents").code


def test_a_folder_without_agents_is_told(swarm: Any, tmp_path: Path) -> None:
    done = swarm("agents", str(tmp_path))

    assert 0 == done.code
    assert "none: no file here ends with .md" in done.out


@pytest.mark.parametrize("name", ["nowhere", "agents/a.md"])
def test_what_is_no_folder_is_not_found(name: str, swarm: Any, folder: Path) -> None:
    done = swarm("agents", name)

    assert 4 == done.code
    assert f"error: {name}: " in done.err

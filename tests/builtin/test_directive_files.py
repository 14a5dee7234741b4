"""What directives may look at: files by pattern, the Blueprint's own fields; and what they may put in an array."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_core.builtin.expansion import expand
from swarm_core.builtin.files import FileLimits, Folder
from swarm_core.builtin.finding import find
from swarm_core.builtin.splicing import spliced
from swarm_core.codec import load_yaml, locate
from swarm_core.contracts import Source
from swarm_core.errors import DocumentError
from swarm_core.factories import DirectiveFactory
from swarm_core.model.problem import Problem

FOUND = DirectiveFactory("$found", lambda value, siblings, opener: opener.find(value), splices=True)
READ = DirectiveFactory(
    "$all", lambda value, siblings, opener: [opener(path).decode() for path in opener.find(value)], splices=True
)
TIMES = DirectiveFactory(
    "$times", lambda value, siblings, opener: [{"n": n, **siblings} for n in range(value)], siblings=True, splices=True
)
DIRECTIVES = {factory.name: factory for factory in (FOUND, READ, TIMES)}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Return a folder with Markdown files in `agents` and below, and a secret beside it."""
    folder = tmp_path / "project"
    (folder / "agents/deep/er").mkdir(parents=True)
    for name in ("b.md", "a.md", "C.md", ".hidden.md", "notes.txt", "deep/d.md", "deep/er/e.md"):
        (folder / "agents" / name).write_text(name)
    (tmp_path / "secret.md").write_text("TOP-SECRET")
    return folder


@pytest.fixture
def found(base: Path) -> Callable[[str], list[str]]:
    def call(pattern: str, limits: FileLimits | None = None) -> list[str]:
        with Folder(base, *([limits] if limits else [])) as folder:
            return find(folder, pattern)

    return call


def code_of(act: Callable[[], Any]) -> str:
    with pytest.raises(DocumentError) as caught:
        act()
    (problem,) = caught.value.problems
    return problem.code


def expanded(base: Path | None, value: Any) -> Any:
    return expand(Source(value=value, name="bp.json", base=base, positions={}), DIRECTIVES).value


class TestPatterns:
    @pytest.mark.parametrize(
        ("pattern", "paths"),
        [
            ("agents/*.md", ["agents/C.md", "agents/a.md", "agents/b.md"]),
            ("./agents//?.md", ["agents/C.md", "agents/a.md", "agents/b.md"]),
            ("agents/[ab].md", ["agents/a.md", "agents/b.md"]),
            ("agents/.*.md", ["agents/.hidden.md"]),
            ("*/a.md", ["agents/a.md"]),
            ("agents/*/*.md", ["agents/deep/d.md"]),
            ("agents/**/e.md", ["agents/deep/er/e.md"]),
            ("**/[de].md", ["agents/deep/d.md", "agents/deep/er/e.md"]),
            ("agents/**/**/a.md", ["agents/a.md"]),
            ("agents/a.md", ["agents/a.md"]),
            ("agents/*.yaml", []),
            ("agents/a.md/*", None),
            ("nowhere/*.md", None),
        ],
    )
    def test_files_are_found_sorted(self, pattern: str, paths: list[str] | None, found: Any) -> None:
        if paths is None:
            assert "not_found" == code_of(lambda: found(pattern))
        else:
            assert paths == found(pattern)

    @pytest.mark.parametrize("pattern", ["/etc/*", "../*.md", "agents/../../*.md", "..\\*.md", "C:\\*"])
    def test_p26_patterns_stay_below_the_folder(self, pattern: str, found: Any) -> None:
        assert "ref_outside" == code_of(lambda: found(pattern))

    @pytest.mark.parametrize("pattern", ["", "a\0*", 5, None])
    def test_p26_what_can_be_no_pattern_is_refused(self, pattern: Any, found: Any) -> None:
        assert "bad_path" == code_of(lambda: found(pattern))

    @pytest.mark.parametrize("pattern", ["link/*.md", "*/*.md", "**/*.md"])
    def test_p26_a_linked_folder_is_never_looked_through(self, pattern: str, base: Path, found: Any) -> None:
        (base / "link").symlink_to("..")

        assert "ref_symlink" == code_of(lambda: found(pattern))

    def test_p26_what_is_no_file_is_found_and_refused_when_it_is_read(self, base: Path) -> None:
        """A link, a hard link, a pipe, a socket and a folder: a name that fits is never skipped without a word."""
        (base / "odd").mkdir()
        for make, code in {
            lambda path: path.symlink_to("../../secret.md"): "ref_symlink",
            lambda path: os.link(base.parent / "secret.md", path): "ref_outside",
            os.mkfifo: "ref_not_regular",
            lambda path: path.mkdir(): "ref_not_regular",
        }.items():
            make(base / "odd/x.md")
            assert code == code_of(lambda: expanded(base, [{"$all": "odd/*.md"}]))
            (base / "odd/x.md").rmdir() if (base / "odd/x.md").is_dir() else (base / "odd/x.md").unlink()

    def test_p26_a_socket_is_refused(self, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(base)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("x.md")
            assert "ref_not_regular" == code_of(lambda: expanded(base, [{"$all": "*.md"}]))

    def test_p26_only_so_many_names_are_looked_through(self, found: Any) -> None:
        assert 3 == len(found("agents/*.md", FileLimits(entries=6)))
        assert "too_many_refs" == code_of(lambda: found("agents/*.md", FileLimits(entries=5)))

    def test_p26_only_so_many_folders_are_gone_through(self, found: Any) -> None:
        assert "too_many_refs" == code_of(lambda: found("**/*.md", FileLimits(depth=2)))
        assert "too_many_refs" == code_of(lambda: found("**/" * 5_000 + "x"))

    def test_p26_more_than_a_thousand_files_are_refused(self, base: Path) -> None:
        (base / "many").mkdir()
        for number in range(1_001):
            (base / "many" / f"{number}.md").touch()

        assert "too_many_refs" == code_of(lambda: expanded(base, [{"$all": "many/*.md"}]))

    def test_a_document_without_a_folder_has_no_files(self) -> None:
        assert "ref_outside" == code_of(lambda: expanded(None, {"$found": "*"}))


class TestSplicing:
    def test_what_a_directive_gives_takes_its_place_item_by_item(self) -> None:
        value = {"a": [0, {"$times": 2, "k": 1}, 3, {"$times": 0}, [{"$times": 1}]]}

        assert {"a": [0, {"n": 0, "k": 1}, {"n": 1, "k": 1}, 3, [{"n": 0}]]} == expanded(None, value)

    def test_elsewhere_it_stands_as_the_array_that_it_is(self) -> None:
        assert {"a": [{"n": 0}]} == expanded(None, {"a": {"$times": 1}})
        assert [{"n": 0}] == expanded(None, {"$times": 1})

    def test_places_behind_and_within_keep_their_lines(self) -> None:
        text = b"a:\n- one\n- {$times: 3}\n- two\n- {$times: 0}\n- k: three\n"
        loaded = load_yaml(text, name="bp.yaml")

        source = expand(Source(value=loaded.value, name="bp.yaml", base=None, positions=loaded.positions), DIRECTIVES)

        assert ["one", {"n": 0}, {"n": 1}, {"n": 2}, "two", {"k": "three"}] == source.value["a"]
        lines = [locate(source.positions, f"$.a[{place}].k") for place in range(6)]
        assert [2, 3, 3, 3, 4, 6] == [found[0] for found in lines if found]
        assert set(source.positions) >= {"$", "$.a", "$.a[0]", "$.a[1]", "$.a[4]", "$.a[5]", "$.a[5].k"}
        assert len(list(source.positions)) == len(source.positions)

    @given(st.lists(st.integers(0, 3)))
    def test_every_item_stands_where_what_it_came_from_does(self, counts: list[int]) -> None:
        """Each item of an array is replaced by some; a count of 1 may also be an item that was left alone."""
        old = {f"$.a[{place}]": (place + 1, 1) for place in range(len(counts))}
        splices = {("a",): {place: count for place, count in enumerate(counts) if count != 1}}

        moved = spliced(old, splices)

        origins = [place for place, count in enumerate(counts) for _ in range(count)]
        assert [(place + 1, 1) for place in origins] == [moved[f"$.a[{new}]"] for new in range(len(origins))]
        assert f"$.a[{len(origins)}]" not in moved

    def test_without_a_splice_the_positions_are_those_of_the_text(self) -> None:
        positions = {"$": (1, 1)}

        assert positions is spliced(positions, {})


class TestOpener:
    def test_a_directive_sees_the_blueprints_own_fields(self) -> None:
        kind = DirectiveFactory("$kind", lambda value, siblings, opener: opener.document.get("default_agent_kind"))

        made = expand(
            Source(value={"default_agent_kind": "llm", "x": {"$kind": 1}}, name="x", base=None, positions={}),
            {"$kind": kind},
        )

        assert "llm" == made.value["x"]

    def test_a_document_that_is_no_object_has_no_fields(self) -> None:
        fields = DirectiveFactory("$fields", lambda value, siblings, opener: dict(opener.document))

        assert [{}] == expand(
            Source(value=[{"$fields": 1}], name="x", base=None, positions={}), {"$fields": fields}
        ).value

    def test_a_problem_of_a_file_names_it_as_seen_from_where_the_blueprint_is_named(self) -> None:
        def fail(value: Any, siblings: Any, opener: Any) -> Any:
            raise DocumentError([Problem(code="odd", message="odd", file="agents/a.md", line=3)])

        source = Source(value={"$x": 1}, name="work/bp.yaml", base=None, positions={})

        with pytest.raises(DocumentError) as caught:
            expand(source, {"$x": DirectiveFactory("$x", fail)})

        assert ["work/agents/a.md"] == [problem.file for problem in caught.value.problems]

"""Blueprint files: which are read, how, and what is said of those that cannot be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from swarm_core.builtin.readers import FACTORIES, FILE, JSON, YAML
from swarm_core.builtin.reading import read_blueprint
from swarm_core.codec import structure_blueprint
from swarm_core.contracts import BlueprintReader, Source
from swarm_core.errors import DocumentError
from swarm_core.factories import ReaderFactory
from swarm_core.model.problem import Problem

READERS = {suffix: factory for factory in (JSON, YAML) for suffix in factory.suffixes}
DIRECTIVES = {FILE.name: FILE}
YAML_TEXT = b"id: x\nflow: {kind: seq, children: []}\n"
JSON_TEXT = b'{"id": "x", "flow": {"kind": "seq", "children": []}}'


def read(path: Path | None, text: bytes | None = None, **more: Any) -> Source:
    return read_blueprint(path, text, READERS, DIRECTIVES, **more)


def refusal(path: Path | None, text: bytes | None = None, **more: Any) -> Problem:
    with pytest.raises(DocumentError) as caught:
        read(path, text, **more)
    (problem,) = caught.value.problems
    return problem


@contextmanager
def not_as_root() -> Iterator[None]:
    """Lay root's rights down for a while, if they are there: root reads everything."""
    user = os.geteuid()
    os.seteuid(65534 if user == 0 else user)
    try:
        yield
    finally:
        os.seteuid(user)


class TestFiles:
    @pytest.mark.parametrize(
        ("name", "text"),
        [("bp.json", JSON_TEXT), ("bp.yaml", YAML_TEXT), ("bp.yml", YAML_TEXT), ("BP.JSON", JSON_TEXT)],
    )
    def test_the_suffix_tells_the_format(self, name: str, text: bytes, tmp_path: Path) -> None:
        (tmp_path / name).write_bytes(text)

        source = read(tmp_path / name)

        assert {"id": "x", "flow": {"kind": "seq", "children": []}} == source.value
        assert (str(tmp_path / name), tmp_path) == (source.name, source.base)
        assert "$.flow.kind" in source.positions

    def test_a_file_is_called_what_the_caller_calls_it(self, tmp_path: Path) -> None:
        (tmp_path / "bp.json").write_bytes(b"[")

        assert "my.json:1:2: $: " in str(refusal(tmp_path / "bp.json", name="my.json"))

    def test_directives_are_expanded_below_the_files_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "prompt.md").write_text("You plan.")
        (tmp_path / "bp.yaml").write_bytes(
            YAML_TEXT + b"agents: [{name: a, kind: llm, profile: {system_prompt: {$file: prompt.md}}}]\n"
        )
        monkeypatch.chdir(tmp_path)

        source = read(Path("bp.yaml"))

        profile = structure_blueprint(source.value).agents[0].profile
        assert profile is not None
        assert "You plan." == profile.system_prompt
        assert tmp_path == source.base

    def test_places_stay_right_after_a_directive(self, tmp_path: Path) -> None:
        (tmp_path / "p.md").write_text("many\nlines\n")
        (tmp_path / "bp.yaml").write_bytes(b"id: {$file: p.md}\nflow: {kind: seq, children: []}\nodd: 1\n")

        source = read(tmp_path / "bp.yaml")

        with pytest.raises(DocumentError) as caught:
            structure_blueprint(source.value, positions=source.positions, name="bp.yaml")
        assert [("bad_name", 1), ("unknown_field", 3)] == [(p.code, p.line) for p in caught.value.problems]

    @pytest.mark.parametrize("name", ["bp.toml", "bp.txt", "bp.json.bak", "bp"])
    def test_bp4_row_43_an_unknown_suffix_gets_the_accepted_ones(self, name: str, tmp_path: Path) -> None:
        (tmp_path / name).write_bytes(JSON_TEXT)

        problem = refusal(tmp_path / name)

        assert ("unknown_format", "accepted: .json, .yaml, .yml") == (problem.code, problem.hint)

    @pytest.mark.parametrize("name", ["missing.json", "missing", "no/such/folder.yaml"])
    def test_cl146_a_missing_file_is_told(self, name: str, tmp_path: Path) -> None:
        problem = refusal(tmp_path / name, name=name)

        assert ("not_found", f"{name}: $: there is no such file") == (problem.code, str(problem))

    @pytest.mark.parametrize("name", ["folder", "folder.json"])
    def test_cl146_a_folder_is_no_blueprint(self, name: str, tmp_path: Path) -> None:
        (tmp_path / name).mkdir()

        assert "not_regular" == refusal(tmp_path / name).code

    def test_cl146_an_unreadable_file_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "bp.json").touch(mode=0)

        with not_as_root():
            problem = refusal(tmp_path / "bp.json")

        assert "not_readable" == problem.code

    @pytest.mark.parametrize("name", ["x" * 300 + ".json", "bp.json/x.json"])
    def test_cl146_what_the_system_refuses_is_told_in_its_words(self, name: str, tmp_path: Path) -> None:
        (tmp_path / "bp.json").touch()

        assert "not_readable" == refusal(tmp_path / name).code

    def test_cl146_a_nul_in_the_path_is_told(self) -> None:
        assert "bad_path" == refusal(Path("a\0b.json")).code

    @pytest.mark.parametrize("name", ["bp.json", "bp.yaml"])
    def test_bp1_an_empty_file_is_called_empty(self, name: str, tmp_path: Path) -> None:
        (tmp_path / name).touch()

        assert "blueprint_empty" == refusal(tmp_path / name).code

    @pytest.mark.parametrize("name", ["bp.json", "bp.yaml"])
    def test_bp5_a_file_that_never_ends_is_read_to_the_limit(self, name: str, tmp_path: Path) -> None:
        with (tmp_path / name).open("wb") as file:
            file.truncate(8 * 1024**3)

        assert "too_large" == refusal(tmp_path / name).code

    def test_bp5_readers_of_others_are_not_given_more_either(self, tmp_path: Path) -> None:
        class Greedy(BlueprintReader):
            suffixes = (".any",)

            def read(self, text: bytes, *, name: str, base: Path | None) -> Source:
                raise AssertionError("asked to read too much")

        with pytest.raises(DocumentError, match="more than 2,097,152 bytes"):
            read_blueprint(
                Path("x.any"), b" " * (2**21 + 1), {".any": ReaderFactory("any", (".any",), Greedy)}, DIRECTIVES
            )


class TestText:
    @pytest.mark.parametrize("text", [JSON_TEXT, b" \n" + JSON_TEXT, b"\xef\xbb\xbf" + JSON_TEXT, YAML_TEXT])
    def test_cl146_text_without_a_name_tells_its_format_itself(self, text: bytes) -> None:
        source = read(None, text, name="-")

        assert "x" == source.value["id"]
        assert ("-", None) == (source.name, source.base)

    def test_the_suffix_of_the_name_counts_first(self) -> None:
        assert "json_syntax" == refusal(None, YAML_TEXT, name="posted.json").code

    def test_the_path_of_a_text_gives_it_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "a.md").write_text("alpha")

        source = read(tmp_path / "unsaved.yaml", b"x: {$file: a.md}")

        assert {"x": "alpha"} == source.value

    def test_text_has_no_folder_to_refer_to(self) -> None:
        assert "ref_outside" == refusal(None, b'{"x": {"$file": "a.md"}}').code


class TestFactories:
    def test_the_core_brings_json_yaml_and_files(self) -> None:
        assert ("json", "yaml", "$file") == tuple(factory.name for factory in FACTORIES)

    @pytest.mark.parametrize("factory", [JSON, YAML])
    def test_a_reader_has_the_suffixes_of_its_factory(self, factory: ReaderFactory) -> None:
        assert factory.suffixes == factory.build().suffixes

"""`$file`: a text from a file below the Blueprint's folder, and nothing else, however it is asked for (P26)."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from swarm_core.builtin.expansion import expand
from swarm_core.builtin.files import FileLimits, Folder
from swarm_core.builtin.readers import FILE
from swarm_core.codec import load_json, load_yaml
from swarm_core.contracts import Source
from swarm_core.errors import DocumentError
from swarm_core.factories import DirectiveFactory
from swarm_core.model.problem import Problem

SECRET = "TOP-SECRET"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Return a folder with `a.md`, `sub/b.md`, and a secret beside it."""
    folder = tmp_path / "project"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.md").write_text("alpha\n")
    (folder / "sub/b.md").write_text("beta")
    (tmp_path / "secret.txt").write_text(SECRET)
    return folder


@pytest.fixture
def expanded(base: Path) -> Callable[..., Any]:
    """Return a function that expands a value as if it stood in a Blueprint in the folder."""

    def call(value: Any, directives: Mapping[str, DirectiveFactory] | None = None, folder: Path | None = base) -> Any:
        source = Source(value=value, name="bp.json", base=folder, positions={})
        return expand(source, {"$file": FILE, **(directives or {})}).value

    return call


@pytest.fixture
def refused(expanded: Callable[..., Any]) -> Callable[..., list[Problem]]:
    """Return a function that expands a value and returns the problems for which that is refused."""

    def call(value: Any, *args: Any, **kwargs: Any) -> list[Problem]:
        with pytest.raises(DocumentError) as caught:
            expanded(value, *args, **kwargs)
        return list(caught.value.problems)

    return call


@pytest.fixture
def refusal(refused: Callable[..., list[Problem]]) -> Callable[[str], Problem]:
    """Return a function that refers to one path and returns the problem, which never shows where the folder is."""

    def call(path: str) -> Problem:
        (problem,) = refused({"x": {"$file": path}})
        assert '$.x["$file"]' == problem.path
        return problem

    return call


@contextmanager
def not_as_root() -> Iterator[None]:
    """Lay root's rights down for a while, if they are there: root reads everything."""
    user = os.geteuid()
    os.seteuid(65534 if user == 0 else user)
    try:
        yield
    finally:
        os.seteuid(user)


class TestExpansion:
    def test_the_text_of_the_file_takes_the_objects_place_byte_for_byte(self, base: Path, expanded: Any) -> None:
        (base / "odd.md").write_bytes("\ufeffé\r\n{{ x }} ${IFS}\0\t".encode())

        assert {"p": "\ufeffé\r\n{{ x }} ${IFS}\0\t"} == expanded({"p": {"$file": "odd.md"}})

    @pytest.mark.parametrize("path", ["sub/b.md", "./sub/b.md", "sub//b.md", "sub/./b.md"])
    def test_files_below_the_folder_are_found(self, path: str, expanded: Any) -> None:
        assert ["beta"] == expanded([{"$file": path}])

    def test_an_empty_file_is_an_empty_text(self, base: Path, expanded: Any) -> None:
        (base / "empty").touch()

        assert "" == expanded({"$file": "empty"})

    def test_fr46_directives_stand_anywhere_in_the_document_values_of_lit_included(self, expanded: Any) -> None:
        value = {"flow": {"op": "lit", "value": [{"$file": "a.md"}]}, "x": {"$file": "a.md"}}

        assert {"flow": {"op": "lit", "value": ["alpha\n"]}, "x": "alpha\n"} == expanded(value)

    def test_fr45_what_a_file_holds_is_never_looked_at_again(self, base: Path, expanded: Any) -> None:
        (base / "nested.json").write_text('{"$file": "a.md"}')

        assert '{"$file": "a.md"}' == expanded({"$file": "nested.json"})

    def test_fr45_what_a_directive_gives_is_never_looked_at_again(self, expanded: Any) -> None:
        trap = DirectiveFactory("$trap", lambda value, siblings, opener: {"$file": "../secret.txt"})
        shared = {"in": {"$trap": 1}}

        assert [{"in": {"$file": "../secret.txt"}}] * 2 == expanded([shared, shared], {"$trap": trap})

    def test_the_document_that_was_read_stays_as_it_is(self, expanded: Any) -> None:
        value = {"a": [{"$file": "a.md"}], "b": {"c": 1}}
        before = json.dumps(value)

        after = expanded(value)

        assert before == json.dumps(value)
        assert after["b"] is value["b"]

    def test_a_document_without_directives_is_passed_on(self, base: Path) -> None:
        source = Source(value={"a": [1]}, name="x", base=base, positions={})

        assert source is expand(source, {"$file": FILE})

    def test_what_an_alias_repeats_is_expanded_in_each_place(self, base: Path) -> None:
        loaded = load_yaml(b"a: &a {t: {$file: a.md}}\nb: *a", name="x")

        source = Source(value=loaded.value, name="x", base=base, positions=loaded.positions)

        assert {"a": {"t": "alpha\n"}, "b": {"t": "alpha\n"}} == expand(source, {"$file": FILE}).value

    def test_siblings_are_given_to_a_directive_that_takes_them_expanded(self, expanded: Any) -> None:
        merge = DirectiveFactory(
            "$merge", lambda value, siblings, opener: {"v": value, **siblings, "f": opener("a.md")}, siblings=True
        )

        made = expanded({"$merge": {"$file": "a.md"}, "more": {"deep": {"$file": "sub/b.md"}}}, {"$merge": merge})

        assert {"v": {"$file": "a.md"}, "more": {"deep": "beta"}, "f": b"alpha\n"} == made

    def test_very_deep_documents_are_expanded(self, expanded: Any) -> None:
        value: Any = {"$file": "a.md"}
        for _ in range(5_000):
            value = [value]

        made = expanded(value)

        while isinstance(made, list):
            (made,) = made
        assert "alpha\n" == made


class TestPaths:
    @pytest.mark.parametrize("path", ["/etc/passwd", "/", "//etc/passwd", "\\etc", "\\\\host\\share", "C:\\x"])
    def test_fr38_p26_absolute_paths_are_refused(self, path: str, refusal: Any) -> None:
        assert "ref_outside" == refusal(path).code

    @pytest.mark.parametrize(
        "path", ["../secret.txt", "sub/../../secret.txt", "sub/..", "..", "..\\secret.txt", "sub/../a.md"]
    )
    def test_fr39_p26_paths_that_go_up_are_refused(self, path: str, refusal: Any) -> None:
        problem = refusal(path)

        assert "ref_outside" == problem.code
        assert repr(path) in problem.message

    @pytest.mark.parametrize(
        "path",
        [
            "%2e%2e/secret.txt",
            "~/.ssh/id_rsa",
            "$HOME/x",
            "file:///etc/passwd",
            "http://169.254.169.254/",
            "...",
            "a.md ",
        ],
    )
    def test_fr39_fr47_nothing_is_decoded_or_substituted(self, path: str, refusal: Any) -> None:
        assert "not_found" == refusal(path).code

    @pytest.mark.parametrize("path", ["a\0.md", "", "a\\b.md", "x" * 300, "sub/" + "x" * 300])
    def test_fr48_what_can_be_no_path_is_refused(self, path: str, refusal: Any) -> None:
        problem = refusal(path)

        assert "bad_path" == problem.code
        assert len(problem.message) < 250

    def test_fr44_a_missing_file_is_named_as_it_is_written(self, base: Path, refusal: Any) -> None:
        problem = refusal("sub/missing.md")

        assert ("not_found", "there is no file 'sub/missing.md'") == (problem.code, problem.message)
        assert str(base) not in str(problem)

    @pytest.mark.parametrize("path", ["a.md/x", "a.md/", "x/" * 3000 + "x"])
    def test_fr44_a_file_or_nothing_as_a_folder_is_not_found(self, path: str, refusal: Any) -> None:
        assert "not_found" == refusal(path).code

    def test_fr44_an_unreadable_file_is_named_as_it_is_written(self, base: Path) -> None:
        (base / "a.md").chmod(0)

        with Folder(base) as folder, not_as_root(), pytest.raises(DocumentError) as caught:
            folder.read("a.md")

        (problem,) = caught.value.problems
        assert ("not_readable", "'a.md' cannot be read: Permission denied") == (problem.code, problem.message)


class TestLinks:
    @pytest.mark.parametrize("target", ["../secret.txt", "a.md", "/etc/passwd", "nowhere"])
    def test_fr40_p26_a_symbolic_link_is_refused_wherever_it_leads(self, target: str, base: Path, refusal: Any) -> None:
        (base / "link.md").symlink_to(target)

        assert "ref_symlink" == refusal("link.md").code

    @pytest.mark.parametrize("target", ["..", "sub", "/etc"])
    def test_fr40_p26_a_linked_folder_is_refused(self, target: str, base: Path, refusal: Any) -> None:
        (base / "link").symlink_to(target)

        assert "ref_symlink" == refusal("link/b.md").code

    def test_fr40_p26_a_link_deep_in_the_path_is_refused(self, base: Path, refusal: Any) -> None:
        (base / "sub/deep").mkdir()
        (base / "sub/deep/link").symlink_to("../../..")

        assert "ref_symlink" == refusal("sub/deep/link/secret.txt").code

    def test_fr40_p26_a_file_that_becomes_a_link_while_it_is_read_never_leaks(self, base: Path) -> None:
        """A thread swaps a folder for a link that leads to the secret as fast as it can; no read returns the secret."""
        real = base / "real"
        real.mkdir()
        (real / "secret.txt").write_text("harmless")
        stop = threading.Event()

        def swap() -> None:
            while not stop.is_set():
                real.rename(base / "kept")
                real.symlink_to("..")
                real.unlink()
                (base / "kept").rename(real)

        swapper = threading.Thread(target=swap)
        swapper.start()
        outcomes = set()
        try:
            for _ in range(3_000):
                with Folder(base) as folder:
                    try:
                        outcomes.add(folder.read("real/secret.txt").decode())
                    except DocumentError as error:
                        outcomes.add(error.problems[0].code)
        finally:
            stop.set()
            swapper.join()

        assert outcomes <= {"harmless", "ref_symlink", "not_found"}
        assert "harmless" in outcomes

    def test_p26_a_hard_link_is_refused(self, base: Path, refusal: Any) -> None:
        os.link(base.parent / "secret.txt", base / "hard.md")

        assert "ref_outside" == refusal("hard.md").code

    def test_the_folder_itself_may_be_reached_through_a_link(self, base: Path, tmp_path: Path, expanded: Any) -> None:
        (tmp_path / "link").symlink_to(base)

        assert "alpha\n" == expanded({"$file": "a.md"}, folder=tmp_path / "link")


class TestKinds:
    @pytest.mark.parametrize("path", ["sub", "sub/", ".", "./", "sub/."])
    def test_fr41_p26_a_folder_is_no_file(self, path: str, refusal: Any) -> None:
        problem = refusal(path)

        assert ("ref_not_regular", f"{path!r} is a folder, not a file") == (problem.code, problem.message)

    def test_fr41_p26_a_pipe_is_refused_at_once(self, base: Path, refusal: Any) -> None:
        os.mkfifo(base / "pipe")

        assert "ref_not_regular" == refusal("pipe").code

    def test_fr41_p26_a_socket_is_refused(self, base: Path, refusal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(base)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("sock")

            assert "ref_not_regular" == refusal("sock").code

    @pytest.mark.parametrize("device", ["zero", "null", "tty"])
    def test_fr41_p26_a_device_is_refused(self, device: str) -> None:
        with Folder(Path("/dev")) as folder, pytest.raises(DocumentError) as caught:
            folder.read(device)

        assert "ref_not_regular" == caught.value.problems[0].code

    @pytest.mark.parametrize("name", ["environ", "status"])
    def test_fr41_what_the_system_makes_up_is_refused(self, name: str) -> None:
        with Folder(Path("/proc/self")) as folder, pytest.raises(DocumentError) as caught:
            folder.read(name)

        assert "ref_not_regular" == caught.value.problems[0].code


class TestContents:
    def test_fr42_a_huge_sparse_file_is_too_large(self, base: Path, refusal: Any) -> None:
        with (base / "big").open("wb") as file:
            file.truncate(4 * 1024**3)

        assert ("too_large", "'big' has more than 1,048,576 bytes") == (refusal("big").code, refusal("big").message)

    def test_fr42_a_file_of_just_the_limit_is_read(self, base: Path, expanded: Any) -> None:
        (base / "full").write_bytes(b"x" * 1024 * 1024)

        assert 1024 * 1024 == len(expanded({"$file": "full"}))

    def test_fr42_all_files_together_have_a_limit_too(self, base: Path) -> None:
        (base / "c.md").write_text("12345")
        with Folder(base, FileLimits(together=10)) as folder:
            folder.read("a.md")
            with pytest.raises(DocumentError) as caught:
                folder.read("c.md")

        assert "too_large" == caught.value.problems[0].code

    @pytest.mark.parametrize("data", [b"caf\xe9", "é".encode("utf-16"), b"\xed\xa0\x80"])
    def test_fr43_a_text_is_utf8(self, data: bytes, base: Path, refusal: Any) -> None:
        (base / "bad.md").write_bytes(data)

        problem = refusal("bad.md")

        assert "not_utf8" == problem.code
        assert "'bad.md' is not UTF-8 at byte" in problem.message


class TestForm:
    @pytest.mark.parametrize("value", [5, None, True, [], ["a.md"], {"$file": "a.md"}, {}])
    def test_fr45_the_path_is_a_string(self, value: Any, refused: Any) -> None:
        (problem,) = refused({"x": {"$file": value}})

        assert ("bad_directive", '$.x["$file"]') == (problem.code, problem.path)

    def test_fr45_a_sibling_is_refused_by_name(self, refused: Any) -> None:
        (problem,) = refused({"x": {"$file": "a.md", "encoding": "latin-1"}})

        assert "bad_directive" == problem.code
        assert "'encoding'" in problem.message

    def test_two_directives_in_one_object_are_refused(self, refused: Any) -> None:
        other = DirectiveFactory("$other", lambda value, siblings, opener: value, siblings=True)

        (problem,) = refused({"x": {"$file": "a.md", "$other": 1}}, {"$other": other})

        assert "bad_directive" == problem.code
        assert "$other" in problem.message

    def test_a_document_without_a_folder_has_no_files(self, refused: Any) -> None:
        (problem,) = refused({"x": {"$file": "a.md"}}, folder=None)

        assert ("ref_outside", "this Blueprint has no folder") == (problem.code, problem.message)

    def test_a_folder_that_is_gone_is_told(self, base: Path, refused: Any) -> None:
        (problem,) = refused({"x": {"$file": "a.md"}}, folder=base / "gone")

        assert "not_found" == problem.code
        assert str(base) not in str(problem)

    def test_fr49_p26_more_than_a_thousand_references_are_refused(self, refused: Any) -> None:
        (problem,) = refused([{"$file": "a.md"}] * 10_000)

        assert ("too_many_refs", "$[1000]") == (problem.code, problem.path)

    def test_fr49_p26_a_directive_cannot_read_more_than_a_thousand_files_either(self, refused: Any) -> None:
        many = DirectiveFactory("$many", lambda value, siblings, opener: [opener("a.md") for _ in range(1001)])

        assert ["too_many_refs"] == [problem.code for problem in refused({"$many": 1}, {"$many": many})]

    def test_fr49_a_thousand_references_to_one_file_read_it_once(self, base: Path) -> None:
        with Folder(base) as folder:
            first = folder.read("a.md")
            (base / "a.md").write_text("changed")

            assert {id(first)} == {id(folder.read("./a.md")) for _ in range(999)}

    def test_all_problems_are_told_at_once_in_the_order_of_the_text(self, base: Path) -> None:
        text = b'{"a": {"$file": "../x"},\n "b": [{"$file": "a.md"},\n  {"$file": "no"}],\n "c": {"$file": 1}}'
        loaded = load_json(text, name="bp.json")
        source = Source(value=loaded.value, name="bp.json", base=base, positions=loaded.positions)

        with pytest.raises(DocumentError) as caught:
            expand(source, {"$file": FILE})

        assert [("ref_outside", 1, 8), ("not_found", 3, 4), ("bad_directive", 4, 8)] == [
            (problem.code, problem.line, problem.column) for problem in caught.value.problems
        ]
        assert {"bp.json"} == {problem.file for problem in caught.value.problems}

    def test_a_directive_may_refuse_with_a_sentence_or_with_problems_of_its_own_file(self, refused: Any) -> None:
        def fail(value: Any, siblings: Any, opener: Any) -> Any:
            if value == "sentence":
                raise ValueError("it is Tuesday")
            raise DocumentError([Problem(code="frontmatter", message="odd", file="a.md", line=3, path="$.tools")])

        directive = DirectiveFactory("$x", fail)

        problems = refused([{"$x": "sentence"}, {"$x": "problems"}], {"$x": directive})

        assert ['bp.json: $[0]["$x"]: $x: it is Tuesday', "a.md:3: $.tools: odd"] == [str(p) for p in problems]

    def test_p34_a_directive_that_breaks_is_a_problem_not_a_crash(self, refused: Any) -> None:
        broken = DirectiveFactory("$x", lambda value, siblings, opener: 1 / 0)

        (problem,) = refused({"$x": 1}, {"$x": broken})

        assert ("directive_failed", "$x failed: ZeroDivisionError: division by zero") == (problem.code, problem.message)

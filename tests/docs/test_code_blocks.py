"""The code shown in README.md, the tutorial and the how-to pages runs, top to bottom, as a reader would run it.

Each document gets a folder of its own, with a copy of `examples/`. In it, in the order of the document:

- A block with a title, such as ```` ```yaml title="review.yaml" ````, becomes that file, in any language.
- A ```` ```python ```` block without a title runs; all of a page share their names, as in one session. What it prints
  must match an ```` ```output ```` block after it.
- In a ```` ```console ```` block the lines `$ swarm ...` and `$ python ...` run. What they print must match the lines
  below them, where there are any. A command that is to fail says so: `$ swarm check bad.yaml  # exit code 3`. Other
  commands, such as `$ pip install`, do not run.

In expected output `...` stands for anything, and runs of blanks count as one. A block below the comment
`<!-- not run: REASON -->` is left alone.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from importlib import invalidate_caches
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from attrs import define, field, frozen
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGE_MODULE = "page_under_test"
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs/tutorial").glob("*.md")),
    *sorted((ROOT / "docs/how-to").glob("*.md")),
]
COMMAND = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
EXIT_CODE = re.compile(r"# exit code (\d+)$")
TITLE = re.compile(r'title="([^"]+)"')
NOT_RUN = re.compile(r"<!--\s*not run:\s*\S.*-->", re.DOTALL)
OUTPUT = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@frozen(kw_only=True)
class Block:
    """A fenced block: `line` is where its fence opens, counted from 1."""

    language: str
    title: str | None
    text: str
    line: int


def blocks_of(markdown: str) -> Iterator[Block]:
    """Yield the fenced blocks, without those that a comment exempts."""
    exempt = False
    for token in MarkdownIt().parse(markdown):
        if token.type == "fence":
            language, _, rest = token.info.strip().partition(" ")
            title = TITLE.search(rest)
            if not exempt:
                assert token.map is not None
                yield Block(language=language, title=title and title[1], text=token.content, line=token.map[0] + 1)
        exempt = token.type == "html_block" and NOT_RUN.search(token.content) is not None


@define
class Session:
    """One reader at work: the folder, the names defined so far, what the last Python block printed."""

    folder: Path
    names: dict[str, Any] = field(factory=lambda: vars(sys.modules[PAGE_MODULE]))
    programs: int = 0
    printed: str = ""

    def run(self, block: Block) -> None:
        """Do what the block asks for; raises AssertionError, with its line, when it fails or shows something else."""
        where = f"block at line {block.line}"
        if block.title:
            self.write(block.title, block.text)
        elif block.language == "python":
            self.run_python(block.text, where)
        elif block.language == "console":
            self.programs += run_console(block, self.folder)
        elif block.language == "output":
            check_output(block.text, self.printed, where)

    def write(self, name: str, text: str) -> None:
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        invalidate_caches()

    def run_python(self, text: str, where: str) -> None:
        self.programs += 1
        with redirect_stdout(StringIO()) as printed:
            try:
                exec(compile(text, where, "exec"), self.names)
            except (Exception, SystemExit) as error:
                raise AssertionError(f"{where} fails: {error!r}") from error
        self.printed = printed.getvalue()


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A reader in an empty folder; the modules that a page brings are forgotten afterwards."""
    known = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, PAGE_MODULE, ModuleType(PAGE_MODULE))
    yield Session(folder=tmp_path)
    for name in set(sys.modules) - known:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def run_page(markdown: str, session: Session) -> int:
    """Run a document's blocks in order and return how many programs ran."""
    for block in blocks_of(markdown):
        session.run(block)
    return session.programs


def run_console(block: Block, folder: Path) -> int:
    """Run the commands of a console block that are ours, and compare what they print."""
    programs = 0
    for command, expected in COMMAND.findall(block.text):
        name, *arguments = shlex.split(command, comments=True)
        if name not in ("swarm", "python"):
            continue
        program = sys.executable if name == "python" else str(Path(sys.executable).with_name("swarm"))
        where = f"{command!r} in the block at line {block.line}"
        fails = EXIT_CODE.search(command.strip())
        printed = run_program([program, *arguments], folder, where, exit_code=int(fails[1]) if fails else 0)
        if expected.strip():
            check_output(expected, printed, where)
        programs += 1
    return programs


def run_program(command: list[str], folder: Path, where: str, exit_code: int) -> str:
    """Run a command as a reader would and return what a terminal would show."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "NO_COLOR": "1", "COLUMNS": "120"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == exit_code, f"{where} ends with exit code {done.returncode}:\n{done.stdout}"
    return done.stdout


def check_output(expected: str, printed: str, where: str) -> None:
    same = doctest.OutputChecker().check_output(expected, printed, OUTPUT)
    assert same, f"{where} shows:\n{expected}\nbut it prints:\n{printed}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_of_the_page_runs(page: Path, session: Session) -> None:
    if (ROOT / "examples").exists():
        shutil.copytree(ROOT / "examples", session.folder / "examples")

    run_page(page.read_text(encoding="utf-8"), session)


def test_readme_shows_python_code() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    languages = [block.language for block in blocks_of(readme)]

    assert "python" in languages


WITH_A_FILE = """
```python title="greeting.py"
word = "hello"
```

```python
import greeting
print(greeting.word)
```

```output
hello
```
"""

WITH_COMMANDS = """
```console
$ pip install something
$ python -c "print('run', 17)"  # a remark
run ...
$ python -c ""
```
"""


class TestRunner:
    """The runner itself, on small documents."""

    def test_a_titled_block_becomes_a_file_that_later_blocks_use(self, session: Session) -> None:
        assert run_page(WITH_A_FILE, session) == 1

    def test_a_titled_block_may_stand_in_a_folder(self, session: Session) -> None:
        run_page('```yaml title="blueprints/one.yaml"\nid: one\n```\n', session)

        assert (session.folder / "blueprints/one.yaml").read_text() == "id: one\n"

    def test_a_failing_block_fails_the_page_and_names_its_line(self, session: Session) -> None:
        with pytest.raises(AssertionError, match=r"line 3 fails: ZeroDivisionError"):
            run_page("# Title\n\n```python\n1 / 0\n```\n", session)

    def test_python_blocks_of_a_page_share_their_names(self, session: Session) -> None:
        run_page("```python\none = 1\n```\n\n```python\nprint(one)\n```\n\n```output\n1\n```\n", session)

        assert session.names["one"] == 1

    def test_other_output_than_shown_fails_the_page(self, session: Session) -> None:
        with pytest.raises(AssertionError, match=r"but it prints:\s+2"):
            run_page("```python\nprint(1 + 1)\n```\n\n```output\n3\n```\n", session)

    def test_console_commands_run_and_their_output_is_compared(self, session: Session) -> None:
        assert run_page(WITH_COMMANDS, session) == 2

    def test_console_output_that_differs_fails_the_page(self, session: Session) -> None:
        with pytest.raises(AssertionError, match="python -c"):
            run_page('```console\n$ python -c "print(1)"\n2\n```\n', session)

    def test_a_console_command_that_should_fail_must_fail(self, session: Session) -> None:
        page = "```console\n$ python -c 'exit({})'  # exit code 3\n```\n"

        assert run_page(page.format(3), session) == 1
        with pytest.raises(AssertionError, match="ends with exit code 0"):
            run_page(page.format(0), session)

    def test_an_exempt_block_is_left_alone(self, session: Session) -> None:
        page = "<!-- not run: needs a server -->\n\n```python\n1 / 0\n```\n\n```python\npass\n```\n"

        assert run_page(page, session) == 1

    def test_an_exemption_without_a_reason_is_none(self, session: Session) -> None:
        with pytest.raises(AssertionError, match="ZeroDivisionError"):
            run_page("<!-- not run: -->\n\n```python\n1 / 0\n```\n", session)

    def test_other_languages_without_a_title_are_left_alone(self, session: Session) -> None:
        assert run_page("```json\n{\n```\n\n    print(1 / 0)\n", session) == 0

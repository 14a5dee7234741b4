"""Mending a Blueprint's file: applying the fixes of its problems until no more of them can be."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from difflib import unified_diff
from pathlib import Path
from typing import Any

from attrs import frozen

from swarm_core.cli.patching import Unpatchable, parts
from swarm_core.cli.text_edits import FORMATS, Format, edited
from swarm_core.errors import DocumentError, SwarmError
from swarm_core.model.problem import Problem, Severity

_MOST_ROUNDS = 20
_BOM = b"\xef\xbb\xbf"


class CannotMend(SwarmError):
    """A file cannot be mended; nothing was written."""

    code = "cannot_mend"


@frozen(kw_only=True)
class Mended:
    """What came of mending: the text before and after, the problems that were mended and those that were left, why."""

    before: bytes
    after: bytes
    done: tuple[Problem, ...]
    left: tuple[tuple[Problem, str], ...]

    def diff(self, name: str) -> str:
        """Return the change as a unified diff, empty when there is none."""
        before, after = (data.decode("utf-8-sig").splitlines(keepends=True) for data in (self.before, self.after))
        lines = unified_diff(before, after, name, f"{name} (fixed)")
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def mend(file: Path, check: Callable[[Path], Sequence[Problem]], *, write: bool) -> Mended:
    """Apply the fixes of a file's errors and warnings, look again, and so on; `check` returns the problems of a file.

    What is tried out stands in a file beside it, so that what the Blueprint refers to is found; with `write` that file
    takes its place in one step. Raises: CannotMend, when the file is of no format that can be edited, cannot be
    written, or was changed meanwhile; DocumentError.
    """
    form = FORMATS.get(file.suffix.lower())
    if form is None:
        raise CannotMend(f"{file}: only {', '.join(FORMATS)} files can be mended", hint="mend it by hand")
    before = _read(file)
    with _beside(file) as draft:
        draft.write_bytes(before)
        found = _rounds(draft, check, form)
        mended = Mended(before=before, after=draft.read_bytes(), done=found[0], left=found[1])
        if write and mended.after != before:
            _take_place(file, draft, before)
    return mended


def _rounds(
    draft: Path, check: Callable[[Path], Sequence[Problem]], form: Format
) -> tuple[tuple[Problem, ...], tuple[tuple[Problem, str], ...]]:
    done: list[Problem] = []
    left: dict[str, tuple[Problem, str]] = {}
    for _ in range(_MOST_ROUNDS):
        wanted = [problem for problem in check(draft) if _is_mended(problem) and _key(problem) not in left]
        fixed = False
        for problem in sorted(wanted, key=_order):
            try:
                _apply(draft, problem.fix or (), form)
            except (Unpatchable, DocumentError) as error:
                left[_key(problem)] = (problem, str(error))
            else:
                done.append(problem)
                fixed = True
        if not fixed:
            break
        left = {key: each for key, each in left.items() if key not in {_key(problem) for problem in done}}
    return tuple(done), tuple(left.values())


def _is_mended(problem: Problem) -> bool:
    return bool(problem.fix) and problem.severity is not Severity.NOTE and problem.path.startswith("$")


def _key(problem: Problem) -> str:
    return json.dumps([problem.code, problem.path, list(map(dict, problem.fix or ()))], sort_keys=True)


def _order(problem: Problem) -> tuple[Any, ...]:
    """Put fixes in an order in which none moves what a later one speaks of: removals last, from the end on."""
    first: Mapping[str, Any] = (problem.fix or ({"op": "", "path": ""},))[0]
    place = [(-int(part), "") if part.isdecimal() else (0, part) for part in parts(first["path"])]
    return (first["op"] == "remove", first["op"] == "move", place)


def _apply(draft: Path, fix: Sequence[Mapping[str, Any]], form: Format) -> None:
    data = draft.read_bytes()
    mark = _BOM if data.startswith(_BOM) else b""
    text = edited(data.removeprefix(mark).decode(), fix, form)
    draft.write_bytes(mark + _line_ends_of(data, text).encode())


def _line_ends_of(data: bytes, text: str) -> str:
    """Return a text whose new lines end as the others do."""
    if b"\r\n" not in data or b"\n" in data.replace(b"\r\n", b""):
        return text
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


# files -------------------------------------------------------------------------------------------------------


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CannotMend(f"{file}: {error.strerror}") from None


@contextmanager
def _beside(file: Path) -> Iterator[Path]:
    """Lend a file in the folder of another one, with its suffix and its rights; it is gone afterwards."""
    real = file.resolve()
    try:
        number, name = tempfile.mkstemp(prefix=f".{real.stem[:50]}-", suffix=real.suffix, dir=real.parent)
        os.close(number)
    except OSError as error:
        raise CannotMend(f"{real.parent}: {error.strerror}; a file is mended by one beside it") from None
    draft = Path(name)
    try:
        shutil.copymode(real, draft)
        yield draft
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()


def _take_place(file: Path, draft: Path, before: bytes) -> None:
    """Put the draft in the file's place, at once and for good."""
    if _read(file) != before:
        raise CannotMend(f"{file} was changed meanwhile; nothing is written", hint="run swarm check --fix again")
    try:
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(file.resolve())
    except OSError as error:
        raise CannotMend(f"{file}: {error.strerror}; nothing is written") from None

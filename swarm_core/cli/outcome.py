"""How a command ends: exit codes, and errors as people and programs read them."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from itertools import islice
from typing import Any, NoReturn, TextIO

import click

from swarm_core.errors import (
    AccessDenied,
    AnswerDenied,
    BlueprintArchived,
    BlueprintNotFound,
    DocumentError,
    EnhanceLogConflict,
    EnhanceLogNotFound,
    EnhanceSettingNotFound,
    InvalidSemver,
    IssueEnded,
    IssueExists,
    IssueNotFound,
    NoMatchingVersion,
    NotFound,
    SettingsError,
    StoreError,
    SwarmError,
    VersionConflict,
)
from swarm_core.model.problem import Problem

OK, FLOW_FAILED, USAGE, INVALID, NOT_FOUND, DENIED, STORE, WAITING, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 7, 130

# The first row that an error is an instance of says the exit code.
EXIT_CODES: tuple[tuple[type[SwarmError], int], ...] = (
    (DocumentError, INVALID),
    (NotFound, NOT_FOUND),
    (AccessDenied, DENIED),
    (AnswerDenied, DENIED),
    *((kind, NOT_FOUND) for kind in (BlueprintNotFound, NoMatchingVersion)),
    *((kind, NOT_FOUND) for kind in (IssueNotFound, EnhanceSettingNotFound, EnhanceLogNotFound)),
    *((kind, INVALID) for kind in (BlueprintArchived, InvalidSemver, VersionConflict)),
    *((kind, INVALID) for kind in (IssueExists, IssueEnded, EnhanceLogConflict)),
    (StoreError, STORE),
    (SettingsError, INVALID),
    (SwarmError, INVALID),
)

_PIECES = 10_000  # of a JSON text that are written at once
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Return text that cannot steer a terminal: control characters are written as escapes."""
    return _CONTROL.sub(
        lambda match: f"\\x{ord(match[0]):02x}" if ord(match[0]) < 256 else f"\\u{ord(match[0]):04x}", text
    )


def one_line(text: str) -> str:
    """Return printable text that stays on its line, whoever wrote it."""
    return printable(text).replace("\n", "\\n")


def say(text: str = "") -> None:
    """Write a line for people to stderr; where nobody can read it any more, it is dropped."""
    try:
        click.echo(printable(text), err=True)
    except OSError:
        _silence(sys.stderr)


def warn(text: str) -> None:
    """Write a warning to stderr."""
    say(f"warning: {text}")


def print_json(value: Any) -> None:
    """Write one JSON document to stdout, piece by piece."""
    pieces = json.JSONEncoder(ensure_ascii=False, indent=2).iterencode(value)
    while block := "".join(islice(pieces, _PIECES)):
        click.echo(block, nl=False)
    click.echo()


@contextmanager
def kept_stdout() -> Iterator[None]:
    """Keep stdout for the result: what plugins and functions print meanwhile goes to stderr."""
    with redirect_stdout(sys.stderr):
        yield


def exit_code_of(error: SwarmError) -> int:
    """Return the exit code for an error."""
    if isinstance(error, DocumentError) and any(map(_says_no_file, error.problems)):
        return NOT_FOUND
    return next(code for kind, code in EXIT_CODES if isinstance(error, kind))


def _says_no_file(problem: Problem) -> bool:
    return problem.code == "not_found" and problem.path == "$"


def error_lines(error: BaseException) -> Iterator[str]:
    """Yield what is wrong, a line each."""
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from error_lines(part)
    elif isinstance(error, DocumentError | SettingsError) and error.problems:
        yield from (str(problem) for problem in error.problems)
    else:
        yield str(error)


def error_json(error: BaseException) -> list[dict[str, Any]]:
    """Return what is wrong as data: problems, or code, message, where and hint."""
    if isinstance(error, BaseExceptionGroup):
        return [item for part in error.exceptions for item in error_json(part)]
    if isinstance(error, DocumentError | SettingsError) and error.problems:
        return [problem.as_json() for problem in error.problems]
    if isinstance(error, SwarmError):
        return [error.as_json()]
    return [{"code": "error", "message": str(error)}]


def run_and_exit(cli: click.Command, args: Sequence[str]) -> NoReturn:
    """Run the command line and exit with the code that its outcome has."""
    sys.exit(run(cli, args))


def run(cli: click.Command, args: Sequence[str]) -> int:
    """Run the command line and return the exit code; errors are told on stderr, never as a traceback."""
    try:
        code = cli.main(args=list(args), prog_name="swarm", standalone_mode=False)
    except click.exceptions.Exit as end:
        code = end.exit_code
    except click.ClickException as error:
        code = _tell_usage(error)
    except (click.Abort, KeyboardInterrupt):
        say("interrupted")
        code = INTERRUPTED
    except BrokenPipeError:
        _silence(sys.stdout)
        code = OK
    except OSError as error:
        code = _tell_system(error)
    except (SwarmError, ExceptionGroup) as error:
        code = _tell(error)
    return code if isinstance(code, int) else OK


def _tell_usage(error: click.ClickException) -> int:
    text = StringIO()
    error.show(file=text)
    say(text.getvalue().rstrip())
    return USAGE


def _tell_system(error: OSError) -> int:
    if error.filename is None:
        _silence(sys.stdout)
    say(f"error: {error.filename or 'the output cannot be written'}: {error.strerror or error}")
    return STORE


def _tell(error: SwarmError | ExceptionGroup[Exception]) -> int:
    first = first_of(error)
    if first is None:
        raise error
    for line in error_lines(error):
        say(f"error: {line}")
    return exit_code_of(first)


def first_of(error: BaseException) -> SwarmError | None:
    """Return the first error of a group when all of them are ours."""
    if isinstance(error, BaseExceptionGroup):
        found = [first_of(part) for part in error.exceptions]
        return found[0] if all(part is not None for part in found) else None
    return error if isinstance(error, SwarmError) else None


def _silence(stream: TextIO | None) -> None:
    """Let what is still to be written go nowhere, the interpreter's last flush too: the reader has left."""
    if stream is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

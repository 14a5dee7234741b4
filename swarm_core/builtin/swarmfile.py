"""Functions from a `swarmfile.py` beside a Blueprint."""

from __future__ import annotations

import secrets
import sys
import traceback
from pathlib import Path
from types import ModuleType

from swarm_core.errors import DocumentError
from swarm_core.factories import Function
from swarm_core.functions import functions_in
from swarm_core.model.problem import Problem

SWARMFILE = "swarmfile.py"


def functions_beside(directory: Path) -> tuple[Function, ...]:
    """Return the functions of the folder's `swarmfile.py`, none when it has no such file.

    Raises: DocumentError, as `load_swarmfile` does.
    """
    path = directory / SWARMFILE
    return load_swarmfile(path) if path.exists() else ()


def load_swarmfile(path: Path) -> tuple[Function, ...]:
    """Run a Python file as a module of its own and return the functions that it marks with `@function`.

    Each load runs the file anew and shares nothing with an earlier one; the module does not stay in `sys.modules`. The
    file is the user's own code and is trusted. It can import what is installed, not the files beside it.
    Raises: DocumentError, when the file cannot be read or run, or gives two functions one name.
    """
    try:
        code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    except OSError as error:
        raise _refused(path, "swarmfile_unreadable", f"cannot be read: {error.strerror}") from None
    except SyntaxError as error:
        raise _refused(path, "swarmfile_syntax", error.msg, line=error.lineno, column=error.offset) from None
    except ValueError as error:
        raise _refused(path, "swarmfile_syntax", str(error)) from None
    functions = functions_in(_run(code, path))
    _refuse_doubles(path, functions)
    return functions


def _run(code: object, path: Path) -> dict[str, object]:
    module = ModuleType(f"swarmfile_{secrets.token_hex(8)}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses and the like look their module up while the file runs
    try:
        exec(code, vars(module))  # type: ignore[arg-type]
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise _failed(path, error) from error
    finally:
        sys.modules.pop(module.__name__, None)
    return vars(module)


def _failed(path: Path, error: BaseException) -> DocumentError:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    hint = None
    if isinstance(error, ModuleNotFoundError):
        hint = "a swarmfile.py can import installed packages, not the files beside it"
    text = f"running it raised {type(error).__name__}: {error}"
    return _refused(path, "swarmfile_failed", text, line=lines[-1] if lines else None, hint=hint)


def _refuse_doubles(path: Path, functions: tuple[Function, ...]) -> None:
    first: dict[str, Function] = {}
    problems = [
        Problem(
            code="duplicate_function",
            message=f"two functions are named {function.name!r}",
            file=str(path),
            line=_line_of(function),
        )
        for function in functions
        if first.setdefault(function.name, function) is not function
    ]
    if problems:
        raise DocumentError(problems)


def _line_of(function: Function) -> int | None:
    code = getattr(function.call, "__code__", None)
    return code.co_firstlineno if code else None


def _refused(
    path: Path, code: str, message: str, *, line: int | None = None, column: int | None = None, hint: str | None = None
) -> DocumentError:
    return DocumentError([Problem(code=code, message=message, file=str(path), line=line, column=column, hint=hint)])

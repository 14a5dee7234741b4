"""What commands take from their options: ctx, settings, bindings, the Blueprint's source."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from swarm_core.cli.context import context_of
from swarm_core.errors import DocumentError
from swarm_core.model.value import MAX_DEPTH
from swarm_core.settings import Settings, blueprints_url

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., Any])

_CONSTANTS = ("NaN", "Infinity", "-Infinity")  # some parsers take these words for numbers

FILE = click.Path(path_type=Path, allow_dash=True)


class _Source(click.Path):
    """A file, `-` for stdin, or a Blueprint that a store keeps: `bp:NAME[@SELECTOR]`, which stays a text."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if is_kept(value) else super().convert(value, param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        if not is_kept(incomplete):
            return super().shell_complete(ctx, param, incomplete)
        from swarm_core.cli.bp_stores import complete_sources

        return complete_sources(ctx, param, incomplete)


SOURCE = _Source(path_type=Path, allow_dash=True)


def is_kept(source: object) -> bool:
    """Tell whether a source names a Blueprint of a store."""
    return isinstance(source, str) and source.startswith("bp:")


def blueprint_argument(command: F) -> F:
    """Add the argument that names a Blueprint: a file, `-` for stdin, or `bp:NAME[@SELECTOR]`."""
    return click.argument("file", type=SOURCE)(command)


def blueprints_of(settings: Settings, source: object, runs: str | None = None) -> str:
    """Return the URL of the store that a source's Blueprint is in; `runs` is the run store that was named.

    Raises: BlueprintNotFound, when there is no file that it could be in; nothing is made then.
    """
    if is_kept(source):
        from swarm_core.cli.bp_stores import require

        require(settings, str(source), runs)
    return blueprints_url(settings, runs=runs)


def compile_options(command: F) -> F:
    """Add the options that say how a Blueprint is compiled."""
    command = click.option(
        "--bind",
        "bindings",
        multiple=True,
        metavar="AGENT=KIND",
        help="Run an agent on another kind, e.g. --bind reviewer=fake. May be repeated.",
    )(command)
    return click.option(
        "--layers", "layer_set", default="standard", show_default=True, metavar="SET", help="Layer set to use."
    )(command)


def budget_options(command: F) -> F:
    """Add the option that bounds what a run may use."""
    return click.option(
        "--budget",
        "budget_pairs",
        multiple=True,
        metavar="KEY=VALUE",
        help="Bound the run, e.g. --budget dispatches=200 --budget wall_time=2h --budget tokens=1e6. May be repeated.",
    )(command)


def settings_of(ctx: click.Context) -> Settings:
    """Read the settings that the command line names."""
    return context_of(ctx).settings()


def parse_bindings(pairs: Sequence[str]) -> dict[str, str]:
    """Return agent -> kind from `agent=kind` texts."""
    return dict(_pair(pair, "--bind", "AGENT=KIND") for pair in pairs)


def parse_budget(pairs: Sequence[str]) -> dict[str, Any]:
    """Return a budget's document from `key=value` texts; a key that is no limit names a counter, as `counters.` does.

    Raises: click.BadParameter, when the document would be no budget.
    """
    from swarm_core.model.budget import LIMITS

    limits: dict[str, Any] = {}
    counters: dict[str, Any] = {}
    for pair in pairs:
        key, text = _pair(pair, "--budget", "KEY=VALUE")
        if key not in LIMITS:
            _check_counter(key, LIMITS)
        given, name = (limits, key) if key in LIMITS else (counters, key.removeprefix("counters."))
        if name in given:
            raise click.BadParameter(f"{name!r} is given twice", param_hint="--budget")
        given[name] = _limit(text)
    budget = {**limits, "counters": counters} if counters else limits
    _check_budget(budget)
    return budget


def _check_counter(key: str, limits: Sequence[str]) -> None:
    """Refuse what looks like a limit that is misspelt: as a counter it would bound nothing."""
    from difflib import get_close_matches

    near = get_close_matches(key, [*limits, "counters"], n=1, cutoff=0.8)
    if near:
        text = f"did you mean {near[0]!r}? A counter of the name {key!r} is written counters.{key}=..."
        raise click.BadParameter(text, param_hint="--budget")


def _limit(text: str) -> Any:
    """Return the number that the text is, whole where it can be, else the text."""
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() else number


def _check_budget(budget: Mapping[str, Any]) -> None:
    from swarm_core.codec import structure
    from swarm_core.model.budget import Budget

    try:
        structure(budget, Budget)
    except DocumentError as error:
        problem = error.problems[0]
        hint = f"; {problem.hint}" if problem.hint else ""
        place = problem.path.removeprefix("$.")
        raise click.BadParameter(f"{place}: {problem.message}{hint}", param_hint="--budget") from None


def read_stdin() -> bytes:
    """Return what comes from stdin, one byte more than a document may have at most."""
    from swarm_core.codec import LIMITS

    if sys.stdin is None:
        raise click.UsageError("'-' reads from stdin, and stdin is closed")
    return sys.stdin.buffer.read(LIMITS.size + 1)


def initial_ctx(text: str | None, assignments: Sequence[str]) -> Any:
    """Return the initial ctx from `--ctx` (JSON, `@file` or `-`) with the `--set` values written into it.

    Returns None when neither is given.
    """
    ctx = None if text is None else _read_ctx(text)
    for assignment in assignments:
        key, value = _pair(assignment, "--set", "KEY=VALUE")
        ctx = _written(ctx, _keys(key), _value(value), assignment)
    return ctx


def _read_ctx(text: str) -> Any:
    from swarm_core.codec import LIMITS, load_json

    if text == "-":
        name, data = "<stdin>", read_stdin()
    elif text.startswith("@"):
        name = text[1:]
        try:
            with Path(name).open("rb") as file:
                data = file.read(LIMITS.size + 1)
        except OSError as error:
            raise click.BadParameter(f"{name}: {error.strerror}", param_hint="--ctx") from None
    else:
        name, data = "--ctx", text.encode("utf-8", "surrogateescape")
    try:
        return load_json(data, name=name).value
    except DocumentError as error:
        raise DocumentError(error.problems, source=None) from None


def _pair(text: str, option: str, form: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.BadParameter(f"{text!r} is not of the form {form}", param_hint=option)
    return key, value


def _keys(key: str) -> list[str]:
    keys = key.split(".")
    if len(keys) > MAX_DEPTH:
        raise click.BadParameter(f"a key goes at most {MAX_DEPTH} levels deep", param_hint="--set")
    return keys


def _value(text: str) -> Any:
    """Return JSON where the text is JSON, else the text itself.

    Raises: DocumentError, when it is JSON that cannot be kept as it is written.
    """
    from swarm_core.codec import load_json

    if text in _CONSTANTS:
        return text
    try:
        return load_json(text.encode("utf-8", "surrogateescape"), name="--set").value
    except DocumentError as error:
        if error.problems[0].code in ("json_syntax", "blueprint_empty"):
            return text
        raise


def _written(ctx: Any, keys: Sequence[str], value: Any, assignment: str) -> Any:
    if not keys:
        return value
    if ctx is None:
        ctx = {}
    if not isinstance(ctx, Mapping) or not keys[0]:
        raise click.BadParameter(f"{assignment!r}: {keys[0]!r} has no object to stand in", param_hint="--set")
    return {**ctx, keys[0]: _written(ctx.get(keys[0]), keys[1:], value, assignment)}

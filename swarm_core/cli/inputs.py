"""What commands take from their options: ctx, settings, bindings, the Blueprint's source."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from swarm_core.errors import DocumentError
from swarm_core.settings import Settings, load_settings

F = TypeVar("F", bound=Callable[..., Any])

FILE = click.Path(path_type=Path, allow_dash=True)


def blueprint_argument(command: F) -> F:
    """Add the argument that names a Blueprint's file, `-` for stdin."""
    return click.argument("file", type=FILE)(command)


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


def settings_of(ctx: click.Context) -> Settings:
    """Read the settings that the command line names."""
    return load_settings(file=(ctx.obj or {}).get("config"))


def parse_bindings(pairs: Sequence[str]) -> dict[str, str]:
    """Return agent -> kind from `agent=kind` texts."""
    return dict(_pair(pair, "--bind", "AGENT=KIND") for pair in pairs)


def initial_ctx(text: str | None, assignments: Sequence[str], stdin: Callable[[], bytes]) -> Any:
    """Return the initial ctx from `--ctx` (JSON, `@file` or `-`) with the `--set` values written into it.

    Returns None when neither is given.
    """
    ctx = None if text is None else _read_ctx(text, stdin)
    for assignment in assignments:
        key, value = _pair(assignment, "--set", "KEY=VALUE")
        ctx = _written(ctx, key.split("."), _value(value), assignment)
    return ctx


def _read_ctx(text: str, stdin: Callable[[], bytes]) -> Any:
    from swarm_core.codec import load_json

    if text == "-":
        name, data = "<stdin>", stdin()
    elif text.startswith("@"):
        name = text[1:]
        try:
            data = Path(name).read_bytes()
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


def _value(text: str) -> Any:
    """Return JSON where the text is JSON, else the text itself."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError:
        return text


def _no_constant(text: str) -> Any:
    raise ValueError(text)


def _written(ctx: Any, keys: Sequence[str], value: Any, assignment: str) -> Any:
    if not keys:
        return value
    if ctx is None:
        ctx = {}
    if not isinstance(ctx, Mapping) or not keys[0]:
        raise click.BadParameter(f"{assignment!r}: {keys[0]!r} has no object to stand in", param_hint="--set")
    return {**ctx, keys[0]: _written(ctx.get(keys[0]), keys[1:], value, assignment)}

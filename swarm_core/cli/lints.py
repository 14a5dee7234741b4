"""`swarm lints`: what `swarm check` looks for beyond errors, and how it tells it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from swarm_core.cli import inputs, outcome
from swarm_core.cli.tables import print_table
from swarm_core.compile.lints import LINTS, Levels, Lint, read_levels
from swarm_core.compile.lints.levels import unknown_lint
from swarm_core.model.blueprint import LINT_LEVELS, Blueprint
from swarm_core.model.nodes import Seq

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from swarm_core.settings import Settings


def complete_codes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the codes that a word may become."""
    return _items(LINTS, incomplete)


def complete_levels(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the settings of a level that a word may become."""
    code, equals, _ = incomplete.partition("=")
    known = (f"{each}={level}" for each in LINTS for level in LINT_LEVELS) if equals and code in LINTS else LINTS
    return _items(known, incomplete)


@click.command("lints")
@click.argument("code", required=False, shell_complete=complete_codes)
@click.option("--json", "as_json", is_flag=True, help="Print an array of lints: code, level, default, summary, advice.")
@click.pass_context
def command(ctx: click.Context, /, code: str | None, *, as_json: bool) -> int:
    """List the lints with their levels, as the settings say; with CODE, tell more about one.

    A Blueprint's own metadata.lints and --lint of swarm check come before the settings. Exit codes: 0, 4 no such lint.
    """
    settings = inputs.settings_of(ctx)
    levels = _levels(settings)
    for problem in levels.problems:
        outcome.warn(str(problem))
    if code is not None and code not in LINTS:
        message, hint = unknown_lint(code)
        outcome.say(f"error: {message}; {hint}")
        return outcome.NOT_FOUND
    found = [LINTS[code]] if code is not None else list(LINTS.values())
    if as_json:
        outcome.print_json([_facts(lint, levels, settings) for lint in found])
    elif code is not None:
        _print_one(found[0], levels, settings)
    else:
        _print_all(found, levels, settings)
    return outcome.OK


def parse_levels(pairs: Sequence[str]) -> dict[str, str]:
    """Return overrides of the settings from `code=level` texts; raises click.BadParameter."""
    overrides: dict[str, str] = {}
    for pair in pairs:
        code, equals, level = pair.partition("=")
        if not equals or level not in LINT_LEVELS:
            text = f"{pair!r} is not of the form CODE=LEVEL; levels: {', '.join(LINT_LEVELS)}"
            raise click.BadParameter(text, param_hint="--lint")
        if code not in LINTS:
            raise click.BadParameter("; ".join(unknown_lint(code)), param_hint="--lint")
        overrides[f"lints.{code}"] = level
    return overrides


def _levels(settings: Settings) -> Levels:
    return read_levels(Blueprint(id="none", flow=Seq(children=())), settings)


def _facts(lint: Lint, levels: Levels, settings: Settings) -> dict[str, Any]:
    return {
        "code": lint.code,
        "level": levels.of[lint.code],
        "from": _origin(lint, settings),
        "default": lint.level,
        "fixable": lint.fixable,
        "summary": lint.summary,
        "advice": lint.advice,
        "docs": lint.anchor,
    }


def _origin(lint: Lint, settings: Settings) -> str:
    return settings.origins.get(f"lints.{lint.code}", "default")


def _print_all(lints: Iterable[Lint], levels: Levels, settings: Settings) -> None:
    rows = [
        (lint.code, levels.of[lint.code], _origin(lint, settings), "yes" if lint.fixable else "", lint.summary)
        for lint in lints
    ]
    print_table(("lint", "level", "from", "fix", "looks for"), rows, empty="none")


def _print_one(lint: Lint, levels: Levels, settings: Settings) -> None:
    click.echo(f"{lint.code}: {lint.summary}")
    click.echo(f"level: {levels.of[lint.code]} ({_origin(lint, settings)}; default: {lint.level})")
    click.echo(f"what to do: {lint.advice}")
    if lint.fixable:
        click.echo("swarm check --fix can mend it")
    click.echo(f"more: {lint.anchor}")


def _items(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(word) for word in words if word.startswith(incomplete)]

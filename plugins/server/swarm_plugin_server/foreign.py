"""The flags of `mse serve`: those that mean the same here are taken, the others are told what to use instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

import click

F = TypeVar("F", bound=Callable[..., Any])

_REFUSED = {
    "--token-secret": "a secret does not belong on a command line, where every process can read it: "
    "the server makes its own and keeps it in --token-file",
    "--seed-blueprint-id": "no Blueprint is made unasked: add yours with `swarm bp add`",
    "--issue-store-path": "issues are kept beside the runs; another place is set by [store] issues in swarm.toml",
    "--enhance-setting-store-path": "settings of the enhance loop are kept with its issues: [store] issues",
    "--enhance-log-store-path": "the log of the enhance loop is kept with its issues: [store] issues",
    "--output-store-path": "outputs are kept beside the runs they belong to: --store",
    "--default-agent-kind": "each agent of a Blueprint says its own kind; `bind` of a launch says another",
}
_SWITCHES = {
    "--enable-enhance-flow": "install swarm-plugin-enhance and start `swarm enhance run --follow`",
}


def foreign_options(command: F) -> F:
    """Add the flags that only `mse serve` has; each is refused with what to use."""
    for flag, instead in {**_REFUSED, **_SWITCHES}.items():
        command = click.option(
            flag, hidden=True, expose_value=False, is_flag=flag in _SWITCHES, callback=_refusal(flag, instead)
        )(command)
    return click.option("--git-store-path", hidden=True, metavar="PATH", callback=_git)(command)


def _refusal(flag: str, instead: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def refuse(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value:
            raise click.UsageError(f"{flag} is not known here: {instead}")

    return refuse


def _git(ctx: click.Context, parameter: click.Parameter, path: str | None) -> str | None:
    """Return the URL of the store of Blueprints that a path of `mse serve` means."""
    return None if path is None else f"git:///{quote(path)}"

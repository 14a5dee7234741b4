"""`swarm hooks`: the hooks that a plugin may implement."""

from __future__ import annotations

import inspect
from typing import Any

import click

from swarm_core import builtin, hookspecs
from swarm_core.cli import inputs, outcome
from swarm_core.cli.tables import print_table
from swarm_core.host import Host


@click.command("hooks")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one array of objects: hook, arguments, doc, implemented_by."
)
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> int:
    """List the hooks that a plugin may implement, in the order the host calls them, and who implements them."""
    with outcome.kept_stdout():
        host = Host.load(None, inputs.settings_of(ctx), builtin=(builtin,), strict=False)
    specs = [(name, spec) for name, spec in vars(hookspecs).items() if name.startswith("swarm_")]
    facts: list[dict[str, Any]] = [
        {
            "hook": name,
            "arguments": list(inspect.signature(spec).parameters),
            "doc": inspect.getdoc(spec) or "",
            "implemented_by": [status.name for status in host.plugins if name in status.hooks],
        }
        for name, spec in specs
    ]
    if as_json:
        outcome.print_json(facts)
        return outcome.OK
    click.echo(f"Entry-point group {hookspecs.ENTRY_POINT_GROUP!r}, SWARM_API = {hookspecs.SWARM_API}\n")
    rows = [
        (
            f"{fact['hook']}({', '.join(fact['arguments'])})",
            fact["doc"].partition("\n")[0],
            ", ".join(fact["implemented_by"]),
        )
        for fact in facts
    ]
    print_table(("hook", "", "implemented by"), rows, empty="none")
    return outcome.OK

"""`swarm schema`: the JSON Schema of Blueprints."""

from __future__ import annotations

import click

from swarm_core import builtin
from swarm_core.cli import inputs, outcome
from swarm_core.host import Host


@click.command("schema")
@click.pass_context
def command(ctx: click.Context, /) -> int:
    """Print the JSON Schema (2020-12) of Blueprints, flow and expressions included.

    Editors use it: put `# yaml-language-server: $schema=FILE` on a Blueprint's first line.
    """
    from swarm_core.codec import blueprint_schema

    host = Host.load(None, inputs.settings_of(ctx), builtin=(builtin,), strict=False)
    outcome.print_json(blueprint_schema(host.catalog.directives))
    return outcome.OK

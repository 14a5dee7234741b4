"""`swarm schema`: the JSON Schema of Blueprints."""

from __future__ import annotations

import click

from swarm_core.cli import outcome


@click.command("schema")
def command() -> int:
    """Print the JSON Schema (2020-12) of Blueprints, flow and expressions included.

    Editors use it: put `# yaml-language-server: $schema=FILE` on a Blueprint's first line.
    """
    from swarm_core.codec import blueprint_schema

    outcome.print_json(blueprint_schema())
    return outcome.OK

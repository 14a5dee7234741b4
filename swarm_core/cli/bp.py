"""`swarm bp`: keep Blueprints, with all their versions."""

from __future__ import annotations

import click

from swarm_core.cli.bp_changes import diff, log
from swarm_core.cli.bp_read import listing, show
from swarm_core.cli.bp_use import archive, unarchive
from swarm_core.cli.bp_write import add, revert


@click.group("bp")
def command() -> None:
    """Keep Blueprints, with all their versions, and go back to any.

    What is kept can be run from anywhere in the project: `swarm run bp:NAME`, or `bp:NAME@SELECTOR`, where SELECTOR is
    `latest`, the first digits of a version, or a requirement that the Blueprints' metadata.version_label meets, such as
    `^1.2`. Its functions are those of the swarmfile.py in the project's folder.
    """


for _each in (add, listing, log, show, diff, revert, archive, unarchive):
    command.add_command(_each)

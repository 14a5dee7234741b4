"""The command line. Commands are imported when they are asked for, so that `swarm --help` comes at once."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the `swarm` command."""
    from swarm_core.cli.group import cli
    from swarm_core.cli.outcome import run_and_exit

    run_and_exit(cli, sys.argv[1:])

"""Tables of text on stdout."""

from __future__ import annotations

from collections.abc import Sequence

import click

from swarm_core.cli.outcome import printable


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> None:
    """Print rows under their heads, columns as wide as they need to be; `empty` when there are none."""
    if not rows:
        click.echo(f"  {empty}")
        return
    cells = [[printable(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    for place, row in enumerate(cells):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        click.echo(f"  {click.style(line, dim=True) if place == 0 else line}")

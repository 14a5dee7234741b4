"""Durations on the command line."""

from __future__ import annotations

import click

from swarm_core.model.duration import parse_duration


def duration(text: str) -> float:
    """Return a duration such as `90s` or `30d`, or a number of seconds, as seconds: the type of an option.

    Raises: click.BadParameter.
    """
    try:
        return parse_duration(float(text) if text.replace(".", "", 1).isdecimal() else text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None

"""Who gives a command."""

from __future__ import annotations

import os

import click

_LONGEST = 200


def check_name(ctx: click.Context, parameter: click.Parameter, name: str | None) -> str | None:
    """Return the name of a person or program as an option gives it; raises click.BadParameter."""
    if name is not None and not (name.strip() == name and name.isprintable() and 0 < len(name) <= _LONGEST):
        raise click.BadParameter(f"a name has 1 to {_LONGEST} printable characters and no blanks around it")
    return name


def own_name() -> str:
    """Return the name that the user is logged in under, the number where it has none."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())

"""A value as it is given on the command line: JSON or text, from the line itself, a file or stdin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from swarm_core.cli import inputs
from swarm_core.errors import DocumentError

_NO_JSON = ("json_syntax", "blueprint_empty")


def source_of(text: str) -> tuple[str, bytes]:
    """Return a name for what is given, and the bytes: those of a file for `@file`, of stdin for `-`, else of the text.

    Raises: click.BadParameter, when the file cannot be read.
    """
    from swarm_core.codec import LIMITS

    if text == "-":
        return "<stdin>", inputs.read_stdin()
    if not text.startswith("@"):
        return "VALUE", text.encode("utf-8", "surrogateescape")
    name = text[1:]
    try:
        with Path(name).open("rb") as file:
            return name, file.read(LIMITS.size + 1)
    except OSError as error:
        raise click.BadParameter(f"{name}: {error.strerror}", param_hint="VALUE") from None


def readings(data: bytes, name: str, form: str | None = None) -> Sequence[Any]:
    """Return what the bytes may mean, the likeliest first: the JSON value where they are JSON, then the text.

    `form` allows only one of them, `json` or `text`. The text is without the line break at its end. Raises:
    DocumentError, also for JSON that cannot be kept as it is written.
    """
    from swarm_core.codec import load_json

    if form == "text":
        return [_text(data, name)]
    try:
        value = load_json(data, name=name).value
    except DocumentError as error:
        if form == "json" or error.problems[0].code not in _NO_JSON:
            raise
        return [_text(data, name)]
    return [value] if form == "json" else [value, _text(data, name)]


def _text(data: bytes, name: str) -> str:
    from swarm_core.codec import LIMITS
    from swarm_core.codec.text import decode

    text = decode(data, name, LIMITS) if data.strip() else data.decode()
    return text.removesuffix("\n").removesuffix("\r")

"""Outputs as they stand in the file: a short head, and the value apart from it."""

from __future__ import annotations

import json

from swarm_core.codec.compact import compact
from swarm_core.model.output import Artifact, ContentRef, FileRef, Final, Inline, OutputEvent, Partial, Progress


def parts_of(event: OutputEvent) -> tuple[str, str | None]:  # noqa: PLR0911 - one way out for each kind of output
    """Return an output as head and value, both JSON text; the value is None where there is none."""
    match event:
        case Final(Inline(value), ok, None):
            return '["f",true]' if ok else '["f",false]', compact(value)
        case Final(Inline(value), ok, by):
            return compact(["f", ok, by]), compact(value)
        case Final(FileRef() as file, ok, by):
            return compact(["F", ok, by, *_file(file)]), None
        case Partial(chunk):
            return '["t"]', compact(chunk)
        case Progress(stage, note):
            return compact(["p", stage, note]), None
        case Artifact(name, Inline(value)):
            return compact(["a", name]), compact(value)
        case Artifact(name, FileRef() as file):
            return compact(["A", name, *_file(file)]), None
        case _:
            raise TypeError(f"{type(event).__name__} is no output")


def event_of(head: str, value: str | None) -> OutputEvent:
    """Return the output that head and value stand for.

    Raises: ValueError, TypeError, LookupError.
    """
    tag, *facts = json.loads(head)
    content: ContentRef | None = None if value is None else Inline(json.loads(value))
    match tag, content:
        case "f", Inline() as inline:
            return Final(inline, *facts)
        case "F", None:
            return Final(FileRef(*facts[2:]), *facts[:2])
        case "t", Inline(chunk):
            return Partial(chunk)
        case "p", None:
            return Progress(*facts)
        case "a", Inline() as inline:
            return Artifact(facts[0], inline)
        case "A", None:
            return Artifact(facts[0], FileRef(*facts[1:]))
    raise ValueError(f"{head[:40]} is no output")


def _file(file: FileRef) -> tuple[str, str | None, int | None]:
    return file.path, file.mime, file.size_hint

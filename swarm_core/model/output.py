"""What a worker says while it works and at its end."""

from __future__ import annotations

from typing import Any, ClassVar

from attrs import field, frozen

from swarm_core.model.shown import shown


@frozen
class Inline:
    """Content carried in place."""

    __repr__ = shown

    kind: ClassVar[str] = "inline"
    value: Any


@frozen
class FileRef:
    """Content that stands in a file."""

    __repr__ = shown

    kind: ClassVar[str] = "file_ref"
    path: str
    mime: str | None = None
    size_hint: int | None = None


ContentRef = Inline | FileRef


@frozen
class Progress:
    """How far the worker is."""

    __repr__ = shown

    type: ClassVar[str] = "progress"
    stage: str
    note: str | None = None


@frozen
class Partial:
    """A piece of the answer, streamed."""

    __repr__ = shown

    type: ClassVar[str] = "partial"
    chunk: str


@frozen
class Artifact:
    """A named by-product."""

    __repr__ = shown

    type: ClassVar[str] = "artifact"
    name: str
    content: ContentRef


@frozen
class Final:
    """An answer; the last one of an attempt counts. `by` names the layer that put it in place of the worker's."""

    __repr__ = shown

    type: ClassVar[str] = "final"
    content: ContentRef
    ok: bool
    by: str | None = None


OutputEvent = Progress | Partial | Artifact | Final


@frozen(kw_only=True)
class OutputRecord:
    """One output as an OutputStore keeps it."""

    __repr__ = shown

    id: str
    run_id: str
    task_id: str
    attempt: int
    producer_agent: str
    event: OutputEvent
    parent_refs: tuple[str, ...] = field(default=())


def content_value(content: ContentRef) -> Any:
    """Return the JSON value that a content stands for in a result; a file is its path, type and size."""
    if isinstance(content, Inline):
        return content.value
    return {"file_ref": content.path, "mime": content.mime, "size_hint": content.size_hint}


def output_json(event: OutputEvent) -> dict[str, Any]:
    """Return the wire form of an output event (tag `type`; contents tagged `kind`)."""
    match event:
        case Progress(stage, note):
            return {"type": "progress", "stage": stage, "note": note}
        case Partial(chunk):
            return {"type": "partial", "chunk": chunk}
        case Artifact(name, content):
            return {"type": "artifact", "name": name, "content": _content_json(content)}
        case Final(content, ok, by):
            wire = {"type": "final", "content": _content_json(content), "ok": ok}
            return wire if by is None else {**wire, "by": by}


def _content_json(content: ContentRef) -> dict[str, Any]:
    if isinstance(content, Inline):
        return {"kind": "inline", "value": content.value}
    return {"kind": "file_ref", "path": content.path, "mime": content.mime, "size_hint": content.size_hint}

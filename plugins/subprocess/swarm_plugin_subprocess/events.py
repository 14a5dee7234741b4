"""Records of a stream as output events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from swarm_core.model.call import Call
from swarm_core.model.output import Artifact, ContentRef, FileRef, Final, Inline, OutputEvent, Partial, Progress
from swarm_plugin_subprocess.values import read_json, text_of


def read_event(record: bytes, call: Call) -> OutputEvent:
    """Return the output event that a record is.

    A record may say which task and attempt it is for, and then must say ours. What it says about files and roles is
    data: nothing is opened and nobody is believed. Raises: ValueError, with the reason.
    """
    fields = read_json(text_of(record))
    if not isinstance(fields, dict):
        raise ValueError(f"a record is an object, not {_type_of(fields)}")
    for key, own in (("task_id", call.task_id), ("attempt", call.attempt)):
        if fields.get(key) not in (None, own):
            raise ValueError(f"it is for {key} {_shown(fields[key])}, not for {own!r}")
    kind = fields.get("type")
    if kind == "progress":
        return Progress(_field(fields, "stage", str), _optional(fields, "note", str))
    if kind == "partial":
        return Partial(_field(fields, "chunk", str))
    if kind == "artifact":
        return Artifact(_field(fields, "name", str), _content(fields))
    if kind == "final":
        return Final(_content(fields), _field(fields, "ok", bool))
    raise ValueError(f"'type' is {_shown(kind)}, not 'progress', 'partial', 'artifact' or 'final'")


def _content(fields: Mapping[str, Any]) -> ContentRef:
    content = _field(fields, "content", dict)
    kind = content.get("kind")
    if kind == "inline":
        if "value" not in content:
            raise ValueError("'content' has no 'value'")
        return Inline(content["value"])
    if kind == "file_ref":
        mime, size = _optional(content, "mime", str), _optional(content, "size_hint", int)
        return FileRef(_field(content, "path", str), mime, size)
    raise ValueError(f"'content.kind' is {_shown(kind)}, not 'inline' or 'file_ref'")


def _field(fields: Mapping[str, Any], key: str, wanted: type) -> Any:
    if key not in fields:
        raise ValueError(f"it has no {key!r}")
    value = fields[key]
    if type(value) is not wanted:
        raise ValueError(f"{key!r} is {_type_of(value)}, not {_NAMES[wanted]}")
    return value


def _optional(fields: Mapping[str, Any], key: str, wanted: type) -> Any:
    return None if fields.get(key) is None else _field(fields, key, wanted)


_NAMES = {
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    dict: "an object",
    list: "an array",
    type(None): "null",
}


def _type_of(value: Any) -> str:
    return _NAMES[type(value)]


def _shown(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:80]}..."

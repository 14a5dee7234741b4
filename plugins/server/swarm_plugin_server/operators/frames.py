"""The frames of the operator protocol: JSON objects with a `type`, one to each text message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from attrs import field, frozen

from swarm_core.codec import load_json, structure
from swarm_core.errors import DocumentError, SwarmError, did_you_mean

LARGEST_FRAME = 1024 * 1024
"""Bytes of one message, either way: what WebSocket clients take by default."""

_SHOWN = 120  # characters of what a client wrote


@frozen(kw_only=True)
class Answer:
    """An operator's reply to `ask`."""

    req_id: str
    value: Any = field(repr=False)
    parent_req_id: str | None = None


@frozen(kw_only=True)
class HookAck:
    """An operator's reply to `hook_before`: not `ok` refuses the attempt."""

    req_id: str
    ok: bool
    reason: str | None = None
    parent_req_id: str | None = None


@frozen(kw_only=True)
class SpawnAck:
    """An operator's reply to `spawn`, when the work is done, or with an `error` when it cannot be."""

    req_id: str
    value: Any = field(default=None, repr=False)
    ok: bool = True
    error: str | None = None
    parent_req_id: str | None = None


Reply: TypeAlias = Answer | HookAck | SpawnAck

REPLIES: Mapping[str, type[Reply]] = {"answer": Answer, "hook_ack": HookAck, "spawn_ack": SpawnAck}
_TYPES = {cls: name for name, cls in REPLIES.items()}


class BadFrame(SwarmError):
    """A message is no frame that the protocol has; `req_id` is what it says it replies to, where that can be seen."""

    code = "bad_frame"

    def __init__(self, code: str, message: str, *, req_id: str | None = None, hint: str | None = None) -> None:
        self.reason, self.req_id = code, req_id
        super().__init__(message, hint=hint)


def read_reply(text: str) -> Reply:
    """Return the reply that a message is; raises BadFrame."""
    try:
        value = load_json(text.encode("utf-8", "surrogatepass"), name="frame").value
    except DocumentError as error:
        raise BadFrame("not_json", str(error), hint="send one JSON object as text") from None
    if not isinstance(value, dict):
        raise BadFrame("not_an_object", "a frame is a JSON object", hint='such as {"type": "spawn_ack", "req_id": ...}')
    return _reply_of(value)


def _reply_of(value: dict[str, Any]) -> Reply:
    type_, req_id = value.pop("type", None), _req_id_of(value)
    model = REPLIES.get(type_) if isinstance(type_, str) else None
    if model is None:
        said = "it has no type" if type_ is None else f"{str(type_)[:_SHOWN]!r} is no type of a reply"
        raise BadFrame("unknown_type", said, req_id=req_id, hint=did_you_mean(str(type_), REPLIES, otherwise="replies"))
    try:
        return structure(value, model)
    except DocumentError as error:
        raise BadFrame("bad_fields", f"{type_}: {error}"[:1000], req_id=req_id) from None


def _req_id_of(value: Mapping[str, Any]) -> str | None:
    req_id = value.get("req_id")
    return req_id[:_SHOWN] if isinstance(req_id, str) else None


def type_of(reply: type[Reply]) -> str:
    """Return the `type` that a reply of a class has."""
    return _TYPES[reply]


def error_frame(code: str, message: str, *, req_id: str | None = None, hint: str | None = None) -> dict[str, Any]:
    """Return the frame that tells a client what is wrong with one of its own."""
    frame: dict[str, Any] = {"type": "error", "code": code, "message": message}
    return frame | {key: value for key, value in (("req_id", req_id), ("hint", hint)) if value is not None}


def written(frame: Mapping[str, Any]) -> str:
    """Return a frame as the text of a message."""
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":"), allow_nan=False)

"""What a worker submits as bytes: text, or the structure that the text is written as."""

from __future__ import annotations

import re
from typing import Any

from swarm_core.codec import Limits, load_json
from swarm_core.errors import DocumentError
from swarm_core.model.value import MAX_DEPTH
from swarm_plugin_server.problems import Refused

NAME = "body"

_MOST_VALUES = 1_000_000
_FENCED = re.compile(r"```[ \t]*(?:json)?[ \t]*\r?\n(?P<inside>.*?)\r?\n?[ \t]*```", re.DOTALL | re.IGNORECASE)
_BRACKETS = {"{": "}", "[": "]"}
_CHARSETS = ("utf-8", "utf8", "us-ascii")


def value_of(body: bytes, content_type: str | None, *, raw: bool) -> Any:
    """Return what was submitted, without white space at its end.

    As `application/json` it is any JSON value. As `text/plain`, or when `raw`, it is text. Otherwise it is text too,
    unless it is nothing but one JSON object or array, or one fenced block of one: then it is that. Raises: Refused, 400
    for what is no UTF-8, or no JSON where that was said; 415 for another charset.
    """
    media_type = _media_type(content_type)
    text = _text_of(body).rstrip()
    if raw or media_type == "text/plain":
        return text
    if media_type == "application/json":
        return _json_of(text)
    found = _structure_in(text)
    return text if found is None else found


def _media_type(content_type: str | None) -> str:
    media_type, *parameters = (content_type or "").lower().split(";")
    for each in parameters:
        name, _, value = each.strip().partition("=")
        if name == "charset" and value.strip('"') not in _CHARSETS:
            raise Refused(415, "charset", "what is submitted is read as UTF-8", hint="send UTF-8")
    return media_type.strip()


def _text_of(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(400, "not_utf8", f"the body is no UTF-8 at byte {error.start}") from None


def _json_of(text: str) -> Any:
    try:
        return _load(text)
    except DocumentError as error:
        raise Refused(400, "bad_body", error.message, hint=error.hint, problems=error.problems) from None


def _structure_in(text: str) -> Any:
    """Return the object or array that a text is, None when it is none, or one that is not sound."""
    fenced = _FENCED.fullmatch(text.strip())
    inside = (fenced["inside"] if fenced else text).strip()
    if not inside or _BRACKETS.get(inside[0]) != inside[-1]:
        return None
    try:
        return _load(inside)
    except DocumentError:
        return None


def _load(text: str) -> Any:
    data = text.encode()
    return load_json(data, name=NAME, limits=Limits(size=len(data) + 1, depth=MAX_DEPTH, values=_MOST_VALUES)).value

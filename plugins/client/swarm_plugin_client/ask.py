"""A call of a server as data: what is sent, and how the answer is read. It knows no connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from attrs import field, frozen

from swarm_core.model.version import IdRef
from swarm_plugin_client.answers import Read

T = TypeVar("T")


@frozen(kw_only=True, eq=False, repr=False)
class Ask(Generic[T]):
    """One call.

    `body` is a JSON value, `content` raw bytes. What is `repeatable` may be sent again when it is not known whether it
    arrived. The answer of what is `held` may take as long as it takes. `token` is shown in place of the client's own.
    `shortened` is the Blueprint of the body when its version is told by its first digits: see `made_whole_by`.
    """

    method: str
    path: str
    read: Read[T]
    query: Mapping[str, Any] = field(factory=dict)
    headers: Mapping[str, str] = field(factory=dict)
    body: Any = None
    content: bytes | None = None
    repeatable: bool = False
    held: bool = False
    token: str | None = None
    shortened: IdRef | None = None


def get(path: str, read: Read[T], **query: Any) -> Ask[T]:
    """Return a call that asks for something; query parameters that are None or empty are left out."""
    given = {name: value for name, value in query.items() if value is not None and value != ()}
    return Ask(method="GET", path=path, read=read, query=given, repeatable=True)


def post(path: str, read: Read[T], body: Any = None, **about: Any) -> Ask[T]:
    """Return a call that sends a JSON value."""
    return Ask(method="POST", path=path, read=read, body=body, **about)


def segment(text: str) -> str:
    """Return a text as one part of a path, whatever is in it."""
    return quote(text, safe="") if text not in (".", "..") else text.replace(".", "%2E")

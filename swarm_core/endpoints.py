"""What a plugin answers over HTTP: endpoints, and what one is given and gives back.

An endpoint knows no web server: it is data and a coroutine function, so that every plugin can offer some and whoever
serves them brings sockets, credentials, limits and the OpenAPI document.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from swarm_core.model.access import Role, Verb
from swarm_core.model.shown import shown

if TYPE_CHECKING:
    from swarm_core.serving import LiveSwarm


class Access(StrEnum):
    """Who may call an endpoint.

    `public`: anyone. `token`: whoever has the server's token, or a capability token that grants the endpoint's verb.
    `worker`: a worker, by its handle or capability token, for its own task only; the endpoint hands that to the
    engine's door, which decides. `session`: an operator session, by its own secret.
    """

    PUBLIC = "public"
    TOKEN = "token"
    WORKER = "worker"
    SESSION = "session"


@frozen(kw_only=True)
class Caller:
    """Who calls. `token` is the credential as it came, for whoever verifies it; None for the server's own token."""

    name: str
    role: Role | None = None
    token: str | None = field(default=None, repr=False)


@frozen(kw_only=True, eq=False)
class Parameter:
    """A query parameter or header. `type` is `str`, `int`, `float` or `bool`; `many` lets it be given several times.

    `choices` are all the values it may have. One that is not `required` is `default` when it is not given.
    """

    __repr__ = shown

    name: str
    type: type = str
    required: bool = False
    default: Any = None
    many: bool = False
    choices: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None
    summary: str = ""


@frozen(kw_only=True, eq=False)
class Answer:
    """What an endpoint may answer with, beside refusals: an attrs model, or a JSON Schema, or a media type of text.

    `model` None with the media type of JSON means any JSON value; without a media type there is no body.
    """

    __repr__ = shown

    model: type | Mapping[str, Any] | None = None
    media_type: str | None = "application/json"
    summary: str = ""


async def _never() -> None:
    await asyncio.Event().wait()


@frozen(kw_only=True, eq=False)
class HttpRequest:
    """A call of an endpoint, its parts checked and read.

    `path` and `query` have what the endpoint's declarations say, `headers` the declared headers by their declared
    names. `body` is an instance of the endpoint's model, a JSON value, or the raw bytes. `swarm` is the one that is
    served; `base_url` is where the client reaches the server. `gone()` returns when the client has gone: a handler goes
    on without it, so one that waits for long waits for that too.
    """

    __repr__ = shown

    path: Mapping[str, str]
    query: Mapping[str, Any]
    headers: Mapping[str, Any]
    body: Any
    caller: Caller
    swarm: LiveSwarm
    base_url: str
    gone: Callable[[], Awaitable[None]] = _never


@frozen(kw_only=True, eq=False)
class HttpReply:
    """An endpoint's answer: a JSON value (models are unstructured), text or bytes, or pieces sent as they come.

    A reply without a value has no body. `stream` is closed when the client goes away.
    """

    __repr__ = shown

    status: int = 200
    value: Any = None
    headers: Mapping[str, str] = field(factory=dict)
    stream: AsyncIterator[bytes] | None = None


Handler = Callable[[HttpRequest], Awaitable[HttpReply]]


@frozen(kw_only=True, eq=False)
class Endpoint:
    """One method of one path.

    `path` is such as `/v1/runs/{run_id}`; `name` is unique, in snake_case, and becomes the operation's id. `verb` is
    what a capability token must grant, with `access` `token`. `body` is an attrs model, a JSON Schema, `bytes` for
    whatever comes, or None for no body; `optional_body` lets it be absent. `answers` maps each status to what comes
    with it, `refusals` are the further statuses that the endpoint refuses with; those of credentials, limits and bad
    input are added by the server. Errors that a handler raises become problem documents: SwarmError by its class.
    `workers` lets a worker's credential in with `access` `token` too, if it grants the verb: the handler gets it as
    `caller.token` and confines it to its own run. `without_credential` is the status of a call that brings none,
    `wrong_fields` of one whose body is JSON with other fields than the model's.
    """

    __repr__ = shown

    method: str
    path: str
    name: str
    summary: str
    handler: Handler
    tag: str
    access: Access = Access.TOKEN
    verb: Verb | None = None
    body: type | Mapping[str, Any] | None = None
    optional_body: bool = False
    query: tuple[Parameter, ...] = ()
    headers: tuple[Parameter, ...] = ()
    answers: Mapping[int, Answer] = field(factory=dict)
    refusals: frozenset[int] = frozenset()
    workers: bool = False
    without_credential: int = 401
    wrong_fields: int = 422

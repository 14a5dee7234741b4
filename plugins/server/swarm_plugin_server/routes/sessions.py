"""Sessions of operators, observers and seniors: a token for whoever calls on with less than the server's."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from swarm_core.endpoints import Access, Answer, Endpoint, HttpReply, HttpRequest
from swarm_core.errors import did_you_mean
from swarm_core.model.access import CapToken, Role, Verb
from swarm_core.tokens import decode_token, encode_token
from swarm_plugin_server.problems import Refused

_LONGEST_TTL = 10 * 365 * 86400
_LONGEST_NAME = 200


@frozen(kw_only=True)
class SessionWanted:
    """Who attaches, as what (`operator`, `worker`, `observer`, `senior`), for how many seconds."""

    agent_id: str
    role: str
    ttl_secs: int


@frozen(kw_only=True)
class SessionGiven:
    """A session. `session_id` ends it; `token` is a bearer for what its role may. Both are secret, and told once."""

    session_id: str
    role: Role
    token: str
    expire_at: int


async def attach(request: HttpRequest) -> HttpReply:
    """Open a session and return its token."""
    body: SessionWanted = request.body
    role = _role(body.role)
    if not (0 < len(body.agent_id) <= _LONGEST_NAME and body.agent_id.isprintable()):
        raise Refused(422, "bad_agent_id", f"agent_id has 1 to {_LONGEST_NAME} printable characters")
    if not 1 <= body.ttl_secs <= _LONGEST_TTL:
        raise Refused(422, "bad_ttl", f"ttl_secs is {body.ttl_secs}: write 1 to {_LONGEST_TTL}")
    token = _opened(request, role)
    told: dict[str, Any] = {
        "session_id": token.nonce,
        "role": str(token.role),
        "token": encode_token(token),
        "expire_at": token.expire_at,
    }
    return HttpReply(value=told)


def _opened(request: HttpRequest, role: Role) -> CapToken:
    """Open the session: below the caller's own where that has less than the server's token."""
    swarm, caller, body = request.swarm, request.caller, request.body
    if caller.token is None:
        opened: CapToken = swarm.engine.attach(body.agent_id, role, ttl=body.ttl_secs)
        return opened
    if role is not caller.role:
        raise Refused(403, "forbidden", "the credential does not allow this call", hint=f"it can give {caller.role}")
    left = decode_token(caller.token).expire_at - swarm.engine.clock.time()
    # what is about all that is left is the rest: the engine's clock may be some milliseconds ahead
    ttl = body.ttl_secs if body.ttl_secs < left - 1 else None
    below: CapToken = swarm.engine.door.attach_session(caller.token, body.agent_id, ttl=ttl)
    return below


def _role(text: str) -> Role:
    if text in tuple(Role):
        return Role(text)
    raise Refused(400, "unknown_role", f"there is no role {text[:80]!r}", hint=did_you_mean(text[:80], list(Role)))


async def detach(request: HttpRequest) -> HttpReply:
    """End the session that the bearer is the id of; its token is no longer good."""
    request.swarm.engine.end_session(request.caller.token or "")
    return HttpReply(status=204)


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/v1/sessions",
        name="attach_session",
        summary="Open a session and return its token",
        handler=attach,
        tag="sessions",
        verb=Verb.ATTACH_SESSION,
        body=SessionWanted,
        answers={200: Answer(model=SessionGiven)},
        refusals=frozenset({400, 403, 422}),
    ),
    Endpoint(
        method="DELETE",
        path="/v1/sessions",
        name="detach_session",
        summary="End the session that the bearer is the id of",
        handler=detach,
        tag="sessions",
        access=Access.SESSION,
        without_credential=400,
        answers={204: Answer(media_type=None)},
        refusals=frozenset({404}),
    ),
)

"""Operators: joining, looking, handing over, leaving, and the WebSocket over which they work."""

from __future__ import annotations

from typing import Any

from attrs import Attribute, field, frozen

from swarm_core.endpoints import Access, Answer, Endpoint, HttpReply, HttpRequest
from swarm_plugin_server.operators.doorway import come_in, roster_of
from swarm_plugin_server.operators.roster import RolesConflict
from swarm_plugin_server.operators.session import Session
from swarm_plugin_server.problems import problem_of
from swarm_plugin_server.sockets import Socket

_MOST_ROLES, _LONGEST_ROLE = 100, 200
_PATH = "/v1/operators/{sid}"


def _check_roles(_: Any, __: Attribute[Any], roles: tuple[str, ...]) -> None:
    if len(roles) > _MOST_ROLES:
        raise ValueError(f"an operator has {_MOST_ROLES} roles at most")
    for role in roles:
        if not 0 < len(role) <= _LONGEST_ROLE or not role.isprintable() or role.strip() != role:
            shown = repr(role)[:80]
            raise ValueError(f"{shown} is no role: 1 to {_LONGEST_ROLE} printable characters, no blanks around them")


@frozen(kw_only=True)
class Join:
    """The roles that an operator reserves; none: it is reached by its sid only."""

    roles: tuple[str, ...] = field(default=(), validator=_check_roles)


@frozen(kw_only=True)
class Acquire:
    """The roles that an operator takes over."""

    roles: tuple[str, ...] = field(validator=_check_roles)


@frozen(kw_only=True)
class Joined:
    """A new session. The token is told this once only."""

    sid: str
    token: str = field(repr=False)
    roles: tuple[str, ...]


@frozen(kw_only=True)
class OperatorView:
    """An operator's session as it stands; `pending` frames wait to be sent or replied to. Times are Unix seconds.

    `generations` has how often each role has changed hands.
    """

    sid: str
    roles: tuple[str, ...]
    connected: bool
    generations: dict[str, int]
    pending: int
    created_at: float
    seen_at: float

    @classmethod
    def of(cls, session: Session) -> OperatorView:
        """Return the view of a session."""
        return cls(
            sid=session.sid,
            roles=tuple(session.roles),
            connected=session.connected,
            generations=dict(session.roles),
            pending=session.pending,
            created_at=session.created_at,
            seen_at=session.seen_at,
        )

    def as_json(self) -> dict[str, Any]:
        """Return the view as data."""
        return {
            "sid": self.sid,
            "roles": list(self.roles),
            "connected": self.connected,
            "generations": self.generations,
            "pending": self.pending,
            "created_at": self.created_at,
            "seen_at": self.seen_at,
        }


@frozen(kw_only=True)
class OperatorList:
    """All operators, in the order in which they joined."""

    operators: tuple[OperatorView, ...]


async def join(request: HttpRequest) -> HttpReply:
    """Let an operator join."""
    wanted = request.body or Join()
    try:
        session, token = await roster_of(request.swarm).join(wanted.roles)
    except RolesConflict as error:
        return _conflict(error)
    return HttpReply(value={"sid": session.sid, "token": token, "roles": list(session.roles)})


async def list_operators(request: HttpRequest) -> HttpReply:
    """Return who is there."""
    roster = roster_of(request.swarm)
    roster.expire()
    return HttpReply(value={"operators": [OperatorView.of(session).as_json() for session in roster]})


async def get_operator(request: HttpRequest) -> HttpReply:
    """Return one operator."""
    return HttpReply(value=OperatorView.of(_session(request)).as_json())


async def acquire(request: HttpRequest) -> HttpReply:
    """Let an operator take roles over."""
    session = _session(request)
    try:
        await roster_of(request.swarm).acquire(session, request.body.roles)
    except RolesConflict as error:
        return _conflict(error)
    return HttpReply(value=OperatorView.of(session).as_json())


async def leave(request: HttpRequest) -> HttpReply:
    """End a session."""
    await roster_of(request.swarm).leave(_session(request))
    return HttpReply(status=204)


def _session(request: HttpRequest) -> Session:
    """Return the session that is spoken of: its own token opens it, and so does the server's."""
    roster, sid, token = roster_of(request.swarm), request.path["sid"], request.caller.token
    return roster.known(sid) if token is None else roster.find(sid, token)


def _conflict(error: RolesConflict) -> HttpReply:
    value = problem_of(error) | {"error": "roles conflict", "conflicts": list(error.conflicts)}
    return HttpReply(status=409, value=value)


_CONFLICT = Answer(
    model={
        "type": "object",
        "required": ["error", "conflicts"],
        "properties": {
            "error": {"const": "roles conflict"},
            "conflicts": {"type": "array", "items": {"type": "string"}},
        },
    },
    media_type="application/problem+json",
    summary="others have these roles",
)

ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/v1/operators",
        name="join_operator",
        summary="Join as an operator, and reserve roles",
        handler=join,
        tag="operators",
        body=Join,
        optional_body=True,
        answers={200: Answer(model=Joined), 409: _CONFLICT},
        refusals=frozenset({429}),
    ),
    Endpoint(
        method="GET",
        path="/v1/operators",
        name="list_operators",
        summary="List the operators and their roles",
        handler=list_operators,
        tag="operators",
        answers={200: Answer(model=OperatorList)},
    ),
    Endpoint(
        method="GET",
        path=_PATH,
        name="get_operator",
        summary="Show an operator's session",
        handler=get_operator,
        tag="operators",
        access=Access.SESSION,
        answers={200: Answer(model=OperatorView)},
        refusals=frozenset({404}),
    ),
    Endpoint(
        method="POST",
        path=f"{_PATH}/acquire",
        name="acquire_roles",
        summary="Take roles over, whoever has them",
        handler=acquire,
        tag="operators",
        access=Access.SESSION,
        body=Acquire,
        answers={200: Answer(model=OperatorView), 409: _CONFLICT},
        refusals=frozenset({404}),
    ),
    Endpoint(
        method="DELETE",
        path=_PATH,
        name="leave_operator",
        summary="End an operator's session; its roles are free",
        handler=leave,
        tag="operators",
        access=Access.SESSION,
        answers={204: Answer(media_type=None)},
        refusals=frozenset({404}),
    ),
)

SOCKETS = (
    Socket(
        path=f"{_PATH}/ws",
        name="operator_ws",
        summary="Work as an operator",
        handler=come_in,
    ),
)

"""Where operators come in over WebSockets, and the one roster of a swarm."""

from __future__ import annotations

import asyncio

from starlette.websockets import WebSocket

from swarm_core.serving import LiveSwarm
from swarm_plugin_server.access import bearer_of
from swarm_plugin_server.operators.connection import Connection
from swarm_plugin_server.operators.roster import OperatorLimits, Roster, book_of
from swarm_plugin_server.operators.session import Session
from swarm_plugin_server.problems import Refused
from swarm_plugin_server.settings import ServerSettings
from swarm_plugin_server.state import serving_of

_LEAVING = 1001


def roster_of(swarm: LiveSwarm) -> Roster:
    """Return the operators of a swarm; the first to ask lets those of earlier lives sit down again.

    Raises: SettingsError, when their sessions cannot be read.
    """
    known: Roster | None = swarm.services.get(Roster)
    if known is None:
        known = Roster(swarm, book_of(swarm), _limits(serving_of(swarm).settings))
        known.open()
        swarm.services[Roster] = known
    return known


async def come_in(websocket: WebSocket, swarm: LiveSwarm) -> None:
    """Let an operator connect by its own token; raises Refused, before the socket is accepted."""
    roster = roster_of(swarm)
    session = _admitted(websocket, roster)
    await websocket.accept()
    connection = Connection(websocket, session, _base_url(websocket))
    session.connect(connection)
    leaving = asyncio.ensure_future(serving_of(swarm).leaving.wait())
    leaving.add_done_callback(lambda _: connection.end(_LEAVING, "the server stops; connect again later"))
    try:
        await roster.sit(session)
        await connection.run()
    finally:
        leaving.cancel()
        session.disconnect(connection)
        roster.rise(session)


def _limits(settings: ServerSettings) -> OperatorLimits:
    return OperatorLimits(
        sessions=settings.max_operators, idle_time=settings.operator_idle, reply_time=settings.operator_reply
    )


def _admitted(websocket: WebSocket, roster: Roster) -> Session:
    bearer = bearer_of(websocket.scope["headers"])
    sid = str(websocket.path_params["sid"])
    if websocket.query_params:
        hint = "frames that were not replied to come anew by themselves"
        raise Refused(400, "bad_query", "this takes no query parameters", hint=hint)
    if bearer is None:
        hint = "send the header Authorization: Bearer TOKEN, with the token that POST /v1/operators gave"
        raise Refused(401, "unauthenticated", "this needs the operator's own token", hint=hint)
    return roster.find(sid, bearer)


def _base_url(websocket: WebSocket) -> str:
    """Return where this client reaches the server: its sub-agents go the same way."""
    scheme = "https" if websocket.url.scheme == "wss" else "http"
    return f"{scheme}://{websocket.url.netloc}"

"""Sessions: who is attached, and which operator stands behind an agent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import TypeVar

from attrs import define, field, frozen

from swarm_core.contracts import Operator, SeniorBridge, SpawnHook
from swarm_core.engine.events import EventLog
from swarm_core.errors import SessionNotFound
from swarm_core.model.access import Role
from swarm_core.model.call import NO_OPERATOR, OperatorInfo
from swarm_core.model.ids import SessionId, TaskId
from swarm_core.model.operator import OperatorKind, collapse_operator_kind

T = TypeVar("T")


@frozen(kw_only=True)
class SessionRequest:
    """What a session is attached with; ids name what is or will be registered, and are resolved at each dispatch."""

    operator_kind: OperatorKind | None = None
    agent_kinds: Mapping[str, OperatorKind] = field(factory=dict)
    blueprint_agent_kinds: Mapping[str, OperatorKind] = field(factory=dict)
    blueprint_kind: OperatorKind | None = None
    bridge_id: str | None = None
    hook_id: str | None = None
    operator_backend_id: str | None = None


@define(eq=False, kw_only=True, repr=False)
class OperatorSession:
    """One attached operator. Of its token only the digest of the nonce is kept."""

    id: SessionId
    operator_id: str
    role: Role
    request: SessionRequest
    nonce_digest: str
    attached_at: float
    last_seen: float
    attached: bool = True
    automated: bool = field(init=False)
    owned_task_ids: list[TaskId] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.automated = self.request == SessionRequest()


class Sessions:
    """Keeps sessions, and the bridges, hooks and operators that they name by id.

    Registering an id again overwrites what was there.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._by_id: dict[str, OperatorSession] = {}
        self._by_nonce: dict[str, OperatorSession] = {}
        self.senior_bridges: dict[str, SeniorBridge] = {}
        self.spawn_hooks: dict[str, SpawnHook] = {}
        self.operators: dict[str, Operator] = {}

    def add(
        self, session_id: SessionId, operator_id: str, role: Role, nonce: str, request: SessionRequest
    ) -> OperatorSession:
        """Note a new session."""
        now = self._now()
        session = OperatorSession(
            id=session_id,
            operator_id=operator_id,
            role=role,
            request=request,
            nonce_digest=_digest(nonce),
            attached_at=now,
            last_seen=now,
        )
        self._by_id[session_id] = self._by_nonce[session.nonce_digest] = session
        return session

    def get(self, session_id: str) -> OperatorSession:
        """Return a session; raises SessionNotFound."""
        try:
            return self._by_id[session_id]
        except KeyError:
            raise SessionNotFound(session_id) from None

    def of_nonce(self, nonce: str) -> OperatorSession | None:
        """Return the session that a token was made for, if any."""
        return self._by_nonce.get(_digest(nonce))

    def drop(self, session: OperatorSession) -> None:
        """Forget a session."""
        self._by_id.pop(session.id, None)
        self._by_nonce.pop(session.nonce_digest, None)

    def beat(self, session: OperatorSession) -> None:
        """Note a sign of life."""
        session.last_seen, session.attached = self._now(), True

    def detach(self, session: OperatorSession, events: EventLog) -> None:
        """Mark a session as detached."""
        if session.attached:
            session.attached = False
            events.add("session_detached", None, None, {"session_id": session.id})

    def silent(self, longest: float) -> list[OperatorSession]:
        """Return the attached sessions that gave no sign of life for `longest` seconds."""
        limit = self._now() - longest
        return [session for session in self._by_id.values() if session.attached and session.last_seen < limit]

    def operator_for(self, session: OperatorSession | None, agent: str) -> OperatorInfo:
        """Resolve who stands behind an agent for one attempt; an id that nothing is registered under is none."""
        if session is None or session.automated:
            return NO_OPERATOR
        asked = session.request
        return OperatorInfo(
            kind=collapse_operator_kind(
                agent,
                launch_agents=asked.agent_kinds,
                launch_global=asked.operator_kind,
                blueprint_agents=asked.blueprint_agent_kinds,
                blueprint_global=asked.blueprint_kind,
            ),
            id=session.operator_id,
            senior_bridge=_look_up(self.senior_bridges, asked.bridge_id),
            spawn_hook=_look_up(self.spawn_hooks, asked.hook_id),
            operator=_look_up(self.operators, asked.operator_backend_id),
        )


def _look_up(table: Mapping[str, T], key: str | None) -> T | None:
    return table.get(key) if key is not None else None


def _digest(nonce: str) -> str:
    return hashlib.sha256(nonce.encode()).hexdigest()

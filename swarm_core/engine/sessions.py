"""Sessions: who is attached, and which operator stands behind an agent."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from attrs import define, field

from swarm_core.attachments import Attachments, Seat
from swarm_core.engine.events import EventLog
from swarm_core.engine.token_records import Digest, digest_of
from swarm_core.errors import SessionNotFound
from swarm_core.model.access import CapToken, Role
from swarm_core.model.call import NO_OPERATOR, OperatorInfo
from swarm_core.model.ids import SessionId, TaskId
from swarm_core.model.operator import SessionRequest, collapse_operator_kind


@define(eq=False, kw_only=True, repr=False)
class OperatorSession:
    """One attached operator. Of its token only the digest of the nonce is kept.

    `run_id` is the run that the session lives and dies with, None for one that has a life of its own, until
    `expire_at`. `derived` says that its token was made from another's. A session that is `watched` counts as gone when
    it gives no sign of life: one whose token somebody has who can give them.
    """

    id: SessionId
    operator_id: str
    role: Role
    request: SessionRequest
    nonce_digest: Digest
    attached_at: float
    last_seen: float
    expire_at: float
    run_id: str | None = None
    derived: bool = False
    watched: bool = False
    attached: bool = True
    automated: bool = field(init=False)
    owned_task_ids: list[TaskId] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.automated = self.request == SessionRequest()


class Sessions:
    """Keeps sessions, and the bridges, hooks and operators that they name by id."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._by_id: dict[str, OperatorSession] = {}
        self._by_nonce: dict[Digest, OperatorSession] = {}
        self.on_watched: Callable[[], None] = _unheard
        self.attachments = Attachments()

    def add(
        self,
        session_id: SessionId,
        operator_id: str,
        token: CapToken,
        request: SessionRequest,
        *,
        run_id: str | None = None,
        derived: bool = False,
        watched: bool = False,
    ) -> OperatorSession:
        """Note a new session that the token stands for."""
        now = self._now()
        session = OperatorSession(
            id=session_id,
            operator_id=operator_id,
            role=token.role,
            request=request,
            nonce_digest=digest_of(token.nonce),
            attached_at=now,
            last_seen=now,
            expire_at=token.expire_at,
            run_id=run_id,
            derived=derived,
            watched=watched,
        )
        self._by_id[session_id] = self._by_nonce[session.nonce_digest] = session
        if watched:
            self.on_watched()
        return session

    def get(self, session_id: str) -> OperatorSession:
        """Return a session; raises SessionNotFound."""
        try:
            return self._by_id[session_id]
        except KeyError:
            raise SessionNotFound(session_id) from None

    def of_nonce(self, nonce: str) -> OperatorSession | None:
        """Return the session that a token was made for, if any."""
        return self.of_digest(digest_of(nonce))

    def of_digest(self, digest: Digest) -> OperatorSession | None:
        """Return the session of the token whose nonce has this digest, if any."""
        return self._by_nonce.get(digest)

    def drop(self, session: OperatorSession) -> None:
        """Forget a session."""
        self._by_id.pop(session.id, None)
        self._by_nonce.pop(session.nonce_digest, None)

    def beat(self, session: OperatorSession, events: EventLog) -> None:
        """Note a sign of life; who was detached is attached again."""
        session.last_seen = self._now()
        if not session.attached:
            self._attach_again(session, events)

    def rebind(self, session: OperatorSession, token: CapToken, events: EventLog, *, watched: bool) -> None:
        """Let another token stand for a session, which is attached with it."""
        self._by_nonce.pop(session.nonce_digest, None)
        session.nonce_digest, session.expire_at = digest_of(token.nonce), token.expire_at
        session.last_seen, session.watched = self._now(), watched
        self._by_nonce[session.nonce_digest] = session
        self._attach_again(session, events)

    def _attach_again(self, session: OperatorSession, events: EventLog) -> None:
        session.attached = True
        events.add("session_reattached", None, None, {"session_id": session.id})
        if session.watched:
            self.on_watched()

    def detach(self, session: OperatorSession, events: EventLog) -> None:
        """Mark a session as detached."""
        if session.attached:
            session.attached = False
            events.add("session_detached", None, None, {"session_id": session.id})

    def silent(self, longest: float) -> list[OperatorSession]:
        """Return the attached sessions that are watched and gave no sign of life for `longest` seconds."""
        limit = self._now() - longest
        return [session for session in self._watched() if session.last_seen <= limit]

    def until_silent(self, longest: float) -> float | None:
        """Return the seconds until the next session would have been silent for so long, None without any."""
        seen = [session.last_seen for session in self._watched()]
        return min(seen) + longest - self._now() if seen else None

    def drop_expired(self, events: EventLog) -> None:
        """Forget the sessions whose tokens have expired, but for those of runs."""
        now = self._now()
        for session in [one for one in self._by_id.values() if one.run_id is None and one.expire_at <= now]:
            self.detach(session, events)
            self.drop(session)

    def _watched(self) -> Iterator[OperatorSession]:
        return (session for session in self._by_id.values() if session.watched and session.attached)

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
            senior_bridge=self.attachments.seniors.find(asked.bridge_id),
            spawn_hook=self.attachments.hooks.find(asked.hook_id),
            operator=self._seat(asked.operator_backend_id),
        )

    def _seat(self, name: str | None) -> Seat | None:
        """Return the seat of a name when somebody sits on it: an attempt then outlives whoever that is."""
        if name is None or name not in self.attachments.operators:
            return None
        return self.attachments.seat(name)


def _unheard() -> None:
    """Hear nothing: whoever watches sessions says who shall."""

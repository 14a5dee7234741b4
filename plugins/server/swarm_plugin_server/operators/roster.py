"""The roster: which operators there are, and which roles they have."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from attrs import define, field, frozen

from swarm_core.attachments import Attached, Attachments
from swarm_core.errors import StoreUnavailable
from swarm_plugin_server.operators.book import Book, SessionRecord
from swarm_plugin_server.operators.faces import Faces
from swarm_plugin_server.operators.session import Session
from swarm_plugin_server.place import folder_of
from swarm_plugin_server.problems import Refused

if TYPE_CHECKING:
    from swarm_core.serving import LiveSwarm

logger = logging.getLogger("swarm.server")

_FILES = "sqlite:///"
_LONGEST_SEEN = 60.0  # seconds after which a new sign of life is worth a line in the book


@frozen(kw_only=True)
class OperatorLimits:
    """How many operators there may be, and for how long: seconds without a connection until a session ends.

    `parked` frames wait for one operator at most, then who asks more waits too. `reply_time` is how many seconds an
    operator has for a reply, None for any time.
    """

    sessions: int = 1000
    idle_time: float = 7 * 86400.0
    parked: int = 1000
    reply_time: float | None = None


class RolesConflict(Refused):
    """Somebody else has a role that an operator wants to join with; `conflicts` has those roles."""

    def __init__(self, conflicts: Sequence[str]) -> None:
        self.conflicts = tuple(conflicts)
        hint = "join without them, then POST /v1/operators/{sid}/acquire takes them over"
        super().__init__(409, "roles_conflict", "roles conflict", hint=hint)


@define(eq=False)
class Roster:
    """All operators of a swarm. What changes who may connect is on disk before it is told."""

    _swarm: LiveSwarm
    _book: Book
    _limits: OperatorLimits
    _sessions: dict[str, Session] = field(factory=dict, init=False)
    _generations: dict[str, int] = field(factory=dict, init=False)
    _faces: dict[str, tuple[Session, Sequence[Attached[Any]]]] = field(factory=dict, init=False)

    def open(self) -> None:
        """Let the operators of earlier lives sit down where they sat; raises SettingsError."""
        page = self._book.read()
        self._generations = dict(page.generations)
        for record in page.sessions:
            session = self._session(record.sid, record.digest, record.created_at, record.seen_at)
            session.roles, session.sat = dict(record.roles), record.sat
        for session in list(self._sessions.values()):
            self._seat(session)
        self._watch()

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._sessions.values()))

    # joining, leaving ----------------------------------------------------------------------------------------------

    async def join(self, roles: Iterable[str]) -> tuple[Session, str]:
        """Let an operator join and reserve roles; return its session and its token, which is told this once only.

        Raises: Refused: RolesConflict (409), or 429 when there are too many operators.
        """
        wanted = list(dict.fromkeys(roles))
        self.expire()
        if len(self._sessions) >= self._limits.sessions:
            hint = "DELETE /v1/operators/{sid} ends a session that nobody needs"
            raise Refused(429, "too_many_operators", f"there are {len(self._sessions):,} operators", hint=hint)
        if conflicts := [role for role in wanted if self._taken(role)]:
            raise RolesConflict(conflicts)
        token, now = f"ot-{secrets.token_hex(16)}", self._now()
        session = self._session(f"op-{secrets.token_hex(16)}", _digest(token), now, now)
        self._give(session, wanted)
        self._seat(session)
        try:
            await self._write()
        except BaseException:
            self._forget(session)
            raise
        return session, token

    def find(self, sid: str, token: str | None) -> Session:
        """Return the session that a token opens; raises Refused: 404 when there is none, 401 for another token."""
        self.expire()
        session = self._sessions.get(sid)
        if session is None:
            raise Refused(404, "operator_not_found", "no operator has this sid", hint="join: POST /v1/operators")
        if token is None or not hmac.compare_digest(_digest(token), session.digest):
            hint = "send the header Authorization: Bearer TOKEN, with the token that POST /v1/operators gave"
            headers = {"www-authenticate": "Bearer"}
            raise Refused(401, "unauthenticated", "this needs the operator's own token", hint=hint, headers=headers)
        return session

    def known(self, sid: str) -> Session:
        """Return a session, whoever asks; raises Refused (404)."""
        return self.find(sid, None) if sid not in self._sessions else self._sessions[sid]

    async def leave(self, session: Session) -> None:
        """End a session: its roles are free, and what was asked of it is asked anew of who comes."""
        self._forget(session)
        await self._write()

    async def acquire(self, session: Session, roles: Iterable[str]) -> None:
        """Give roles to an operator, whoever has them; that one is told, and its work there begins anew.

        Raises: Refused (409), for a name that is no operator's to give: another's sid, or what the program attached.
        """
        wanted = [role for role in dict.fromkeys(roles) if role not in session.roles]
        if conflicts := [role for role in wanted if self._holder(role) is None and self._taken(role)]:
            raise RolesConflict(conflicts)
        lost: dict[Session, list[str]] = {}
        for role in wanted:
            if (holder := self._holder(role)) is not None:
                lost.setdefault(holder, []).append(role)
                del holder.roles[role]
                self._unseat(role)
        self._give(session, wanted)
        self._seat(session)
        for holder, seats in lost.items():
            generations = {role: session.roles[role] for role in seats}
            holder.give_up(seats, {"type": "released", "roles": seats, "by": session.sid, "generations": generations})
        if wanted:
            await self._write()

    async def sit(self, session: Session) -> None:
        """Note that an operator is connected: from now on its roles reach it, also after a restart."""
        first, stale = not session.sat, self._now() - session.seen_at > _LONGEST_SEEN
        session.sat, session.seen_at = True, self._now()
        self._seat(session)
        if first or stale:
            try:
                await self._write()
            except StoreUnavailable as error:  # no reason to send an operator away: its next connection tries again
                logger.warning("%s", error)

    def rise(self, session: Session) -> None:
        """Note that an operator is away."""
        session.seen_at = self._now()

    def expire(self) -> None:
        """End the sessions that were away for too long."""
        longest_ago = self._now() - self._limits.idle_time
        for session in list(self._sessions.values()):
            if not session.connected and session.seen_at <= longest_ago:
                self._forget(session)

    def asked(self) -> Counter[str]:
        """Return how many tasks of each run wait for a reply of an operator, by the run's id."""
        waiting = {task_id for session in self for task_id in session.asked()}
        found = (self._swarm.engine.state.tasks.get(task_id) for task_id in waiting)
        return Counter(task.run.id for task in found if task is not None and task.run is not None)

    # roles ---------------------------------------------------------------------------------------------------------

    def _holder(self, role: str) -> Session | None:
        return next((session for session in self._sessions.values() if role in session.roles), None)

    def _taken(self, role: str) -> bool:
        """Tell whether an id stands for somebody: an operator's sid or role, or what the program itself attached."""
        there = self._attachments
        attached = (there.operators, there.seniors, there.hooks)
        return self._holder(role) is not None or any(role in registry for registry in attached)

    def _give(self, session: Session, roles: Iterable[str]) -> None:
        for role in roles:
            self._generations[role] = session.roles[role] = self._generations.get(role, 0) + 1

    def _seat(self, session: Session) -> None:
        """Attach a session where it is not attached yet."""
        for seat in session.all_seats():
            if seat not in self._faces:
                faces = Faces(session, seat, self._attachments)
                # the hook and the senior first: attaching an operator wakes what waits for one
                kept = (self._swarm.attach_hook(seat, faces), self._swarm.attach_senior(seat, faces))
                self._faces[seat] = session, (*kept, self._swarm.attach_operator(seat, faces))

    def _unseat(self, seat: str) -> None:
        _, attached = self._faces.pop(seat, (None, ()))
        for one in attached:
            one.detach()

    # keeping -------------------------------------------------------------------------------------------------------

    def _session(self, sid: str, digest: str, created_at: float, seen_at: float) -> Session:
        session = Session(
            sid=sid,
            digest=digest,
            created_at=created_at,
            seen_at=seen_at,
            most=self._limits.parked,
            reply_time=self._limits.reply_time,
        )
        self._sessions[sid] = session
        return session

    def _forget(self, session: Session) -> None:
        if self._sessions.pop(session.sid, None) is not None:
            for seat in session.all_seats():
                self._unseat(seat)
            session.end()

    async def _write(self) -> None:
        records = [
            SessionRecord(
                sid=session.sid,
                digest=session.digest,
                created_at=session.created_at,
                seen_at=session.seen_at,
                roles=dict(session.roles),
                sat=session.sat,
            )
            for session in self._sessions.values()
        ]
        try:
            await self._book.write(records, self._generations)
        except OSError as error:
            raise StoreUnavailable(f"the operators' sessions cannot be kept: {error.strerror or error}") from None

    def _watch(self) -> None:
        self.expire()
        asyncio.get_running_loop().call_later(min(3600.0, self._limits.idle_time), self._watch)

    def _now(self) -> float:
        return float(self._swarm.engine.clock.time())

    @property
    def _attachments(self) -> Attachments:
        return cast(Attachments, self._swarm.services[Attachments])


def book_of(swarm: LiveSwarm) -> Book:
    """Return the book of a swarm's operators: a file beside the store's; nothing where runs are not kept."""
    url = "memory://" if swarm.store is None else swarm.store.url
    if url.startswith("memory:"):
        return Book(None)
    stem = Path(unquote(url.partition("?")[0])).stem if url.startswith(_FILES) else "swarm"
    return Book(folder_of(swarm) / f"{stem}.operators.json")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()

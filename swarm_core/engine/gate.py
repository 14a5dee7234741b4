"""Who may do what: the role-verb gate, and the one function that verifies every token."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable

from attrs import define, field

from swarm_core.contracts import Clock
from swarm_core.engine.token_records import Digest, Entry, Place, TokenRecord, TokenRecords, digest_of
from swarm_core.errors import (
    AccessDenied,
    BadSignature,
    RoleViolation,
    ScopeViolation,
    TokenDecodeError,
    TokenExpired,
    TokenNotFound,
    TokenTaskMismatch,
)
from swarm_core.model.access import DEFAULT_ROLE_VERBS, CapToken, Role, Verb
from swarm_core.tokens import ALL_SCOPES, CapTokenSigner, decode_token, scope_covers

__all__ = ["Authority", "RoleVerbGate", "TokenRecord", "steady_clock"]

MAX_CHAIN = 16

_HANDLE = "wh-"  # no token as text begins so: the base64 of a token's JSON begins with `eyJ`


def steady_clock(clock: Clock) -> Callable[[], float]:
    """Return a source of Unix seconds that starts at the clock's time and goes on by its monotonic time.

    No jump of the wall clock ends a token early or brings an expired one back. A clock that stands before 1970 counts
    as 1970: tokens have no time before that.
    """
    offset = max(0.0, clock.time()) - clock.monotonic()
    return lambda: offset + clock.monotonic()


def is_handle(text: str) -> bool:
    """Tell whether a text can only be a handle."""
    return text.startswith(_HANDLE)


@define(eq=False, repr=False)
class RoleVerbGate:
    """The table of which role is granted which verbs; empty until something is allowed."""

    _table: dict[Role, set[Verb]] = field(factory=dict, init=False)

    @classmethod
    def default(cls) -> RoleVerbGate:
        """Return a gate with the default table."""
        gate = cls()
        for role, verbs in DEFAULT_ROLE_VERBS.items():
            gate.allow(role, verbs)
        return gate

    def allow(self, role: Role, verbs: Iterable[Verb]) -> None:
        """Grant a role more verbs; what it has already stays granted."""
        self._table.setdefault(role, set()).update(verbs)

    def is_allowed(self, role: Role, verb: Verb) -> bool:
        """Tell whether the role is granted the verb."""
        return verb in self._table.get(role, ())


@define(eq=False, repr=False)
class Authority:
    """Mints tokens, keeps their records, and verifies every one of them in the same way.

    Records are found by digests; neither nonces nor handles are kept. `clock` gives Unix seconds (see `steady_clock`);
    whatever it says, time never goes back here.
    """

    _signer: CapTokenSigner
    _gate: RoleVerbGate
    _clock: Callable[[], float] = field(kw_only=True)
    _random_bytes: Callable[[int], bytes] = field(default=os.urandom, kw_only=True)
    _records: TokenRecords = field(factory=TokenRecords, init=False)
    _latest: float = field(default=0.0, init=False)

    def mint(
        self,
        agent_id: str,
        role: Role,
        *,
        scopes: Iterable[str] = ALL_SCOPES,
        ttl: float,
        max_uses: int | None = None,
        run_id: str | None = None,
        task_id: str | None = None,
        attempt: int | None = None,
        depth: int = 0,
    ) -> CapToken:
        """Make a token and the record that binds it to a run, a task and an attempt.

        Raises: ValueError, as `CapTokenSigner.mint`.
        """
        token = self._signer.mint(agent_id, role, scopes, ttl=ttl, max_uses=max_uses, now=self._now())
        self._keep(token, run_id, task_id, attempt, depth=depth)
        return token

    def attenuate(
        self,
        token: CapToken | str,
        *,
        agent_id: str | None = None,
        role: Role | None = None,
        scopes: Iterable[str] | None = None,
        ttl: float | None = None,
        max_uses: int | None = None,
    ) -> CapToken:
        """Make a token from a living one that grants the same or less.

        It is bound as its parent is and dies with it, and each of its uses is one of its parent's as well. Raises: as
        `CapTokenSigner.attenuate`; TokenNotFound, TokenRevoked; ValueError, when it would be the 17th of a chain.
        """
        signed = self._signed(token)
        narrower = self._signer.attenuate(
            signed, agent_id=agent_id, role=role, scopes=scopes, ttl=ttl, max_uses=max_uses, now=self._now()
        )
        parent = self._records.living(digest_of(signed.nonce))
        if sum(1 for _ in parent.chain()) >= MAX_CHAIN:
            raise ValueError(f"a token is made from another at most {MAX_CHAIN - 1} times in a row")
        bound = parent.record
        self._keep(narrower, bound.run_id, bound.task_id, bound.attempt, depth=bound.depth, parent=parent)
        return narrower

    def renew(self, digest: Digest, *, ttl: float | None = None) -> CapToken:
        """Make a token that takes the place of a living one: the same holder, role, scopes and uses, bound alike.

        The old one is withdrawn, with its handles and every token made from it. The new one is good for as long as the
        old one was, or for `ttl` seconds, and never longer than the token that the old one was made from. Raises:
        TokenNotFound, TokenRevoked, TokenExpired, TokenUsesExhausted: it is no longer good.
        """
        entry = self._records.living(digest)
        entry.check_uses()
        record, now = entry.record, self._now()
        ends = [record.expire_at if ttl is None else math.ceil(now + ttl)]
        ends += [link.record.expire_at for link in entry.chain() if link is not entry]
        if now >= record.expire_at or now >= min(ends):
            raise TokenExpired
        issued = int(now)
        token = self._signer.mint(
            record.agent_id,
            record.role,
            record.scopes,
            ttl=min(ends) - issued,
            max_uses=record.uses_left,
            now=issued,
        )
        self._records.revoke(digest)
        self._keep(token, record.run_id, record.task_id, record.attempt, depth=record.depth, parent=entry.parent)
        return token

    def handle_for(self, token: CapToken | str) -> str:
        """Return a new short handle (`wh-` and 128 random bits) that stands for a living token.

        Only its digest is kept, so the same handle cannot be had twice. Raises: BadSignature, TokenNotFound,
        TokenRevoked.
        """
        entry = self._records.living(digest_of(self._signed(token).nonce))
        handle = f"{_HANDLE}{self._random_bytes(16).hex()}"
        self._records.add_handle(entry, digest_of(handle))
        return handle

    def verify(
        self,
        token: CapToken | str,
        verb: Verb,
        *,
        task_id: str | None = None,
        attempt: int | None = None,
        data_key: str | None = None,
    ) -> TokenRecord:
        """Return the record when the token allows the verb now, and take one use from it.

        A text is a token as `encode_token` writes it, or a handle. Checked in this order: signature, time, role,
        scopes, record, uses; then, for a worker, that it is bound to `task_id` and, where given, to `attempt`. A use is
        spent when only this last check fails. Of a handle the record comes first. `data_key` is the resource that the
        verb is about. Raises: TokenDecodeError, for a text that is none; AccessDenied, a class of its own for each
        check.
        """
        entry = self._allowed(token, verb, data_key)
        entry.take_use()
        return _owned(entry.record, task_id, attempt)

    def check(self, token: CapToken | str, verb: Verb, *, data_key: str | None = None) -> TokenRecord:
        """Return the record when the token allows the verb now, without taking a use and without looking at tasks.

        Raises: as `verify`.
        """
        entry = self._allowed(token, verb, data_key)
        entry.check_uses()
        return entry.record

    def digest_of(self, token: CapToken | str) -> Digest:
        """Return the digest of a living token, or of the one that a handle stands for.

        Raises: TokenDecodeError, BadSignature, TokenNotFound, TokenRevoked.
        """
        return self._entry(token).digest

    def is_living(self, token: CapToken | str) -> bool:
        """Tell whether a token, or the one that a handle stands for, allows anything at all."""
        try:
            entry = self._entry(token)
        except (TokenDecodeError, AccessDenied):
            return False
        return self._now() < entry.record.expire_at

    def place_of_dead(self, token: CapToken | str) -> Place | None:
        """Return what a dead token or handle was bound to: run, task, attempt; None when nobody knows any more."""
        secret = token if isinstance(token, str) and is_handle(token) else self._signed(token).nonce
        return self._records.place_of_dead(digest_of(secret))

    def may_beat(self, token: CapToken) -> bool:
        """Tell whether the token's holder can give signs of life with it."""
        return self._gate.is_allowed(token.role, Verb.HEARTBEAT) and scope_covers(
            token.scopes, f"verb:{Verb.HEARTBEAT}"
        )

    def revoke(self, token_or_nonce: CapToken | str) -> bool:
        """Withdraw a token, its handles and every token made from it; return whether it was alive.

        A text is a nonce, or a token as `encode_token` writes it. Raises: TokenDecodeError.
        """
        return self._records.revoke(digest_of(_nonce(token_or_nonce)))

    def end_attempt(self, task_id: str, attempt: int) -> None:
        """Drop every token and handle that is bound to the attempt; from now on they are revoked."""
        self._records.drop_attempt(task_id, attempt)

    def end_run(self, run_id: str) -> None:
        """Drop every token and handle that is bound to the run; from now on they are revoked."""
        self._records.drop_run(run_id)

    def _signed(self, token: CapToken | str) -> CapToken:
        signed = decode_token(token) if isinstance(token, str) else token
        if not self._signer.verify(signed):
            raise BadSignature
        return signed

    def _allowed(self, token: CapToken | str, verb: Verb, data_key: str | None) -> Entry:
        if isinstance(token, str) and is_handle(token):
            entry = self._entry(token)
            self._check_grant(entry.record, verb, data_key)
            return entry
        signed = self._signed(token)
        self._check_grant(signed, verb, data_key)
        return self._records.living(digest_of(signed.nonce))

    def _entry(self, token: CapToken | str) -> Entry:
        if isinstance(token, str) and is_handle(token):
            return self._records.behind(digest_of(token))
        return self._records.living(digest_of(self._signed(token).nonce))

    def _check_grant(self, grant: CapToken | TokenRecord, verb: Verb, data_key: str | None) -> None:
        if self._now() >= grant.expire_at:
            raise TokenExpired
        if not self._gate.is_allowed(grant.role, verb):
            raise RoleViolation(grant.role, verb)
        if not scope_covers(grant.scopes, f"verb:{verb}"):
            raise ScopeViolation(f"verb:{verb}")
        if data_key is not None and not scope_covers(grant.scopes, f"data:{data_key}"):
            raise ScopeViolation(f"data:{data_key}")

    def _keep(
        self,
        token: CapToken,
        run_id: str | None,
        task_id: str | None,
        attempt: int | None,
        *,
        depth: int,
        parent: Entry | None = None,
    ) -> None:
        record = TokenRecord(
            agent_id=token.agent_id,
            role=token.role,
            scopes=token.scopes,
            uses_left=token.max_uses,
            expire_at=token.expire_at,
            run_id=run_id,
            task_id=task_id,
            attempt=attempt,
            depth=depth,
        )
        self._records.drop_expired(self._latest)
        self._records.keep(digest_of(token.nonce), record, parent)

    def _now(self) -> float:
        self._latest = max(self._latest, self._clock())
        return self._latest


def _nonce(token_or_nonce: CapToken | str) -> str:
    if isinstance(token_or_nonce, CapToken):
        return token_or_nonce.nonce
    return token_or_nonce if len(token_or_nonce) == 32 else decode_token(token_or_nonce).nonce


def _owned(record: TokenRecord, task_id: str | None, attempt: int | None) -> TokenRecord:
    if record.role is not Role.WORKER or task_id is None:
        return record
    if record.task_id is None:
        raise TokenNotFound
    if record.task_id != task_id:
        raise TokenTaskMismatch(record.task_id, task_id)
    if attempt is not None and record.attempt != attempt:
        raise TokenTaskMismatch(f"{task_id} attempt {record.attempt}", f"{task_id} attempt {attempt}")
    return record

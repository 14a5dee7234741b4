"""The records behind capability tokens: what each is bound to, what is left of it, and when it dies."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from attrs import define, field

from swarm_core.errors import TokenNotFound, TokenRevoked, TokenUsesExhausted
from swarm_core.model.access import Role

DEAD_KEPT = 10_000

Digest = bytes
Place = tuple[str | None, str | None, int | None]
"""What a token is bound to: run, task, attempt."""


def digest_of(secret: str) -> Digest:
    """Return what is kept in place of a nonce or a handle."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()


@define(kw_only=True)
class TokenRecord:
    """What the engine knows of a token that it minted: whose it is, what it is bound to, and what is left of it.

    `uses_left` None means any number. The record, not the token's text, decides about uses and life.
    """

    agent_id: str
    role: Role
    scopes: tuple[str, ...]
    uses_left: int | None
    revoked: bool = False
    run_id: str | None = None
    task_id: str | None = None
    attempt: int | None = None
    depth: int = 0
    expire_at: int


@define(eq=False, repr=False)
class Entry:
    """A record's place in the table: its digest, the entry it was made from, and the handles that stand for it."""

    digest: Digest
    record: TokenRecord
    parent: Entry | None = None
    handles: list[Digest] = field(factory=list)

    def chain(self) -> Iterator[Entry]:
        """Yield this entry, then the one that it was made from, up to the first."""
        entry: Entry | None = self
        while entry is not None:
            yield entry
            entry = entry.parent

    def check_uses(self) -> None:
        """Raise TokenUsesExhausted when this entry, or one that it was made from, has no use left."""
        if any(link.record.uses_left == 0 for link in self.chain()):
            raise TokenUsesExhausted

    def take_use(self) -> None:
        """Count one use, here and in every entry that this one was made from."""
        self.check_uses()
        for link in self.chain():
            if link.record.uses_left is not None:
                link.record.uses_left -= 1


@define(eq=False, repr=False)
class TokenRecords:
    """All living records, found by digest, by attempt and by run.

    A dropped digest stays known as dead, with what it was bound to, until `DEAD_KEPT` others died after it. Every
    operation takes constant time for each record that it touches.
    """

    _entries: dict[Digest, Entry] = field(factory=dict, init=False)
    _handles: dict[Digest, Entry] = field(factory=dict, init=False)
    _by_attempt: dict[tuple[str, int | None], set[Digest]] = field(factory=dict, init=False)
    _by_run: dict[str, set[Digest]] = field(factory=dict, init=False)
    _by_time: list[tuple[int, Digest]] = field(factory=list, init=False)
    _dead: OrderedDict[Digest, Place] = field(factory=OrderedDict, init=False)

    def __len__(self) -> int:
        return len(self._entries)

    def keep(self, digest: Digest, record: TokenRecord, parent: Entry | None = None) -> None:
        """Take a record in."""
        self._entries[digest] = Entry(digest, record, parent)
        if record.run_id is not None:
            self._by_run.setdefault(record.run_id, set()).add(digest)
        if record.task_id is not None:
            self._by_attempt.setdefault((record.task_id, record.attempt), set()).add(digest)
        if record.run_id is None and record.task_id is None:
            heapq.heappush(self._by_time, (record.expire_at, digest))

    def add_handle(self, entry: Entry, handle: Digest) -> None:
        """Let a handle stand for an entry for as long as that lives."""
        entry.handles.append(handle)
        self._handles[handle] = entry

    def living(self, digest: Digest) -> Entry:
        """Return the entry of a token.

        Raises: TokenNotFound; TokenRevoked, when it or one that it was made from is dead.
        """
        return self._alive(self._entries.get(digest), digest)

    def behind(self, handle: Digest) -> Entry:
        """Return the entry that a handle stands for; raises as `living`."""
        return self._alive(self._handles.get(handle), handle)

    def _alive(self, entry: Entry | None, digest: Digest) -> Entry:
        if entry is None:
            raise TokenRevoked if digest in self._dead else TokenNotFound
        if any(link.record.revoked for link in entry.chain()):
            raise TokenRevoked
        return entry

    def place_of_dead(self, digest: Digest) -> Place | None:
        """Return what a dropped token or handle was bound to, None when it is not known as dead."""
        return self._dead.get(digest)

    def revoke(self, digest: Digest) -> bool:
        """Mark a record as revoked; return whether it was alive."""
        entry = self._entries.get(digest)
        if entry is None or entry.record.revoked:
            return False
        entry.record.revoked = True
        return True

    def drop_attempt(self, task_id: str, attempt: int) -> None:
        """Drop all records that are bound to the attempt, and their handles."""
        for digest in tuple(self._by_attempt.get((task_id, attempt), ())):
            self._drop(digest)

    def drop_run(self, run_id: str) -> None:
        """Drop all records that are bound to the run, and their handles."""
        for digest in tuple(self._by_run.get(run_id, ())):
            self._drop(digest)

    def drop_expired(self, now: float) -> None:
        """Drop the records that are bound to nothing but their time, once that is over."""
        while self._by_time and self._by_time[0][0] <= now:
            self._drop(heapq.heappop(self._by_time)[1])

    def _drop(self, digest: Digest) -> None:
        entry = self._entries.pop(digest)
        entry.record.revoked = True
        place = (entry.record.run_id, entry.record.task_id, entry.record.attempt)
        _discard(self._by_run, entry.record.run_id, digest)
        _discard(self._by_attempt, (entry.record.task_id, entry.record.attempt), digest)
        for handle in entry.handles:
            del self._handles[handle]
            self._bury(handle, place)
        self._bury(digest, place)

    def _bury(self, digest: Digest, place: Place) -> None:
        self._dead[digest] = place
        if len(self._dead) > DEAD_KEPT:
            self._dead.popitem(last=False)


def _discard(index: dict[Any, set[Digest]], key: Any, digest: Digest) -> None:
    digests = index.get(key)
    if digests is None:
        return
    digests.discard(digest)
    if not digests:
        del index[key]

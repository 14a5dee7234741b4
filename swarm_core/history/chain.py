"""Whether a run in a store is as it was written: its rows, the large values that they refer to, its record."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from swarm_core.codec.chain import Chain, ChainCheck
from swarm_core.engine.offload import is_marked, references
from swarm_core.errors import OutputNotFound, StoreUnreadable
from swarm_core.model.run import JournalRow, StoredRun

if TYPE_CHECKING:
    from swarm_core.history.history import History

_PAGE = 500


async def chain_of(history: History, run_id: str, *, head: str | None = None) -> Chain:
    """Follow the chain of a run, up to where its record says; see `History.chain`."""
    run = await history.stands(run_id)
    check = ChainCheck(run_id, head=head)
    values = _Values(history, check)
    try:
        async for row in rows_of(history, run):
            check.take(row)
            await values.check(row)
    except StoreUnreadable as error:
        check.note(check.seq + 1, "unreadable", f"what stands at event {check.seq + 1} cannot be read: {error.message}")
    return check.finish(run.status, run.last_seq, run.blueprint_hash)


async def rows_of(history: History, run: StoredRun) -> AsyncIterator[JournalRow]:
    """Yield the rows that were there when a run's record was read; where one cannot be read, those before it first.

    Raises: StoreUnreadable.
    """
    after = 0
    while rows := await _page(history, run.id, after):
        for row in rows:
            if row.last_seq > run.last_seq:
                return
            yield row
        if rows[-1].last_seq <= after:
            return
        after = rows[-1].last_seq


async def _page(history: History, run_id: str, after: int) -> list[JournalRow]:
    try:
        return [*await history.store.rows(run_id, after, _PAGE)]
    except StoreUnreadable:
        return [*await history.store.rows(run_id, after, 1)]


class _Values:
    """Compares the large values that rows refer to with their digests, each once."""

    def __init__(self, history: History, check: ChainCheck) -> None:
        self._outputs, self._check = history.outputs, check
        self._kept = history.store.outputs is not None
        self._seen: set[str] = set()

    async def check(self, row: JournalRow) -> None:
        """Look at the values that a row refers to, and at those that are in them."""
        if not self._kept or not is_marked(row.body):
            return
        left = _references(row.body)
        while left := left - self._seen:
            digest = left.pop()
            self._seen.add(digest)
            data = await self._load(digest)
            if data is None:
                said = f"the large value {digest} of events {row.first_seq} to {row.last_seq} is not there or another"
                self._check.note(row.first_seq, "value", said)
            elif is_marked(text := data.decode(errors="replace")):
                left |= _references(text)

    async def _load(self, digest: str) -> bytes | None:
        try:
            data = await self._outputs.load(digest)
        except (OutputNotFound, StoreUnreadable):
            return None
        return data if sha256(data).hexdigest() == digest else None


def _references(text: str) -> set[str]:
    """Return the digests that a text refers to, none when it is no JSON text: its link tells that."""
    try:
        value: Any = json.loads(text)
        return references(value)
    except (ValueError, RecursionError, StoreUnreadable):
        return set()

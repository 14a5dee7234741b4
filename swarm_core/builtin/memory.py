"""Outputs kept in this process, for as long as it lives, and how this and the other stores in memory are opened."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from swarm_core.contracts import (
    BlueprintStore,
    EnhanceLogStore,
    EnhanceSettingStore,
    IssueStore,
    OutputStore,
    RunStore,
)
from swarm_core.errors import OutputNotFound
from swarm_core.factories import StoreFactory
from swarm_core.model.ids import RandomBits, new_id
from swarm_core.model.output import OutputEvent, OutputRecord


class MemoryOutputStore(OutputStore):
    """Keeps outputs in dictionaries; `forget_run` is what makes room.

    An attempt mostly has one output, so its place in the index holds the record itself and a list only from the second
    on: what is kept for each step is what the garbage collector has to look at. References grant nothing and need no
    secret chance.
    """

    def __init__(self, random_bits: RandomBits = random.getrandbits) -> None:
        self._random_bits = random_bits
        self._records: dict[str, OutputRecord] = {}
        self._by_attempt: dict[str, OutputRecord | list[OutputRecord]] = {}
        self._by_run: dict[str, list[str]] = {}
        self._latest: dict[str, str] = {}
        self._blobs: dict[str, bytes] = {}
        self._kept: dict[str, set[str]] = {}

    async def append(
        self,
        *,
        run_id: str,
        task_id: str,
        attempt: int,
        producer_agent: str,
        event: OutputEvent,
        parent_refs: Sequence[str] = (),
    ) -> str:
        """Keep one output and return its reference."""
        ref = new_id("out-", self._random_bits)
        record = OutputRecord(
            id=ref,
            run_id=run_id,
            task_id=task_id,
            attempt=attempt,
            producer_agent=producer_agent,
            event=event,
            parent_refs=tuple(parent_refs),
        )
        self._records[ref] = record
        self._latest[producer_agent] = ref
        self._by_run.setdefault(run_id, []).append(ref)
        self._index(record)
        return ref

    async def get(self, ref: str) -> OutputRecord:
        """Return one output; raises OutputNotFound."""
        try:
            return self._records[ref]
        except KeyError:
            raise OutputNotFound(ref) from None

    async def get_latest_by_name(self, producer_agent: str) -> OutputRecord:
        """Return the newest output of a producer; raises OutputNotFound."""
        ref = self._latest.get(producer_agent)
        if ref is None:
            raise OutputNotFound(producer_agent)
        return self._records[ref]

    async def list_for_attempt(self, task_id: str, attempt: int) -> Sequence[OutputRecord]:
        """Return an attempt's outputs in the order they came."""
        found = self._by_attempt.get(f"{task_id}/{attempt}", [])
        return list(found) if isinstance(found, list) else [found]

    async def keep(self, run_id: str, blobs: Mapping[str, bytes]) -> None:
        """Keep large values by their digest."""
        self._kept.setdefault(run_id, set()).update(blobs)
        for digest, data in blobs.items():
            self._blobs.setdefault(digest, bytes(data))

    async def load(self, digest: str) -> bytes:
        """Return a value that was kept; raises OutputNotFound."""
        try:
            return self._blobs[digest]
        except KeyError:
            raise OutputNotFound(digest) from None

    async def forget_run(self, run_id: str) -> None:
        """Drop all outputs of a run, and the large values that no other run refers to."""
        kept = self._kept.pop(run_id, set())
        for digest in kept.difference(*self._kept.values()) if kept else ():
            del self._blobs[digest]
        dropped = [self._records.pop(ref) for ref in self._by_run.pop(run_id, ())]
        for record in dropped:
            self._by_attempt.pop(f"{record.task_id}/{record.attempt}", None)
        stale = {record.producer_agent for record in dropped if self._latest.get(record.producer_agent) == record.id}
        for producer in stale:
            del self._latest[producer]
        if stale:
            self._latest |= {r.producer_agent: r.id for r in self._records.values() if r.producer_agent in stale}

    def _index(self, record: OutputRecord) -> None:
        place = f"{record.task_id}/{record.attempt}"
        there = self._by_attempt.get(place)
        if there is None:
            self._by_attempt[place] = record
        elif isinstance(there, list):
            there.append(record)
        else:
            self._by_attempt[place] = [there, record]


@asynccontextmanager
async def open_memory_outputs(url: str) -> AsyncIterator[MemoryOutputStore]:
    """Open an empty store; of the URL only its scheme counts."""
    yield MemoryOutputStore()


@asynccontextmanager
async def open_memory_runs(url: str) -> AsyncIterator[RunStore]:
    """Open an empty store of runs, which keeps their outputs too; of the URL only its scheme counts."""
    from swarm_core.builtin.memory_runs import MemoryRunStore

    yield MemoryRunStore()


@asynccontextmanager
async def open_memory_blueprints(url: str) -> AsyncIterator[BlueprintStore]:
    """Open an empty store of Blueprints; of the URL only its scheme counts."""
    from swarm_core.builtin.memory_blueprints import MemoryBlueprintStore

    yield MemoryBlueprintStore()


@asynccontextmanager
async def open_memory_issues(url: str) -> AsyncIterator[IssueStore]:
    """Open an empty store of issues; of the URL only its scheme counts."""
    from swarm_core.builtin.memory_enhance import MemoryIssueStore

    yield MemoryIssueStore()


@asynccontextmanager
async def open_memory_enhance_settings(url: str) -> AsyncIterator[EnhanceSettingStore]:
    """Open an empty store of enhance settings; of the URL only its scheme counts."""
    from swarm_core.builtin.memory_enhance import MemoryEnhanceSettingStore

    yield MemoryEnhanceSettingStore()


@asynccontextmanager
async def open_memory_enhance_log(url: str) -> AsyncIterator[EnhanceLogStore]:
    """Open an empty enhance log; of the URL only its scheme counts."""
    from swarm_core.builtin.memory_enhance import MemoryEnhanceLogStore

    yield MemoryEnhanceLogStore()


MEMORY_OUTPUTS = StoreFactory("output", "memory", open_memory_outputs, summary="outputs in this process's memory")
MEMORY_RUNS = StoreFactory("run", "memory", open_memory_runs, summary="runs in this process's memory")
MEMORY_BLUEPRINTS = StoreFactory(
    "blueprint", "memory", open_memory_blueprints, summary="Blueprints in this process's memory"
)
MEMORY_ISSUES = StoreFactory("issue", "memory", open_memory_issues, summary="issues in this process's memory")
MEMORY_ENHANCE_SETTINGS = StoreFactory(
    "enhance_setting", "memory", open_memory_enhance_settings, summary="enhance settings in this process's memory"
)
MEMORY_ENHANCE_LOG = StoreFactory(
    "enhance_log", "memory", open_memory_enhance_log, summary="the enhance log in this process's memory"
)
MEMORY_STORES = (
    *(MEMORY_OUTPUTS, MEMORY_RUNS, MEMORY_BLUEPRINTS),
    *(MEMORY_ISSUES, MEMORY_ENHANCE_SETTINGS, MEMORY_ENHANCE_LOG),
)

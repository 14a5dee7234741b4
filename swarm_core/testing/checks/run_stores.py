"""The contract of run stores."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from swarm_core.contracts import OutputStore, RunStore
from swarm_core.errors import SwarmError
from swarm_core.testing.checks.contract import ContractBroken
from swarm_core.testing.checks.run_journals import JOURNALS
from swarm_core.testing.checks.run_questions import QUESTIONS
from swarm_core.testing.checks.run_races import RACES
from swarm_core.testing.checks.run_records import RECORDS
from swarm_core.testing.checks.stores import check_output_store

OpenRunStore = Callable[[], AbstractAsyncContextManager[RunStore]]
Part = Callable[[RunStore], Awaitable[None]]


async def check_run_store(open_store: OpenRunStore) -> None:
    """Run a run store through its contract; each part is checked on a store of its own, an empty one.

    `open_store()` returns an async context manager that gives an empty store. Where the store keeps outputs too, these
    are checked as well. Raises: ContractBroken.
    """
    keeps_outputs = False
    for part in (*RECORDS, *JOURNALS, *QUESTIONS, *RACES):
        async with open_store() as store:
            keeps_outputs = store.outputs is not None
            await run_part(part, store)
    if keeps_outputs:
        await check_output_store(lambda: _outputs(open_store))


async def run_part(part: Part, store: RunStore) -> None:
    """Check one part; an error that no part expects breaks the contract as well."""
    try:
        await part(store)
    except SwarmError as error:
        raise ContractBroken(f"{part.__name__.strip('_')}: {type(error).__name__}: {error}") from error


@asynccontextmanager
async def _outputs(open_store: OpenRunStore) -> AsyncIterator[OutputStore]:
    async with open_store() as store:
        if store.outputs is None:
            raise ContractBroken("outputs is None, where another store of the kind had some")
        yield store.outputs

"""Make the store and the export of this release that later ones have to go on with: `make_golden.py VERSION`.

Made once per release and kept: never make those of a release again. Each store has three runs of `flow.yaml`: one that
was interrupted in its loop, one that waits for its second answer, one that is done.
"""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml

from swarm_core import Result, Swarm
from swarm_core.history import History
from swarm_core.model.run import RunFilter
from swarm_core.model.task import RunStatus

HERE = Path(__file__).resolve().parent
KINDS = ("interrupted", "waiting", "done")


class Workers:
    """The functions of the flow; `called` are the addresses of the steps that they were called for."""

    def __init__(self, stop_at: str | None = None) -> None:
        self.called: list[str] = []
        self._stop_at, self.stopped = stop_at, asyncio.Event()
        self._quick = asyncio.Event()

    def functions(self) -> dict[str, Callable[..., Any]]:
        """Return the functions by name."""
        return {name: getattr(self, name) for name in ("add", "odd", "runner", "fail", "parent")}

    async def add(self, trail: list[Any], call: Any) -> Any:
        self.called.append(call.address)
        if call.address == self._stop_at:
            self.stopped.set()
            await asyncio.Event().wait()
        return [*trail, call.address]

    async def odd(self, item: int, call: Any) -> Any:
        self.called.append(call.address)
        return Result(item * 10, ok=item % 2 == 1)

    async def runner(self, name: str, call: Any) -> Any:
        self.called.append(call.address)
        if name == "slow":
            await self._quick.wait()
        self._quick.set()
        return name

    async def fail(self, given: Any, call: Any) -> Any:
        self.called.append(call.address)
        raise RuntimeError(f"no {given}")

    async def parent(self, items: list[int], call: Any) -> Any:
        self.called.append(call.address)
        return [(await call.context.start_child("add", [item])).value for item in items]


async def make(store: str) -> None:
    """Make the three runs."""
    blueprint = yaml.safe_load((HERE / "flow.yaml").read_text(encoding="utf-8"))
    for place, kind in enumerate(KINDS):
        workers = Workers("/6/body@1" if kind == "interrupted" else None)
        chance = random.Random(place)
        async with Swarm.open(plugins=(), functions=workers.functions(), store=store, rng=chance) as swarm:
            launched = await swarm.launch(blueprint, key=kind)
            await answer(swarm, launched, {"first?": "one"})
            if kind == "interrupted":
                await workers.stopped.wait()
                await launched.interrupt("golden")
            elif kind == "done":
                await answer(swarm, launched, {"second?": "two"})
                await launched.wait()
            else:
                await launched.wait(or_waiting=True)


async def answer(swarm: Swarm, launched: Any, answers: dict[str, Any]) -> None:
    """Answer questions by their text, as they come, for as long as the run goes on."""
    assert swarm.store is not None
    left = dict(answers)
    while left and launched.status in (RunStatus.RUNNING, RunStatus.WAITING):
        await asyncio.sleep(0.01)
        for question in await swarm.store.questions(launched.id, open_only=True):
            if question.question in left:
                await swarm.answer(question.key, left.pop(question.question), by="golden")


async def export(store: str) -> dict[str, list[str]]:
    """Return the lines of each run's export, by its key."""
    async with Swarm.open(plugins=(), store=store) as swarm:
        assert swarm.store is not None
        history = History(swarm.store, swarm.outputs)
        runs = await swarm.store.runs(RunFilter(limit=10))
        return {str(run.key): [line async for line in history.export(run.id)] for run in runs}


def dumped(file: Path) -> str:
    """Return a store as SQL, with what stands in the header of its file."""
    with closing(sqlite3.connect(file)) as connection:
        head = [
            f"PRAGMA {name} = {connection.execute(f'PRAGMA {name}').fetchone()[0]};"
            for name in ("application_id", "user_version")
        ]
        return "\n".join([*head, *connection.iterdump(), ""])


def restore(dump: Path, file: Path) -> None:
    """Make a store from its SQL."""
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(dump.read_text(encoding="utf-8"))
        connection.execute("PRAGMA journal_mode = WAL")


def main(version: str) -> None:
    """Write the files of a release."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "golden.db")
        asyncio.run(make(f"sqlite:///{file}"))
        lines = asyncio.run(export(f"sqlite:///{file}"))
        (HERE / f"{version}.sql").write_text(dumped(file), encoding="utf-8")
        for kind, told in lines.items():
            text = "".join(f"{line.rstrip()}\n" for line in told)
            (HERE / f"{version}-{kind}.jsonl").write_text(text, encoding="utf-8")
        assert set(lines) == set(KINDS), json.dumps(list(lines))


if __name__ == "__main__":
    main(sys.argv[1])

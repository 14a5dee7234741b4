"""Points at which an engine can be made to die or to fail: SQL statements, commits, calls of the store."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from attrs import define, frozen

from swarm_core import Swarm
from swarm_core.builtin.sqlite import open_sqlite_runs
from swarm_core.contracts import RunStore
from swarm_core.testing.failing import FailingRunStore

_connect = sqlite3.connect


@frozen
class Fault:
    """What goes wrong at point number `at`, counted from 1; 0 for nothing.

    `die`: the process is killed before an SQL statement or after a commit. `fail`: a call of the store raises. Calls
    after it work again unless `persistent`; with `after` the call that raises has been carried out.
    """

    kind: str = "die"
    at: int = 0
    persistent: bool = False
    after: bool = False

    def __str__(self) -> str:
        more = "".join(f" {name}" for name in ("persistent", "after") if getattr(self, name))
        return f"{self.kind}{more} at {self.at}"


@define
class Engine:
    """An engine of this process with a fault in it; `passed` counts the points that it came by."""

    fault: Fault
    store: FailingRunStore | None = None
    _statements: int = 0

    @property
    def passed(self) -> int:
        """Return how many points there were."""
        return self.store.calls if self.store is not None else self._statements

    @asynccontextmanager
    async def open(self, file: Path) -> AsyncIterator[Swarm]:
        """Open a swarm on the store at a file, with the fault."""
        if self.fault.kind == "die":
            self._arm()
        async with (
            open_sqlite_runs(f"sqlite:///{file}") as store,
            Swarm.open(plugins=(), store=self._failing(store)) as swarm,
        ):
            yield swarm

    def _failing(self, store: RunStore) -> RunStore:
        if self.fault.kind != "fail":
            return store
        at, persistent, after = self.fault.at or None, self.fault.persistent, self.fault.after
        self.store = FailingRunStore(store, fail_at=at, persistent=persistent, after=after)
        return self.store

    def _reach(self, *_: object) -> None:
        """Take note of a point; when it is the one, this is the last thing that the process does."""
        self._statements += 1
        if self._statements == self.fault.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def _arm(self) -> None:
        """Let every statement of every connection be a point, and the moment after every commit."""
        reach = self._reach

        class Cursor(sqlite3.Cursor):
            def execute(self, sql: str, *given: Any) -> sqlite3.Cursor:
                done = super().execute(sql, *given)
                if sql.lstrip().upper().startswith("COMMIT"):
                    reach()
                return done

        class Connection(sqlite3.Connection):
            def cursor(self, factory: Any = Cursor) -> Any:
                return super().cursor(factory)

            def execute(self, sql: str, *given: Any) -> sqlite3.Cursor:
                return self.cursor().execute(sql, *given)

        def connect(*args: Any, **how: Any) -> sqlite3.Connection:
            connection = _connect(*args, **{**how, "factory": Connection})
            connection.set_trace_callback(reach)
            return connection

        sqlite3.connect = connect  # type: ignore[assignment]

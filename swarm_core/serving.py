"""What a program that serves a swarm may use of it: the server, MCP, whoever else opens a door to one.

These are the promises that `Swarm` and its parts keep for plugins, which know no more of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from attrs import frozen

if TYPE_CHECKING:
    from pathlib import Path

    from swarm_core.attachments import Attached
    from swarm_core.contracts import (
        BlueprintStore,
        EnhanceStores,
        Operator,
        OutputStore,
        RunStore,
        SeniorBridge,
        SpawnHook,
    )
    from swarm_core.factories import Catalog
    from swarm_core.model.access import CapToken
    from swarm_core.model.event import Event
    from swarm_core.model.operator import SessionRequest
    from swarm_core.model.output import OutputRecord
    from swarm_core.model.problem import Problem
    from swarm_core.model.run import Question, RunFilter, RunResult, StoredRun
    from swarm_core.model.task import RunStatus, TaskState
    from swarm_core.settings import Settings


@frozen
class ServerAddress:
    """Where workers on this machine reach the server of a swarm: `http://127.0.0.1:7777`, without a slash at the end.

    A server puts it into `swarm.services` when it listens; kinds look for it in `environment.services` at each attempt.
    """

    url: str


class LiveRun(Protocol):
    """A run that this process carries out."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def status(self) -> RunStatus:
        """Where it stands."""

    async def wait(self, *, or_waiting: bool = False) -> RunResult:
        """Wait for its end, or with `or_waiting` until all that is left waits for answers."""

    def events(self, first: int = 1) -> AsyncIterator[Event]:
        """Return its events from number `first` on, as they come; it ends with the run."""

    def tasks(self) -> list[TaskState]:
        """Return its tasks as they stand."""

    def attach(self, *, ttl: float | None = None) -> CapToken:
        """Return a token of its own session; the one that was given out before ends."""

    def request_cancel(self) -> None:
        """Cancel it without waiting for its end."""

    def request_interrupt(self, reason: str) -> None:
        """Stop it so that it can be resumed, without waiting for it."""


class RunHistory(Protocol):
    """What can be asked of a store of runs; a run whose owner is dead has no owner here."""

    store: RunStore
    outputs: OutputStore

    async def runs(self, wanted: RunFilter) -> Sequence[StoredRun]:
        """Return the runs that the filter lets through, the newest first."""

    async def run(self, text: str) -> StoredRun:
        """Return the run that has this id, or whose id alone begins with it; raises RunNotFound."""

    async def stands(self, run_id: str) -> StoredRun:
        """Return the run with exactly this id; raises RunNotFound."""

    async def counted(self, run: StoredRun) -> StoredRun:
        """Return a run with the counts that its journal has."""

    async def resumable(self) -> Sequence[StoredRun]:
        """Return the runs that can go on now, the oldest first."""

    async def events(self, run_id: str, after: int = 0, limit: int | None = None) -> Sequence[Event]:
        """Return the events of a run that come after number `after`; raises RunNotFound, StoreUnreadable."""

    async def steps(self, run_id: str) -> Sequence[Any]:
        """Return the tasks of a run in the order in which they were begun; each has `as_json()`."""

    async def result(self, run_id: str) -> Any:
        """Return the final ctx of a run, None when it has none; raises RunNotFound."""

    def follow(self, run_id: str, after: int = 0) -> AsyncIterator[Event]:
        """Yield the events of a run as they come, until it has ended or nobody holds it."""

    async def ask_cancel(self, run_id: str, by: str, *, patience: float = 30.0) -> StoredRun:
        """Cancel a run, whoever holds it, and return it as it ended; raises RunNotFound, RunEnded."""

    async def collect(self, older_than: float, *, keep_failed: bool = False, dry_run: bool = False) -> list[StoredRun]:
        """Remove the runs that ended more than `older_than` seconds ago; return them."""

    async def health(self) -> Any:
        """Return how the store is; it has `as_json()`."""


class LiveSwarm(Protocol):
    """An open swarm; what each method does and raises is told at `Swarm`."""

    settings: Settings
    services: MutableMapping[type, Any]
    store: RunStore | None
    outputs: OutputStore
    blueprints: BlueprintStore | None
    host: Any
    engine: Any
    """Its `door` is what is asked with tokens; `settings`, `clock`, `state` are there to be read."""

    @property
    def catalog(self) -> Catalog:
        """What the plugins provide."""

    @property
    def history(self) -> RunHistory:
        """The runs of the store; raises SettingsError without one."""

    def read(self, source: Any, *, text: bytes | None = None) -> Any:
        """Read a Blueprint; what it returns goes to `check`, `prepare` and `launch`."""

    async def fetch(self, source: Any, *, text: bytes | None = None) -> Any:
        """Read a Blueprint wherever it is."""

    def receive(self, value: Mapping[str, Any], *, files: Path | None = None, lenient: bool = False) -> Any:
        """Read a Blueprint that came from elsewhere as data; what it returns goes where that of `read` goes."""

    def check(
        self,
        source: Any,
        *,
        text: bytes | None = None,
        bind: Mapping[str, str] | None = None,
        layer_set: str = ...,
    ) -> list[Problem]:
        """Return everything that is wrong with a Blueprint, and what is doubtful."""

    def prepare(self, source: Any, *, bind: Mapping[str, str] | None = None, layer_set: str = ...) -> Any:
        """Check, compile and link a Blueprint."""

    async def launch(
        self,
        source: Any,
        *,
        init_ctx: Any = None,
        bind: Mapping[str, str] | None = None,
        layer_set: str = ...,
        operator_id: str = ...,
        request: SessionRequest | None = None,
        key: str | None = None,
        budget: Mapping[str, Any] | None = None,
        fingerprint: str | None = None,
    ) -> LiveRun:
        """Begin a run; with a run store it is kept when this returns."""

    async def resume(self, run_id: str) -> LiveRun:
        """Go on with a run where it was stopped."""

    async def rerun(self, run_id: str, start: Iterable[str] = ()) -> LiveRun:
        """Begin a new run that shares the steps of a recorded one that do not depend on those at `start`."""

    async def plan_migration(self, run_id: str, source: Any) -> Any:
        """Tell which recorded steps of a run stay valid with another Blueprint."""

    async def compare(self, run_id: str, source: Any) -> Any:
        """Tell how a recorded run goes with another Blueprint, also one that has ended."""

    async def enhance_stores(self) -> EnhanceStores:
        """Return where issues, enhance settings and the enhance log are kept; raises SettingsError without."""

    async def migrate(self, plan: Any) -> StoredRun:
        """Bind a run to another Blueprint as planned."""

    async def cancel(self, run_id: str, *, by: str = ...) -> None:
        """Cancel a run, or ask for that in the store."""

    async def answer(self, key: str, answer: Any, *, by: str = ...) -> Question:
        """Answer a question."""

    async def output(self, key: str) -> OutputRecord:
        """Return an output by its reference, or the newest one of an agent; raises OutputNotFound."""

    def attach_operator(self, id: str, operator: Operator) -> Attached[Operator]:
        """Let an operator sit down at the seat `id`."""

    def attach_senior(self, id: str, bridge: SeniorBridge) -> Attached[SeniorBridge]:
        """Let a senior answer for the sessions that name this id."""

    def attach_hook(self, id: str, hook: SpawnHook) -> Attached[SpawnHook]:
        """Let a hook see the attempts of the sessions that name this id."""

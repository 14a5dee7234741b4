"""A swarm that runs elsewhere, as the command line uses it: what whoever reaches a server provides.

The parts that look at runs are those of `History`, so that a command hardly knows whether it asks a store or a server.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from swarm_core.model.event import Event
    from swarm_core.model.operator import SessionRequest
    from swarm_core.model.problem import Problem
    from swarm_core.model.run import Owner, Question, RunFilter, RunResult, StoredRun


class Time(Protocol):
    """Where the time is read."""

    def time(self) -> float:
        """Return Unix seconds."""


class Asked(Protocol):
    """The questions of runs; see `RunStore`."""

    async def questions(self, run_id: str | None = None, *, open_only: bool = False) -> Sequence[Question]:
        """Return questions in the order in which they were asked."""

    async def question(self, key: str) -> Question:
        """Return one; raises ResumeKeyNotFound."""

    async def answer(self, key: str, answer: Any, *, by: str, at: float) -> Question:
        """Answer one; raises ResumeKeyNotFound, AlreadyAnswered."""

    async def version(self) -> object:
        """Return what changes when something changes, as far as that is known."""


class Runs(Protocol):
    """Runs as they stand and as they went, wherever they are; see `History`. `place` says in words where."""

    place: str

    @property
    def store(self) -> Asked:
        """What runs wait to be told."""

    @property
    def clock(self) -> Time:
        """Where the time is read."""

    async def runs(self, wanted: RunFilter, /) -> Sequence[StoredRun]:
        """Return the runs that the filter lets through, the newest first."""

    async def run(self, text: str) -> StoredRun:
        """Return the run that has this id, or whose id alone begins with it; raises RunNotFound."""

    async def stands(self, run_id: str) -> StoredRun:
        """Return the run with exactly this id; raises RunNotFound."""

    async def holder(self, run_id: str) -> Owner | None:
        """Return the living owner of a run, None when nobody holds it."""

    async def resumable(self) -> Sequence[StoredRun]:
        """Return the runs that can go on now, the oldest first."""

    async def events(self, run_id: str, after: int = 0) -> Sequence[Event]:
        """Return the events of a run that come after number `after`; raises RunNotFound."""

    async def counted(self, run: StoredRun) -> StoredRun:
        """Return a run with its counts as they are."""

    async def result(self, run_id: str) -> Any:
        """Return the final ctx of a run, None when it has none; raises RunNotFound."""

    def follow(self, run_id: str, after: int = 0) -> AsyncIterator[Event]:
        """Yield the events of a run as they come, until it has ended or nobody holds it."""

    async def changed(self, version: object) -> None:
        """Wait until something may have changed, or for a second."""

    async def ask_cancel(self, run_id: str, by: str, *, patience: float = 30.0) -> StoredRun:
        """Cancel a run, whoever holds it, and return it as it ended; raises RunNotFound, RunEnded."""


class FollowedRun(Protocol):
    """A run that somebody carries out, here or elsewhere."""

    @property
    def id(self) -> str:
        """Its id."""

    def events(self, first: int = 1) -> AsyncIterator[Event]:
        """Return its events from number `first` on, as they come; it ends with the run."""

    async def wait(self, *, or_waiting: bool = False) -> RunResult:
        """Wait for its end, or with `or_waiting` until all that is left waits for answers."""


class RemoteRun(FollowedRun, Protocol):
    """A run that a server carries out. `known` tells that it was launched under the same key before."""

    @property
    def known(self) -> bool:
        """Whether this launch began it."""


class RemoteSwarm(Protocol):
    """A server. Whatever it refuses is raised as the same error that a swarm here raises."""

    @property
    def url(self) -> str:
        """Its address."""

    @property
    def history(self) -> Runs:
        """Its runs."""

    @property
    def store(self) -> Asked | None:
        """What its runs wait to be told."""

    async def check(
        self, source: str | Mapping[str, Any], *, bind: Mapping[str, str], layer_set: str
    ) -> Sequence[Problem]:
        """Return everything that is wrong with a Blueprint there: of a document, or of `bp:NAME[@SELECTOR]`."""

    async def launch(
        self,
        source: str | Mapping[str, Any],
        *,
        init_ctx: Any,
        bind: Mapping[str, str],
        layer_set: str,
        request: SessionRequest | None,
        key: str | None,
        budget: Mapping[str, Any] | None,
    ) -> RemoteRun:
        """Begin a run there; it is kept when this returns."""

    def following(self, run_id: str) -> RemoteRun:
        """Return a run that is carried out there."""

    async def resume(self, run_id: str) -> RemoteRun:
        """Go on with a run where it was stopped."""

    async def rerun(self, run_id: str, start: Iterable[str]) -> RemoteRun:
        """Begin a new run that shares the steps of a recorded one that do not depend on those at `start`."""

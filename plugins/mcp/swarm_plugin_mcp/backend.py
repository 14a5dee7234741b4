"""Where the tools do their work: a swarm in this process, or one that a server serves. All values are JSON.

Errors are SwarmErrors, whichever it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from attrs import field, frozen

from swarm_core.model.run import RunFilter
from swarm_plugin_mcp.mailbox import Mailbox

Json = dict[str, Any]


@frozen(kw_only=True)
class Source:
    """A Blueprint as a tool is given it: data (a document or a reference), `bp:NAME[@SELECTOR]`, or a file's path."""

    value: Mapping[str, Any] | str | Path


@frozen(kw_only=True)
class Order:
    """A run to be launched, and on whose behalf."""

    source: Source
    init_ctx: Any = None
    bind: Mapping[str, str] = field(factory=dict)
    layers: str = "standard"
    budget: Mapping[str, Any] | None = None
    key: str | None = None
    operator_id: str = "mcp-run"
    operator_kind: str | None = None
    agent_kinds: Mapping[str, str] = field(factory=dict)
    operator_sid: str | None = None
    senior_id: str | None = None
    hook_id: str | None = None


@frozen(kw_only=True)
class Offered:
    """A call of an endpoint that a plugin offers: `route` is such as `/v1/issues/{issue_id}`, `path` has its parts."""

    method: str
    route: str
    path: Mapping[str, str] = field(factory=dict)
    query: Mapping[str, Any] = field(factory=dict)
    body: Any = None


@frozen(kw_only=True)
class Reply:
    """The answer to a frame: its kind (`answer`, `hook_ack`, `spawn_ack`) and what that kind says."""

    kind: str
    value: Any = None
    ok: bool = True
    error: str | None = None


class SeatHeld(Protocol):
    """A session of an operator: what it is sent comes into `mailbox`."""

    sid: str
    roles: tuple[str, ...]
    mailbox: Mailbox

    async def reply(self, req_id: str, reply: Reply) -> None:
        """Send the answer to a frame; raises SwarmError, when nobody waits for it."""

    async def leave(self) -> None:
        """End the session; what it had under way begins anew with whoever comes."""


class Backend(Protocol):
    """A swarm as the tools see it."""

    @property
    def place(self) -> Json:
        """Say where this is: `mode`, and `url` or `store`."""

    # runs

    async def launch(self, order: Order) -> str:
        """Begin a run and return its id."""

    async def resume(self, run_id: str) -> None:
        """Go on with a run."""

    async def rerun(self, run_id: str, steps: Sequence[str]) -> str:
        """Begin a run that shares the steps of another; return its id."""

    async def cancel(self, run_id: str, by: str) -> Json:
        """Cancel a run and return its record."""

    async def run(self, name: str) -> Json:
        """Return the record of the run with this id, with its counts."""

    async def runs(self, wanted: RunFilter) -> list[Json]:
        """Return records, the newest first."""

    async def steps(self, run_id: str) -> list[Json]:
        """Return the steps of a run."""

    def carries(self, run_id: str) -> bool:
        """Tell whether a run that waits goes on here when somebody takes the seat that it waits for."""

    async def result(self, run_id: str) -> Any:
        """Return the final ctx of a run, None when it has none."""

    async def events(self, run_id: str, after: int, limit: int) -> list[Json]:
        """Return the first `limit` events after number `after`."""

    def follow(self, run_id: str, after: int) -> AsyncIterator[Json]:
        """Yield events as they come, until the run has ended or nobody holds it."""

    # questions

    async def questions(self, run_id: str | None, *, open_only: bool) -> list[Json]:
        """Return questions, the oldest first."""

    async def answer(self, key: str, answer: Any, by: str) -> Json:
        """Answer a question and return it."""

    # Blueprints

    async def check(self, source: Source, bind: Mapping[str, str], layers: str) -> list[Json]:
        """Return the problems of a Blueprint."""

    async def explain(self, source: Source, bind: Mapping[str, str], layers: str) -> Json:
        """Return what a Blueprint resolves to."""

    async def blueprints(self, *, archived: bool) -> list[Json]:
        """Return the newest entry of each Blueprint that is kept."""

    async def blueprint(self, id: str, selector: str | None) -> Json:
        """Return a version: its entry, and the Blueprint as `blueprint`."""

    async def history(self, id: str, limit: int) -> list[Json]:
        """Return the entries of a Blueprint, the newest first."""

    async def add(self, source: Source, *, message: str, by: str) -> Json:
        """Keep a Blueprint as the newest version; return its entry, and whether it is new as `added`."""

    async def archive(self, id: str, *, archived: bool, by: str) -> None:
        """Take a Blueprint out of use, or into use again."""

    # others

    async def call(self, offered: Offered) -> Any:
        """Call an endpoint that a plugin offers; raises ToolRefused where none does."""

    async def doctor(self) -> Json:
        """Return how this place is."""

    async def join(self, roles: Sequence[str], *, take: bool) -> SeatHeld:
        """Sit down: under an id of one's own, and at the seats that `roles` name."""

    async def worker_prompt(self, handle: str, task_id: str | None) -> Json:
        """Return what a worker is to do."""

    async def worker_submit(self, handle: str, value: Any, *, ok: bool, part: str | None) -> None:
        """Give a worker's final result, or a named part of it."""

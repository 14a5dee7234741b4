"""A server as the command line uses it: what `swarm_core.remote` asks for, over the client."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

from attrs import evolve

from swarm_core.errors import EngineError, ResumeKeyNotFound, RunEnded, RunNotFound
from swarm_core.model.event import Event
from swarm_core.model.operator import SessionRequest
from swarm_core.model.problem import Problem
from swarm_core.model.run import Owner, Question, RunFilter, RunResult, StoredRun
from swarm_core.model.task import FINAL_RUN_STATUSES, RunStatus
from swarm_core.settings import Settings, project_folder, token_file
from swarm_plugin_client import asks
from swarm_plugin_client.answers import Launch
from swarm_plugin_client.credentials import find_token, server_url
from swarm_plugin_client.following import follow
from swarm_plugin_client.orders import Order
from swarm_plugin_client.recorded import recorded
from swarm_plugin_client.sending import AsyncSender, Reach

_PAGE = 1000
_LOOK = 1.0  # seconds between two looks at what a server cannot be waited for
_MOMENT = 0.2
_ID = re.compile(r"[\w-]+")  # what else is asked for is no part of an address, and nothing has it as its id


@asynccontextmanager
async def connect(settings: Settings, url: str) -> AsyncIterator[Server]:
    """Reach a server with the token that the settings or the environment name, for as long as it is needed."""
    at = server_url(url)
    beside = project_folder(settings) / ".swarm" / "server.token"
    token = find_token(at, file=token_file(settings), beside=beside)
    sender = AsyncSender(Reach(url=at, token=token))
    try:
        yield Server(sender)
    finally:
        await sender.http.aclose()


class Server:
    """A server whose runs are launched, followed and looked at."""

    def __init__(self, sender: AsyncSender) -> None:
        self._sender = sender
        self.url = sender.reach.url
        self.history = ServerRuns(sender)
        self.store = self.history.store

    async def check(
        self, source: str | Mapping[str, Any], *, bind: Mapping[str, str], layer_set: str
    ) -> Sequence[Problem]:
        """Return everything that is wrong with a Blueprint there."""
        return await self._sender.send(asks.check(source, bind, layer_set))

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
    ) -> ServerRun:
        """Begin a run there."""
        order = Order(
            source=source,
            init_ctx=init_ctx,
            bind=bind,
            layer_set=layer_set,
            request=request,
            operator_id="cli",
            key=key,
            budget=budget,
        )
        return self._run(await self._sender.send(asks.launch(order)))

    def following(self, run_id: str) -> ServerRun:
        """Return a run that is carried out there."""
        return ServerRun(self._sender, run_id)

    async def resume(self, run_id: str) -> ServerRun:
        """Go on with a run where it was stopped."""
        return self._run(await self._sender.send(asks.resume(run_id)))

    async def rerun(self, run_id: str, start: Iterable[str]) -> ServerRun:
        """Begin a new run that shares the steps of a recorded one."""
        return self._run(await self._sender.send(asks.rerun(run_id, start)))

    def _run(self, launch: Launch) -> ServerRun:
        return ServerRun(self._sender, launch.run_id, known=launch.known)


class ServerRun:
    """A run that a server carries out."""

    def __init__(self, sender: AsyncSender, run_id: str, *, known: bool = False) -> None:
        self._sender = sender
        self.id, self.known = run_id, known

    def events(self, first: int = 1) -> AsyncIterator[Event]:
        """Return its events from number `first` on, as they come."""
        return follow(self._sender, self.id, first - 1)

    async def wait(self, *, or_waiting: bool = False) -> RunResult:
        """Wait for its end, until nobody holds it, or with `or_waiting` until it waits for answers."""
        share: Mapping[str, int] = {}
        async with aclosing(follow(self._sender, self.id)) as events:
            async for event in events:
                if event.kind == "run_resumed":
                    share = {name: event.data[name] for name in ("reused", "again") if name in event.data}
                if event.kind == "run_waiting" and or_waiting:
                    standing = await self._standing(share)
                    if standing.status is RunStatus.WAITING:
                        return standing
        return await self._standing(share)

    async def _standing(self, share: Mapping[str, int]) -> RunResult:
        """Return how it ended or stands; which steps were known before is told by its events, also to who asks late."""
        told = await self._sender.send(asks.result(self.id))
        return evolve(told, reused=share.get("reused", told.reused), again=share.get("again", told.again))


class ServerQuestions:
    """What a server's runs wait to be told."""

    def __init__(self, sender: AsyncSender) -> None:
        self._sender = sender

    async def questions(self, run_id: str | None = None, *, open_only: bool = False) -> Sequence[Question]:
        """Return questions in the order in which they were asked."""
        return await self._sender.send(asks.questions(run_id, open_only=open_only))

    async def question(self, key: str) -> Question:
        """Return one."""
        if not _ID.fullmatch(key):
            raise ResumeKeyNotFound(key, hint=f"the server is {self._sender.reach.url}")
        return await self._sender.send(asks.question(key))

    async def answer(self, key: str, answer: Any, *, by: str, at: float) -> Question:
        """Answer one; when it was answered the server knows itself."""
        return await self._sender.send(asks.answer(key, answer, by))

    async def version(self) -> object:
        """Return nothing: a server does not tell that something changed."""
        return None


class ServerRuns:
    """What can be asked of a server's runs, as of a store's; see `History`."""

    def __init__(self, sender: AsyncSender) -> None:
        self._sender = sender
        self.place = f"the server is {sender.reach.url}"
        self.store = ServerQuestions(sender)
        self.clock = time

    async def runs(self, wanted: RunFilter, /) -> Sequence[StoredRun]:
        """Return the runs that the filter lets through, the newest first."""
        found: list[StoredRun] = []
        before = wanted.before
        while len(found) < wanted.limit:
            limit = min(_PAGE, wanted.limit - len(found))
            page = await self._sender.send(asks.runs(evolve(wanted, before=before, limit=limit)))
            found += page.runs
            before = page.next
            if before is None:
                break
        return found

    async def run(self, text: str) -> StoredRun:
        """Return the run that has this id, or whose id alone begins with it; raises RunNotFound."""
        return await self.stands(text)

    async def stands(self, run_id: str) -> StoredRun:
        """Return the run with exactly this id; raises RunNotFound."""
        if not _ID.fullmatch(run_id):
            raise RunNotFound(run_id, hint=self.place)
        return await self._sender.send(asks.run(run_id))

    async def holder(self, run_id: str) -> Owner | None:
        """Return the living owner of a run, None when nobody holds it."""
        owner = (await self.stands(run_id)).owner
        if owner is None:
            return None
        store = (await self._sender.send(asks.doctor())).get("store")
        told = store.get("owners") if isinstance(store, Mapping) else None
        found = next((one for one in told or () if isinstance(one, Mapping) and one.get("id") == owner), None)
        return None if found is None else _owner(found)

    async def resumable(self) -> Sequence[StoredRun]:
        """Return the runs that can go on now, the oldest first."""
        statuses = (RunStatus.INTERRUPTED, RunStatus.WAITING)
        runs = [run for run in await self.runs(RunFilter(statuses=statuses, limit=2**31)) if run.owner is None]
        held_up = {run.id for run in runs if run.status is RunStatus.WAITING and not await self._has_answers(run.id)}
        return [run for run in reversed(runs) if run.id not in held_up]

    async def _has_answers(self, run_id: str) -> bool:
        """Tell whether one of the tasks of a run that wait has its answer, or will have none."""
        waited_for = {step.question for step in await self._sender.send(asks.steps(run_id)) if step.question}
        open_ones = {question.key for question in await self.store.questions(run_id, open_only=True)}
        return bool(waited_for - open_ones)

    async def events(self, run_id: str, after: int = 0) -> Sequence[Event]:
        """Return the events of a run that come after number `after`."""
        return await recorded(self._sender, run_id, after)

    async def counted(self, run: StoredRun) -> StoredRun:
        """Return a run with its counts as they are: a server always tells those of now."""
        return run

    async def result(self, run_id: str) -> Any:
        """Return the final ctx of a run, None when it has none."""
        return (await self._sender.send(asks.result(run_id))).final_ctx

    def follow(self, run_id: str, after: int = 0) -> AsyncIterator[Event]:
        """Yield the events of a run as they come, until it has ended or nobody holds it."""
        return follow(self._sender, run_id, after)

    async def changed(self, version: object) -> None:
        """Wait for a second: something may have changed then."""
        await asyncio.sleep(_LOOK)

    async def ask_cancel(self, run_id: str, by: str, *, patience: float = 30.0) -> StoredRun:
        """Cancel a run and return it as it ended.

        Raises: RunNotFound; RunEnded, when it had ended otherwise; EngineError, when it has not ended in time.
        """
        until = time.monotonic() + patience
        run = await self._sender.send(asks.cancel(run_id, wait=min(patience, 300.0)))
        while run.status not in FINAL_RUN_STATUSES and time.monotonic() < until:
            await asyncio.sleep(_MOMENT)
            run = await self.stands(run_id)
        if run.status is RunStatus.CANCELLED:
            return run
        if run.status in FINAL_RUN_STATUSES:
            raise RunEnded(run_id, run.status)
        hint = f"the wish is noted and holds; see what it does with: swarm watch {run_id}"
        raise EngineError(
            f"run {run_id} has not ended after {patience:g} s: {self._sender.reach.url} holds it", hint=hint
        )


def _owner(told: Mapping[str, Any]) -> Owner:
    pid, seen = told.get("pid"), told.get("seen_at")
    return Owner(
        id=str(told.get("id")),
        host=str(told.get("host", "")),
        pid=pid if isinstance(pid, int) else 0,
        boot=None,
        started=None,
        seen_at=float(seen) if isinstance(seen, int | float) else 0.0,
        seen_mono=0.0,
    )

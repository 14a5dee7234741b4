"""What one attempt may ask of the engine, bound to that attempt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from swarm_core.contracts import NO_DEFAULT, AttemptContext
from swarm_core.engine.events import check_own_kind
from swarm_core.engine.outside import Outside
from swarm_core.errors import ResourceNotFound, TokenRevoked
from swarm_core.model.blueprint import VerdictContract
from swarm_core.model.call import Call, Result, to_text
from swarm_core.model.output import Final, Inline, OutputEvent, content_value, output_json
from swarm_core.model.value import json_copy
from swarm_core.model.worker import WorkerPayload

if TYPE_CHECKING:
    from swarm_core.engine.requests import Requests
    from swarm_core.engine.state import Attempt, RunRecord


class LiveContext(AttemptContext):
    """The context of a live attempt; dead once the attempt is concluded."""

    __slots__ = ("_attempt", "_baked", "_outside", "_requests", "_token", "latest", "tail")

    def __init__(self, requests: Requests, attempt: Attempt) -> None:
        self._requests, self._attempt = requests, attempt
        self._token: str | None = None
        self._baked: WorkerPayload | None = None
        self._outside: Outside | None = None
        self.latest: Result | None = None
        self.tail: list[OutputEvent] = []

    def emit(self, event: OutputEvent) -> None:
        attempt = self._live()
        facts = json_copy(output_json(event))  # before it counts: what is no JSON is refused, and is the log's own then
        self.tail.append(event)
        if isinstance(event, Final):
            self.latest = Result(content_value(event.content), event.ok)
        self._requests.note(attempt, "worker_output", {"output": facts})

    def record_final(self, result: Result, *, by: str | None = None) -> None:
        self._live()
        self.latest = result
        self.tail.append(Final(Inline(result.value), result.ok, by))

    def publish(self, kind: str, **facts: Any) -> None:
        check_own_kind(kind)
        self._requests.note(self._live(), kind, json_copy(facts))

    async def start_child(self, agent: str, input: Any) -> Result:
        return await self._requests.run_child(self._live(), agent, input)

    async def ask(
        self,
        question: Any,
        *,
        timeout: float | None = None,
        schema: Any = None,
        who: Sequence[str] = (),
        default: Any = NO_DEFAULT,
    ) -> Any:
        return await self._requests.asking.ask(
            self._live(), question, timeout=timeout, schema=schema, who=who, default=default
        )

    @property
    def waited(self) -> float:
        return self._requests.waited(self._live())

    async def remember(self, key: str, value: Any) -> None:
        await self._requests.remember(self._live(), key, value)

    def recall(self, key: str) -> Any:
        memory = self._live().task.memory
        return None if memory is None else json_copy(memory.get(key))

    def beat(self) -> None:
        self._requests.beat(self._live())

    def time_out(self, seconds: float, *, by: str) -> None:
        self._requests.time_out(self._live(), seconds, by)

    def spend(self, **amounts: float) -> None:
        self._requests.spend(self._live(), amounts)

    def fetch_data(self, key: str) -> Any:
        run = self._run()
        if key not in run.resources:
            raise ResourceNotFound(key)
        return run.resources[key]

    @property
    def deadline(self) -> float | None:
        return self._attempt.deadline

    def bake(self, call: Call, *, system: str | None = None, verdict: VerdictContract | None = None) -> None:
        self._live()
        self._baked = WorkerPayload(
            task_id=call.task_id,
            attempt=call.attempt,
            agent=call.agent,
            prompt=call.directive,
            input=call.input,
            system=system,
            verdict=verdict,
        )

    def payload(self) -> WorkerPayload:
        """Return what a worker outside the process is given."""
        if self._baked is not None:
            return self._baked
        attempt = self._live()
        task = attempt.task
        prompt = task.input if isinstance(task.input, str) else to_text(task.input)
        return WorkerPayload(task_id=task.id, attempt=attempt.number, agent=task.agent, prompt=prompt, input=task.input)

    @property
    def outside(self) -> Outside:
        """What a worker outside the process has given so far."""
        if self._outside is None:
            self._outside = Outside()
        return self._outside

    def unkept(self) -> list[OutputEvent]:
        """Return the outputs that are not in the output store yet."""
        return self.tail if self._outside is None else self._outside.unkept(self)

    def token(self) -> str:
        if self._token is None:
            self._token = self._requests.mint_for(self._live())
        return self._token

    def handle(self) -> str:
        return self._requests.handle_for(self.token())

    @property
    def minted(self) -> bool:
        """Tell whether the attempt has a token to be revoked."""
        return self._token is not None

    def _live(self) -> Attempt:
        if self._attempt.concluded:
            raise TokenRevoked
        return self._attempt

    def _run(self) -> RunRecord:
        run = self._live().task.run
        if run is None:
            raise ResourceNotFound("the task belongs to no run")
        return run

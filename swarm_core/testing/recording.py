"""An attempt without an engine: a context that writes down what it is asked, and the Call around it."""

from __future__ import annotations

from asyncio import get_running_loop
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from attrs import frozen

from swarm_core.codec.json_schema import check_json_schema, misfit
from swarm_core.contracts import NO_DEFAULT, AttemptContext
from swarm_core.engine.budget import RunBudget
from swarm_core.engine.events import check_own_kind
from swarm_core.engine.gate import Authority, RoleVerbGate
from swarm_core.engine.requests import check_memory_key
from swarm_core.errors import PollTimeout, ResourceNotFound, TokenRevoked
from swarm_core.model.access import Role
from swarm_core.model.blueprint import VerdictContract
from swarm_core.model.budget import Budget
from swarm_core.model.call import Call, Result
from swarm_core.model.output import Final, Inline, OutputEvent, content_value
from swarm_core.model.value import json_copy
from swarm_core.model.worker import WorkerPayload
from swarm_core.tokens import CapTokenSigner, encode_token

_EPOCH = 1_800_000_000.0


@frozen(kw_only=True)
class AskedQuestion:
    """What was given to `ask`; `default` is NO_DEFAULT where none was."""

    question: Any
    timeout: float | None
    schema: Any
    who: tuple[str, ...]
    default: Any


class RecordingContext(AttemptContext):
    """Writes down what one attempt asks of the engine, and answers from a script.

    `outputs` are the events in order, `published` pairs of kind and facts, `children` pairs of agent and input,
    `questions` what was asked, `asked` the same with all that was said beside it, `spent` the sum of what was spent.
    `child(agent, input)` gives a child's result, by default its input. `answers` are given to questions one after the
    other; without one, a question with a timeout has its default or runs into the timeout, and one without is a
    LookupError. `answers=None` stands for people who take their time: each question then waits for ever. `counters` are
    the budget's limits for what is spent. `memory` is what the task remembers, from the beginning when given; `beats`
    counts signs of life, `baked` is what a worker outside would be given, `timeouts` has the seconds and the layer of
    each `time_out`, which ends nothing here; `waited` may be set.
    """

    def __init__(
        self,
        *,
        child: Callable[[str, Any], Result] | None = None,
        answers: Iterable[Any] | None = (),
        counters: Mapping[str, float] | None = None,
        resources: Mapping[str, Any] | None = None,
        deadline: float | None = None,
        memory: Mapping[str, Any] | None = None,
    ) -> None:
        self.latest: Result | None = None
        self.outputs: list[OutputEvent] = []
        self.published: list[tuple[str, dict[str, Any]]] = []
        self.children: list[tuple[str, Any]] = []
        self.asked: list[AskedQuestion] = []
        self.resources = dict(resources or {})
        self.memory = dict(memory or {})
        self.beats = 0
        self.timeouts: list[tuple[float, str]] = []
        self.ended = False
        self.baked: WorkerPayload | None = None
        self._remembered = dict(self.memory)
        self._waited = 0.0
        self._child, self._deadline = child, deadline
        self._script = None if answers is None else tuple(answers)
        self._answers = None if self._script is None else deque(self._script)
        self._counters = dict(counters or {})
        self._budget = RunBudget(Budget(counters=self._counters), {}, clock_monotonic=lambda: 0.0)
        self._authority = Authority(CapTokenSigner.generate(), RoleVerbGate.default(), clock=lambda: _EPOCH)
        self._token: str | None = None

    def again(self) -> RecordingContext:
        """Return a context with the same script, of which nothing has been asked yet."""
        return RecordingContext(
            child=self._child,
            answers=self._script,
            counters=self._counters,
            resources=self.resources,
            deadline=self._deadline,
            memory=self._remembered,
        )

    def end(self) -> None:
        """End the attempt: from now on every method raises TokenRevoked, as an engine's context does."""
        self.ended = True

    @property
    def kinds(self) -> list[str]:
        """The kinds of the published events, in order."""
        return [kind for kind, _ in self.published]

    @property
    def questions(self) -> list[Any]:
        """What was asked, in order."""
        return [one.question for one in self.asked]

    @property
    def spent(self) -> dict[str, float]:
        """The sums of what was spent, by counter."""
        spent: dict[str, float] = self._budget.spent["counters"]
        return spent

    def emit(self, event: OutputEvent) -> None:
        """Write the output down; a Final becomes the latest result."""
        self._alive()
        self.outputs.append(event)
        if isinstance(event, Final):
            self.latest = Result(content_value(event.content), event.ok)

    def record_final(self, result: Result, *, by: str | None = None) -> None:
        """Write a result down as a Final."""
        self._alive()
        self.outputs.append(Final(Inline(result.value), result.ok, by))
        self.latest = result

    def publish(self, kind: str, **facts: Any) -> None:
        """Write the event down, under the rules that an engine has for kinds."""
        self._alive()
        check_own_kind(kind)
        self.published.append((kind, facts))

    async def start_child(self, agent: str, input: Any) -> Result:
        """Write the child down and return what the script says."""
        self._alive()
        self.children.append((agent, input))
        return Result(input) if self._child is None else self._child(agent, input)

    async def ask(
        self,
        question: Any,
        *,
        timeout: float | None = None,
        schema: Any = None,
        who: Sequence[str] = (),
        default: Any = NO_DEFAULT,
    ) -> Any:
        """Write the question down and return the next answer of the script.

        Raises: ValueError, for what is no JSON Schema, and for an answer of the script that an engine would refuse.
        """
        self._alive()
        if schema is not None:
            check_json_schema(schema)
        self.asked.append(
            AskedQuestion(question=question, timeout=timeout, schema=schema, who=tuple(who), default=default)
        )
        if self._answers:
            return _fitting(self._answers.popleft(), schema)
        if self._answers is None:
            await get_running_loop().create_future()
        if timeout is not None:
            if default is NO_DEFAULT:
                raise PollTimeout
            return default
        raise LookupError(f"nobody answers {question!r}; give RecordingContext(answers=[...])")

    @property
    def waited(self) -> float:
        """The seconds that were set."""
        self._alive()
        return self._waited

    @waited.setter
    def waited(self, seconds: float) -> None:
        self._waited = seconds

    async def remember(self, key: str, value: Any) -> None:
        """Keep the value in `memory`, under the rules that an engine has for it."""
        self._alive()
        check_memory_key(key)
        self.memory[key] = json_copy(value)

    def recall(self, key: str) -> Any:
        """Return what is in `memory`."""
        self._alive()
        return json_copy(self.memory.get(key))

    def beat(self) -> None:
        """Count a sign of life."""
        self._alive()
        self.beats += 1

    def time_out(self, seconds: float, *, by: str) -> None:
        """Write down that a layer let the attempt's time be over."""
        self._alive()
        self.timeouts.append((seconds, by))

    def spend(self, **amounts: float) -> None:
        """Add the amounts up, under the rules that an engine has for them."""
        self._alive()
        self._budget.spend("tester", amounts)

    def fetch_data(self, key: str) -> Any:
        """Return one of the resources that the context was made with."""
        self._alive()
        if key not in self.resources:
            raise ResourceNotFound(key)
        return self.resources[key]

    @property
    def deadline(self) -> float | None:
        """The deadline that the context was made with."""
        return self._deadline

    def bake(self, call: Call, *, system: str | None = None, verdict: VerdictContract | None = None) -> None:
        """Keep in `baked` what a worker outside would be given."""
        self._alive()
        self.baked = WorkerPayload(
            task_id=call.task_id,
            attempt=call.attempt,
            agent=call.agent,
            prompt=call.directive,
            input=call.input,
            system=system,
            verdict=verdict,
        )

    def token(self) -> str:
        """Return a well-formed token of a worker; no engine knows it."""
        self._alive()
        if self._token is None:
            self._token = encode_token(self._authority.mint("worker-of-T-test", Role.WORKER, ttl=1800))
        return self._token

    def handle(self) -> str:
        """Return a well-formed handle for the token."""
        return self._authority.handle_for(self.token())

    def _alive(self) -> None:
        if self.ended:
            raise TokenRevoked


def _fitting(answer: Any, schema: Any) -> Any:
    reason = None if schema is None else misfit(schema, answer)
    if reason is not None:
        raise ValueError(f"the script answers {answer!r}, which an engine would refuse: {reason}")
    return answer


def make_call(**overrides: Any) -> Call:
    """Return a Call for tests, with a RecordingContext of its own unless `context` is given; any field can be set."""
    facts: dict[str, Any] = {
        "run_id": "RUN-test",
        "task_id": "T-test",
        "attempt": 1,
        "agent": "tester",
        "input": {"topic": "tea", "n": 3},
        "address": "$",
    }
    return Call(**{**facts, "context": overrides.get("context") or RecordingContext(), **overrides})

"""The kind `operator`: agents whose attempts somebody takes who is no worker of the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any, ClassVar

from attrs import Attribute, Factory, field, frozen

from swarm_core.attachments import Attachments, Seat
from swarm_core.contracts import NO_DEFAULT, Operator, Spawner
from swarm_core.errors import PollTimeout, WorkerFailed
from swarm_core.factories import Environment, SpawnerFactory
from swarm_core.model.blueprint import AgentDef, AgentHint
from swarm_core.model.call import Call, Result
from swarm_core.model.duration import parse_duration
from swarm_core.prompts import SystemPrompt
from swarm_plugin_operator.work import ANSWER_SCHEMA, make_work, result_of

_ASKED = "operator.attempt"  # the task remembers which of its attempts was put as a question
_TAKEN: Any = object()
_MOST_NAMES, _LONGEST_NAME = 100, 200
_REMEMBERED = 10_000


def _check_who(_: OperatorSpec, __: Attribute[Any], who: tuple[str, ...]) -> None:
    if len(who) > _MOST_NAMES:
        raise ValueError(f"at most {_MOST_NAMES} people are named")
    for name in who:
        if not 0 < len(name) <= _LONGEST_NAME or name.strip() != name or not name.isprintable():
            raise ValueError(f"{name[:80]!r} is no name: 1 to {_LONGEST_NAME} printable characters, no blanks around")


def _check_expires(_: OperatorSpec, __: Attribute[Any], expires: str | float | None) -> None:
    if expires is not None:
        parse_duration(expires)


@frozen(kw_only=True)
class OperatorSpec:
    """Which seat the agent's work goes to, and how long it may wait there.

    `operator_ref` names an entry of the Blueprint's `operators`. The rest is for work that waits for somebody: `who`
    has the names that may do it (empty: anyone); after `expires`, a duration, its answer is `default`, or it fails.
    """

    operator_ref: Any = None
    who: tuple[str, ...] = field(default=(), validator=_check_who)
    expires: str | float | None = field(default=None, validator=_check_expires)
    # A factory that takes the instance, so that the JSON Schema of this class does not try to write the default down.
    default: Any = field(default=Factory(lambda self: NO_DEFAULT, takes_self=True))


class OperatorSpawner(Spawner):
    """Hands each attempt to whoever has taken the seat, and puts it as a durable question while nobody has.

    Nothing is done before the question, so an attempt may be let go of while it waits.
    """

    parks: ClassVar[bool] = True

    def __init__(
        self, agent: AgentDef, spec: OperatorSpec, prompt: SystemPrompt, seat: Seat | None, *, retried: bool = False
    ) -> None:
        self._agent, self._spec, self._prompt, self._seat = agent, spec, prompt, seat
        self._seconds = None if spec.expires is None else parse_duration(spec.expires)
        self._retried = retried
        self._refused: dict[str, None] = {}

    async def run(self, call: Call) -> Result | None:
        """Return what the operator gives; raises SpawnFailed, WorkerFailed."""
        system = await self._prompt.render(call.input)
        call.context.bake(call, system=system, verdict=self._agent.verdict)
        asked = self._asked_before(call)
        if asked is None and (result := await self._by_operator(call, system)) is not None:
            return result
        while True:
            if asked is None:
                asked = call.attempt
                await call.context.remember(_ASKED, asked)
            answer = await self._answer(call, make_work(self._agent, self._spec.operator_ref, call, asked, system))
            if answer is not _TAKEN:
                return self._given(call, answer)
            if (result := await self._by_operator(call, system)) is not None:
                return result

    # by an operator ----------------------------------------------------------------------------------------------

    async def _by_operator(self, call: Call, system: str | None) -> Result | None:
        """Return what the operator at hand gives, None when there is none, or none any more."""
        context = call.context
        before = context.latest
        for operator in self._operators(call):
            if isinstance(operator, Seat):
                result = await operator.offer(call, system)
            else:
                result = await operator.execute(call, system)
            if context.latest is not before:
                return context.latest  # what was posted counts before what is returned
            if result is not None:
                return result
            if not isinstance(operator, Seat):
                raise WorkerFailed("no Final in output_tail", kind="no_final")
        return None

    def _operators(self, call: Call) -> Iterator[Operator]:
        if self._seat is not None:
            yield self._seat
        if call.operator.operator is not None:
            yield call.operator.operator

    # by whoever comes --------------------------------------------------------------------------------------------

    def _asked_before(self, call: Call) -> int | None:
        """Return the attempt whose work was put as a question before a restart: it is the same question then.

        An attempt that is made again because the answer was a refusal is another one.
        """
        if call.task_id in self._refused:
            del self._refused[call.task_id]
            return None
        asked: int | None = call.context.recall(_ASKED)
        return asked

    async def _answer(self, call: Call, work: Any) -> Any:
        """Return the answer to the work, or _TAKEN when somebody sat down before there was one."""
        asking = asyncio.ensure_future(self._ask(call, work))  # first: an answer that is there counts, whoever sits
        taking = asyncio.ensure_future(self._sits_down())
        with nullcontext() if self._seat is None else self._seat.awaiting(call.run_id):
            try:
                await asyncio.wait((asking, taking), return_when=asyncio.FIRST_COMPLETED)
            finally:
                taking.cancel()
                asking.cancel()
                await asyncio.wait((asking, taking))
        return _TAKEN if asking.cancelled() else asking.result()

    async def _ask(self, call: Call, work: Any) -> Any:
        spec = self._spec
        try:
            return await call.context.ask(
                work, timeout=self._seconds, schema=ANSWER_SCHEMA, who=spec.who, default=spec.default
            )
        except PollTimeout:
            raise self._expired() from None

    async def _sits_down(self) -> None:
        if self._seat is None:
            await asyncio.get_running_loop().create_future()
        else:
            await self._seat.wait_taken()

    def _given(self, call: Call, answer: Any) -> Result:
        result = result_of(answer)
        if self._retried and not result.ok:
            self._refused[call.task_id] = None
            while len(self._refused) > _REMEMBERED:
                del self._refused[next(iter(self._refused))]
        return result

    def _expired(self) -> WorkerFailed:
        spec = self._spec
        time = spec.expires if isinstance(spec.expires, str) else f"{spec.expires:g} s"
        return WorkerFailed(
            f"agent {self._agent.name!r}: nobody did the work of seat {spec.operator_ref!r} within {time}",
            kind="not_answered",
            hint="give the agent's spec a `default`, or more time in `expires`",
        )


def build_operator(agent: AgentDef, spec: OperatorSpec, hint: AgentHint, environment: Environment) -> Spawner:
    """Build the spawner of an agent; raises ValueError, DocumentError with the line of a prompt that is wrong."""
    if not isinstance(spec.operator_ref, str) or not spec.operator_ref:
        raise ValueError("operator spec: 'operator_ref' (string) required")
    if spec.default is not NO_DEFAULT and spec.expires is None:
        raise ValueError("'default' is the answer after 'expires', and there is no 'expires'")
    prompt = SystemPrompt.of_agent(agent, environment.blueprint, environment.processes)
    attachments: Attachments | None = environment.services.get(Attachments)
    seat = attachments.seat(spec.operator_ref) if attachments else None
    retried = hint.retry is not None and "blocked" in hint.retry.on
    return OperatorSpawner(agent, spec, prompt, seat, retried=retried)


OPERATOR_KIND = SpawnerFactory(
    kind="operator", build=build_operator, spec=OperatorSpec, summary="work for a seat that a person or an AI takes"
)

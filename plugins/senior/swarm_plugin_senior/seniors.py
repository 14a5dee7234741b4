"""Who can be asked: the session's bridge, one that is registered, a function, another agent, people."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from attrs import evolve, frozen

from swarm_core.attachments import Attachments
from swarm_core.contracts import NO_DEFAULT, SeniorBridge, Spawner
from swarm_core.errors import PollTimeout, did_you_mean
from swarm_core.factories import Environment
from swarm_core.model.blueprint import AgentDef, AgentHint
from swarm_core.model.call import Call
from swarm_plugin_senior.options import AGENT, ASK, BRIDGE, FUNCTION, SeniorOptions, split

ESCALATED = "escalated"
"""The key of `call.meta` under which a function finds the input of the step that its question is about."""


class Passed(Exception):
    """A senior has no answer; the text says why."""


class Senior(ABC):
    """Somebody who can be asked."""

    people = False
    """Whether the question may be answered by people: in their own time, and after a restart too."""

    @abstractmethod
    async def ask(self, call: Call, question: Any) -> Any:
        """Return the answer; raises Passed, or whatever goes wrong."""


@frozen
class Bridge(Senior):
    """The bridge of the session that the task belongs to, or, with an id, the one that is attached under it."""

    _environment: Environment
    _id: str | None

    async def ask(self, call: Call, question: Any) -> Any:
        """Ask the bridge that is there now."""
        return await self._bridge(call).ask(call.task_id, question)

    def _bridge(self, call: Call) -> SeniorBridge:
        if self._id is None:
            bridge, missing = call.operator.senior_bridge, "the session has no senior bridge"
        else:
            bridge, missing = self._attached(self._id), f"no senior is attached as {self._id!r}"
        if bridge is None:
            raise Passed(missing)
        return bridge

    def _attached(self, id: str) -> SeniorBridge | None:
        attachments: Attachments | None = self._environment.services.get(Attachments)
        return None if attachments is None else attachments.seniors.find(id)


@frozen
class Policy(Senior):
    """A function: it gets the question, or the question and the Call, and passes by returning None or raising."""

    _worker: Spawner

    async def ask(self, call: Call, question: Any) -> Any:
        """Call the function as the kind `function` does."""
        meta = {**call.meta, ESCALATED: call.input}
        result = await self._worker.run(evolve(call, input=question, meta=meta))
        if result is None or result.value is None or not result.ok:
            raise Passed("it has no answer")
        return result.value


@frozen
class Colleague(Senior):
    """Another agent of the Blueprint, asked as a child of the task: what it said once is not asked again."""

    _agent: str

    async def ask(self, call: Call, question: Any) -> Any:
        """Let the agent work on the question."""
        result = await call.context.start_child(self._agent, question)
        if not result.ok:
            raise Passed("it reported ok=false")
        return result.value


@frozen
class People(Senior):
    """Whoever may answer, now or in a week; the question outlives the process."""

    people = True

    _options: SeniorOptions
    _last: bool

    async def ask(self, call: Call, question: Any) -> Any:
        """Ask, and wait for as long as the options say."""
        options = self._options
        try:
            return await call.context.ask(
                question,
                timeout=options.seconds,
                schema=options.schema,
                who=options.who,
                default=options.default if self._last else NO_DEFAULT,
            )
        except PollTimeout:
            raise Passed("nobody answered in time") from None


def seniors_of(options: SeniorOptions, environment: Environment) -> Iterator[tuple[str, Senior]]:
    """Yield the seniors with the words that name them; raises ValueError for one that is not there."""
    for word in options.seniors:
        sort, name = split(word)
        if sort == BRIDGE:
            yield word, Bridge(environment, name)
        elif sort == ASK:
            yield word, People(options, word == options.seniors[-1])
        elif sort == FUNCTION:
            yield word, Policy(_function(word, str(name), environment))
        elif sort == AGENT:
            yield word, Colleague(_agent(word, str(name), environment))


def _function(word: str, name: str, environment: Environment) -> Spawner:
    if name not in environment.functions:
        hint = did_you_mean(name, environment.functions, otherwise="functions")
        raise ValueError(f"senior {word!r}: no function is named {name!r}; {hint}")
    kind = environment.spawners[FUNCTION]
    agent = AgentDef(name=name, kind=kind.kind, spec={"fn_id": name})
    spec = agent.spec if kind.spec is None else kind.spec(fn_id=name)
    try:
        return kind.build(agent, spec, AgentHint(), environment)
    except ValueError as error:
        raise ValueError(f"senior {word!r}: {error}") from None


def _agent(word: str, name: str, environment: Environment) -> str:
    names = [agent.name for agent in environment.blueprint.agents]
    if name not in names:
        hint = did_you_mean(name, names, otherwise="agents")
        raise ValueError(f"senior {word!r}: no agent is named {name!r}; {hint}")
    return name

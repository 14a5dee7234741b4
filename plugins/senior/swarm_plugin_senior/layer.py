"""The layer: lets attempts through, and takes those that failed to the seniors."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from attrs import evolve

from swarm_core.contracts import NO_DEFAULT, Run, SpawnerLayer
from swarm_core.errors import BudgetExceeded, EngineClosed, StoreError, TokenRevoked, VerdictRejected, did_you_mean
from swarm_core.factories import Environment
from swarm_core.model.call import Call, Result
from swarm_core.model.value import NotJson, json_copy
from swarm_core.model.walk import steps
from swarm_plugin_senior.options import AGENT, SeniorOptions, check_together, split
from swarm_plugin_senior.seniors import Passed, Senior, seniors_of
from swarm_plugin_senior.stuck import Stuck

KEY = "senior_escalation"

# What is no failure of a worker: the run is over, its store is gone, or the worker has another attempt at its verdict.
_NOT_OURS = (TokenRevoked, StoreError, BudgetExceeded, EngineClosed, VerdictRejected)


class SeniorEscalation(SpawnerLayer):
    """Asks seniors about results that are not ok, and, when told so, about errors.

    What the worker said is remembered before anybody is asked: an attempt that is begun anew after a restart goes on
    with the question, and its worker is not run again.
    """

    def __init__(self, options: SeniorOptions, seniors: Mapping[str, Senior]) -> None:
        self._options, self._seniors = options, seniors
        self._timeout = options.seconds
        self._agents = frozenset(options.agents)
        self._spared = frozenset(name for sort, name in map(split, options.seniors) if sort == AGENT)

    async def run(self, call: Call, inner: Run) -> Result:
        """Carry out the attempt, or go on with what is left of an earlier one: the question about it."""
        if call.agent in self._spared or (self._agents and call.agent not in self._agents):
            return await inner(call)
        memory = call.context.recall(KEY)
        if memory is not None and "reason" in memory:
            return await self._taken_up(call, Stuck.remembered(memory))
        round = 1 if memory is None else memory["round"] + 1
        try:
            result = await inner(call)
        except _NOT_OURS:
            raise
        except Exception as error:
            if not self._options.errors:
                raise
            return await self._escalated(call, Stuck.by_error(error, round), None)
        if result.ok:
            return result
        try:
            stuck = Stuck.by_result(result, round)
        except NotJson:
            return result  # the engine refuses it, and says why
        return await self._escalated(call, stuck, result)

    async def _taken_up(self, call: Call, stuck: Stuck) -> Result:
        """Ask about what a worker said before a restart; both finals stand in this attempt's tail."""
        if stuck.error is not None:
            return await self._settled(call, stuck, None)
        result = Result(stuck.value, False, stuck.facts)
        call.context.record_final(result)
        return await self._settled(call, stuck, result)

    async def _escalated(self, call: Call, stuck: Stuck, result: Result | None) -> Result:
        """Remember what the worker said, then ask."""
        try:
            if self._options.max_rounds is not None and stuck.round > self._options.max_rounds:
                call.context.publish("senior_unanswered", agent=call.agent, asked=[], reason="max_rounds")
                return _unchanged(stuck, result)
            await call.context.remember(KEY, stuck.as_json())
        except TokenRevoked:  # a worker that was given up comes back: nobody is asked about it any more
            return _unchanged(stuck, result)
        return await self._settled(call, stuck, result)

    async def _settled(self, call: Call, stuck: Stuck, result: Result | None) -> Result:
        """Return the result with the answer; without one the result, or the error, stays as it is."""
        answer = await self._answer(call, stuck)
        if answer is not NO_DEFAULT:
            return stuck.answered(answer)
        asked = list(self._seniors)
        call.context.publish("senior_unanswered", agent=call.agent, asked=asked, reason="all have passed")
        await call.context.remember(KEY, {"round": stuck.round})  # a retry runs the worker again
        return _unchanged(stuck, result)

    async def _answer(self, call: Call, stuck: Stuck) -> Any:
        """Return the first answer, NO_DEFAULT when there is none.

        Whoever passed before people were asked is not asked again after a restart: their answer must not be overruled.
        """
        for at, (word, senior) in enumerate(self._seniors.items()):
            if at < stuck.passed:
                continue
            if senior.people and at > stuck.passed:
                await call.context.remember(KEY, evolve(stuck, passed=at).as_json())
            try:
                answer = self._fitting(await self._asked(senior, call, stuck.question))
            except _NOT_OURS:
                raise
            except Exception as error:
                reason = str(error) if isinstance(error, Passed) else f"{type(error).__name__}: {error}"
                call.context.publish("senior_passed", agent=call.agent, senior=word, reason=reason[:1000])
            else:
                call.context.publish("senior_decided", agent=call.agent, senior=word)
                return answer
        if self._options.default is not NO_DEFAULT:
            call.context.publish("senior_decided", agent=call.agent, senior="default")
        return self._options.default

    async def _asked(self, senior: Senior, call: Call, question: Any) -> Any:
        if senior.people or self._timeout is None:
            return await senior.ask(call, question)
        try:
            async with asyncio.timeout(self._timeout) as scope:
                return await senior.ask(call, question)
        except TimeoutError:
            if scope.expired():
                raise Passed(f"no answer within {self._timeout:g} s") from None
            raise

    def _fitting(self, answer: Any) -> Any:
        """Return the answer as a JSON value; raises Passed, when it is none or does not fit the schema."""
        try:
            value = json_copy(answer)
        except NotJson as error:
            raise Passed(f"its answer is refused: {error}") from None
        if self._options.schema is not None:
            from swarm_core.codec.json_schema import misfit

            reason = misfit(self._options.schema, value)
            if reason is not None:
                raise Passed(f"its answer does not fit the schema: {reason}")
        return value


def build(options: SeniorOptions, environment: Environment) -> SeniorEscalation:
    """Build the layer for a launch; raises ValueError, when it names what is not there."""
    check_together(options)
    known = {agent.name for agent in environment.blueprint.agents}
    known |= {step.ref for _, step in steps(environment.blueprint.flow)}
    for agent in options.agents:
        if agent not in known:
            raise ValueError(f"'agents' names {agent!r}, and no agent is named so; {did_you_mean(agent, known)}")
    return SeniorEscalation(options, dict(seniors_of(options, environment)))


def _unchanged(stuck: Stuck, result: Result | None) -> Result:
    if result is not None:
        return result
    assert stuck.error is not None
    raise stuck.error

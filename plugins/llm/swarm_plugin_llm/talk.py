"""One attempt's talk with a model: ask, call the tools that it wants, ask again, until it answers."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from attrs import define

from swarm_core.contracts import AttemptContext
from swarm_core.errors import EngineError
from swarm_core.model.call import Result
from swarm_plugin_llm.answers import Misfit, Reader
from swarm_plugin_llm.chat import Answer, Cut, Question, ask
from swarm_plugin_llm.clients import Connection
from swarm_plugin_llm.conversation import Conversation
from swarm_plugin_llm.events import Partials, chat_facts
from swarm_plugin_llm.faults import LlmFailed, fault_of
from swarm_plugin_llm.settings import Provider
from swarm_plugin_llm.spec import LlmSpec
from swarm_plugin_llm.toolbox import Toolbox
from swarm_plugin_llm.usage import Usage


@define(kw_only=True, eq=False)
class Talk:
    """A conversation that goes on until there is an answer that the agent's spec accepts."""

    spec: LlmSpec
    effort: str | None
    provider: Provider
    model: str
    connection: Connection
    context: AttemptContext
    conversation: Conversation
    toolbox: Toolbox
    reader: Reader
    usage: Usage
    most_turns: int
    most: int
    keeps_answers: bool
    _turns: int = 0
    _repaired: bool = False

    async def whole(self) -> Result:
        """Return the answer; raises LlmFailed, and what ends the attempt, such as BudgetExceeded."""
        while self._turns < self.most_turns + self._repaired:
            await self.toolbox.call(self.conversation.due, self.conversation.returned)
            answer = await self._ask()
            self._turns += 1
            if answer.calls and answer.finish != "length":
                await self.conversation.heard(answer)
            elif (result := self._result(answer)) is not None:
                if self.keeps_answers:
                    await self.conversation.heard(answer)
                return result
        raise LlmFailed(
            f"the model gave no answer in {self.most_turns} turns",
            kind="llm_turns",
            hint="spec.max_turns, or [plugin.llm] max_turns",
        )

    # asking ------------------------------------------------------------------------------------------------------

    async def _ask(self) -> Answer:
        question = self._question()
        for left in reversed(range(self.provider.max_retries + 1)):
            answer, partials = Answer(), Partials(self.context, self.spec.partials)
            began = time.monotonic()
            try:
                await self._listen(question, answer, partials)
            except Exception as error:
                fault = fault_of(error, self.provider, self.connection.key, most=self.most)
                if fault is None:
                    raise
                self._account(question, answer, partials)
                if not _again(error, answer) or not left:
                    raise fault from None
                self.context.publish("llm_retry", reason=str(fault), characters=answer.size)
            except asyncio.CancelledError:
                with suppress(EngineError):  # the attempt may be over already
                    self._account(question, answer, partials)
                raise
            else:
                self._account(question, answer, partials)
                self.context.publish(
                    "llm_chat", **chat_facts(answer, self.provider, self.model, time.monotonic() - began)
                )
                return answer
        raise AssertionError("unreachable")

    async def _listen(self, question: Question, answer: Answer, partials: Partials) -> None:
        async with self.connection.turns:
            await ask(
                self.connection,
                question,
                answer,
                max_tokens_field=self.provider.max_tokens_field,
                most=self.most,
                heard=partials.heard,
            )

    def _question(self) -> Question:
        """Return what is asked. A schema is left to the server only where no tools are, which many refuse at once."""
        tools = [] if self._repaired else self.toolbox.offered()
        by_server = self.provider.json_schema and not tools
        return Question(
            model=self.model,
            messages=self.conversation.messages,
            tools=tools,
            schema=self.reader.schema if by_server else None,
            effort=self.effort,
            temperature=self.spec.temperature,
            max_tokens=self.spec.max_tokens,
        )

    def _account(self, question: Question, answer: Answer, partials: Partials) -> None:
        """Emit what is left of the answer, and tell the budgets of it; raises BudgetExceeded."""
        partials.flush()
        if answer.began:
            self.usage.add(answer, question.messages, self.model, self.context)

    # the answer --------------------------------------------------------------------------------------------------

    def _result(self, answer: Answer) -> Result | None:
        """Return the result; None when the model was told what is wrong with it. Raises: LlmFailed."""
        if answer.refusal:
            return Result({"refusal": answer.refusal}, False, self._facts(answer))
        if answer.finish == "length":
            raise LlmFailed(
                "the answer was cut: it is longer than the model may write",
                kind="llm_answer_cut",
                hint="spec.max_tokens, or the server's own limit",
            )
        if answer.finish == "content_filter":
            raise LlmFailed(
                f"provider {self.provider.name!r} held the answer back: content_filter", kind="llm_filtered"
            )
        try:
            return Result(self._value(answer), True, self._facts(answer))
        except Misfit as misfit:
            if self._repaired:
                raise LlmFailed(
                    f"the answer cannot be used, also not the second time: {misfit}", kind="llm_output"
                ) from None
            self._repaired = True
            self.context.publish("llm_repair", reason=str(misfit))
            self.conversation.remark(answer, f"This answer cannot be used: {misfit}. {self.reader.instructions()}")
            return None

    def _value(self, answer: Answer) -> object:
        if not answer.text.strip():
            raise LlmFailed("the model answered with nothing", kind="llm_empty")
        return self.reader.read(answer.text)

    def _facts(self, answer: Answer) -> dict[str, object]:
        about = {"provider": self.provider.name, "model": answer.model or self.model, "turns": self._turns}
        return {"usage": self.usage.as_fact(), "llm": about}


def _again(error: Exception, answer: Answer) -> bool:
    """Tell whether a question is worth asking again: its answer was cut. What came before it, the SDK asks again."""
    import openai

    timeout = isinstance(error, openai.APITimeoutError)
    return answer.began and isinstance(error, Cut | openai.APIConnectionError) and not timeout

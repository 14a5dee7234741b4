"""A conversation with a model, which the task remembers: what was said and done is not said and done again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import groupby
from typing import Any

from attrs import define, field

from swarm_core.contracts import AttemptContext
from swarm_core.errors import EngineError
from swarm_plugin_llm.chat import Answer, ToolCall

Message = Mapping[str, Any]


@define
class Conversation:
    """The messages so far: how it was opened, then what model and tools said, which an attempt after a restart finds.

    Each message is remembered once, under a number. A conversation is known by the attempt that began it, so that what
    is left of an earlier one is not taken for its end.
    """

    opening: tuple[Message, ...]
    _context: AttemptContext
    _began: int
    _said: list[Message] = field(factory=list)
    _aside: list[Message] = field(factory=list)

    @classmethod
    def take_up(cls, opening: tuple[Message, ...], context: AttemptContext, attempt: int) -> Conversation:
        """Return the conversation that the task remembers, or a new one."""
        said, began = [], attempt
        for place, kept in enumerate(_recalled(context)):
            began = kept["began"] if place == 0 else began
            if kept["began"] != began:
                break
            said.append(kept["message"])
        return cls(opening, context, began, said)

    @property
    def messages(self) -> list[Message]:
        """Return all messages, in order; what tools returned in the order in which they were called."""
        return [*self.opening, *_in_order(self._said), *self._aside]

    @property
    def due(self) -> list[ToolCall]:
        """Return the tools that the model wants to be called and that were not called yet."""
        done, due = set(), []
        for message in reversed(self._said):
            if message["role"] == "tool":
                done.add(message["tool_call_id"])
            else:
                calls = message.get("tool_calls") or []
                due = [call for call in calls if call["id"] not in done]
                break
        return [ToolCall(id=call["id"], **call["function"]) for call in due]

    async def heard(self, answer: Answer) -> None:
        """Remember what the model said."""
        calls = [call.as_message() for call in answer.calls]
        await self._keep({"role": "assistant", "content": answer.text, **({"tool_calls": calls} if calls else {})})

    async def returned(self, call: ToolCall, text: str) -> None:
        """Remember what a tool returned."""
        await self._keep({"role": "tool", "tool_call_id": call.id, "content": text})

    async def reopen(self, text: str | None) -> None:
        """Let the model answer anew: tell it `text`, unless it was told before, else take its last answer back."""
        message = {"role": "user", "content": text}
        if text is not None and message not in self._said and not self.due:
            await self._keep(message)
        elif self._said and self._said[-1]["role"] == "assistant" and not self.due:
            self._said.pop()

    def remark(self, answer: Answer, text: str) -> None:
        """Say something about an answer without remembering either."""
        self._aside += [{"role": "assistant", "content": answer.text}, {"role": "user", "content": text}]

    async def forget(self) -> None:
        """Let the task's next attempt begin anew."""
        with suppress(EngineError):  # the attempt may be over
            if self._context.recall(_key(0)) is not None:
                await self._context.remember(_key(0), None)

    async def _keep(self, message: Message) -> None:
        place = len(self._said)
        self._said.append(message)  # before anything is waited for: tools return side by side
        await self._context.remember(_key(place), {"began": self._began, "message": message})


def _recalled(context: AttemptContext) -> Iterator[Any]:
    place = 0
    while (kept := context.recall(_key(place))) is not None:
        yield kept
        place += 1


def _in_order(said: Iterable[Message]) -> Iterator[Message]:
    calls: list[str] = []
    for tools, messages in groupby(said, key=lambda message: message["role"] == "tool"):
        group = list(messages)
        yield from sorted(group, key=lambda message: calls.index(message["tool_call_id"])) if tools else group
        calls = [call["id"] for call in group[-1].get("tool_calls", ())]


def _key(place: int) -> str:
    return f"llm.{place}"

"""One question to a model: the request, and the answer as it comes."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from swarm_core.model.call import to_text
from swarm_plugin_llm.clients import RETRIES, Connection, TooLarge

if TYPE_CHECKING:
    from openai import AsyncStream

MOST_CALLS = 64
"""How many tools a model may call in one answer."""


class Malformed(Exception):
    """What came is no answer; the text says why."""


class Cut(Exception):
    """The answer ended in the middle."""


@frozen(kw_only=True)
class Question:
    """What a model is asked. `schema` is what the server is told of the answer; None leaves it free."""

    model: str
    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]] = ()
    schema: Any = None
    effort: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None

    def body(self, *, max_tokens_field: str) -> dict[str, Any]:
        """Return the request's body."""
        said = {
            "reasoning_effort": self.effort,
            "temperature": self.temperature,
            max_tokens_field: self.max_tokens,
            "tools": list(self.tools) or None,
        }
        body: dict[str, Any] = {"model": self.model, "messages": list(self.messages), "stream": True}
        body |= {"stream_options": {"include_usage": True}}
        body |= {name: value for name, value in said.items() if value is not None}
        if self.schema is not None:
            described = {"name": "answer", "schema": self.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": described}
        return body


@frozen(kw_only=True)
class ToolCall:
    """A tool that the model wants to be called, with its arguments as the model wrote them."""

    id: str
    name: str
    arguments: str

    def as_message(self) -> dict[str, Any]:
        """Return it as it stands in a conversation."""
        function = {"name": self.name, "arguments": self.arguments}
        return {"id": self.id, "type": "function", "function": function}


@define(kw_only=True)
class Answer:
    """What a model has said so far. The counts of tokens are None where the server does not tell them.

    `began` says that the server took the question. `size` is how many characters came, thoughts that are not kept
    included.
    """

    began: bool = False
    finish: str | None = None
    model: str | None = None
    retries: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    size: int = 0
    _texts: list[str] = field(factory=list)
    _refusals: list[str] = field(factory=list)
    _calls: dict[int, _Parts] = field(factory=dict)

    @property
    def text(self) -> str:
        """Return the text."""
        return "".join(self._texts)

    @property
    def refusal(self) -> str:
        """Return why the model refuses, in its words; empty when it does not."""
        return "".join(self._refusals)

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """Return the tools to be called."""
        return tuple(parts.whole(place) for place, parts in sorted(self._calls.items()))

    def take(self, chunk: Any) -> str:
        """Add what one piece of the stream brings and return its text; raises Malformed."""
        if not isinstance(chunk, dict):
            raise Malformed(f"a piece of it is {_shown(chunk)}, no object")
        self._take_usage(chunk.get("usage"))
        self.model = _text(chunk.get("model")) or self.model
        choices = chunk.get("choices") or []
        if not isinstance(choices, list) or not all(isinstance(one, dict) for one in choices):
            raise Malformed(f"`choices` is {_shown(choices)}")
        if not choices:
            return ""
        self.finish = _text(choices[0].get("finish_reason")) or self.finish
        return self._take_delta(choices[0].get("delta") or choices[0].get("message") or {})

    def _take_delta(self, delta: Any) -> str:
        if not isinstance(delta, dict):
            raise Malformed(f"`delta` is {_shown(delta)}")
        text, refusal = _text(delta.get("content")), _text(delta.get("refusal"))
        thought = _text(delta.get("reasoning_content")) or _text(delta.get("reasoning"))
        self._texts.append(text)
        self._refusals.append(refusal)
        self.size += len(text) + len(refusal) + len(thought)
        calls = delta.get("tool_calls") or []
        if not isinstance(calls, list):
            raise Malformed(f"`tool_calls` is {_shown(calls)}")
        for place, call in enumerate(calls):
            self._take_call(place, call)
        return text

    def _take_call(self, place: int, call: Any) -> None:
        function = call.get("function") or {} if isinstance(call, dict) else None
        if not isinstance(function, dict):
            raise Malformed(f"a tool call is {_shown(call)}")
        place = call["index"] if type(call.get("index")) is int else place
        if place not in self._calls and len(self._calls) >= MOST_CALLS:
            raise Malformed(f"it calls more than {MOST_CALLS} tools at once")
        name, arguments = _text(function.get("name")), _text(function.get("arguments"))
        parts = self._calls.setdefault(place, _Parts())
        parts.id = parts.id or _text(call.get("id"))
        parts.name += name
        parts.arguments.append(arguments)
        self.size += len(name) + len(arguments)

    def _take_usage(self, usage: Any) -> None:
        if isinstance(usage, dict):
            self.input_tokens = _count(usage.get("prompt_tokens"), self.input_tokens)
            self.output_tokens = _count(usage.get("completion_tokens"), self.output_tokens)


@define
class _Parts:
    """A tool call as its pieces come."""

    id: str = ""
    name: str = ""
    arguments: list[str] = field(factory=list)

    def whole(self, place: int) -> ToolCall:
        return ToolCall(id=self.id or f"call_{place}", name=self.name, arguments="".join(self.arguments))


async def ask(
    connection: Connection,
    question: Question,
    answer: Answer,
    *,
    max_tokens_field: str,
    most: int,
    heard: Callable[[str], None],
) -> None:
    """Ask a model and let `answer` take what comes, `most` characters of it; `heard` gets the texts at once.

    When this ends, however it ends, so does the request. Raises: Malformed, Cut, TooLarge, and the errors of the SDK.
    """
    stream = await _send(connection, question.body(max_tokens_field=max_tokens_field))
    try:
        answer.began = True
        answer.retries = int(stream.response.request.extensions.get(RETRIES, 0))
        async with aclosing(_pieces(stream)) as pieces:
            async for piece in pieces:
                text = answer.take(piece)
                if answer.size > most:
                    raise TooLarge
                if text:
                    heard(text)
    finally:
        await stream.response.aclose()
    if answer.finish is None:
        raise Cut


async def _send(connection: Connection, body: Any) -> AsyncStream[Any]:
    from openai import AsyncStream

    return await connection.client.post(
        "/chat/completions", cast_to=object, body=body, stream=True, stream_cls=AsyncStream[Any]
    )


async def _pieces(stream: AsyncStream[Any]) -> AsyncGenerator[Any, None]:
    """Yield the pieces of an answer; one that comes as a whole is one piece."""
    if stream.response.headers.get("content-type", "").startswith("application/json"):
        try:
            yield json.loads(await stream.response.aread())
        except (ValueError, RecursionError):
            raise Malformed("its body is no JSON") from None
        return
    try:
        async for piece in stream:
            yield piece
    except (ValueError, RecursionError):
        raise Malformed("a piece of it is no JSON") from None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any, before: int | None) -> int | None:
    return value if type(value) is int and 0 <= value < 10**12 else before


def _shown(value: Any) -> str:
    return to_text(value)[:80]

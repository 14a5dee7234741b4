"""A server that speaks the chat dialect on a real socket and answers from a script: no model stands behind it.

A reply is a coroutine function that gets the request and the stream to the client. One is taken for each request; the
last one of a script is given again and again.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from attrs import define, field, frozen


@frozen
class Asked:
    """A request as it came: `headers` have lower-case names."""

    method: str
    path: str
    headers: dict
    body: Any

    @property
    def messages(self):
        return self.body["messages"]

    @property
    def roles(self):
        return [message["role"] for message in self.messages]

    @property
    def tools(self):
        return [tool["function"]["name"] for tool in self.body.get("tools", [])]


Reply = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


@define
class ModelServer:
    """`asked` has the requests in order, `gone` is set when a client leaves before its answer is whole."""

    url: str = ""
    asked: list = field(factory=list)
    gone: asyncio.Event = field(factory=asyncio.Event)
    heard: asyncio.Event = field(factory=asyncio.Event)
    at_once: int = 0
    models: tuple = ("tiny",)
    _script: list = field(factory=list)
    _open: int = 0

    def script(self, *replies):
        self._script = list(replies)

    async def handle(self, reader, writer):
        try:
            while (asked := await _read(reader)) is not None:
                await self._answer(asked, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.gone.set()
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, asked, reader, writer):
        if asked.path.endswith("/models"):
            listed = {"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]}
            return await _whole(writer, 200, listed)
        self.asked.append(asked)
        self.heard.set()
        reply = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        self._open += 1
        self.at_once = max(self.at_once, self._open)
        work = asyncio.ensure_future(reply(asked, writer))
        leaving = asyncio.ensure_future(reader.read(1))  # clients say nothing before they have their answer
        try:
            await asyncio.wait((work, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                self.gone.set()
                raise ConnectionResetError
            await work
        finally:
            self._open -= 1
            for task in (work, leaving):
                task.cancel()
            await asyncio.wait((work, leaving))


@asynccontextmanager
async def model_server():
    """Serve on a free port of this machine."""
    serving = ModelServer()
    tasks = set()

    async def handle(reader, writer):
        tasks.add(asyncio.current_task())
        try:
            await serving.handle(reader, writer)
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            tasks.discard(asyncio.current_task())

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    serving.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield serving
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Asked(method, path, headers, json.loads(body) if body else None)


# replies ---------------------------------------------------------------------------------------------------------


def says(*texts, finish="stop", usage=(10, 5)):
    """Answer with a text, in pieces."""
    deltas = [{"role": "assistant", "content": ""}, *({"content": text} for text in texts)]
    return _streams(deltas, finish, usage)


def refuses(text):
    """Answer with a refusal, as models do that must not."""
    return _streams([{"refusal": text}], "stop", (10, 5))


def calls(*wanted, usage=(10, 5)):
    """Want tools to be called: pairs of a name and arguments (an object, or text as it is)."""
    deltas = []
    for index, (name, arguments) in enumerate(wanted):
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        half = len(text) // 2
        first = {"index": index, "id": f"call-{index}", "type": "function", "function": {"name": name, "arguments": ""}}
        deltas.append({"tool_calls": [first]})
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": part}}]} for part in (text[:half], text[half:])
        ]
    return _streams(deltas, "tool_calls", usage)


def fails(status, message, *, code=None, **headers):
    """Refuse the request with an error as the dialect has it."""

    async def reply(asked, writer):
        body = {"error": {"message": message, "type": "error", "code": code}}
        await _whole(writer, status, body, **{name.replace("_", "-"): value for name, value in headers.items()})

    return reply


def sends(text, *, status=200, content_type="text/event-stream"):
    """Send a body as it is, with its length."""

    async def reply(asked, writer):
        body = text.encode()
        writer.write(_head(status, {"content-type": content_type, "content-length": len(body)}) + body)
        await writer.drain()

    return reply


def whole(text):
    """Answer without streaming, as servers do that cannot."""

    async def reply(asked, writer):
        message = {"role": "assistant", "content": text}
        usage = {"prompt_tokens": 10, "completion_tokens": 5}
        await _whole(writer, 200, {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage})

    return reply


def cuts(text, *, politely=False):
    """Begin an answer and break the connection in the middle of it; `politely` ends the body as if it were whole."""

    async def reply(asked, writer):
        writer.write(_streaming() + _event({"choices": [{"delta": {"content": text}}]}))
        await writer.drain()
        if politely:
            writer.write(b"0\r\n\r\n")
            return
        writer.transport.abort()
        raise ConnectionResetError

    return reply


def hangs(text):
    """Begin an answer and never end it."""

    async def reply(asked, writer):
        writer.write(_streaming() + _event({"choices": [{"delta": {"content": text}}]}))
        await writer.drain()
        await asyncio.get_running_loop().create_future()

    return reply


def floods(piece, times, *, event=True):
    """Send the same piece again and again, in events or as one line without end."""

    async def reply(asked, writer):
        writer.write(_streaming())
        for _ in range(times):
            part = _event({"choices": [{"delta": {"content": piece}}]}) if event else _chunk(piece.encode())
            writer.write(part)
            await writer.drain()
        writer.write(_end("stop", (10, 5)))

    return reply


def thinks(about):
    """Decide on a reply with the request at hand: `about(asked)` returns one."""

    async def reply(asked, writer):
        await about(asked)(asked, writer)

    return reply


def _streams(deltas, finish, usage):
    async def reply(asked, writer):
        writer.write(_streaming())
        for delta in deltas:
            writer.write(_event({"model": "tiny-2026", "choices": [{"index": 0, "delta": delta}]}))
            await writer.drain()
        writer.write(_end(finish, usage))
        await writer.drain()

    return reply


def _end(finish, usage):
    told = {"prompt_tokens": usage[0], "completion_tokens": usage[1]} if usage else None
    last = _event({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    counted = _event({"choices": [], "usage": told}) if told else b""
    return last + counted + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


def _event(value):
    return _chunk(f"data: {json.dumps(value)}\n\n".encode())


def _chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def _streaming():
    return _head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})


def _head(status, headers):
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode()


async def _whole(writer, status, value, **headers):
    body = json.dumps(value).encode()
    told = {"content-type": "application/json", "content-length": len(body), **headers}
    writer.write(_head(status, told) + body)
    await writer.drain()

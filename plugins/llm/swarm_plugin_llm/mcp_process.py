"""An MCP server that is a program: its stdin and stdout as a transport of the SDK.

The program is one of the engine's worker processes, so it ends with its attempt, or with the engine, however that ends.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from swarm_core.contracts import Process, Processes

GRACE = 1.0  # seconds between SIGTERM and SIGKILL
_LONGEST_LINE = 16 * 1024 * 1024
_PIECE = 65536


@asynccontextmanager
async def process_streams(
    processes: Processes, argv: Sequence[str], *, env: Mapping[str, str], cwd: str | None
) -> AsyncIterator[tuple[Any, Any]]:
    """Start a server and yield the streams of its messages; raises SpawnFailed."""
    import anyio

    process = await processes.start(argv, env=env, cwd=cwd)
    try:
        heard, incoming = anyio.create_memory_object_stream[Any](0)
        outgoing, said = anyio.create_memory_object_stream[Any](0)
        async with heard, incoming, outgoing, said, anyio.create_task_group() as group:
            group.start_soon(_read, process, heard)
            group.start_soon(_write, process, said)
            group.start_soon(_drain, process)
            yield incoming, outgoing
            group.cancel_scope.cancel()
    finally:
        await process.kill(grace=GRACE)


async def _read(process: Process, heard: Any) -> None:
    """Send each line on as a message, until the server ends or sends a line without end."""
    import anyio
    from mcp.shared.message import SessionMessage
    from mcp_types import jsonrpc_message_adapter

    buffer = bytearray()
    async with heard:
        while piece := await process.read_stdout(_PIECE):
            buffer += piece
            *lines, rest = buffer.split(b"\n") if b"\n" in piece else [buffer]
            buffer = bytearray(rest)
            if len(buffer) > _LONGEST_LINE:
                return
            for line in lines:
                try:
                    message: Any = SessionMessage(jsonrpc_message_adapter.validate_json(bytes(line), by_name=False))
                except ValueError as error:
                    message = error
                try:
                    await heard.send(message)
                except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                    return


async def _write(process: Process, said: Any) -> None:
    async with said:
        async for message in said:
            text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            try:
                await process.write(text.encode() + b"\n")
            except BrokenPipeError:
                return


async def _drain(process: Process) -> None:
    """Let the server say on stderr what it wants: nobody reads it, and it must not wait for that."""
    while await process.read_stderr(_PIECE):
        pass

"""The program that a Lua process runs: take a job, run it in a fresh runtime, write the reply, until stdin ends.

Started with an empty environment and only the standard library, lupa and the modules of this package that import
nothing else. The frames go through private copies of stdin and stdout; what stands at 0 and 1 leads nowhere.
"""

from __future__ import annotations

import gc
import os
import signal
from typing import Any, NoReturn

from swarm_plugin_lua import seccomp, wire
from swarm_plugin_lua.sandbox import Sandbox

# Past the job's own limit and the engine's patience: the process then ends by itself, whatever became of the engine.
_ALARM_AFTER = 1.0


def main(max_json: int = wire.MAX_JSON, max_depth: int = wire.MAX_DEPTH) -> NoReturn:
    """Serve jobs until the engine closes the pipe; a result has at most so many bytes and levels."""
    pipes = _Pipes(*_private_pipes())

    def fresh() -> Sandbox:
        return Sandbox(pipes.ask, max_json=max_json, max_depth=max_depth)

    sandbox = fresh()
    gc.disable()  # nothing here makes circles
    pipes.send(wire.dumps({"level": seccomp.lock()}))
    while True:
        try:
            job = wire.loads(pipes.receive())
        except MemoryError:
            pipes.send(Sandbox.NO_MEMORY)
            continue
        signal.setitimer(signal.ITIMER_REAL, job["seconds"] + _ALARM_AFTER)
        reply = sandbox.run(job)
        signal.setitimer(signal.ITIMER_REAL, 0)
        pipes.send(reply)
        # Off the way of the waiting engine: the next script finds its runtime ready.
        sandbox.close()
        sandbox = fresh()


def _private_pipes() -> tuple[int, int]:
    requests, replies = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return requests, replies


class _Pipes:
    def __init__(self, requests: int, replies: int) -> None:
        self._requests, self._replies = requests, replies

    def send(self, payload: bytes) -> None:
        rest = memoryview(wire.frame(payload))
        while rest:
            rest = rest[os.write(self._replies, rest) :]

    def receive(self) -> bytes:
        return self._exactly(wire.length_of(self._exactly(wire.HEADER)))

    def ask(self, name: str, arguments: bytes) -> tuple[bool, Any]:
        """Have the engine answer a host function; the script waits."""
        self.send(b'{"host":%b,"arguments":%b}' % (wire.dumps(name), arguments))
        answer = wire.loads(self.receive())
        return answer["ok"], answer["value"]

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            piece = os.read(self._requests, min(size - len(data), 1 << 20))
            if not piece:
                os._exit(0)
            data += piece
        return bytes(data)

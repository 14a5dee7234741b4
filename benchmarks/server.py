"""Measure a server beside the same work without one, in the same run: prints one line per figure.

Run: python benchmarks/server.py [--scale 0.1]

The server is `swarm serve` in a process of its own, on a new file with full durability; the client is this process, on
the same machine. The aims are for two processors that do nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

from swarm_core import Swarm

RUNS = 3_000
AT_ONCE = 32
LISTENERS = 1_000
STEPS = 100
SUSPENDED = 10_000
PROBES = 1_000
PATIENCE = 120
LOADING = 8

NUMBER = re.compile(rb"^id: ([0-9]+)$", re.MULTILINE)
INPUT = {"op": "path", "at": "$"}


def step(agent: str) -> dict[str, Any]:
    return {"kind": "step", "ref": agent, "in": INPUT, "out": {"op": "path", "at": "$.out"}}


SMALL = {
    "id": "small",
    "flow": step("worker"),
    "agents": [{"name": "worker", "kind": "function", "spec": {"fn_id": "identity"}}],
}
ASKING = {
    "id": "asking",
    "flow": step("asker"),
    "agents": [{"name": "asker", "kind": "ask", "spec": {"question": "May it go?"}}],
}
LONG = {
    "id": "long",
    "flow": {
        "kind": "seq",
        "children": [
            step("asker"),
            {
                "kind": "loop",
                "counter": {"op": "path", "at": "$.n"},
                "cond": {"op": "lit", "value": True},
                "max": STEPS,
                "body": step("worker"),
            },
        ],
    },
    "agents": [*SMALL["agents"], *ASKING["agents"]],
}


class Connection:
    """One connection that is kept open, for calls one after the other; no more than the measuring needs.

    A whole client would take more of the machine than the server that is measured.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def call(self, head: bytes, body: bytes = b"") -> tuple[int, bytes]:
        self._writer.write(head + b"\r\n\r\n" + body)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        return int(lines[0].split()[1]), await self._reader.readexactly(length)


class Server:
    """`swarm serve` in a process of its own, and a client of it."""

    def __init__(self, process: subprocess.Popen[str], url: str, token: str) -> None:
        self.process, self.place, self._token = process, urlsplit(url), token
        self._free: list[Connection] = []

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.place.hostname, self.place.port, limit=2**24)

    def head(self, method: str, path: str, *more: str) -> bytes:
        lines = (f"{method} {path} HTTP/1.1", f"Host: {self.place.netloc}", f"Authorization: Bearer {self._token}")
        return "\r\n".join((*lines, *more)).encode()

    async def call(self, head: bytes, body: bytes = b"", *, expect: Container[int] = (200,)) -> Any:
        connection = self._free.pop() if self._free else Connection(*await self.connect())
        status, answer = await connection.call(head, body)
        self._free.append(connection)
        if status not in expect:
            raise SystemExit(f"{head.splitlines()[0]!r} was answered {status}: {answer[:300]!r}")
        return json.loads(answer)

    async def post(self, path: str, value: Any) -> Any:
        body = json.dumps(value).encode()
        said = ("Content-Type: application/json", f"Content-Length: {len(body)}")
        return await self.call(self.head("POST", path, *said), body, expect=(200, 202))

    async def get(self, path: str) -> Any:
        return await self.call(self.head("GET", path))

    async def launch(self, blueprint: dict[str, Any], number: int) -> str:
        body = {"blueprint": {"kind": "inline", "value": blueprint}, "init_ctx": {"number": number}, "detach": True}
        return str((await self.post("/v1/tasks", body))["run_id"])

    async def until_none(self, status: str) -> None:
        """Wait until no run stands there any more."""
        async with asyncio.timeout(PATIENCE):
            while found := (await self.get(f"/v1/runs?limit=1&status={status}"))["runs"]:
                head = self.head("GET", f"/v1/runs/{found[0]['id']}/result?wait=0.1")
                await self.call(head, expect=(200, 202))

    def memory_mb(self) -> float:
        """Return what the server holds of memory; nan where the system does not tell."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return float("nan")
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS:"))


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    (folder / "swarm.toml").write_text("[plugin.server]\nmax_runs = 100000\n")
    command = [sys.executable, "-m", "swarm_core", "serve", "--port", "0", "--json"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        started = json.loads(process.stdout.readline())
        yield Server(process, started["url"], Path(started["token_file"]).read_text().strip())
    finally:
        process.terminate()
        process.wait(60)


async def many(count: int, work: Callable[[int], Awaitable[Any]]) -> list[Any]:
    """Do something so many times, `AT_ONCE` of them side by side."""
    numbers = iter(range(count))
    results: list[Any] = []

    async def one_after_the_other() -> None:
        for number in numbers:
            results.append(await work(number))

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(one_after_the_other())
    return results


# what is measured ----------------------------------------------------------------------------------------------


async def launches(server: Server, count: int) -> float:
    """Return how many small runs a second are launched and done over HTTP."""
    begin = perf_counter()
    await many(count, lambda number: server.launch(SMALL, number))
    await server.until_none("running")
    took = perf_counter() - begin
    done, before = 0, ""
    while before is not None:
        page = await server.get(f"/v1/runs?status=done&limit=1000{before}")
        done, before = done + len(page["runs"]), page["next"] and f"&before={page['next']}"
    if done < count:
        raise SystemExit(f"{done} of {count} runs are done")
    return count / took


async def launches_without(folder: Path, count: int) -> float:
    """Return how many of the same runs a second are launched and done in one process without HTTP."""
    async with Swarm.open(store=f"sqlite:///{folder}/without.db") as swarm:
        prepared = swarm.prepare(SMALL)

        async def one(number: int) -> None:
            result = await (await swarm.launch(prepared, init_ctx={"number": number})).wait()
            assert result.status == "done"

        begin = perf_counter()
        await many(count, one)
        return count / (perf_counter() - begin)


async def probes(server: Server, count: int) -> list[float]:
    """Return how long `GET /v1/runs/{id}` took, one after the other, while runs are launched beside it."""
    run_id = await server.launch(SMALL, 0)

    async def load() -> None:
        for number in range(10**9):
            await server.launch(SMALL, number)

    async def probe() -> float:
        begin = perf_counter()
        await server.get(f"/v1/runs/{run_id}")
        return perf_counter() - begin

    loading = [asyncio.ensure_future(load()) for _ in range(LOADING)]
    try:
        return [await probe() for _ in range(count)]
    finally:
        for each in loading:
            each.cancel()
        await asyncio.wait(loading)


async def listeners(server: Server, count: int) -> tuple[float, int, int]:
    """Let so many listen to one run; return the seconds, the events that each should get, and how many were lost."""
    run_id = await server.launch(LONG, 0)
    questions: list[Any] = []
    while not questions:
        questions = (await server.get(f"/v1/questions?run_id={run_id}&open=true"))["questions"]
    connections = await many(count, lambda _: listen(server, run_id))
    begin = perf_counter()
    await server.post(f"/v1/questions/{questions[0]['key']}/answer", {"answer": "yes"})
    async with asyncio.timeout(PATIENCE):
        heard = await asyncio.gather(*(counted(reader, writer) for reader, writer in connections))
    took = perf_counter() - begin
    wanted = (await server.get(f"/v1/runs/{run_id}"))["last_seq"]
    return took, wanted, sum(wanted - each for each in heard)


async def listen(server: Server, run_id: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a stream of a run's events; it has begun when this returns."""
    reader, writer = await server.connect()
    writer.write(server.head("GET", f"/v1/runs/{run_id}/events", "Accept: text/event-stream") + b"\r\n\r\n")
    status = await reader.readuntil(b"\r\n")
    if b" 200 " not in status:
        raise SystemExit(f"a listener was answered {status!r}")
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    """Return how many events come until the end, each once and in order."""
    heard, rest = 0, b""
    while piece := await reader.read(2**18):
        whole, _, rest = (rest + piece).rpartition(b"\n\n")
        numbers = [int(number) for number in NUMBER.findall(whole)]
        if numbers != list(range(heard + 1, heard + 1 + len(numbers))):
            raise SystemExit(f"a listener got {numbers} after {heard}")
        heard += len(numbers)
        if b"event: end\n" in whole:
            break
    writer.close()
    return heard


async def suspended(server: Server, count: int) -> tuple[float, float]:
    """Launch so many runs that wait for an answer; return the seconds, and the server's memory in MiB."""
    begin = perf_counter()
    await many(count, lambda number: server.launch(ASKING, number))
    await server.until_none("running")
    return perf_counter() - begin, server.memory_mb()


# telling -------------------------------------------------------------------------------------------------------


def tell(what: str, figure: str, aim: str = "", *, met: bool = True) -> None:
    print(f"{what:<66} {figure:>16}{'' if not aim else f'  aim: {aim}' + ('' if met else '  MISSED')}", flush=True)


async def measure(folder: Path, scale: float) -> None:
    def scaled(count: int) -> int:
        return max(AT_ONCE, int(count * scale))

    without = await launches_without(folder, scaled(RUNS))
    tell("small runs launched and done in one process, without HTTP", f"{without:,.0f}/s")
    with served(folder) as server:
        await many(AT_ONCE, lambda number: server.launch(SMALL, number))
        over = await launches(server, scaled(RUNS))
        tell("the same over HTTP, detached", f"{over:,.0f}/s", "300/s", met=over >= 300)
        took = await probes(server, scaled(PROBES))
        p99, median = quantiles(took, n=100)[98] * 1e3, quantiles(took, n=2)[0] * 1e3
        tell(f"GET of a run while {LOADING} clients launch, median of {len(took):,}", f"{median:,.1f} ms")
        tell("the same, p99", f"{p99:,.1f} ms", "50 ms", met=p99 <= 50)
        seconds, wanted, lost = await listeners(server, scaled(LISTENERS))
        rate = wanted * scaled(LISTENERS) / seconds
        tell(f"{scaled(LISTENERS):,} listeners on a run of {wanted:,} events", f"{rate:,.0f} events/s")
        tell("events that a listener did not get", f"{lost:,}", "0", met=lost == 0)
        idle = server.memory_mb()
        seconds, memory = await suspended(server, scaled(SUSPENDED))
        tell(f"{scaled(SUSPENDED):,} runs launched until they wait", f"{scaled(SUSPENDED) / seconds:,.0f}/s")
        what = f"memory of the server with them; {idle:,.0f} MiB before"
        tell(what, f"{memory:,.0f} MiB", "1,000 MiB", met=memory < 1_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the sizes; 0.1 is enough to try something")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(measure(Path(name), options.scale))


if __name__ == "__main__":
    main()

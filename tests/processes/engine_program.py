"""An engine to be killed. Run: HOW ARGV..., where HOW says what it does while ARGV runs as a worker."""

import asyncio
import os
import sys
import time
from pathlib import Path

from swarm_core.processes import open_processes

HOW, *ARGV = sys.argv[1:]
ENV = {"PATH": os.environ["PATH"]}


async def flood(processes) -> None:
    """Start and kill workers without end; each appends a line to the file `log`."""
    print("on", flush=True)
    while True:
        process = await processes.start(["sh", "-c", "echo start >> log; exec sleep 600"], env=ENV)
        await asyncio.sleep(0.02)
        await process.kill()


def leave_an_heir() -> None:
    """Fork a process that goes on holding every descriptor of the engine."""
    if os.fork() == 0:
        Path("heir").write_text(str(os.getpid()))
        time.sleep(30)
        os._exit(0)


async def main() -> None:
    async with open_processes() as processes:
        if HOW == "flood":
            await asyncio.gather(*(flood(processes) for _ in range(6)))
        await processes.start(ARGV, env=ENV)
        if HOW == "heir":
            leave_an_heir()
        print("on", flush=True)
        told_to_end = asyncio.Event()
        asyncio.get_running_loop().add_reader(sys.stdin, told_to_end.set)
        await told_to_end.wait()
        if HOW == "raise":
            raise RuntimeError("a bug in the engine")
        os._exit(0)


asyncio.run(main())

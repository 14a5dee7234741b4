"""An engine to be killed. Run: HOW ARGV..., where HOW says what it does once ARGV runs as a worker."""

import asyncio
import os
import sys
from pathlib import Path

from swarm_core.processes import open_processes

HOW, *ARGV = sys.argv[1:]
ENV = {"PATH": os.environ["PATH"]}


async def flood(processes) -> None:
    """Start workers without end; each appends one line to the file `log`."""

    async def one() -> None:
        while True:
            process = await processes.start(["sh", "-c", "echo start >> log; exec sleep 600"], env=ENV)
            await asyncio.sleep(0.05)
            await process.kill()

    print("on", flush=True)
    await asyncio.gather(*(one() for _ in range(8)))


async def main() -> None:
    async with open_processes() as processes:
        if HOW == "flood":
            await flood(processes)
        await processes.start(ARGV, env=ENV)
        if HOW == "leave":
            while not any(Path(ARGV[4]).iterdir()):  # until a member of the tree has left its note
                await asyncio.sleep(0.01)
            os._exit(0)
        if HOW == "fork" and os.fork() == 0:
            os.execvp("sleep", ["sleep", "3"]) if os.fork() == 0 else os._exit(0)
        if HOW == "inherit" and os.fork() == 0:
            Path("heir").write_text(str(os.getpid()))
            while True:  # holds every descriptor of the engine
                os.pread
        print("on", flush=True)
        await asyncio.sleep(600)


asyncio.run(main())

"""One `swarm` process as the driver sees it: what it says, and how it is struck."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import define, field

_RUN_ID = re.compile(r"\bRUN-[0-9a-f]{16}\b")
SWARM = (sys.executable, "-m", "swarm_core")


@define(eq=False)
class Engine:
    """A `swarm run` or `swarm resume` that was started; `said` are the lines of its stderr, each with its time.

    Times are on the monotonic clock. `before` are the epochs of the runs when it was started, `held` the runs that it
    was seen to have taken up.
    """

    args: Sequence[str]
    process: subprocess.Popen[str]
    begun: float
    key: str | None = None
    before: Mapping[str, int] = field(factory=dict)
    held: set[str] = field(factory=set)
    wrapped: bool = False
    said: list[tuple[float, str]] = field(factory=list)
    ended: float | None = None
    _stdout: str = ""
    _readers: list[threading.Thread] = field(factory=list)

    @classmethod
    def start(
        cls,
        args: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        key: str | None = None,
        before: Mapping[str, int] | None = None,
        wrap: Sequence[str] = (),
    ) -> Engine:
        """Start a command; `wrap` goes before it, such as strace."""
        begun = time.monotonic()
        process = subprocess.Popen(
            [*wrap, *SWARM, *args],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=bool(wrap),
        )
        engine = cls(args, process, begun, key=key, before=before or {}, wrapped=bool(wrap))
        engine._readers = [threading.Thread(target=read, daemon=True) for read in (engine._hear, engine._take)]
        for reader in engine._readers:
            reader.start()
        return engine

    @property
    def submits(self) -> bool:
        """Tell whether it submits a run."""
        return self.args[0] == "run"

    @property
    def pid(self) -> int:
        """The process id of the engine, or of what wraps it."""
        return self.process.pid

    @property
    def alive(self) -> bool:
        """Tell whether it still runs."""
        return self.process.poll() is None

    @property
    def code(self) -> int | None:
        """Return its exit code, or minus the signal that ended it."""
        return self.process.returncode

    @property
    def crashed(self) -> bool:
        """Tell whether it printed a traceback, which nothing may ever do."""
        return any(line.startswith("Traceback") for _, line in self.said)

    @property
    def run(self) -> str | None:
        """Return the id of the run that it submitted, once that was printed: it is acknowledged then."""
        return (
            next((found[0] for _, line in self.said if (found := _RUN_ID.search(line))), None) if self.submits else None
        )

    def told(self) -> float | None:
        """Return when it printed the id of the run that it submitted, None when it has not."""
        return next((at for at, line in self.said if _RUN_ID.search(line)), None) if self.submits else None

    def signal(self, number: int) -> tuple[float, float]:
        """Send a signal to this process alone; return when, and when it surely had taken effect."""
        struck = time.monotonic()
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.finish()
        elif number == signal.SIGSTOP:
            self._await_stop()
        return struck, time.monotonic()

    def destroy(self) -> None:
        """Kill it, and what wraps it: not a blow, but an end to a test that has failed."""
        if self.wrapped:
            os.killpg(self.pid, signal.SIGKILL)
        else:
            self.process.kill()
        self.finish()

    def finish(self, timeout: float = 60) -> int | None:
        """Wait for its end and return its exit code; None when it did not end in time."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        self.ended = self.ended or time.monotonic()
        for reader in self._readers:
            reader.join(5)
        return self.code

    def _await_stop(self) -> None:
        while self.alive and _state(self.pid) != "T":
            time.sleep(0.0005)

    def _hear(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append((time.monotonic(), line.rstrip("\n")))

    def _take(self) -> None:
        assert self.process.stdout is not None
        self._stdout = self.process.stdout.read()

    @property
    def stdout(self) -> str:
        """Return what it printed, once it has ended."""
        return self._stdout


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
    except OSError:
        return ""


def environment(**more: str) -> dict[str, str]:
    """Return the environment of commands: no settings of the caller's, this Python's programs first on the path."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SWARM_", "CRASH_"))}
    return {**clean, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{clean.get('PATH', '')}", **more}

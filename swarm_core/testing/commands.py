"""`swarm` commands in tests, without waiting for Python to start each time.

One process loads what commands need and carries each of them out in a fork of itself: with arguments, folder,
environment and files of its own, as a program that was just started, some ten times as fast. Run as a program, this
module is that process.
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from importlib import import_module, invalidate_caches
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any, NoReturn

from attrs import frozen

_LOADED = ("swarm_core.cli", "swarm_core.history", "swarm_core.builtin", "swarm_core.engine", "swarm_core.processes")


@frozen
class CommandEnded:
    """How a command ended: its exit code, and what it wrote to stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Return what was written to stdout as data; raises ValueError, when it is no JSON."""
        return json.loads(self.out)


class Commands:
    """Runs `swarm` commands, one at a time; belongs to whoever made it, who closes it.

    A command that gets Python's own variables other than those of the tests' process (`PYTHONPATH`) is a process of its
    own from the start: another Python would be found by it.
    """

    def __init__(self) -> None:
        self._server: subprocess.Popen[bytes] | None = None
        self._one = threading.Lock()

    def run(
        self,
        *args: object,
        cwd: Path | str,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        timeout: float = 60.0,
    ) -> CommandEnded:
        """Run `swarm ARGS` in a folder and wait for its end.

        It sees the variables of this process without `SWARM_*`, and those of `env`. Raises: subprocess.TimeoutExpired,
        when it takes more than `timeout` seconds, after which it is killed.
        """
        words = [str(arg) for arg in args]
        given = {name: value for name, value in os.environ.items() if not name.startswith("SWARM_")} | dict(env or {})
        with ExitStack() as files:
            said = [files.enter_context(NamedTemporaryFile()) for _ in range(3)]
            said[0].write(stdin.encode())
            said[0].seek(0)
            if _pythons(given) == _pythons(os.environ):
                with self._one:
                    code = self._forked(words, str(cwd), given, said, timeout)
            else:
                code = _started(words, str(cwd), given, said, timeout)
            out, err = (_text(file) for file in said[1:])
        return CommandEnded(code, out, err)

    def close(self) -> None:
        """End the process; closing it again does nothing."""
        server, self._server = self._server, None
        if server is not None:
            server.communicate()

    def _forked(
        self, words: Sequence[str], cwd: str, env: Mapping[str, str], said: Sequence[IO[bytes]], timeout: float
    ) -> int:
        server = self._server = self._server or _serve_apart()
        assert server.stdin is not None
        names = [file.name for file in said]
        server.stdin.write(json.dumps({"args": words, "cwd": cwd, "env": env, "files": names}).encode() + b"\n")
        server.stdin.flush()
        child = self._told(server, timeout)
        try:
            return self._told(server, timeout)
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            self._told(server, timeout)
            raise subprocess.TimeoutExpired(["swarm", *words], timeout) from None

    def _told(self, server: subprocess.Popen[bytes], timeout: float) -> int:
        """Return the next number that the process says: the child's id, then its exit code."""
        assert server.stdout is not None
        if not select.select([server.stdout], [], [], timeout)[0]:
            raise TimeoutError
        line = server.stdout.readline()
        if not line:
            raise ChildProcessError("the process that carries commands out has ended")
        return int(line)


def _serve_apart() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", __name__]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)


def _started(words: Sequence[str], cwd: str, env: Mapping[str, str], said: Sequence[IO[bytes]], timeout: float) -> int:
    command = [sys.executable, "-m", "swarm_core", *words]
    done = subprocess.run(
        command, cwd=cwd, env=env, stdin=said[0], stdout=said[1], stderr=said[2], timeout=timeout, check=False
    )
    return done.returncode


def _pythons(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith("PYTHON")}


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


# in the other process ----------------------------------------------------------------------------------------


def serve() -> None:
    """Carry out what stands on stdin, a JSON line each: say the child's process id, and its exit code at its end."""
    swarm = _load()
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            _be(swarm, **asked)
        _say(child)
        _say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def _load() -> Callable[[], None]:
    """Import what commands import, the plugins that are installed included, and return what the program `swarm` is."""
    from importlib.metadata import entry_points

    from swarm_core.host.discovery import discover

    (program,) = entry_points(group="console_scripts", name="swarm")
    main: Callable[[], None] = program.load()
    for package in _LOADED:
        for module in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
            import_module(module.name)
    for plugin in discover().found:
        with suppress(Exception):  # the command will say what is wrong with it
            plugin.load()
    gc.freeze()
    return main


def _be(
    swarm: Callable[[], None], args: Sequence[str], cwd: str, env: Mapping[str, str], files: Sequence[str]
) -> NoReturn:
    code = 1
    try:
        for number, path in enumerate(files):
            os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND if number else os.O_RDONLY), number)
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(env)
        sys.argv = ["swarm", *args]
        sys.path[0] = cwd
        invalidate_caches()
        swarm()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve()

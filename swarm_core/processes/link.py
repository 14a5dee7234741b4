"""The engine's side of the reaper: its process, and the socket to it."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from swarm_core.errors import SpawnFailed
from swarm_core.processes import reaper
from swarm_core.processes.process import WorkerProcess

_PATIENCE = 5.0  # seconds a reaper may take to kill everything and end


class ReaperLink:
    """One reaper, from its start to its end.

    Requests go out in order; what the socket does not take at once waits here, bounded by how many workers are started
    at once. A reaper that ends unasked takes its workers along, and they are reported as killed.
    """

    def __init__(self, program: subprocess.Popen[bytes], control: socket.socket) -> None:
        self._program, self._control = program, control
        self._outbox: deque[tuple[int, bytes, Sequence[int]]] = deque()
        self._workers: dict[int, WorkerProcess] = {}
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(control, self._receive)

    @classmethod
    def launch(cls, python: str) -> ReaperLink:
        """Start a reaper; raises SpawnFailed."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [python, "-I", "-S", str(Path(reaper.__file__)), str(theirs.fileno()), str(os.getpid())]
        try:
            program = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                env={name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl-C in the terminal is for the engine
            )
        except OSError as error:
            ours.close()
            hint = "open_processes(python=...) takes the path of a Python interpreter"
            raise SpawnFailed(f"cannot start the process reaper with {python!r}: {error.strerror}", hint=hint) from None
        finally:
            theirs.close()
        ours.setblocking(False)
        return cls(program, ours)

    def spawn(self, key: int, worker: WorkerProcess, descriptors: Sequence[int]) -> None:
        """Ask for a worker; the descriptors (order, stdin, stdout, stderr) are the link's from now on."""
        self._workers[key] = worker
        self._post(key, reaper.REQUEST.pack(reaper.SPAWN, key, 0.0), descriptors)

    def kill(self, key: int, grace: float) -> None:
        """Ask for the end of a worker and everything it started."""
        self._post(key, reaper.REQUEST.pack(reaper.KILL, key, grace))

    async def close(self) -> None:
        """Have everything killed, and return when the reaper has ended."""
        if not self.ended.done():
            with suppress(OSError):
                self._control.shutdown(socket.SHUT_WR)
            try:
                await asyncio.wait([self.ended], timeout=_PATIENCE)
            finally:
                if not self.ended.done():
                    self._program.kill()  # its wardens end what it did not
                    self._end()

    # out -----------------------------------------------------------------------------------------------------

    def _post(self, key: int, data: bytes, descriptors: Sequence[int] = ()) -> None:
        self._outbox.append((key, data, descriptors))
        if self.ended.done():
            self._drop()
        elif len(self._outbox) == 1:
            self._send()

    def _send(self) -> None:
        while self._outbox:
            key, data, descriptors = self._outbox[0]
            try:
                socket.send_fds(self._control, [data], descriptors) if descriptors else self._control.send(data)
            except BlockingIOError:
                self._loop.add_writer(self._control, self._send)
                return
            except OSError as error:
                if descriptors:
                    self._refuse(key, 0 if isinstance(error, ConnectionError) else error.errno or 0)
            self._outbox.popleft()
            _close_all(descriptors)
        self._loop.remove_writer(self._control)

    def _refuse(self, key: int, number: int) -> None:
        worker = self._workers.pop(key)
        worker.note_refused(reaper.STAGE_FORK, number)
        worker.note_gone()

    def _drop(self) -> None:
        for _, _, descriptors in self._outbox:
            _close_all(descriptors)
        self._outbox.clear()

    # in ------------------------------------------------------------------------------------------------------

    def _receive(self) -> None:
        while True:
            try:
                data = self._control.recv(reaper.REPORT.size)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._end()
                return
            self._note(*reaper.REPORT.unpack(data))

    def _note(self, kind: bytes, key: int, first: int, second: int) -> None:
        worker = self._workers.get(key)
        if worker is None:
            return
        left = False
        if kind == reaper.STARTED:
            worker.note_started(first)
            left = True
        elif kind == reaper.REFUSED:
            worker.note_refused(first, second)
        elif kind == reaper.EXITED:
            worker.note_ended(first)
            left = not second
        if not left:
            del self._workers[key]
            worker.note_gone()

    def _end(self) -> None:
        self._loop.remove_reader(self._control)
        self._loop.remove_writer(self._control)
        self._control.close()
        self._drop()
        self._program.wait()  # it has closed its last descriptor, or was killed: this is a matter of microseconds
        for worker in self._workers.values():
            worker.note_gone()
        self._workers.clear()
        self.ended.set_result(None)


def _close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)

"""The program that owns all worker processes of one engine; run as a script, with the standard library only.

    engine -- reaper -- warden -- worker -- whatever it starts
                     -- warden -- worker -- ...

The reaper forks one warden per worker, the warden forks the worker. Both are child subreapers: a process whose parent
ends becomes the child of its own warden, whatever it did before (fork twice, `setsid`, `nohup`, clear its environment).
So every descendant hangs below its warden, and a warden without children proves that none is left. No marker has to be
believed, and no process can be taken for another worker's.

Who kills: the reaper, when a worker is to end or the engine is gone; each warden its own tree, when the reaper is gone;
the kernel the worker and the reaper the rest, when a warden is gone.
"""
# ruff: noqa: PTH116, PTH123, PTH208 - pathlib would make the start slower

from __future__ import annotations

import ctypes
import errno
import gc
import os
import resource
import select
import signal
import socket
import struct
import sys
import time
from contextlib import suppress

# Requests: kind, id, seconds of grace. SPAWN comes with four descriptors: a file with the order, stdin, stdout, stderr.
REQUEST = struct.Struct("=cQd")
SPAWN, KILL = b"S", b"K"

# Reports: kind, id, two numbers.
REPORT = struct.Struct("=cQii")
STARTED = b"P"  # pid
REFUSED = b"F"  # stage, errno; nothing is left
EXITED = b"X"  # exit code, or minus the signal's number; 1 when nothing is left
GONE = b"G"  # nothing is left

STAGE_FORK, STAGE_CWD, STAGE_LIMITS, STAGE_EXEC = range(4)

_FAILURE = struct.Struct("=ii")
_DESCRIPTORS = 4
_AGAIN = 0.005  # seconds until a tree that is to be dead is looked at again
_PARENT_DIED = signal.SIGUSR1
# Signals that end nothing here. They get a handler, for an ignored signal would stay ignored in the worker.
_DEAF_TO = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGPIPE", "SIGXFSZ", "SIGCHLD")
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 36, 38
_libc = ctypes.CDLL(None, use_errno=True)


class ParentDied(BaseException):
    """The reaper is gone, and its warden has to do the killing."""


def prctl(option: int, value: int) -> None:
    """Set an attribute of this process; raises OSError."""
    if _libc.prctl(option, *map(ctypes.c_ulong, (value, 0, 0, 0))) != 0:
        raise OSError(ctypes.get_errno(), "prctl failed")


# trees -------------------------------------------------------------------------------------------------------


def children_by_parent() -> dict[int, list[int]]:
    """Return the process ids of the machine by their parent's."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            children.setdefault(_parent_of(name), []).append(int(name))
    return children


def _parent_of(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as stat:
            text = stat.read(4096)
        # pid (name) state ppid ...; the name may hold blanks and parentheses.
        return int(text[text.rindex(b")") + 2 :].split(b" ", 2)[1])
    except (OSError, ValueError):  # it is gone, or went while it was read
        return 0


def descendants(roots: list[int]) -> list[int]:
    """Return everything below the roots."""
    children = children_by_parent()
    found: list[int] = []
    ahead = list(roots)
    while ahead:
        below = children.get(ahead.pop(), [])
        found += below
        ahead += below
    return found


def send(number: int, *pids: int) -> None:
    """Send a signal to processes that may be gone by now."""
    for pid in pids:
        with suppress(OSError):
            os.kill(pid, number)


def end_trees(roots: list[int]) -> None:
    """Kill everything below the roots.

    All are stopped before the first is killed, again and again until no new one shows up: a stopped process can neither
    fork nor notice that its children die. What was stopped is killed even when looking for more fails.
    """
    stopped: set[int] = set()
    try:
        while fresh := [pid for pid in descendants(roots) if pid not in stopped]:
            send(signal.SIGSTOP, *fresh)
            stopped.update(fresh)
    finally:
        send(signal.SIGKILL, *stopped)


def bury() -> tuple[dict[int, int], bool]:
    """Return the children that have ended, with their status, and whether there are others."""
    dead: dict[int, int] = {}
    try:
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            dead[ended[0]] = ended[1]
    except ChildProcessError:
        return dead, False
    return dead, True


def end_all() -> None:
    """Kill everything below this process, and return when none is left."""
    while bury()[1]:
        end_trees([os.getpid()])
        time.sleep(0.001)


# the worker, before it is one --------------------------------------------------------------------------------


class Order:
    """What is to be started: the folder, pairs of limit and value, argv, environment, the paths to try."""

    def __init__(self, text: bytes) -> None:
        self.cwd, limits, counts, *rest = text.split(b"\0")
        self.limits = [tuple(map(int, pair.split(b"="))) for pair in limits.split()]
        arguments, variables = map(int, counts.split())
        self.argv = rest[:arguments]
        self.env = dict(pair.split(b"=", 1) for pair in rest[arguments : arguments + variables])
        self.paths = rest[arguments + variables :]


def become(order: Order, stdio: list[int], warden: int, failure: int, engine: Engine) -> None:
    """Turn this process into the worker; does not return."""
    stage, number = STAGE_FORK, errno.EINVAL
    try:
        os.setsid()
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        for target, descriptor in enumerate(stdio):
            os.dup2(descriptor, target)
        stage = STAGE_CWD
        os.chdir(order.cwd)
        stage = STAGE_LIMITS
        for limit, value in order.limits:
            resource.setrlimit(limit, (value, value))
        stage = STAGE_EXEC
        # Looked at last: a worker must not begin anything after its engine's death.
        if os.getppid() == warden and not engine.gone():
            number = _execute(order)
    except OSError as error:
        number = error.errno or number
    except ValueError:
        number = errno.EPERM  # the hard limit is lower and may not be raised
    finally:
        os.write(failure, _FAILURE.pack(stage, number))
        os._exit(127)


def _execute(order: Order) -> int:
    """Become the first program that is there; returns the errno when none can be run."""
    number = errno.ENOENT
    for path in order.paths:
        try:
            os.execve(path, order.argv, order.env)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                number = error.errno or number
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.EACCES):
                break
    return number


# the warden --------------------------------------------------------------------------------------------------


def guard(key: int, order: Order, stdio: list[int], reaper: int, engine: Engine) -> None:
    """Start the worker, report its fate, and stay until nothing of it is left."""
    signal.set_wakeup_fd(-1)
    try:
        prctl(_PR_SET_CHILD_SUBREAPER, 1)
        prctl(_PR_SET_PDEATHSIG, _PARENT_DIED)
        if os.getppid() != reaper or not (worker := _start(key, order, stdio, engine)):
            return
        while (ended := os.wait())[0] != worker:
            pass
        left = bury()[1]
        engine.report(EXITED, key, os.waitstatus_to_exitcode(ended[1]), not left)
        while left:
            os.wait()
    except ChildProcessError:
        engine.report(GONE, key)
    except ParentDied:
        end_all()
    except OSError as error:
        engine.report(REFUSED, key, STAGE_FORK, error.errno or 0)


def _start(key: int, order: Order, stdio: list[int], engine: Engine) -> int:
    reading, writing = os.pipe()
    warden = os.getpid()
    worker = os.fork()
    if worker == 0:
        become(order, stdio, warden, writing, engine)
    for descriptor in (*stdio, writing):
        os.close(descriptor)
    failed = os.read(reading, _FAILURE.size)  # nothing at all when the exec closed the other end
    os.close(reading)
    if failed:
        os.waitpid(worker, 0)
        engine.report(REFUSED, key, *_FAILURE.unpack(failed))
        return 0
    engine.report(STARTED, key, worker)
    return worker


# the reaper --------------------------------------------------------------------------------------------------


class Engine:
    """The engine as seen from here: a socket, and the process at its other end.

    Two signs of death because each alone can fail: a child that the engine forked may hold the socket's other end open,
    and an old kernel has no pidfd.
    """

    def __init__(self, descriptor: int, pid: int) -> None:
        self.control = socket.socket(fileno=descriptor)
        self.control.set_inheritable(False)
        self.signs, self.events = select.poll(), select.poll()
        self.signs.register(self.control, select.POLLRDHUP)
        self.events.register(self.control, select.POLLIN)
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            pidfd = descriptor
        else:
            self.signs.register(pidfd, select.POLLIN)
        self.events.register(pidfd, select.POLLIN)
        self.never_met = os.getppid() != pid

    def gone(self) -> bool:
        """Tell whether the engine is dead or has closed the socket."""
        return self.never_met or bool(self.signs.poll(0))

    def report(self, kind: bytes, key: int, first: int = 0, second: int = 0) -> None:
        """Send a report; nobody may be there to read it."""
        with suppress(OSError):
            self.control.send(REPORT.pack(kind, key, first, second))

    def request(self) -> tuple[bytes, int, float, list[int]] | None:
        """Return the next request, or None when there is none."""
        size = socket.CMSG_LEN(_DESCRIPTORS * 4)
        flags = socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
        try:
            data, ancillary, _, _ = self.control.recvmsg(REQUEST.size, size, flags)
        except OSError:
            return None
        descriptors = [number for _, _, packed in ancillary for (number,) in struct.iter_unpack("i", packed)]
        return (*REQUEST.unpack(data), descriptors) if data else None


class Reaper:
    """Forks wardens, kills trees, and sees to what a killed warden leaves."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.pid = os.getpid()
        self.wardens: dict[int, int] = {}  # by key
        self.keys: dict[int, int] = {}  # by the warden's pid
        self.due: dict[int, float] = {}  # key -> when its tree is to be killed (again)
        self.astray: list[int] = []  # keys whose warden was killed: its orphans are the reaper's now
        self.woken, wake = os.pipe()
        for descriptor in (self.woken, wake):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        engine.events.register(self.woken, select.POLLIN)

    def run(self) -> None:
        """Serve until the engine is gone."""
        while not self.engine.gone():
            self._serve()
            self._take_note_of_dead()
            self._kill_due()
            wait = max(0.0, min(self.due.values()) - time.monotonic()) * 1000 if self.due else None
            self.engine.events.poll(wait)

    def _serve(self) -> None:
        while not self.engine.gone() and (request := self.engine.request()) is not None:
            kind, key, grace, descriptors = request
            try:
                if kind == SPAWN:
                    self._spawn(key, descriptors)
                elif key in self.wardens:
                    self._doom(key, grace)
            except OSError as error:
                self.engine.report(REFUSED, key, STAGE_FORK, error.errno or 0)
            for descriptor in descriptors:
                os.close(descriptor)

    def _spawn(self, key: int, descriptors: list[int]) -> None:
        if len(descriptors) != _DESCRIPTORS:
            raise OSError(errno.EMFILE, "no room for the descriptors")
        warden = os.fork()
        if warden == 0:
            code = 1
            try:
                paper, *stdio = descriptors
                order = Order(os.pread(paper, os.fstat(paper).st_size, 0))
                guard(key, order, stdio, self.pid, self.engine)
                code = 0
            finally:
                os._exit(code)  # never back into the code of the reaper
        self.wardens[key] = warden
        self.keys[warden] = key

    def _doom(self, key: int, grace: float) -> None:
        due = time.monotonic() + grace
        if grace > 0 and key not in self.due:
            send(signal.SIGTERM, *descendants([self.wardens[key]]))
        self.due[key] = min(due, self.due.get(key, due))

    def _kill_due(self) -> None:
        now = time.monotonic()
        keys = [key for key, due in self.due.items() if due <= now]
        wardens = [self.wardens[key] for key in keys if key in self.wardens]
        if wardens:
            end_trees(wardens)
            send(signal.SIGCONT, *wardens)  # the worker may have stopped it
        if self.astray:
            self._end_astray()
        again = time.monotonic() + _AGAIN
        self.due.update((key, again) for key in keys if key in self.due)

    def _take_note_of_dead(self) -> None:
        try:
            os.read(self.woken, 4096)
        except BlockingIOError:
            return
        for pid, status in bury()[0].items():
            if pid in self.keys:
                key = self.keys.pop(pid)
                del self.wardens[key]
                self.due.pop(key, None)
                if status != 0:  # it was killed
                    self.astray.append(key)
                    self.due[key] = 0.0

    def _end_astray(self) -> None:
        strays = [pid for pid in children_by_parent().get(self.pid, []) if pid not in self.keys]
        send(signal.SIGSTOP, *strays)
        end_trees(strays)
        send(signal.SIGKILL, *strays)
        while self.astray and not strays:
            key = self.astray.pop()
            del self.due[key]
            self.engine.report(GONE, key)


def _parent_died(*_: object) -> None:
    signal.signal(_PARENT_DIED, signal.SIG_IGN)
    raise ParentDied


def main(descriptor: int, engine_pid: int) -> None:
    """Own the workers of the engine at the other end of the socket, until it is gone."""
    for name in _DEAF_TO:
        signal.signal(getattr(signal, name), lambda *_: None)
    signal.signal(_PARENT_DIED, _parent_died)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.stat(f"/proc/{os.getpid()}/stat")  # without it no tree can be found: better not to begin
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    prctl(_PR_SET_NO_NEW_PRIVS, 1)  # inherited by all: a program of another user could not be killed
    engine = Engine(descriptor, engine_pid)
    gc.disable()  # a collection would copy the pages that wardens share
    try:
        Reaper(engine).run()
    finally:
        end_all()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

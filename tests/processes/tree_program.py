"""Begins descendants in every way that a program may try to outlive its parent. Run: FOLDER END WAY..."""
# ruff: noqa: PTH104, PTH118, PTH123 - pathlib would make every member start slower

import os
import signal
import sys
import time

FOLDER, END, *WAYS = sys.argv[1:]


def note() -> None:
    with open("/proc/self/stat") as stat:
        began = stat.read().rpartition(") ")[2].split()[19]
    path = os.path.join(FOLDER, str(os.getpid()))
    with open(path + ".new", "w") as file:
        file.write(began)
    os.rename(path + ".new", path)


def stay() -> None:
    note()
    time.sleep(600)
    os._exit(0)


def fork() -> None:
    if os.fork() == 0:
        stay()


def double_fork() -> None:
    if os.fork() == 0:
        if os.fork() == 0:
            stay()
        os._exit(0)
    os.wait()


def setsid() -> None:
    if os.fork() == 0:
        os.setsid()
        stay()


def daemon() -> None:
    """All of it: fork, setsid, fork, closed streams, a cleared environment."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 3)
            os.execve(sys.executable, [sys.executable, "-I", "-S", __file__, FOLDER, "stay"], {})
        os._exit(0)
    os.wait()


def nohup() -> None:
    if os.fork() == 0:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        stay()


def ignore_sigterm() -> None:
    if os.fork() == 0:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)
        stay()


def close_stdout() -> None:
    if os.fork() == 0:
        os.close(1)
        stay()


def hold_stdout() -> None:
    fork()


def stopped() -> None:
    if os.fork() == 0:
        note()
        os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(600)


def many() -> None:
    """A fork bomb with an end: 7 generations, 127 processes below this one, each in a session of its own."""
    for _ in range(7):
        if os.fork() == 0:
            os.setsid()
            note()
    time.sleep(600)
    os._exit(0)


def restless() -> None:
    """Somebody who is always somebody else: each lives for a moment and leaves a child behind."""
    if os.fork() == 0:
        while True:
            note()
            if os.fork() != 0:
                os._exit(0)
            os.setsid()


for way in WAYS:
    globals()[way]()
note()
if END == "exit":
    os._exit(0)
if END == "stop_warden":
    os.kill(os.getppid(), signal.SIGSTOP)
if END == "kill_warden":
    os.kill(os.getppid(), signal.SIGKILL)
time.sleep(600)

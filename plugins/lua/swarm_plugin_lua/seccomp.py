"""Lock this process: from here on it can compute, read and write what is already open, and end.

Linux on x86-64 and AArch64. Used in the Lua processes, so nothing but the standard library is imported.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_KILL_PROCESS, _ALLOW = 0x80000000, 0x7FFF0000
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF: load a word of the call's data, jump if equal, return
_CALL_NUMBER, _ARCHITECTURE = 0, 4  # offsets in the call's data

# What a running Python and Lua need: memory, the pipes, the clock, their own timer, signals to themselves, the end.
_CALLS = {
    "x86_64": (
        0xC000003E,
        {
            "read": 0, "write": 1, "close": 3, "fstat": 5, "lseek": 8, "mmap": 9, "mprotect": 10, "munmap": 11,
            "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "mremap": 25, "madvise": 28,
            "setitimer": 38, "exit": 60, "gettimeofday": 96, "sigaltstack": 131, "time": 201, "futex": 202,
            "restart_syscall": 219, "clock_gettime": 228, "exit_group": 231, "getrandom": 318,
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            "close": 57, "lseek": 62, "read": 63, "write": 64, "fstat": 80, "exit": 93, "exit_group": 94, "futex": 98,
            "setitimer": 103, "clock_gettime": 113, "restart_syscall": 128, "sigaltstack": 132, "rt_sigaction": 134,
            "rt_sigprocmask": 135, "rt_sigreturn": 139, "gettimeofday": 169, "brk": 214, "munmap": 215, "mremap": 216,
            "mmap": 222, "mprotect": 226, "madvise": 233, "getrandom": 278,
        },
    ),
}  # fmt: skip


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def lock() -> str:
    """Give up new privileges and, where the platform has it, all system calls but a few; return the level reached.

    `process+seccomp`, or `process` where the kernel or the processor knows no filter. A call that is not allowed kills
    the process.
    """
    if sys.platform != "linux":
        return "process"
    known = _CALLS.get(os.uname().machine)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), 0, 0, 0) != 0 or known is None:
        return "process"
    code = _filter(*known)
    program = _Program(len(code) // 8, code)
    refused = prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), ctypes.byref(program), 0, 0)
    return "process" if refused else "process+seccomp"


def _filter(architecture: int, calls: dict[str, int]) -> bytes:
    """Return a classic BPF program: another architecture or a call that is not listed kills."""
    numbers = sorted(calls.values())
    steps = [(_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _KILL_PROCESS)]
    steps.append((_LOAD, 0, 0, _CALL_NUMBER))
    steps += [(_EQUAL, len(numbers) - place, 0, number) for place, number in enumerate(numbers)]
    steps += [(_RETURN, 0, 0, _KILL_PROCESS), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)

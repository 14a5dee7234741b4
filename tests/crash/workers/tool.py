"""A program as a worker. `tool.py` answers its input; `tool.py heir` leaves a process behind that nobody else ends."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from effects import PROGRAM_PACE, answer, effect, note, pace  # beside this file, which is not on the path of `-I`


def main(*ways: str) -> None:
    key, run = os.environ["SWARM_IDEMPOTENCY_KEY"], os.environ["SWARM_RUN_ID"]
    address, attempt = key.removeprefix(f"{run}:"), int(os.environ["MSE_ATTEMPT"])
    with effect(key, run, address, attempt) as end:
        given = json.loads(sys.stdin.read())
        if "heir" in ways and os.fork() == 0:
            leave_behind(run, address, attempt, key)
        time.sleep(pace(PROGRAM_PACE))
        result = answer(address, given)
        end(result)
    print(json.dumps(result))


def leave_behind(run: str, address: str, attempt: int, key: str) -> None:
    """Be a process of a session of its own, deaf to SIGTERM, which holds no lock and no pipe of its parent."""
    import signal

    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.closerange(0, 64)
    note("HEIR", run, address, attempt, key)
    time.sleep(3600)
    os._exit(0)


main(*sys.argv[1:])

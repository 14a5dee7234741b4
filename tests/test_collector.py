"""The collector of a process that has opened a swarm."""

from __future__ import annotations

import json
import subprocess
import sys

CHILD = """
import asyncio, gc, json
{before}
from swarm_core import Swarm

async def main():
    async with Swarm.open(plugins=()):
        first = gc.get_count()
    kept = [[] for _ in range(20_000)]
    young = gc.get_count()
    async with Swarm.open(plugins=()):
        again = gc.get_count()
    print(json.dumps([first[2], young[1] + young[2], again[1] + again[2], gc.get_freeze_count(), gc.isenabled()]))

asyncio.run(main())
"""


def facts_of(before=""):
    command = [sys.executable, "-c", CHILD.format(before=before)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)


def test_the_first_swarm_lets_imports_age_and_later_ones_leave_the_collector_alone():
    first, young, again, frozen, enabled = facts_of()

    assert (first, frozen, enabled) == (0, 0, True)
    assert young > 0
    assert again >= young


def test_what_the_program_around_has_frozen_stays_so():
    assert facts_of("gc.freeze()")[3] > 0

"""A program that takes issues of a file, beside others that do: `drain URL OWNER`, `hold URL OWNER`.

`drain` says `ready`, waits for a line, and then takes and applies issues until there is none; it says the id of each.
`hold` takes one issue until the time 200, says its id, and waits to be killed.
"""

import asyncio
import sys

from swarm_core.builtin.sqlite import open_sqlite_issues
from swarm_core.model.enhance import Applied


async def drain(url, owner):
    async with open_sqlite_issues(url) as store:
        print("ready", flush=True)
        sys.stdin.readline()
        while (taken := await store.pop_pending(owner, now=100.0, until=200.0)) is not None:
            await store.update_status(taken.issue.issue_id, Applied(new_version=owner), taken=taken)
            print(taken.issue.issue_id, flush=True)


async def hold(url, owner):
    async with open_sqlite_issues(url) as store:
        taken = await store.pop_pending(owner, now=100.0, until=200.0)
        print(taken.issue.issue_id, flush=True)
        sys.stdin.readline()


asyncio.run({"drain": drain, "hold": hold}[sys.argv[1]](*sys.argv[2:]))

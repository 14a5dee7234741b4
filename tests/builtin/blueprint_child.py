"""A program that writes versions of one Blueprint, beside others that do: `URL WRITER COUNT`.

It says the version of each write that was acknowledged.
"""

import asyncio
import json
import sys

from swarm_core.builtin.sqlite import open_sqlite_blueprints
from swarm_core.errors import VersionConflict
from swarm_core.model.version import CommitMetadata


async def main(url, writer, count):
    said = CommitMetadata(rationale=f"writer {writer}", author=writer)
    async with open_sqlite_blueprints(url) as store:
        parent = None
        for number in range(int(count)):
            text = json.dumps({"by": [writer, number], "id": "review"}, separators=(",", ":"))
            while True:
                try:
                    entry = await store.write_new("review", text, parent=parent, metadata=said)
                    break
                except VersionConflict as conflict:
                    parent = conflict.actual
            parent = entry.version
            print(entry.version, flush=True)


asyncio.run(main(*sys.argv[1:]))

"""An engine that works on issues and dies at a place that it is told: `enhance_child.py FILE PLACE`."""

import asyncio
import json
import os
import signal
import sys
from functools import partial

import swarm_plugin_enhance
from swarm_plugin_enhance import EnhanceApplication

from swarm_core import Swarm
from swarm_core.builtin.sqlite.blueprints import SqliteBlueprintStore
from swarm_core.builtin.sqlite.enhance import SqliteEnhanceLogStore
from swarm_core.builtin.sqlite.issues import SqliteIssueStore
from swarm_core.settings import Settings

PLACES = {
    "commit": (SqliteBlueprintStore, "write_new"),
    "log": (SqliteEnhanceLogStore, "append"),
    "status": (SqliteIssueStore, "update_status"),
}
PATCH = {
    "ops": [{"op": "replace", "path": "/agents/0/profile/system_prompt", "value": "hello"}],
    "rationale": "friendlier",
    "bump": "minor",
}


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def improve(ctx, *, place):
    """Write the patch, or die."""
    if place == "patch":
        die()
    return PATCH


def deadly(cls, name, *, after):
    """Let a method be the last thing that the process does, or what it does not come to any more."""
    method = getattr(cls, name)

    async def dies(self, *args, **more):
        said = more.get("metadata")
        if said is not None and not (said.author or "").startswith("enhance "):
            return await method(self, *args, **more)
        if after:
            await method(self, *args, **more)
        return die()

    setattr(cls, name, dies)


async def work(file, place):
    when, _, what = place.partition("-")
    if what:
        deadly(*PLACES[what], after=when == "after")
    settings = Settings(sections={"enhance": {"lease": 1, "poll": "50ms"}})
    functions = {"improve": partial(improve, place=place)}
    async with Swarm.open(
        settings, store=f"sqlite:///{file}", plugins=(swarm_plugin_enhance,), functions=functions
    ) as swarm:
        async for outcome in EnhanceApplication(swarm).run_forever():
            if outcome.ended:
                print(json.dumps(outcome.as_json()))
                return


asyncio.run(work(*sys.argv[1:]))

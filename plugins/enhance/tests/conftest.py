"""A swarm in memory with a Blueprint to improve, and a patch agent that answers what a test says."""

import json
from contextlib import asynccontextmanager

import pytest
import swarm_plugin_enhance
from attrs import evolve, field, frozen
from swarm_plugin_enhance import EnhanceApplication
from swarm_plugin_enhance.orbit import default_setting

from swarm_core import Swarm
from swarm_core.codec import structure_blueprint
from swarm_core.model.enhance import PatchAgent
from swarm_core.model.version import CommitMetadata
from swarm_core.versions import canonical_text

TARGET = {
    "id": "greet",
    "flow": {
        "kind": "step",
        "ref": "greeter",
        "in": {"op": "path", "at": "$.who"},
        "out": {"op": "path", "at": "$.said"},
    },
    "agents": [
        {"name": "greeter", "kind": "function", "spec": {"fn_id": "identity"}, "profile": {"system_prompt": "hi"}}
    ],
    "metadata": {"version_label": "1.0.0"},
}
PROMPT = "/agents/0/profile/system_prompt"


def prompt_patch(text="hello"):
    return {"ops": [{"op": "replace", "path": PROMPT, "value": text}], "rationale": "friendlier", "bump": "minor"}


@frozen(kw_only=True)
class Loop:
    """The loop on an open swarm; `patches` are what the patch agent answers, one after the other, the last for ever."""

    swarm: Swarm
    application: EnhanceApplication
    stores: object
    patches: list = field(factory=lambda: [prompt_patch()])

    async def add(self, intent="be friendlier", blueprint="greet"):
        return (await self.application.handle(blueprint, intent)).issue_id

    async def once(self, *patches, intent="be friendlier", **setting):
        """Put one issue through the loop; return what came of it and its log entry."""
        if patches:
            self.patches[:] = patches
        if setting:
            await self.set(**setting)
        issue_id = await self.add(intent)
        outcome = await self.application.tick()
        return outcome, await self.stores.log.get(issue_id)

    async def set(self, **facts):
        await self.stores.settings.put(evolve(await self.stores.settings.get("default"), **facts))

    async def head(self):
        text, entry = await self.swarm.blueprints.read_head("greet")
        return json.loads(text), entry

    async def write(self, document, parent, **said):
        text = canonical_text(structure_blueprint(document))
        return await self.swarm.blueprints.write_new("greet", text, parent=parent, metadata=CommitMetadata(**said))

    async def status(self, issue_id):
        return (await self.stores.issues.status(issue_id)).kind


@asynccontextmanager
async def opened(store="memory://", functions=(), settings=None, plugins=(), **opening):
    patches = [prompt_patch()]
    asked = []

    async def improve(ctx):
        asked.append(ctx)
        patch = patches.pop(0) if len(patches) > 1 else patches[0]
        if callable(patch):
            patch = await patch(ctx)
        return patch

    async with Swarm.open(
        settings,
        store=store,
        plugins=(swarm_plugin_enhance, *plugins),
        functions={"improve": improve, **dict(functions)},
        **{"blueprints": "memory://", "issues": "memory://", **opening},
    ) as swarm:
        loop = Loop(
            swarm=swarm,
            application=EnhanceApplication(swarm),
            stores=await swarm.enhance_stores(),
            patches=patches,
        )
        yield loop


async def prepared(loop):
    """Keep the target, and let the function write the patches."""
    await loop.write(TARGET, None, rationale="first")
    await loop.stores.settings.put(
        evolve(default_setting(), spawner=PatchAgent(kind="function", spec={"fn_id": "improve"}))
    )
    return loop


@pytest.fixture
def open_loop():
    """Open a loop; keywords go to `Swarm.open`."""

    @asynccontextmanager
    async def begin(**opening):
        async with opened(**opening) as loop:
            yield await prepared(loop)

    return begin


@pytest.fixture
async def loop(open_loop):
    async with open_loop() as loop:
        yield loop

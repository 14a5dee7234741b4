"""An engine that is killed in the middle of the loop leaves nothing half done, and nothing is done twice."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import evolve

from swarm_core import Swarm
from swarm_core.codec import structure_blueprint
from swarm_core.model.enhance import PatchAgent
from swarm_core.model.run import RunFilter
from swarm_core.model.version import CommitMetadata
from swarm_core.versions import canonical_text

swarm_plugin_enhance = pytest.importorskip("swarm_plugin_enhance")
orbit = pytest.importorskip("swarm_plugin_enhance.orbit")

CHILD = Path(__file__).with_name("enhance_child.py")
TARGET = {
    "id": "greet",
    "flow": {"kind": "seq", "children": []},
    "agents": [
        {"name": "greeter", "kind": "function", "spec": {"fn_id": "identity"}, "profile": {"system_prompt": "hi"}}
    ],
}


def start(file, place):
    return subprocess.run([sys.executable, CHILD, file, place], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
async def file(tmp_path):
    path = tmp_path / "swarm.db"
    async with opened(path) as swarm:
        stores = await swarm.enhance_stores()
        spawner = PatchAgent(kind="function", spec={"fn_id": "improve"})
        await stores.settings.put(evolve(orbit.default_setting(), spawner=spawner))
        text = canonical_text(structure_blueprint(TARGET))
        await swarm.blueprints.write_new("greet", text, parent=None, metadata=CommitMetadata(rationale="first"))
        await swarm_plugin_enhance.EnhanceApplication(swarm).handle("greet", "be friendlier")
    return path


def opened(path):
    return Swarm.open(store=f"sqlite:///{path}", plugins=(swarm_plugin_enhance,))


@pytest.mark.parametrize(
    "place", ["patch", "before-commit", "after-commit", "before-log", "after-log", "before-status", "after-status"]
)
async def test_whoever_comes_after_a_killed_engine_ends_what_it_began(file, place):
    killed = start(file, place)
    assert -signal.SIGKILL == killed.returncode, killed.stderr

    if place != "after-status":
        done = start(file, "nowhere")
        assert "applied" == json.loads(done.stdout)["status"], done.stderr

    async with opened(file) as swarm:
        stores = await swarm.enhance_stores()
        ((issue_id, status),) = await stores.issues.list()
        newest, first = await swarm.blueprints.history("greet")
        (entry,) = await stores.log.list_all()
        (run,) = await swarm.history.runs(RunFilter(blueprint_id=orbit.ORBIT))
        assert ("applied", newest.version) == (status.kind, status.new_version)
        assert (issue_id, first.version, newest.version) == (entry.issue_id, entry.prev_hash, entry.new_hash)
        assert ("friendlier", 7) == (entry.rationale, len(entry.verdicts))
        assert "done" == run.status


async def test_two_engines_at_the_same_time_do_each_issue_once(file):
    async with opened(file) as swarm:
        stores = await swarm.enhance_stores()
        for number in range(3):
            await swarm_plugin_enhance.EnhanceApplication(swarm).handle("greet", f"issue {number}")

    command = [sys.executable, CHILD, file, "nowhere"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outcomes = [json.loads(process.communicate(timeout=60)[0]) for process in both]

    assert 2 == len({outcome["issue_id"] for outcome in outcomes})
    async with opened(file) as swarm:
        stores = await swarm.enhance_stores()
        assert 2 == len(await stores.log.list_all())
        assert 2 == len(await swarm.blueprints.history("greet"))

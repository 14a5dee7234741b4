"""The code review, killed in the middle and resumed: the same report, and nothing that was recorded is done again."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from swarm_core.history import open_history
from swarm_core.settings import Settings

REVIEW = Path(__file__).resolve().parents[2] / "examples" / "code_review" / "code_review.yaml"
SWARM = (sys.executable, "-m", "swarm_core")
ENV = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}


@pytest.fixture
def tree(tmp_path):
    """A tree of which each file has something to repair, or that no machine can repair."""
    folder = tmp_path / "tree"
    folder.mkdir()
    for number in range(12):
        (folder / f"untidy{number}.py").write_text("import sys\nimport os\nprint(os.name, sys.path)\n" * (number + 1))
    (folder / "broken.py").write_text("def f(:\n")
    return folder


def command(tree, folder):
    return [*SWARM, "run", str(REVIEW), "--set", f"path={tree}", "--set", f"work_dir={folder}", "--json"]


def swarm(*args, cwd):
    done = subprocess.run([*SWARM, *args], cwd=cwd, env=ENV, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


async def kill_after(process, count, cwd):
    """Kill a run of which so many steps have passed, and return its id."""
    store = cwd / ".swarm" / "swarm.db"
    async with asyncio.timeout(60):
        while not store.exists():
            await asyncio.sleep(0.01)
        async with open_history(Settings(), f"sqlite:///{store}") as history:
            while not (runs := await history.runs()) or (await history.counted(runs[0])).counts["pass"] < count:
                assert process.poll() is None, "it has ended before"
                await asyncio.sleep(0.01)
    process.kill()
    process.communicate()
    return runs[0].id


@pytest.mark.parametrize("count", [3, 15])
async def test_p1_p3_killed_and_resumed_the_review_says_what_it_reused_and_reports_the_same(tree, tmp_path, count):
    subprocess.run(command(tree, "out"), cwd=tmp_path, env=ENV, capture_output=True, timeout=120, check=True)
    expected = (tmp_path / "out" / "report.md").read_text()
    project = tmp_path / "again"
    project.mkdir()

    process = subprocess.Popen(
        command(tree, "out"), cwd=project, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    run_id = await kill_after(process, count, project)
    code, out, err = swarm("resume", run_id, cwd=project)
    _, shown, _ = swarm("show", run_id, "--json", cwd=project)

    steps = json.loads(shown)["steps"]
    (facts,) = json.loads(shown)["resumed"]
    assert (0, "escalated") == (code, json.loads(out)["outcome"]), err
    assert expected == (project / "out" / "report.md").read_text()
    assert facts["reused"] >= count
    assert f"{facts['reused']} steps reused, {len(steps) - facts['reused']} run" in err
    assert {"pass"} == {step["status"] for step in steps}

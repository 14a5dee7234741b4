"""Homes go with their attempts, and with engines that were killed."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest
from swarm_plugin_subprocess.homes import Homes, sweep

HOLD = "echo $0 >at; mv at told; cat fifo"


def names(folder):
    return [path.name for path in folder.iterdir()]


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """A folder for temporary files of this test's own."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


class TestSweep:
    async def test_a_home_in_use_is_left_alone(self, temporary):
        async with Homes().home() as home:
            sweep()

            assert names(temporary) == [Path(home).name]

        assert names(temporary) == []

    async def test_what_a_dead_engine_left_goes_with_the_first_home(self, temporary):
        left = temporary / "swarm-worker-left"
        (left / "closed").mkdir(parents=True)
        (left / "system.md").write_text("secret")
        (left / "closed").chmod(0o500)

        async with Homes().home():
            assert not left.exists()

    async def test_what_is_not_ours_is_left_alone(self, temporary):
        (temporary / "swarm-worker-file").write_text("a file")
        (temporary / "swarm-worker-link").symlink_to(temporary.parent)
        (temporary / "other").mkdir()

        async with Homes().home():
            found = set(names(temporary))

        assert {"swarm-worker-file", "swarm-worker-link", "other"} < found
        assert temporary.parent.exists()

    async def test_homes_of_attempts_at_the_same_time_keep_apart(self, temporary):
        homes = Homes()

        async with homes.home() as one, homes.home() as two:
            assert one != two
            assert len(names(temporary)) == 2


async def test_p27_the_file_with_the_system_prompt_goes_with_an_engine_that_was_killed(tmp_path):
    """SIGKILL leaves the folder, and the next engine removes it; the one of a living engine stays."""
    (tmp_path / "tmp").mkdir()
    blueprint = {
        "id": "b",
        "flow": {"kind": "step", "ref": "a", "in": {"op": "lit", "value": "x"}, "out": {"op": "path", "at": "$.x"}},
        "subprocesses": [
            {"name": "hold", "command": ["sh", "-c", "echo $0 >at; mv at told; cat fifo", "{system_file}"]}
        ],
        "agents": [
            {
                "name": "a",
                "kind": "subprocess",
                "spec": {"template": "hold"},
                "profile": {"system_prompt": "a secret"},
            }
        ],
    }
    (tmp_path / "b.json").write_text(json.dumps(blueprint))
    os.mkfifo(tmp_path / "fifo")
    quick = {**blueprint, "subprocesses": [{"name": "hold", "command": ["echo", "1", "{system_file}"]}]}
    quick["subprocesses"][0]["output"] = {"format": "text"}
    (tmp_path / "quick.json").write_text(json.dumps(quick))

    engine = await start(tmp_path, "b.json")
    while not (tmp_path / "told").exists():
        assert engine.returncode is None
        await asyncio.sleep(0.02)
    held = Path((tmp_path / "told").read_text().strip())
    assert held.read_text() == "a secret"
    assert (await (await start(tmp_path, "quick.json")).wait()) == 0
    assert held.exists()

    engine.send_signal(signal.SIGKILL)
    await engine.wait()
    assert (await (await start(tmp_path, "quick.json")).wait()) == 0

    assert not held.exists()
    assert names(tmp_path / "tmp") == []


async def start(folder, blueprint):
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "swarm_core", "run", blueprint, "--store", "memory://", "--quiet",
        cwd=folder, env={**os.environ, "TMPDIR": str(folder / "tmp")},
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip

"""Real processes for the tests of plugins."""

import sys
from pathlib import Path

import pytest

from swarm_core.errors import SpawnFailed
from swarm_core.testing import processes


async def test_a_process_runs_and_its_output_is_read():
    async with processes() as started:
        process = await started.start([sys.executable, "-c", "print('hello')"], env={})

        text = b""
        while piece := await process.read_stdout(100):
            text += piece

        assert (text, await process.wait()) == (b"hello\n", 0)


async def test_none_is_left_at_the_end():
    async with processes() as started:
        process = await started.start([sys.executable, "-c", "import time; time.sleep(60)"], env={})

    assert not Path(f"/proc/{process.pid}").exists()


async def test_a_missing_program_is_refused_as_in_an_engine():
    async with processes() as started:
        with pytest.raises(SpawnFailed):
            await started.start(["/no/such/program"], env={})

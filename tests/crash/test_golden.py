"""P11, P12: what a release has written, later ones go on with; see `golden/make_golden.py`."""

import importlib.util
from importlib.metadata import version
from pathlib import Path

import pytest

from swarm_core import Swarm
from swarm_core.history import History
from swarm_core.model.run import RunFilter

GOLDEN = Path(__file__).resolve().parent / "golden"
RELEASES = sorted(dump.stem for dump in GOLDEN.glob("*.sql"))

# What the workers are called for when the run goes on: nothing that is recorded.
LEFT = {"interrupted": ["/6/body@1", "/6/body@2", "/8"], "waiting": ["/8"], "done": []}
FINAL = {
    "items": [1, 2, 3],
    "trail": ["/0", "/3/catch", "/6/body@0", "/6/body@1", "/6/body@2", "/8"],
    "won": {"items": [1, 2, 3], "trail": ["/0"], "item": "quick", "name": "quick"},
    "error": "step 'fail' failed: dispatch failed: RuntimeError: no quick",
    "parts": [[1, "/4/child@0"], [2, "/4/child@1"], [3, "/4/child@2"]],
    "first": "one",
    "second": "two",
    "rounds": 3,
}
SETTLED = ["fulfilled", "rejected", "fulfilled"]


@pytest.fixture(scope="module")
def golden():
    """The module that made the stores."""
    spec = importlib.util.spec_from_file_location("make_golden", GOLDEN / "make_golden.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=["store", "export"])
def restored(request, golden, tmp_path):
    """Restore the runs of a release, from its store or from its exports; return the store's URL."""

    async def restore(release):
        file = tmp_path / "golden.db"
        if request.param == "store":
            golden.restore(GOLDEN / f"{release}.sql", file)
        else:
            async with Swarm.open(plugins=(), store=f"sqlite:///{file}") as swarm:
                history = History(swarm.store, swarm.outputs)
                for kind in golden.KINDS:
                    await history.import_((GOLDEN / f"{release}-{kind}.jsonl").read_bytes().splitlines())
        return f"sqlite:///{file}"

    return restore


async def ended(golden, url, kind):
    """Let one of the runs go on to its end; return its final ctx and the steps for which a worker was called."""
    workers = golden.Workers()
    async with Swarm.open(plugins=(), functions=workers.functions(), store=url) as swarm:
        run = next(run for run in await swarm.store.runs(RunFilter()) if run.key == kind)
        if kind != "done":
            launched = await swarm.resume(run.id)
            await golden.answer(swarm, launched, {"second?": "two"})
            await launched.wait()
        return await History(swarm.store, swarm.outputs).result(run.id), workers.called


@pytest.mark.parametrize("kind", LEFT)
@pytest.mark.parametrize("release", RELEASES)
async def test_p12_a_recorded_run_goes_on_as_it_was_recorded(release, kind, restored, golden):
    """P12: the same answers in the same order give the same commands; a race has the winner that it had."""
    final, called = await ended(golden, await restored(release), kind)

    assert LEFT[kind] == called
    assert SETTLED == [lane["status"] for lane in final.pop("settled")]
    final["won"].pop("settled")
    assert FINAL == final


@pytest.mark.parametrize("release", RELEASES)
async def test_p11_a_store_of_a_release_is_whole(release, restored):
    async with Swarm.open(plugins=(), store=await restored(release)) as swarm:
        assert [] == list(await swarm.store.problems())
        assert 3 == sum((await swarm.store.count()).values())


def test_p11_there_is_a_store_of_this_release():
    assert version("swarm-core") in RELEASES

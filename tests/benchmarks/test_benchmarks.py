"""The benchmark's adapters do the whole work they claim to do, and the report computes what it says."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
WORKLOADS = ["chain", "loop", "fan_out", "sleeping_fan_out", "growing_state", "cold_start"]
DURABLE = [
    "durable_chain",
    "durable_fan_out",
    "chains_20",
    "chains_200",
    "durable_growing_state",
    "untouched_state",
    "answers",
    "resume",
    "durable_cold_start",
]
DURABLE_OF = {"floor": [*DURABLE, "relaxed_chain"], "swarm": [*DURABLE, "relaxed_chain", "start_up", "suspended"]}
ONE_STEP = {"cold_start", "durable_cold_start"}


def measure(module: str, workload: str, folder: Path) -> dict[str, Any]:
    size = "1" if workload in ONE_STEP else "25"
    command = [sys.executable, str(BENCHMARKS / "measure.py"), module, workload, size]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = ast.literal_eval(done.stdout)
    return figures


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """The harness's own modules, which import each other by plain name; forgotten again afterwards."""
    names = ("workloads", "targets", "report", "measure", "adapters", "environments", "sample", "run")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield {name: import_module(name) for name in names}
    for name in [*names, *(name for name in sys.modules if name.partition(".")[0] == "peers")]:
        del sys.modules[name]


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("peer", ["floor", "swarm"])
def test_adapter_does_the_whole_workload(peer: str, workload: str, tmp_path: Path) -> None:
    assert measure(f"peers.{peer}", workload, tmp_path)["run_s"] > 0


@pytest.mark.parametrize(("peer", "workload"), [(peer, each) for peer, all_of in DURABLE_OF.items() for each in all_of])
def test_adapter_does_the_whole_workload_on_disk(
    peer: str, workload: str, tmp_path: Path, modules: dict[str, ModuleType]
) -> None:
    figures = measure(f"peers.durable.{peer}", workload, tmp_path)

    sample = figures | {"size": 25, "disk_bytes": modules["sample"].bytes_in(tmp_path), "wall_s": 1.0}
    assert sample["disk_bytes"] > 0
    assert isinstance(modules["workloads"].BY_NAME[workload].figure(sample), float)


def test_in_memory_workloads_leave_nothing_behind(tmp_path: Path) -> None:
    measure("peers.swarm", "chain", tmp_path)

    assert [] == list(tmp_path.iterdir())


def test_all_durable_workloads_are_tried_here(modules: dict[str, ModuleType]) -> None:
    named = {workload.name for workload in modules["workloads"].DURABLE}

    assert named == {*DURABLE_OF["swarm"], "run_command"}


def test_each_workload_is_offered_by_swarm_and_said_how(modules: dict[str, ModuleType]) -> None:
    swarm = modules["adapters"].Peer.load("swarm")

    for workload in modules["workloads"].WORKLOADS:
        assert swarm.offers(workload)
        assert workload.name in swarm.how


def test_peers_say_how_they_do_what_they_do(modules: dict[str, ModuleType]) -> None:
    for name in modules["adapters"].PEERS:
        peer = modules["adapters"].Peer.load(name)
        offered = {workload.name for workload in modules["workloads"].WORKLOADS if peer.offers(workload)}

        assert offered
        assert set(peer.how) <= offered


def test_peers_share_an_environment_only_with_the_same_requirements(modules: dict[str, ModuleType]) -> None:
    by_environment: dict[str, list[str]] = {}
    for name in modules["adapters"].PEERS:
        peer = modules["adapters"].Peer.load(name)
        assert by_environment.setdefault(peer.environment, peer.requires) == peer.requires


def test_figures_are_told_in_the_unit_of_the_workload(modules: dict[str, ModuleType]) -> None:
    by_name = modules["workloads"].BY_NAME
    sample = {"size": 100, "run_s": 0.5, "round_trip_s": 0.002, "disk_bytes": 50_000, "rss_mib": 12.0}

    figures = [by_name[name].figure(sample) for name in ("durable_chain", "answers", "untouched_state", "suspended")]

    assert figures == [200, 2, 500, 12]


def test_fewer_samples_of_what_takes_long_are_enough(modules: dict[str, ModuleType]) -> None:
    enough = modules["run"].enough

    assert not enough([{"wall_s": 2.0}] * 2)
    assert enough([{"wall_s": 2.0}] * 3)
    assert enough([{"wall_s": 20.0}] * 2)
    assert not enough([{"wall_s": 0.5}, *[{"wall_s": 2.0}] * 2])
    assert not enough([])


def test_folder_in_memory_is_refused(modules: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    """fsync costs nothing on a tmpfs: a durable figure from there would be worth nothing."""
    monkeypatch.setattr(modules["sample"], "file_system", lambda folder: "tmpfs")

    with pytest.raises(SystemExit, match="--disk"):
        modules["sample"].disk(Path("/somewhere"))


@pytest.mark.parametrize("result", [4, [{"number": 0}], [{"number": 0}, {"number": 0}], None])
def test_result_that_is_not_the_whole_work_is_refused(modules: dict[str, ModuleType], result: Any) -> None:
    with pytest.raises(SystemExit, match="not"):
        modules["measure"].check(result, 2)


@pytest.mark.parametrize("result", [2, [{"number": 1}, {"number": 0}]])
def test_result_that_is_the_whole_work_is_accepted(modules: dict[str, ModuleType], result: Any) -> None:
    assert modules["measure"].check(result, 2) is None


def results_of(modules: dict[str, ModuleType], run_s: dict[str, list[float]]) -> dict[str, Any]:
    """What run.py hands to the report, for chains of 1,000 steps and single sleeping items that took `run_s`."""
    summary, table = modules["report"].summary, modules["workloads"].BY_NAME

    def peer(times: list[float]) -> dict[str, Any]:
        chain = [{"size": 1000, "run_s": seconds, "other_cpu": 0.0} for seconds in times]
        figures = {name: summary(table[name], chain) for name in ("chain", "sleeping_fan_out")}
        return {"versions": {}, "how": {}, "failed": {}, "workloads": figures}

    meta = {"date": "2026-01-01", "python": "3.11", "cpu": "a CPU", "cpus": 2, "repetitions": 3, "scale": 1.0}
    return {"meta": meta, "peers": {name: peer(times) for name, times in run_s.items()}}


def rows(markdown: str, title: str) -> list[str]:
    return [line for line in markdown.splitlines() if line.startswith(f"| {title}")]


def test_report_shows_medians_and_ratios(modules: dict[str, ModuleType]) -> None:
    results = results_of(modules, {"swarm": [0.5, 0.1, 0.2], "burr": [0.4, 0.4, 0.4]})

    figures, ratios = rows(modules["report"].markdown(results), "chain of 1,000 steps")

    assert figures == "| chain of 1,000 steps, /s | **5,000** (2,000 to 10,000) | **2,500** (2,500 to 2,500) |"
    assert ratios == "| chain of 1,000 steps, /s | 2.00 |"


def test_ratio_of_durations_is_above_one_when_swarm_is_faster(modules: dict[str, ModuleType]) -> None:
    results = results_of(modules, {"swarm": [0.1], "floor": [0.05]})

    _, ratios = rows(modules["report"].markdown(results), "100 items of 50 ms")

    assert ratios == "| 100 items of 50 ms at once, ms | 0.50 |"


def test_failure_stands_in_the_report(modules: dict[str, ModuleType]) -> None:
    results = results_of(modules, {"swarm": [0.1], "burr": [0.1]})
    results["peers"]["burr"]["failed"] = {"loop": "exit code 1"}

    markdown = modules["report"].markdown(results)

    assert "- burr loop: exit code 1" in markdown
    assert rows(markdown, "loop of 1,000 turns") == ["| loop of 1,000 turns, /s | - | failed |"]


def kept(modules: dict[str, ModuleType], steps_a_second: dict[str, float]) -> dict[str, Any]:
    """What run.py hands to the report, for durable chains of peers."""
    workload = modules["workloads"].BY_NAME["durable_chain"]

    def peer(rate: float) -> dict[str, Any]:
        sample = {"size": 1000, "run_s": 1000 / rate, "other_cpu": 0.0, "disk_bytes": 5}
        found = modules["report"].summary(workload, [sample]) | {"syncs": 1.0}
        return {"versions": {}, "how": {}, "failed": {}, "workloads": {"durable_chain": found}}

    meta = {"date": "2026-01-01", "python": "3.11", "cpu": "a CPU", "cpus": 2, "repetitions": 3, "scale": 1.0}
    peers = {name: peer(rate) for name, rate in steps_a_second.items()}
    return {"meta": meta | {"file_system": "ext4"}, "peers": peers}


def test_report_says_what_is_on_disk_and_how_it_was_synced(modules: dict[str, ModuleType]) -> None:
    markdown = modules["report"].markdown(kept(modules, {"floor": 3000, "swarm": 2500}))

    assert "## Figures on disk (ext4)" in markdown
    assert "## Figures\n" not in markdown
    assert "**2,500** (2,500 to 2,500, 1.0 fsyncs a step)" in markdown


@pytest.mark.parametrize(
    ("swarm", "verdicts"), [(2500, ["met", "met"]), (2200, ["met", "missed"]), (900, ["missed"] * 2)]
)
def test_report_holds_the_targets_against_the_figures(
    modules: dict[str, ModuleType], swarm: float, verdicts: list[str]
) -> None:
    """With Burr at 1,000 steps a second and the bare commit at 3,000: at least 2 times, at most 1.3 times the time."""
    markdown = modules["report"].markdown(kept(modules, {"floor": 3000, "swarm": swarm, "burr": 1000}))

    lines = [line for line in markdown.splitlines() if line.endswith(("| met |", "| missed |"))]
    assert verdicts == [line.split("|")[4].strip() for line in lines]


def test_targets_without_figures_are_left_out(modules: dict[str, ModuleType]) -> None:
    assert "What durability may cost" not in modules["report"].markdown(kept(modules, {"floor": 3000}))

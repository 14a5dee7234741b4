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


def measure(peer: str, workload: str, size: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / "measure.py"), peer, workload, str(size)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """The harness's own modules, which import each other by plain name; forgotten again afterwards."""
    names = ("workloads", "report", "measure")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield {name: import_module(name) for name in names}
    for name in names:
        del sys.modules[name]


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("peer", ["floor", "swarm"])
def test_adapter_does_the_whole_workload(peer: str, workload: str) -> None:
    done = measure(peer, workload, 1 if workload == "cold_start" else 25)

    assert done.returncode == 0, done.stderr
    assert ast.literal_eval(done.stdout)["run_s"] > 0


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

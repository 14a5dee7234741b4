"""Measure what linked layers cost a step, and what the plugins cost a start: one line per figure, best of several.

Run: python benchmarks/layers.py
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from time import perf_counter, process_time
from typing import Any

from attrs import evolve

from swarm_core import Swarm, function
from swarm_core.contracts import Run, SpawnerLayer
from swarm_core.factories import LayerFactory, Stage
from swarm_core.hookspecs import hookimpl
from swarm_core.model.call import Call, Result

STEPS = 10_000
LAYERS = 5
# What was aimed at; a figure above it says so, and nothing fails: a shared machine is no place for that.
MOST_A_STEP, MOST_A_START = 5e-6, 0.150

LOAD = """
from time import process_time
from swarm_core import builtin
from swarm_core.host import Host
from swarm_core.settings import Settings
begin = process_time()
Host.load(None, Settings(), builtin=(builtin,), strict=False)
print(process_time() - begin)
"""


class Transparent(SpawnerLayer):
    """Does nothing, as a layer does that only looks."""

    async def run(self, call: Call, inner: Run) -> Result:
        return await inner(call)


class Telling(SpawnerLayer):
    """Passes on a Call of its own, as a layer does that changes something."""

    async def run(self, call: Call, inner: Run) -> Result:
        return await inner(evolve(call, meta={**call.meta, "told": 1}))


class Plugin:
    """Provides the layers that are measured."""

    SWARM_API = 1

    @hookimpl
    def swarm_register_layers(self) -> list[LayerFactory]:
        kinds = {"transparent": Transparent, "telling": Telling}
        return [
            LayerFactory(f"{name}{number}", Stage.ROUTE, lambda options, environment, kind=kind: kind())
            for name, kind in kinds.items()
            for number in range(LAYERS)
        ]


@function(inline=True)
def echo(text: Any) -> Any:
    return text


def blueprint(layers: list[str]) -> dict[str, Any]:
    step = {"kind": "step", "ref": "a", "in": {"op": "path", "at": "$.x"}, "out": {"op": "path", "at": "$.x"}}
    counter, most = {"op": "path", "at": "$.i"}, {"op": "lit", "value": STEPS}
    loop = {"kind": "loop", "counter": counter, "cond": {"op": "lt", "lhs": counter, "rhs": most}, "max": STEPS}
    return {
        "id": "layers",
        "flow": {**loop, "body": step},
        "agents": [{"name": "a", "kind": "function", "spec": {"fn_id": "echo"}}],
        "spawner_hints": {"layers": layers},
        "default_init_ctx": {"x": 1, "i": 0},
    }


async def seconds(chains: dict[str, list[str]], times: int = 9) -> dict[str, float]:
    """Return the CPU time of a step with each of several chains, the best of runs that take turns."""
    found: dict[str, list[float]] = {name: [] for name in chains}
    async with Swarm.open(plugins=(Plugin(),), functions=[echo]) as swarm:
        prepared = {name: swarm.prepare(blueprint(layers)) for name, layers in chains.items()}
        for _ in range(times):
            for name in chains:
                begin = process_time()
                result = await (await swarm.launch(prepared[name])).wait()
                found[name].append((process_time() - begin) / STEPS)
                assert result.status == "done", result
    return {name: min(each) for name, each in found.items()}


def loading(python: str = sys.executable, times: int = 7) -> tuple[float, float]:
    """Return how long the host takes to load all plugins in a fresh process, and the whole `swarm --version`."""

    def best(*command: str) -> float:
        return min(_timed(command) for _ in range(times))

    load = min(
        float(subprocess.run([python, "-c", LOAD], capture_output=True, check=True).stdout) for _ in range(times)
    )
    return load, best(python, "-m", "swarm_core", "--version")


def _timed(command: tuple[str, ...]) -> float:
    begin = perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    return perf_counter() - begin


def report(what: str, took: float, most: float | None = None) -> None:
    unit, factor = ("us", 1e6) if took < 1e-3 else ("ms", 1e3)
    aim = "" if most is None else f"  aim: at most {most * factor:g} {unit}{'' if took <= most else ', MISSED'}"
    print(f"{what:<66} {took * factor:9.2f} {unit}{aim}")


def main() -> None:
    chains = {name: [f"{name}{number}" for number in range(LAYERS)] for name in ("transparent", "telling")}
    took = asyncio.run(seconds({"none": [], **chains}))
    report("a step without layers", took["none"])
    report(f"{LAYERS} layers that only look add to a step", took["transparent"] - took["none"], MOST_A_STEP)
    report(f"{LAYERS} layers that each pass on a Call of their own", took["telling"] - took["none"])
    load, version = loading()
    report("the host loads all plugins that are installed, CPU time", load, MOST_A_START)
    report("`swarm --version`, the whole process", version)


if __name__ == "__main__":
    main()

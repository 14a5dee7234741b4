"""Measure what the evaluation of flows costs, apart from any step: prints one line per figure, CPU time, best of three.

Run: python benchmarks/pure_flow.py
"""

from __future__ import annotations

import asyncio
from time import process_time
from typing import Any

from swarm_core.flow import CompiledFlow, Dispatch, Limits, compile_flow
from swarm_core.model.nodes import Let, Lit, Path, Seq


def path(at: str) -> dict[str, Any]:
    return {"op": "path", "at": at}


def lit(value: Any) -> dict[str, Any]:
    return {"op": "lit", "value": value}


def counting_loop(times: int) -> CompiledFlow:
    add = {"kind": "let", "at": "$.x", "value": {"op": "add", "lhs": path("$.x"), "rhs": lit(1)}}
    cond = {"op": "lt", "lhs": path("$.i"), "rhs": lit(times)}
    return compile_flow({"kind": "loop", "counter": path("$.i"), "cond": cond, "body": add, "max": times})


def fanout(body: dict[str, Any]) -> CompiledFlow:
    return compile_flow(
        {
            "kind": "fanout",
            "items": path("$.items"),
            "bind": path("$.item"),
            "body": body,
            "join": "all",
            "out": path("$.out"),
        }
    )


def step(in_: str, out: str) -> dict[str, Any]:
    return {"kind": "step", "ref": "echo", "in": path(in_), "out": path(out)}


def objects(count: int) -> list[dict[str, Any]]:
    return [{"id": number, "name": f"object {number}", "done": False} for number in range(count)]


async def at_once(ref: str, value: Any, address: str) -> Any:
    return value


async def after_a_turn(ref: str, value: Any, address: str) -> Any:
    await asyncio.sleep(0)
    return value


def seconds(flow: CompiledFlow, ctx: Any, dispatch: Dispatch = at_once) -> float:
    async def once() -> float:
        begin = process_time()
        await flow.run(ctx, dispatch, limits=Limits(max_ctx_bytes=2**60))
        return process_time() - begin

    return min(asyncio.run(once()) for _ in range(3))


def assigns(count: int) -> CompiledFlow:
    lets = tuple(Let(at=Path(at=f"$.k{number}"), value=Lit(value=number)) for number in range(count))
    return compile_flow(Seq(children=lets))


def report(what: str, took: float, *, per: int = 0) -> None:
    rate = f"  {per / took:>12,.0f}/s  {took / per * 1e6:8.2f} us each" if per else ""
    print(f"{what:<66} {took * 1e3:9.1f} ms{rate}")


def main() -> None:
    small, large = {"x": 0, "items": objects(1_000)}, {"x": 0, "big": objects(200_000)}
    lookup = {"kind": "let", "at": "$.y", "value": path("$.item.id")}
    for times in (2_000, 20_000):
        took = seconds(counting_loop(times), small)
        report(f"loop of {times:,} over a ctx with 1,000 objects", took, per=times)
    report("loop of 10,000 over a ctx with 10 MB elsewhere", seconds(counting_loop(10_000), large), per=10_000)
    report("the same ctx, loop of 1 (the look at the ctx as it comes in)", seconds(counting_loop(1), large))
    for count in (8_000, 16_000, 80_000):
        ctx = {"items": objects(count)}
        report(f"fan-out over {count:,} items in the ctx, pure body", seconds(fanout(lookup), ctx), per=count)
        took = seconds(fanout(step("$.item.id", "$.y")), ctx)
        report(f"fan-out over {count:,} items, a step that answers at once", took, per=count)
        took = seconds(fanout(step("$.item.id", "$.y")), ctx, after_a_turn)
        report(f"fan-out over {count:,} items, a step that waits one turn", took, per=count)
    for count in (1_000, 10_000):
        chain = compile_flow({"kind": "seq", "children": [step("$.x", "$.x")] * (count - 1)})
        report(f"chain of {count:,} steps that answer at once", seconds(chain, small), per=count)
    for count in (10_000, 100_000):
        report(f"{count:,} lets to {count:,} keys", seconds(assigns(count), {}), per=count)


if __name__ == "__main__":
    main()

"""Lua around a run: Blueprints that are Lua files, and the layer `lua` around real attempts."""

from pathlib import Path

import pytest

from swarm_core import Swarm, function

pytestmark = pytest.mark.needs("lua")

PATH = {"op": "path", "at": "$"}


@function("work")
def work(ctx):
    return {"did": ctx}


def blueprint(**options):
    return {
        "id": "bp",
        "flow": {"kind": "try", "body": _step(), "catch": {"kind": "seq", "children": []}, "err_at": _at("$.error")},
        "agents": [{"name": "worker", "kind": "function", "spec": {"fn_id": "work"}}],
        "spawner_hints": {"layers": [{"lua": options}]},
    }


def _at(path):
    return {"op": "path", "at": path}


def _step():
    return {"kind": "step", "ref": "worker", "in": _at("$.in"), "out": _at("$.out")}


async def ended(source, ctx):
    async with Swarm.open(functions=[work]) as swarm:
        launched = await swarm.launch(source, init_ctx=ctx)
        kinds = [event.kind async for event in launched.events()]
        return (await launched.wait()).final_ctx, kinds


class TestLayer:
    async def test_row_77_what_before_raises_refuses_the_step(self):
        ctx, _ = await ended(blueprint(before="function(ctx) error('no ' .. ctx.input, 0) end"), {"in": "bees"})

        assert "lua before: no bees" in ctx["error"]
        assert "out" not in ctx

    async def test_row_77_what_after_returns_is_written(self):
        ctx, _ = await ended(
            blueprint(after="function(ctx, r) return {value = r.value.did + 1, ok = true} end"), {"in": 1}
        )

        assert 2 == ctx["out"]

    async def test_row_77_a_result_that_after_does_not_like_blocks_the_step(self):
        ctx, _ = await ended(blueprint(after="return {value = 'bad', ok = false}"), {"in": 1})

        assert "blocked" in ctx["error"]

    async def test_row_77_a_failure_of_after_is_an_event_and_nothing_more(self):
        ctx, kinds = await ended(blueprint(after="error('why')"), {"in": 1})

        assert {"did": 1} == ctx["out"]
        assert "lua_after_failed" in kinds

    async def test_scripts_stand_in_files_beside_the_blueprint(self, tmp_path: Path):
        (tmp_path / "gate.lua").write_text("function(ctx)\n  if ctx.agent == 'worker' then error('not you') end\nend\n")
        path = tmp_path / "bp.lua"
        path.write_text(
            "local s = require 'swarm'\n"
            "return s.blueprint {id = 'x', flow = s.try(s.step('worker', '$.in', '$.out'), {}, '$.error'),\n"
            "agents = {s.agent('worker', {kind = 'function', spec = {fn_id = 'work'}})},\n"
            "spawner_hints = {layers = {{lua = {before = s.file 'gate.lua'}}}}}\n"
        )

        ctx, _ = await ended(path, {"in": 1})

        assert "lua before: line 2: not you" in ctx["error"]

    async def test_wrong_options_are_told_with_their_place(self):
        async with Swarm.open(functions=[work]) as swarm:
            problems = swarm.check(blueprint(before=5, aftr="return"))
            (lonely,) = swarm.check(blueprint(agents=["worker"]))

        assert {"$.spawner_hints.layers[0].lua.before", "$.spawner_hints.layers[0].lua.aftr"} <= {
            problem.path for problem in problems
        }
        assert "neither 'before' nor 'after' is given" in lonely.message


class TestBuilder:
    @pytest.mark.parametrize(("good_at", "ended_as"), [(1, "good"), (3, "good"), (4, "given up")])
    async def test_retry_stops_when_it_is_good_or_over(self, good_at: int, ended_as: str, tmp_path: Path):
        path = tmp_path / "bp.lua"
        path.write_text(f"""local s = require "swarm"
            local flow = s.seq {{
              s.let("$.n", 0),
              s.retry {{
                body = {{ s.let("$.n", s.add("$.n", 1)), s.let("$.good", s.eq("$.n", {good_at})) }},
                until_ = "$.good",
                max = 3,
                otherwise = s.let("$.end", "given up"),
              }},
              s.gate("$.good"),
              s.let("$.end", "good"),
            }}
            return flow""")

        ctx, _ = await ended(path, {})

        assert (ended_as, min(good_at, 3)) == (ctx["end"], ctx["n"])

    async def test_a_gate_keeps_out_what_follows(self, tmp_path: Path):
        path = tmp_path / "bp.lua"
        path.write_text("""local s = require "swarm"
            local flow = s.seq {
              s.let("$.a", 1), s.gate(s.eq("$.in", 2), s.let("$.kept", "out")), s.let("$.b", 1), s.let("$.c", 1),
            }
            return flow""")

        (closed, _), (opened, _) = await ended(path, {"in": 1}), await ended(path, {"in": 2})

        assert {"in": 1, "a": 1, "kept": "out"} == closed
        assert {"in": 2, "a": 1, "b": 1, "c": 1} == opened

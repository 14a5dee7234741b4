"""Every input has a limit with an error of its own (P32), and recursion has an end (P36)."""

import asyncio
import itertools
import json

import pytest

from swarm_core import DocumentError, FlowError, Settings, Swarm
from swarm_core.builtin.memory import MemoryOutputStore
from swarm_core.codec import Limits as DocumentLimits
from swarm_core.codec import load_json, load_yaml
from swarm_core.engine.engine import Engine
from swarm_core.engine.program import Program
from swarm_core.errors import DispatchFailed, SpawnDepthExceeded, WorkerFailed
from swarm_core.flow import Limits, compile_flow, evaluate
from swarm_core.model.call import Result
from swarm_core.model.task import RunStatus
from swarm_core.model.value import NotJson
from swarm_core.settings import EngineSettings
from swarm_core.tokens import CapTokenSigner


class TestDocuments:
    """Each is refused while it is read; the limit's number stands in the message."""

    @pytest.mark.parametrize(
        ("text", "limits", "code"),
        [
            pytest.param("[1, 2, 3]", {"size": 8}, "too_large", id="size"),
            pytest.param("[1, 2, 3]", {"values": 3}, "too_large", id="values"),
            pytest.param("[[[1]]]", {"depth": 2}, "too_deep", id="depth"),
            pytest.param("[&a 1, *a, *a]", {"aliases": 1}, "alias_limit", id="aliases"),
        ],
    )
    def test_p32_a_document_has_a_limit_of_size_values_depth_and_aliases(self, text, limits, code):
        loaders = [load_yaml] if "&" in text else [load_yaml, load_json]

        for load in loaders:
            with pytest.raises(DocumentError) as refused:
                load(text.encode(), name="a", limits=DocumentLimits(**limits))

            (limit,) = limits.values()
            assert code == refused.value.problems[0].code
            assert str(limit) in refused.value.problems[0].message

    @pytest.mark.parametrize(
        ("name", "fields", "code"),
        [
            pytest.param("nodes", {"flow": {"kind": "seq", "children": [{"kind": "seq", "children": []}] * 10_000}},
                         "too_many_nodes", id="nodes"),
            pytest.param("agent", {"agents": [{"name": "x" * 65, "kind": "fake"}]}, "bad_name", id="agent name"),
            pytest.param("id", {"id": "x" * 201}, "bad_name", id="id"),
            pytest.param("path", {"flow": {"kind": "let", "at": "$" + ".a" * 1_001,
                                           "value": {"op": "lit", "value": 1}}}, "bad_path", id="path"),
            pytest.param("tries", {"hints": {"global": {"retry": {"max_attempts": 10**7}}}}, "out_of_range",
                         id="tries"),
            pytest.param("time", {"hints": {"global": {"timeout": "4000d"}}}, "bad_duration", id="timeout"),
        ],
    )  # fmt: skip
    def test_p32_the_parts_of_a_blueprint_have_limits(self, cli, write, flow, name, fields, code):
        ended = cli("check", write(f"{name}.json", {**flow.blueprint(flow.nothing), **fields}), "--json")

        assert (3, code) == (ended.code, ended.problems[0]["code"])

    @pytest.mark.parametrize(("refs", "code"), [(1_001, "too_many_refs"), (1, "too_large")])
    def test_p32_files_that_a_blueprint_refers_to_have_limits(self, cli, write, flow, refs, code):
        write("big.txt", "x" * (1024 * 1024 + 1) if refs == 1 else "x")
        blueprint = flow.blueprint(flow.nothing, default_init_ctx=[{"$file": "big.txt"}] * refs)

        ended = cli("check", write("a.json", blueprint), "--json")

        assert (3, code) == (ended.code, ended.problems[0]["code"])

    def test_p32_the_problems_of_one_document_are_limited_and_it_is_told_that_there_are_more(self, cli, write):
        ended = cli("check", write("a.json", "[" + "NaN," * 5_000 + "NaN]"), "--json")

        assert (101, "too_many_problems") == (len(ended.problems), ended.problems[-1]["code"])
        assert "more" in ended.problems[-1]["message"]

    def test_p32_a_token_has_a_limit(self):
        with pytest.raises(ValueError, match="a token holds"):
            CapTokenSigner.generate().mint("x" * 10_000, "operator", ttl=60)


class TestRuns:
    @pytest.mark.parametrize(
        ("limit", "value"),
        [("max_lanes", 2), ("max_iterations", 2), ("max_steps", 2), ("max_value_bytes", 20), ("max_ctx_bytes", 20)],
    )
    async def test_p32_each_limit_of_a_flow_has_its_name_in_the_error(self, flow, limit, value):
        async def dispatch(ref, given, address):
            return None

        steps = flow.seq(*(flow.step("a", value=[0] * 3) for _ in range(3)))
        node = {
            "max_lanes": flow.fanout(flow.lit([1, 2, 3]), flow.nothing),
            "max_iterations": flow.loop(3, flow.nothing),
            "max_steps": steps,
            "max_value_bytes": steps,
            "max_ctx_bytes": flow.let("$.a", flow.lit("x" * 30)),
        }[limit]

        with pytest.raises(FlowError) as refused:
            await evaluate(node, {}, dispatch, limits=Limits(**{limit: value}))

        assert ("LimitError", limit) == (refused.value.kind, refused.value.op)
        assert f"{value:,}" in refused.value.message
        await evaluate(node, {}, dispatch, limits=Limits(**{limit: value * 10}))

    @pytest.mark.parametrize("value", ["x" * 2_000, ["x"] * 300, {"a": ["x" * 600] * 2}])
    async def test_p32_a_result_that_is_too_large_blocks_its_task(self, flow, value):
        settings = EngineSettings(max_value_bytes=1_000)

        result = await ended(settings, flow.step("a"), lambda call: Result(value))

        assert RunStatus.FAILED == result.status
        assert "the result is refused: the value is larger than 1000 bytes" in result.error["message"]

    async def test_p32_a_result_that_nests_too_deeply_blocks_its_task(self, flow):
        value = []
        for _ in range(300):
            value = [value]

        result = await ended(EngineSettings(), flow.step("a"), lambda call: Result(value))

        assert "nested deeper than 200 levels" in result.error["message"]

    async def test_p32_the_ctx_that_a_run_begins_with_has_the_same_limits(self, flow):
        async with Swarm.open(plugins=()) as swarm:
            with pytest.raises(NotJson, match="larger than"):
                await swarm.launch(flow.blueprint(flow.nothing), init_ctx={"a": "x" * 17 * 1024 * 1024})

    async def test_p32_a_run_keeps_no_more_events_than_allowed_and_tells_the_gap(self, flow):
        settings = EngineSettings(event_log_size=10)
        async with Engine(outputs=MemoryOutputStore(), settings=settings) as engine:
            run = engine.launch(program(flow.loop(20, flow.step("a")), lambda call: Result(1)), {})
            await engine.wait(run.id)
            gap, *kept = run.events.read()

        assert ("gap", 1, 10) == (gap.kind, gap.data["first"], len(kept))
        assert "run_ended" == kept[-1].kind

    @pytest.mark.parametrize("size", [10, 10_000])
    async def test_p31_a_subscriber_of_a_run_in_a_store_misses_nothing_however_slow_it_is(self, flow, size, tmp_path):
        settings, store = Settings(engine=EngineSettings(event_log_size=size)), f"sqlite:///{tmp_path}/runs.db"
        blueprint = flow.blueprint(flow.loop(400, flow.step("a")), "a")
        async with Swarm.open(settings, plugins=(), functions={"a": lambda given: "x" * 100}, store=store) as swarm:
            run = await swarm.launch(blueprint)
            early = run.events()
            first = [await anext(early) for _ in range(3)]
            await run.wait()
            slow, late = [*first, *[event async for event in early]], [event async for event in run.events()]
            middle = [event.seq async for event in run.events(700)]

        assert list(range(1, 1603)) == [event.seq for event in slow]
        assert slow == late
        assert [*range(700, 1603)] == middle
        assert "run_ended" == late[-1].kind

    async def test_p32_time_is_limited_where_the_blueprint_says_so(self, flow):
        async def forever(given):
            await asyncio.Event().wait()

        blueprint = flow.blueprint(flow.step("forever"), "forever", hints={"global": {"timeout": "20ms"}})
        async with Swarm.open(plugins=(), functions={"forever": forever}) as swarm:
            result = await (await swarm.launch(blueprint)).wait()

        assert "no result after 0.02 s" in result.error["message"]


def program(node, answer, **facts):
    async def run(call):
        result = answer(call)
        return await result if asyncio.iscoroutine(result) else result

    return Program(blueprint_id="limits", flow=compile_flow(node), run=run, **facts)


async def ended(settings, node, answer, **facts):
    async with Engine(outputs=MemoryOutputStore(), settings=settings) as engine:
        return await engine.wait(engine.launch(program(node, answer, **facts), {"items": [0] * 5}).id)


class TestRecursion:
    @pytest.mark.parametrize("most", [1, 2, 6])
    async def test_p36_a_worker_that_starts_itself_ends_at_the_depth_that_is_set(self, flow, most):
        refused = []

        async def again(call):
            try:
                return await call.context.start_child("a", None)
            except SpawnDepthExceeded as error:
                refused.append((error.current, error.max))
                raise

        result = await ended(EngineSettings(max_spawn_depth=most), flow.step("a"), again)

        assert ([(most, most)], most) == (refused, result.counts["tasks"])

    async def test_p36_a_worker_that_starts_children_without_end_meets_the_limit_of_the_run(self, flow):
        begun = itertools.count()

        async def breeds(call):
            if call.agent == "child":
                return Result(next(begun))
            while True:
                await call.context.start_child("child", None)

        result = await ended(EngineSettings(), flow.step("a"), breeds, limits=Limits(max_steps=50))

        assert "the run has as many tasks as max_steps allows (50)" in result.error["message"]
        assert (50, 49) == (result.counts["tasks"], next(begun))

    async def test_p36_steps_and_children_share_one_limit(self, flow):
        async def one_child(call):
            return Result(1) if call.agent == "child" else await call.context.start_child("child", None)

        for most, status in ((6, RunStatus.DONE), (5, RunStatus.FAILED)):
            result = await ended(
                EngineSettings(), flow.loop(3, flow.step("a")), one_child, limits=Limits(max_steps=most)
            )

            assert status == result.status

    async def test_p36_loops_within_loops_share_one_count(self, flow):
        node = flow.loop(2**32 - 1, flow.loop(2**32 - 1, flow.nothing))

        result = await ended(EngineSettings(), node, None, limits=Limits(max_iterations=10_000))

        assert ("LimitError", "max_iterations") == (result.error["kind"], result.error["op"])

    async def test_p36_an_endless_loop_can_be_cancelled(self, flow):
        async with Swarm.open(plugins=()) as swarm:
            launched = await swarm.launch(flow.blueprint(flow.loop(2**32 - 1, flow.nothing)))
            await asyncio.sleep(0.02)
            result = await launched.cancel()

        assert RunStatus.CANCELLED == result.status

    async def test_p36_a_failing_worker_is_tried_again_as_often_as_allowed_and_no_more(self, flow):
        tries = itertools.count(1)

        def fails(given):
            raise WorkerFailed(f"try {next(tries)}")

        retry = {"max_attempts": 4, "backoff": 0, "max_backoff": 0}
        blueprint = flow.blueprint(flow.step("fails"), "fails", hints={"global": {"retry": retry}})
        async with Swarm.open(plugins=(), functions={"fails": fails}) as swarm:
            result = await (await swarm.launch(blueprint)).wait()

        assert (4, 5) == (result.counts["attempts"], next(tries))

    async def test_p36_children_of_children_are_bounded_in_width_too(self, flow):
        """Every worker starts three at once; the run's limit holds for all of them together."""

        async def breeds(call):
            kids = (call.context.start_child("a", None) for _ in range(3))
            done = await asyncio.gather(*kids, return_exceptions=True)
            return Result([type(one).__name__ for one in done if isinstance(one, Exception)])

        result = await ended(EngineSettings(max_spawn_depth=1_000), flow.step("a"), breeds, limits=Limits(max_steps=40))

        assert 40 == result.counts["tasks"]
        assert {DispatchFailed.__name__, FlowError.__name__} >= set(json.loads(json.dumps(result.final_ctx))["out"])

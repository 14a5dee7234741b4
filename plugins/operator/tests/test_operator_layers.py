"""The layers `operator_delegate` and `main_ai`."""

import pytest
from attrs import evolve
from swarm_plugin_operator.layers import MainAILayer, OperatorDelegateLayer

from swarm_core.contracts import SpawnHook
from swarm_core.errors import RejectedByMiddleware
from swarm_core.model.call import OperatorInfo, Result
from swarm_core.model.operator import OperatorKind
from swarm_core.model.output import Final, Inline
from swarm_core.testing import RecordingContext, check_layer, make_call

MAIN_AI, AUTOMATE, COMPOSITE = OperatorKind.MAIN_AI, OperatorKind.AUTOMATE, OperatorKind.COMPOSITE


class Hook(SpawnHook):
    """Refuses when it has a reason, fails after when it is told to; keeps what it saw."""

    def __init__(self, *, reason=None, fails_after=False):
        self.reason, self.fails_after, self.seen = reason, fails_after, []

    async def before(self, call):
        self.seen.append("before")
        if self.reason is not None:
            raise RuntimeError(self.reason)

    async def after(self, call, result):
        self.seen.append(result)
        if self.fails_after:
            raise RuntimeError("not my day")


def call_with(**faces):
    return evolve(make_call(input="do it", context=RecordingContext()), operator=OperatorInfo(**faces))


async def echo(call):
    return Result(call.input)


class TestOperatorDelegate:
    async def test_row_74_with_an_operator_the_worker_is_not_reached_and_there_is_no_system(self, clerk):
        ada = clerk("by ada")

        async def inner(call):
            raise AssertionError

        result = await OperatorDelegateLayer().run(call_with(operator=ada), inner)

        assert (Result("by ada"), [("do it", None)]) == (result, ada.given)

    @pytest.mark.parametrize("kind", OperatorKind)
    async def test_row_74_whatever_the_operators_kind_is(self, clerk, kind):
        result = await OperatorDelegateLayer().run(call_with(operator=clerk("by ada"), kind=kind), echo)

        assert "by ada" == result.value

    async def test_row_74_without_one_nothing_is_changed(self):
        assert Result("do it") == await OperatorDelegateLayer().run(call_with(kind=MAIN_AI), echo)

    async def test_what_was_posted_counts_before_what_is_returned(self, clerk):
        class Poster(clerk):
            async def execute(self, call, system):
                call.context.emit(Final(Inline("posted"), False))
                return Result("returned")

        result = await OperatorDelegateLayer().run(call_with(operator=Poster()), echo)

        assert Result("posted", False) == result

    async def test_keeps_the_layers_contract(self, clerk):
        await check_layer(OperatorDelegateLayer())


class TestMainAI:
    async def test_row_72_what_before_raises_refuses_the_attempt(self):
        async def inner(call):
            raise AssertionError

        call = call_with(spawn_hook=Hook(reason="not today"), kind=MAIN_AI)

        with pytest.raises(RejectedByMiddleware) as caught:
            await MainAILayer().run(call, inner)

        assert "spawn rejected by middleware: not today" == str(caught.value)
        assert [("main_ai_before", "not today")] == [(k, f["refused"]) for k, f in call.context.published]

    async def test_row_72_a_composite_operator_looks_too_an_automatic_one_does_not(self):
        seen = {}
        for kind in OperatorKind:
            hook = Hook()
            await MainAILayer().run(call_with(spawn_hook=hook, kind=kind), echo)
            seen[kind] = hook.seen

        looked = ["before", Result("do it")]
        assert {MAIN_AI: looked, COMPOSITE: looked, AUTOMATE: []} == seen

    async def test_row_72_what_after_raises_changes_nothing_and_is_told(self):
        call = call_with(spawn_hook=Hook(fails_after=True), kind=MAIN_AI)

        result = await MainAILayer().run(call, echo)

        assert Result("do it") == result
        assert ["main_ai_before", "main_ai_after"] == call.context.kinds
        assert {"ok": True, "hook_error": "not my day"}.items() <= call.context.published[-1][1].items()

    async def test_after_is_told_of_errors_which_go_on(self):
        async def inner(call):
            raise TimeoutError("too slow")

        call = call_with(spawn_hook=(hook := Hook()), kind=MAIN_AI)

        with pytest.raises(TimeoutError):
            await MainAILayer().run(call, inner)

        assert "too slow" == str(hook.seen[-1])
        assert "too slow" == call.context.published[-1][1]["error"]

    async def test_keeps_the_layers_contract(self):
        await check_layer(MainAILayer())

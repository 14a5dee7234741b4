"""Functions of the host in scripts: values across, errors kept back, calls counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from swarm_plugin_lua import wire
from swarm_plugin_lua.bridge import Bridge

from swarm_core.contracts import Spawner
from swarm_core.errors import WorkerFailed
from swarm_core.factories import Environment, Function
from swarm_core.model.call import Result
from swarm_core.testing import make_call

Build = Callable[..., Spawner]
LEVELS = pytest.mark.parametrize("isolation", ["process", "inproc"])


@pytest.fixture
def at_level(build: Build, environment: Callable[..., Environment]) -> Callable[[str, str], Spawner]:
    return lambda isolation, source: build(source=source, environ=environment({"isolation": isolation}))


@LEVELS
class TestCalls:
    @pytest.mark.parametrize(
        ("source", "value"),
        [
            ("return host.add(1, 2)", 3),
            ("return host.add('a', 'b')", "ab"),
            ("return host.echo()", []),
            ("return host.echo({a = {1, null}})", [{"a": [1, None]}]),
            ("return host.echo(nil, 2)", [None, 2]),
            ("return {host.nothing() == null}", [True]),
            ("return {pcall(host.add, 1, 2)}", [True, 3]),
            ("return coroutine.wrap(function() return host.add(1, 2) end)()", 3),
            ("local n = 0 for i = 1, 200 do n = host.add(n, i) end return n", 20100),
        ],
    )
    async def test_values_cross_both_ways(
        self, at_level: Callable[[str, str], Spawner], isolation: str, source: str, value: Any
    ) -> None:
        assert await at_level(isolation, source).run(make_call()) == Result(value)

    @pytest.mark.parametrize(
        ("source", "text"),
        [
            ("local x = host.fail('x')", "tester:1: host.fail failed (ValueError)"),
            ("local x = host.leave()", "tester:1: host.leave failed (SystemExit)"),
            ("local x = host.add(1)", "tester:1: host.add failed (TypeError)"),
            ("local x = host.odd()", "tester:1: host.odd returned what cannot cross: object is no JSON value"),
            ("local x = host.missing()", "tester:1: attempt to call a nil value (field 'missing')"),
            ("local x = host.echo(0/0)", "tester:1: host.echo: arguments: not_a_number at $[0]: nan has no form"),
        ],
    )
    async def test_failures_are_told_with_the_line_and_no_more_than_the_class(
        self, at_level: Callable[[str, str], Spawner], isolation: str, source: str, text: str
    ) -> None:
        with pytest.raises(WorkerFailed) as caught:
            await at_level(isolation, source).run(make_call())

        assert caught.value.message.startswith(f"lua eval [tester]: {text}")


class TestBridge:
    async def test_calls_of_one_attempt_are_counted(self) -> None:
        bridge = Bridge({"one": Function("one", lambda: 1, pure=True, inline=True)})

        for _ in range(wire.MAX_HOST_CALLS):
            assert await bridge.answer("one", []) == (True, 1)

        assert await bridge.answer("one", []) == (False, "was refused: more than 10000 calls in one attempt")

    @pytest.mark.parametrize(("name", "arguments"), [("other", []), ("one", {}), ("one", None)])
    async def test_what_a_broken_process_may_ask_is_refused(self, name: str, arguments: Any) -> None:
        bridge = Bridge({"one": Function("one", lambda: 1, pure=True)})

        assert await bridge.answer(name, arguments) == (False, "is no host function")

    async def test_result_is_a_copy(self) -> None:
        kept: dict[str, Any] = {"list": [1]}
        bridge = Bridge({"get": Function("get", lambda: kept, pure=True)})

        _, value = await bridge.answer("get", [])

        value["list"].append(2)
        assert kept == {"list": [1]}

"""Lifespans: entered in admission order, left in reverse, each answering for itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from swarm_core.errors import PluginInvalid


class TestLifespan:
    @pytest.fixture
    def spanning(self, plugin: Any) -> Callable[[str, list[str]], Any]:
        """Return a function that makes a plugin which notes when its lifespan opens and closes."""

        def made(name: str, log: list[str]) -> Any:
            @asynccontextmanager
            async def span(swarm: Any) -> AsyncIterator[None]:
                log.append(f"{name} opens {swarm}")
                try:
                    yield
                finally:
                    log.append(f"{name} closes")

            return plugin(name, swarm_lifespan=span)

        return made

    async def test_swarm_lifespan_is_entered_in_admission_order_and_left_in_reverse(
        self, load: Any, spanning: Any
    ) -> None:
        log: list[str] = []

        async with load(spanning("b", log), spanning("a", log)).lifespans("the swarm"):
            log.append("work")

        assert log == ["a opens the swarm", "b opens the swarm", "work", "b closes", "a closes"]

    async def test_p34_swarm_lifespan_that_cannot_be_opened_is_named_and_the_others_are_closed(
        self, plugin: Any, load: Any, spanning: Any
    ) -> None:
        log: list[str] = []

        @asynccontextmanager
        async def broken(swarm: Any) -> AsyncIterator[None]:
            raise OSError("no port")
            yield

        host = load(spanning("a", log), plugin("b", swarm_lifespan=broken))

        with pytest.raises(PluginInvalid, match=r"plugin 'b'.*opened, raised OSError: no port"):
            async with host.lifespans("s"):
                log.append("work")

        assert log == ["a opens s", "a closes"]

    async def test_p34_swarm_lifespan_that_fails_to_close_is_named_and_the_others_are_closed(
        self, plugin: Any, load: Any, spanning: Any
    ) -> None:
        log: list[str] = []

        @asynccontextmanager
        async def broken(swarm: Any) -> AsyncIterator[None]:
            yield
            raise OSError("port stuck")

        host = load(spanning("a", log), plugin("b", swarm_lifespan=broken))

        with pytest.raises(PluginInvalid, match=r"plugin 'b'.*closed, raised OSError: port stuck"):
            async with host.lifespans("s"):
                log.append("work")

        assert log == ["a opens s", "work", "a closes"]

    async def test_swarm_lifespan_cannot_swallow_an_error_of_the_work(self, plugin: Any, load: Any) -> None:
        @asynccontextmanager
        async def greedy(swarm: Any) -> AsyncIterator[None]:
            try:
                yield
            except BaseException:
                return

        with pytest.raises(LookupError, match="work failed"):
            async with load(plugin(swarm_lifespan=greedy)).lifespans("s"):
                raise LookupError("work failed")

    async def test_swarm_lifespan_lets_an_error_of_the_work_through_unchanged(self, load: Any, spanning: Any) -> None:
        problem = LookupError("work failed")

        with pytest.raises(LookupError) as caught:
            async with load(spanning("a", [])).lifespans("s"):
                raise problem

        assert problem is caught.value

    async def test_swarm_lifespan_lets_cancellation_through(self, load: Any, spanning: Any) -> None:
        log: list[str] = []

        async def work() -> None:
            async with load(spanning("a", log)).lifespans("s"):
                log.append("work")
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert log == ["a opens s", "work", "a closes"]

    async def test_swarm_lifespan_that_returns_something_else_is_named(self, plugin: Any, load: Any) -> None:
        def nothing(swarm: Any) -> AbstractAsyncContextManager[None] | None:
            return None

        with pytest.raises(PluginInvalid, match="swarm_lifespan returned None, not an async context manager"):
            async with load(plugin(swarm_lifespan=nothing)).lifespans("s"):
                pass

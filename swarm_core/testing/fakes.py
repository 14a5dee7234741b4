"""A worker that follows a script: answers, failures, delays, and the bad manners that a real one may have."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import attrs
from attrs import field, frozen

from swarm_core.contracts import Spawner
from swarm_core.errors import WorkerFailed, did_you_mean
from swarm_core.factories import Environment, SpawnerFactory
from swarm_core.model.blueprint import AgentDef, AgentHint
from swarm_core.model.call import Call, Result
from swarm_core.model.duration import parse_duration


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _check_answers(_: FakeScript, __: Any, answers: Any) -> None:
    if not isinstance(answers, tuple):
        raise ValueError("'answers' is a list of JSON values")


def _check_ok(_: FakeScript, __: Any, ok: Any) -> None:
    if not isinstance(ok, tuple) or not all(isinstance(one, bool) for one in ok):
        raise ValueError("'ok' is a list of true and false")


def _check_fail(_: FakeScript, __: Any, fail: Any) -> None:
    indices = isinstance(fail, tuple) and all(type(index) is int and index >= 0 for index in fail)
    if not indices and not isinstance(fail, str):
        raise ValueError("'fail' is a list of attempts, counted from 0, or the text of an error")


def _check_delay(_: FakeScript, __: Any, delay: Any) -> None:
    if not isinstance(delay, str | float | int):
        raise ValueError("'delay' is a duration such as 0.5, '500ms' or '2s'")
    if delay:
        parse_duration(delay)


def _check_flag(_: FakeScript, attribute: Any, flag: Any) -> None:
    if not isinstance(flag, bool):
        raise ValueError(f"{attribute.name!r} is true or false")


def _check_count(_: FakeScript, attribute: Any, count: Any) -> None:
    if type(count) is not int or count < 0:
        raise ValueError(f"{attribute.name!r} is a whole number from 0")


@frozen(kw_only=True)
class FakeScript:
    """What a fake worker does at its first, second, third attempt.

    `answers` and `ok` are taken in order; then the last one repeats, or with `cycle` they start again. Without
    answers the input comes back. `delay` is a duration. `fail` has the attempts, counted from 0, that raise, or the
    text of the error that all of them raise. `never` waits without end. `stubborn` is how many cancellations are
    swallowed before one is obeyed.
    """

    answers: tuple[Any, ...] = field(default=(), converter=_as_tuple, validator=_check_answers)
    ok: tuple[bool, ...] = field(default=(), converter=_as_tuple, validator=_check_ok)
    cycle: bool = field(default=False, validator=_check_flag)
    delay: str | float = field(default=0.0, validator=_check_delay)
    fail: Any = field(default=(), converter=_as_tuple, validator=_check_fail)
    never: bool = field(default=False, validator=_check_flag)
    stubborn: int = field(default=0, validator=_check_count)

    @classmethod
    def of(cls, document: Any) -> FakeScript:
        """Return the script that a document describes.

        Raises: ValueError.
        """
        if not isinstance(document, Mapping):
            raise ValueError("the script of a fake worker is an object")
        known = [attribute.name for attribute in attrs.fields(cls)]
        for name in document:
            if name not in known:
                raise ValueError(f"a fake worker knows no {name!r}; {did_you_mean(str(name), known)}")
        return cls(**document)

    @property
    def seconds(self) -> float:
        """How long an attempt takes; infinite when it never ends."""
        if self.never:
            return math.inf
        return parse_duration(self.delay) if self.delay else 0.0

    def result(self, index: int, call: Call) -> Result:
        """Return the result of the attempt `index`, counted from 0."""
        value = self._pick(self.answers, index) if self.answers else call.input
        return Result(value, self._pick(self.ok, index) if self.ok else True)

    def error(self, index: int) -> str | None:
        """Return the text of the error that the attempt raises, None when it raises none."""
        if isinstance(self.fail, str):
            return self.fail or None
        return f"attempt {index} fails, as its script says" if index in self.fail else None

    def _pick(self, items: tuple[Any, ...], index: int) -> Any:
        return items[index % len(items)] if self.cycle else items[min(index, len(items) - 1)]


class FakeSpawner(Spawner):
    """Carries out the attempts of each run as its script says, from its beginning, and keeps all calls in `calls`."""

    def __init__(self, *answers: Any, **script: Any) -> None:
        self.script = FakeScript(answers=answers, **script)
        self.calls: list[Call] = []
        self._made: Counter[str | None] = Counter()

    @classmethod
    def of(cls, script: FakeScript) -> FakeSpawner:
        """Return a fake that follows the script."""
        spawner = cls()
        spawner.script = script
        return spawner

    async def run(self, call: Call) -> Result:
        """Wait, then fail or answer, as the script says. Raises: WorkerFailed."""
        index = self._made[call.run_id]
        self._made[call.run_id] += 1
        self.calls.append(call)
        if self.script.seconds:
            await self._wait(self.script.seconds)
        if (error := self.script.error(index)) is not None:
            raise WorkerFailed(error, kind="fake_failure")
        return self.script.result(index, call)

    async def _wait(self, seconds: float) -> None:
        end = asyncio.get_running_loop().time() + seconds
        for _ in range(self.script.stubborn):
            with contextlib.suppress(asyncio.CancelledError):
                await _sleep_until(end)
        await _sleep_until(end)


async def _sleep_until(end: float) -> None:
    loop = asyncio.get_running_loop()
    if end == math.inf:
        await loop.create_future()
    if end > loop.time():
        await asyncio.sleep(end - loop.time())


def build_fake(agent: AgentDef, spec: FakeScript, hint: AgentHint, environment: Environment) -> FakeSpawner:
    """Build the fake for an agent; its hint `fake`, a script like its spec, goes before the spec.

    The hint is for agents of other kinds that are bound to this one, whose specs speak to their own kind. Raises:
    ValueError.
    """
    return FakeSpawner.of(FakeScript.of(hint.extra["fake"]) if "fake" in hint.extra else spec)


FACTORY = SpawnerFactory(
    "fake", build_fake, spec=FakeScript, summary="a worker that follows a script, for tests and dry runs"
)

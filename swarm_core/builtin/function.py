"""The `function` kind: agents that are Python callables of this process."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from attrs import frozen

from swarm_core.builtin.arguments import arguments_for
from swarm_core.builtin.threads import run_in_thread
from swarm_core.contracts import Spawner
from swarm_core.errors import WorkerFailed, did_you_mean
from swarm_core.factories import Environment, Function, SpawnerFactory
from swarm_core.model.blueprint import AgentDef, AgentHint
from swarm_core.model.call import Call, Result

_JSON = frozenset({dict, list, str, int, float, bool, type(None), tuple})

Start = Callable[[tuple[Any, ...]], Awaitable[Any]]


@frozen(kw_only=True)
class FunctionSpec:
    """Which function the agent is: the name under which it is registered."""

    fn_id: Any = None


class FunctionSpawner(Spawner):
    """Calls one Python function per attempt.

    An async function runs on the event loop and is cancelled with its attempt. A plain one runs in a thread, where it
    cannot be cancelled, unless it was registered as `inline`. What it returns is the value, or the `Result`.
    """

    __slots__ = ("_agent", "_arguments", "_start")

    def __init__(self, agent: str, function: Function) -> None:
        self._agent = agent
        self._arguments = arguments_for(function.call)
        self._start = _start(function)

    async def run(self, call: Call) -> Result | None:
        """Call the function and return what it returned; None when it emitted a Final and returned nothing."""
        context = call.context
        before = context.latest
        try:
            value = await self._start(self._arguments(call))
            if type(value) not in _JSON:
                value = await _unusual(value)
        except Exception as error:
            _note_agent(error, self._agent)
            raise
        except SystemExit as error:
            raise WorkerFailed(f"agent {self._agent!r}: the function called exit with {error.code!r}") from error
        if value is None and context.latest is not before:
            return None
        return value if isinstance(value, Result) else Result(value)


def build_function(agent: AgentDef, spec: FunctionSpec, hint: AgentHint, environment: Environment) -> Spawner:
    """Build the spawner of an agent; raises ValueError, when no function or none that can be called is behind it."""
    name = spec.fn_id
    if not isinstance(name, str) or not name:
        raise ValueError(f"{agent.kind} spec: 'fn_id' (string) required")
    function = environment.functions.get(name)
    if function is None:
        hint_text = did_you_mean(name, environment.functions, otherwise="registered")
        raise ValueError(f"fn_id {name!r} not registered in factory; {hint_text}")
    return FunctionSpawner(agent.name, function)


FUNCTION_KIND = SpawnerFactory(
    kind="function",
    build=build_function,
    spec=FunctionSpec,
    aliases=("rust_fn",),
    summary="a Python function of this process",
)


def _start(function: Function) -> Start:
    target = function.call
    looks = (target, getattr(target, "__call__", None))  # noqa: B004 - an object's own method tells whether it is async
    if any(inspect.isgeneratorfunction(look) or inspect.isasyncgenfunction(look) for look in looks):
        raise ValueError(f"function {function.name!r} is a generator; return one value instead of yielding")
    if any(inspect.iscoroutinefunction(look) for look in looks):
        return lambda arguments: target(*arguments)
    if function.inline:
        return partial(_inline, target)
    return partial(run_in_thread, target)


async def _inline(target: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return target(*arguments)


async def _unusual(value: Any) -> Any:
    if inspect.isawaitable(value):
        value = await value
    if inspect.isgenerator(value) or inspect.isasyncgen(value):
        raise WorkerFailed(f"the function returned a {type(value).__name__}; return a list", kind="invalid_result")
    return value


def _note_agent(error: Exception, agent: str) -> None:
    note = f"agent {agent!r}"
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)

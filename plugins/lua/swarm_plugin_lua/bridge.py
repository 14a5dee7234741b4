"""Answering the scripts' calls of `host.<name>(...)`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from attrs import define

from swarm_core.factories import Function
from swarm_core.model.value import NotJson, json_copy
from swarm_plugin_lua import wire


@define
class Bridge:
    """The pure functions that one attempt's script may call, and how often it still may.

    Arguments and results are JSON values. What a function raises stays on this side: the script learns the class only.
    """

    _functions: Mapping[str, Function]
    _left: int = wire.MAX_HOST_CALLS

    async def answer(self, name: str, arguments: Any) -> tuple[bool, Any]:
        """Return True and the function's value, or False and what a person may read; never raises."""
        function = self._functions.get(name)
        if function is None or not isinstance(arguments, list):
            return False, "is no host function"
        if self._left <= 0:
            return False, f"was refused: more than {wire.MAX_HOST_CALLS} calls in one attempt"
        self._left -= 1
        if function.inline:
            return call(function, arguments)
        # A thread, because a pure function may still be slow, and the engine has other work.
        return await asyncio.to_thread(call, function, arguments)


def call(function: Function, arguments: list[Any]) -> tuple[bool, Any]:
    """Call a function here and now; return True and its value, or False and what a person may read."""
    try:
        return True, json_copy(function.call(*arguments), max_bytes=wire.MAX_JSON)
    except NotJson as error:
        return False, f"returned what cannot cross: {error}"
    except BaseException as error:
        return False, f"failed ({type(error).__name__})"

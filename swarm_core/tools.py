"""What a plugin offers to models as tools: a name, what it does, what it takes, and a coroutine function."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import frozen

from swarm_core.model.shown import shown

if TYPE_CHECKING:
    from swarm_core.contracts import AttemptContext


@frozen(kw_only=True, eq=False)
class Tool:
    """A function that an agent's model may call.

    `call(arguments, context)` gets what `parameters` (a JSON Schema of an object, checked before) describes, and what
    the attempt may ask of the engine; it returns a JSON value. An agent is given a tool only when its profile names it.
    Raises in `call`: ValueError, whose text the model reads and may do better; anything else fails the call with the
    class of the error only.
    """

    __repr__ = shown

    name: str
    summary: str
    parameters: Mapping[str, Any]
    call: Callable[[Mapping[str, Any], AttemptContext], Awaitable[Any]]

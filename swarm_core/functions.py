"""Marking Python functions for Blueprints: the `@function` decorator and how marked functions are found."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload

from attrs import frozen

from swarm_core.factories import Function
from swarm_core.model.ids import is_name

_Callable = TypeVar("_Callable", bound=Callable[..., Any])

_MARK = "__swarm_function__"


@frozen(kw_only=True, eq=False, repr=False)
class _Mark:
    name: str
    pure: bool
    inline: bool


@overload
def function(target: _Callable, /) -> _Callable: ...


@overload
def function(
    target: str | None = None, /, *, pure: bool = False, inline: bool = False
) -> Callable[[_Callable], _Callable]: ...


def function(target: Any = None, /, *, pure: bool = False, inline: bool = False) -> Any:
    """Mark a Python function for use in Blueprints, as `@function`, `@function("name")` or `@function(pure=True)`.

    The name is the function's own unless given. A marked function in `swarmfile.py` can be the `fn_id` of agents of
    kind `function`; a `pure` one also the `ref` of `call_extern`. A plain function runs in a thread; `inline` runs it
    on the event loop, for functions that return at once. The function is unchanged; nothing is registered anywhere.
    Raises: ValueError, when the name is no name; TypeError, when the target cannot be marked.
    """
    if callable(target):
        return _marked(target, None, pure=pure, inline=inline)
    if target is not None and not isinstance(target, str):
        raise TypeError(f'@function takes a name, as in @function("greet"), not {target!r}')
    return lambda decorated: _marked(decorated, target, pure=pure, inline=inline)


def functions_in(namespace: Mapping[str, Any]) -> tuple[Function, ...]:
    """Return the marked functions of a namespace, such as a module's `vars()`, in the order they stand in it."""
    marked = {id(value): value for value in namespace.values() if isinstance(_mark_of(value), _Mark)}
    return tuple(_registered(value) for value in marked.values())


def _marked(target: _Callable, name: str | None, *, pure: bool, inline: bool) -> _Callable:
    if isinstance(target, type):
        raise TypeError(f"@function marks functions, and {target.__name__} is a class")
    name = name if name is not None else getattr(target, "__name__", "")
    if not is_name(name):
        raise ValueError(f"{name!r} cannot name a function: use letters, digits, '_', '.' and '-', 64 at most")
    if pure and inspect.iscoroutinefunction(target):
        raise TypeError(f"function {name!r} is async and so cannot be pure: flows evaluate expressions without waiting")
    try:
        setattr(target, _MARK, _Mark(name=name, pure=pure, inline=inline))
    except AttributeError:
        raise TypeError(f"{target!r} cannot be marked with @function: wrap it in a function of its own") from None
    return target


def _mark_of(value: Any) -> Any:
    return inspect.getattr_static(value, _MARK, None)


def _registered(value: Any) -> Function:
    mark = _mark_of(value)
    return Function(mark.name, value, pure=mark.pure, inline=mark.inline)

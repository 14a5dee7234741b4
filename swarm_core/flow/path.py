"""Reading and writing the ctx at a path, compiled once per path."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from swarm_core.errors import FlowError
from swarm_core.flow.state import ExprCode, Lane, Writer
from swarm_core.model.fields import type_name
from swarm_core.model.path import Segment, parse_path

# A flow names the same few paths again and again; sharing their code keeps what the garbage collector looks at small.
_REMEMBERED = 4_096


@lru_cache(maxsize=_REMEMBERED)
def compile_read(text: str) -> ExprCode:
    """Return code that reads the value at a path in place.

    The code raises: FlowError of kind PathNotFound.
    """
    segments = parse_path(text)
    if not segments:
        return lambda lane: lane.ctx
    if any(isinstance(segment, int) for segment in segments):
        return _read_mixed(text, segments)
    if len(segments) == 1:
        return _read_one(text, segments[0])
    if len(segments) == 2:
        return _read_two(text, *segments)
    return _read_keys(text, segments)


# Subscribing with a string fits objects only: arrays, strings and null raise TypeError, numbers and booleans do too.


def _read_one(text: str, key: Segment) -> ExprCode:
    def read(lane: Lane) -> Any:
        try:
            return lane.ctx[key]
        except (KeyError, TypeError):
            raise _not_found(text) from None

    return read


def _read_two(text: str, first: Segment, second: Segment) -> ExprCode:
    def read(lane: Lane) -> Any:
        try:
            return lane.ctx[first][second]
        except (KeyError, TypeError):
            raise _not_found(text) from None

    return read


def _read_keys(text: str, segments: tuple[Segment, ...]) -> ExprCode:
    def read(lane: Lane) -> Any:
        value = lane.ctx
        try:
            for key in segments:
                value = value[key]
        except (KeyError, TypeError):
            raise _not_found(text) from None
        return value

    return read


def _read_mixed(text: str, segments: tuple[Segment, ...]) -> ExprCode:
    steps: Any = tuple((segment, list if isinstance(segment, int) else dict) for segment in segments)

    def read(lane: Lane) -> Any:
        value: Any = lane.ctx
        for segment, kind in steps:
            if type(value) is not kind:
                raise _not_found(text)
            try:
                value = value[segment]
            except LookupError:
                raise _not_found(text) from None
        return value

    return read


def _not_found(text: str) -> FlowError:
    return FlowError("PathNotFound", f"path not found: {text}")


@lru_cache(maxsize=_REMEMBERED)
def compile_write(text: str) -> Writer:
    """Return code that writes a value at a path, copying no more than the containers on the way that are shared.

    The code raises: FlowError of kind TypeError (op `path.write`) or PathNotFound; the ctx is then as it was.
    """
    segments = parse_path(text)
    if not segments:
        return _write_root
    if len(segments) == 1 and isinstance(segments[0], str):
        return _write_one(text, segments[0])
    return _write_deep(text, segments)


def _write_root(lane: Lane, value: Any) -> None:
    lane.owned.clear()
    lane.ctx = value


def _write_one(text: str, key: str) -> Writer:
    def write(lane: Lane, value: Any) -> None:
        ctx, owned = lane.ctx, lane.owned
        if type(ctx) is not dict:
            if ctx is not None:
                raise _not_writable(text, key, ctx)
            ctx = {}
        elif owned and id(ctx.get(key)) in owned:
            owned.clear()
        if id(ctx) not in owned:
            lane.ctx = ctx = ctx.copy()
            owned[id(ctx)] = ctx
        ctx[key] = value

    return write


def _write_deep(text: str, segments: tuple[Segment, ...]) -> Writer:
    backwards = tuple(reversed(segments))

    def write(lane: Lane, value: Any) -> None:
        owned, spine = lane.owned, []
        old = lane.ctx
        for segment in segments:
            container = _container(text, segment, old)
            spine.append(container)
            old = container.get(segment) if type(container) is dict else container[segment]
        if id(old) in owned:  # what is replaced must not be kept alive by `owned`
            owned.clear()
        for segment in backwards:
            container = spine.pop()
            if id(container) in owned:
                container[segment] = value
                return
            container = container.copy()
            owned[id(container)] = container
            container[segment] = value
            value = container
        lane.ctx = value

    return write


def _container(text: str, segment: Any, found: Any) -> Any:
    """Return the container that a segment goes into; a new object where there is nothing yet."""
    if type(segment) is str:
        if type(found) is dict:
            return found
        if found is None:
            return {}
    elif type(found) is list:
        if -len(found) <= segment < len(found):
            return found
        raise FlowError("PathNotFound", f"path not found: {text} (the array has {len(found)} elements)")
    elif found is None:
        raise _not_found(text)
    raise _not_writable(text, segment, found)


def _not_writable(text: str, segment: Segment, found: Any) -> FlowError:
    wanted = "an object" if isinstance(segment, str) else "an array"
    what = f"cannot write {text}: before {segment!r} stands {type_name(found)}, not {wanted}"
    return FlowError("TypeError", what, op="path.write")

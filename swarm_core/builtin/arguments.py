"""What a Python function is given for a Call, decided once by its signature."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from inspect import Parameter
from typing import Any

from attrs import evolve

from swarm_core.builtin.copying import private_copy
from swarm_core.model.call import Call

Arguments = Callable[[Call], tuple[Any, ...]]

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def arguments_for(function: Callable[..., Any]) -> Arguments:
    """Return the way to make the function's arguments out of a Call.

    No parameter: nothing. One: the Call when it is named `call` or annotated `Call`, else the input. Two: the input and
    the Call. Parameters with a default that are not the first and not the Call are left to their default. The input,
    also inside the Call, is the function's own copy. Raises: ValueError, when the function wants anything else.
    """
    match _wanted(function):
        case ():
            return lambda call: ()
        case ("input",):
            return lambda call: (private_copy(call.input),)
        case ("call",):
            return lambda call: (_own(call),)
        case ("call", "input"):
            return _call_and_input
        case _:
            return _input_and_call


def _input_and_call(call: Call) -> tuple[Any, ...]:
    own = _own(call)
    return own.input, own


def _call_and_input(call: Call) -> tuple[Any, ...]:
    own = _own(call)
    return own, own.input


def _own(call: Call) -> Call:
    copy = private_copy(call.input)
    return call if copy is call.input else evolve(call, input=copy)


def _wanted(function: Callable[..., Any]) -> tuple[str, ...]:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:  # a builtin that does not say what it takes
        return ("input",)
    _refuse_keyword_only(parameters)
    positional = [p for p in parameters if p.kind in _POSITIONAL]
    if not positional and any(p.kind is Parameter.VAR_POSITIONAL for p in parameters):
        return ("input",)
    asked = [p for at, p in enumerate(positional) if at == 0 or p.default is Parameter.empty or _is_call(p)]
    wanted = tuple("call" if _is_call(p) else "input" for p in asked)
    if len(wanted) > 2 or wanted == ("call", "call"):
        names = ", ".join(p.name for p in asked)
        allowed = "nothing, the input, the Call, or the input and the Call"
        raise ValueError(f"the function takes ({names}); it may take {allowed}")
    return wanted


def _refuse_keyword_only(parameters: list[Parameter]) -> None:
    for p in parameters:
        if p.kind is Parameter.KEYWORD_ONLY and p.default is Parameter.empty:
            raise ValueError(f"the function wants the keyword argument {p.name!r}; give it a default")


def _is_call(parameter: Parameter) -> bool:
    annotation = parameter.annotation
    if isinstance(annotation, str):  # under `from __future__ import annotations`
        annotation = Call if annotation.rpartition(".")[2] == "Call" else None
    return parameter.name == "call" or annotation is Call

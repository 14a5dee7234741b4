"""The `verdict` layer: what an agent answers has one of the values that its contract promises, or the task is blocked.

It is linked by itself wherever an agent has a contract, as the innermost layer of its stage: seniors stand outside and
see what is blocked, while delegates, resolvers and workers stand inside and are held to the contract of the agent that
the step names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve

from swarm_core.contracts import Run, SpawnerLayer
from swarm_core.errors import VerdictRejected
from swarm_core.factories import Environment, LayerFactory, Stage
from swarm_core.model.blueprint import VerdictContract
from swarm_core.model.budget import LIMITS, is_amount
from swarm_core.model.call import Call, Result, to_text
from swarm_core.model.ids import is_name
from swarm_core.model.path import parse_path

KEY = "verdict"
REPAIR = "repair"
"""Where a repeated attempt finds why: in `call.meta`, and in an input that is an object."""

_LONGEST = 200
_NOTHING = object()


class VerdictLayer(SpawnerLayer):
    """Lets through what keeps its agent's contract; the first answer that does not is asked for once more."""

    def __init__(self, contracts: Mapping[str, VerdictContract]) -> None:
        self._contracts = contracts

    async def run(self, call: Call, inner: Run) -> Result:
        """Carry out the attempt, and look at the verdict of a result that is a success."""
        contract = self._contracts.get(call.agent)
        if contract is None:
            return await inner(call)
        refused = call.context.recall(KEY)
        result = await inner(call if refused is None else repeated(call, refused))
        if not result.ok or (reason := fault_of(contract, result.value)) is None:
            return result
        note = _note(contract, result.value, reason)
        again = contract.on_invalid == "repair" and refused is None
        call.context.publish("verdict_rejected", **note, again=again)
        if not again:
            return Result({"rejected": note, "value": result.value}, False, result.facts)
        await call.context.remember(KEY, note)
        _report(call, result)
        raise VerdictRejected(call.agent, reason)


def fault_of(contract: VerdictContract, value: Any) -> str | None:
    """Return what is wrong with the verdict in a result, None when it is one of the contract's values."""
    found = _value_at(contract.path, value)
    if isinstance(found, str) and found in contract.values:
        return None
    at = "" if contract.path == "$" else f" at {contract.path}"
    said = f"there is no verdict{at}" if found is _NOTHING else f"the verdict{at} is {_shown(found)}"
    return f"{said} and must be one of {', '.join(to_text(each) for each in contract.values)}"


def repeated(call: Call, note: Mapping[str, Any]) -> Call:
    """Return the call of an attempt that is told why the one before was refused.

    Every worker finds the note in `call.meta["repair"]`. An input that is text has it as a paragraph at its end, an
    object under the key `repair` unless that is taken; any other input stays as it is.
    """
    given = call.input
    if isinstance(given, str):
        given = f"{given}\n\n{note['text']}"
    elif isinstance(given, Mapping) and REPAIR not in given:
        given = {**given, REPAIR: dict(note)}
    return evolve(call, input=given, meta={**call.meta, REPAIR: dict(note)})


def _note(contract: VerdictContract, value: Any, reason: str) -> dict[str, Any]:
    found = _value_at(contract.path, value)
    return {
        "reason": reason,
        "text": f"Your last answer was refused: {reason}. Answer again, with exactly one of these values.",
        "got": None if found is _NOTHING else _shown(found),
        "values": list(contract.values),
        "path": contract.path,
    }


def _value_at(path: str, value: Any) -> Any:
    """Return what stands at a path of a result, `_NOTHING` where nothing does."""
    found = value
    for segment in parse_path(path):
        if isinstance(segment, str) and isinstance(found, dict):
            found = found.get(segment, _NOTHING)
        elif isinstance(segment, int) and isinstance(found, list) and -len(found) <= segment < len(found):
            found = found[segment]
        else:
            return _NOTHING
    return found


def _shown(value: Any) -> str:
    text = to_text(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _report(call: Call, result: Result) -> None:
    """Report what a refused answer cost: its facts do not reach the engine."""
    usage = result.facts.get("usage")
    if isinstance(usage, Mapping):
        amounts = {str(name): amount for name, amount in usage.items() if is_name(str(name)) and is_amount(amount)}
        call.context.spend(**{name: amount for name, amount in amounts.items() if name not in LIMITS})


def build_verdict(options: Any, environment: Environment) -> SpawnerLayer:
    """Build the layer with the contracts of the Blueprint's agents."""
    agents = environment.blueprint.agents
    return VerdictLayer({agent.name: agent.verdict for agent in agents if agent.verdict is not None})


VERDICT_LAYER = LayerFactory(
    "verdict",
    Stage.RECOVER,
    build_verdict,
    summary="holds agents to their verdict contracts; linked by itself where there is one",
)

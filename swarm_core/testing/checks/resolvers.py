"""The contract of resolvers."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

from swarm_core.contracts import AgentResolver
from swarm_core.model.call import Call
from swarm_core.model.ids import is_name
from swarm_core.testing.checks.contract import ContractBroken, require
from swarm_core.testing.recording import make_call


def check_resolver(resolver: AgentResolver, call: Call | None = None, *, maps: Mapping[str, str] | None = None) -> None:
    """Run a resolver through its contract: it returns names, the same ones every time, and changes nothing.

    `maps` says which agent shall become which; an agent that the resolver does not know may become any other name.
    Raises: ContractBroken.
    """
    call = make_call() if call is None else call
    before = deepcopy(call.input)
    for agent, expected in {"an-agent-nobody-knows": None, **(maps or {})}.items():
        name = _resolved(resolver, agent, call)
        require(expected is None or name == expected, f"the resolver made {name!r} of {agent!r}, not {expected!r}")
        require(_resolved(resolver, agent, call) == name, f"the resolver answers differently for {agent!r} each time")
    require(call.input == before, "the resolver changed `call.input`, which is read-only")


def _resolved(resolver: AgentResolver, agent: str, call: Call) -> str:
    name = resolver.resolve(agent, call)
    if not isinstance(name, str) or not is_name(name):
        raise ContractBroken(f"the resolver made {name!r} of {agent!r}, which is no agent's name")
    return name

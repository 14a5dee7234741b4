"""A Call to hand to workers and layers, and an environment to build them in."""

from __future__ import annotations

from typing import Any

import pytest

from swarm_core import testing
from swarm_core.builtin.function import FunctionSpec, build_function
from swarm_core.contracts import Spawner
from swarm_core.factories import Environment, Function
from swarm_core.model.blueprint import AgentDef, AgentHint, Blueprint
from swarm_core.model.call import Call
from swarm_core.model.nodes import Seq
from swarm_core.settings import Settings


@pytest.fixture
def make_call():
    """Make a Call of agent `a` for an input."""

    def make(input: Any = None, agent: str = "a") -> Call:
        return testing.make_call(input=input, agent=agent)

    return make


@pytest.fixture
def make_environment():
    """Make an environment with the given functions, and with other parts by keyword."""

    def make(*functions: Function, **parts: Any) -> Environment:
        blueprint = Blueprint(id="b", flow=Seq(children=()))
        known = {function.name: function for function in functions}
        # Neither processes nor a clock: a builder that asks for them here fails.
        return Environment(
            blueprint=blueprint, settings=Settings(), processes=None, clock=None, functions=known, **parts
        )

    return make


@pytest.fixture
def build(make_environment):
    """Build the spawner of agent `a` for a callable, registered as `f`."""

    def built(target: Any, *, inline: bool = False, kind: str = "function") -> Spawner:
        environment = make_environment(Function("f", target, inline=inline))
        return build_function(AgentDef(name="a", kind=kind), FunctionSpec(fn_id="f"), AgentHint(), environment)

    return built

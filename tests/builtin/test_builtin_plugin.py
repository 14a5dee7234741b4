"""What the core itself brings goes through the same door as any plugin."""

from __future__ import annotations

import pytest

from swarm_core import builtin
from swarm_core.compile import check, compile_blueprint, link, resolve_layers
from swarm_core.host import Host
from swarm_core.model.blueprint import AgentDef, Blueprint
from swarm_core.model.call import Result
from swarm_core.model.nodes import Lit, Path, Step
from swarm_core.settings import Settings

ROLES = ("run", "output", "blueprint", "issue", "enhance_setting", "enhance_log")


@pytest.fixture(scope="module")
def catalog():
    """What a swarm without any plugin but the core's own has."""
    return Host.load((), Settings(), builtin=(builtin,)).catalog


def test_everything_is_admitted(catalog):
    provided = {
        "kinds": set(catalog.spawners),
        "layers": set(catalog.layers),
        "sets": set(catalog.layer_sets),
        "stores": set(catalog.stores),
        "functions": set(catalog.functions),
    }

    assert provided == {
        "kinds": {"ask", "function", "rust_fn"},
        "layers": {"resolver", "project_name_alias", "sink", "input_inject", "verdict"},
        "sets": {"standard"},
        "stores": {(role, scheme) for role in ROLES for scheme in ("memory", "sqlite")},
        "functions": {"identity"},
    }


def test_blueprints_can_be_read_from_json_and_yaml(catalog):
    assert {".json", ".yaml", ".yml"} <= set(catalog.readers)


async def test_row_60_identity_runs_from_end_to_end(catalog, make_call, make_environment):
    blueprint = Blueprint(
        id="b",
        flow=Step(ref="a", in_=Lit(value=1), out=Path(at="$.x")),
        agents=(AgentDef(name="a", kind="rust_fn", spec={"fn_id": "identity"}),),
    )
    environment = make_environment(*catalog.functions.values())
    routes = compile_blueprint(blueprint, catalog, environment)
    linked = link(routes, resolve_layers(blueprint, catalog, Settings()).use, catalog, environment)

    result = await linked.run(make_call("hi"))

    assert result == Result({"by": "baseline-identity", "agent": "a", "echoed": "hi"})


def test_the_standard_set_notes_that_audit_is_not_installed(catalog, make_environment):
    blueprint = Blueprint(id="b", flow=Step(ref="a", in_=Lit(value=1), out=Path(at="$.x")))

    noted = [p for p in check(blueprint, catalog, make_environment()) if p.code == "layer_not_installed"]

    assert [str(problem.severity) for problem in noted] == ["note"]
    assert noted[0].hint is not None
    assert noted[0].hint.startswith("pip install swarm-plugin-audit brings it")

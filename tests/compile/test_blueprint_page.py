"""The reference page of the Blueprint says everything that there is, and what it shows is right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from attrs import fields

from swarm_core.builtin import identity
from swarm_core.builtin.ask import ASK_KIND
from swarm_core.builtin.function import FUNCTION_KIND
from swarm_core.codec import load_yaml, structure_blueprint
from swarm_core.compile import check
from swarm_core.factories import Catalog, Environment, Function
from swarm_core.model import blueprint as models
from swarm_core.model import budget as budgets
from swarm_core.model.problem import Severity
from swarm_core.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/blueprint.md").read_text(encoding="utf-8")
ROWS = {match[1]: line for line in PAGE.splitlines() if (match := re.match(r"\| `([a-z_]+)` \|", line))}
CODES = {
    code
    for file in (ROOT / "swarm_core/compile").glob("*.py")
    for code in re.findall(r'code="([a-z_]+)"', file.read_text(encoding="utf-8"))
}
FIELDS = [
    (model, attribute.name.rstrip("_"))
    for model in (
        models.Blueprint,
        models.AgentDef,
        models.AgentProfile,
        models.AgentMeta,
        models.OperatorDef,
        models.AgentHint,
        models.RetryHint,
        models.CompilerStrategy,
        models.SpawnerHints,
        models.BlueprintMetadata,
        budgets.Budget,
        budgets.AgentBudget,
    )
    for attribute in fields(model)
    if attribute.name != "extra"
]


@pytest.mark.parametrize(("model", "name"), FIELDS, ids=lambda value: getattr(value, "__name__", value))
def test_every_field_has_a_row(model, name):
    assert name in ROWS


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_of_a_check_has_a_row(code):
    assert code in ROWS


@pytest.mark.parametrize("cause", models.RETRY_CAUSES)
def test_every_cause_to_retry_for_has_a_row(cause):
    assert cause in ROWS


@pytest.mark.parametrize(
    "text", re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL), ids=lambda text: text.split("\n")[0]
)
def test_every_blueprint_that_is_shown_is_sound(text):
    blueprint = structure_blueprint(load_yaml(text.encode(), name="page").value)
    catalog = Catalog(spawners={"function": FUNCTION_KIND, "ask": ASK_KIND})
    environment = Environment(
        blueprint=blueprint,
        settings=Settings(),
        processes=None,
        clock=None,
        functions={"identity": Function("identity", identity)},
    )

    errors = [problem for problem in check(blueprint, catalog, environment) if problem.severity is Severity.ERROR]

    assert errors == []

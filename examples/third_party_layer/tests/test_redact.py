"""Secrets are masked, everything else is left alone, and the contract of layers is kept."""

import pytest
import swarm_redact
from swarm_redact import Redact, RedactOptions

import swarm_core
from swarm_core.errors import InvalidBlueprint
from swarm_core.testing import FakeSpawner, check_layer, check_plugin

KEY = "sk-0123456789abcdefghij"


def blueprint(**options):
    step = {"kind": "step", "ref": "clerk", "in": {"op": "lit", "value": f"my key is {KEY}"}}
    return {
        "id": "trial",
        "flow": {**step, "out": {"op": "path", "at": "$.out"}},
        "agents": [{"name": "clerk", "kind": "function", "spec": {"fn_id": "identity"}}],
        "spawner_hints": {"layers": [{"redact": options}]},
    }


async def test_secrets_are_masked_wherever_they_stand_and_counted(call):
    worker = FakeSpawner({"note": [f"a {KEY}", 1, None], KEY: True})

    result = await Redact(RedactOptions(mask="*")).run(call, worker.run)

    assert result.value == {"note": ["a *", 1, None], "*": True}
    assert call.context.published == [("secrets_redacted", {"agent": call.agent, "count": 2})]


async def test_what_holds_no_secret_is_the_workers_own_result(call):
    await Redact(RedactOptions(patterns=["never"])).run(call, FakeSpawner({"a": [1, "text"]}).run)

    assert call.context.published == []


async def test_it_keeps_the_contract_of_layers():
    await check_layer(Redact(RedactOptions()))


def test_a_host_admits_it():
    assert list(check_plugin(swarm_redact).layers) == ["redact"]


def test_a_run_never_has_the_secret():
    result = swarm_core.run(blueprint(), plugins=[swarm_redact])

    assert result.final_ctx["out"]["echoed"] == "my key is [redacted]"


def test_a_pattern_that_is_none_refuses_the_blueprint():
    with pytest.raises(InvalidBlueprint, match="regular expressions"):
        swarm_core.run(blueprint(patterns=["("]), plugins=[swarm_redact])

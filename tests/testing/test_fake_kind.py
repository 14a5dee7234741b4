"""The kind `fake` takes the place of any worker at launch, and the audit layer sees it work."""

import pytest

import swarm_core.testing.plugin
from swarm_core.settings import Settings
from swarm_core.swarm import Swarm

swarm_plugin_audit = pytest.importorskip("swarm_plugin_audit", reason="needs swarm-plugin-audit")

PLUGINS = (swarm_core.testing.plugin, swarm_plugin_audit)

BLUEPRINT = {
    "id": "review",
    "agents": [{"name": "reviewer", "kind": "function", "spec": {"fn_id": "identity"}}],
    "spawner_hints": {"layers": ["audit"]},
    "flow": {
        "kind": "step",
        "ref": "reviewer",
        "in": {"op": "lit", "value": "draft"},
        "out": {"op": "path", "at": "$.review"},
    },
}


async def launched(document, bind):
    """Run a document and return its result and the events that audit published."""
    async with Swarm.open(Settings(), plugins=PLUGINS) as swarm:
        run = await swarm.launch(document, bind=bind)
        result = await run.wait()
        events = [event async for event in run.events() if event.kind.startswith("attempt_")]
    return result, [(event.kind, dict(event.data)) for event in events]


async def test_an_agent_bound_to_it_gives_back_its_input():
    result, _ = await launched(BLUEPRINT, {"reviewer": "fake"})

    assert result.final_ctx == {"review": "draft"}


async def test_a_hint_says_what_the_bound_agent_answers():
    hinted = {**BLUEPRINT, "hints": {"per_agent": {"reviewer": {"fake": {"answers": ["fine"], "delay": "10ms"}}}}}

    result, events = await launched(hinted, {"reviewer": "fake"})

    assert result.final_ctx == {"review": "fine"}
    assert [kind for kind, _ in events] == ["attempt_started", "attempt_ended"]
    assert events[1][1].items() >= {"agent": "reviewer", "ok": True}.items()


async def test_a_scripted_failure_ends_the_run_and_is_audited():
    failing = {**BLUEPRINT, "agents": [{"name": "reviewer", "kind": "fake", "spec": {"fail": "the model is down"}}]}

    result, events = await launched(failing, {})

    assert "the model is down" in result.error["message"]
    assert events[-1][1].items() >= {"agent": "reviewer", "error": "WorkerFailed"}.items()

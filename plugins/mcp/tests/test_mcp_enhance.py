"""Blueprints that improve themselves, over the tools: in this process and on a server."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

pytestmark = pytest.mark.needs("enhance")

GREET = """
id: greet
flow: {kind: step, ref: greeter, in: {op: lit, value: Ada}, out: {op: path, at: $.said}}
agents:
  - {name: greeter, kind: fake, spec: {answers: [hi]}, profile: {system_prompt: hi}}
"""
FUNCTIONS = """

@function
async def improve(ctx):
    (HERE / "improving").touch()
    while (HERE / "slow").exists():
        await asyncio.sleep(0.01)
    patch = [{"op": "replace", "path": "/agents/0/profile/system_prompt", "value": ctx["issue"]["intent"]}]
    return {"ops": patch, "rationale": "as it was said"}
"""
SETTING = {
    "blueprint_id": "enhance-default",
    "ttl_secs": 60,
    "verifier_axes": ["des", "canonical", "noop", "agent-ref"],
    "spawner": {"kind": "function", "spec": {"fn_id": "improve"}},
}
NAMES = {"swarm_issue_add", "swarm_issues", "swarm_enhance_tick", "swarm_enhance_log", "swarm_enhance_settings"}


@pytest.fixture
def project(project):
    with (project / "swarmfile.py").open("a") as file:
        file.write(FUNCTIONS)
    return project


@pytest.fixture
def here(project, opened):
    """Open the tools on a swarm in this process, with a Blueprint and who improves it."""

    @asynccontextmanager
    async def begin():
        async with opened(project) as tools:
            yield await furnished(tools)

    return begin


@pytest.fixture
def there(project, opened, started):
    """Open the same on a server."""

    @asynccontextmanager
    async def begin():
        async with started("serve", "--port", 0, "--json") as server:
            told = json.loads(await server.stdout.readline())
            async with opened(project, url=told["url"], token_file=told["token_file"]) as tools:
                yield await furnished(tools)

    return begin


async def furnished(tools):
    await tools.call("bp_add", blueprint=GREET)
    await tools.call("swarm_enhance_settings", setting=SETTING)
    return tools


@pytest.fixture(params=["here", pytest.param("there", marks=pytest.mark.needs("server", "client"))])
def anywhere(request):
    return request.getfixturevalue(request.param)


async def test_an_issue_becomes_a_new_version(anywhere):
    async with anywhere() as tools:
        added = await tools.call("swarm_issue_add", blueprint_id="greet", intent="hello")
        before = await tools.call("swarm_issues", status="pending")
        outcome = await tools.call("swarm_enhance_tick")
        shown = await tools.call("swarm_issues", issue_id=added["issue_id"])
        entry = await tools.call("swarm_enhance_log", issue_id=added["issue_id"])
        entries = await tools.call("swarm_enhance_log", blueprint_id="greet")
        kept = await tools.call("bp_show", id="greet")
        idle = await tools.call("swarm_enhance_tick")
        pending = await tools.call("swarm_issues", status="pending")

    assert ("pending", [added["issue_id"]]) == (added["status"], [each["issue_id"] for each in before["issues"]])
    assert ("applied", "applied") == (outcome["status"], shown["status"])
    assert kept["version"] == outcome["new_version"] == shown["new_version"] == entry["new_hash"]
    assert "hello" == kept["blueprint"]["agents"][0]["profile"]["system_prompt"]
    assert [entry] == entries["entries"]
    assert ("idle", []) == (idle["status"], pending["issues"])
    assert "swarm_issue_add" in idle["next"]


async def test_a_setting_is_changed_in_part(here):
    async with here() as tools:
        changed = await tools.call("swarm_enhance_settings", setting={"approval": True})
        shown = await tools.call("swarm_enhance_settings")

    assert {"id": "default", "approval": True} | SETTING == {
        name: changed[name] for name in ("id", "approval", *SETTING)
    }
    assert changed == shown


async def test_what_cannot_be_is_refused_with_a_sentence(anywhere):
    async with anywhere() as tools:
        empty, _ = await tools.refused("swarm_issue_add", blueprint_id="greet", intent=" ")
        issue, unknown = await tools.refused("swarm_issues", issue_id="h-0000")
        odd, _ = await tools.refused("swarm_issues", issue_id="h-0000/../x")
        entry, unwritten = await tools.refused("swarm_enhance_log", issue_id="h-0000")
        _, unset = await tools.refused("swarm_enhance_settings", id="other")
        _, wrong = await tools.refused("swarm_enhance_settings", setting={"approvall": True})

    assert "intent" in empty
    assert all("h-0000" in text for text in (issue, odd, entry))
    assert ("issue_not_found", "enhance_log_not_found") == (unknown, unwritten)
    assert ("enhance_setting_not_found", "invalid_document") == (unset, wrong)


async def test_a_person_is_asked_with_the_tools(here):
    async with here() as tools:
        await tools.call("swarm_enhance_settings", setting={"approval": True})
        await tools.call("swarm_issue_add", blueprint_id="greet", intent="hello")
        waiting = await tools.call("swarm_enhance_tick")
        (asked,) = (await tools.call("swarm_questions"))["questions"]
        await tools.call("swarm_answer", key=asked["key"], answer={"approved": True})
        await tools.call("swarm_watch", run_id=waiting["run_id"])
        done = await tools.call("swarm_enhance_tick")

    assert ("waiting", [asked["key"]]) == (waiting["status"], waiting["questions"])
    assert "swarm_answer" in waiting["next"]
    assert "applied" == done["status"]


async def test_a_tick_outlives_the_call_that_began_it(here, project, eventually):
    (project / "slow").touch()
    async with here() as tools:
        await tools.call("swarm_issue_add", blueprint_id="greet", intent="hello")
        begun = await tools.call("swarm_enhance_tick", timeout_secs=0)
        await eventually((project / "improving").exists)
        (held,) = (await tools.call("swarm_issues"))["issues"]
        again = asyncio.ensure_future(tools.call("swarm_enhance_tick"))
        (project / "slow").unlink()
        done = await again
        log = await tools.call("swarm_enhance_log")

    assert ("working", "in_flight", "applied") == (begun["status"], held["status"], done["status"])
    assert 1 == len(log["entries"])


class TestWithout:
    async def test_the_tools_are_listed_where_the_plugin_is(self, tools):
        listed = {tool.name for tool in (await tools.client.list_tools()).tools}

        assert listed >= NAMES

    @pytest.mark.parametrize(
        "off", ['disable = ["enhance"]', 'disable = ["Swarm_Plugin-Enhance"]', "disable_all = true"]
    )
    async def test_a_plugin_that_is_switched_off_brings_no_tools(self, project, opened, off):
        (project / "swarm.toml").write_text(f"[plugins]\n{off}\n")

        async with opened(project) as tools:
            listed = {tool.name for tool in (await tools.client.list_tools()).tools}
            _, code = await tools.refused("swarm_issues")

        assert not listed & NAMES
        assert "swarm_run" in listed
        assert "unknown_tool" == code

    @pytest.mark.needs("server", "client")
    async def test_a_server_without_the_plugin_is_told_from_one_with_it(self, project, started, opened):
        (project / "off.toml").write_text('[plugins]\ndisable = ["enhance"]\n')
        async with started("--config", "off.toml", "serve", "--port", 0, "--json") as server:
            told = json.loads(await server.stdout.readline())
            async with opened(project, url=told["url"], token_file=told["token_file"]) as tools:
                text, code = await tools.refused("swarm_issues")

        assert "not_offered" == code
        assert "no plugin offers /v1/issues here" in text

"""The stores of the enhance loop in an open swarm, and comparing recorded runs with another Blueprint."""

import json

import pytest

from swarm_core import Swarm
from swarm_core.builtin.memory_enhance import MemoryEnhanceLogStore, MemoryEnhanceSettingStore, MemoryIssueStore
from swarm_core.codec import structure
from swarm_core.contracts import EnhanceStores
from swarm_core.enhance_records import text_of
from swarm_core.errors import DocumentError, RunEnded, RunNotFound, SettingsError
from swarm_core.history import open_enhance
from swarm_core.model.blueprint import AgentProfile
from swarm_core.model.enhance import EnhanceSetting, IssuePayload, PatchAgent
from swarm_core.settings import Settings, StoreSettings

ISSUE = IssuePayload(issue_id="h-1", blueprint_id="review", intent="better")


def flow(*children):
    return {"id": "trial", "flow": {"kind": "seq", "children": list(children)}, "agents": [AGENT]}


def step(at="$.in", out="$.out"):
    return {"kind": "step", "ref": "clerk", "in": {"op": "path", "at": at}, "out": {"op": "path", "at": out}}


AGENT = {"name": "clerk", "kind": "function", "spec": {"fn_id": "identity"}}


# stores ------------------------------------------------------------------------------------------------------


async def test_they_are_in_the_file_of_the_runs(tmp_path):
    url = f"sqlite:///{tmp_path}/runs.db"
    async with Swarm.open(plugins=(), store=url) as swarm:
        await (await swarm.enhance_stores()).issues.create(ISSUE)

    async with open_enhance(Settings(store=StoreSettings(url=url))) as stores:
        assert ISSUE == await stores.issues.get("h-1")
        assert [] == list(await stores.settings.list()) + list(await stores.log.list_all())


async def test_they_may_be_somewhere_else(tmp_path):
    settings = Settings(store=StoreSettings(issues=f"sqlite:///{tmp_path}/issues.db"))
    async with Swarm.open(settings, plugins=()) as swarm:
        await (await swarm.enhance_stores()).issues.create(ISSUE)

    assert (tmp_path / "issues.db").exists()


async def test_they_are_opened_once_and_open_ones_are_taken_as_they_are():
    given = EnhanceStores(issues=MemoryIssueStore(), settings=MemoryEnhanceSettingStore(), log=MemoryEnhanceLogStore())
    async with Swarm.open(plugins=(), issues=given) as swarm:
        assert given is await swarm.enhance_stores()
    async with Swarm.open(plugins=(), issues="memory://") as swarm:
        assert await swarm.enhance_stores() is await swarm.enhance_stores()


async def test_a_swarm_that_keeps_nothing_says_what_is_missing():
    async with Swarm.open(plugins=()) as swarm:
        with pytest.raises(SettingsError, match=r"needs a store of issues.*SWARM_ISSUES"):
            await swarm.enhance_stores()


async def test_a_url_that_nobody_opens_is_told():
    async with Swarm.open(plugins=(), issues="nowhere://") as swarm:
        with pytest.raises(SettingsError, match="no issue store for nowhere://"):
            await swarm.enhance_stores()


# settings ----------------------------------------------------------------------------------------------------


def test_a_setting_may_name_its_patch_agent_and_want_approval():
    profile = AgentProfile(system_prompt="be brief", tools=("search",))
    setting = EnhanceSetting(
        id="default",
        blueprint_id="orbit",
        ttl_secs=60,
        spawner=PatchAgent(kind="llm", spec={"max_turns": 3}, profile=profile),
        approval=True,
    )

    assert setting == structure(json.loads(text_of(setting)), EnhanceSetting)


def test_what_the_seeds_do_not_know_is_only_told_where_it_says_something():
    setting = EnhanceSetting(id="default", blueprint_id="orbit", ttl_secs=60)

    assert ["id", "blueprint_id", "ttl_secs", "version", "verifier_axes", "meta"] == list(setting.as_json())


@pytest.mark.parametrize("spawner", [{}, {"kind": 5}, {"kind": "llm", "spce": {}}, "llm"])
def test_a_patch_agent_of_the_wrong_form_is_refused(spawner):
    with pytest.raises(DocumentError):
        structure({"id": "a", "blueprint_id": "b", "ttl_secs": 1, "spawner": spawner}, EnhanceSetting)


# comparing ---------------------------------------------------------------------------------------------------


@pytest.fixture
async def swarm():
    async with Swarm.open(plugins=(), store="memory://") as swarm:
        yield swarm


async def ended(swarm):
    run = await swarm.launch(flow(step()), init_ctx={"in": {"n": 1}, "other": 2})
    await run.wait()
    return run.id


async def test_a_run_that_has_ended_can_be_compared_but_not_migrated(swarm):
    run_id = await ended(swarm)

    same = await swarm.compare(run_id, flow(step()))

    assert (True, None, ["/0"]) == (same.ended, same.failure, [note.address for note in same.kept])
    with pytest.raises(RunEnded):
        await swarm.plan_migration(run_id, flow(step()))


async def test_a_step_that_gets_another_input_ends_the_look(swarm):
    other = await swarm.compare(await ended(swarm), flow(step("$.other")))

    assert (False, None) == (other.ended, other.failure)
    assert ["it gets another input"] == [note.reason for note in other.again]


async def test_a_flow_that_fails_on_the_record_says_why(swarm):
    read = {"kind": "let", "at": "$.x", "value": {"op": "path", "at": "$.out.nothing.there"}}

    failing = await swarm.compare(await ended(swarm), flow(step(), read))

    assert not failing.ended
    assert "nothing" in failing.failure


async def test_a_step_that_is_gone_is_dropped(swarm):
    shorter = await swarm.compare(await ended(swarm), flow())

    assert (True, ["/0"]) == (shorter.ended, [note.address for note in shorter.dropped])


async def test_a_run_that_is_not_there_is_told(swarm):
    with pytest.raises(RunNotFound):
        await swarm.compare("RUN-nothing", flow())

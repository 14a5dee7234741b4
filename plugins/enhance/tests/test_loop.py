"""The loop: what becomes of an issue, written down once and for all, whatever happens in between."""

import asyncio

import pytest
from attrs import evolve
from swarm_plugin_enhance import EnhanceApplication
from swarm_plugin_enhance.names import ORBIT
from swarm_plugin_enhance.orbit import default_setting, shipped

from swarm_core import Swarm
from swarm_core.codec import blueprint_json, structure_blueprint
from swarm_core.contracts import EnhanceLogStore, EnhanceStores
from swarm_core.errors import DocumentError, EnhanceLogNotFound, SettingsError, StoreUnavailable
from swarm_core.model.enhance import PatchAgent
from swarm_core.model.run import RunFilter
from swarm_core.model.version import CommitMetadata, Fixed, SemverReq
from swarm_core.settings import Settings
from swarm_core.versions import canonical_text

FUNCTION = PatchAgent(kind="function", spec={"fn_id": "improve"})


# what comes of an issue --------------------------------------------------------------------------------------


async def test_row_86_all_axes_pass_and_there_is_a_new_head_and_an_entry(loop):
    _, first = await loop.head()

    outcome, entry = await loop.once(intent="be friendlier")

    document, head = await loop.head()
    assert ("applied", head.version) == (outcome.status, outcome.new_version)
    assert "hello" == document["agents"][0]["profile"]["system_prompt"]
    assert ("1.1.0", "friendlier", (first.version,)) == (head.label, head.metadata.rationale, head.parents)
    assert (64, first.version) == (len(head.metadata.patch_hash), head.metadata.epoch_id.start_version)
    assert ("applied", first.version, head.version) == (entry.status, entry.prev_hash, entry.new_hash)
    assert ("be friendlier", "friendlier", ()) == (entry.intent, entry.rationale, entry.reasons)
    assert "applied" == await loop.status(outcome.issue_id)


async def test_row_86_one_axis_denies_and_the_head_stays(loop):
    _, first = await loop.head()

    outcome, entry = await loop.once({"ops": [], "rationale": "nothing", "bump": "patch"})

    assert first == (await loop.head())[1]
    assert ("rejected", "verifier deny: noop: nothing changed") == (outcome.status, outcome.reason)
    assert ("rejected", "", ("verifier deny: noop: nothing changed",)) == (entry.status, entry.new_hash, entry.reasons)
    assert "rejected" == await loop.status(outcome.issue_id)


async def test_row_88_without_the_default_setting_the_issue_is_rejected_with_an_entry(open_loop):
    async with open_loop(settings=Settings(sections={"enhance": {"seed": False}})) as loop:
        await loop.stores.settings.delete("default")

        outcome, entry = await loop.once()

    assert outcome.reason.startswith("dispatch failed: ")
    assert "default" in outcome.reason
    assert ("rejected", (outcome.reason,)) == (entry.status, entry.reasons)


async def test_what_is_missing_is_seeded(loop):
    await loop.stores.settings.delete("default")

    assert await loop.application.tick() is None

    assert default_setting() == await loop.stores.settings.get("default")
    text, head = await loop.swarm.blueprints.read_head(ORBIT)
    assert (canonical_text(shipped()), "seed") == (text, head.metadata.rationale)


async def test_an_orbit_that_people_changed_is_not_seeded_over(loop):
    own = canonical_text(evolve(shipped(), metadata=evolve(shipped().metadata, description="ours")))
    await loop.swarm.blueprints.write_new(ORBIT, own, parent=None, metadata=CommitMetadata(author="ada"))

    await loop.application.tick()

    assert own == (await loop.swarm.blueprints.read_head(ORBIT))[0]


async def test_an_older_orbit_that_was_seeded_is_brought_up_to_date(loop):
    old = canonical_text(evolve(shipped(), metadata=evolve(shipped().metadata, description="old")))
    said = CommitMetadata(rationale="seed", author="swarm-plugin-enhance")
    await loop.swarm.blueprints.write_new(ORBIT, old, parent=None, metadata=said)

    await loop.application.tick()

    assert canonical_text(shipped()) == (await loop.swarm.blueprints.read_head(ORBIT))[0]


async def test_the_oldest_issue_comes_first_and_one_tick_does_one(loop):
    first, second = await loop.add("one"), await loop.add("two")

    outcome = await loop.application.tick()

    assert first == outcome.issue_id
    assert ["applied", "pending"] == [await loop.status(first), await loop.status(second)]
    assert second == (await loop.application.tick()).issue_id
    assert await loop.application.tick() is None


async def test_run_forever_without_follow_works_until_nothing_is_left(loop):
    ids = [await loop.add("one"), await loop.add("two")]

    outcomes = [outcome async for outcome in loop.application.run_forever(follow=False)]

    assert [(ids[0], "applied"), (ids[1], "rejected")] == [(each.issue_id, each.status) for each in outcomes]


@pytest.mark.parametrize("intent", ["", "  \n", "a\ud800"])
async def test_an_empty_intent_is_refused(loop, intent):
    with pytest.raises(DocumentError):
        await loop.application.handle("greet", intent)


async def test_an_issue_for_a_blueprint_that_is_not_there_is_rejected(loop):
    issue_id = await loop.add(blueprint="gret")

    outcome = await loop.application.tick()

    assert "dispatch failed: " in outcome.reason
    assert "did you mean 'greet'?" in outcome.reason
    assert outcome.reason == (await loop.stores.log.get(issue_id)).reasons[0]


async def test_a_patch_agent_that_fails_leads_to_an_entry(loop):
    async def fail(ctx):
        raise RuntimeError("the model is away")

    outcome, entry = await loop.once(fail)

    assert outcome.reason.startswith(f"dispatch failed: run {outcome.run_id} failed: ")
    assert "the model is away" in entry.reasons[0]


async def test_a_patch_agent_that_takes_too_long_is_stopped(loop):
    async def wait(ctx):
        await asyncio.sleep(60)

    outcome, _ = await loop.once(wait, ttl_secs=1)

    assert "dispatch failed" in outcome.reason
    assert "wall_time" in outcome.reason


async def test_without_a_plugin_for_models_the_shipped_agent_says_what_to_install(loop):
    issue_id = await loop.add()
    await loop.set(spawner=None)

    outcome = await loop.application.tick()

    assert "llm" in outcome.reason
    assert "rejected" == await loop.status(issue_id)


async def test_the_orbit_is_given_what_the_seeds_give_it(loop):
    seen = {}

    async def look(ctx):
        seen.update(ctx)
        return {"ops": [], "rationale": "x"}

    outcome, entry = await loop.once(look, intent="be kind")

    assert {"issue_id": outcome.issue_id, "blueprint_id": "greet", "intent": "be kind"} == seen["issue"]
    assert entry.prev_hash == seen["prev_hash"] == seen["epoch_id"]["start_version"]
    assert ("greet", list(default_setting().verifier_axes)) == (seen["epoch_id"]["blueprint_id"], seen["verifiers"])
    assert "fn_id: identity" in seen["prev_bp_yaml"]


async def test_texts_that_yaml_could_take_for_something_else_stay_what_they_are(loop):
    document, head = await loop.head()
    hostile = {
        "yes": "no",
        "null": "~",
        "1e3": "0x1f",
        "t": "2001-01-01",
        "c": "\x01\u2028é\U0001f600",
        "n": [1.5e300, -0.0],
    }
    await loop.write({**document, "default_init_ctx": hostile}, head.version)

    await loop.once()

    assert hostile == (await loop.head())[0]["default_init_ctx"]


# orbits of other kinds ---------------------------------------------------------------------------------------


async def keep_orbit(loop, commit, **setting):
    """Let the orbit be one step that decides without any verifier."""
    document = {
        "id": "orbit",
        "flow": {
            "kind": "step",
            "ref": "committer",
            "in": {"op": "path", "at": "$"},
            "out": {"op": "path", "at": "$.commit"},
        },
        "agents": [{"name": "committer", "kind": "function", "spec": {"fn_id": "improve"}}],
        "metadata": {"version_label": "1.2.0"},
    }
    text = canonical_text(structure_blueprint(document))
    entry = await loop.swarm.blueprints.write_new("orbit", text, parent=None, metadata=CommitMetadata())
    loop.patches[:] = [commit]
    await loop.set(**{"blueprint_id": "orbit", "spawner": None, "verifier_axes": (), **setting})
    return entry


def changed(document):
    return {**document, "metadata": {"version_label": "5.0.0"}}


async def committed(loop, **more):
    from swarm_plugin_enhance.revision import hash_of

    document = changed((await loop.head())[0])
    return {"committed": True, "rationale": "r", "new_version": hash_of(document), "new_bp_json": document, **more}


async def test_any_orbit_that_leaves_a_commit_is_followed(loop):
    await keep_orbit(loop, await committed(loop))

    outcome, entry = await loop.once()

    assert ("applied", "r") == (outcome.status, entry.rationale)
    assert "5.0.0" == (await loop.head())[1].label


async def test_the_orbit_may_be_chosen_by_version(loop):
    entry = await keep_orbit(loop, await committed(loop), version=SemverReq(req="^1"))
    await loop.set(version=Fixed(value=entry.version))

    assert "applied" == (await loop.once())[0].status

    await loop.set(version=SemverReq(req="^9"))
    assert "dispatch failed" in (await loop.once())[0].reason


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"new_version": "0" * 64}, "was said"),
        ({"new_version": None}, "was said"),
        ({"new_bp_json": {"id": "greet"}}, "no Blueprint"),
        ({"new_bp_json": "{"}, "no Blueprint"),
        ({"committed": False}, "no reasons"),
        ({"committed": "perhaps"}, "committed"),
        ({"surprise": 1}, "surprise"),
        ({"verdicts_summary": [{"axis": "des", "status": "deny", "reason": "no"}]}, "an axis denied it"),
    ],
)
async def test_a_commit_of_the_wrong_shape_is_not_followed_and_is_written_down(loop, wrong, reason):
    _, first = await loop.head()
    await keep_orbit(loop, await committed(loop, **wrong))

    outcome, entry = await loop.once()

    assert outcome.reason.startswith("commit shape: ")
    assert reason in outcome.reason
    assert (outcome.reason,) == entry.reasons
    assert first == (await loop.head())[1]


async def test_the_hash_is_compared_before_anything_is_written(loop):
    from swarm_plugin_enhance.revision import hash_of

    _, first = await loop.head()
    other = {**changed((await loop.head())[0]), "id": "other"}
    await keep_orbit(loop, {"committed": True, "new_version": hash_of(other), "new_bp_json": other})

    outcome, _ = await loop.once()

    assert "is Blueprint 'other'" in outcome.reason
    assert [first] == list(await loop.swarm.blueprints.history("greet"))


async def test_an_orbit_that_skips_an_axis_of_the_setting_is_not_followed(loop):
    await keep_orbit(loop, await committed(loop), verifier_axes=("des",))

    assert "committed without a pass on des" in (await loop.once())[0].reason


async def test_an_orbit_that_does_not_ask_is_not_followed_where_approval_is_wanted(loop):
    await keep_orbit(loop, await committed(loop), approval=True)

    assert "committed without a pass on approval" in (await loop.once())[0].reason


async def test_an_orbit_without_a_commit_is_told(loop):
    await keep_orbit(loop, ["what"])

    assert "there is none in $.commit" in (await loop.once())[0].reason


async def test_a_spawner_that_no_agent_stands_for_is_told(loop):
    await keep_orbit(loop, {}, spawner=FUNCTION)

    assert "has no agent 'patch-spawner'" in (await loop.once())[0].reason


# others at the same time -------------------------------------------------------------------------------------


async def test_a_head_that_moved_meanwhile_leads_to_one_more_try_from_the_top(loop):
    async def while_somebody_commits(ctx):
        document, head = await loop.head()
        await loop.write({**document, "metadata": {"version_label": "3.0.0"}}, head.version)
        return loop.patches[0]

    outcome, entry = await loop.once(while_somebody_commits, loop.patches[0])

    document, head = await loop.head()
    assert "applied" == outcome.status
    assert "3.1.0" == head.label
    assert head.parents[0] == entry.prev_hash
    assert "hello" == document["agents"][0]["profile"]["system_prompt"]


async def test_a_head_that_moved_twice_leads_to_a_rejection(loop):
    async def while_somebody_commits(ctx):
        document, head = await loop.head()
        await loop.write({**document, "metadata": {"version_label": f"{head.number + 1}.0.0"}}, head.version)
        return {"ops": [{"op": "add", "path": "/metadata/description", "value": "x"}], "rationale": "x"}

    outcome, entry = await loop.once(while_somebody_commits)

    assert "once more" in outcome.reason
    assert (outcome.reason,) == entry.reasons
    assert 3 == len(await loop.swarm.blueprints.history("greet"))


async def test_an_issue_that_somebody_else_took_up_is_left_to_them(open_loop):
    settings = Settings(sections={"enhance": {"lease": 1}})
    async with open_loop(settings=settings) as loop:

        async def while_it_is_taken(ctx):
            until = loop.swarm.engine.clock.time() + 1000
            assert await loop.stores.issues.pop_pending("thief", now=until - 1, until=until) is not None
            return loop.patches[0]

        loop.patches[:] = [while_it_is_taken, *loop.patches]
        issue_id = await loop.add()
        outcome = await loop.application.tick()

        assert "lost" == outcome.status
        assert "in_flight" == await loop.status(issue_id)
        assert 1 == len(await loop.swarm.blueprints.history("greet"))
        with pytest.raises(EnhanceLogNotFound):
            await loop.stores.log.get(issue_id)


async def test_work_stops_as_soon_as_the_issue_is_lost(open_loop):
    async with open_loop(settings=Settings(sections={"enhance": {"lease": 1}})) as loop:
        cancelled = asyncio.Event()

        async def hang(ctx):
            until = loop.swarm.engine.clock.time() + 1000
            await loop.stores.issues.pop_pending("thief", now=until - 1, until=until)
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        loop.patches[:] = [hang]
        await loop.add()

        assert "lost" == (await loop.application.tick()).status
        await cancelled.wait()


async def test_a_lease_is_renewed_while_the_work_goes_on(open_loop):
    async with open_loop(settings=Settings(sections={"enhance": {"lease": 1}})) as loop:
        seen = []

        async def take_long(ctx):
            for _ in range(2):
                seen.append((await loop.stores.issues.holder(ctx["issue"]["issue_id"])).until)
                await asyncio.sleep(0.5)
            return loop.patches[0]

        outcome, _ = await loop.once(take_long, loop.patches[0])

        assert "applied" == outcome.status
        assert seen[0] < seen[1]


# what was left half done -------------------------------------------------------------------------------------


class BrokenOnce(EnhanceLogStore):
    """A log that cannot be written the first time."""

    url = "memory://"

    def __init__(self, inner):
        self.inner, self.broken = inner, True

    async def append(self, entry):
        if self.broken:
            self.broken = False
            raise StoreUnavailable("the disk is full")
        await self.inner.append(entry)

    async def get(self, issue_id):
        return await self.inner.get(issue_id)

    async def list_all(self):
        return await self.inner.list_all()

    async def list_by_blueprint(self, blueprint_id):
        return await self.inner.list_by_blueprint(blueprint_id)


@pytest.fixture
async def stores():
    """Stores in memory whose log is broken once."""
    async with Swarm.open(plugins=(), issues="memory://") as swarm:
        known = await swarm.enhance_stores()
        yield EnhanceStores(issues=known.issues, settings=known.settings, log=BrokenOnce(known.log))


async def test_a_change_that_was_kept_but_not_written_down_is_not_made_twice(open_loop, stores):
    async with open_loop(issues=stores) as loop:
        issue_id = await loop.add()
        with pytest.raises(StoreUnavailable):
            await loop.application.tick()
        assert "pending" == await loop.status(issue_id)
        _, kept = await loop.head()
        loop.patches[:] = [{"ops": [], "rationale": "must not be asked again"}]

        outcome = await EnhanceApplication(loop.swarm).tick()

        entry = await stores.log.get(issue_id)
        assert ("applied", kept.version) == (outcome.status, outcome.new_version)
        assert (kept.version, kept.parents[0], "friendlier") == (entry.new_hash, entry.prev_hash, entry.rationale)
        assert 7 == len(entry.verdicts)
        assert kept == (await loop.head())[1]


async def test_what_was_written_down_is_what_becomes_of_the_issue(loop):
    outcome, entry = await loop.once({"ops": [], "rationale": "x"})
    again = await loop.add()
    await loop.stores.log.append(evolve(entry, issue_id=again))
    taken = await loop.stores.issues.pop_pending("dead", now=0, until=0)
    assert again == taken.issue.issue_id
    loop.patches[:] = []

    found = await loop.application.tick()

    assert ("rejected", outcome.reason) == (found.status, found.reason)


async def test_a_run_that_was_done_is_followed_without_asking_the_agent_again(loop, monkeypatch):
    """The owner comes to grief between the end of the orbit and the commit; whoever is next goes on there."""
    issue_id = await loop.add()
    store = type(await loop.swarm.blueprints.store())
    write, refused = store.write_new, []

    async def refuse_once(self, *args, **more):
        if more["metadata"].author == f"enhance {issue_id}" and not refused:
            refused.append(args)
            raise StoreUnavailable("gone")
        return await write(self, *args, **more)

    monkeypatch.setattr(store, "write_new", refuse_once)
    with pytest.raises(StoreUnavailable):
        await loop.application.tick()
    loop.patches[:] = [{"ops": [], "rationale": "must not be asked again"}]

    outcome = await loop.application.tick()

    assert ("applied", issue_id) == (outcome.status, outcome.issue_id)
    assert 1 == len(await loop.swarm.history.runs(RunFilter(blueprint_id=ORBIT)))


async def test_the_entry_that_was_there_first_counts(loop):
    _, other = await loop.once({"ops": [], "rationale": "x"})

    async def while_somebody_writes_it_down(ctx):
        issue_id = ctx["issue"]["issue_id"]
        await loop.stores.log.append(evolve(other, issue_id=issue_id, reasons=("they were first",)))
        return {"ops": [], "rationale": "x"}

    outcome, entry = await loop.once(while_somebody_writes_it_down)

    assert ("rejected", "they were first") == (outcome.status, outcome.reason)
    assert ("they were first",) == entry.reasons


async def stopped_in_the_middle(loop):
    """Work on an issue until its patch agent is at work, and stop there."""
    begun = asyncio.Event()

    async def hang(ctx):
        begun.set()
        await asyncio.Event().wait()

    loop.patches[:] = [hang]
    tick = asyncio.create_task(loop.application.tick())
    await begun.wait()
    tick.cancel()
    await asyncio.wait([tick])


async def test_what_was_stopped_goes_on_where_it_was(loop):
    issue_id = await loop.add()
    await stopped_in_the_middle(loop)
    assert "pending" == await loop.status(issue_id)
    loop.patches[:] = [prompt()]

    outcome = await loop.application.tick()

    assert ("applied", issue_id) == (outcome.status, outcome.issue_id)
    assert 1 == len(await loop.swarm.history.runs(RunFilter(blueprint_id=ORBIT)))


async def test_an_issue_that_never_comes_to_an_end_is_rejected(open_loop):
    async with open_loop(settings=Settings(sections={"enhance": {"max_attempts": 2}})) as loop:
        issue_id = await loop.add()
        for _ in range(3):
            await stopped_in_the_middle(loop)

        outcome = await loop.application.tick()

        assert (issue_id, "rejected") == (outcome.issue_id, outcome.status)
        assert "begun 3 times and never came to an end" in outcome.reason
        assert outcome.reason == (await loop.stores.log.get(issue_id)).reasons[0]


def prompt():
    return {
        "ops": [{"op": "replace", "path": "/agents/0/profile/system_prompt", "value": "hello"}],
        "rationale": "friendlier",
        "bump": "minor",
    }


async def test_a_swarm_without_stores_is_told_which_it_needs(open_loop):
    async with open_loop() as loop:
        loop.swarm.store = None
        await loop.add()
        with pytest.raises(SettingsError, match="run store"):
            await loop.application.tick()


@pytest.mark.parametrize("section", [{"lease": "soon"}, {"lease": 0.1}, {"max_attempts": 0}, {"leese": 1}])
def test_settings_that_are_wrong_are_told(section):
    from swarm_plugin_enhance.options import read_options

    with pytest.raises(SettingsError):
        read_options(Settings(sections={"enhance": section}))


# approval ----------------------------------------------------------------------------------------------------


async def waiting(loop):
    await loop.set(approval=True)
    issue_id = await loop.add()
    outcome = await loop.application.tick()
    assert "waiting" == outcome.status
    return issue_id, outcome


async def test_with_approval_a_person_is_asked_and_shown_the_change(loop):
    issue_id, outcome = await waiting(loop)

    question = await loop.swarm.store.question(outcome.questions[0])

    shown = question.question["input"]
    assert (issue_id, "friendlier", "1.1.0") == (shown["issue"]["issue_id"], shown["rationale"], shown["version"])
    assert '+        "system_prompt": "hello"' in shown["diff"]
    assert "pending" == await loop.status(issue_id)
    assert 1 == len(await loop.swarm.blueprints.history("greet"))


async def test_an_approved_change_is_kept(loop):
    issue_id, outcome = await waiting(loop)
    await loop.swarm.answer(outcome.questions[0], {"approved": True, "note": "fine"}, by="ada")

    done = await loop.application.tick()

    assert ("applied", issue_id) == (done.status, done.issue_id)
    entry = await loop.stores.log.get(issue_id)
    assert ("approval", "pass", "fine") == (
        entry.verdicts[-1].axis,
        entry.verdicts[-1].status,
        entry.verdicts[-1].detail,
    )


async def test_a_change_that_is_not_approved_is_rejected_with_the_persons_words(loop):
    _, outcome = await waiting(loop)
    await loop.swarm.answer(outcome.questions[0], {"approved": False, "note": "too friendly"}, by="ada")

    assert "verifier deny: approval: too friendly" == (await loop.application.tick()).reason


async def test_nobody_is_asked_about_a_change_that_is_denied_anyway(loop):
    await loop.set(approval=True)

    assert "rejected" == (await loop.once({"ops": [], "rationale": "x"}))[0].status


async def test_an_issue_that_waits_does_not_hold_up_the_others(loop):
    first, _ = await waiting(loop)
    await loop.set(approval=False)
    second = await loop.add("another one")

    outcomes = [outcome async for outcome in loop.application.run_forever(follow=False)]

    assert (second, "applied") == (outcomes[0].issue_id, outcomes[0].status)
    assert first in {each.issue_id for each in outcomes[1:]}


async def test_looking_at_an_issue_that_waits_any_number_of_times_changes_nothing(loop):
    issue_id, outcome = await waiting(loop)

    for _ in range(8):
        again = await loop.application.tick()

    assert outcome == again
    assert "pending" == await loop.status(issue_id)


async def test_a_question_about_a_version_that_is_no_longer_the_head_is_withdrawn(loop):
    _, outcome = await waiting(loop)
    document, head = await loop.head()
    await loop.write({**document, "metadata": {"version_label": "2.0.0"}}, head.version)

    again = await loop.application.tick()

    assert "waiting" == again.status
    assert outcome.run_id != again.run_id
    assert "cancelled" == (await loop.swarm.history.stands(outcome.run_id)).status
    assert "2.1.0" == (await loop.swarm.store.question(again.questions[0])).question["input"]["version"]


def test_the_shipped_orbit_has_nothing_to_complain_about():
    assert blueprint_json(shipped())["id"] == ORBIT

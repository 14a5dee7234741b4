"""Each axis lets a sound change through, and denies what it is there for with the reason."""

import pytest
from swarm_plugin_enhance.axes import AXES

from swarm_core.hookspecs import hookimpl
from swarm_core.model.enhance import VERIFIER_AXES, AxisVerdict, VerdictStatus
from swarm_core.verifiers import Change, Verifier

STEP = {"kind": "step", "ref": "greeter", "in": {"op": "path", "at": "$.who"}, "out": {"op": "path", "at": "$.said"}}


def replace(path, value, **more):
    return {"ops": [{"op": "replace", "path": path, "value": value}], "rationale": "because", "bump": "patch", **more}


def add(path, value, **more):
    return {"ops": [{"op": "add", "path": path, "value": value}], "rationale": "because", "bump": "patch", **more}


def denied(entry):
    return {verdict.axis: verdict.detail for verdict in entry.verdicts if verdict.status is VerdictStatus.DENY}


async def test_a_sound_change_passes_every_axis(loop):
    outcome, entry = await loop.once()

    assert "applied" == outcome.status
    assert [(axis, "pass") for axis in AXES] == [(verdict.axis, verdict.status) for verdict in entry.verdicts]


async def test_des_denies_what_is_no_blueprint(loop):
    _, entry = await loop.once(replace("/flow/kind", "stp"))

    assert "no Blueprint" in denied(entry)["des"]


async def test_des_denies_another_id(loop):
    _, entry = await loop.once(replace("/id", "other"))

    assert "its id is 'other'" in denied(entry)["des"]


@pytest.mark.parametrize(
    "said", ["no JSON at all", {"ops": []}, {"ops": [{"op": "remove", "path": "/nope"}], "rationale": "x"}]
)
async def test_a_patch_that_cannot_be_used_is_denied_and_the_run_goes_on(loop, said):
    outcome, entry = await loop.once(said)

    assert outcome.reason.startswith("verifier deny: des: the patch cannot be used")
    assert set(AXES) == set(denied(entry))


async def test_noop_denies_what_changes_nothing(loop):
    outcome, entry = await loop.once({"ops": [], "rationale": "all is well", "bump": "major"})

    assert {"noop": "nothing changed"} == denied(entry)
    assert "verifier deny: noop: nothing changed" == outcome.reason


async def test_agent_ref_denies_a_step_for_an_agent_that_is_not_there(loop):
    _, entry = await loop.once(replace("/flow/ref", "greter"))

    assert "did you mean 'greeter'?" in denied(entry)["agent-ref"]


async def test_lint_denies_a_problem_that_was_not_there_before(loop):
    _, entry = await loop.once(replace("/agents/0/spec/fn_id", "identiti"), verifier_axes=("lint",))

    assert "identiti" in denied(entry)["lint"]


async def test_lint_lets_pass_what_was_wrong_before(loop):
    document, head = await loop.head()
    document["flow"] = {"kind": "seq", "children": [STEP, {**STEP, "out": {"op": "path", "at": "$.unused"}}]}
    await loop.write(document, head.version)

    _, entry = await loop.once(verifier_axes=("lint",))

    assert {} == denied(entry)


async def test_budget_denies_a_higher_bound_that_nobody_spoke_of(loop):
    twice = {"kind": "seq", "children": [STEP, STEP]}

    _, entry = await loop.once(replace("/flow", twice), verifier_axes=("budget",))

    assert "from 1 dispatch to 2 dispatches" in denied(entry)["budget"]


async def test_budget_lets_a_higher_bound_pass_that_the_patch_speaks_of(loop):
    twice = {"kind": "seq", "children": [STEP, STEP]}

    outcome, entry = await loop.once(replace("/flow", twice, raises_bound=True), verifier_axes=("budget",))

    assert "applied" == outcome.status
    assert "2 dispatches" == entry.verdicts[0].detail["bound"]


async def test_budget_denies_dispatches_per_item_that_were_not_there(loop):
    lanes = {
        "kind": "fanout",
        "items": {"op": "path", "at": "$.all"},
        "bind": {"op": "path", "at": "$.who"},
        "join": "all",
        "body": STEP,
        "out": {"op": "path", "at": "$.lanes"},
    }

    _, entry = await loop.once(replace("/flow", lanes), verifier_axes=("budget",))

    assert "per item of $.all" in denied(entry)["budget"]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"dispatches": 5}, {"dispatches": 6}, "budget.dispatches goes from 5 to 6"),
        ({"dispatches": 5}, {}, "budget.dispatches goes from 5 to no limit"),
        ({"wall_time": "1m"}, {"wall_time": "2h"}, "budget.wall_time goes from 60"),
        ({"counters": {"tokens": 10}}, {"counters": {}}, "budget.counters.tokens goes from 10"),
        ({"dispatches": 5}, {"dispatches": 4, "attempts": 9}, None),
    ],
)
async def test_budget_denies_a_looser_budget(loop, before, after, said):
    document, head = await loop.head()
    await loop.write({**document, "budget": before}, head.version)

    _, entry = await loop.once(replace("/budget", after), verifier_axes=("budget",))

    assert (said is None and not denied(entry)) or said in denied(entry)["budget"]


async def run(loop, **ctx):
    return await (await loop.swarm.launch("bp:greet", init_ctx=ctx)).wait()


async def test_replay_tells_for_each_recorded_run_whether_it_goes_the_same_way(loop):
    result = await run(loop, who="ada")

    _, entry = await loop.once(verifier_axes=("replay",))

    assert {"runs": [{"run_id": result.run_id, "same": True, "kept": 1}]} == entry.verdicts[0].detail


async def test_replay_tells_what_would_differ_and_lets_it_pass(loop):
    await run(loop, who="ada")

    _, entry = await loop.once(replace("/flow/in/at", "$"), verifier_axes=("replay",))

    (told,) = entry.verdicts[0].detail["runs"]
    assert (False, ["/ (greeter): it gets another input"]) == (told["same"], told["again"])
    assert "applied" == entry.status


async def test_replay_denies_a_change_with_which_a_run_that_was_done_fails(loop):
    document, head = await loop.head()
    await loop.write({**document, "flow": {"kind": "seq", "children": [STEP]}}, head.version)
    await run(loop, who="ada")
    nothing = {"kind": "seq", "children": []}
    gate = {"kind": "branch", "cond": {"op": "path", "at": "$.said.by"}, "then": nothing, "else": nothing}

    outcome, entry = await loop.once(add("/flow/children/-", gate), verifier_axes=("replay",))

    assert "was done, and fails now" in outcome.reason
    assert denied(entry)["replay"]["runs"][0]["fails"]


async def test_replay_does_not_look_at_runs_that_failed_before(loop):
    assert "failed" == (await run(loop)).status

    _, entry = await loop.once(verifier_axes=("replay",))

    assert {"runs": []} == entry.verdicts[0].detail


async def test_row_87_an_unknown_axis_denies(loop):
    outcome, entry = await loop.once(verifier_axes=("des", "lnit"))

    assert "rejected" == outcome.status
    assert "no installed plugin judges this axis; did you mean 'lint'?" == denied(entry)["lnit"]


async def test_a_verifier_that_raises_denies(open_loop):
    async def verify(change):
        raise ZeroDivisionError("oops")

    async with open_loop(plugins=(plugin(verify),)) as loop:
        _, entry = await loop.once(verifier_axes=("tone",))

    assert "it could not be judged: ZeroDivisionError: oops" == denied(entry)["tone"]


async def test_a_verifier_that_speaks_of_another_axis_denies(open_loop):
    async def verify(change):
        return AxisVerdict(axis="des", status=VerdictStatus.PASS)

    async with open_loop(plugins=(plugin(verify),)) as loop:
        _, entry = await loop.once(verifier_axes=("tone",))

    assert "the verifier of this axis gave no verdict on it" == denied(entry)["tone"]


async def test_a_plugins_verifier_is_shown_the_whole_change(open_loop):
    seen = []

    async def verify(change):
        seen.append(change)
        return AxisVerdict(axis="tone", status=VerdictStatus.PASS, detail="kind")

    async with open_loop(plugins=(plugin(verify),)) as loop:
        _, entry = await loop.once(intent="be kind", verifier_axes=("tone",))

    (change,) = seen
    assert isinstance(change, Change)
    assert ("be kind", "friendlier") == (change.issue.intent, change.patch["rationale"])
    assert (entry.prev_hash, entry.new_hash) == (change.before_hash, change.after_hash)
    assert "hi" == change.before["agents"][0]["profile"]["system_prompt"]
    assert "hello" == change.after["agents"][0]["profile"]["system_prompt"]


def plugin(verify):
    class Tone:
        SWARM_API = 1

        @hookimpl
        def swarm_register_verifiers(self):
            return [Verifier(axis="tone", verify=verify)]

    return Tone()


def test_the_seeds_axes_are_among_ours():
    assert set(VERIFIER_AXES) < set(AXES)

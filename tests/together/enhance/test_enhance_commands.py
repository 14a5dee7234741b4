"""`swarm issue` and `swarm enhance`, as people and programs use them."""

import json
import signal
import time

import pytest
from click.shell_completion import ShellComplete

from swarm_core.cli.group import cli

pytestmark = pytest.mark.needs("enhance")

HANG = """

@function
async def hang(ctx):
    import asyncio, pathlib
    pathlib.Path("begun").touch()
    await asyncio.sleep(60)
"""


@pytest.fixture
def project(kept_example, swarm):
    """A runner of `swarm` in the example."""
    return swarm


def test_an_issue_is_added_listed_worked_on_shown_and_logged(project):
    added = project("issue", "add", "release", "A failed test must hold a build back")
    issue_id = added.out.strip()
    assert (0, True) == (added.code, issue_id.startswith("h-"))
    assert [{"issue_id": issue_id, "status": "pending"}] == [
        {key: each[key] for key in ("issue_id", "status")} for each in project("issue", "list", "--json").json
    ]

    ticked = project("enhance", "tick", "--json")
    assert (0, "applied", issue_id) == (ticked.code, ticked.json["status"], ticked.json["issue_id"])

    shown = project("issue", "show", issue_id, "--json").json
    assert ("applied", ticked.json["new_version"]) == (shown["status"], shown["new_version"])
    entry = project("enhance", "log", issue_id, "--json").json
    assert entry == project("enhance", "log", "--json").json[0]
    assert ticked.json["new_version"] == entry["new_hash"]
    text = project("enhance", "log", issue_id).out
    assert "why: the gate let builds" in text
    assert "lint pass" in text
    diff = project("bp", "diff", f"release@{entry['prev_hash'][:12]}", f"@{entry['new_hash'][:12]}").out
    assert "-        value: 5\n+        value: 1\n" in diff
    assert 0 == project("bp", "revert", f"release@{entry['prev_hash'][:12]}").code
    assert "reverted" not in project("issue", "show", issue_id).out


def test_a_denied_issue_has_exit_code_1_and_the_verifiers_reason(project):
    project("issue", "add", "release", "Be fast")

    ended = project("enhance", "run")

    assert 1 == ended.code
    assert "names agent 'express'" in ended.err
    assert "rejected" in project("issue", "list", "--status", "rejected").out
    assert [] == project("issue", "list", "--status", "applied", "--json").json


def test_with_approval_the_exit_code_is_7_until_somebody_answered(project):
    project("enhance", "settings", "put", "--approval")
    project("issue", "add", "release", "A failed test must hold a build back")

    waiting = project("enhance", "tick")
    assert 7 == waiting.code
    key = waiting.err.split("swarm answer ")[1].split()[0]
    assert 0 == project("answer", key, '{"approved": true}').code

    assert 0 == project("enhance", "tick").code


def test_an_intent_comes_from_a_file_or_stdin_too(project, kept_example):
    (kept_example / "wish.txt").write_text("from a file\n")

    assert 0 == project("issue", "add", "release", "@wish.txt").code
    assert 0 == project("issue", "add", "release", "-", stdin="from stdin").code

    assert ["from a file", "from stdin"] == [each["intent"] for each in project("issue", "list", "--json").json]


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("issue", "add", "relese", "x"), 4, "did you mean 'release'?"),
        (("issue", "add", "release", "  "), 3, "the intent is empty"),
        (("issue", "add", "release", "@nothing.txt"), 2, "nothing.txt"),
        (("issue", "show", "h-nothing"), 4, "h-nothing"),
        (("enhance", "log", "h-nothing"), 4, "h-nothing"),
        (("enhance", "settings", "show", "defalt"), 4, "did you mean 'default'?"),
        (("enhance", "settings", "delete", "nope"), 4, "nope"),
        (("enhance", "settings", "put", "default", "{}"), 3, "blueprint_id"),
        (("enhance", "settings", "put", "default", "[]"), 2, "JSON object"),
        (("enhance", "settings", "put", "default", '{"id": "other", "blueprint_id": "x", "ttl_secs": 1}'), 2, "other"),
        (("enhance", "settings", "put", "default", "{}", "--approval"), 2, "or options"),
        (("enhance", "settings", "put", "--ttl", "soon"), 2, "duration"),
        (("enhance", "settings", "put", "--spec", "{}"), 2, "--spawner"),
        (("enhance", "settings", "put", "--function", "f", "--spawner", "llm"), 2, "--function"),
        (("enhance", "tick", "--store", "nowhere://x"), 3, "nowhere"),
    ],
)
def test_what_is_wrong_is_told_with_an_exit_code(project, args, code, said):
    ended = project(*args)

    assert code == ended.code
    assert said in ended.err


def test_settings_are_put_shown_listed_and_deleted(project):
    put = project("enhance", "settings", "put", "slow", "--ttl", "2h", "--axis", "des", "--orbit", "mine@^1").json
    assert (7200, ["des"], {"kind": "semver_req", "req": "^1"}) == (
        put["ttl_secs"],
        put["verifier_axes"],
        put["version"],
    )

    assert put == project("enhance", "settings", "show", "slow").json
    assert ["default", "slow"] == project("enhance", "settings", "list", "--json").json
    changed = project("enhance", "settings", "put", "slow", "--spawner", "llm", "--spec", '{"max_turns": 2}').json
    assert {**put, "spawner": {"kind": "llm", "spec": {"max_turns": 2}}} == changed
    assert changed == project("enhance", "settings", "put", "slow", json.dumps(changed)).json
    assert 0 == project("enhance", "settings", "delete", "slow").code
    assert ["default"] == project("enhance", "settings", "list", "--json").json


def test_a_look_makes_no_file(swarm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert [] == swarm("issue", "list", "--json").json
    assert "no issues" in swarm("issue", "list").out
    assert [] == swarm("enhance", "log", "--json").json

    assert [] == list(tmp_path.iterdir())


def test_sigterm_stops_a_tick_and_the_issue_is_for_whoever_comes_next(project, command, kept_example):
    swarmfile = kept_example / "swarmfile.py"
    swarmfile.write_text(swarmfile.read_text() + HANG)
    project("enhance", "settings", "put", "--function", "hang")
    issue_id = project("issue", "add", "release", "A failed test must hold a build back").out.strip()
    process = command("enhance", "tick", folder=kept_example, background=True)
    while not (kept_example / "begun").exists():
        assert process.poll() is None
        time.sleep(0.02)

    process.send_signal(signal.SIGTERM)

    assert 130 == process.wait(30)
    assert "pending" == project("issue", "show", issue_id, "--json").json["status"]


def test_names_are_completed(project):
    issue_id = project("issue", "add", "release", "x").out.strip()

    def offered(*words):
        complete = ShellComplete(cli, {}, "swarm", "_SWARM_COMPLETE")
        return [item.value for item in complete.get_completions(list(words[:-1]), words[-1])]

    assert ["release"] == offered("issue", "add", "rel")
    assert [issue_id] == offered("issue", "show", "h-")
    assert ["default"] == offered("enhance", "settings", "show", "def")

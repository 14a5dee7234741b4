"""Ready templates, against stand-ins that are told what the real programs are told and print what those document."""

import json

import pytest
from swarm_plugin_subprocess.ready import READY
from swarm_plugin_subprocess.templates import read_template

from swarm_core.codec import structure_blueprint, unstructure
from swarm_core.errors import SpawnFailed, WorkerFailed

PROFILE = {"system_prompt": "You review code.\nBe brief.", "model": "large", "tools": ["Read", "Grep"]}

CLAUDE = {
    "type": "result", "subtype": "success", "is_error": False, "duration_ms": 1200, "num_turns": 1,
    "result": "Looks good.", "session_id": "0c1e", "total_cost_usd": 0.01,
    "usage": {"input_tokens": 10, "output_tokens": 3},
}  # fmt: skip
CODEX = (
    {"type": "thread.started", "thread_id": "0199a213"},
    {"type": "turn.started"},
    {"type": "item.completed", "item": {"id": "item_0", "type": "reasoning", "text": "**Looking**"}},
    {"type": "item.started", "item": {"id": "item_1", "type": "command_execution", "command": "ls", "exit_code": None}},
    {"type": "item.completed", "item": {"id": "item_2", "type": "agent_message", "text": "Looks good."}},
    {"type": "turn.completed", "usage": {"input_tokens": 24763, "output_tokens": 122}},
)
GEMINI = {"session_id": "s", "response": "Looks good.", "stats": {"models": {}}}
GEMINI_ERROR = {"error": {"type": "ApiError", "message": "quota", "code": 429}}


def lines(*events):
    return "".join(json.dumps(event) + "\n" for event in events)


async def run(bench, name, **run):
    return await bench.run({"template": name}, "review this", **run)


class TestClaude:
    async def test_it_is_told_all_that_the_agent_is(self, bench, stand_in):
        claude = stand_in("claude").says(CLAUDE)

        result = await run(bench, "claude", profile=PROFILE)

        assert (result.value, result.ok) == ("Looks good.", True)
        assert claude.told.stdin == "review this"
        assert claude.told.argv == [
            "--print",
            "--output-format=json",
            "--model=large",
            "--append-system-prompt=You review code.\nBe brief.",
            "--allowedTools=Read,Grep",
        ]

    async def test_without_a_profile_it_is_told_no_more_than_it_needs(self, bench, stand_in):
        claude = stand_in("claude").says(CLAUDE)

        await run(bench, "claude")

        assert claude.told.argv == ["--print", "--output-format=json"]

    async def test_is_error_blocks_whatever_the_exit_code_says(self, bench, stand_in):
        stand_in("claude").says({**CLAUDE, "is_error": True, "result": "Invalid API key"})

        result = await run(bench, "claude")

        assert (result.value, result.ok) == ("Invalid API key", False)

    async def test_an_error_without_a_result_is_shown_whole(self, bench, stand_in):
        ended = {"type": "result", "subtype": "error_max_turns", "is_error": True, "num_turns": 5}
        stand_in("claude").says(ended, code=1)

        result = await run(bench, "claude")

        assert (result.value, result.ok) == (ended, False)

    async def test_a_non_zero_exit_blocks(self, bench, stand_in):
        stand_in("claude").says("not logged in", code=1, stderr="run /login\n")

        result = await run(bench, "claude")

        assert (result.value, result.ok) == ({"raw": "not logged in", "stderr": "run /login\n"}, False)

    @pytest.mark.parametrize(
        "answer", ['{"verdict": "PASS"}', '```json\n{"verdict": "PASS"}\n```\n'], ids=["bare", "fence"]
    )
    async def test_an_answer_in_json_is_that_json(self, bench, stand_in, answer):
        stand_in("claude").says({**CLAUDE, "result": answer})

        assert (await run(bench, "claude")).value == {"verdict": "PASS"}

    async def test_another_form_of_output_is_told_with_a_piece_of_it(self, bench, stand_in):
        stand_in("claude").says({"type": "result", "answer": 5})

        with pytest.raises(WorkerFailed, match=r"result_ptr '/result' leads nowhere .*\"answer\": 5") as caught:
            await run(bench, "claude")

        assert caught.value.kind == "output_pointer"


class TestCodex:
    async def test_it_is_told_all_that_the_agent_is(self, bench, stand_in):
        codex = stand_in("codex").says(lines(*CODEX))

        result = await run(bench, "codex", profile={**PROFILE, "tools": []})

        assert (result.value, result.ok) == ("Looks good.", True)
        assert codex.told.stdin == "You review code.\nBe brief.\n\nreview this"
        assert codex.told.argv == ["exec", "--json", "--skip-git-repo-check", "--model=large", "-"]

    async def test_a_failed_turn_is_blocked_with_the_last_event(self, bench, stand_in):
        failed = {"type": "turn.failed", "error": {"message": "usage limit"}}
        stand_in("codex").says(lines(*CODEX[:3], failed), code=1)

        result = await run(bench, "codex")

        assert (result.value, result.ok) == (failed, False)

    async def test_tools_that_it_could_not_be_held_to_are_refused(self, bench):
        with pytest.raises(ValueError, match="nothing would limit it to them"):
            bench.build({"template": "codex"}, profile=PROFILE)


class TestGemini:
    async def test_it_is_told_all_that_the_agent_is(self, bench, stand_in):
        gemini = stand_in("gemini").says(GEMINI)

        result = await run(bench, "gemini", profile=PROFILE)

        assert (result.value, result.ok) == ("Looks good.", True)
        assert gemini.told.stdin == "review this"
        assert gemini.told.argv == ["--output-format=json", "--model=large", "--allowed-tools=Read,Grep"]
        assert gemini.told.env["system_file"] == "You review code.\nBe brief."

    async def test_without_a_system_prompt_its_own_stays(self, bench, stand_in):
        gemini = stand_in("gemini").says(GEMINI)

        await run(bench, "gemini")

        assert "GEMINI_SYSTEM_MD" not in gemini.told.env

    @pytest.mark.parametrize("code", [0, 1])
    async def test_an_error_is_blocked(self, bench, stand_in, code):
        stand_in("gemini").says(GEMINI_ERROR, code=code)

        result = await run(bench, "gemini")

        assert (result.value, result.ok) == (GEMINI_ERROR, False)

    async def test_bad_arguments_are_blocked_with_what_it_complains_of(self, bench, stand_in):
        stand_in("gemini").says("", code=42, stderr="Unknown argument\n")

        result = await run(bench, "gemini")

        assert (result.value, result.ok) == ({"raw": "", "stderr": "Unknown argument\n"}, False)


class TestAider:
    async def test_it_is_told_all_that_the_agent_is(self, bench, stand_in):
        aider = stand_in("aider").says("Aider v0.86\nApplied edit to a.py\n")

        result = await run(bench, "aider", profile={**PROFILE, "tools": []})

        assert (result.value, result.ok) == ("Aider v0.86\nApplied edit to a.py", True)
        assert (aider.told.stdin, aider.told.env["system_file"]) == ("", "You review code.\nBe brief.")
        assert aider.told.argv[:7] == [
            "--yes-always", "--no-pretty", "--no-stream", "--no-check-update", "--no-show-release-notes",
            "--no-analytics", "--no-suggest-shell-commands",
        ]  # fmt: skip
        model, read, message = aider.told.argv[7:]
        assert (model, read.partition("=")[0], message) == ("--model=large", "--read", "--message=review this")

    async def test_a_non_zero_exit_blocks(self, bench, stand_in):
        stand_in("aider").says("no key", code=1)

        assert not (await run(bench, "aider")).ok


class TestAll:
    @pytest.mark.parametrize("name", READY)
    async def test_a_missing_program_is_told_with_how_to_get_it(self, bench, stand_in, monkeypatch, tmp_path, name):
        monkeypatch.setenv("PATH", str(tmp_path / "empty"))

        with pytest.raises(SpawnFailed, match=f"cannot start '{name}'") as caught:
            await run(bench, name)

        assert READY[name].install in str(caught.value)
        assert caught.value.errno_name == "ENOENT"

    async def test_of_another_program_of_that_name_nothing_is_told(self, bench):
        own = {"name": "claude", "command": ["no-such-claude"]}

        with pytest.raises(SpawnFailed) as caught:
            await bench.run({"template": "claude"}, templates=[own])

        assert "npm" not in str(caught.value)

    @pytest.mark.parametrize("name", READY)
    def test_each_may_stand_in_a_blueprint_as_it_is_shown(self, name):
        shown = unstructure(READY[name].definition)
        blueprint = {"id": "b", "flow": {"kind": "seq", "children": []}, "subprocesses": [shown]}

        (definition,) = structure_blueprint(blueprint).subprocesses

        assert definition == READY[name].definition
        assert read_template(definition).program == name

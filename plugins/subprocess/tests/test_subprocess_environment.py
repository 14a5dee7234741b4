"""What a program sees from inside (row 64, P24)."""

import os
import re
from pathlib import Path

import pytest

INSIDE = """
import json, os, sys
fds = {}
for name in os.listdir("/proc/self/fd"):
    try:
        fds[name] = os.readlink("/proc/self/fd/" + name).partition(":")[0]
    except OSError:
        pass
environ = open("/proc/self/environ").read().split("\\0")
home = os.environ["HOME"]
print(json.dumps({
    "env": dict(each.split("=", 1) for each in environ if each), "fds": fds, "cwd": os.getcwd(),
    "home": [oct(os.stat(home).st_mode & 0o777), os.listdir(home)],
}))
"""


@pytest.fixture
def secrets(monkeypatch):
    """An engine whose environment is full of what no program should see."""
    for name in list(os.environ):
        if name not in ("PATH",):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SWARM_SECRET", "canary-1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-2")
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("LC_TIME", "C")
    monkeypatch.setenv("HOME", "/canary-3")
    monkeypatch.setenv("TOOL_ONE", "1")
    monkeypatch.setenv("TOOL_TWO", "2")


class TestEnvironment:
    async def test_p24_a_program_gets_a_short_list_of_variables_and_no_secret(self, bench, secrets):
        inside = (await bench.python(INSIDE)).value

        expected = {"HOME", "TMPDIR", "PATH", "LANG", "LC_TIME"}
        facts = {"MSE_TASK_ID", "MSE_ATTEMPT", "MSE_CTX_AGENT", "MSE_TOKEN_AGENT_ID"}
        ours = {"SWARM_WORKER_HANDLE", "SWARM_IDEMPOTENCY_KEY", "SWARM_RUN_ID", "SWARM_DEPTH"}
        assert set(inside["env"]) == expected | facts | ours
        assert "canary" not in str(inside)

    async def test_row_64_the_variables_of_the_original_are_there_without_the_nonce(self, bench):
        result = await bench.run({"program": "env", "output": "text"}, agent="reviewer", attempt=3)
        env = dict(line.split("=", 1) for line in result.value.splitlines())

        found = {name: value for name, value in env.items() if name.startswith("MSE_")}
        assert found == {
            "MSE_TASK_ID": "T-test",
            "MSE_ATTEMPT": "3",
            "MSE_CTX_AGENT": "reviewer",
            "MSE_TOKEN_AGENT_ID": "reviewer",
        }

    async def test_row_64_p24_the_handle_is_told_and_the_token_is_not(self, bench):
        result = await bench.run({"program": "env", "output": "text"})

        assert re.search(r"^SWARM_WORKER_HANDLE=wh-[0-9a-f]{32}$", result.value, re.MULTILINE)
        assert bench.context.token() not in result.value

    async def test_the_idempotency_key_is_the_same_on_every_attempt(self, bench):
        spec = {"program": "sh", "args": ["-c", "echo $SWARM_IDEMPOTENCY_KEY"], "output": "text"}

        keys = [(await bench.run(spec, attempt=attempt, address="$.children[1]")).value for attempt in (1, 2)]

        assert keys == ["RUN-test:$.children[1]"] * 2

    async def test_without_a_run_there_is_no_run_id(self, bench):
        inside = (await bench.run({"program": "env", "output": "text"}, run_id=None)).value

        assert "SWARM_RUN_ID" not in inside

    async def test_the_operator_may_let_more_through(self, bench, secrets):
        section = {"pass_env": ["TOOL_*", "HOME"]}

        result = await bench.run({"program": "env", "output": "text"}, section=section)
        env = dict(line.split("=", 1) for line in result.value.splitlines())

        assert (env["TOOL_ONE"], env["TOOL_TWO"], env["HOME"]) == ("1", "2", "/canary-3")
        assert "AWS_SECRET_ACCESS_KEY" not in env

    async def test_the_blueprint_may_add_its_own(self, bench):
        result = await bench.run({"program": "env", "output": "text", "env": {"LEVEL": "a b=c", "LANG": "xx"}})

        assert {"LEVEL=a b=c", "LANG=xx"} <= set(result.value.splitlines())

    async def test_p24_a_program_has_its_three_streams_and_no_other_descriptor(self, bench):
        inside = (await bench.python(INSIDE)).value

        assert inside["fds"] == {"0": "pipe", "1": "pipe", "2": "pipe"}


class TestHome:
    async def test_p24_every_attempt_has_an_empty_private_home(self, bench):
        inside = (await bench.python(INSIDE)).value

        assert inside["home"] == ["0o700", []]
        assert inside["env"]["HOME"] == inside["env"]["TMPDIR"]

    async def test_the_home_is_removed_with_all_that_is_in_it(self, bench):
        script = (
            """mkdir -p $HOME/a/b; echo x > $HOME/a/b/c; ln -s / $HOME/root; chmod 500 $HOME/a/b $HOME/a; echo $HOME"""
        )

        result = await bench.shell(script, output="text")

        assert result.value.startswith("/")
        assert not Path(result.value).exists()

    async def test_the_home_is_removed_when_the_program_cannot_be_started(self, bench, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

        with pytest.raises(Exception, match="no-such-program"):
            await bench.run({"program": "no-such-program"})

        assert list(tmp_path.iterdir()) == []


class TestWorkingDirectory:
    async def test_it_is_the_blueprints_folder(self, bench, tmp_path):
        result = await bench.run({"program": "pwd", "output": "text"})

        assert result.value == str(tmp_path)

    async def test_a_folder_below_it_may_be_named(self, bench, tmp_path):
        (tmp_path / "below").mkdir()

        result = await bench.run({"program": "pwd", "output": "text", "cwd": "./below"})

        assert result.value == str(tmp_path / "below")

    async def test_a_blueprint_that_came_as_data_runs_where_the_engine_runs(self, bench):
        result = await bench.run({"program": "pwd", "output": "text"}, directory=None)

        assert result.value == str(Path.cwd())

    async def test_a_program_can_stand_beside_its_blueprint(self, bench, tmp_path):
        (tmp_path / "tool").write_text("#!/bin/sh\necho 7\n")
        (tmp_path / "tool").chmod(0o755)

        result = await bench.run({"program": "./tool"})

        assert result.value == 7

"""`swarm run`, as a program."""

import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest

PURE = {
    "id": "pure",
    "flow": {"kind": "let", "at": "$.sum", "value": {
        "op": "add", "lhs": {"op": "path", "at": "$.a"}, "rhs": {"op": "path", "at": "$.b"}}},
}  # fmt: skip


def scripted(*answers, **spec):
    return {
        "id": "scripted",
        "flow": {
            "kind": "step",
            "ref": "critic",
            "in": {"op": "path", "at": "$"},
            "out": {"op": "path", "at": "$.out"},
        },
        "agents": [{"name": "critic", "kind": "fake", "spec": {"answers": list(answers), **spec}}],
    }


class TestResult:
    def test_stdout_carries_only_the_final_ctx(self, swarm, write):
        ended = swarm("run", write("pure.json", PURE), "--set", "a=1", "--set", "b=2.5")

        assert (0, {"a": 1, "b": 2.5, "sum": 3.5}) == (ended.code, ended.json)
        assert "run_id" not in ended.out

    def test_json_is_one_object_with_the_run(self, swarm, write):
        ended = swarm("run", write("pure.json", PURE), "--ctx", '{"a": 1, "b": 1}', "--json")

        assert 0 == ended.code
        assert {"run_id", "status", "final_ctx", "error", "counts"} == set(ended.json)
        assert ("done", 2.0, None) == (ended.json["status"], ended.json["final_ctx"]["sum"], ended.json["error"])

    def test_a_failed_flow_exits_1_and_names_kind_place_and_address(self, swarm, write):
        ended = swarm("run", write("pure.json", PURE), "--ctx", '{"a": 1}', "--json")

        assert (1, "failed") == (ended.code, ended.json["status"])
        assert {"kind": "PathNotFound", "where": "$", "address": "/"}.items() <= ended.json["error"].items()

    def test_progress_is_plain_lines_on_stderr_without_a_terminal(self, swarm, write):
        ended = swarm("run", write("s.json", scripted("fine")))

        assert "pass      critic  /  attempt 1" in ended.err
        assert "\x1b" not in ended.err

    def test_a_set_layer_that_is_not_there_is_a_note_of_check_and_no_noise_of_run(self, swarm, write):
        path, without = write("s.json", scripted("fine")), {"SWARM_DISABLE_PLUGINS": "audit"}

        checked, ended = swarm("check", path, "--json", env=without), swarm("run", path, env=without)

        assert ["layer_not_installed"] == [problem["code"] for problem in checked.json["problems"]]
        assert (0, False) == (ended.code, "audit" in ended.err)

    def test_quiet_shows_no_progress(self, swarm, write):
        assert "" == swarm("run", write("s.json", scripted("fine")), "--quiet").err

    def test_an_agent_can_be_bound_to_another_kind(self, swarm, write):
        blueprint = scripted("from the script")
        blueprint["agents"][0] = {"name": "critic", "kind": "function", "spec": {"fn_id": "identity"}}

        ended = swarm("run", write("s.json", blueprint), "--set", "x=1", "--bind", "critic=fake")

        assert (0, {"x": 1}) == (ended.code, ended.json["out"])


class TestInputs:
    def test_the_ctx_can_be_a_file_or_stdin(self, swarm, write):
        path, ctx = write("pure.json", PURE), '{"a": 2, "b": 2}'

        from_file = swarm("run", path, "--ctx", f"@{write('ctx.json', ctx)}")
        from_stdin = swarm("run", path, "--ctx", "-", stdin=ctx)

        assert [4.0, 4.0] == [ended.json["sum"] for ended in (from_file, from_stdin)]

    def test_set_goes_over_ctx_and_as_deep_as_its_dots(self, swarm, write):
        path = write("s.json", scripted())

        ended = swarm("run", path, "--ctx", '{"a": {"b": 1, "c": 2}}', "--set", "a.b=[3]", "--set", "a.d.e=text")

        assert {"b": [3], "c": 2, "d": {"e": "text"}} == ended.json["a"]

    def test_the_blueprint_can_come_from_stdin(self, swarm):
        ended = swarm("run", "-", "--set", "a=1", "--set", "b=1", stdin=json.dumps(PURE))

        assert (0, 2.0) == (ended.code, ended.json["sum"])

    def test_functions_come_from_the_swarmfile_beside_the_blueprint(self, swarm, write):
        write("swarmfile.py", "from swarm_core import function\n\n@function\ndef double(x):\n    return 2 * x['n']\n")
        blueprint = scripted()
        blueprint["agents"][0] = {"name": "critic", "kind": "function", "spec": {"fn_id": "double"}}

        ended = swarm("run", write("b.json", blueprint), "--set", "n=21")

        assert 42 == ended.json["out"]

    @pytest.mark.parametrize(
        ("args", "code", "told"),
        [
            pytest.param(["--ctx", "{"], 3, "--ctx", id="ctx-no-json"),
            pytest.param(["--ctx", "@none.json"], 2, "none.json", id="ctx-no-file"),
            pytest.param(["--set", "a"], 2, "KEY=VALUE", id="set-without-value"),
            pytest.param(["--ctx", "1", "--set", "a=1"], 2, "no object", id="set-into-a-number"),
            pytest.param(["--bind", "critic"], 2, "AGENT=KIND", id="bind-without-kind"),
            pytest.param(["--bind", "critic=fakee"], 3, "did you mean 'fake'", id="bind-unknown-kind"),
            pytest.param(["--layers", "standart"], 3, "standard", id="unknown-layer-set"),
            pytest.param(["--jsn"], 2, "--json", id="cl145-unknown-flag"),
        ],
    )
    def test_a_wrong_option_is_named(self, swarm, write, args, code, told):
        ended = swarm("run", write("s.json", scripted()), *args)

        assert (code, "") == (ended.code, ended.out)
        assert told in ended.err

    def test_cl146_a_missing_file_exits_4(self, swarm):
        ended = swarm("run", "none.yaml")

        assert (4, "") == (ended.code, ended.out)
        assert "none.yaml" in ended.err

    def test_cl146_a_folder_is_named(self, swarm, cwd):
        ended = swarm("run", cwd)

        assert 3 == ended.code
        assert "folder" in ended.err or "directory" in ended.err

    def test_cl145_an_unknown_command_is_told_with_the_nearest(self, swarm):
        ended = swarm("rnu")

        assert 2 == ended.code
        assert "did you mean 'run'" in ended.err


def start(cwd, *args, **kwargs):
    command = [sys.executable, "-m", "swarm_core", *map(str, args)]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kwargs)


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


class TestInterrupt:
    @pytest.fixture
    def hanging(self, write):
        """A Blueprint of two steps, of which the second one hangs until the file `go` is there."""
        write("swarmfile.py", "\n".join((
            "import asyncio, pathlib",
            "from swarm_core import function",
            "@function",
            "def first(_):",
            "    with open('ledger', 'a') as ledger: ledger.write('first ')",
            "    return 1",
            "@function",
            "async def hang(call):",
            "    with open('ledger', 'a') as ledger: ledger.write('hang ')",
            "    try:",
            "        while not pathlib.Path('go').exists():",
            "            await asyncio.sleep(0.01)",
            "    except asyncio.CancelledError:",
            "        pathlib.Path('ended').touch()",
            "        raise",
            "    return 2",
        )))  # fmt: skip
        path = {"op": "path", "at": "$"}
        steps = [
            {"kind": "step", "ref": name, "in": path, "out": {"op": "path", "at": f"$.{name}"}}
            for name in ("first", "hang")
        ]
        agents = [{"name": name, "kind": "function", "spec": {"fn_id": name}} for name in ("first", "hang")]
        return write("b.json", {"id": "hanging", "flow": {"kind": "seq", "children": steps}, "agents": agents})

    def ledger(self, cwd):
        return (cwd / "ledger").read_text().split() if (cwd / "ledger").exists() else []

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_cl153_p37_ctrl_c_interrupts_the_run_which_goes_on_when_it_is_resumed(self, cwd, swarm, hanging, number):
        process = start(cwd, "run", hanging, "--json")
        wait_for(lambda: "hang" in self.ledger(cwd))

        process.send_signal(number)
        out, err = process.communicate(timeout=20)
        (cwd / "go").touch()
        interrupted = json.loads(out)
        resumed = swarm("resume", interrupted["run_id"], "--json")

        assert (130, "interrupted") == (process.returncode, interrupted["status"])
        assert (cwd / "ended").exists()
        assert "Traceback" not in err
        assert (0, {"first": 1, "hang": 2}) == (resumed.code, resumed.json["final_ctx"])
        assert (1, 1) == (resumed.json["reused"], resumed.json["ran"])
        assert ["first", "hang", "hang"] == self.ledger(cwd)

    def test_cl153_people_are_told_how_to_go_on(self, cwd, hanging):
        process = start(cwd, "run", hanging)
        wait_for(lambda: "hang" in self.ledger(cwd))

        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)

        run_id = err.split()[0]
        assert (130, "") == (process.returncode, out)
        assert f"interrupted; go on with: swarm resume {run_id}\n" in err

    def test_cl153_ctrl_c_cancels_a_run_that_is_not_kept(self, cwd, hanging):
        process = start(cwd, "run", hanging, "--json", "--store", "memory://")
        wait_for(lambda: "hang" in self.ledger(cwd))

        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)

        assert (130, "cancelled") == (process.returncode, json.loads(out)["status"])
        assert (cwd / "ended").exists()
        assert "cancelling the run" in err

    def test_cl153_a_second_ctrl_c_quits_even_when_a_worker_holds_up_the_event_loop(self, cwd, write):
        write("swarmfile.py", "\n".join((
            "import pathlib",
            "from swarm_core import function",
            "@function",
            "async def spin(_):",
            "    pathlib.Path('began').touch()",
            "    while True:",
            "        pass",
        )))  # fmt: skip
        blueprint = scripted()
        blueprint["agents"][0] = {"name": "critic", "kind": "function", "spec": {"fn_id": "spin"}}
        process = start(cwd, "run", write("b.json", blueprint))
        wait_for((cwd / "began").exists)

        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)

        assert (130, "") == (process.returncode, out)
        assert "Traceback" not in err

    def test_cl153_a_reader_that_leaves_is_no_error(self, cwd, write):
        path = write("s.json", scripted(["x" * 100] * 5_000))
        script = f"{sys.executable} -m swarm_core run {path} --quiet; echo code $? >&2"

        done = subprocess.run(
            ["bash", "-c", f"({script}) | head -c 10"], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
        )

        assert "Traceback" not in done.stderr
        assert "BrokenPipe" not in done.stderr


class TestTerminal:
    def test_a_terminal_shows_the_live_tree(self, cwd, write):
        path = write("s.json", scripted("fine", delay="300ms"))
        leader, follower = pty.openpty()
        env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
        process = subprocess.Popen(
            [sys.executable, "-m", "swarm_core", "run", path], cwd=cwd, stdout=subprocess.PIPE, stderr=follower, env=env
        )
        os.close(follower)
        shown = _read_all(leader)
        out = process.communicate(timeout=20)[0]

        assert "fine" == json.loads(out)["out"]
        assert "critic" in shown
        assert "RUN-" in shown
        assert "\x1b[" in shown

    def test_cl153_a_dumb_terminal_gets_plain_lines(self, cwd, write):
        path = write("s.json", scripted("fine"))
        leader, follower = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "swarm_core", "run", path],
            cwd=cwd, stdout=subprocess.PIPE, stderr=follower, env={**os.environ, "TERM": "dumb"},
        )  # fmt: skip
        os.close(follower)
        shown = _read_all(leader)
        process.communicate(timeout=20)

        assert "pass      critic" in shown
        assert "\x1b[2K" not in shown


def _read_all(leader):
    shown = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(leader)
    return shown.decode(errors="replace")


class TestHostileText:
    def test_p30_control_characters_of_a_worker_do_not_reach_the_terminal(self, swarm, write):
        path = write("s.json", scripted(fail="\x1b[2Jgone\x07"))

        ended = swarm("run", path)

        assert 1 == ended.code
        assert "\x1b" not in ended.err
        assert "\\x1b[2Jgone\\x07" in ended.err


class TestDepth:
    @pytest.mark.needs("subprocess")
    def test_p36_bp36_a_program_that_runs_its_own_blueprint_ends_at_the_depth_limit(self, swarm, write, cwd):
        command = [sys.executable, "-m", "swarm_core", "run", str(cwd / "self.json"), "--quiet", "--json"]
        blueprint = {
            "id": "self",
            "flow": {
                "kind": "step",
                "ref": "again",
                "in": {"op": "lit", "value": ""},
                "out": {"op": "path", "at": "$.out"},
            },
            "agents": [{"name": "again", "kind": "subprocess", "spec": {"program": command[0], "args": command[1:]}}],
        }

        ended = swarm("run", write("self.json", blueprint), "--json", "--quiet")

        assert 1 == ended.code
        told = json.dumps(ended.json)
        assert "spawn depth exceeded: 4 >= 4" in told
        assert 4 == told.count("RUN-")

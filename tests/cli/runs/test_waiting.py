"""Runs that wait for people, as `swarm run`, `watch` and `resume` tell them; and launches under a key."""

import json
import os
import pty
import subprocess
import sys

import pytest


@pytest.fixture
def at_terminal(cwd):
    """Run `swarm ARGS` at a terminal on which somebody has typed; return its exit code, stdout and stderr."""

    def run(*args, typed=""):
        keys, seat = pty.openpty()
        os.write(keys, typed.encode())
        command = [sys.executable, "-m", "swarm_core", *map(str, args)]
        process = subprocess.Popen(command, cwd=cwd, stdin=seat, stdout=subprocess.PIPE, stderr=seat)
        os.close(seat)
        out, _ = process.communicate(timeout=60)
        os.set_blocking(keys, False)
        shown = os.read(keys, 1_000_000).decode()
        os.close(keys)
        return process.returncode, out.decode(), shown

    return run


@pytest.fixture
def asking(write):
    """A Blueprint whose second step is a question to a person."""
    step = {"kind": "step", "in": {"op": "path", "at": "$"}}
    children = [{**step, "ref": name, "out": {"op": "path", "at": f"$.{name}"}} for name in ("one", "boss", "last")]
    agents = [
        {"name": "one", "kind": "function", "spec": {"fn_id": "count"}},
        {"name": "boss", "kind": "ask", "spec": {"question": "Ship it?", "schema": {"type": "boolean"}}},
        {"name": "last", "kind": "function", "spec": {"fn_id": "count"}},
    ]
    write("swarmfile.py", "from swarm_core import function\n\n@function\ndef count(ctx):\n"
          "    open('ledger', 'a').write('counted ')\n    return len(ctx)\n")  # fmt: skip
    return write("ask.json", {"id": "ask", "flow": {"kind": "seq", "children": children}, "agents": agents})


class TestWaiting:
    def test_a_run_that_waits_exits_7_tells_its_question_and_goes_on_when_it_is_answered(
        self, swarm, here, asking, ledger
    ):
        waiting = swarm("run", asking)
        (run,) = here("runs", "--json").json
        answered = here("answer", run["id"], "true")
        resumed = swarm("resume", run["id"], "--json")

        (key,) = run["questions"]
        assert (7, "") == (waiting.code, waiting.out)
        assert "boss at /1 asks: Ship it?" in waiting.err
        assert f"swarm answer {key}" in waiting.err
        assert f"swarm answer {key}" in run["next"]
        assert ("waiting", 0, 0) == (run["status"], answered.code, resumed.code)
        assert {"one": 0, "boss": True, "last": 2} == resumed.json["final_ctx"]
        assert ["counted", "counted"] == ledger()

    def test_json_has_the_keys_of_its_questions(self, swarm, asking):
        waiting = swarm("run", asking, "--json", "--quiet")

        assert (7, "waiting", 1, "") == (
            waiting.code, waiting.json["status"], len(waiting.json["questions"]), waiting.err,
        )  # fmt: skip

    def test_watching_it_ends_with_7_when_nobody_holds_it(self, swarm, here, asking):
        run_id = swarm("run", asking, "--json").json["run_id"]

        watched, shown = here("watch", run_id), here("show", run_id)

        assert 7 == watched.code
        assert "boss at /1 asks: Ship it?" in watched.err
        assert "Ship it?" in shown.out

    def test_without_an_answer_it_waits_on_when_it_is_resumed_and_all_leaves_it_alone(
        self, swarm, here, asking, ledger
    ):
        run_id = swarm("run", asking, "--json").json["run_id"]

        every, resumed = swarm("resume", "--all"), swarm("resume", run_id, "--json")

        assert (0, True) == (every.code, "there is nothing to resume" in every.err)
        assert (7, "waiting") == (resumed.code, resumed.json["status"])
        assert ["counted"] == ledger()

    def test_all_takes_up_those_whose_answers_came(self, swarm, here, asking):
        ids = [swarm("run", asking, "--json").json["run_id"] for _ in range(2)]
        here("answer", ids[1], "false")

        ended = swarm("resume", "--all", "--json")

        assert [(ids[1], "done", False)] == [
            (run["run_id"], run["status"], run["final_ctx"]["boss"]) for run in ended.json
        ]

    def test_it_can_stay_and_be_answered_from_another_process(self, begin, here, asking, wait_for):
        begun = begin("run", asking, "--wait", "--json")
        wait_for(lambda: here("runs", "--json").json and here("runs", "--json").json[0]["status"] == "waiting")
        run_id = here("runs", "--json").json[0]["id"]

        answered = here("answer", run_id, "true")

        ended = begun.end()
        assert (0, 0) == (answered.code, ended.code)
        assert {"one": 0, "boss": True, "last": 2} == ended.json["final_ctx"]

    def test_p14_a_run_that_waits_can_be_cancelled_and_no_longer_be_answered(self, swarm, here, asking):
        run_id = swarm("run", asking, "--json").json["run_id"]

        cancelled, answered = here("cancel", run_id), here("answer", run_id, "true")

        assert (0, 3) == (cancelled.code, answered.code)


class TestKeys:
    def test_p7_a_launch_under_a_key_is_one_run_however_often_it_is_asked_for(self, swarm, steps, ledger, here):
        file = steps("ok.json", one="quick")

        first, second = (swarm("run", file, "--key", "monday", "--json") for _ in range(2))
        other = swarm("run", file, "--key", "tuesday", "--json")

        assert (0, first.json) == (second.code, second.json)
        assert first.json["run_id"] != other.json["run_id"]
        assert ["one", "one"] == ledger()
        assert 2 == len(here("runs", "--json").json)

    def test_p7_a_run_that_failed_under_a_key_is_told_and_not_run_again(self, swarm, steps, ledger):
        file = steps("bad.json", one="picky")

        first, second = (swarm("run", file, "--key", "monday") for _ in range(2))

        assert (1, 1, ["one"]) == (first.code, second.code, ledger())
        assert "not good" in second.err

    def test_p7_a_run_that_was_interrupted_goes_on_under_its_key(self, swarm, under_way, steps, ledger, cwd):
        run = under_way("--key", "monday")
        run.kill()
        (cwd / "go").touch()

        ended = swarm("run", steps(), "--key", "monday", "--json")

        assert (0, run.run_id, 1) == (ended.code, ended.json["run_id"], ended.json["reused"])
        assert ["one", "two", "two", "three"] == ledger()

    def test_p7_a_run_that_another_process_carries_out_is_followed(
        self, begin, under_way, steps, ledger, cwd, wait_for
    ):
        run = under_way("--key", "monday", "--json")
        second = begin("run", steps(), "--key", "monday", "--json")
        wait_for(lambda: f"{run.run_id} was launched under this key before" in second.err)
        (cwd / "go").touch()

        first, second = run.end(), second.end()

        assert (0, first.json["final_ctx"], run.run_id) == (
            second.code,
            second.json["final_ctx"],
            second.json["run_id"],
        )
        assert ["one", "two", "three"] == ledger()


class TestAtOnce:
    def test_at_a_terminal_the_question_is_asked_and_the_run_goes_on(self, at_terminal, asking, ledger):
        code, out, shown = at_terminal("run", asking, typed="yes\n")

        assert 0 == code, shown
        assert {"one": 0, "boss": True, "last": 2} == json.loads(out)
        assert "Ship it?" in shown
        assert ["counted", "counted"] == ledger()

    def test_who_leaves_leaves_the_run_waiting(self, at_terminal, here, asking):
        code, out, shown = at_terminal("run", asking, typed="\x04")

        assert (7, "") == (code, out)
        assert "swarm answer R-" in shown
        assert "waiting" == here("runs", "--json").json[0]["status"]

    def test_resume_asks_too(self, at_terminal, swarm, asking):
        run_id = swarm("run", asking, "--json").json["run_id"]

        code, out, _ = at_terminal("resume", run_id, typed="perhaps\nno\n")

        assert (0, False) == (code, json.loads(out)["boss"])

    @pytest.mark.parametrize("how", ["--json", "--quiet", "--store=memory://"])
    def test_programs_are_not_asked_and_neither_is_anybody_about_a_run_that_ends_with_the_process(
        self, at_terminal, asking, how
    ):
        code, _, shown = at_terminal("run", asking, how, typed="yes\n")

        assert 7 == code
        assert "Answer" not in shown

    def test_what_is_for_others_is_not_asked(self, at_terminal, asking, cwd):
        document = json.loads((cwd / "ask.json").read_text())
        document["agents"][1]["spec"]["who"] = ["somebody-else"]
        (cwd / "ask.json").write_text(json.dumps(document))

        code, _, shown = at_terminal("run", asking, typed="yes\n")

        assert 7 == code
        assert "Answer" not in shown

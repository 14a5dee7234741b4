"""`swarm resume`: what was recorded is reused, what was under way runs again, what cannot go on says why."""

import json
import signal

import pytest

FINAL = {"one": "ONE", "two": "TWO", "three": "THREE"}


class TestOneRun:
    def test_p3_a_run_that_was_killed_goes_on_where_it_was(self, swarm, killed, ledger):
        run_id = killed()

        ended = swarm("resume", run_id)

        assert (0, FINAL) == (ended.code, ended.json)
        assert f"{run_id} 1 step reused, 2 run" in ended.err
        assert ["one", "two", "two", "three"] == ledger()

    def test_the_beginning_of_an_id_is_enough(self, swarm, killed):
        run_id = killed()

        ended = swarm("resume", run_id[4:9], "--json", "--quiet")

        assert (0, run_id, 1, 1, 2, "") == (
            ended.code, ended.json["run_id"], ended.json["reused"], ended.json["again"], ended.json["ran"], ended.err,
        )  # fmt: skip

    def test_what_happened_before_is_not_shown_as_if_it_happened_now(self, swarm, killed):
        lines = swarm("resume", killed()).err.splitlines()

        assert lines[0].endswith("goes on: 1 step reused, 1 run again")
        assert not any(" one  " in line for line in lines)
        assert 1 == sum(line.startswith("pass      two  /1  attempt 2") for line in lines)

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_p37_a_resumed_run_can_be_interrupted_and_resumed_again(
        self, begin, swarm, under_way, ledger, wait_for, cwd, number
    ):
        first = under_way()
        first.end(signal.SIGINT)
        second = begin("resume", first.run_id, "--json")
        wait_for(lambda: ledger().count("two") == 2)

        interrupted = second.end(number)
        (cwd / "go").touch()
        ended = swarm("resume", first.run_id, "--json")

        assert (130, "interrupted") == (interrupted.code, interrupted.json["status"])
        assert (0, FINAL, 1) == (ended.code, ended.json["final_ctx"], ended.json["reused"])
        assert ["one", "two", "two", "two", "three"] == ledger()

    def test_p10_of_two_resumes_at_once_one_carries_it_out(self, begin, killed, ledger):
        run_id = killed()

        both = [begin("resume", run_id, "--json"), begin("resume", run_id, "--json")]
        ends = [one.end() for one in both]

        assert [0, 3] == sorted(end.code for end in ends), ends
        (refused,) = (end.err for end in ends if end.code)
        assert any(why in refused for why in ("is held by process", "has ended (done)", "taken over")), refused
        assert ["one", "two", "two", "three"] == ledger()


class TestWhatCannotGoOn:
    def test_cl155_finished_running_cancelled_and_unknown_runs_are_told_apart(self, here, under_way, swarm, steps, cwd):
        running = under_way()
        done = swarm("run", steps("ok.json", one="quick"), "--json").json["run_id"]
        interrupted = swarm("run", steps("ok.json", one="quick"), "--json").json["run_id"]
        cancelled = under_way("--key", "other")
        swarm("cancel", cancelled.run_id)

        told = {
            name: (ended.code, ended.err.strip().removeprefix("error: "))
            for name, ended in {
                "running": here("resume", running.run_id),
                "done": here("resume", done),
                "cancelled": here("resume", cancelled.run_id),
                "unknown": here("resume", interrupted[:-1] + ("0" if interrupted[-1] != "0" else "1")),
            }.items()
        }

        assert [3, 3, 3, 4] == [code for code, _ in told.values()]
        assert f"run {running.run_id} is held by process {running.process.pid} on" in told["running"][1]
        assert f"run {done} has ended (done)" in told["done"][1]
        assert f"swarm rerun {done} --from ADDRESS" in told["done"][1]
        assert f"run {cancelled.run_id} has ended (cancelled)" in told["cancelled"][1]
        assert "run not found" in told["unknown"][1]
        assert interrupted in told["unknown"][1]

    def test_a_blueprint_that_cannot_be_compiled_here_is_told_and_the_run_stays_resumable(
        self, here, killed, write, swarm, cwd
    ):
        run_id = killed()
        workers = (cwd / "swarmfile.py").read_text()
        write("swarmfile.py", workers.replace("def quick", "def quicker"))

        refused = here("resume", run_id)
        write("swarmfile.py", workers)

        assert 3 == refused.code
        assert "quick" in refused.err
        assert 0 == swarm("resume", run_id).code

    def test_p12_a_replay_that_asks_for_something_else_is_told_with_the_step_and_nothing_is_run(
        self, here, swarm, begin, steps, write, cwd, wait_for, ledger
    ):
        document = json.loads(steps("salted.json", one="quick", two="slow").read_text())
        document["flow"]["children"][0]["in"] = {"op": "call_extern", "ref": "salt", "args": []}
        workers = (cwd / "swarmfile.py").read_text() + "\n@function(pure=True)\ndef salt():\n    return 'sweet'\n"
        write("swarmfile.py", workers)
        begun = begin("run", write("salted.json", document))
        wait_for(lambda: "two" in ledger() or begun.process.poll() is not None)
        begun.kill()
        (cwd / "go").touch()
        (run,) = here("runs", "--json").json

        write("swarmfile.py", workers.replace("sweet", "sour"))
        one, several = swarm("resume", run["id"]), swarm("resume", "--all")
        write("swarmfile.py", workers)
        again = swarm("resume", run["id"])

        assert [3, 3] == [one.code, several.code], one.err
        assert "step /0: agent 'one' now gets another input than was recorded" in one.err
        assert f"go on with: swarm migrate {run['id']} --to FILE" in one.err
        assert 0 == again.code
        assert ["sweet", "two", "two"] == ledger()

    def test_where_no_runs_are_kept_nothing_is_made(self, here, cwd):
        named, every = here("resume", "RUN-a"), here("resume", "--all")

        assert (4, 0) == (named.code, every.code)
        assert "no runs are kept here yet" in named.err
        assert "there is nothing to resume" in every.err
        assert [] == list(cwd.iterdir())

    def test_cl145_runs_are_named_or_all_of_them_asked_for(self, here):
        assert [2, 2] == [here("resume").code, here("resume", "RUN-a", "--all").code]


class TestSeveral:
    @pytest.fixture
    def three(self, steps, begin, ledger, wait_for, here, cwd):
        """Kill three runs, and return their ids, the oldest first."""
        file = steps()
        for count in (1, 2, 3):
            begun = begin("run", file)
            wait_for(lambda count=count: ledger().count("two") == count)
            begun.kill()
        (cwd / "go").touch()
        return [run["id"] for run in reversed(here("runs", "--json").json)]

    def test_all_that_were_interrupted_go_on_and_tell_a_line_each(self, swarm, three, ledger, here):
        ended = swarm("resume", "--all")

        assert 0 == ended.code
        assert {f"{run_id} done: 1 step reused, 2 run" for run_id in three} == set(ended.out.splitlines())
        assert {"one": 3, "two": 6, "three": 3} == {name: ledger().count(name) for name in ("one", "two", "three")}
        assert "there is nothing to resume" in here("resume", "--all").err

    def test_some_can_be_named_and_the_worst_exit_code_counts(self, swarm, three, here, write, cwd):
        write(
            "swarmfile.py",
            (cwd / "swarmfile.py").read_text().replace("note(name)\n    return", "raise OSError\n    return"),
        )

        ended = swarm("resume", three[0], "RUN-unknown", three[2], "--json")

        by_run = {run["run_id"]: run for run in ended.json}
        assert 4 == ended.code
        assert ["failed", None, "failed"] == [by_run[name]["status"] for name in (three[0], "RUN-unknown", three[2])]
        assert "run_not_found" == by_run["RUN-unknown"]["error"]["code"]
        assert "interrupted" == here("show", three[1], "--json").json["run"]["status"]

    def test_ctrl_c_interrupts_them_all(self, begin, three, ledger, wait_for, here, cwd):
        (cwd / "go").unlink()
        begun = begin("resume", "--all")
        wait_for(lambda: ledger().count("two") == 6)

        ended = begun.end(signal.SIGINT)

        assert 130 == ended.code
        assert "interrupting 3 runs" in ended.err
        assert {"interrupted"} == {run["status"] for run in here("runs", "--json").json}

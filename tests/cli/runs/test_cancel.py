"""`swarm cancel`: a run ends, whoever carries it out, and stays so."""

import os
import signal
import time
from pathlib import Path

import pytest


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"


class TestCancel:
    def test_p14_the_process_that_carries_a_run_out_ends_it(self, here, under_way):
        run = under_way("--json")

        ended = here("cancel", run.run_id, "--json")
        own = run.end()

        assert (0, [{"run_id": run.run_id, "status": "cancelled", "error": None}]) == (ended.code, ended.json)
        assert (130, "cancelled") == (own.code, own.json["status"])
        assert "cancelled" == here("show", run.run_id, "--json").json["run"]["status"]

    def test_p14_p15_programs_die_with_their_run(self, here, begin, write, cwd, wait_for):
        pytest.importorskip("swarm_plugin_subprocess")
        step = {"kind": "step", "ref": "a", "in": {"op": "lit", "value": ""}, "out": {"op": "path", "at": "$.a"}}
        script = "echo $$ > pid; trap '' TERM; sleep 600 & wait"
        spec = {"program": "sh", "args": ["-c", script], "cwd": "."}
        agents = [{"name": "a", "kind": "subprocess", "spec": spec}]
        begun = begin("run", write("p.json", {"id": "p", "flow": step, "agents": agents}))
        pid = int(wait_for(lambda: (cwd / "pid").exists() and (cwd / "pid").read_text().strip()))
        (run,) = here("runs", "--json").json

        ended = here("cancel", run["id"])

        assert 0 == ended.code
        assert 130 == begun.end().code
        wait_for(lambda: not is_alive(pid))

    def test_p14_a_run_that_nobody_holds_is_ended_here_and_cannot_be_resumed(self, here, killed, ledger):
        run_id = killed()

        ended, resumed = here("cancel", run_id), here("resume", run_id)

        data = here("show", run_id, "--json", "--events").json
        assert (0, f"{run_id} cancelled\n") == (ended.code, ended.out)
        assert ["pass", "cancelled"] == [step["status"] for step in data["steps"]]
        assert "run_ended" == data["events"][-1]["kind"]
        assert (3, ["one", "two"]) == (resumed.code, ledger())

    def test_a_process_that_hangs_is_named_after_the_time_it_was_given(self, here, under_way):
        run = under_way()
        run.process.send_signal(signal.SIGSTOP)

        ended = here("cancel", run.run_id, "--timeout", "300ms")

        assert 3 == ended.code
        assert f"has not ended after 0.3 s: process {run.process.pid} on" in ended.err
        run.process.send_signal(signal.SIGCONT)
        assert 130 == run.end().code

    def test_several_are_cancelled_and_each_that_cannot_be_is_told(self, here, killed, swarm, steps):
        run_id = killed()
        done = swarm("run", steps("ok.json", one="quick"), "--json").json["run_id"]

        ended = here("cancel", run_id, done, "RUN-none", "--json")

        by_run = {end["run_id"]: end for end in ended.json}
        assert 4 == ended.code
        assert "cancelled" == by_run[run_id]["status"]
        assert f"run {done} has ended (done)" == by_run[done]["error"]["message"]
        assert "run_not_found" == by_run["RUN-none"]["error"]["code"]
        assert 0 == here("cancel", run_id).code

    def test_p14_cancelled_at_any_time_a_run_stays_cancelled_or_ended_before(self, begin, here, steps, wait_for):
        """Nothing comes after the end, and the end is what was told."""
        file = steps("quick.json", **{f"s{n}": "quick" for n in range(30)})
        for turn in range(6):
            begun = begin("run", file, "--json", "--key", str(turn))
            wait_for(
                lambda turn=turn: (
                    here("runs", "--json").json[turn : turn + 1] or len(here("runs", "--json").json) > turn
                )
            )
            run_id = here("runs", "--limit", "1", "--json").json[0]["id"]
            time.sleep(turn * 0.01)  # somewhere else each time
            told = here("cancel", run_id)
            own = begun.end()

            data = here("show", run_id, "--json", "--events").json
            status = data["run"]["status"]
            assert (status, own.json["status"]) in (("cancelled", "cancelled"), ("done", "done"))
            assert {"cancelled": 0, "done": 3}[status] == told.code
            assert ["run_ended"] == [event["kind"] for event in data["events"] if event["kind"] == "run_ended"]
            assert ("run_ended", status) == (data["events"][-1]["kind"], data["events"][-1]["status"])

    def test_cl150_a_wrong_time_is_told(self, here):
        assert 2 == here("cancel", "RUN-a", "--timeout", "5 parsecs").code

"""`swarm rerun` and `swarm migrate`: what was done is used again, elsewhere or otherwise."""

import os
import pty
import subprocess
import sys

import pytest


class TestRerun:
    def test_a_new_run_shares_what_came_before_and_the_old_one_stays(self, here, swarm, steps, ledger, cwd):
        (cwd / "go").touch()
        old = swarm("run", steps(), "--json").json["run_id"]
        before = here("show", old, "--json", "--events").json

        ended = swarm("rerun", old, "--from", "/1", "--json")

        new = here("show", ended.json["run_id"], "--json").json
        assert (0, {"one": "ONE", "two": "TWO", "three": "THREE"}) == (ended.code, ended.json["final_ctx"])
        assert (1, 2, old) == (ended.json["reused"], ended.json["ran"], new["run"]["parent"])
        assert ["one", "two", "three", "two", "three"] == ledger()
        assert before == here("show", old, "--json", "--events").json

    def test_it_can_begin_at_the_steps_that_failed(self, swarm, steps, ledger, cwd):
        failed = swarm("run", steps("f.json", one="quick", two="picky", three="quick"), "--json").json["run_id"]
        (cwd / "good").touch()

        ended = swarm("rerun", failed, "--failed")

        assert (0, {"one": "ONE", "two": "TWO", "three": "THREE"}) == (ended.code, ended.json)
        assert "1 step reused, 2 run" in ended.err
        assert ["one", "two", "two", "three"] == ledger()

    def test_an_address_that_no_step_has_is_told_with_the_nearest(self, here, swarm, steps):
        run_id = swarm("run", steps("ok.json", one="quick", two="quick"), "--json").json["run_id"]

        ended = here("rerun", run_id, "--from", "/7")

        assert (4, "") == (ended.code, ended.out)
        assert "/7" in ended.err
        assert 1 == len(here("runs", "--json").json)

    def test_where_no_step_failed_there_is_nothing_to_begin_at(self, here, swarm, steps):
        run_id = swarm("run", steps("ok.json", one="quick"), "--json").json["run_id"]

        ended = here("rerun", run_id, "--failed")

        assert 3 == ended.code
        assert "no step of run" in ended.err

    @pytest.mark.parametrize("args", [[], ["--failed", "--from", "/0"]])
    def test_cl145_one_place_to_begin_is_asked_for(self, here, args):
        assert 2 == here("rerun", "RUN-a", *args).code

    def test_an_unknown_run_exits_4(self, here):
        assert 4 == here("rerun", "RUN-a", "--failed").code


class TestMigrate:
    @pytest.fixture
    def other(self, steps):
        """A Blueprint whose first step is the same, and whose second one is another."""
        return lambda: steps("three.json", one="quick", second="quick", three="quick")

    def test_it_tells_what_stays_valid_and_does_nothing_where_nobody_can_be_asked(self, swarm, here, killed, other):
        run_id = killed()
        before = here("show", run_id, "--json").json["run"]["blueprint_hash"]

        ended = swarm("migrate", run_id, "--to", other(), stdin="")

        assert 2 == ended.code
        assert ["Kept", "Run again", "Without a place"] == [
            line for line in ended.out.splitlines() if line and not line.startswith((" ", "RUN-"))
        ]
        assert "/0" in ended.out.partition("Run again")[0]
        assert "/1" in ended.out.partition("Run again")[2]
        assert "say --yes" in ended.err
        assert before == here("show", run_id, "--json").json["run"]["blueprint_hash"]

    def test_with_yes_the_run_goes_on_with_the_new_blueprint(self, swarm, here, killed, other, ledger):
        run_id = killed()

        ended = here("migrate", run_id, "--to", other(), "--yes", "--json")
        resumed = swarm("resume", run_id, "--json")

        assert (0, True, ["/0"]) == (
            ended.code,
            ended.json["migrated"],
            [note["address"] for note in ended.json["kept"]],
        )
        assert (0, {"one": "ONE", "second": "SECOND", "three": "THREE"}) == (resumed.code, resumed.json["final_ctx"])
        assert ["one", "two", "second", "three"] == ledger()
        assert ["/0", "/1", "/2"] == [step["address"] for step in here("show", run_id, "--json").json["steps"]]

    @pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 130)])
    def test_on_a_terminal_it_asks(self, killed, other, cwd, here, answer, code):
        run_id = killed()
        leader, follower = pty.openpty()
        command = [sys.executable, "-m", "swarm_core", "migrate", run_id, "--to", other()]
        process = subprocess.Popen(
            command, cwd=cwd, stdin=follower, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        os.write(leader, f"{answer}\n".encode())
        out, err = process.communicate(timeout=30)
        os.close(leader)
        os.close(follower)

        hashes = here("show", run_id, "--json").json["run"]["blueprint_hash"]
        assert code == process.returncode
        assert f"Bind {run_id} to the new Blueprint?" in err
        assert (out.splitlines()[0].split()[-1] == hashes[:16]) == (code == 0)

    def test_a_run_that_has_ended_or_is_held_cannot_be_migrated(self, here, swarm, steps, under_way):
        run = under_way()
        done = swarm("run", steps("ok.json", one="quick"), "--json").json["run_id"]
        file = steps("other.json", one="quick")

        held, ended = (here("migrate", run_id, "--to", file, "--yes") for run_id in (run.run_id, done))

        assert [3, 3] == [held.code, ended.code]
        assert "is held by" in held.err
        assert f"run {done} has ended (done)" in ended.err

    def test_a_wrong_blueprint_is_told_with_its_problems(self, here, killed, write):
        run_id = killed()

        wrong = here("migrate", run_id, "--to", write("bad.json", {"id": "x", "flow": {"kind": "stp"}}), "--yes")
        missing = here("migrate", run_id, "--to", "none.json", "--yes")

        assert [3, 4] == [wrong.code, missing.code]
        assert "did you mean 'step'" in wrong.err

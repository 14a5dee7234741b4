"""`swarm watch`: a run seen from another process, from its begin to its end."""

import json
import os
import pty
import signal

import pytest


def events_of(text):
    return [json.loads(line) for line in text.splitlines()]


class TestLive:
    def test_a_run_of_another_process_is_shown_from_its_begin_until_it_ends(self, begin, under_way, wait_for, cwd):
        run = under_way()
        watching = begin("watch", run.run_id)
        wait_for(lambda: "pass      one" in watching.err)
        (cwd / "go").touch()

        ended = watching.end()

        assert (0, "") == (ended.code, ended.out)
        assert [run.run_id, "pass", "pass", "pass", run.run_id] == [line.split()[0] for line in ended.err.splitlines()]
        assert 0 == run.end().code

    def test_its_exit_code_is_that_of_the_run_and_the_error_is_told(self, here, swarm, steps):
        run_id = swarm("run", steps("bad.json", one="picky"), "--json").json["run_id"]

        ended = here("watch", run_id)

        assert 1 == ended.code
        assert "ValueError: not good" in ended.err.splitlines()[-1]

    def test_json_is_the_events_a_line_each(self, here, swarm, steps):
        run_id = swarm("run", steps("ok.json", one="quick"), "--json").json["run_id"]

        ended = here("watch", run_id, "--json")

        assert (0, "") == (ended.code, ended.err)
        assert here("show", run_id, "--events", "--json").json["events"] == events_of(ended.out)

    def test_a_terminal_shows_the_live_tree(self, begin, swarm, steps, cwd):
        run_id = swarm("run", steps("ok.json", one="quick"), "--json").json["run_id"]
        leader, follower = pty.openpty()
        import subprocess
        import sys

        env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
        process = subprocess.Popen(
            [sys.executable, "-m", "swarm_core", "watch", run_id], cwd=cwd, stderr=follower, env=env
        )
        os.close(follower)
        shown = b""
        while piece := read(leader):
            shown += piece
        os.close(leader)

        assert 0 == process.wait(20)
        assert run_id.encode() in shown
        assert b"\x1b[" in shown


def read(descriptor):
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""


class TestEnds:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_ctrl_c_ends_the_watching_and_not_the_run(self, begin, under_way, cwd, wait_for, number):
        run = under_way()
        watching = begin("watch", run.run_id)
        wait_for(lambda: "started" in watching.err)

        ended = watching.end(number)
        (cwd / "go").touch()

        assert 130 == ended.code
        assert f"no longer watching; {run.run_id} goes on" in ended.err
        assert 0 == run.end().code

    def test_p5_when_the_process_of_the_run_dies_what_was_seen_is_the_beginning_of_what_is_seen_later(
        self, begin, under_way, swarm, cwd, wait_for
    ):
        run = under_way()
        watching = begin("watch", run.run_id, "--json")
        wait_for(lambda: len(watching.out.splitlines()) > 5)
        run.kill()

        seen = watching.end()
        (cwd / "go").touch()
        swarm("resume", run.run_id)
        later = events_of(swarm("watch", run.run_id, "--json").out)

        before = events_of(seen.out)
        assert 130 == seen.code
        assert f"interrupted; go on with: swarm resume {run.run_id}" in seen.err
        assert before == later[: len(before)]
        assert list(range(1, len(later) + 1)) == [event["seq"] for event in later]
        assert ["run_ended"] == [event["kind"] for event in later if event["kind"] == "run_ended"]
        assert "run_ended" == later[-1]["kind"]

    def test_a_run_that_is_cancelled_meanwhile_ends_the_watching(self, begin, under_way, swarm, wait_for):
        run = under_way()
        watching = begin("watch", run.run_id)
        wait_for(lambda: "started" in watching.err)

        swarm("cancel", run.run_id)

        ended = watching.end()
        assert 130 == ended.code
        assert "cancelled" in ended.err.splitlines()[-1]

    def test_an_unknown_run_exits_4(self, here):
        assert 4 == here("watch", "RUN-a").code


class TestResumedMeanwhile:
    def test_p5_a_run_that_goes_on_elsewhere_is_told_without_a_gap(self, begin, killed, cwd, here):
        run_id = killed()
        resuming = begin("resume", run_id, "--quiet")
        resuming.end()

        events = events_of(here("watch", run_id, "--json").out)

        assert list(range(1, len(events) + 1)) == [event["seq"] for event in events]
        assert 1 == [event["kind"] for event in events].count("run_resumed")

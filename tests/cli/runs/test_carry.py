"""`swarm export`, `swarm import` and `swarm gc`: runs carried elsewhere, and cleared away."""

import json
import stat

import pytest

ELSEWHERE = ("--store", "sqlite:///elsewhere.db")


class TestExportAndImport:
    def test_a_run_goes_on_elsewhere_where_it_was_here(self, here, swarm, killed, ledger, cwd):
        run_id = killed()

        written = here("export", run_id, "-o", "run.jsonl")
        taken_in = here("import", "run.jsonl", *ELSEWHERE)
        resumed = swarm("resume", run_id, "--json", *ELSEWHERE)

        assert [0, 0, 0] == [written.code, taken_in.code, resumed.code]
        assert f"{run_id} interrupted\nnext: swarm resume {run_id} --store sqlite:///elsewhere.db\n" == taken_in.out
        assert ({"one": "ONE", "two": "TWO", "three": "THREE"}, 1) == (
            resumed.json["final_ctx"],
            resumed.json["reused"],
        )
        assert ["one", "two", "two", "three"] == ledger()
        assert "interrupted" == here("show", run_id, "--json").json["run"]["status"]

    def test_it_goes_through_a_pipe_line_by_line(self, swarm, steps):
        run_id = swarm("run", steps("ok.json", one="quick"), "--json").json["run_id"]

        written = swarm("export", run_id)
        taken_in = swarm("import", "-", "--json", *ELSEWHERE, stdin=written.out)

        kinds = [json.loads(line)["kind"] for line in written.out.splitlines()]
        assert (0, run_id, "done") == (taken_in.code, taken_in.json["id"], taken_in.json["status"])
        assert ["run", "end"] == [kinds[0], kinds[-1]]
        assert (
            swarm("show", run_id, "--json").json["steps"] == swarm("show", run_id, "--json", *ELSEWHERE).json["steps"]
        )

    def test_the_file_is_whole_and_only_for_its_owner_and_none_is_overwritten(self, here, swarm, steps, cwd):
        run_id = swarm("run", steps("ok.json", one="quick"), "--json").json["run_id"]

        first, again = (here("export", run_id, "-o", "run.jsonl") for _ in range(2))

        assert [0, 2] == [first.code, again.code]
        assert "run.jsonl is there already" in again.err
        assert 0o600 == stat.S_IMODE((cwd / "run.jsonl").stat().st_mode)
        assert ["run.jsonl"] == [path.name for path in cwd.glob("run*")]

    def test_a_file_that_is_wrong_is_told_with_its_line_and_nothing_is_kept(self, here, swarm, steps, cwd, write):
        run_id = swarm("run", steps("ok.json", one="quick"), "--json").json["run_id"]
        here("export", run_id, "-o", "run.jsonl")
        lines = (cwd / "run.jsonl").read_text().splitlines()
        write("cut.jsonl", "\n".join(lines[:-1]))
        write("odd.jsonl", "\n".join([lines[0], '{"kind": "odd"}', *lines[1:]]))

        again, cut, odd = (
            here("import", f"{name}.jsonl", *(ELSEWHERE if name != "run" else ())) for name in ("run", "cut", "odd")
        )

        assert [3, 3, 3] == [again.code, cut.code, odd.code]
        assert f"run {run_id} is here already" in again.err
        assert f"cut.jsonl:{len(lines) - 1}: $: the end is missing: the file was cut off" in cut.err
        assert "odd.jsonl:2: $.kind: unknown kind 'odd'" in odd.err
        assert [] == here("runs", "--json", *ELSEWHERE).json

    @pytest.mark.parametrize(("name", "code"), [("none.jsonl", 4), (".", 3), ("/dev/null", 3)])
    def test_cl146_what_is_no_file_of_ours_is_told(self, here, name, code):
        ended = here("import", name, *ELSEWHERE)

        assert (code, "") == (ended.code, ended.out)
        assert name in ended.err

    def test_input_without_an_end_is_read_to_the_limit(self, cwd):
        import subprocess
        import sys

        command = f"yes '[' | tr -d '\\n' | {sys.executable} -m swarm_core import - --store sqlite:///x.db"
        done = subprocess.run(["bash", "-c", command], cwd=cwd, capture_output=True, text=True, timeout=60, check=False)

        assert 3 == done.returncode
        assert "67,108,864 bytes" in done.stderr

    def test_an_unknown_run_exits_4_and_leaves_no_file(self, here, cwd):
        assert 4 == here("export", "RUN-a", "-o", "run.jsonl").code
        assert [] == list(cwd.iterdir())


class TestGc:
    @pytest.fixture
    def runs(self, swarm, steps, killed):
        interrupted = killed()
        done = swarm("run", steps("ok.json", one="quick"), "--json").json["run_id"]
        failed = swarm("run", steps("bad.json", one="picky"), "--json").json["run_id"]
        return interrupted, done, failed

    def left(self, here):
        return [run["id"] for run in reversed(here("runs", "--json").json)]

    def test_what_ended_longer_ago_is_removed_and_what_can_go_on_is_not(self, here, runs):
        interrupted, done, failed = runs

        early = here("gc", "--older-than", "1d", "--json")
        ended = here("gc", "--older-than", "1ms", "--json")

        assert [] == early.json["removed"]
        assert {done, failed} == set(ended.json["removed"])
        assert [interrupted] == self.left(here)

    def test_a_dry_run_tells_and_failed_runs_can_be_kept(self, here, runs):
        interrupted, done, failed = runs

        dry = here("gc", "--older-than", "1ms", "--keep-failed", "--dry-run")
        before = self.left(here)
        ended = here("gc", "--older-than", "1ms", "--keep-failed")

        assert "1 run would be removed" in dry.out
        assert [interrupted, done, failed] == before
        assert "1 run removed" in ended.out
        assert [interrupted, failed] == self.left(here)

    @pytest.mark.parametrize("args", [[], ["--older-than", "-1"], ["--older-than", "0"], ["--older-than", "5 parsecs"]])
    def test_cl150_a_wrong_time_is_told_and_nothing_is_removed(self, here, args):
        assert 2 == here("gc", *args).code

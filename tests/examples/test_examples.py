"""Every example ends as its README says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
REVIEW = EXAMPLES / "code_review" / "code_review.yaml"


def swarm(*args, cwd):
    """Run `swarm` with the folder of this interpreter's programs, where ruff is, on the PATH."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = [sys.executable, "-m", "swarm_core", *map(str, args)]
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=120, check=False
    )


def result_of(*args, cwd):
    done = swarm("run", *args, "--quiet", cwd=cwd)
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout)


class TestSamples:
    def test_01_computes_and_branches_without_agents(self, tmp_path):
        sample = EXAMPLES / "samples" / "01-pure-ctx-eval.yaml"

        inside, outside = result_of(sample, cwd=tmp_path), result_of(sample, "--set", "score=9", cwd=tmp_path)

        assert (7.0, "in-range") == (inside["total"], inside["grade"])
        assert "out-of-range" == outside["grade"]

    def test_02_loops_until_its_gate_passes(self, tmp_path):
        ended = result_of(EXAMPLES / "samples" / "02-verdict-loop.yaml", cwd=tmp_path)

        assert (2, "PASS", {"committed": True}) == (ended["n"], ended["verdict"], ended["result"])

    def test_03_lets_a_second_agent_override_the_verdict(self, tmp_path):
        ended = result_of(EXAMPLES / "samples" / "03-fn-override.yaml", cwd=tmp_path)

        assert ("ALLOW", True) == (ended["verdict"], ended["applied"])


class TestCodeReview:
    @pytest.fixture
    def tree(self, tmp_path):
        """A small tree: one clean file, one that a machine can repair."""
        folder = tmp_path / "tree"
        folder.mkdir()
        (folder / "clean.py").write_text('"""Nothing to say."""\n')
        (folder / "untidy.py").write_text("import sys\nimport os\nprint(os.name, sys.path)\n")
        return folder

    def review(self, tree, tmp_path):
        ended = result_of(REVIEW, "--set", f"path={tree}", "--set", "work_dir=out", cwd=tmp_path)
        return ended, (tmp_path / ended["report"]).read_text()

    def test_files_are_repaired_in_a_copy_and_reported(self, tree, tmp_path):
        before = (tree / "untidy.py").read_text()

        ended, report = self.review(tree, tmp_path)

        assert "passed" == ended["outcome"]
        assert {"files": 2, "passed": 2, "repaired": 1, "blocked": 0, "advice": 0} == ended["review"]
        assert "| untidy.py | PASS | 2 | 0 |" in report
        assert before == (tree / "untidy.py").read_text()

    def test_a_file_that_no_machine_can_repair_escalates(self, tree, tmp_path):
        (tree / "broken.py").write_text("def f(:\n")

        ended, report = self.review(tree, tmp_path)

        assert ("escalated", 1) == (ended["outcome"], ended["review"]["blocked"])
        assert "| broken.py | BLOCKED |" in report

    def test_a_worker_that_dies_costs_its_own_file_only(self, tree, tmp_path):
        (tree / "--odd.py").write_text('"""A name that a program would take for an option."""\n')

        ended, _ = self.review(tree, tmp_path)

        assert 3 == ended["review"]["files"]
        assert 2 <= ended["review"]["passed"]

    def test_the_bound_of_dispatches_is_told_before_the_run(self, tmp_path):
        told = swarm("explain", REVIEW, "--json", cwd=tmp_path)

        assert "per item of $.files" in json.loads(told.stdout)["bound"]


class TestApproval:
    """The run waits without a program, a person answers from elsewhere, and the answer decides."""

    def waiting(self, tmp_path):
        done = swarm("run", EXAMPLES / "approval" / "approval.yaml", "--json", cwd=tmp_path)
        assert 7 == done.returncode, done.stderr
        return json.loads(done.stdout)["run_id"]

    def decided(self, run, answer, tmp_path):
        answered = swarm("answer", run, json.dumps(answer), cwd=tmp_path)
        assert 0 == answered.returncode, answered.stderr
        done = swarm("resume", run, "--quiet", cwd=tmp_path)
        assert 0 == done.returncode, done.stderr
        return json.loads(done.stdout)

    def test_what_is_approved_is_published(self, tmp_path):
        ended = self.decided(self.waiting(tmp_path), {"approved": True, "note": "go"}, tmp_path)

        assert {"published": "build/approval/published.txt"} == ended["result"]
        text = "Teapot 2 is here: it no longer drips.\ngo\n"
        assert text == (tmp_path / "build/approval/published.txt").read_text()

    def test_what_is_not_approved_is_filed(self, tmp_path):
        ended = self.decided(self.waiting(tmp_path), {"approved": False}, tmp_path)

        assert {"archived": "build/approval/archived.txt"} == ended["result"]
        assert not (tmp_path / "build/approval/published.txt").exists()

    def test_an_answer_that_does_not_fit_changes_nothing(self, tmp_path):
        run = self.waiting(tmp_path)

        refused = swarm("answer", run, "yes", cwd=tmp_path)
        asked = json.loads(swarm("questions", run, "--json", cwd=tmp_path).stdout)

        assert (3, ["open"]) == (refused.returncode, [question["state"] for question in asked])


class TestSenior:
    """A worker is stuck, a policy answers the easy case, and a person the hard one, though the program has ended."""

    SENIOR = EXAMPLES / "senior" / "senior.yaml"

    def waiting(self, tmp_path):
        done = swarm("run", self.SENIOR, "--json", cwd=tmp_path)
        assert 7 == done.returncode, done.stderr
        return json.loads(done.stdout)["run_id"]

    def test_the_easy_case_is_answered_by_the_policy_and_the_hard_one_by_a_person(self, tmp_path):
        run = self.waiting(tmp_path)
        (question,) = json.loads(swarm("questions", run, "--json", cwd=tmp_path).stdout)
        answered = swarm("answer", run, '{"account": "repairs"}', cwd=tmp_path)
        done = swarm("resume", run, "--quiet", cwd=tmp_path)
        told = swarm("show", run, "--events", "--json", cwd=tmp_path).stdout

        said = {"reason": "worker reported ok=false", "value": {"unknown": "Dragon Tamers", "amount": 4000}}
        assert (said, 0, 0) == (question["question"], answered.returncode, done.returncode)
        assert json.loads(done.stdout)["ledger"] == [
            "Teapot Works: office",
            "Corner Shop: office (a senior said so)",
            "Dragon Tamers: repairs (a senior said so)",
        ]
        assert {"senior_passed", "senior_decided"} <= {event["kind"] for event in json.loads(told)["events"]}

    def test_an_answer_that_does_not_fit_leaves_the_question_open(self, tmp_path):
        run = self.waiting(tmp_path)

        refused = swarm("answer", run, '{"account": "holidays"}', cwd=tmp_path)

        assert 3 == refused.returncode
        assert "open" == json.loads(swarm("questions", run, "--json", cwd=tmp_path).stdout)[0]["state"]


class TestLongHold:
    """What takes long is told of while it does, here and elsewhere, and ended at its deadline."""

    TEA = EXAMPLES / "long_hold" / "long_hold.yaml"

    def test_the_warnings_are_shown_while_it_runs_and_afterwards(self, tmp_path):
        done = swarm("run", self.TEA, cwd=tmp_path)
        (run,) = json.loads(swarm("runs", "--json", cwd=tmp_path).stdout)
        watched = swarm("watch", run["id"], cwd=tmp_path)
        shown = swarm("show", run["id"], "--events", cwd=tmp_path)

        assert (0, "brewed for 2.5 s") == (done.returncode, json.loads(done.stdout)["tea"])
        lines = [line.split()[0] for line in done.stderr.splitlines()]
        assert lines.index("warning") < lines.index("pass")
        assert "long_hold_warning" in watched.stderr
        assert "long_hold_warning" in shown.stdout

    def test_the_deadline_ends_it(self, tmp_path):
        done = swarm("run", self.TEA, "--set", "seconds=60", "--quiet", cwd=tmp_path)

        assert 1 == done.returncode
        assert "no result after 4 s; the layer 'long_hold' sets this limit" in done.stderr


class TestVerdictContract:
    """A wrong word is repaired, and a word that the branch cannot meet is found before the run."""

    EXAMPLE = EXAMPLES / "verdict_contract" / "verdict_contract.yaml"

    def test_the_reviewers_own_words_are_refused_and_repaired(self, tmp_path):
        done = swarm("run", self.EXAMPLE, "--json", cwd=tmp_path)
        run = json.loads(done.stdout)
        shown = json.loads(swarm("show", run["run_id"], "--events", "--json", cwd=tmp_path).stdout)

        assert ("blocked", False) == (run["final_ctx"]["verdict"], run["final_ctx"]["result"]["merged"])
        assert {"tasks": 2, "attempts": 3} == {name: run["counts"][name] for name in ("tasks", "attempts")}
        refused = [event for event in shown["events"] if event["kind"] == "verdict_rejected"]
        assert [('"Blocked."', True)] == [(event["got"], event["again"]) for event in refused]

    def test_what_the_reviewer_passes_is_merged(self, tmp_path):
        ended = result_of(self.EXAMPLE, "--set", "change=fix a typo", cwd=tmp_path)

        assert ("pass", {"merged": True, "change": "fix a typo"}) == (ended["verdict"], ended["result"])

    def test_without_the_contract_the_change_would_be_merged(self, tmp_path):
        text = self.EXAMPLE.read_text().replace("    verdict: {values: [pass, blocked]}\n", "")
        (tmp_path / "loose.yaml").write_text(text)
        (tmp_path / "swarmfile.py").write_text(self.EXAMPLE.with_name("swarmfile.py").read_text())

        assert result_of("loose.yaml", cwd=tmp_path)["result"]["merged"]

    def test_a_misspelt_word_in_the_branch_is_found_and_mended(self, tmp_path):
        text = self.EXAMPLE.read_text()
        (tmp_path / "gate.yaml").write_text(text.replace("value: blocked", "value: Blocked"))
        (tmp_path / "swarmfile.py").write_text(self.EXAMPLE.with_name("swarmfile.py").read_text())

        codes = [swarm("check", "gate.yaml", *fix, cwd=tmp_path).returncode for fix in ((), ("--fix",), ())]

        assert [3, 0, 0] == codes
        assert text == (tmp_path / "gate.yaml").read_text()

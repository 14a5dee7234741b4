"""`swarm operate`: work is done at a terminal, or by a program."""

import json
import os
import pty
import stat
import subprocess
import sys

import pytest
from attrs import frozen

STEP = "{{kind: step, ref: {0}, in: {{op: lit, value: {1}}}, out: {{op: path, at: $.{0}}}}}"
TWO_SEATS = f"""
id: two
operators: [{{name: desk}}, {{name: lab}}]
agents:
  - name: writer
    kind: operator
    spec: {{operator_ref: desk}}
    profile: {{system_prompt: "Write to {{{{ name }}}}."}}
  - {{name: chemist, kind: operator, spec: {{operator_ref: lab}}}}
flow:
  kind: seq
  children:
    - {STEP.format("writer", "{name: Ada}")}
    - {STEP.format("chemist", "mix it")}
"""


@pytest.fixture
def waiting(swarm, tmp_path):
    """Launch the Blueprint with two seats and return the run's id: it waits at the first."""
    (tmp_path / "two.yaml").write_text(TWO_SEATS)

    def launch():
        done = swarm("run", "two.yaml", "--json")
        assert 7 == done.code, done.err
        return done.json["run_id"]

    return launch


@frozen
class Terminal:
    """A shift at a terminal that has ended."""

    code: int
    err: str


@pytest.fixture
def at_terminal(tmp_path):
    """Run `swarm operate ARGS` at a terminal at which these lines are typed."""

    def run(*args, typed=(), env=None):
        keys, seat = pty.openpty()
        os.write(keys, "".join(f"{line}\n" for line in typed).encode())
        try:
            done = subprocess.run(
                [sys.executable, "-m", "swarm_core", "operate", *args],
                cwd=tmp_path,
                stdin=seat,
                capture_output=True,
                text=True,
                timeout=60,
                env={**{k: v for k, v in os.environ.items() if not k.startswith("SWARM_")}, **(env or {})},
                check=False,
            )
        finally:
            os.close(keys)
            os.close(seat)
        assert "Traceback" not in done.stderr, done.stderr
        return Terminal(done.returncode, done.stderr)

    return run


class TestNext:
    def test_the_next_piece_is_shown_with_all_that_one_needs(self, swarm, waiting):
        run = waiting()
        waiting()

        shown, data = swarm("operate", run, "--next"), swarm("operate", "--next", "--json").json

        assert "seat desk, agent writer" in shown.err
        assert "Write to Ada." in shown.err
        assert '"name": "Ada"' in shown.err
        assert (run, "desk", "writer", "Write to Ada.", {"name": "Ada"}, 2) == tuple(
            data[key] for key in ("run_id", "seat", "agent", "system", "input", "waiting")
        )

    def test_without_work_the_exit_code_says_so(self, swarm, waiting):
        before = swarm("operate", "--next")
        waiting()
        elsewhere = swarm("operate", "--next", "--seat", "lab")

        assert (4, 4) == (before.code, elsewhere.code)
        assert "no work waits" in before.err

    def test_a_run_that_is_not_there_is_not_found(self, swarm, waiting):
        waiting()

        assert 4 == swarm("operate", "RUN-none", "--next").code

    def test_other_questions_are_no_work(self, swarm, tmp_path):
        step = STEP.format("editor", "may it?")
        (tmp_path / "ask.yaml").write_text(f"{{id: a, flow: {step}, agents: [{{name: editor, kind: ask}}]}}")
        run = swarm("run", "ask.yaml", "--json").json["run_id"]
        key = json.loads(swarm("questions", run, "--json").out)[0]["key"]

        answered = swarm("operate", "--answer", key, "yes")

        assert 4 == swarm("operate", "--next").code
        assert (4, True) == (answered.code, f"use: swarm answer {key}" in answered.err)


class TestAnswer:
    def next_key(self, swarm):
        return swarm("operate", "--next", "--json").json["key"]

    @pytest.mark.parametrize(
        ("value", "options", "result"),
        [
            ('{"text": "Dear Ada"}', (), {"text": "Dear Ada"}),
            ("Dear Ada", (), "Dear Ada"),
            ("5", ("--text",), "5"),
            ('{"value": 1}', (), {"value": 1}),
            ("@letter.txt", (), "Dear Ada,\nyours"),
        ],
    )
    def test_a_program_gives_the_result_and_the_run_goes_on(self, swarm, waiting, tmp_path, value, options, result):
        (tmp_path / "letter.txt").write_text("Dear Ada,\nyours\n")
        waiting()

        first = swarm("operate", "--answer", self.next_key(swarm), value, *options, "--as", "ada", "--resume")
        last = swarm("operate", "--answer", self.next_key(swarm), "mixed", "--resume")

        assert (7, 0) == (first.code, last.code), (first.err, last.err)
        assert {"writer": result, "chemist": "mixed"} == last.json

    def test_what_to_do_next_is_said(self, swarm, waiting):
        run = waiting()

        answered = swarm("operate", "--answer", self.next_key(swarm), "done", "--json")

        assert (0, f"swarm resume {run}") == (answered.code, answered.json["next"])

    def test_not_ok_blocks_the_step_with_the_reason(self, swarm, waiting):
        run = waiting()
        swarm("operate", "--answer", self.next_key(swarm), "I do not know her", "--not-ok")

        ended = swarm("resume", run)

        assert (1, True) == (ended.code, 'blocked: "I do not know her"' in ended.err)

    def test_the_first_answer_counts_and_the_other_operator_is_told(self, swarm, waiting):
        waiting()
        key = self.next_key(swarm)
        swarm("operate", "--answer", key, "mine", "--as", "ada")

        second = swarm("operate", "--answer", key, "no, mine", "--as", "bob")

        assert 3 == second.code
        assert "ada was first" in second.err

    def test_swarm_answer_gives_a_plain_result_too(self, swarm, waiting):
        run = waiting()
        swarm("answer", run, "Dear Ada")

        swarm("resume", run)

        assert "mix it" == swarm("operate", "--next", "--json").json["prompt"]

    @pytest.mark.parametrize(
        ("args", "code", "told"),
        [
            (["--answer", "R-none", "x"], 4, "R-none"),
            (["--json"], 2, "--json belongs to"),
            (["--not-ok"], 2, "--not-ok to --answer"),
            ([], 2, "this is none; programs use --next and --answer"),
            (["--as", " ada", "--next"], 2, "no blanks around it"),
        ],
    )
    def test_what_makes_no_sense_is_told(self, swarm, args, code, told):
        ended = swarm("operate", *args)

        assert (code, True) == (ended.code, told in ended.err), ended.err


class TestShift:
    def test_one_piece_after_the_other_until_none_is_left(self, swarm, waiting, at_terminal):
        run = waiting()

        shift = at_terminal("--as", "ada", "--resume", typed=["Dear Ada", '{"mixed": true}'])
        result = swarm("show", run, "--json").json

        assert 0 == shift.code, shift.err
        assert shift.err.index("Write to Ada.") < shift.err.index("mix it")
        assert {"writer": "Dear Ada", "chemist": {"mixed": True}} == result["result"]

    def test_without_resume_it_says_how_to_go_on(self, waiting, at_terminal):
        run = waiting()

        shift = at_terminal(typed=["Dear Ada"])

        assert (0, True) == (shift.code, f"go on with: swarm resume {run}" in shift.err)

    def test_work_is_left_to_others_or_refused(self, swarm, waiting, at_terminal):
        waiting(), waiting(), waiting()

        shift = at_terminal(typed=["/skip", "/not-ok never heard of her", "/quit"])
        answers = [q["answer"] for q in json.loads(swarm("questions", "--json").out)]

        assert (0, 2) == (shift.code, len(answers))
        assert 3 == shift.err.count("Instructions:")

    def test_a_file_that_is_not_there_is_asked_for_again(self, waiting, at_terminal):
        waiting()

        shift = at_terminal(typed=["@none.txt", "Dear Ada"])

        assert "none.txt: No such file" in shift.err
        assert "answered R-" in shift.err

    def test_answers_can_be_written_in_an_editor(self, swarm, waiting, at_terminal, tmp_path):
        editor = tmp_path / "editor"
        editor.write_text('#!/bin/sh\nprintf "@Ada,\\n yours\\n" > "$1"\n')
        editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
        run = waiting()

        shift = at_terminal("--edit", env={"EDITOR": str(editor)})
        shown = swarm("show", run, "--json").json

        assert 0 == shift.code, shift.err
        assert "@Ada,\\n yours" in json.dumps(shown)

    def test_who_was_slower_is_told_and_goes_on(self, swarm, waiting, at_terminal, tmp_path):
        waiting()
        key = swarm("operate", "--next", "--json").json["key"]
        editor = tmp_path / "editor"
        faster = f"{sys.executable} -m swarm_core operate --answer {key} first --as ada"
        editor.write_text(f'#!/bin/sh\n{faster}\necho mine > "$1"\n')
        editor.chmod(editor.stat().st_mode | stat.S_IXUSR)

        shift = at_terminal("--edit", env={"EDITOR": str(editor)})

        assert (0, True) == (shift.code, "your answer came too late: ada was first" in shift.err), shift.err

    def test_it_waits_for_more_when_told_to(self, waiting, tmp_path):
        keys, seat = pty.openpty()
        command = [sys.executable, "-m", "swarm_core", "operate", "--follow"]
        with subprocess.Popen(command, cwd=tmp_path, stdin=seat, stderr=subprocess.PIPE, text=True) as shift:
            waiting()
            shown = ""
            while "mix it" not in shown and "Write to Ada." not in shown:
                line = shift.stderr.readline()
                assert line, shown
                shown += line
            os.write(keys, b"/quit\n")
            assert 0 == shift.wait(30)
        os.close(keys)
        os.close(seat)

    def test_without_work_it_says_so(self, at_terminal):
        shift = at_terminal()

        assert (0, True) == (shift.code, "no work waits" in shift.err)

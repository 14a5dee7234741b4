"""`swarm questions` and `swarm answer`, on a store that holds runs which wait."""

import asyncio
import getpass
import json
import os
import pty
import pwd
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from io import BytesIO, TextIOWrapper

import pytest
from attrs import frozen

from swarm_core.cli import outcome
from swarm_core.cli.group import cli
from swarm_core.engine.clock import SystemClock
from swarm_core.engine.owners import this_owner
from swarm_core.engine.rows import encode_entries
from swarm_core.history import open_history
from swarm_core.model.run import JournalRow, Question, RunWrite, StoredRun
from swarm_core.model.task import FINAL_RUN_STATUSES, RunStatus
from swarm_core.settings import Settings

BLUEPRINT = '{"flow":{"children":[],"kind":"seq"},"id":"kept","schema_version":"0.1.0"}'
HASH = sha256(BLUEPRINT.encode()).hexdigest()
DECISION = {
    "type": "object",
    "properties": {
        "approved": {"type": "boolean"},
        "size": {"enum": ["small", "large"], "title": "how big"},
        "count": {"type": "integer"},
        "note": {"type": "string", "maxLength": 5},
    },
    "required": ["approved", "size"],
}
DAY = 86_400.0


class Store:
    """The project's store, written without an engine."""

    def __init__(self, folder):
        self.url = f"sqlite:///{folder}/.swarm/swarm.db"

    def do(self, work):
        async def done():
            async with open_history(Settings(), self.url) as history:
                return await work(history)

        return asyncio.run(done())

    def waits(self, *questions, run_id="RUN-a1", status=RunStatus.WAITING, owner=None):
        """Keep a run that waits for the answers to some questions, held by nobody or by this process."""
        now = time.time()
        over = status in FINAL_RUN_STATUSES
        run = StoredRun(
            id=run_id, blueprint_id="kept", blueprint_hash=HASH, launch={}, status=status, created_at=now,
            updated_at=now, ended_at=now if over else None, owner=owner,
        )  # fmt: skip
        body = encode_entries([("run_started", now, None, None, {"blueprint": "kept"})])
        row = JournalRow(run_id=run_id, first_seq=1, last_seq=1, body=body)
        write = RunWrite(
            run_id=run_id, epoch=1, create=run, blueprints={HASH: BLUEPRINT}, rows=(row,), opened=questions
        )

        async def work(history):
            if owner is not None:
                await history.store.enlist(this_owner(owner, SystemClock()))
            assert {} == await history.store.commit([write])

        self.do(work)

    def settle(self, key, **how):
        """Close or expire a question of the run, as its engine does."""
        write = RunWrite(run_id="RUN-a1", epoch=1, **dict.fromkeys(how, (key,)))
        self.do(lambda history: history.store.commit([write]))

    def question(self, key):
        return self.do(lambda history: history.store.question(key))


def asked(key="R-1", run_id="RUN-a1", question="well?", **facts):
    return Question(
        key=key, run_id=run_id, task_id=f"T-{key}", address="/0", agent="editor", question=question,
        asked_at=time.time(), **facts,
    )  # fmt: skip


@pytest.fixture
def store(cwd):
    return Store(cwd)


@frozen
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def here(cwd, monkeypatch, capsys):
    """Run `swarm ARGS` in this process, for tests of which there are many."""
    monkeypatch.chdir(cwd)
    for name in [name for name in os.environ if name.startswith("SWARM_")]:
        monkeypatch.delenv(name)

    def run(*args, stdin=""):
        reader = TextIOWrapper(BytesIO(stdin.encode())) if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "stdin", reader)
        code = outcome.run(cli, list(args))
        told = capsys.readouterr()
        return Ended(code, told.out, told.err)

    return run


@pytest.fixture
def terminal():
    """A terminal: the descriptor on which somebody types, and the one that a program reads."""
    keys, seat = pty.openpty()
    yield keys, seat
    os.close(keys)
    os.close(seat)


@pytest.fixture
def typing(here, terminal):
    """Run `swarm ARGS` in this process while somebody types at its terminal."""
    keys, seat = terminal

    def run(*args, typed=()):
        for line in typed:
            os.write(keys, line.encode() + b"\n")
        with open(seat, closefd=False) as reader:
            return here(*args, stdin=reader)

    return run


class TestQuestions:
    def test_open_ones_are_listed_with_all_that_one_needs_to_answer(self, swarm, store):
        store.waits(asked(who=("ada", "bob"), expires_at=time.time() + 2 * DAY + 60), asked("R-2", question={"a": [1]}))

        listed = swarm("questions")

        head, first, second = listed.out.splitlines()
        assert ["key", "run", "agent", "question", "for", "expires", "in"] == head.split()
        assert ["R-1", "RUN-a1", "editor", "well?", "ada,", "bob", "2", "d"] == first.split()
        assert ["R-2", "RUN-a1", "editor", '{"a":', "[1]}", "anyone", "never"] == second.split()
        assert "swarm answer R-1 ANSWER" in listed.err

    def test_a_question_stays_on_one_short_line(self, here, store):
        text = "first line\nsecond \x1b[31m line " + "x" * 200
        store.waits(asked(question={"text": text, "input": "not shown"}))

        lines = here("questions").out.splitlines()

        assert 2 == len(lines)
        assert "first line\\nsecond \\x1b[31m line xxx" in lines[1]
        assert "not shown" not in lines[1]
        assert len(lines[1]) < 130

    def test_as_data_everything_is_there(self, here, store):
        store.waits(asked(schema=DECISION, question={"text": "well?", "input": "x" * 200}))

        (listed,) = here("questions", "--json").json

        assert ("R-1", DECISION, "x" * 200) == (listed["key"], listed["schema"], listed["question"]["input"])

    def test_those_of_one_run_are_found_by_the_beginning_of_its_id(self, here, store):
        store.waits(asked("R-1"))
        store.waits(asked("R-2", run_id="RUN-b2"), run_id="RUN-b2")

        listed = here("questions", "b2", "--json").json

        assert ["R-2"] == [one["key"] for one in listed]

    def test_what_is_no_longer_open_is_not_listed(self, here, store):
        store.waits(asked("R-1"), asked("R-2"), asked("R-3"))
        store.settle("R-1", closed=True)
        store.settle("R-2", expired=True)

        assert ["R-3"] == [one["key"] for one in here("questions", "--json").json]

    def test_one_whose_time_is_over_says_so(self, here, store):
        store.waits(asked(expires_at=time.time() - 1))

        assert "over" == here("questions").out.split()[-1]

    def test_without_any_it_says_so(self, here, store):
        nothing = here("questions")
        store.waits()
        none = here("questions", "RUN-a1")

        assert (0, 0) == (nothing.code, none.code)
        assert "nobody waits for an answer; no runs are kept here yet" in nothing.out
        assert "this run waits for no answer" in none.out
        assert [] == here("questions", "--json").json

    def test_an_unknown_run_is_not_found(self, here, store):
        store.waits(asked())

        ended = here("questions", "RUN-b")

        assert (4, True) == (ended.code, "run not found: RUN-b" in ended.err)


class TestAnswering:
    def test_the_answer_is_in_the_store_with_who_and_when(self, swarm, store):
        store.waits(asked(schema={"type": "object"}))
        before = time.time()

        ended = swarm("answer", "R-1", '{"ok": true}', "--by", "ada")

        kept = store.question("R-1")
        assert (0, "answered R-1 as ada\n") == (ended.code, ended.out)
        assert ("answered", {"ok": True}, "ada") == (kept.state, kept.answer, kept.answered_by)
        assert before <= kept.answered_at <= time.time()

    @pytest.mark.parametrize("target", ["RUN-a1", "a1", "RUN-a", "R-1"])
    def test_a_run_that_waits_for_one_answer_stands_for_its_question(self, here, store, target):
        store.waits(asked())

        ended = here("answer", target, "yes")

        assert (0, "yes") == (ended.code, store.question("R-1").answer)

    def test_who_answers_is_who_is_logged_in(self, swarm, store):
        store.waits(asked())

        swarm("answer", "R-1", "yes", env={"USER": "somebody-else", "LOGNAME": "somebody-else"})

        assert pwd.getpwuid(os.getuid()).pw_name == store.question("R-1").answered_by

    def test_a_run_that_waits_for_several_lists_them(self, here, store):
        store.waits(asked("R-1"), asked("R-2", question={"text": "and this?"}))

        ended = here("answer", "RUN-a1", "yes")

        assert 2 == ended.code
        assert "RUN-a1 waits for 2 answers; name one by its key" in ended.err
        assert "R-1  editor  well?" in ended.err
        assert "R-2  editor  and this?" in ended.err

    def test_a_run_that_nobody_holds_says_how_it_goes_on(self, here, store):
        store.waits(asked("R-1"), asked("R-2"))

        told = here("answer", "R-1", "yes", "--store", store.url)
        data = here("answer", "R-2", "yes", "--json").json

        assert f"nobody carries RUN-a1 out; go on with: swarm resume RUN-a1 --store {store.url}" in told.err
        assert ("swarm resume RUN-a1", "answered", "yes") == (data["next"], data["state"], data["answer"])

    def test_a_run_whose_engine_lives_needs_nothing_more(self, here, store):
        store.waits(asked("R-1"), asked("R-2"), status=RunStatus.RUNNING, owner="E-here")

        told, data = here("answer", "R-1", "yes"), here("answer", "R-2", "yes", "--json").json

        assert ("", "") == (told.err, data["next"])


class TestValue:
    @pytest.mark.parametrize(
        ("schema", "arguments", "answer"),
        [
            (None, ["yes"], "yes"),
            (None, ["[1, 2]"], [1, 2]),
            (None, ["null"], None),
            (None, [""], ""),
            (None, ["--text", "[1, 2]"], "[1, 2]"),
            (None, ["--json-value", '"yes"'], "yes"),
            ({"type": "string"}, ["007"], "007"),
            ({"type": "string"}, ["123"], "123"),
            ({"type": ["string", "integer"]}, ["123"], 123),
            ({"type": "string"}, ["true"], "true"),
            ({"type": "integer"}, ["--", "-5"], -5),
        ],
    )
    def test_it_is_json_where_that_fits_and_else_text(self, here, store, schema, arguments, answer):
        store.waits(asked(schema=schema))

        ended = here("answer", "R-1", *arguments)

        assert (0, answer) == (ended.code, store.question("R-1").answer), ended.err

    def test_it_may_come_from_a_file(self, here, store, write):
        store.waits(asked("R-1"), asked("R-2"))
        write("answer.json", {"approved": True})
        write("answer.txt", "first line\nsecond line\n")

        here("answer", "R-1", "@answer.json")
        here("answer", "R-2", "@answer.txt")

        assert {"approved": True} == store.question("R-1").answer
        assert "first line\nsecond line" == store.question("R-2").answer

    def test_it_may_come_from_stdin(self, here, store):
        store.waits(asked())

        here("answer", "R-1", "-", stdin='{"approved": false}\n')

        assert {"approved": False} == store.question("R-1").answer

    @pytest.mark.parametrize(
        ("arguments", "code", "told"),
        [
            (["@missing.json"], 2, "missing.json: No such file or directory"),
            (["--json-value", "yes"], 3, "VALUE:1:1"),
            (['{"a": 1, "a": 2}'], 3, "stands here for the second time"),
            (["yes", "--by", " "], 2, "a name has 1 to 200 printable characters"),
            (["yes", "--by", "a\x1b[2J"], 2, "a name has 1 to 200 printable characters"),
            ([], 2, "VALUE is missing; without one the question is asked at a terminal"),
            (["yes", "--store", "paper://"], 3, "no run store for paper://"),
        ],
    )
    def test_what_cannot_be_read_is_refused_and_the_question_stays_open(self, here, store, arguments, code, told):
        store.waits(asked())

        ended = here("answer", "R-1", *arguments)

        assert (code, True) == (ended.code, told in ended.err), ended.err
        assert "open" == store.question("R-1").state


class TestRefusals:
    def test_what_does_not_fit_says_where(self, here, store):
        store.waits(asked(schema=DECISION))

        ended = here("answer", "R-1", '{"approved": "yes", "size": "small", "note": "too long"}')

        assert 3 == ended.code
        assert (
            'error: the answer to R-1 is refused: $.approved is not of type "boolean"; $.note is longer than 5 '
            "characters; the question stays open\n"
        ) == ended.err
        assert "open" == store.question("R-1").state

    @pytest.mark.parametrize("value", [["yes"], []], ids=["at once", "asked"])
    def test_a_question_for_others_is_denied(self, typing, store, value):
        """Also before anything is asked at a terminal."""
        store.waits(asked(who=("ada", "bob")))

        ended = typing("answer", "R-1", *value, "--by", "eve")

        assert (5, "open") == (ended.code, store.question("R-1").state)
        assert "error: 'eve' may not answer R-1; it is for: ada, bob" in ended.err

    def test_p18_the_second_answer_hears_of_the_first(self, here, store):
        store.waits(asked())
        here("answer", "R-1", '{"approved": true}', "--by", "ada")

        by_key, by_run = here("answer", "R-1", "no", "--by", "bob"), here("answer", "RUN-a1", "no", "--by", "bob")

        kept = store.question("R-1")
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(kept.answered_at))
        told = f'error: R-1 was answered by ada at {when}: {{"approved": true}}; the first answer counts\n'
        assert (3, told, told) == (by_key.code, by_key.err, by_run.err)
        assert ({"approved": True}, "ada") == (kept.answer, kept.answered_by)

    def test_p18_of_many_at_once_one_answers(self, swarm, store):
        store.waits(asked())

        with ThreadPoolExecutor(6) as people:
            ends = list(people.map(lambda n: swarm("answer", "R-1", f"answer {n}", "--by", f"p{n}"), range(6)))

        (winner,) = [n for n, ended in enumerate(ends) if ended.code == 0]
        kept = store.question("R-1")
        assert (f"answer {winner}", f"p{winner}") == (kept.answer, kept.answered_by)
        assert {0: 1, 3: 5} == {code: [ended.code for ended in ends].count(code) for code in (0, 3)}
        assert all(f"was answered by p{winner}" in ended.err for n, ended in enumerate(ends) if n != winner)

    def test_one_whose_time_is_over_is_refused_even_when_no_engine_noticed(self, here, store):
        store.waits(
            asked("R-1", expires_at=time.time() - 1, has_default=True, default="no"),
            asked("R-2", expires_at=time.time() - 1),
            asked("R-3", expires_at=time.time() - 1, has_default=True, default="no"),
        )
        store.settle("R-3", expired=True)

        ends = [here("answer", key, "yes") for key in ("R-1", "R-2", "R-3")]

        assert [3, 3, 3] == [ended.code for ended in ends]
        assert ["it has its default: no", "its step fails", "it has its default: no"] == [
            ended.err.strip().partition("; ")[2] for ended in ends
        ]
        assert "open" == store.question("R-1").state

    def test_one_whose_task_has_ended_is_refused(self, here, store):
        store.waits(asked())
        store.settle("R-1", closed=True)

        ended = here("answer", "R-1", "yes")

        assert (3, True) == (ended.code, "nobody waits for an answer to R-1 any more" in ended.err)

    def test_one_whose_run_has_ended_is_refused(self, here, store):
        store.waits(asked(), status=RunStatus.CANCELLED)

        ended = here("answer", "R-1", "yes")

        assert (3, True) == (ended.code, "run RUN-a1 has ended (cancelled)" in ended.err)

    def test_a_run_that_never_asked_is_told(self, here, store):
        store.waits(status=RunStatus.DONE)

        ended = here("answer", "RUN-a1", "yes")

        assert (3, "error: run RUN-a1 waits for no answer (done)\n") == (ended.code, ended.err)

    @pytest.mark.parametrize(
        ("target", "told"), [("R-9", "resume key not found: R-9"), ("RUN-x", "run not found: RUN-x")]
    )
    def test_what_is_not_there_is_not_found(self, here, store, target, told):
        nowhere = here("answer", target, "yes")
        store.waits(asked())
        here = here("answer", target, "yes")

        assert [(4, True)] * 2 == [(ended.code, told in ended.err) for ended in (nowhere, here)]
        assert "no runs are kept here yet" in nowhere.err


class TestAtATerminal:
    def test_the_question_is_shown_with_what_belongs_to_it(self, typing, store):
        store.waits(
            asked(
                question={"text": "May this go out?", "input": {"draft": "hello\x1b[2J"}},
                who=(getpass.getuser(), "bob"),
                expires_at=time.time() + DAY + 60,
                has_default=True,
                default="no",
            )
        )

        ended = typing("answer", "RUN-a1", typed=["yes"])

        assert 0 == ended.code
        assert "RUN-a1, agent editor, asks:\n\n  May this go out?\n" in ended.err
        assert '"draft": "hello\\u001b[2J"' in ended.err
        assert f"For {getpass.getuser()}, bob.\n" in ended.err
        assert "Without an answer within 1 d it is no.\n" in ended.err
        assert "answered R-1" in ended.out
        assert "yes" == store.question("R-1").answer

    def test_members_are_asked_for_one_by_one(self, typing, store):
        store.waits(asked(schema=DECISION))

        ended = typing("answer", "R-1", typed=["maybe", "y", "3", "2", "", "fine"])

        assert (0, {"approved": True, "size": "large", "note": "fine"}) == (ended.code, store.question("R-1").answer)
        assert "approved (y/n):" in ended.err
        assert "give y or n" in ended.err
        assert "  1) small\n  2) large\nsize, how big:" in ended.err
        assert "give one of the choices, or its number from 1 to 2" in ended.err
        assert "count (JSON), may be left empty:" in ended.err

    def test_what_does_not_fit_is_asked_again(self, typing, store):
        store.waits(asked(schema=DECISION))
        wrong, right = ["y", "small", "", "too long"], ["n", "large", "5", "ok"]

        ended = typing("answer", "R-1", typed=[*wrong, *right])

        assert "this does not fit: $.note is longer than 5 characters" in ended.err
        assert {"approved": False, "size": "large", "count": 5, "note": "ok"} == store.question("R-1").answer

    @pytest.mark.parametrize(
        ("schema", "typed", "answer"),
        [
            ({"type": "boolean"}, ["yes"], True),
            ({"enum": [1, "two", None]}, ["two"], "two"),
            ({"enum": [30, 20, 10]}, ["10"], 10),
            ({"enum": ["a", "b"]}, ["2"], "b"),
            ({"type": "string"}, ["[1]"], "[1]"),
            ({"type": "string"}, [""], ""),
            ({"type": "array"}, ["one", "[1]"], [1]),
            (None, ["[1]"], [1]),
            (None, ["one"], "one"),
            ({"$ref": "#/$defs/x", "$defs": {"x": {"type": "integer"}}}, ["one", "1"], 1),
            (True, ["1"], 1),
        ],
    )
    def test_what_is_typed_is_read_as_the_schema_wants_it(self, typing, store, schema, typed, answer):
        store.waits(asked(schema=schema))

        ended = typing("answer", "R-1", typed=typed)

        assert (0, answer) == (ended.code, store.question("R-1").answer), ended.err

    def test_the_end_of_the_input_changes_nothing(self, typing, store):
        store.waits(asked())

        ended = typing("answer", "R-1", typed=["\x04"])

        assert (130, "open") == (ended.code, store.question("R-1").state)

    def test_one_that_is_answered_elsewhere_meanwhile_says_so(self, terminal, swarm, store, cwd):
        """While the person thinks the store is not held open, and the first answer counts."""
        store.waits(asked())
        keys, seat = terminal
        slow = subprocess.Popen(
            [sys.executable, "-m", "swarm_core", "answer", "R-1"],
            cwd=cwd, stdin=seat, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        shown = "".join(iter(lambda: slow.stderr.read(1), ":"))

        first = swarm("answer", "R-1", "quick", "--by", "ada")
        os.write(keys, b"slow\n")
        _, told = slow.communicate(timeout=60)

        assert ("asks" in shown, 0, 3) == (True, first.code, slow.returncode)
        assert "R-1 was answered by ada" in told
        assert "quick" == store.question("R-1").answer


def test_the_json_of_an_answer_has_what_questions_has(here, store):
    store.waits(asked(schema=DECISION))
    (listed,) = here("questions", "--json").json

    answered = here("answer", "R-1", json.dumps({"approved": True, "size": "small"}), "--json").json

    assert listed.keys() | {"next"} == answered.keys()

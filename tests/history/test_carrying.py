"""Runs written down and taken in elsewhere: the same run there, and nothing of a file in which anything is wrong."""

import json
from base64 import b64encode
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarm_core.errors import DocumentError, EngineError, OutputNotFound, RunNotFound
from swarm_core.history import open_history
from swarm_core.model.output import Artifact, FileRef, Final, Inline, Progress
from swarm_core.model.run import QuestionState, RunWrite
from swarm_core.model.task import RunStatus
from swarm_core.settings import Settings


@pytest.fixture
async def elsewhere(tmp_path):
    """Another store."""
    async with open_history(Settings(), f"sqlite:///{tmp_path}/elsewhere.db") as opened:
        yield opened


async def lines_of(history, run_id="RUN-a"):
    return [line.encode() async for line in history.export(run_id)]


def changed(lines, number, /, **facts):
    """Return the lines with facts of one of them replaced, in the first one those of the run."""
    value = json.loads(lines[number])
    for name, fact in facts.items():
        (value if number or name in ("format", "blueprint") else value["run"])[name] = fact
    return [*lines[:number], json.dumps(value).encode(), *lines[number + 1 :]]


def counted(lines):
    """Return the lines with an end that tells their number."""
    return [*lines[:-1], json.dumps({"kind": "end", "lines": len(lines)}).encode()]


def place_of(lines, kind):
    return next(at for at, line in enumerate(lines) if json.loads(line)["kind"] == kind)


class TestRoundTrip:
    @pytest.fixture
    async def run(self, history, keep, told):
        """A run that has everything: large values inside large values, an answered question, outputs."""
        many = [{"log": str(n) * 2000} for n in range(30)]
        result = {"verdict": "ok", "log": "x" * 4000, "parts": ["y" * 2000, {"deep": "z" * 3000}], "many": many}
        happened = [
            *told.passed("T-1", result),
            *told.asked("T-2", "R-1"),
            ("senior_answered", "T-2", 1, {"key": "R-1", "answer": "left", "by": "ada"}),
            ("task_resumed", "T-2", 1, {"key": "R-1"}),
            ("task_attempt_failed", "T-2", 1, {"error": "no file \udcff", "cause": "failed"}),
            ("task_blocked", "T-2", 1, {"result": None, "error": "no file \udcff"}),
            ("reviewed", "T-2", None, {"of": ["a", "plugin"]}),
            *told.ended(),
        ]
        answered = {"state": QuestionState.ANSWERED, "answer": "left", "answered_by": "ada", "answered_at": 3.0}
        run = await keep.run(
            "RUN-a", *happened, status=RunStatus.DONE, result={"out": result}, rows=5, threshold=1000, key="monday",
            questions=[told.question("R-1", task="T-2", **answered)], counts={"tasks": 2, "pass": 1}, epoch=3,
        )  # fmt: skip
        for event in (Progress("half", "way"), Artifact("plan", FileRef("plan.md")), Final(Inline(result), ok=True)):
            await history.outputs.append(run_id="RUN-a", task_id="T-1", attempt=1, producer_agent="writer", event=event)
        return run

    async def test_the_run_is_the_same_elsewhere(self, history, elsewhere, run):
        arrived = await elsewhere.import_(await lines_of(history))

        assert run == arrived
        assert await history.events("RUN-a") == await elsewhere.events("RUN-a")
        assert await history.result("RUN-a") == await elsewhere.result("RUN-a")
        assert await history.store.questions("RUN-a") == await elsewhere.store.questions("RUN-a")
        assert await history.store.blueprint(run.blueprint_hash) == await elsewhere.store.blueprint(run.blueprint_hash)
        said = [
            [(one.attempt, one.producer_agent, one.event) for one in await each.outputs.list_for_attempt("T-1", 1)]
            for each in (history, elsewhere)
        ]
        assert said[0] == said[1]
        assert 3 == len(said[0])

    async def test_exported_again_it_is_the_same_file(self, history, elsewhere, run):
        first = await lines_of(history)
        await elsewhere.import_(first)

        second = await lines_of(elsewhere)

        assert first[1:] == second[1:]
        assert json.loads(first[0])["run"] == json.loads(second[0])["run"]

    async def test_it_is_taken_in_once(self, history, run):
        lines = await lines_of(history)

        with pytest.raises(DocumentError, match="run RUN-a is here already"):
            await history.import_(lines)
        assert run == await history.store.get("RUN-a")

    async def test_a_removed_run_can_be_taken_in_again(self, history, run):
        lines, before = await lines_of(history), await history.steps("RUN-a")
        await history.remove("RUN-a")

        await history.import_(lines)

        assert before == await history.steps("RUN-a")

    async def test_a_key_that_another_run_has_here_stays_with_that_one(self, history, elsewhere, run, keep):
        await type(keep)(elsewhere).run("RUN-b", key="monday")

        arrived = await elsewhere.import_(await lines_of(history))

        assert (None, "RUN-b") == (arrived.key, (await elsewhere.store.find("monday")).id)


class TestUnderWay:
    async def test_a_run_that_was_under_way_is_interrupted_elsewhere_and_nobody_holds_it(
        self, history, elsewhere, keep, told
    ):
        owner = await keep.owner()
        await keep.run("RUN-a", *told.begun(), status=RunStatus.RUNNING, owner=owner.id)
        await history.store.ask_cancel("RUN-a", "ada", 1.0)

        arrived = await elsewhere.import_(await lines_of(history))

        assert ("interrupted", None, None) == (arrived.status, arrived.owner, arrived.cancel)
        assert "running" == (await history.store.get("RUN-a")).status

    async def test_a_run_that_waits_can_be_answered_elsewhere(self, history, elsewhere, keep, told):
        await keep.run("RUN-a", *told.asked(), status=RunStatus.WAITING, questions=[told.question()])

        arrived = await elsewhere.import_(await lines_of(history))
        await elsewhere.store.answer("R-senior-T-1", "left", by="ada", at=2.0)

        assert "waiting" == arrived.status
        assert ["RUN-a"] == [run.id for run in await elsewhere.resumable()]
        assert [] == await history.resumable()

    async def test_an_answer_that_was_taken_is_not_told_again_elsewhere(self, history, elsewhere, keep, told):
        happened = [*told.asked("T-1", "R-1"), ("senior_answered", "T-1", 1, {"key": "R-1", "answer": 1, "by": "ada"}),
                    ("task_resumed", "T-1", 1, {"key": "R-1"}), *told.asked("T-1", "R-2")[2:]]  # fmt: skip
        answered = {"state": QuestionState.ANSWERED, "answered_by": "ada", "answered_at": 2.0}
        questions = [told.question("R-1", answer=1, **answered), told.question("R-2", answer=2, **answered)]
        await keep.run("RUN-a", *happened, status=RunStatus.WAITING, questions=questions)

        arrived = await elsewhere.import_(await lines_of(history))
        owner = await type(keep)(elsewhere).owner()
        await elsewhere.store.claim("RUN-a", owner.id, arrived.epoch)

        assert ["R-2"] == [one.key for one in (await elsewhere.store.asked(owner.id, 5.0)).answered]

    async def test_a_question_whose_time_is_over_is_carried_as_it_is(self, history, elsewhere, keep, told):
        happened = [*told.asked("T-1", "R-1"), ("question_expired", "T-1", 1, {"key": "R-1", "answer": 7})]
        asked = told.question("R-1", expires_at=2.0, has_default=True, default=7)
        run = await keep.run("RUN-a", *happened, questions=[asked])
        await history.store.commit([RunWrite(run_id="RUN-a", epoch=run.epoch, expired=("R-1",))])

        await elsewhere.import_(await lines_of(history))

        (question,) = await elsewhere.store.questions("RUN-a")
        assert [question] == list(await history.store.questions("RUN-a"))
        assert QuestionState.EXPIRED == question.state

    async def test_a_line_that_nobody_would_read_is_not_written(self, history, keep, told, monkeypatch):
        monkeypatch.setattr("swarm_core.history.outgoing.LONGEST_LINE", 2000)
        await keep.run("RUN-a", *told.passed(result="x" * 3000))

        with pytest.raises(EngineError, match=r"run RUN-a cannot be exported: events line 2 has [0-9,]+ bytes"):
            await lines_of(history)

    async def test_nobody_is_made_its_owner_whatever_the_file_says(self, history, elsewhere, keep, told):
        owner = await type(keep)(elsewhere).owner()
        await keep.run("RUN-a", *told.begun())
        lines = changed(await lines_of(history), 0, owner=owner.id, cancel={"by": "eve", "at": 1.0})

        await elsewhere.import_(lines)

        stored = await elsewhere.store.get("RUN-a")
        assert (None, None) == (stored.owner, stored.cancel)

    async def test_what_happens_while_it_is_written_down_belongs_to_the_next_export(
        self, history, elsewhere, keep, told
    ):
        owner = await keep.owner()
        run = await keep.run("RUN-a", *told.begun(), status=RunStatus.RUNNING, owner=owner.id)
        lines = []
        async for line in history.export("RUN-a"):
            if not lines:
                await keep.append(run, 4, told.ended(), status=RunStatus.DONE, ended_at=5.0)
            lines.append(line.encode())

        arrived = await elsewhere.import_(lines)

        assert ("interrupted", 3) == (arrived.status, arrived.last_seq)


LARGE = json.dumps("x" * 5000).encode()


class TestRefusals:
    """Whatever is wrong is told with its line, and nothing of the file is kept."""

    @pytest.fixture
    async def lines(self, history, keep, told):
        await keep.run(
            "RUN-a", *told.passed("T-1", "x" * 5000), *told.asked("T-2", "R-1"), status=RunStatus.WAITING,
            questions=[told.question("R-1", task="T-2")], threshold=1000, rows=2,
        )  # fmt: skip
        event = Final(Inline("said"), ok=True)
        await history.outputs.append(run_id="RUN-a", task_id="T-1", attempt=1, producer_agent="writer", event=event)
        return await lines_of(history)

    async def refused(self, elsewhere, lines, said, line=None):
        with pytest.raises(DocumentError) as caught:
            await elsewhere.import_(lines)
        problem = caught.value.problems[0]
        assert said in str(problem), str(problem)
        assert line is None or line == problem.line, str(problem)
        assert [] == await elsewhere.runs()
        assert [] == list(await elsewhere.outputs.list_for_attempt("T-1", 1))
        assert [] == await elsewhere.store.problems()
        with pytest.raises(RunNotFound):
            await elsewhere.store.get("RUN-a")
        with pytest.raises(OutputNotFound):
            await elsewhere.outputs.load(sha256(LARGE).hexdigest())

    async def test_the_lines_are_as_told(self, lines):
        assert ["run", "value", "events", "events", "question", "output", "end"] == [
            json.loads(line)["kind"] for line in lines
        ]

    @pytest.mark.parametrize(
        ("facts", "said"),
        [
            ({"format": 2}, "format 2 is not known; 1 is; a newer swarm reads it"),
            ({"format": "1"}, "expected an integer"),
            ({"id": "../../etc"}, "RUN-..."),
            ({"id": "RUN-a\nb"}, "RUN-..."),
            ({"status": "odd"}, "unknown RunStatus 'odd'"),
            ({"status": "done"}, "ended_at says otherwise"),
            ({"epoch": 0}, "count from 1"),
            ({"created_at": "yesterday"}, "expected a number"),
            ({"bogus": 1}, "no field 'bogus'"),
            ({"blueprint": "{}"}, "not the one that its hash says"),
            ({"blueprint_hash": "0" * 64}, "not the one that its hash says"),
            ({"blueprint_id": "other"}, "the Blueprint is 'kept'"),
            ({"launch": {}}, "lacks the field 'ctx'"),
            ({"launch": {"ctx": "{"}}, "not JSON"),
            ({"launch": {"ctx": "{}", "bind": {"a": 1}}}, "$.run.launch.bind"),
            ({"launch": {"ctx": "{}", "budget": {"dispatches": -1}}}, "$.run.launch.budget"),
            ({"launch": {"ctx": "{}", "directory": 7}}, "$.run.launch.directory"),
            ({"last_seq": 99}, "the run has 99 events and 9 came"),
            ({"parent": "x"}, "RUN-..."),
        ],
    )  # fmt: skip
    async def test_a_wrong_record_is_refused(self, elsewhere, lines, facts, said):
        await self.refused(elsewhere, changed(lines, 0, **facts), said)

    @pytest.mark.parametrize(
        ("events", "said"),
        [
            ([[]], "do not decode"),
            ([["task_created", 1.0, "T-9", None, []]], "do not decode"),
            ([["task_created", "noon", "T-9", None, {}]], "do not decode"),
            ([["task_created", 1.0, "T-9", None, {"agent": 1, "address": "/"}]], "'agent' is missing or wrong"),
            ([["task_created", 1.0, "X-9", None, {"agent": "a", "address": "/"}]], "T-..."),
            ([["task_pass", 1.0, "T-9", 1, {"result": 1}]], "task T-9, which was not begun"),
            ([["run_started", 1.0, None, None, {"blueprint": "kept"}]], "the first one is 'run_started', and no other"),
            ([["run_ended", 1.0, None, None, {"status": "done"}]], "after the end of the run"),
            ([["gap", 1.0, None, None, {}]], "belongs to no run"),
            ([["Odd Kind", 1.0, None, None, {}]], "snake_case"),
            ([["run_migrated", 1.0, None, None, {"dropped": [1]}]], "'dropped' is missing or wrong"),
            ([["noted", 1.0, None, None, {"x": {"$output": "0" * 64, "bytes": 1}}]], "is missing"),
            ([["noted", 1.0, None, None, {"x": {"$output": 7}}]], "reference holds"),
        ],
    )
    async def test_wrong_events_are_refused(self, elsewhere, lines, events, said):
        at = len(lines) - 4
        first = json.loads(lines[at])["first"]
        later = json.loads(json.loads(lines[at])["body"])
        last = first + len(events) + len(later) - 1
        put = changed(lines, at, last=last, body=json.dumps([*events, *later]))

        await self.refused(elsewhere, changed(put, 0, last_seq=last), said, at + 1 if "missing" not in said else None)

    @pytest.mark.parametrize(
        ("facts", "said"),
        [
            ({"body": "["}, "not JSON"),
            ({"body": "[]"}, "do not decode"),
            ({"body": "[NaN]"}, "NaN"),
            ({"body": '[["noted", 1e400, null, null, {}]]'}, "1e400"),
            ({"body": "[" * 100_000}, "300 levels"),
            ({"last": 99}, "do not decode"),
            ({"first": 1}, "is next"),
        ],
    )
    async def test_wrong_texts_of_events_are_refused(self, elsewhere, lines, facts, said):
        at = len(lines) - 4

        await self.refused(elsewhere, changed(lines, at, **facts), said, at + 1)

    async def test_events_that_are_missing_doubled_or_out_of_order_are_refused(self, elsewhere, lines):
        first, second = (at for at, line in enumerate(lines) if json.loads(line)["kind"] == "events")
        gone = counted([*lines[:first], *lines[first + 1 :]])

        await self.refused(elsewhere, gone, "1 is next", second)
        await self.refused(elsewhere, counted([*lines[:second], lines[first], *lines[second:]]), "is next", second + 1)

    @pytest.mark.parametrize(
        ("kind", "facts", "said"),
        [
            ("value", {"digest": "0" * 64}, "not those of the digest"),
            ("value", {"digest": "../x"}, "64 hex digits"),
            ("value", {"base64": "###"}, "no base64"),
            ("question", {"question": {}}, "lacks the field"),
            ("output", {"task_id": "T-9"}, "which was not begun"),
            ("output", {"attempt": 0}, "which was not begun"),
            ("output", {"event": {"type": "odd"}}, "unknown type 'odd'"),
            ("end", {"lines": 3}, "the end says that there are 3 lines"),
        ],
    )
    async def test_other_wrong_lines_are_refused(self, elsewhere, lines, kind, facts, said):
        at = place_of(lines, kind)

        await self.refused(elsewhere, changed(lines, at, **facts), said, at + 1)

    @pytest.mark.parametrize(
        ("facts", "said"),
        [
            ({"run_id": "RUN-b"}, "not one that the run has asked"),
            ({"key": "R-other"}, "not one that the run has asked"),
            ({"key": "R-\x1b[2J"}, "an id of the form R-..."),
            ({"task_id": "T-9"}, "not one that the run has asked"),
            ({"state": "answered"}, "answered_at says otherwise"),
        ],
    )
    async def test_a_question_that_the_run_has_not_asked_is_refused(self, elsewhere, lines, facts, said):
        at = place_of(lines, "question")
        question = {**json.loads(lines[at])["question"], **facts}

        await self.refused(elsewhere, changed(lines, at, question=question), said, at + 1)

    async def test_a_question_of_another_run_cannot_be_taken_over(self, elsewhere, lines, keep, told):
        other = type(keep)(elsewhere)
        await other.run("RUN-b", *told.asked("T-9", "R-1"), questions=[told.question("R-1", "RUN-b", "T-9")])

        with pytest.raises(DocumentError, match="question 'R-1' belongs to run RUN-b here"):
            await elsewhere.import_(lines)
        assert "RUN-b" == (await elsewhere.store.question("R-1")).run_id

    @pytest.mark.parametrize("cut", [0, 1, 2, 5, 6])
    async def test_a_file_that_was_cut_off_is_refused(self, elsewhere, lines, cut):
        await self.refused(elsewhere, lines[:cut], "the end is missing" if cut else "the first line is that of the run")

    async def test_a_large_value_that_is_missing_or_that_nothing_refers_to_is_refused(self, elsewhere, lines):
        at = place_of(lines, "value")
        without = counted([*lines[:at], *lines[at + 1 :]])
        stray = b'"stray"'
        line = {"kind": "value", "digest": sha256(stray).hexdigest(), "base64": b64encode(stray).decode()}

        await self.refused(elsewhere, without, f"the large value {sha256(LARGE).hexdigest()} is missing")
        await self.refused(
            elsewhere,
            counted([*lines[:at], json.dumps(line).encode(), *lines[at:]]),
            "nothing refers to the large value",
        )

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            (b"", "empty"),
            (b"{", "not JSON"),
            (b"[]", "an object"),
            (b'{"kind": "odd"}', "unknown kind 'odd'"),
            (b'{"kind": "end", "kind": "end", "lines": 2}', "for the second time"),
            (b'{"kind": "end", "lines": NaN}', "NaN"),
            (b'{"kind": "end", "lines": 1e400}', "1e400"),
            (b"[" * 100_000, "300 levels"),
            (b'{"kind": "result", "body": "\xff"}', "UTF-8"),
            (b'{"kind": "result", "body": "\\ud800"}', "surrogate"),
        ],
    )
    async def test_what_is_no_line_is_refused(self, elsewhere, lines, line, said):
        await self.refused(elsewhere, [lines[0], line, *lines[1:]], said, 2)

    async def test_lines_after_the_end_and_a_second_run_are_refused(self, elsewhere, lines):
        await self.refused(elsewhere, [*lines, lines[1]], "lines after the end", len(lines) + 1)
        await self.refused(elsewhere, [lines[0], *lines], "a second run", 2)

    async def test_a_line_that_is_too_long_is_refused_before_it_is_read(self, elsewhere, lines):
        await self.refused(elsewhere, [lines[0], b" " * (64 * 1024 * 1024 + 1)], "67,108,864 bytes", 2)

    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(data=st.data())
    async def test_whatever_is_changed_the_file_is_refused_or_the_run_can_be_read(self, data, lines, elsewhere):
        """The same store takes all examples, so what one left behind would show in the next."""
        at = data.draw(st.integers(0, len(lines) - 1))
        text = bytearray(lines[at])
        for _ in range(data.draw(st.integers(1, 3))):
            place = data.draw(st.integers(0, len(text) - 1))
            text[place : place + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
        try:
            run = await elsewhere.import_([*lines[:at], bytes(text), *lines[at + 1 :]])
        except DocumentError:
            assert [] == await elsewhere.runs()
            return
        await elsewhere.steps(run.id)
        assert [] == await elsewhere.store.problems()
        await elsewhere.remove(run.id)

"""The SQLite store at work: its contract, how its writes come together, its outputs and large values, its reading."""

import asyncio
import itertools
import random
import sqlite3
import threading
from contextlib import closing
from hashlib import sha256

import pytest

from swarm_core.builtin.sqlite import SQLITE_OUTPUTS, SQLITE_RUNS, open_sqlite_runs
from swarm_core.errors import OutputNotFound, RunNotFound, StoreUnreadable
from swarm_core.model.output import Artifact, Final, Inline, Partial
from swarm_core.model.run import Asked, JournalRow, Question, RunChange, RunFilter, RunWrite, StoredRun
from swarm_core.model.task import RunStatus
from swarm_core.testing import check_durable_run_store, check_output_store, check_run_store, simulate

LARGE = b"x" * 1_500_000
DIGEST = sha256(LARGE).hexdigest()


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/runs.db?durability=relaxed"


@pytest.fixture
async def store(url):
    async with open_sqlite_runs(url) as opened:
        yield opened


def a_run(run_id="RUN-1", **facts):
    known = {"blueprint_id": "b", "blueprint_hash": "0" * 64, "launch": {}, "status": RunStatus.RUNNING}
    return StoredRun(id=run_id, created_at=1.0, updated_at=1.0, **{**known, **facts})


def a_write(number, run_id="RUN-1", **facts):
    row = JournalRow(run_id=run_id, first_seq=number, last_seq=number, body=f"[{number}]")
    created = {"create": a_run(run_id), "blueprints": {"0" * 64: "{}"}} if number == 1 else {}
    return RunWrite(run_id=run_id, epoch=1, rows=(row,), **{**created, **facts})


async def say(store, text, *, run="RUN-1", task="T-1", by="a", event=None):
    facts = {"run_id": run, "task_id": task, "attempt": 1, "producer_agent": by}
    return await store.outputs.append(event=event or Partial(text), **facts)


def said(records):
    return [record.event.chunk for record in records]


class TestContract:
    @pytest.mark.parametrize("level", ["relaxed", "full"])
    async def test_it_keeps_the_contract(self, tmp_path, level):
        numbers = itertools.count()

        await check_run_store(lambda: SQLITE_RUNS.open(f"sqlite:///{tmp_path}/{next(numbers)}.db?durability={level}"))

    async def test_its_outputs_keep_theirs(self, tmp_path):
        numbers = itertools.count()

        await check_output_store(lambda: SQLITE_OUTPUTS.open(f"sqlite:///{tmp_path}/{next(numbers)}.db"))

    async def test_what_it_has_acknowledged_is_there_when_it_is_opened_again(self, url):
        await check_durable_run_store(lambda: SQLITE_RUNS.open(url))

    def test_it_works_in_a_simulation(self, url):
        """No thread is needed as long as nobody else holds a lock."""

        async def main():
            async with open_sqlite_runs(url) as store:
                await store.commit([a_write(1)])
                await asyncio.gather(*(store.commit([a_write(1, f"RUN-{lane}")]) for lane in range(2, 9)))
                await store.delete("RUN-8")
                return len(await store.runs(RunFilter()))

        assert 7 == simulate(main, seed=3)


class TestWriting:
    @pytest.fixture
    def statements(self, store):
        """The statements of the connection that writes, with the thread that each was carried out in."""
        heard = []
        store._writer._connection.set_trace_callback(
            lambda statement: heard.append((statement.split()[0], threading.current_thread().name))
        )
        return heard

    async def test_a_quick_commit_needs_no_thread(self, store, statements):
        await store.commit([a_write(1)])

        assert {threading.current_thread().name} == {thread for _, thread in statements}

    async def test_slow_commits_leave_the_event_loop_and_quick_ones_come_back(self, store, statements):
        await store.commit([a_write(1)])
        large = JournalRow(run_id="RUN-1", first_seq=2, last_seq=2, body="x" * 40_000_000)
        await store.commit([RunWrite(run_id="RUN-1", epoch=1, rows=(large,))])
        statements.clear()

        for number in range(3, 200):
            await store.commit([a_write(number)])

        threads = [thread for _, thread in statements]
        assert threads[0].startswith("swarm-store")
        assert threads[-1] == threading.current_thread().name

    async def test_what_is_asked_for_while_the_thread_works_is_written_together(self, store, statements):
        await store.commit([a_write(1)])
        statements.clear()
        first = asyncio.create_task(store._writer.do(lambda cursor: None, apart=True))
        await asyncio.sleep(0)

        await asyncio.gather(first, *(store.commit([a_write(1, f"RUN-{lane}")]) for lane in range(2, 30)))

        assert 2 == [word for word, _ in statements].count("COMMIT")
        assert 29 == len(await store.runs(RunFilter()))

    async def test_one_that_fails_does_not_take_the_others_along(self, store):
        await store.commit([a_write(1)])
        first = asyncio.create_task(store._writer.do(lambda cursor: None, apart=True))
        await asyncio.sleep(0)

        ends = await asyncio.gather(
            store.commit([a_write(1, "RUN-2")]),
            store.claim("RUN-9", "E-1", 1),
            store.commit([a_write(1, "RUN-3", change=RunChange(updated_at="never", error={1, 2}))]),
            store.commit([a_write(1, "RUN-4")]),
            return_exceptions=True,
        )
        await first

        assert [{}, RunNotFound, TypeError, {}] == [end if end == {} else type(end) for end in ends]
        assert ["RUN-4", "RUN-2", "RUN-1"] == [run.id for run in await store.runs(RunFilter())]

    async def test_what_raises_in_the_middle_leaves_nothing(self, store):
        await store.commit([a_write(1)])

        with pytest.raises(TypeError):
            await store.commit([a_write(2), a_write(3, change=RunChange(updated_at=1.0, error={1, 2}))])

        assert 1 == (await store.get("RUN-1")).last_seq
        assert {} == await store.commit([a_write(2)])

    async def test_a_caller_that_goes_away_takes_nothing_back(self, store):
        await store.commit([a_write(1)])
        first = asyncio.create_task(store._writer.do(lambda cursor: None, apart=True))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(store.commit([a_write(2)]))
        await asyncio.sleep(0)

        waiting.cancel()
        await first

        assert {"RUN-1": "fenced"} == await store.commit([a_write(2)])

    async def test_an_answer_that_is_no_json_is_refused_and_nothing_is_changed(self, store):
        question = Question(key="R-1", run_id="RUN-1", task_id="T", address="0", agent="a", question="?", asked_at=1.0)
        await store.commit([a_write(1, opened=(question,))])

        with pytest.raises(TypeError):
            await store.answer("R-1", object(), by="me", at=1.0)

        assert question == await store.question("R-1")

    async def test_text_that_is_no_unicode_is_kept_as_json_can_say_it(self, store):
        row = JournalRow(run_id="RUN-1", first_seq=2, last_seq=2, body='["\udcff"]')

        await store.commit([a_write(1), RunWrite(run_id="RUN-1", epoch=1, rows=(row,))])

        assert '["\\udcff"]' == (await store.rows("RUN-1", after=1))[0].body

    async def test_a_row_takes_little_more_room_than_what_it_holds(self, tmp_path, url):
        """At most 100 bytes more than the 400 of its body, with the indexes and the half-filled pages."""
        async with open_sqlite_runs(url) as store:
            await store.commit([a_write(1)])
        empty = (tmp_path / "runs.db").stat().st_size

        async with open_sqlite_runs(url) as store:
            for number in range(2, 2002):
                row = JournalRow(run_id="RUN-1", first_seq=number, last_seq=number, body="x" * 400)
                await store.commit([RunWrite(run_id="RUN-1", epoch=1, rows=(row,))])

        assert (tmp_path / "runs.db").stat().st_size - empty < 500 * 2000


class TestBlueprints:
    TEXT = '{"id":"long","flow":"' + "ä step, " * 2000 + '"}'

    async def test_a_long_one_takes_little_room_and_comes_back_as_it_was(self, tmp_path, store):
        await store.commit([a_write(1, blueprints={"0" * 64: self.TEXT, "1" * 64: '{"id":"short"}'})])

        assert [self.TEXT, '{"id":"short"}'] == [await store.blueprint("0" * 64), await store.blueprint("1" * 64)]
        with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
            sizes = dict(connection.execute("SELECT hash, length(body) FROM blueprints").fetchall())
        assert sizes["0" * 64] < len(self.TEXT) / 50
        assert sizes["1" * 64] == len('{"id":"short"}')

    async def test_one_that_was_written_before_they_were_compressed_is_read(self, tmp_path, store):
        await store.commit([a_write(1)])
        with closing(sqlite3.connect(tmp_path / "runs.db", isolation_level=None)) as connection:
            connection.execute("UPDATE blueprints SET body = ?", (self.TEXT,))

        assert self.TEXT == await store.blueprint("0" * 64)

    async def test_one_that_was_harmed_is_told(self, tmp_path, store):
        await store.commit([a_write(1, blueprints={"0" * 64: self.TEXT})])
        with closing(sqlite3.connect(tmp_path / "runs.db", isolation_level=None)) as connection:
            connection.execute("UPDATE blueprints SET body = substr(body, 1, 20)")

        with pytest.raises(StoreUnreadable, match=r"the Blueprint 0{64}: a compressed text is damaged"):
            await store.blueprint("0" * 64)


class TestReading:
    async def test_a_long_journal_is_read_off_the_event_loop_and_whole(self, store):
        rows = [JournalRow(run_id="RUN-1", first_seq=n, last_seq=n, body=f"[{n}]") for n in range(1, 3001)]
        await store.commit([RunWrite(run_id="RUN-1", epoch=1, create=a_run(), rows=tuple(rows))])

        assert rows == list(await store.rows("RUN-1"))
        assert rows[2990:] == list(await store.rows("RUN-1", after=2990))
        assert rows[:1500] == list(await store.rows("RUN-1", limit=1500))

    async def test_many_runs_are_listed_whole(self, store):
        names = [f"RUN-{number}" for number in range(2500)]
        await store.commit([RunWrite(run_id=name, epoch=1, create=a_run(name)) for name in names])

        assert names[::-1] == [run.id for run in await store.runs(RunFilter(limit=2**31))]
        assert names[:-1001:-1] == [run.id for run in await store.runs(RunFilter(limit=1000))]
        assert {RunStatus.RUNNING: 2500} == await store.count()

    async def test_a_record_that_does_not_decode_is_told_with_its_run(self, tmp_path, store):
        await store.commit([a_write(1), a_write(1, "RUN-2")])
        with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
            connection.execute("UPDATE runs SET launch = '{' WHERE id = 'RUN-1'")
            connection.commit()

        with pytest.raises(StoreUnreadable, match="the record of run RUN-1 does not decode"):
            await store.get("RUN-1")
        assert "RUN-2" == (await store.get("RUN-2")).id
        await store.delete("RUN-1")
        assert ["RUN-2"] == [run.id for run in await store.runs(RunFilter())]

    async def test_what_another_process_changes_is_asked_about(self, url, store):
        await store.commit([a_write(1, create=a_run(owner="E-1"))])
        await store.asked("E-1", 1.0)
        assert await store.asked("E-1", 1.0) is None

        async with open_sqlite_runs(url) as other:
            await other.ask_cancel("RUN-1", "me", 2.0)

        assert Asked(cancelled=("RUN-1",)) == await store.asked("E-1", 1.0)
        assert await store.asked("E-1", 1.0) is None

    async def test_a_gap_in_a_journal_is_a_problem(self, tmp_path, store):
        await store.commit([a_write(1)])
        await store.commit([a_write(2)])
        await store.commit([a_write(3)])
        with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
            connection.execute("DELETE FROM journal WHERE first_seq = 2")
            connection.commit()

        assert ["the journal of run RUN-1 has event 3 after event 1"] == await store.problems()


class TestOutputs:
    async def test_what_is_said_is_written_with_the_next_commit(self, url, store):
        async with open_sqlite_runs(url) as other:
            await store.commit([a_write(1)])
            await say(store, "x")
            assert [] == list(await other.outputs.list_for_attempt("T-1", 1))

            await store.commit([a_write(2)])

            assert ["x"] == said(await other.outputs.list_for_attempt("T-1", 1))

    @pytest.mark.parametrize("how", ["read", "keep", "close"])
    async def test_or_before_it_is_read_or_closed(self, url, how):
        async with open_sqlite_runs(url) as store, open_sqlite_runs(url) as other:
            await say(store, "x")
            if how == "read":
                await store.outputs.get_latest_by_name("a")
            elif how == "keep":
                await store.outputs.keep("RUN-1", {})
            else:
                await store.close()

            assert ["x"] == said(await other.outputs.list_for_attempt("T-1", 1))

    async def test_p13_outputs_of_a_run_that_is_refused_are_not_written(self, store):
        await store.commit([a_write(1), a_write(1, "RUN-2")])
        await store.claim("RUN-1", "E-2", 1)
        await say(store, "late")
        await say(store, "in time", run="RUN-2", task="T-2")

        refused = await store.commit([a_write(2), a_write(2, "RUN-2")])

        assert {"RUN-1": "fenced"} == refused
        assert [] == list(await store.outputs.list_for_attempt("T-1", 1))
        assert ["in time"] == said(await store.outputs.list_for_attempt("T-2", 1))

    async def test_what_could_not_be_written_is_written_later(self, store):
        await store.commit([a_write(1)])
        await say(store, "first")

        with pytest.raises(TypeError):
            await store.commit([a_write(2, change=RunChange(updated_at=1.0, error={1}))])
        await say(store, "second")
        await store.commit([a_write(2)])

        assert ["first", "second"] == said(await store.outputs.list_for_attempt("T-1", 1))

    @pytest.mark.parametrize("runs", [1, 3])
    async def test_many_of_one_run_or_of_several_are_written_in_their_order(self, url, store, runs):
        said = [(f"RUN-{number % runs}", f"{number}") for number in range(30)]

        refs = [await say(store, text, run=run) for run, text in said]
        await store.outputs.flush()
        refs += [await say(store, "more", run="RUN-0")]

        async with open_sqlite_runs(url) as other:
            assert said == [((out := await other.outputs.get(ref)).run_id, out.event.chunk) for ref in refs[:-1]]
        listed = await store.outputs.list_for_attempt("T-1", 1)
        assert [text for _, text in said] + ["more"] == [output.event.chunk for output in listed]

    async def test_order_and_latest_stay_when_they_are_moved(self, url, store):
        """New outputs stand apart until there are 256 of them."""
        expected = [f"{number}" for number in range(600)]
        refs = []
        for number, text in enumerate(expected):
            refs.append(await say(store, text))
            if number % 100 == 99:
                await store.outputs.keep("RUN-1", {})

        assert expected == said(await store.outputs.list_for_attempt("T-1", 1))
        assert "599" == (await store.outputs.get_latest_by_name("a")).event.chunk
        for number in (0, 300, 599):
            assert expected[number] == (await store.outputs.get(refs[number])).event.chunk
        assert 600 == len(set(refs))
        async with open_sqlite_runs(url) as other:
            await say(other, "600")
            assert [*expected, "600"] == said(await other.outputs.list_for_attempt("T-1", 1))
        await store.outputs.forget_run("RUN-1")
        assert [] == list(await store.outputs.list_for_attempt("T-1", 1))

    async def test_the_latest_is_the_last_that_was_written_by_any_process(self, url, store):
        async with open_sqlite_runs(url) as other:
            await say(other, "first", task="T-2")
            await other.outputs.keep("RUN-1", {})
            await say(store, "second")
            await store.outputs.keep("RUN-1", {})

            assert "second" == (await other.outputs.get_latest_by_name("a")).event.chunk

    @pytest.mark.parametrize("size", [40_000, 1_500_000])
    async def test_large_outputs_are_kept_once(self, tmp_path, url, size):
        text = "\N{SNOWMAN}" + random.Random(1).randbytes(size).hex()[:size]  # compresses to half
        async with open_sqlite_runs(url) as store:
            refs = [await say(store, "", task=f"T-{n}", event=Final(Inline(text), ok=True)) for n in range(10)]
            refs.append(await say(store, "", event=Artifact("copy", Inline(text))))

            events = [(await store.outputs.get(ref)).event for ref in refs]

        assert [Final(Inline(text), ok=True)] * 10 + [Artifact("copy", Inline(text))] == events
        assert size / 2 < sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < size + 300_000

    async def test_an_output_that_does_not_decode_is_told(self, tmp_path, store):
        ref = await say(store, "x")
        await store.outputs.flush()
        with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
            connection.execute("UPDATE new_outputs SET head = '[\"?\"]'")
            connection.commit()

        with pytest.raises(StoreUnreadable, match=f"output {ref} of run RUN-1 does not decode"):
            await store.outputs.get(ref)


class TestLargeValues:
    @staticmethod
    def files(folder):
        return [path for path in (folder / "runs.db.blobs").rglob("*") if path.is_file()]

    async def test_very_large_ones_stand_beside_the_file_once(self, tmp_path, store):
        for run in ("RUN-1", "RUN-2"):
            await store.outputs.keep(run, {DIGEST: LARGE})

        (path,) = self.files(tmp_path)
        assert LARGE == await store.outputs.load(DIGEST)
        assert path == tmp_path / "runs.db.blobs" / DIGEST[:2] / DIGEST[2:]
        assert path.stat().st_size < len(LARGE) / 10

    async def test_one_that_was_written_before_they_were_compressed_is_read(self, tmp_path, store):
        await store.outputs.keep("RUN-1", {DIGEST: LARGE})
        (path,) = self.files(tmp_path)
        path.write_bytes(LARGE)

        assert LARGE == await store.outputs.load(DIGEST)

    async def test_a_damaged_one_is_made_good_when_it_is_kept_again(self, tmp_path, store):
        await store.outputs.keep("RUN-1", {DIGEST: LARGE})
        (path,) = self.files(tmp_path)
        path.write_bytes(path.read_bytes()[:-5])

        await store.outputs.keep("RUN-2", {DIGEST: LARGE})

        assert LARGE == await store.outputs.load(DIGEST)

    async def test_they_go_with_the_last_run_that_refers_to_them(self, tmp_path, store):
        await store.commit([a_write(1), a_write(1, "RUN-2")])
        for run in ("RUN-1", "RUN-2"):
            await store.outputs.keep(run, {DIGEST: LARGE})

        await store.delete("RUN-1")
        assert LARGE == await store.outputs.load(DIGEST)
        await store.delete("RUN-2")

        assert [] == self.files(tmp_path)
        with pytest.raises(OutputNotFound):
            await store.outputs.load(DIGEST)

    async def test_a_file_that_was_never_referred_to_is_swept_away(self, tmp_path, store):
        """A process that is killed between the file and the row leaves such a one."""
        await asyncio.to_thread(store._blobs.write_files, {DIGEST: LARGE})
        other = b"y" * 1_500_000
        await store.outputs.keep("RUN-1", {sha256(other).hexdigest(): other})
        assert 2 == len(self.files(tmp_path))

        await store.outputs.forget_run("RUN-1")

        assert [] == self.files(tmp_path)

    async def test_a_file_that_was_swept_away_meanwhile_is_written_again(self, tmp_path, store):
        def sweep_first(cursor):
            store._blobs.sweep(cursor)
            store._blobs.keep(cursor, "RUN-1", {DIGEST: LARGE})

        await asyncio.to_thread(store._blobs.write_files, {DIGEST: LARGE})
        await store._writer.do(sweep_first)

        assert LARGE == await store.outputs.load(DIGEST)

    @pytest.mark.parametrize("harm", ["change", "remove"])
    async def test_a_value_that_was_harmed_is_told(self, tmp_path, store, harm):
        await store.outputs.keep("RUN-1", {DIGEST: LARGE})
        (path,) = self.files(tmp_path)
        if harm == "change":
            path.write_bytes(b"y" + LARGE[1:])
        else:
            path.unlink()

        with pytest.raises(StoreUnreadable, match=f"the value {DIGEST[:16]}... cannot be read"):
            await store.outputs.load(DIGEST)
        (problem,) = await store.problems()
        assert f"the value {DIGEST[:16]}... cannot be read" in problem

    async def test_a_small_value_that_was_harmed_is_told(self, tmp_path, store):
        digest = sha256(b"small").hexdigest()
        await store.outputs.keep("RUN-1", {digest: b"small"})
        with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
            connection.execute("UPDATE blobs SET body = x'00'")
            connection.commit()

        with pytest.raises(StoreUnreadable, match="what is there has another digest"):
            await store.outputs.load(digest)
        assert 1 == len(await store.problems())

    @pytest.mark.parametrize("digest", ["../../../etc/passwd", "a" * 63, "A" * 64, "", "0" * 64 + "\n"])
    async def test_what_is_no_digest_leads_nowhere(self, store, digest):
        with pytest.raises(OutputNotFound):
            await store.outputs.load(digest)
        with pytest.raises(ValueError, match="is no SHA-256"):
            await store.outputs.keep("RUN-1", {digest: LARGE})

"""The core's stores of Blueprints keep the contract; the one in a file shares it with runs and other processes."""

import asyncio
import itertools
import json
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from swarm_core.builtin.memory import MEMORY_BLUEPRINTS
from swarm_core.builtin.memory_blueprints import MemoryBlueprintStore
from swarm_core.builtin.sqlite import SQLITE_BLUEPRINTS, open_sqlite_blueprints, open_sqlite_runs
from swarm_core.errors import SettingsError, StoreUnavailable, StoreUnreadable
from swarm_core.model.run import RunFilter
from swarm_core.model.version import CommitMetadata
from swarm_core.testing import check_blueprint_store, check_durable_blueprint_store

CHILD = Path(__file__).with_name("blueprint_child.py")
SAID = CommitMetadata(rationale="because", author="alice")
ONE, TWO = '{"id":"review"}', '{"id":"review","n":2}'


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.db"


@pytest.fixture
def url(path):
    return f"sqlite:///{path}"


async def keep(url, *texts, name="review"):
    parent = None
    async with open_sqlite_blueprints(url) as store:
        for text in texts:
            parent = (await store.write_new(name, text, parent=parent, metadata=SAID)).version


def change(path, *statements):
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


class TestMemory:
    async def test_row_81_the_store_in_memory_keeps_the_contract(self):
        await check_blueprint_store(lambda: MEMORY_BLUEPRINTS.open("memory://"))

    async def test_two_swarms_can_share_one(self):
        store = MemoryBlueprintStore()

        @asynccontextmanager
        async def same():
            yield store

        await check_durable_blueprint_store(same)

    async def test_each_opening_begins_empty(self):
        async with MEMORY_BLUEPRINTS.open("memory://") as store:
            await store.write_new("review", ONE, parent=None, metadata=SAID)
        async with MEMORY_BLUEPRINTS.open("memory://") as store:
            assert [] == await store.list_ids()


class TestFile:
    async def test_row_84_the_store_in_a_file_keeps_the_contract(self, tmp_path):
        number = itertools.count()

        await check_blueprint_store(lambda: SQLITE_BLUEPRINTS.open(f"sqlite:///{tmp_path}/{next(number)}.db"))

    async def test_row_84_what_was_acknowledged_outlives_the_process_and_is_shared(self, url):
        await check_durable_blueprint_store(lambda: SQLITE_BLUEPRINTS.open(url))

    async def test_a_wrong_url_is_told(self):
        with pytest.raises(SettingsError, match="unknown option 'durable'"):
            async with open_sqlite_blueprints("sqlite:///x.db?durable=1"):
                pass

    async def test_it_is_closed_once_and_then_refuses(self, url):
        async with open_sqlite_blueprints(url) as store:
            await store.write_new("review", ONE, parent=None, metadata=SAID)
        store.close()

        with pytest.raises(StoreUnavailable, match="is closed"):
            await store.read_head("review")
        with pytest.raises(StoreUnavailable, match="is closed"):
            await store.archive_id("review", by="alice")

    async def test_who_archived_and_when_stands_in_the_file(self, url, path):
        await keep(url, ONE)

        async with open_sqlite_blueprints(url) as store:
            await store.archive_id("review", by="alice")
            await store.archive_id("review", by="bob")

        with closing(sqlite3.connect(path)) as connection:
            ((by, at),) = connection.execute("SELECT archived_by, archived_at FROM blueprint_ids").fetchall()
        assert by == "alice"
        assert at > 1_700_000_000

    async def test_a_text_that_several_blueprints_have_is_there_once(self, url, path):
        await keep(url, ONE, TWO, ONE)
        await keep(url, ONE, name="other")

        with closing(sqlite3.connect(path)) as connection:
            counts = [
                connection.execute(f"SELECT count(*) FROM blueprint_{name}").fetchone()
                for name in ("texts", "versions")
            ]
        assert [(2,), (4,)] == counts


class TestProcesses:
    def test_row_84_eight_writing_processes_lose_no_version(self, url):
        writers, each = 8, 12
        commands = [[sys.executable, str(CHILD), url, f"w{number}", str(each)] for number in range(writers)]
        processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]

        told = [process.communicate(timeout=100)[0].split() for process in processes]

        assert [0] * writers == [process.returncode for process in processes]
        entries = list(reversed(asyncio.run(self.history(url))))
        assert [each] * writers == [len(versions) for versions in told]
        assert sorted(itertools.chain(*told)) == sorted(entry.version for entry in entries)
        assert list(range(1, writers * each + 1)) == [entry.number for entry in entries]
        assert [()] + [(entry.version,) for entry in entries[:-1]] == [entry.parents for entry in entries]
        assert {f"w{number}": each for number in range(writers)} == Counter(entry.metadata.author for entry in entries)

    @staticmethod
    async def history(url):
        async with open_sqlite_blueprints(url) as store:
            assert [] == list(await store.problems())
            return await store.history("review")

    async def test_a_writer_waits_for_who_holds_the_lock_and_gives_up_in_time(self, url, path):
        await keep(url, ONE)
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        try:
            with pytest.raises(StoreUnavailable, match="is locked by another process"):
                await keep(f"{url}?lock_timeout=50ms", TWO)
            async with open_sqlite_blueprints(url) as store:
                assert ONE == (await store.read_head("review"))[0]
        finally:
            holder.close()


class TestDamage:
    async def test_what_is_no_store_is_refused_and_stays_as_it_is(self, path, url):
        path.write_text("no database")

        with pytest.raises(StoreUnreadable, match="is no SQLite database"):
            await keep(url, ONE)

        assert "no database" == path.read_text()

    async def test_a_page_of_garbage_gives_a_sentence(self, path, url):
        await keep(url, *(json.dumps({"id": "review", "n": ["x" * 3000, number]}) for number in range(20)))
        damaged = bytearray(path.read_bytes())
        damaged[4096:] = bytes([7]) * (len(damaged) - 4096)
        path.write_bytes(damaged)

        with pytest.raises(StoreUnreadable, match="is damaged") as raised:
            async with open_sqlite_blueprints(url) as store:
                await store.history("review")

        assert str(raised.value).startswith(f"{url}: ")

    @pytest.mark.parametrize(
        ("statement", "said"),
        [
            ("UPDATE blueprint_texts SET body = '{}'", "is not the text that was kept; the others are not touched"),
            ("DELETE FROM blueprint_texts", "of blueprint 'review' has no text"),
            ("UPDATE blueprint_versions SET said = 'x'", "entry 1 of blueprint 'review' does not decode"),
            ("UPDATE blueprint_versions SET said = '{\"authr\": 1}'", "has no field 'authr'"),
            ("UPDATE blueprint_versions SET parents = 'null'", "entry 1 of blueprint 'review' does not decode"),
            ("DELETE FROM blueprint_versions", "blueprint 'review' has no entry"),
        ],
    )
    async def test_one_bad_row_gives_a_sentence_and_leaves_the_others_alone(self, statement, said, path, url):
        await keep(url, ONE)
        change(path, statement)
        await keep(url, '{"id":"other"}', name="other")

        async with open_sqlite_blueprints(url) as store:
            with pytest.raises(StoreUnreadable) as raised:
                await store.read_head("review")
            assert '{"id":"other"}' == (await store.read_head("other"))[0]

        assert said in str(raised.value)
        assert str(raised.value).startswith(f"{url}: ")

    @pytest.mark.parametrize(
        ("statement", "said"),
        [
            ("UPDATE blueprint_texts SET body = '{}'", "the text of version 74da26de9813"),
            ("DELETE FROM blueprint_texts", "there is an entry without its text: 74da26de9813"),
            ("DELETE FROM blueprint_ids", "there is an entry of no Blueprint: 1"),
            (
                "DELETE FROM blueprint_versions WHERE number = 1",
                "there is a Blueprint with gaps between its entries: review",
            ),
        ],
    )
    async def test_a_checkup_finds_it_of_blueprints_and_of_runs_alike(self, statement, said, path, url):
        await keep(url, ONE, ONE.replace("review", "re"), ONE)
        change(path, statement)

        async with open_sqlite_blueprints(url) as blueprints, open_sqlite_runs(url) as runs:
            found = [list(await store.problems()) for store in (blueprints, runs)]

        assert found[0] == found[1]
        assert said in "\n".join(found[0])


class TestBesideRuns:
    async def test_runs_and_blueprints_share_a_file_and_do_not_see_each_other(self, url):
        await keep(url, ONE)

        async with open_sqlite_runs(url) as runs, open_sqlite_blueprints(url) as blueprints:
            assert [] == await runs.runs(RunFilter())
            assert ["review"] == await blueprints.list_ids()

    def test_sqlite_is_loaded_when_a_store_is_opened_and_not_before(self):
        loaded = "swarm_core.builtin, swarm_core.swarm, swarm_core.cli.run, swarm_core.cli.bp"
        program = f"import sys, {loaded}; assert not {{'sqlite3', 'nodesemver', 'yaml'}} & set(sys.modules)"

        subprocess.run([sys.executable, "-c", program], check=True, timeout=60)

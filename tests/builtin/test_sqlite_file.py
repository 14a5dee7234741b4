"""The file of the SQLite store: how it is named, made, looked at, migrated, and what is said when it is none."""

import asyncio
import json
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from swarm_core.builtin.sqlite import (
    SQLITE_OUTPUTS,
    SQLITE_RUNS,
    open_sqlite_blueprints,
    open_sqlite_enhance_log,
    open_sqlite_issues,
    open_sqlite_runs,
    schema,
)
from swarm_core.errors import SettingsError, StoreUnavailable, StoreUnreadable
from swarm_core.model.enhance import IssuePayload, Pending
from swarm_core.model.output import Partial
from swarm_core.model.run import Durability, JournalRow, QuestionState, RunFilter, RunWrite
from swarm_core.model.task import RunStatus
from swarm_core.model.version import CommitMetadata

CHILD = Path(__file__).with_name("store_child.py")
STORES = Path(__file__).with_name("stores")
VERSION_1 = STORES / "version-1.sql"


async def refused(path, kind=StoreUnreadable):
    """Require that a path is refused, and return the sentence without the URL it begins with."""
    url = f"sqlite:///{path}"
    with pytest.raises(kind) as raised:
        async with open_sqlite_runs(url):
            pass
    assert str(raised.value).startswith(f"{url}: ")
    return str(raised.value).removeprefix(f"{url}: ")


def make(path, *statements):
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.executescript(statement)
        connection.commit()


async def a_store(path):
    async with open_sqlite_runs(f"sqlite:///{path}") as store:
        await store.count()


class TestURL:
    async def test_three_slashes_are_a_path_from_the_working_directory(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

        async with SQLITE_RUNS.open("sqlite:///data/runs.db") as store:
            monkeypatch.chdir("/")
            assert ({}, Durability.FULL) == (await store.count(), store.durability)

        assert (tmp_path / "data/runs.db").is_file()
        assert "sqlite:///data/runs.db" == store.url

    async def test_four_slashes_are_an_absolute_path(self, tmp_path):
        async with SQLITE_RUNS.open(f"sqlite:///{tmp_path}/runs.db?durability=relaxed&lock_timeout=2s") as store:
            assert Durability.RELAXED is store.durability

        assert (tmp_path / "runs.db").is_file()

    @pytest.mark.parametrize("name", ["a b.db", "what?.db", "50%.db", "x#y.db", "\N{SNOWMAN}.db", "q'q.db"])
    async def test_any_name_can_be_written(self, name, tmp_path):
        quoted = name.replace("%", "%25").replace("?", "%3F").replace("#", "%23")

        async with SQLITE_RUNS.open(f"sqlite:///{tmp_path}/{quoted}") as store:
            await store.count()

        assert [name] == [path.name for path in tmp_path.iterdir()]

    async def test_runs_and_outputs_may_be_opened_apart(self, tmp_path):
        url = f"sqlite:///{tmp_path}/runs.db"
        facts = {"run_id": "RUN-1", "task_id": "T-1", "attempt": 1, "producer_agent": "a"}

        async with SQLITE_RUNS.open(url) as runs, SQLITE_OUTPUTS.open(url) as outputs:
            ref = await outputs.append(event=Partial("x"), **facts)
            assert ref == (await outputs.get(ref)).id

            assert ref == (await runs.outputs.get(ref)).id

    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("sqlite://", "does not name a file; write sqlite:///relative/path.db"),
            ("sqlite:///", "does not name a file"),
            ("sqlite://runs.db", "does not name a file"),
            ("sqlite:///:memory:", "a store in memory is memory://"),
            ("sqlite:///a%00b.db", "does not name a file"),
            ("sqlite:///x.db?durabilty=full", "unknown option 'durabilty'; did you mean 'durability'?"),
            ("sqlite:///x.db?durability=none", "unknown durability 'none'; write durability=full"),
            ("sqlite:///x.db?durability=", "unknown durability ''"),
            ("sqlite:///x.db?lock_timeout=soon", "lock_timeout: 'soon' is no duration"),
            ("sqlite:///x.db?lock_timeout=0", "lock_timeout: 0.0 is out of range"),
        ],
    )
    async def test_a_wrong_url_is_told(self, url, said):
        with pytest.raises(SettingsError, match="sqlite:") as raised:
            async with SQLITE_RUNS.open(url):
                pass

        assert said in str(raised.value)


class TestMaking:
    async def test_cl151_missing_folders_are_made_and_private(self, tmp_path):
        path = tmp_path / "project/.swarm/swarm.db"

        await a_store(path)

        assert 0o700 == stat.S_IMODE(path.parent.stat().st_mode)
        assert 0o600 == stat.S_IMODE(path.stat().st_mode)
        assert "*\n" == (path.parent / ".gitignore").read_text()
        assert [".gitignore", "swarm.db"] == sorted(entry.name for entry in path.parent.iterdir())

    async def test_files_beside_it_are_private_too(self, tmp_path):
        async with open_sqlite_runs(f"sqlite:///{tmp_path}/x/runs.db") as store:
            await store.outputs.keep("RUN-1", {"0" * 64: b"x" * 2_000_000})
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "x").rglob("*")}

        assert {0o600, 0o700} == set(modes.values())
        assert 0o600 == modes["runs.db-wal"] == modes["0" * 62]

    async def test_other_folders_get_no_gitignore(self, tmp_path):
        await a_store(tmp_path / "data/runs.db")

        assert ["runs.db"] == [entry.name for entry in (tmp_path / "data").iterdir()]

    async def test_it_says_whose_it_is_and_which_version(self, tmp_path):
        await a_store(tmp_path / "runs.db")

        with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
            assert (schema.APPLICATION_ID,) == connection.execute("PRAGMA application_id").fetchone()
            assert (schema.LATEST,) == connection.execute("PRAGMA user_version").fetchone()
            assert ("wal",) == connection.execute("PRAGMA journal_mode").fetchone()

    def test_many_processes_may_make_it_at_once(self, tmp_path):
        command = [sys.executable, str(CHILD), "write", f"sqlite:///{tmp_path}/.swarm/runs.db", "0"]

        started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(6)]
        ends = [(process.communicate(timeout=60), process.returncode)[1] for process in started]

        assert [0] * 6 == ends
        assert {".gitignore", "runs.db"} >= {path.name for path in (tmp_path / ".swarm").iterdir()} - {
            "runs.db-wal",
            "runs.db-shm",
        }

    async def test_closing_leaves_one_file(self, tmp_path):
        async with open_sqlite_runs(f"sqlite:///{tmp_path}/runs.db") as store:
            await store.leave("E-1")
            assert {"runs.db", "runs.db-wal", "runs.db-shm"} == {path.name for path in tmp_path.iterdir()}

        assert ["runs.db"] == [path.name for path in tmp_path.iterdir()]

    async def test_closing_one_of_two_leaves_the_other_its_locks(self, tmp_path):
        """Closing a file drops a process's locks on it: a third, in another process, would take the log away."""
        url = f"sqlite:///{tmp_path}/runs.db"
        async with open_sqlite_runs(url) as store:
            for _ in range(3):
                async with open_sqlite_runs(url) as other:
                    await other.count()
                await store.outputs.keep("RUN-1", {})
            subprocess.run([sys.executable, str(CHILD), "write", url, "1"], check=True, capture_output=True, timeout=60)
            assert (tmp_path / "runs.db-wal").exists()
            assert 2 == (await store.get("RUN-1")).last_seq
            await store.outputs.keep("RUN-1", {"1" * 64: b"1"})
        async with open_sqlite_runs(url) as store:
            assert [] == list(await store.problems())[1:]


class TestRefusing:
    """cl152: what is no store is told in a sentence, and not touched."""

    @pytest.fixture
    def path(self, tmp_path):
        """A path that holds the same bytes after the test, with nothing new beside it."""
        path = tmp_path / "runs.db"
        before = {}

        def made(make):
            make(path)
            before.update(self.all_of(tmp_path))
            return path

        yield made
        assert before == self.all_of(tmp_path)

    @staticmethod
    def all_of(folder):
        return {entry.name: entry.read_bytes() if entry.is_file() else None for entry in folder.iterdir()}

    @pytest.mark.parametrize("text", [b"", b"x"])
    async def test_cl152_an_empty_file(self, path, text):
        said = await refused(path(lambda path: path.write_bytes(text)))

        assert said.startswith("is an empty file, no store; nothing was changed; restore a backup")

    @pytest.mark.parametrize(
        "text", [b"hello\n" * 100, b"xy", b"SQLite format 3\0", b"SQLite format 2\0" + bytes(4080)]
    )
    async def test_cl152_a_file_of_another_kind(self, path, text):
        said = await refused(path(lambda path: path.write_bytes(text)))

        assert said.startswith("is no SQLite database: file is not a database (SQLITE_NOTADB); nothing was changed")

    @pytest.mark.parametrize(
        "statement", ["CREATE TABLE x (y)", "CREATE TABLE x (y); PRAGMA journal_mode = WAL; PRAGMA user_version = 1"]
    )
    async def test_cl152_a_database_of_another_program(self, path, statement):
        said = await refused(path(lambda path: make(path, statement)))

        assert said.startswith("is a database of another program; nothing was changed")

    async def test_cl152_p11_a_newer_schema(self, path):
        statements = f"PRAGMA application_id = {schema.APPLICATION_ID}; PRAGMA user_version = {schema.LATEST + 1}"

        said = await refused(path(lambda path: make(path, "CREATE TABLE new (y)", statements)))

        assert said == (
            f"has schema version {schema.LATEST + 1}, and this program knows those up to {schema.LATEST}; "
            "install a newer swarm-core to use it; the file was not touched"
        )

    async def test_cl152_no_schema(self, path):
        said = await refused(
            path(lambda path: make(path, f"CREATE TABLE x (y); PRAGMA application_id = {schema.APPLICATION_ID}"))
        )

        assert said.startswith("has no schema; nothing was changed")

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
    async def test_cl152_a_truncated_file(self, path, share, tmp_path_factory):
        whole = tmp_path_factory.mktemp("whole") / "runs.db"
        await a_store(whole)
        text = whole.read_bytes()

        said = await refused(path(lambda path: path.write_bytes(text[: int(len(text) * share)])))

        assert said.startswith("is damaged: database disk image is malformed (SQLITE_CORRUPT); nothing was changed")

    async def test_cl152_a_damaged_header(self, path, tmp_path_factory):
        whole = tmp_path_factory.mktemp("whole") / "runs.db"
        await a_store(whole)
        text = whole.read_bytes()

        said = await refused(path(lambda path: path.write_bytes(b"\0" * 64 + text[64:])))

        assert said.startswith("is no SQLite database")

    async def test_cl151_a_folder(self, path):
        assert (await refused(path(lambda path: path.mkdir()))).startswith("is a folder, not a file; name a file in it")

    async def test_cl151_a_pipe(self, path):
        assert (await refused(path(os.mkfifo))).startswith("is no regular file; name another path")

    async def test_cl152_damage_that_shows_later_is_told_then(self, tmp_path):
        await a_store(tmp_path / "runs.db")
        with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
            (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'runs'").fetchone()
        with (tmp_path / "runs.db").open("r+b") as file:
            file.seek((root - 1) * 4096)
            file.write(b"\xff" * 4096)

        async with open_sqlite_runs(f"sqlite:///{tmp_path}/runs.db") as store:
            with pytest.raises(StoreUnreadable, match="is damaged: database disk image is malformed"):
                await store.get("RUN-1")
            assert all("the file is damaged" in problem for problem in await store.problems())


class TestPlaces:
    """cl151: a place where no store can be."""

    async def test_cl151_a_file_stands_where_the_folder_should_be(self, tmp_path):
        (tmp_path / "data").touch()

        said = await refused(tmp_path / "data/runs.db", StoreUnavailable)

        assert "a file stands where its folder should be" in said

    async def test_cl151_a_folder_that_is_read_only(self, nobody):
        nobody.chmod(0o555)

        with as_nobody():
            said = await refused(nobody / "runs.db", StoreUnavailable)

        assert said.startswith("cannot be opened: Permission denied; look at the rights of the file and its folder")

    async def test_cl151_a_file_that_is_read_only(self, nobody):
        await a_store(nobody / "runs.db")
        (nobody / "runs.db").chmod(0o444)

        with as_nobody():
            said = await refused(nobody / "runs.db", StoreUnavailable)

        assert said.startswith("cannot be written: it is read-only; look at the rights")

    async def test_cl151_a_store_in_a_folder_that_is_read_only(self, nobody):
        await a_store(nobody / "runs.db")
        (nobody / "runs.db").chmod(0o666)
        nobody.chmod(0o555)

        with as_nobody():
            said = await refused(nobody / "runs.db", StoreUnavailable)

        assert said.startswith("cannot be written: it is read-only; look at the rights")

    async def test_cl151_a_file_of_another_user(self, nobody):
        await a_store(nobody / "runs.db")

        with as_nobody():
            said = await refused(nobody / "runs.db", StoreUnavailable)

        assert said.startswith("cannot be opened: unable to open database file (SQLITE_CANTOPEN); look at the rights")

    async def test_a_link_that_leads_nowhere(self, tmp_path):
        (tmp_path / "runs.db").symlink_to(tmp_path / "nowhere")

        said = await refused(tmp_path / "runs.db", StoreUnavailable)

        assert said.startswith("cannot be opened")

    @pytest.fixture
    def nobody(self):
        """A folder that is reached by all, for tests that run as root and step down."""
        if os.geteuid() != 0:
            pytest.skip("only root can become somebody else")
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            folder.chmod(0o777)
            yield folder
            folder.chmod(0o777)


@contextmanager
def as_nobody():
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


class TestMigration:
    """P11: an old store opens with new code."""

    @pytest.fixture(params=range(1, schema.LATEST))
    def old(self, request, tmp_path):
        make(tmp_path / "runs.db", (STORES / f"version-{request.param}.sql").read_text(encoding="utf-8"))
        return tmp_path / "runs.db"

    async def test_p11_a_store_of_an_older_version_is_migrated_and_keeps_everything(self, old):
        async with open_sqlite_runs(f"sqlite:///{old}") as store:
            runs = {run.id: run for run in await store.runs(RunFilter())}
            question = await store.question("R-1")

            assert ["RUN-2", "RUN-1"] == list(runs)
            assert (RunStatus.WAITING, 3, "order 66") == (
                runs["RUN-1"].status,
                runs["RUN-1"].last_seq,
                runs["RUN-1"].key,
            )
            assert [(1, 2), (3, 3)] == [(row.first_seq, row.last_seq) for row in await store.rows("RUN-1")]
            assert ('{"verdict":"ship"}', 2) == (await store.result("RUN-2"), runs["RUN-2"].epoch)
            assert (QuestionState.OPEN, ("alice",), False) == (question.state, question.who, question.default)
            assert ["E-1"] == [owner.id for owner in await store.owners()]
            assert [] == list(await store.problems())

    async def test_p11_what_came_with_later_versions_works_after_it(self, old):
        facts = {"run_id": "RUN-1", "task_id": "T-1", "attempt": 1, "producer_agent": "a"}

        async with open_sqlite_runs(f"sqlite:///{old}") as store:
            ref = await store.outputs.append(event=Partial("x"), **facts)
            row = JournalRow(run_id="RUN-1", first_seq=4, last_seq=4, body="[]")
            assert {} == await store.commit([RunWrite(run_id="RUN-1", epoch=1, rows=(row,))])
        async with open_sqlite_runs(f"sqlite:///{old}") as store:
            assert "x" == (await store.outputs.get(ref)).event.chunk
            assert 4 == (await store.get("RUN-1")).last_seq

    async def test_p11_a_migrated_store_keeps_blueprints_beside_its_runs(self, old):
        url = f"sqlite:///{old}"

        async with open_sqlite_blueprints(url) as blueprints, open_sqlite_runs(url) as runs:
            entry = await blueprints.write_new("review", '{"id":"review"}', parent=None, metadata=CommitMetadata())
            assert [entry] == list(await blueprints.history("review"))
            await runs.delete("RUN-1")
            await runs.delete("RUN-2")
            assert ('{"id":"review"}', entry) == await blueprints.read_head("review")
            assert [] == list(await runs.problems())

    async def test_p11_a_migrated_store_keeps_issues_beside_its_runs(self, old):
        issue = IssuePayload(issue_id="h-1", blueprint_id="review", intent="shorter")
        url = f"sqlite:///{old}"

        async with open_sqlite_issues(url) as issues, open_sqlite_enhance_log(url) as log:
            await issues.create(issue)
            before = [issue_id for issue_id, _ in await issues.list()][:-1]
            taken = [(await issues.pop_pending("E-1", now=1.0, until=2.0)).issue for _ in (*before, issue)]
            assert (issue, []) == (taken[-1], list(await log.list_all()))
        async with open_sqlite_runs(url) as runs:
            assert [] == list(await runs.problems())

    async def test_p11_blueprints_of_an_older_store_keep_their_versions(self, tmp_path):
        make(tmp_path / "runs.db", (STORES / "version-3.sql").read_text(encoding="utf-8"))

        async with open_sqlite_blueprints(f"sqlite:///{tmp_path}/runs.db") as blueprints:
            newest, first = await blueprints.history("kept")
            assert (2, "1.0.0", (first.version,)) == (newest.number, newest.label, newest.parents)
            assert ("because", "alice", 1000.5) == (
                first.metadata.rationale,
                first.metadata.author,
                first.committed_at,
            )
            assert '{"id":"kept"}' == (await blueprints.read_version("kept", first.version))[0]
            assert [] == list(await blueprints.problems())

    async def test_p11_issues_of_an_older_store_are_there(self, tmp_path):
        make(tmp_path / "runs.db", (STORES / "version-4.sql").read_text(encoding="utf-8"))

        async with open_sqlite_issues(f"sqlite:///{tmp_path}/runs.db") as issues:
            assert [("h-kept", Pending())] == list(await issues.list())

    async def test_p11_a_migrated_store_says_so_to_older_programs(self, old):
        async with open_sqlite_runs(f"sqlite:///{old}"):
            header = old.read_bytes()[60:64]

        assert schema.LATEST == int.from_bytes(header, "big")

    def test_p11_a_new_store_and_a_migrated_one_have_the_same_tables(self, old, tmp_path):
        asyncio.run(a_store(old))
        asyncio.run(a_store(tmp_path / "new.db"))

        def tables(path):
            with closing(sqlite3.connect(path)) as connection:
                rows = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
            return {name: " ".join((sql or "").split()) for name, sql in rows}

        assert tables(tmp_path / "new.db") == tables(old)

    def test_p11_a_migration_that_is_killed_was_done_as_a_whole_or_not_at_all(self, tmp_path):
        """Killed before each of its statements in turn; then it is done anew."""
        command = [sys.executable, str(CHILD), "migrations", str(tmp_path), str(VERSION_1)]

        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)

        ends = [json.loads(line) for line in done.stdout.splitlines()]
        versions = [end["version"] for end in ends]
        assert [1, schema.LATEST] == sorted(set(versions))
        assert versions == sorted(versions)
        assert len(versions) > sum(map(len, schema.MIGRATIONS[1:]))
        for end in ends:
            asyncio.run(self.still_whole(end["path"]))

    @staticmethod
    async def still_whole(path):
        async with open_sqlite_runs(f"sqlite:///{path}") as store:
            assert [] == list(await store.problems())
            assert 3 == (await store.get("RUN-1")).last_seq

    async def test_p11_a_migration_waits_for_the_lock(self, old):
        holder = subprocess.Popen(
            [sys.executable, str(CHILD), "hold", str(old), "0.3", "1"], stdout=subprocess.PIPE, text=True
        )
        await asyncio.to_thread(holder.stdout.readline)

        async with open_sqlite_runs(f"sqlite:///{old}") as store:
            assert 2 == len(await store.runs(RunFilter()))
        holder.wait()
        holder.stdout.close()

    async def test_opening_gives_up_on_a_lock_that_is_held_too_long(self, old):
        holder = subprocess.Popen(
            [sys.executable, str(CHILD), "hold", str(old), "60", "1"], stdout=subprocess.PIPE, text=True
        )
        await asyncio.to_thread(holder.stdout.readline)
        try:
            with pytest.raises(StoreUnavailable, match="is locked by another process"):
                async with open_sqlite_runs(f"sqlite:///{old}?lock_timeout=100ms"):
                    pass
        finally:
            holder.kill()
            holder.wait()
            holder.stdout.close()


class TestStart:
    def test_sqlite_is_loaded_when_a_store_is_opened_and_not_before(self):
        program = "import sys, swarm_core.builtin; assert 'sqlite3' not in sys.modules"

        subprocess.run([sys.executable, "-c", program], check=True, timeout=60)

    async def test_what_was_opened_is_closed_again(self, tmp_path):
        """P38: files +0, threads +0, also when opening fails."""
        (tmp_path / "bad.db").write_text("no database")

        async def each():
            async with open_sqlite_runs(f"sqlite:///{tmp_path}/runs.db") as store:
                await store.problems()
                await store.outputs.keep("RUN-1", {"0" * 64: b"x"})
            with pytest.raises(StoreUnreadable):
                async with open_sqlite_runs(f"sqlite:///{tmp_path}/bad.db"):
                    pass

        await each()
        before = self.open_files(), threading.active_count()
        for _ in range(20):
            await each()

        assert before == (self.open_files(), threading.active_count())

    @staticmethod
    def open_files():
        return len(list(Path("/proc/self/fd").iterdir()))

"""The core's stores of issues, enhance settings and the enhance log keep their contracts; those in a file share it."""

import asyncio
import itertools
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm_core.builtin.memory import MEMORY_ENHANCE_LOG, MEMORY_ENHANCE_SETTINGS, MEMORY_ISSUES, MEMORY_OUTPUTS
from swarm_core.builtin.sqlite import (
    SQLITE_ENHANCE_LOG,
    SQLITE_ENHANCE_SETTINGS,
    SQLITE_ISSUES,
    SQLITE_OUTPUTS,
    open_sqlite_blueprints,
    open_sqlite_enhance_log,
    open_sqlite_enhance_settings,
    open_sqlite_issues,
    open_sqlite_runs,
)
from swarm_core.errors import (
    EnhanceLogConflict,
    IssueExists,
    OutputNotFound,
    SettingsError,
    StoreError,
    StoreUnavailable,
    StoreUnreadable,
)
from swarm_core.model.enhance import (
    Applied,
    EnhanceLogEntry,
    EnhanceLogStatus,
    EnhanceSetting,
    InFlight,
    IssuePayload,
    Pending,
    Rejected,
    TakenIssue,
)
from swarm_core.model.output import Progress
from swarm_core.model.run import RunFilter
from swarm_core.testing import (
    check_durable_issue_store,
    check_enhance_log_store,
    check_enhance_setting_store,
    check_issue_store,
)

CHILD = Path(__file__).with_name("issue_child.py")
SETTING = EnhanceSetting(id="default", blueprint_id="orbit", ttl_secs=60, meta={"a": [1]})
ENTRY = EnhanceLogEntry(
    issue_id="h-1", blueprint_id="review", prev_hash="a" * 64, status=EnhanceLogStatus.REJECTED, ts_ms=1
)


def an_issue(number):
    return IssuePayload(issue_id=f"h-{number}", blueprint_id="review", intent=f"better {number}")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.db"


@pytest.fixture
def url(path):
    return f"sqlite:///{path}"


@pytest.fixture(params=["memory", "sqlite"])
def opened(request, tmp_path):
    """Open a store of a role, in memory or in a file of its own."""
    numbers = itertools.count()

    def open_one(memory, sqlite):
        if request.param == "memory":
            return memory.open("memory://")
        return sqlite.open(f"sqlite:///{tmp_path}/{next(numbers)}.db")

    return open_one


class TestContracts:
    async def test_row_79_issues(self, opened):
        await check_issue_store(lambda: opened(MEMORY_ISSUES, SQLITE_ISSUES))

    async def test_row_79_issues_in_a_file_outlive_the_process_and_are_shared(self, url):
        await check_durable_issue_store(lambda: SQLITE_ISSUES.open(url))

    async def test_enhance_settings(self, opened):
        await check_enhance_setting_store(lambda: opened(MEMORY_ENHANCE_SETTINGS, SQLITE_ENHANCE_SETTINGS))

    async def test_row_80_enhance_log(self, opened):
        await check_enhance_log_store(lambda: opened(MEMORY_ENHANCE_LOG, SQLITE_ENHANCE_LOG))


class TestRows:
    async def test_row_78_the_latest_of_a_producer_and_what_came_before_it(self, opened):
        facts = {"run_id": "RUN-1", "task_id": "T-1", "attempt": 1, "producer_agent": "a"}

        async with opened(MEMORY_OUTPUTS, SQLITE_OUTPUTS) as store:
            first, second = [await store.append(event=Progress(stage), **facts) for stage in "AB"]

            assert Progress("B") == (await store.get_latest_by_name("a")).event
            assert Progress("A") == (await store.get(first)).event
            assert [first, second] == [record.id for record in await store.list_for_attempt("T-1", 1)]
            for ask in (store.get("out-0000000000000000"), store.get_latest_by_name("b")):
                with pytest.raises(OutputNotFound):
                    await ask

    async def test_row_79_an_id_is_created_once_and_issues_are_popped_in_their_order(self, opened):
        async with opened(MEMORY_ISSUES, SQLITE_ISSUES) as store:
            for number in (2, 1):
                await store.create(an_issue(number))
            with pytest.raises(IssueExists, match="issue already exists: h-2"):
                await store.create(an_issue(2))

            popped = [await store.pop_pending("E-1", now=100.0, until=200.0) for _ in range(3)]

            assert ["h-2", "h-1", None] == [taken and taken.issue.issue_id for taken in popped]
            assert [("h-2", InFlight()), ("h-1", InFlight())] == list(await store.list())

    async def test_row_80_an_issue_has_one_entry_in_the_log(self, opened):
        async with opened(MEMORY_ENHANCE_LOG, SQLITE_ENHANCE_LOG) as store:
            await store.append(ENTRY)

            with pytest.raises(EnhanceLogConflict, match=r"issue h-1 was already appended \(append-only\)"):
                await store.append(ENTRY)


class TestFile:
    async def test_everything_is_there_when_it_is_opened_again(self, url):
        async with open_sqlite_issues(url) as issues:
            for number in range(1, 5):
                await issues.create(an_issue(number))
            taken = await issues.pop_pending("E-1", now=100.0, until=200.0)
            await issues.update_status("h-1", Applied(new_version="c"), taken=taken)
            await issues.update_status("h-2", Rejected(reason="no"))
            held = await issues.pop_pending("E-1", now=100.0, until=200.0)
        async with open_sqlite_enhance_settings(url) as settings, open_sqlite_enhance_log(url) as log:
            await settings.put(SETTING)
            await log.append(ENTRY)

        async with open_sqlite_issues(url) as issues:
            expected = [Applied(new_version="c"), Rejected(reason="no"), InFlight(), Pending()]
            assert expected == [status for _, status in await issues.list()]
            assert TakenIssue(issue=an_issue(3), owner="E-1", attempt=1, until=200.0) == held
            assert held == await issues.holder("h-3")
        async with open_sqlite_enhance_settings(url) as settings, open_sqlite_enhance_log(url) as log:
            assert SETTING == await settings.get("default")
            assert [ENTRY] == list(await log.list_all())

    async def test_it_stands_beside_runs_and_blueprints(self, url):
        async with (
            open_sqlite_runs(url) as runs,
            open_sqlite_blueprints(url) as blueprints,
            open_sqlite_issues(url) as one,
            open_sqlite_issues(url) as other,
        ):
            await one.create(an_issue(1))

            assert an_issue(1) == await other.get("h-1")
            assert ([], []) == (list(await runs.runs(RunFilter())), list(await blueprints.list_ids()))
            assert [] == list(await runs.problems())

    @pytest.mark.parametrize("factory", [SQLITE_ISSUES, SQLITE_ENHANCE_SETTINGS, SQLITE_ENHANCE_LOG])
    async def test_a_wrong_url_is_told(self, factory):
        with pytest.raises(SettingsError, match="unknown option 'durable'"):
            async with factory.open("sqlite:///x.db?durable=1"):
                pass

    async def test_it_is_closed_at_the_end_and_then_refuses(self, url):
        async with open_sqlite_issues(url) as store:
            await store.create(an_issue(1))

        for ask in (store.get("h-1"), store.create(an_issue(2)), store.list()):
            with pytest.raises(StoreUnavailable, match="is closed"):
                await ask

    async def test_looking_in_vain_needs_no_lock(self, url, path):
        async with open_sqlite_issues(url) as store:
            holder = sqlite3.connect(path, isolation_level=None)
            holder.execute("BEGIN IMMEDIATE")
            try:
                assert None is await store.pop_pending("E-1", now=100.0, until=200.0)
            finally:
                holder.close()

    async def test_a_locked_file_is_told_in_time(self, url, path):
        async with open_sqlite_issues(f"{url}?lock_timeout=50ms") as store:
            await store.create(an_issue(1))
            holder = sqlite3.connect(path, isolation_level=None)
            holder.execute("BEGIN IMMEDIATE")
            try:
                with pytest.raises(StoreUnavailable, match="is locked by another process"):
                    await store.pop_pending("E-1", now=100.0, until=200.0)
            finally:
                holder.close()
            assert Pending() == await store.status("h-1")

    def test_sqlite_is_loaded_when_a_store_is_opened_and_not_before(self):
        names = {"sqlite3", "swarm_core.model.enhance", "swarm_core.builtin.memory_enhance"}
        program = f"import sys, swarm_core.builtin, swarm_core.swarm; assert not {names} & set(sys.modules)"

        subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def start(*arguments):
    command = [sys.executable, str(CHILD), *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


class TestProcesses:
    def test_row_79_of_eight_processes_each_issue_is_for_one(self, url):
        takers, count = 8, 120
        asyncio.run(self.fill(url, count))
        processes = [start("drain", url, f"E-{number}") for number in range(takers)]
        assert ["ready\n"] * takers == [process.stdout.readline() for process in processes]

        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        told = [process.communicate(timeout=100)[0].split() for process in processes]

        assert [0] * takers == [process.returncode for process in processes]
        assert {f"h-{number}": 1 for number in range(count)} == Counter(itertools.chain(*told))
        statuses = asyncio.run(self.statuses(url))
        applied = {number: Applied(new_version=f"E-{owner}") for owner in range(takers) for number in told[owner]}
        assert applied == statuses
        assert all(numbers == sorted(numbers, key=lambda text: int(text[2:])) for numbers in told)

    async def test_the_issue_of_a_process_that_was_killed_is_taken_up_when_its_lease_is_over(self, url):
        await self.fill(url, 1)
        process = start("hold", url, "E-dead")
        assert "h-0" == (await asyncio.to_thread(process.stdout.readline)).strip()

        process.kill()
        process.communicate()

        async with open_sqlite_issues(url) as store:
            assert InFlight() == await store.status("h-0")
            assert None is await store.pop_pending("E-2", now=199.9, until=300.0)
            expected = TakenIssue(issue=an_issue(0), owner="E-2", attempt=2, until=300.0)
            assert expected == await store.pop_pending("E-2", now=200.0, until=300.0)

    @staticmethod
    async def fill(url, count):
        async with open_sqlite_issues(url) as store:
            for number in range(count):
                await store.create(an_issue(number))

    @staticmethod
    async def statuses(url):
        async with open_sqlite_issues(url) as store:
            return dict(await store.list())


class TestDamage:
    """One bad row gives a sentence, leaves the others alone, and is found by a checkup."""

    @pytest.fixture
    async def damaged(self, url, path):
        """Fill a file, and change it with a statement."""

        async def change(statement):
            async with (
                open_sqlite_issues(url) as issues,
                open_sqlite_enhance_settings(url) as settings,
                open_sqlite_enhance_log(url) as log,
            ):
                for number in (1, 2):
                    await issues.create(an_issue(number))
                await settings.put(SETTING)
                await log.append(ENTRY)
            with closing(sqlite3.connect(path)) as connection:
                connection.execute(statement)
                connection.commit()

        return change

    @staticmethod
    async def told(url, problem):
        async with open_sqlite_runs(url) as runs:
            assert [problem] == [each[: len(problem)] for each in await runs.problems()]

    @pytest.mark.parametrize(
        ("change", "method", "said"),
        [
            ("state = 'flying'", "status", "the status of issue h-1 does not decode: 'flying' with None"),
            ("state = 'applied'", "status", "the status of issue h-1 does not decode: 'applied' with None"),
            ("state = 'applied', told = '{'", "status", "the status of issue h-1 does not decode: Expecting"),
            ("body = '{'", "get", "issue h-1 does not decode: Expecting"),
            ('body = \'{"issue_id":"h-1"}\'', "get", "issue h-1 does not decode: $: IssuePayload lacks the field"),
        ],
    )
    async def test_of_an_issue(self, change, method, said, url, damaged):
        await damaged(f"UPDATE issues SET {change} WHERE num = 1")

        async with open_sqlite_issues(url) as store:
            with pytest.raises(StoreUnreadable) as raised:
                await getattr(store, method)("h-1")
            assert (an_issue(2), Pending()) == (await store.get("h-2"), await store.status("h-2"))

        assert str(raised.value).startswith(f"{url}: {said}")
        await self.told(url, said)

    async def test_of_a_setting(self, url, damaged):
        await damaged("UPDATE enhance_settings SET body = '[]'")

        async with open_sqlite_enhance_settings(url) as store:
            with pytest.raises(StoreUnreadable, match="enhance setting 'default' does not decode"):
                await store.get("default")
            await store.put(SETTING)
            assert SETTING == await store.get("default")

    async def test_of_the_log(self, url, damaged):
        await damaged("UPDATE enhance_log SET body = 'null'")

        async with open_sqlite_enhance_log(url) as store:
            for ask in (store.get("h-1"), store.list_all()):
                with pytest.raises(StoreUnreadable, match="the log's entry for issue h-1 does not decode"):
                    await ask

        await self.told(url, "the log's entry for issue h-1 does not decode")


NUMBERS = st.integers(1, 4)
TIMES = st.integers(0, 30).map(float)
ENDS = st.sampled_from([Pending(), Applied(new_version="c"), Rejected(reason="no")])
TAKING = st.none() | st.integers(0, 5)  # which one of the takings so far a change is made with
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("create"), NUMBERS),
        st.tuples(st.just("pop"), st.sampled_from(["E-1", "E-2"]), TIMES, TIMES),
        st.tuples(st.just("renew"), TAKING, TIMES),
        st.tuples(st.just("update"), NUMBERS, ENDS, TAKING),
    ),
    max_size=30,
)


class TestBothAlike:
    @settings(max_examples=60, deadline=None)
    @given(changes=CHANGES)
    def test_the_same_changes_have_the_same_ends_in_memory_and_in_a_file(self, changes, tmp_path_factory):
        url = f"sqlite:///{tmp_path_factory.mktemp('alike')}/runs.db?durability=relaxed"

        memory = asyncio.run(self.seen(MEMORY_ISSUES.open("memory://"), changes))
        file = asyncio.run(self.seen(SQLITE_ISSUES.open(url), changes))

        assert memory == file

    async def seen(self, opening, changes):
        """Make changes and return how each ended, and what was there after it."""
        ends, takings = [], []
        async with opening as store:
            for change in changes:
                try:
                    end = await self.made(store, takings, *change)
                except StoreError as error:
                    end = str(error)
                there = [(issue_id, status, await store.holder(issue_id)) for issue_id, status in await store.list()]
                ends.append((end, there))
        return ends

    @staticmethod
    async def made(store, takings, what, *facts):
        match what, *facts:
            case "create", number:
                return await store.create(an_issue(number))
            case "pop", owner, now, until:
                taken = await store.pop_pending(owner, now=now, until=until)
                takings.extend([taken] if taken else [])
                return taken
            case "renew", which, until if takings:
                return await store.renew(takings[(which or 0) % len(takings)], until=until)
            case "update", _, status, int(which) if takings:
                taken = takings[which % len(takings)]
                return await store.update_status(taken.issue.issue_id, status, taken=taken)
            case "update", number, status, _:
                return await store.update_status(f"h-{number}", status)

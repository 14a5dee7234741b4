"""check_issue_store and the checks of the enhance loop's other stores find those that lie, lose, mix or overwrite."""

import asyncio
from contextlib import asynccontextmanager
from copy import deepcopy

import pytest
from attrs import evolve

from swarm_core.builtin.memory_enhance import MemoryEnhanceLogStore, MemoryEnhanceSettingStore, MemoryIssueStore
from swarm_core.enhance_records import record_of, text_of
from swarm_core.errors import EnhanceLogConflict, EnhanceSettingNotFound, IssueEnded, IssueExists, IssueLost
from swarm_core.model.enhance import EnhanceLogEntry, InFlight, Pending, Rejected, TakenIssue
from swarm_core.testing import (
    ContractBroken,
    check_durable_issue_store,
    check_enhance_log_store,
    check_enhance_setting_store,
    check_issue_store,
)


def opening(make):
    @asynccontextmanager
    async def open_store():
        yield make()

    return open_store


def named(value):
    return value.__name__ if isinstance(value, type) else ""


# issues --------------------------------------------------------------------------------------------------------


class Overwriting(MemoryIssueStore):
    async def create(self, issue):
        try:
            await super().create(issue)
        except IssueExists:
            self._kept[issue.issue_id].issue = issue


class Newest(MemoryIssueStore):
    async def pop_pending(self, owner, *, now, until):
        self._open = dict(reversed(self._open.items()))
        return await super().pop_pending(owner, now=now, until=until)


class Eternal(MemoryIssueStore):
    """Never takes an issue from its owner, as the original."""

    async def pop_pending(self, owner, *, now, until):
        return await super().pop_pending(owner, now=0.0, until=until)


class Late(MemoryIssueStore):
    """Takes a lease for over after its last moment, not with it."""

    async def pop_pending(self, owner, *, now, until):
        return await super().pop_pending(owner, now=now - 0.001, until=until)


class Hasty(MemoryIssueStore):
    async def pop_pending(self, owner, *, now, until):
        return await super().pop_pending(owner, now=now + 1, until=until)


class Unfenced(MemoryIssueStore):
    async def update_status(self, issue_id, status, *, taken=None):
        await super().update_status(issue_id, status)


class ByOwner(MemoryIssueStore):
    """Knows takings by their owner alone."""

    async def update_status(self, issue_id, status, *, taken=None):
        kept = self._found(issue_id)
        if taken is not None and kept.owner == taken.owner:
            taken = evolve(taken, attempt=kept.attempt)
        await super().update_status(issue_id, status, taken=taken)


class Reopening(MemoryIssueStore):
    async def update_status(self, issue_id, status, *, taken=None):
        try:
            await super().update_status(issue_id, status, taken=taken)
        except IssueEnded:
            if not isinstance(status, Pending):
                raise
            self._kept[issue_id].status = status


class Indifferent(MemoryIssueStore):
    """Takes the last end for the one that counts."""

    async def update_status(self, issue_id, status, *, taken=None):
        try:
            await super().update_status(issue_id, status, taken=taken)
        except IssueEnded:
            self._kept[issue_id].status = status


class Strict(MemoryIssueStore):
    """Refuses to hear the same end twice."""

    async def update_status(self, issue_id, status, *, taken=None):
        if isinstance(self._found(issue_id).status, Rejected):
            raise IssueEnded(issue_id, "rejected")
        await super().update_status(issue_id, status, taken=taken)


class Backwards(MemoryIssueStore):
    """Puts what is given back at the end of the line."""

    async def update_status(self, issue_id, status, *, taken=None):
        await super().update_status(issue_id, status, taken=taken)
        if isinstance(status, Pending):
            self._open[issue_id] = self._open.pop(issue_id)


class Forgiving(MemoryIssueStore):
    async def renew(self, taken, *, until):
        try:
            return await super().renew(taken, until=until)
        except IssueLost:
            return evolve(taken, until=until)


class Uncounted(MemoryIssueStore):
    async def pop_pending(self, owner, *, now, until):
        taken = await super().pop_pending(owner, now=now, until=until)
        return taken and evolve(taken, attempt=1)


class Doubling(MemoryIssueStore):
    """Lets go of the loop between looking and taking."""

    async def pop_pending(self, owner, *, now, until):
        kept = next((kept for kept in self._open.values() if kept.free(now)), None)
        await asyncio.sleep(0)
        if kept is None:
            return None
        kept.status, kept.owner, kept.until, kept.attempt = InFlight(), owner, until, kept.attempt + 1
        return TakenIssue(issue=kept.issue, owner=owner, attempt=kept.attempt, until=until)


class Sorted(MemoryIssueStore):
    async def list(self):
        return sorted(await super().list(), key=lambda item: item[0])


class Talkative(MemoryIssueStore):
    """Names who had it last."""

    async def holder(self, issue_id):
        kept = self._found(issue_id)
        return kept.owner and TakenIssue(issue=kept.issue, owner=kept.owner, attempt=kept.attempt, until=kept.until)


class TestIssueStore:
    @pytest.mark.parametrize(
        ("broken", "sentence"),
        [
            (Overwriting, "create of an id that is there returned None, where IssueExists is due"),
            (Newest, "which takes the oldest, returned"),
            (Eternal, "though there is an issue that nobody has"),
            (Late, "though there is an issue that nobody has"),
            (Hasty, "where None is due: every lease runs on"),
            (Unfenced, "a change by who gave the issue back returned None, where IssueLost is due"),
            (ByOwner, "a change by an earlier taking"),
            (Reopening, "update_status of what has ended returned None, where IssueEnded is due"),
            (Indifferent, "where IssueEnded is due"),
            (Strict, "ends_issues: IssueEnded"),
            (Backwards, "which has its old place, returned"),
            (Forgiving, "renew of what has ended returned"),
            (Uncounted, "attempt=1.*where.*attempt=2"),
            (Doubling, "of many takers at once each issue is for one"),
            (Sorted, "list, which is in the order in which issues came, returned"),
            (Talkative, "holder of an issue that has ended returned"),
        ],
        ids=named,
    )
    async def test_a_store_that_breaks_one_part_of_the_contract_is_found(self, broken, sentence):
        with pytest.raises(ContractBroken, match=f"(?s){sentence}"):
            await check_issue_store(opening(broken))

    async def test_a_store_that_is_not_empty_is_found(self):
        store = MemoryIssueStore()

        with pytest.raises(ContractBroken):
            await check_issue_store(opening(lambda: store))


class TestDurableIssueStore:
    async def test_swarms_that_share_one_in_memory_keep_the_contract(self):
        store = MemoryIssueStore()

        await check_durable_issue_store(opening(lambda: store))

    async def test_a_store_that_forgets_is_found(self):
        with pytest.raises(ContractBroken, match="after opening it again list returned"):
            await check_durable_issue_store(opening(MemoryIssueStore))

    async def test_a_store_that_forgets_who_holds_an_issue_is_found(self):
        store = MemoryIssueStore()

        def forgetful():
            for kept in store._kept.values():
                kept.owner = None
            return store

        with pytest.raises(ContractBroken, match="after opening it again holder returned None"):
            await check_durable_issue_store(opening(forgetful))

    async def test_a_store_that_looks_only_when_it_is_opened_is_found(self):
        first, opened = MemoryIssueStore(), []

        def copied():
            opened.append(deepcopy(first))
            return first if len(opened) < 4 else opened[-1]

        with pytest.raises(ContractBroken, match="after another one has taken it holder returned"):
            await check_durable_issue_store(opening(copied))


# settings ------------------------------------------------------------------------------------------------------


class Sparing(MemoryEnhanceSettingStore):
    """Keeps what was there first."""

    async def put(self, setting):
        text = text_of(setting)
        self._texts.setdefault(setting.id, text)


class Folded(MemoryEnhanceSettingStore):
    """Takes ids that differ in their case for one."""

    async def put(self, setting):
        await super().put(setting)
        self._texts[setting.id.lower()] = self._texts[setting.id]


class Trusting(MemoryEnhanceSettingStore):
    """Keeps the object that it is given."""

    def __init__(self):
        super().__init__()
        self._objects = {}

    async def put(self, setting):
        await super().put(setting)
        self._objects[setting.id] = setting

    async def get(self, setting_id):
        self._require(setting_id)
        return self._objects[setting_id]


class Polite(MemoryEnhanceSettingStore):
    async def delete(self, setting_id):
        self._texts.pop(setting_id, None)


class Curt(MemoryEnhanceSettingStore):
    def _require(self, setting_id):
        if setting_id not in self._texts:
            raise EnhanceSettingNotFound(setting_id)


class Tolerant(MemoryEnhanceSettingStore):
    async def put(self, setting):
        if setting.ttl_secs == 0:
            setting = evolve(setting, ttl_secs=1)
        await super().put(setting)


class TestEnhanceSettingStore:
    @pytest.mark.parametrize(
        ("broken", "sentence"),
        [
            (Sparing, "after put of an id that is there get returned"),
            (Folded, "get returned"),
            (Trusting, "after what was put had changed"),
            (Polite, r"delete\('fixed'\) returned None, where EnhanceSettingNotFound is due"),
            (Curt, "gives the hint there are: none, not the nearest id"),
            (Tolerant, "put with {'ttl_secs': 0} returned None, where DocumentError is due"),
        ],
        ids=named,
    )
    async def test_a_store_that_breaks_one_part_of_the_contract_is_found(self, broken, sentence):
        with pytest.raises(ContractBroken, match=f"(?s){sentence}"):
            await check_enhance_setting_store(opening(broken))


# log -----------------------------------------------------------------------------------------------------------


class Replacing(MemoryEnhanceLogStore):
    async def append(self, entry):
        self._texts[entry.issue_id] = text_of(entry)


class Quiet(MemoryEnhanceLogStore):
    """Takes the same entry again for a repeated call."""

    async def append(self, entry):
        if self._texts.get(entry.issue_id) != text_of(entry):
            await super().append(entry)


class Racing(MemoryEnhanceLogStore):
    async def append(self, entry):
        text = text_of(entry)
        if entry.issue_id in self._texts:
            raise EnhanceLogConflict(entry.issue_id)
        await asyncio.sleep(0)
        self._texts[entry.issue_id] = text


class Unordered(MemoryEnhanceLogStore):
    async def list_all(self):
        return list(map(self._entry, self._texts))


class Falling(MemoryEnhanceLogStore):
    """Orders entries of one time by their ids, the last one first."""

    async def list_all(self):
        return sorted(await super().list_all(), key=lambda entry: (entry.ts_ms, -int(entry.issue_id[2:])))


class Prefixed(MemoryEnhanceLogStore):
    async def list_by_blueprint(self, blueprint_id):
        return [entry for entry in await self.list_all() if entry.blueprint_id.startswith(blueprint_id)]


class Careless(MemoryEnhanceLogStore):
    def _entry(self, issue_id):
        return evolve(record_of(self._texts[issue_id], EnhanceLogEntry, ""), reasons=())


class TestEnhanceLogStore:
    @pytest.mark.parametrize(
        ("broken", "sentence"),
        [
            (Replacing, "append for an issue that has an entry returned None, where EnhanceLogConflict is due"),
            (Quiet, "append for an issue that has an entry returned None, where EnhanceLogConflict is due"),
            (Racing, "of 8 entries for one issue at once one counts"),
            (Unordered, "list_all, which is ascending by ts_ms, returned"),
            (Falling, "list_all"),
            (Prefixed, "list_by_blueprint"),
            (Careless, "get returned"),
        ],
        ids=named,
    )
    async def test_a_store_that_breaks_one_part_of_the_contract_is_found(self, broken, sentence):
        with pytest.raises(ContractBroken, match=f"(?s){sentence}"):
            await check_enhance_log_store(opening(broken))

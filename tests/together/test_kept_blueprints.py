"""Blueprints that a store keeps, through the API: kept, fetched, launched, and what the run says of it."""

import asyncio
import os

import pytest

from swarm_core import Swarm
from swarm_core.builtin.memory_blueprints import MemoryBlueprintStore
from swarm_core.errors import (
    BlueprintArchived,
    BlueprintNotFound,
    DocumentError,
    InvalidBlueprint,
    InvalidId,
    NoMatchingVersion,
    SettingsError,
    StoreUnreadable,
)
from swarm_core.model.task import RunStatus
from swarm_core.model.version import CommitMetadata
from swarm_core.pinning import canonical
from swarm_core.settings import Settings, StoreSettings, load_settings

SWARMFILE = """
from swarm_core import function

@function
def shout(text):
    return text.upper()
"""


def document(value="hello", label=None, fn="identity", **more):
    flow = {"kind": "step", "ref": "a", "in": {"op": "lit", "value": value}, "out": {"op": "path", "at": "$.out"}}
    agents = [{"name": "a", "kind": "function", "spec": {"fn_id": fn}}]
    return {"id": "review", "flow": flow, "agents": agents, "metadata": {"version_label": label}, **more}


async def keep(swarm, source, name="review"):
    text, _ = canonical(swarm.read(source).blueprint)
    try:
        parent = (await swarm.blueprints.read_head(name))[1].version
    except BlueprintNotFound:
        parent = None
    return await swarm.blueprints.write_new(name, text, parent=parent, metadata=CommitMetadata())


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
async def swarm(here):
    async with Swarm.open(plugins=(), store="sqlite:///runs.db") as swarm:
        yield swarm


class TestLaunch:
    async def test_a_source_names_a_blueprint_and_a_version_of_it(self, swarm):
        first = await keep(swarm, document("one", "1.0.0"))
        await keep(swarm, document("two", "1.2.0"))
        await keep(swarm, document("three", "2.0.0"))

        sources = ["bp:review", "bp:review@^1", "bp:review@latest", f"bp:review@{first.version[:10]}"]
        ends = [await (await swarm.launch(source)).wait() for source in sources]

        assert ["three", "two", "three", "one"] == [end.final_ctx["out"]["echoed"] for end in ends]

    async def test_a_document_names_it_as_the_original_has_it(self, swarm):
        entry = await keep(swarm, document("one", "1.0.0"))
        await keep(swarm, document("two", "2.0.0"))
        selectors = [
            {"kind": "latest"},
            {"kind": "fixed", "value": entry.version},
            {"kind": "semver_req", "req": "^1"},
        ]

        refs = [
            {"kind": "id", "id": "review"},
            *({"kind": "id", "id": "review", "version": each} for each in selectors),
        ]
        refs.append({"kind": "inline", "value": document("inline")})
        ends = [await (await swarm.launch(ref)).wait() for ref in refs]

        assert ["two", "two", "one", "one", "inline"] == [end.final_ctx["out"]["echoed"] for end in ends]

    async def test_the_run_says_which_version_it_came_from(self, swarm):
        await keep(swarm, document("one", "1.0.0"))
        entry = await keep(swarm, document("two", "1.2.0"))

        launched = await swarm.launch("bp:review@^1")
        await launched.wait()

        stored = await swarm.store.get(launched.id)
        selector = {"kind": "semver_req", "req": "^1"}
        assert {"id": "review", "version": entry.version, "selector": selector} == stored.launch["kept"]
        assert entry.version == stored.blueprint_hash

    async def test_a_run_of_a_file_says_nothing_of_the_kind(self, swarm):
        launched = await swarm.launch(document())
        await launched.wait()

        assert "kept" not in (await swarm.store.get(launched.id)).launch

    async def test_row_81_the_order_of_keys_makes_no_version(self, swarm):
        entry = await keep(swarm, document())

        again = await keep(swarm, dict(reversed(document().items())))

        assert entry == again

    @pytest.mark.parametrize(
        ("source", "error"),
        [
            ("bp:revue", BlueprintNotFound),
            ("bp:review@^9", NoMatchingVersion),
            ("bp:review@0000", BlueprintNotFound),
            ("bp:../review", InvalidId),
            ({"kind": "id", "id": "revue"}, BlueprintNotFound),
            ({"kind": "idd", "id": "review"}, DocumentError),
        ],
    )
    async def test_what_is_not_there_is_told_and_nothing_is_launched(self, source, error, swarm):
        await keep(swarm, document(label="1.0.0"))

        with pytest.raises(error):
            await swarm.launch(source)

        assert {} == await swarm.store.count()

    async def test_row_83_what_is_archived_cannot_be_launched_but_by_its_version(self, swarm):
        entry = await keep(swarm, document("one"))
        await swarm.blueprints.archive_id("review", by="alice")

        with pytest.raises(BlueprintArchived, match="take it into use again with: swarm bp unarchive review"):
            await swarm.launch("bp:review")
        end = await (await swarm.launch(f"bp:review@{entry.version}")).wait()

        assert "one" == end.final_ctx["out"]["echoed"]

    async def test_one_that_cannot_be_compiled_here_is_told_with_its_name(self, swarm):
        await keep(swarm, document(fn="nobody"))

        with pytest.raises(InvalidBlueprint, match=r"bp:review@[0-9a-f]{12}.*nobody"):
            await swarm.launch("bp:review")

    async def test_a_text_that_is_no_blueprint_is_told_with_its_name(self, swarm):
        await swarm.blueprints.write_new("odd", '{"id":"odd"}', parent=None, metadata=CommitMetadata())

        with pytest.raises(DocumentError, match=r"bp:odd@[0-9a-f]{12}"):
            await swarm.launch("bp:odd")


class TestFunctions:
    async def test_they_are_those_of_the_working_directory(self, here, swarm):
        (here / "swarmfile.py").write_text(SWARMFILE)
        await keep(swarm, document(fn="shout"))

        end = await (await swarm.launch("bp:review")).wait()

        assert {"out": "HELLO"} == end.final_ctx

    async def test_or_of_the_settings_files_folder_wherever_the_swarm_is_opened(self, here):
        (here / "project/sub").mkdir(parents=True)
        (here / "project/swarm.toml").write_text('[store]\nurl = "sqlite:///runs.db"\nblueprints = "sqlite:///kept.db"')
        (here / "project/swarmfile.py").write_text(SWARMFILE)
        os.chdir(here / "project/sub")

        async with Swarm.open(load_settings(environ={}), plugins=()) as swarm:
            await keep(swarm, document(fn="shout"))
            end = await (await swarm.launch("bp:review")).wait()

        assert {"out": "HELLO"} == end.final_ctx
        assert (here / "project/kept.db").is_file()

    async def test_a_run_that_is_resumed_has_them_too(self, here):
        ask = {"kind": "step", "ref": "q", "in": {"op": "lit", "value": "go?"}, "out": {"op": "path", "at": "$.go"}}
        base = document(fn="shout")
        flow = {"kind": "seq", "children": [ask, base["flow"]]}
        agents = [*base["agents"], {"name": "q", "kind": "ask"}]
        (here / "swarmfile.py").write_text(SWARMFILE)
        async with Swarm.open(plugins=(), store="sqlite:///runs.db") as swarm:
            await keep(swarm, {**base, "flow": flow, "agents": agents})
            launched = await swarm.launch("bp:review")
            assert RunStatus.WAITING == (await launched.wait(or_waiting=True)).status
            await keep(swarm, document("changed since"))
            await launched.interrupt("test")

        async with Swarm.open(plugins=(), store="sqlite:///runs.db") as swarm:
            (question,) = await swarm.store.questions(launched.id)
            await swarm.answer(question.key, "yes")
            end = await (await swarm.resume(launched.id)).wait()

        assert {"go": "yes", "out": "HELLO"} == end.final_ctx


class TestMigration:
    async def test_a_run_is_bound_to_another_version(self, here):
        async with Swarm.open(plugins=(), store="sqlite:///runs.db") as swarm:
            await keep(swarm, document("one", agents=[{"name": "a", "kind": "ask"}]))
            launched = await swarm.launch("bp:review")
            await launched.wait(or_waiting=True)

        async with Swarm.open(plugins=(), store="sqlite:///runs.db") as swarm:
            entry = await keep(swarm, document("two"))
            plan = await swarm.plan_migration(launched.id, "bp:review")
            stored = await swarm.migrate(plan)
            end = await (await swarm.resume(launched.id)).wait()

        assert entry.version == plan.digest == stored.blueprint_hash
        assert "two" == end.final_ctx["out"]["echoed"]


class TestStore:
    async def test_row_85_without_a_store_it_is_told_what_to_do(self, here):
        async with Swarm.open(plugins=()) as swarm:
            assert swarm.blueprints is None
            for source in ("bp:review", {"kind": "id", "id": "review"}):
                with pytest.raises(SettingsError, match=r"bp:review needs a store of Blueprints; open the swarm with"):
                    await swarm.launch(source)

    async def test_a_store_that_is_open_already_is_used_and_stays_open(self, here):
        store = MemoryBlueprintStore()
        for _ in range(2):
            async with Swarm.open(plugins=(), blueprints=store) as swarm:
                await keep(swarm, document("one"))
                end = await (await swarm.launch("bp:review")).wait()

        assert "one" == end.final_ctx["out"]["echoed"]
        assert 1 == len(await store.history("review"))

    async def test_the_settings_name_one(self, here):
        settings = Settings(store=StoreSettings(blueprints="sqlite:///kept.db"))

        async with Swarm.open(settings, plugins=()) as swarm:
            await keep(swarm, document())

        assert (here / "kept.db").is_file()
        assert swarm.store is None

    async def test_it_is_opened_when_it_is_first_asked(self, here):
        async with Swarm.open(plugins=(), blueprints="sqlite:///kept.db") as swarm:
            assert not (here / "kept.db").exists()
            found = await asyncio.gather(*(swarm.blueprints.list_ids() for _ in range(5)))

            assert [[]] * 5 == found
            assert "sqlite:///kept.db" == swarm.blueprints.url

    @pytest.mark.parametrize(
        ("url", "error", "said"),
        [
            ("gti:///x", SettingsError, "no blueprint store for gti://...; installed: memory, sqlite"),
            ("sqlite:///bad.db", StoreUnreadable, "is no SQLite database"),
        ],
    )
    async def test_one_that_cannot_be_opened_is_told_to_who_asks_and_hinders_nobody_else(self, url, error, said, here):
        (here / "bad.db").write_text("no database")

        async with Swarm.open(plugins=(), blueprints=url) as swarm:
            assert RunStatus.DONE == (await (await swarm.launch(document())).wait()).status
            for _ in range(2):
                with pytest.raises(error) as raised:
                    await swarm.launch("bp:review")

        assert said in str(raised.value)

    async def test_all_of_the_contract_goes_through_it(self, swarm):
        store, entry = swarm.blueprints, await keep(swarm, document())

        assert entry == (await store.read_version("review", entry.version))[1]
        assert [entry] == list(await store.history("review", 1))
        await store.archive_id("review", by="alice")
        assert (True, ["review"]) == (await store.is_archived("review"), await store.list_ids(archived=True))
        await store.unarchive_id("review", by="alice")
        assert [] == list(await store.problems())


class TestRead:
    async def test_fetch_reads_what_read_reads(self, here, swarm):
        (here / "b.json").write_text('{"id": "b", "flow": {"kind": "seq", "children": []}}')

        assert "b" == (await swarm.fetch("b.json")).blueprint.id
        assert "review" == (await swarm.fetch(document())).blueprint.id

    async def test_what_must_be_waited_for_says_so(self, swarm):
        for read in (swarm.read, swarm.check, swarm.prepare):
            with pytest.raises(
                DocumentError, match="blueprint 'review' is kept in a store, which has to be waited for"
            ):
                read("bp:review")

    async def test_a_document_that_is_told_as_it_is_needs_no_waiting(self, swarm):
        assert "review" == swarm.read({"kind": "inline", "value": document()}).blueprint.id
        assert swarm.check(document()) == swarm.check({"kind": "inline", "value": document()})

"""`swarm audit` over runs of a real engine: what is changed in the file is found, and the layer sees every end."""

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing, suppress
from functools import cache
from hashlib import sha256
from tempfile import mkdtemp

import pytest
from attrs import frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarm_core import Swarm
from swarm_core.contracts import SpawnerLayer
from swarm_core.factories import LayerFactory, Stage
from swarm_core.history import open_history
from swarm_core.hookspecs import hookimpl
from swarm_core.model.call import Result
from swarm_core.settings import EngineSettings, Settings

swarm_plugin_audit = pytest.importorskip("swarm_plugin_audit")

PATH = {"op": "path", "at": "$"}
STEP = {"kind": "step", "ref": "work", "in": PATH, "out": PATH}


def blueprint(*children, layers=(), **hints):
    return {
        "schema_version": "0.1.0",
        "id": "audited",
        "flow": {"kind": "seq", "children": list(children)},
        "agents": [{"name": "work", "kind": "function", "spec": {"fn_id": "work"}}],
        "spawner_hints": {"layers": ["audit", *layers]},
        "hints": {"per_agent": {"work": hints}},
    }


async def work(ctx):
    return {**ctx, "n": ctx.get("n", 0) + 1}


@frozen
class Kept:
    """A store with two runs of three steps, and the rows of the first one: (id, first event, body)."""

    file: str
    runs: tuple[str, str]
    rows: list[tuple[int, int, str]]


@cache
def kept():
    """Make the store once; each example works on a copy."""
    file = f"{mkdtemp(prefix='audited-')}/runs.db"

    async def make():
        async with Swarm.open(plugins=(swarm_plugin_audit,), functions={"work": work}, store=f"sqlite:///{file}") as s:
            program = s.prepare(blueprint(STEP, STEP, STEP))
            runs = []
            for _ in range(2):
                launched = await s.launch(program, init_ctx={"said": "größe"})
                await launched.wait()
                runs.append(launched.id)
            return tuple(runs)

    runs = asyncio.run(make())
    with closing(sqlite3.connect(file)) as connection:
        number = connection.execute("SELECT num FROM runs WHERE id = ?", runs[:1]).fetchone()[0]
        between = (number << 32, (number + 1) << 32)
        rows = connection.execute("SELECT * FROM journal WHERE id BETWEEN ? AND ? ORDER BY id", between).fetchall()
    return Kept(file, runs, rows)


@pytest.fixture
def copy(folder):
    """Copy the store into the folder, as the project's own."""

    def fresh():
        shutil.copy(kept().file, folder / "runs.db")
        return folder / "runs.db"

    (folder / "swarm.toml").write_text('[store]\nurl = "sqlite:///runs.db"\n')
    return fresh


@pytest.fixture
def edited(copy):
    """Change the file with an SQL statement."""

    def edit(*statements):
        with closing(sqlite3.connect(copy())) as connection:
            for statement, values in statements:
                connection.execute(statement, values)
            connection.commit()

    return edit


@pytest.fixture
def found(folder):
    """Return what is wrong with the first run: (event, code)."""

    def findings():
        async def look():
            async with open_history(Settings(), f"sqlite:///{folder}/runs.db") as history:
                return await history.chain(kept().runs[0])

        return [(finding.seq, finding.code) for finding in asyncio.run(look()).findings]

    return findings


each_example = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
NEW = "UPDATE journal SET body = CAST(? AS TEXT) WHERE id = ?"


class TestStore:
    def test_runs_as_they_were_written_are_whole(self, copy, cli):
        copy()

        ended = cli("audit", "verify", "--all")

        assert 0 == ended.code
        assert ended.out.count("whole") == 2
        assert ended.err == ""

    def test_a_server_that_is_only_set_is_told_to_be_no_store(self, copy, cli, monkeypatch):
        copy()
        monkeypatch.setenv("SWARM_SERVER", "http://127.0.0.1:1")

        ended = [cli("audit", *words) for words in (["verify", "--all"], ["head", "RUN-1"], ["export", "RUN-1"])]

        assert [2, 2, 2] == [one.code for one in ended]
        assert all("works on a store itself, not over a server" in one.err for one in ended)

    @each_example
    @given(data=st.data())
    def test_each_single_byte_of_a_row_counts(self, edited, found, data):
        number, first, body = data.draw(st.sampled_from(kept().rows))
        text = body.encode()
        place = data.draw(st.integers(0, len(text) - 1))
        byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != text[place]))
        edited((NEW, (text[:place] + bytes([byte]) + text[place + 1 :], number)))

        assert first == found()[0][0]

    @each_example
    @given(data=st.data())
    def test_a_byte_too_many_or_too_few_counts(self, edited, found, data):
        number, first, body = data.draw(st.sampled_from(kept().rows))
        text = body.encode()
        place = data.draw(st.integers(0, len(text) - 1))
        extra = data.draw(st.binary(max_size=1))
        edited((NEW, (text[:place] + extra + text[place + 1 - len(extra) :], number)))

        assert first == found()[0][0]

    @pytest.mark.parametrize("at", range(len(kept().rows)))
    def test_a_row_that_is_gone(self, edited, found, at):
        number, first, _ = kept().rows[at]
        edited(("DELETE FROM journal WHERE id = ?", (number,)))

        assert (first, "missing") == found()[0]

    @pytest.mark.parametrize("at", range(len(kept().rows) - 1))
    def test_rows_that_changed_places(self, edited, found, at):
        (one, first, body), (two, _, other) = kept().rows[at : at + 2]
        edited((NEW, (other, one)), (NEW, (body, two)))

        assert first == found()[0][0]

    @pytest.mark.parametrize("at", range(len(kept().rows)))
    def test_a_row_that_stands_twice(self, edited, found, at):
        number, first, body = kept().rows[at]
        last = kept().rows[-1][0]
        count = (number & 0xFFFFFFFF) - first + 1
        after = (last & 0xFFFFFFFF) + 1
        edited(("INSERT INTO journal (id, first_seq, body) VALUES (?, ?, ?)", (last + count, after, body)))

        assert (after, "altered") == found()[0]

    @pytest.mark.parametrize("at", range(len(kept().rows)))
    def test_rows_that_two_runs_have_exchanged(self, edited, cli, at):
        number, first, body = kept().rows[at]
        with closing(sqlite3.connect(kept().file)) as connection:
            other, others = connection.execute(
                "SELECT id, body FROM journal WHERE first_seq = ? AND id > ?", (first, kept().rows[-1][0])
            ).fetchone()
        edited((NEW, (others, number)), (NEW, (body, other)))

        ended = cli("audit", "verify", *kept().runs, "--json")

        assert 1 == ended.code
        assert [first, first] == [chain["findings"][0]["seq"] for chain in ended.json]

    @pytest.mark.parametrize("status", ["failed", "cancelled", "interrupted"])
    def test_a_record_that_says_something_else_than_the_events(self, edited, found, status):
        edited(("UPDATE runs SET status = ? WHERE id = ?", (status, kept().runs[0])))

        assert [(0, "record")] == found()

    def test_a_word_for_people_says_where(self, edited, cli):
        number, first, body = kept().rows[2]
        last = number & 0xFFFFFFFF
        edited((NEW, (body.replace('"n":', '"m":'), number)))

        ended = cli("audit", "verify", kept().runs[0])

        assert 1 == ended.code
        assert (
            f"{kept().runs[0]}: events {first} to {last} are not what was written after event {first - 1}" in ended.err
        )

    def test_a_run_that_is_not_there(self, copy, cli):
        copy()

        assert 4 == cli("audit", "verify", "RUN-0000").code

    @pytest.mark.parametrize(
        "args", [(), ("RUN-1", "--all"), ("--all", "--head", "ab" * 32), ("RUN-1", "RUN-2", "--head", "ab" * 32),
                 ("RUN-1", "--head", "xyz"), ("--all", "--file", "swarm.toml")]
    )  # fmt: skip
    def test_cl145_what_does_not_go_together_is_a_usage_error(self, copy, cli, args):
        copy()

        assert 2 == cli("audit", "verify", *args).code

    def test_no_runs_are_no_error(self, folder, cli):
        ended = cli("audit", "verify", "--all", "--store", f"sqlite:///{folder}/none.db")

        assert (0, True) == (ended.code, "no runs" in ended.out)
        assert not (folder / "none.db").exists()


class TestHead:
    def test_a_head_that_was_kept_proves_that_nothing_was_rewritten(self, copy, cli):
        copy()
        number, status, link = cli("audit", "head", kept().runs[0]).out.split()

        ended = cli("audit", "verify", kept().runs[0], "--head", link)

        assert (0, "done", kept().rows[-1][0] & 0xFFFFFFFF) == (ended.code, status, int(number))

    def test_a_run_that_was_rewritten_with_its_links_is_found_with_the_head(self, copy, cli):
        copy()
        link = cli("audit", "head", kept().runs[1], "--json").json["link"]

        ended = cli("audit", "verify", kept().runs[0], "--head", link)

        assert (1, True) == (
            ended.code,
            f"no row up to event {kept().rows[-1][0] & 0xFFFFFFFF} has the link" in ended.err,
        )

    def test_a_run_that_is_not_whole_has_no_head(self, edited, cli):
        number, _, body = kept().rows[1]
        edited((NEW, (body.replace("work", "play"), number)))

        ended = cli("audit", "head", kept().runs[0])

        assert (1, "") == (ended.code, ended.out)


class TestFile:
    @pytest.fixture
    def exported(self, copy, cli, folder):
        """Export a run and return the file's bytes; the store is gone then."""
        copy()
        assert 0 == cli("audit", "export", kept().runs[0], "-o", "run.jsonl").code
        (folder / "runs.db").unlink()
        return (folder / "run.jsonl").read_bytes()

    def test_a_file_is_checked_without_the_store(self, exported, cli, folder):
        ended = cli("audit", "verify", "--file", "run.jsonl", "--json")

        assert (0, True) == (ended.code, ended.json[0]["whole"])
        assert not (folder / "runs.db").exists()

    def test_it_has_every_event_and_the_link_of_its_row(self, exported):
        header, *events, end = [json.loads(line) for line in exported.splitlines()]

        assert [event["seq"] for event in events] == list(range(1, header["events"] + 1))
        assert {"run_started", "task_pass", "attempt_ended", "run_ended"} <= {event["kind"] for event in events}
        assert all(len(event["link"]) == 64 and event["row"][0] <= event["seq"] <= event["row"][1] for event in events)
        assert {"sha256"} == end.keys()

    def test_its_head_is_that_of_the_run(self, exported, cli):
        link = json.loads(exported.splitlines()[-2])["link"]

        assert 0 == cli("audit", "verify", "--file", "run.jsonl", "--head", link).code
        assert 1 == cli("audit", "verify", "--file", "run.jsonl", "--head", "00" * 32).code

    def test_to_stdout_it_is_the_same_but_for_its_time(self, copy, cli):
        copy()

        lines = cli("audit", "export", kept().runs[0]).out.splitlines()

        assert json.loads(lines[0])["run"] == kept().runs[0]
        assert json.loads(lines[-1]).keys() == {"sha256"}

    def test_a_file_that_is_there_is_left_alone(self, copy, cli, folder):
        copy()
        (folder / "mine").write_text("precious")

        ended = cli("audit", "export", kept().runs[0], "-o", "mine")

        assert (2, "precious") == (ended.code, (folder / "mine").read_text())

    @pytest.mark.parametrize(
        "content", [b"", b"\n", b"hello\n", b"{}\n", b'{"audit":2}\n', b"\xff\xfe\n", b"[" * 99999]
    )
    def test_what_is_no_export_is_refused(self, cli, folder, content):
        (folder / "other").write_bytes(content)

        ended = cli("audit", "verify", "--file", "other")

        assert (3, True) == (ended.code, "no audit export" in ended.err)

    def test_a_damaged_row_is_told_and_no_file_is_left(self, edited, cli, folder):
        number, first, body = kept().rows[1]
        edited((NEW, (body[:-60], number)))

        ended = cli("audit", "export", kept().runs[0], "-o", "run.jsonl")

        assert (6, True) == (ended.code, f"events {first} to" in ended.err and "swarm audit verify" in ended.err)
        assert ["runs.db", "swarm.toml"] == sorted(path.name for path in folder.iterdir() if "-" not in path.name)


# the layer ---------------------------------------------------------------------------------------------------


class Delegate(SpawnerLayer):
    """Takes every attempt over."""

    async def run(self, call, inner):
        return Result("delegated")


class Refuse(SpawnerLayer):
    """Lets no attempt through."""

    async def run(self, call, inner):
        raise ValueError("not today")


class Layers:
    """A plugin with layers further in."""

    SWARM_API = 1

    @hookimpl
    def swarm_register_layers(self):
        return [
            LayerFactory("delegate", Stage.DELEGATE, lambda options, environment: Delegate()),
            LayerFactory("refuse", Stage.ROUTE, lambda options, environment: Refuse()),
        ]


async def follow(launched, seen):
    async for event in launched.events():
        seen.append(event.kind)


async def audited(document, worker, *, other=work, cancel_when=None, seen=None, **engine):
    """Run a document and return its events as (kind, attempt, facts)."""
    options = Settings(engine=EngineSettings(**engine))
    plugins, functions = (swarm_plugin_audit, Layers()), {"work": worker, "other": other}
    async with Swarm.open(options, plugins=plugins, functions=functions, store="memory://") as swarm:
        launched = await swarm.launch(document, init_ctx={})
        follower = asyncio.create_task(follow(launched, seen if seen is not None else []))
        if cancel_when is not None:
            await asyncio.wait_for(cancel_when.wait(), 10)
            await launched.cancel()
        await asyncio.wait_for(launched.wait(), 10)
        await follower
        return [(event.kind, event.attempt, event.data) async for event in launched.events()]


def own(events):
    """Return what audit has published, without the times."""
    ours = ("attempt_started", "attempt_ended", "attempt_failed")
    shown = [(kind, attempt, data.get("error", data.get("ok"))) for kind, attempt, data in events if kind in ours]
    assert all(data["elapsed"] >= 0 for kind, _, data in events if kind in ours[1:])
    return shown


class TestLayer:
    async def test_each_attempt_of_a_step_has_a_start_and_an_end(self):
        async def fails_once(call):
            if call.attempt == 1:
                raise ValueError("not yet")
            return 1

        events = await audited(blueprint(STEP, retry={"max_attempts": 2, "backoff": "10ms"}), fails_once)

        assert [
            ("attempt_started", 1, None),
            ("attempt_failed", 1, "ValueError"),
            ("attempt_started", 2, None),
            ("attempt_ended", 2, True),
        ] == own(events)

    async def test_a_cancelled_attempt_has_an_end(self):
        here = asyncio.Event()

        async def stays(call):
            here.set()
            await asyncio.get_running_loop().create_future()

        events = await audited(blueprint(STEP), stays, cancel_when=here)

        assert [("attempt_started", 1, None), ("attempt_failed", 1, "CancelledError")] == own(events)
        assert "run_ended" == events[-1][0]

    async def test_an_attempt_that_was_timed_out_has_an_end(self):
        async def stays(call):
            await asyncio.get_running_loop().create_future()

        events = await audited(blueprint(STEP, timeout="50ms"), stays)

        assert [("attempt_started", 1, None), ("attempt_failed", 1, "CancelledError")] == own(events)

    async def test_the_late_end_of_a_worker_that_was_given_up_is_noted_by_the_engine(self):
        """For an attempt that is over nothing can be published; its start, and the engine's events, tell the rest."""
        seen = []

        async def stubborn(call):
            until = asyncio.get_running_loop().time() + 0.4
            while (left := until - asyncio.get_running_loop().time()) > 0:
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(left)
            return "late"

        async def patient(call):
            while "late_result_ignored" not in seen:
                await asyncio.sleep(0.01)
            return "in time"

        other = {**STEP, "ref": "other"}
        tried = {"kind": "try", "body": STEP, "catch": other, "err_at": {"op": "path", "at": "$.error"}}
        document = blueprint(tried, timeout="50ms")
        document["agents"].append({"name": "other", "kind": "function", "spec": {"fn_id": "other"}})

        events = await audited(document, stubborn, seen=seen, other=patient, cancel_grace=0.05)

        late = ("attempt_started", "worker_abandoned", "attempt_ended", "late_result_ignored", "attempt_failed")
        assert ["attempt_started", "worker_abandoned", "attempt_started", "late_result_ignored", "attempt_ended"] == [
            kind for kind, _, _ in events if kind in late
        ]

    async def test_it_sees_what_layers_further_in_make_of_an_attempt(self):
        async def never(call):
            raise AssertionError("it was delegated")

        assert [("attempt_started", 1, None), ("attempt_ended", 1, True)] == own(
            await audited(blueprint(STEP, layers=["delegate"]), never)
        )
        assert [("attempt_started", 1, None), ("attempt_failed", 1, "ValueError")] == own(
            await audited(blueprint(STEP, layers=["refuse"]), never)
        )

    async def test_fingerprints_of_input_and_result_are_told_when_asked_for(self):
        document = blueprint(STEP)
        document["spawner_hints"]["layers"] = [{"audit": {"values": True}}]

        events = await audited(document, work)

        facts = {name: fact for _, _, data in events for name, fact in data.items() if name.endswith("_sha256")}
        assert facts == {
            "input_sha256": sha256(b"{}").hexdigest(),
            "result_sha256": sha256(b'{"n":1}').hexdigest(),
        }

"""The client of a program, with and without an event loop, against a real server."""

import asyncio
import logging

import pytest
from swarm_plugin_client import AsyncClient, Client, ClientError, ServerRefused

from swarm_core.errors import (
    AccessDenied,
    AlreadyAnswered,
    BlueprintNotFound,
    InvalidBlueprint,
    NotFound,
    RunEnded,
    RunNotFound,
    SettingsError,
)
from swarm_core.model.run import RunResult, StoredRun
from swarm_core.model.task import RunStatus, TaskStatus

DOUBLING = {
    "id": "doubling",
    "default_init_ctx": {"number": 4},
    "agents": [{"name": "doubled", "kind": "function", "spec": {"fn_id": "double"}}],
    "flow": {
        "kind": "step",
        "ref": "doubled",
        "in": {"op": "path", "at": "$.number"},
        "out": {"op": "path", "at": "$.doubled"},
    },
}
ASKING = {
    **DOUBLING,
    "id": "asking",
    "agents": [{"name": "doubled", "kind": "ask", "spec": {"question": "How many?", "schema": {"type": "integer"}}}],
}
FAILING = {**DOUBLING, "id": "failing", "agents": [{"name": "doubled", "kind": "function", "spec": {"fn_id": "fail"}}]}


@pytest.fixture
async def client(server):
    async with AsyncClient(server.url, server.token) as opened:
        yield opened


@pytest.fixture
def in_order(server):
    with Client(server.url, server.token) as opened:
        yield opened


async def ended(client, run_id):
    return [event async for event in client.runs.events(run_id)]


class TestTasks:
    async def test_a_task_is_run_to_its_end(self, client):
        done = await client.tasks.run(DOUBLING, init_ctx={"number": 5}, ttl_secs=30)

        assert {"number": 5, "doubled": 10} == done.final_ctx
        assert (30, "request_body") == (done.effective_ttl_secs, done.ttl_source)
        assert RunStatus.DONE is (await client.runs.get(done.run_id)).status

    async def test_a_flow_that_fails_is_an_error_that_knows_its_run(self, client):
        with pytest.raises(ServerRefused, match="it is odd") as caught:
            await client.tasks.run(FAILING)

        assert (422, "run_failed") == (caught.value.status, caught.value.code)
        assert RunStatus.FAILED is (await client.runs.get(caught.value.document["run_id"])).status

    async def test_the_same_key_launches_once(self, client):
        first = await client.tasks.launch(DOUBLING, key="key-1")
        second = await client.tasks.launch(DOUBLING, key="key-1")

        assert first.run_id == second.run_id

    async def test_a_key_of_another_launch_is_refused(self, client):
        await client.tasks.launch(DOUBLING, key="key-2")

        with pytest.raises(ServerRefused) as caught:
            await client.tasks.launch(FAILING, key="key-2")

        assert "idempotency_key_reused" == caught.value.code

    async def test_a_wrong_blueprint_has_all_its_problems(self, client):
        wrong = {**DOUBLING, "agents": [{"name": "doubled", "kind": "functoin"}]}

        with pytest.raises(InvalidBlueprint) as caught:
            await client.tasks.launch(wrong)

        assert isinstance(caught.value, ServerRefused)
        assert "$.agents[0].kind" == caught.value.problems[0].path
        problems = await client.check(wrong)
        assert caught.value.problems[0].code in [problem.code for problem in problems]

    async def test_a_blueprint_that_the_server_keeps_is_named(self, client):
        await client.blueprints.add("doubling", DOUBLING)

        done = await client.tasks.run("bp:doubling", init_ctx={"number": 1})

        assert 2 == done.final_ctx["doubled"]
        assert ["doubling"] == [entry["blueprint_id"] for entry in await client.blueprints.list()]
        version = (await client.blueprints.head("doubling"))["version"]
        assert version == (await client.blueprints.history("doubling"))[0]["hash"]
        assert DOUBLING["id"] == (await client.blueprints.version("doubling", version[:8]))["blueprint"]["id"]
        await client.blueprints.archive("doubling")
        with pytest.raises(ServerRefused, match="archived"):
            await client.tasks.run("bp:doubling")
        await client.blueprints.unarchive("doubling")

    async def test_one_that_is_not_kept_is_not_found(self, client):
        with pytest.raises(BlueprintNotFound):
            await client.tasks.run("bp:nobody")

    async def test_it_is_kept_with_a_message_and_listed_also_when_it_is_archived(self, client):
        await client.blueprints.add("said", {**DOUBLING, "id": "said"}, message="first & last", by="ann")
        await client.blueprints.add("unsaid", {**DOUBLING, "id": "unsaid"})
        await client.blueprints.archive("said")

        (entry,) = await client.blueprints.list(archived=True)
        (unsaid,) = await client.blueprints.history("unsaid")

        assert ("said", True) == (entry["blueprint_id"], entry["archived"])
        assert ("first & last", "ann") == (entry["rationale"], entry["author"])
        assert ("", "server") == (unsaid["rationale"], unsaid["author"])
        assert "said" not in [each["blueprint_id"] for each in await client.blueprints.list()]

    async def test_the_first_digits_of_a_version_do_wherever_a_blueprint_is_named(self, client):
        old = await client.blueprints.add("digits", {**DOUBLING, "id": "digits", "default_init_ctx": {"number": 1}})
        await client.blueprints.add("digits", {**DOUBLING, "id": "digits", "default_init_ctx": {"number": 2}})
        waiting = await client.tasks.launch(ASKING)
        named = f"bp:digits@{old['version'][:6].upper()}"

        launched = await client.tasks.launch(named)
        plan = await client.runs.migrate(waiting.run_id, named)

        assert 2 == (await client.tasks.run(named)).final_ctx["doubled"]
        assert old["version"] == (await client.runs.get(launched.run_id)).launch["kept"]["version"]
        assert () == await client.check(named)
        assert "digits" == (await client.explain(named))["blueprint"]
        assert plan["migrated"] is False
        assert 2 == (await client.tasks.run(f"bp:digits@{old['version']}")).final_ctx["doubled"]

    async def test_digits_that_no_version_begins_with_are_not_found(self, client):
        await client.blueprints.add("doubling", DOUBLING)

        with pytest.raises(BlueprintNotFound):
            await client.tasks.launch("bp:doubling@0000000000")


class TestRuns:
    async def test_a_run_is_followed_from_its_first_event_to_its_last(self, client):
        run = await client.tasks.launch(DOUBLING)

        events = await ended(client, run.run_id)

        assert list(range(1, len(events) + 1)) == [event.seq for event in events]
        assert ("run_started", "run_ended") == (events[0].kind, events[-1].kind)
        assert events == list(await client.runs.recorded(run.run_id))
        assert events[3:] == [event async for event in client.runs.events(run.run_id, after=3)]
        assert events[1:3] == list(await client.runs.recorded(run.run_id, after=1, limit=2))
        assert events[1:] == list(await client.runs.recorded(run.run_id, after=1, limit=10_000))

    async def test_a_run_is_told_in_the_core_s_own_values(self, client):
        run_id = (await client.tasks.run(DOUBLING)).run_id

        record, result, steps = await asyncio.gather(
            client.runs.get(run_id), client.runs.result(run_id), client.runs.steps(run_id)
        )

        assert (StoredRun, run_id) == (type(record), record.id)
        assert (
            RunResult(run_id=run_id, status=RunStatus.DONE, final_ctx={"number": 4, "doubled": 8}, counts=record.counts)
            == result
        )
        assert [("/", TaskStatus.PASS, 8)] == [(step.address, step.status, step.result) for step in steps]

    async def test_pages_of_runs_have_every_run_once(self, client):
        ids = [(await client.tasks.run({**DOUBLING, "id": "paged"})).run_id for _ in range(3)]

        first = await client.runs.list(blueprint_id="paged", limit=2)
        second = await client.runs.list(blueprint_id="paged", limit=2, before=first.next)

        assert ids[::-1] == [run.id for page in (first, second) for run in page.runs]
        assert second.next is None

    async def test_what_is_not_there_is_not_found_as_it_is_here(self, client):
        with pytest.raises(RunNotFound) as caught:
            await client.runs.get("RUN-0000000000000000")

        assert isinstance(caught.value, NotFound) and isinstance(caught.value, ClientError)
        assert (404, "run_not_found") == (caught.value.status, caught.value.code)

    async def test_a_run_is_cancelled_once(self, client):
        run = await client.tasks.launch(ASKING)
        cancelled = await client.runs.cancel(run.run_id, wait=10)

        assert RunStatus.CANCELLED is cancelled.status
        done = await client.tasks.run(DOUBLING)
        with pytest.raises(RunEnded):
            await client.runs.cancel(done.run_id)

    async def test_a_run_is_begun_anew_from_a_step(self, client):
        done = await client.tasks.run(DOUBLING)

        again = await client.runs.rerun(done.run_id, ["/"])
        await ended(client, again.run_id)

        assert done.run_id == (await client.runs.get(again.run_id)).parent

    async def test_a_migration_is_told_before_it_is_done(self, client):
        run = await client.tasks.launch(ASKING)

        plan = await client.runs.migrate(run.run_id, ASKING)

        assert plan["migrated"] is False


class TestQuestions:
    async def test_a_question_is_answered_and_the_run_goes_on(self, client):
        run = await client.tasks.launch(ASKING)
        async for event in client.runs.events(run.run_id):
            if event.kind == "run_waiting":
                break

        (question,) = await client.questions.list(run.run_id)
        answered = await client.questions.answer(question.key, 3, by="ann")

        assert ("How many?", 3, "ann") == (question.question["text"], answered.answer, answered.answered_by)
        assert "run_ended" == (await ended(client, run.run_id))[-1].kind
        assert answered == await client.questions.get(question.key)
        with pytest.raises(AlreadyAnswered):
            await client.questions.answer(question.key, 4)


class TestServer:
    async def test_it_says_how_it_is(self, client):
        assert "ok" == await client.health()
        assert (await client.ready())["ready"] is True
        assert "client" in [plugin["name"] for plugin in (await client.plugins())["plugins"]]
        assert "swarm_" in await client.metrics()
        assert (await client.doctor())["auth"] is True
        assert "doubling" == (await client.explain(DOUBLING))["blueprint"]

    async def test_it_explains_a_blueprint_as_it_would_be_run(self, client):
        plain = await client.explain(DOUBLING)
        bound = await client.explain(DOUBLING, bind={"doubled": "fake"}, layer_set="standard")

        assert ("function", "fake") == (plain["agents"][0]["kind"], bound["agents"][0]["kind"])
        with pytest.raises(InvalidBlueprint, match="no layer set is named 'nowhere'"):
            await client.explain(DOUBLING, layer_set="nowhere")

    async def test_a_wrong_token_is_denied(self, server):
        async with AsyncClient(server.url, "wrong") as client:
            with pytest.raises(AccessDenied) as caught:
                await client.runs.list()

        assert 401 == caught.value.status

    async def test_p40_the_token_is_in_no_repr_log_or_error(self, server, caplog):
        token = "canary-7f1d2c"
        with caplog.at_level(logging.DEBUG):
            async with AsyncClient(server.url, token) as client:
                with pytest.raises(ServerRefused) as caught:
                    await client.runs.list()
                with pytest.raises(ClientError):
                    await anext(client.operators.session("nobody", token).frames())
                said = [repr(client), repr(vars(client)), str(caught.value), repr(caught.value), caplog.text]
                said += [
                    repr(client._sender.reach),
                    repr(client.worker(token)),
                    repr(client.operators.session("s", token)),
                ]

        assert not [text for text in said if token in text]

    @pytest.mark.parametrize("token", ["two words", "line\nbreak", "ü"])
    def test_a_token_that_cannot_be_one_is_refused_without_telling_it(self, token):
        with pytest.raises(SettingsError, match="no token") as caught:
            Client("http://127.0.0.1:1", token)

        assert token not in str(caught.value)


class TestInOrder:
    """A program without an event loop has the same."""

    def test_a_run_from_launch_to_result(self, in_order):
        run = in_order.tasks.launch(DOUBLING, key="in-order")

        kinds = [event.kind for event in in_order.runs.events(run.run_id)]

        assert ("run_started", "run_ended") == (kinds[0], kinds[-1])
        assert {"number": 4, "doubled": 8} == in_order.runs.result(run.run_id).final_ctx
        assert 8 == in_order.tasks.run(DOUBLING).final_ctx["doubled"]
        assert run.run_id in [each.id for each in in_order.runs.list().runs]
        assert 1 == len(in_order.runs.steps(run.run_id))
        assert kinds == [event.kind for event in in_order.runs.recorded(run.run_id)]
        assert kinds[1:3] == [event.kind for event in in_order.runs.recorded(run.run_id, after=1, limit=2)]

    def test_a_version_by_its_first_digits(self, in_order):
        old = in_order.blueprints.add("in-order", {**DOUBLING, "id": "in-order"}, message="first")
        in_order.blueprints.add("in-order", {**ASKING, "id": "in-order"}, message="second")

        done = in_order.tasks.run(f"bp:in-order@{old['version'][:6]}")

        assert 8 == done.final_ctx["doubled"]
        said = [entry["rationale"] for entry in in_order.blueprints.history("in-order")]
        assert ["second", "first"] == said

    def test_a_question_and_its_answer(self, in_order):
        run = in_order.tasks.launch(ASKING)
        next(event for event in in_order.runs.events(run.run_id) if event.kind == "run_waiting")
        (question,) = in_order.questions.list(run.run_id)

        in_order.questions.answer(question.key, 7)

        assert "run_ended" == list(in_order.runs.events(run.run_id))[-1].kind

    def test_what_it_refuses_is_raised(self, in_order):
        with pytest.raises(RunNotFound):
            in_order.runs.get("RUN-0000000000000000")
        with pytest.raises(RunNotFound):
            list(in_order.runs.events("RUN-0000000000000000"))

    def test_both_clients_have_the_same_calls(self, in_order, server):
        async def opened():
            async with AsyncClient(server.url, server.token) as client:
                return client

        client = asyncio.run(opened())

        def calls(part):
            return {name for name in dir(part) if not name.startswith("_")}

        assert calls(client) - calls(in_order) == {"operators", "aclose"}
        for name in ("tasks", "runs", "questions", "blueprints"):
            assert calls(getattr(client, name)) == calls(getattr(in_order, name))
        assert calls(client.worker("x")) == calls(in_order.worker("x"))

"""Questions over HTTP: listed, shown, answered once."""

import asyncio

import pytest

ASKING = {
    "id": "asking",
    "flow": {
        "kind": "step",
        "ref": "asker",
        "in": {"op": "path", "at": "$"},
        "out": {"op": "path", "at": "$.out"},
    },
    "agents": [
        {
            "name": "asker",
            "kind": "ask",
            "spec": {"question": "How many?", "schema": {"type": "integer", "minimum": 1}, "who": ["ann", "bob"]},
        }
    ],
}


@pytest.fixture
async def asked(served):
    """Launch a run that asks; return its id and the question."""
    body = {"blueprint": {"kind": "inline", "value": ASKING}, "init_ctx": {}, "detach": True}
    run_id = (await served.http.post("/v1/tasks", json=body)).json()["run_id"]
    async with asyncio.timeout(20):
        while not (found := (await served.http.get(f"/v1/questions?run_id={run_id}")).json()["questions"]):
            await asyncio.sleep(0.02)
    return run_id, found[0]


async def token_of(served, role, agent_id="ann"):
    body = {"agent_id": agent_id, "role": role, "ttl_secs": 60}
    return (await served.http.post("/v1/sessions", json=body)).json()["token"]


class TestQuestions:
    async def test_what_waits_is_listed_and_shown(self, served, asked):
        run_id, question = asked

        shown = (await served.http.get(f"/v1/questions/{question['key']}")).json()

        assert (question["run_id"], question["state"], question["who"]) == (run_id, "open", ["ann", "bob"])
        assert shown == question

    async def test_an_answer_lets_the_run_go_on_and_the_first_one_counts(self, served, asked):
        run_id, question = asked
        address = f"/v1/questions/{question['key']}/answer"

        first = await served.http.post(address, json={"answer": 3, "by": "ann"})
        second = await served.http.post(address, json={"answer": 4, "by": "bob"})

        assert (first.status_code, first.json()["answer"], first.json()["answered_by"]) == (200, 3, "ann")
        assert (second.status_code, second.json()["code"]) == (409, "already_answered")
        ended = (await served.http.get(f"/v1/runs/{run_id}/result?wait=20")).json()
        assert ended["final_ctx"] == {"out": 3}
        assert (await served.http.get("/v1/questions?open=true")).json() == {"questions": []}
        assert (await served.http.get("/v1/questions")).json()["questions"][0]["state"] == "answered"

    @pytest.mark.parametrize(("answer", "by", "refused"), [(0, "ann", 422), ("3", "ann", 422), (3, "eve", 403)])
    async def test_an_answer_that_does_not_fit_leaves_the_question_open(self, served, asked, answer, by, refused):
        address = f"/v1/questions/{asked[1]['key']}"

        told = await served.http.post(f"{address}/answer", json={"answer": answer, "by": by})

        assert told.status_code == refused
        assert (await served.http.get(address)).json()["state"] == "open"

    async def test_a_senior_answers_in_its_own_name_only(self, served, asked):
        address = f"/v1/questions/{asked[1]['key']}/answer"
        async with served.client(await token_of(served, "senior")) as ann:
            as_bob = await ann.post(address, json={"answer": 3, "by": "bob"})
            as_ann = await ann.post(address, json={"answer": 3})

        assert (as_bob.status_code, as_bob.json()["code"]) == (403, "answer_denied")
        assert (as_ann.status_code, as_ann.json()["answered_by"]) == (200, "ann")

    @pytest.mark.parametrize("role", ["operator", "observer"])
    async def test_other_roles_do_not_answer(self, served, asked, role):
        async with served.client(await token_of(served, role)) as other:
            told = await other.post(f"/v1/questions/{asked[1]['key']}/answer", json={"answer": 3})

        assert told.status_code == 403

    @pytest.mark.parametrize("key", ["R-nothing", "x" * 500, "' OR 1=1 --"])
    async def test_row_100_a_key_that_is_none_is_404(self, served, key):
        shown = await served.http.get(f"/v1/questions/{key}")
        answered = await served.http.post(f"/v1/questions/{key}/answer", json={"answer": 1})

        assert (shown.status_code, answered.status_code) == (404, 404)
        assert len(shown.json()["error"]) < 300

    async def test_questions_of_a_run_that_is_not_there_are_404(self, served):
        assert (await served.http.get("/v1/questions?run_id=RUN-0000000000000000")).status_code == 404

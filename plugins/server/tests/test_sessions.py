"""Sessions over HTTP: a token with less than the server's, for as long as it is wanted."""

import pytest

PURE = {"id": "pure", "flow": {"kind": "seq", "children": []}}


def wanted(**more):
    return {"agent_id": "ann", "role": "observer", "ttl_secs": 60, **more}


class TestAttach:
    async def test_the_answer_is_that_of_the_seeds_and_has_a_token(self, served):
        answer = await served.http.post("/v1/sessions", json=wanted())

        told = answer.json()
        assert (answer.status_code, told["role"]) == (200, "observer")
        assert len(bytes.fromhex(told["session_id"])) == 16

    @pytest.mark.parametrize(("role", "launches", "reads"), [("operator", 200, 200), ("observer", 403, 200)])
    async def test_the_token_opens_what_its_role_may(self, served, role, launches, reads):
        token = (await served.http.post("/v1/sessions", json=wanted(role=role))).json()["token"]
        async with served.client(token) as holder:
            launched = await holder.post(
                "/v1/tasks", json={"blueprint": {"kind": "inline", "value": PURE}, "init_ctx": {}}
            )
            read = await holder.get("/v1/runs")

        assert (launched.status_code, read.status_code) == (launches, reads)

    async def test_the_session_is_no_token(self, served):
        session_id = (await served.http.post("/v1/sessions", json=wanted())).json()["session_id"]
        async with served.client(session_id) as holder:
            assert (await holder.get("/v1/runs")).status_code == 401

    async def test_an_unknown_role_is_400(self, served):
        answer = await served.http.post("/v1/sessions", json=wanted(role="observr"))

        assert (answer.status_code, answer.json()["code"]) == (400, "unknown_role")
        assert "observer" in answer.json()["hint"]

    @pytest.mark.parametrize("more", [{"ttl_secs": 0}, {"ttl_secs": 10**10}, {"agent_id": ""}, {"agent_id": "a\nb"}])
    async def test_what_cannot_be_is_422(self, served, more):
        assert (await served.http.post("/v1/sessions", json=wanted(**more))).status_code == 422

    async def test_an_operator_opens_sessions_with_no_more_than_its_own_rights(self, served):
        token = (await served.http.post("/v1/sessions", json=wanted(role="operator"))).json()["token"]
        async with served.client(token) as operator:
            same = await operator.post("/v1/sessions", json=wanted(role="operator", agent_id="bob", ttl_secs=3600))
            more = await operator.post("/v1/sessions", json=wanted(role="senior"))

        assert (same.status_code, more.status_code) == (200, 403)
        assert same.json()["expire_at"] <= served.swarm.engine.clock.time() + 61


class TestDetach:
    async def test_it_ends_the_session_and_its_token(self, served):
        told = (await served.http.post("/v1/sessions", json=wanted())).json()
        async with served.client(told["token"]) as holder, served.client(told["session_id"]) as session:
            before = await holder.get("/v1/runs")
            ended = await session.delete("/v1/sessions")
            after = await holder.get("/v1/runs")
            again = await session.delete("/v1/sessions")

        statuses = [each.status_code for each in (before, ended, after, again)]
        assert statuses == [200, 204, 401, 404]

    async def test_without_a_bearer_it_is_400_and_with_any_other_404(self, served):
        async with served.client() as nobody, served.client("0" * 32) as other:
            assert (await nobody.delete("/v1/sessions")).status_code == 400
            assert (await other.delete("/v1/sessions")).status_code == 404

    async def test_no_secret_of_a_session_is_kept(self, served):
        told = (await served.http.post("/v1/sessions", json=wanted())).json()

        kept = repr(vars(served.swarm.engine.sessions))
        assert told["session_id"] not in kept
        assert told["token"] not in kept

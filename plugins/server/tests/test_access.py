"""Who is let in: the server's token, capability tokens by role and verb, nobody else."""

import asyncio
import os
import stat
from uuid import uuid4

import pytest
from swarm_plugin_server.access import ServerToken, bearer_of
from swarm_plugin_server.problems import Refused
from swarm_plugin_server.routes import own_endpoints
from swarm_plugin_server.settings import ServerSettings

from swarm_core.endpoints import Access
from swarm_core.errors import SettingsError
from swarm_core.model.access import DEFAULT_ROLE_VERBS, Role
from swarm_core.tokens import encode_token

OWN = sorted(own_endpoints(), key=lambda endpoint: endpoint.name)
ROLES = (Role.OPERATOR, Role.SENIOR, Role.OBSERVER, Role.WORKER)
STAYS = {
    "schema_version": "0.1.0",
    "id": "stays",
    "flow": {"kind": "step", "ref": "a", "in": {"op": "lit", "value": 1}, "out": {"op": "path", "at": "$.a"}},
    "agents": [{"name": "a", "kind": "function", "spec": {"fn_id": "stay"}}],
}
UNKNOWN = {
    "run_id": f"RUN-{uuid4()}",
    "key": f"R-{uuid4()}",
    "version": "0" * 64,
    "sid": f"op-{uuid4()}",
}


async def call(http, endpoint, **options):
    path = endpoint.path.format_map(_Parts())
    return await http.request(endpoint.method, path, **options)


class _Parts(dict):
    def __missing__(self, name):
        return UNKNOWN.get(name, "nothing-of-this-name")


class TestTheTable:
    def test_p23_what_needs_no_credential_is_said_here(self):
        """Whoever adds a public endpoint has to add it here too."""
        public = {endpoint.path for endpoint in OWN if endpoint.access is Access.PUBLIC}

        assert public == {"/v1/healthz", "/v1/readyz", "/v1/docs"}

    def test_every_name_is_its_own(self):
        names = [endpoint.name for endpoint in OWN]

        assert sorted(names) == sorted(set(names))

    async def test_p28_without_a_credential_only_the_public_ones_answer(self, served):
        async with served.client() as anybody:
            answers = {endpoint.name: await call(anybody, endpoint) for endpoint in OWN}

        for endpoint in OWN:
            answer = answers[endpoint.name]
            if endpoint.access is Access.PUBLIC:
                assert answer.status_code == 200
            else:
                assert answer.status_code == endpoint.without_credential, endpoint.name
                assert answer.json()["code"] == "unauthenticated"
        assert {endpoint.without_credential for endpoint in OWN} <= {400, 401}

    async def test_p23_a_wrong_credential_is_answered_alike_whatever_is_wrong_with_it(self, serve):
        served = await serve(settings=ServerSettings(port=0, max_wrong=10_000))
        expired = served.swarm.engine.attach("late", ttl=1)
        revoked = served.swarm.engine.attach("gone")
        served.swarm.engine._authority.revoke(revoked)
        good = encode_token(served.swarm.engine.attach("me"))
        wrong = {
            "another secret": "x" * 43,
            "no token": "eyJhbGciOiJIUzI1NiJ9",
            "one letter changed": good[:-9] + ("A" if good[-9] != "A" else "B") + good[-8:],
            "revoked": encode_token(revoked),
            "unknown handle": f"wh-{'0' * 32}",
            "expired": encode_token(expired),
        }
        served.swarm.engine._authority._latest += 3600
        seen = {}
        for what, bearer in wrong.items():
            async with served.client(bearer) as client:
                answer = await client.get("/v1/runs")
            seen[what] = (answer.status_code, answer.text, answer.headers["www-authenticate"])

        assert len(set(seen.values())) == 1
        assert {status for status, *_ in seen.values()} == {401}

    @pytest.mark.parametrize("role", ROLES)
    async def test_p20_a_capability_token_opens_what_its_role_is_granted(self, served, role):
        """Route by route from the one table of roles and verbs: a worker's none but those that say so.

        What has no verb is opened by the server's own token only.
        """
        token = encode_token(served.swarm.engine.attach("me", role))
        wrong = []
        async with served.client(token) as client:
            for endpoint in (each for each in OWN if each.access is Access.TOKEN):
                answer = await call(client, endpoint)
                refused = answer.status_code == 403 and '"forbidden"' in answer.text
                granted = endpoint.verb in DEFAULT_ROLE_VERBS[role] and (role is not Role.WORKER or endpoint.workers)
                if refused is granted or (granted and answer.status_code == 401):
                    wrong.append((endpoint.name, answer.text))

        assert wrong == []

    async def test_a_token_with_fewer_scopes_opens_less(self, served):
        engine = served.swarm.engine
        narrow = engine._authority.attenuate(engine.attach("me", Role.OBSERVER), scopes=["verb:read_task_state"])
        async with served.client(encode_token(narrow)) as client:
            answers = [(await client.get(path)).status_code for path in ("/v1/metrics", "/v1/doctor")]

        assert answers == [403, 403]

    async def test_p20_tk94_the_token_of_one_runs_session_opens_no_other_run(self, serve):
        served = await serve(functions={"stay": asyncio.Event().wait})
        one, other = [await served.swarm.launch(STAYS) for _ in range(2)]
        async with served.client(encode_token(one.attach())) as client:
            own = await client.get(f"/v1/runs/{one.id}")
            foreign = await client.get(f"/v1/runs/{other.id}")
            everything = await client.get("/v1/runs")

        assert own.status_code == 200
        assert {answer.json()["code"] for answer in (foreign, everything)} == {"forbidden"}

    async def test_tk87_a_token_for_one_use_is_good_once_also_at_the_same_moment(self, served):
        engine = served.swarm.engine
        once = engine._authority.attenuate(engine.attach("me", Role.OBSERVER), max_uses=1)
        async with served.client(encode_token(once)) as client:
            answers = await asyncio.gather(*(client.get("/v1/metrics") for _ in range(20)))

        assert sorted(answer.status_code for answer in answers) == [200, *[401] * 19]


class TestBearer:
    @pytest.mark.parametrize(
        "headers",
        [
            [b"Basic dXNlcjpwYXNz"],
            [b"Bearer"],
            [b"Bearer "],
            [b"Bearer a b"],
            [b"Bearer \xc3\xa9"],
            [b"Bearer " + b"a" * 8193],
            [b"Bearer one", b"Bearer two"],
            [b"Bearer one", b"Bearer one"],
        ],
        ids=["basic", "nothing", "blank", "blank inside", "not ascii", "too long", "two", "twice"],
    )
    def test_tk79_whatever_is_no_single_bearer_is_refused(self, headers):
        with pytest.raises(Refused) as caught:
            bearer_of([(b"authorization", value) for value in headers])

        assert (caught.value.status, caught.value.reason) == (401, "unauthenticated")

    @pytest.mark.parametrize("name", ["token", "access_token", "Token"])
    async def test_tk92_a_token_in_the_address_is_refused_and_not_repeated(self, served, name):
        async with served.client() as anybody:
            answer = await anybody.get("/v1/runs", params={name: served.token})

        assert (answer.status_code, answer.json()["code"]) == (400, "token_in_query")
        assert served.token not in answer.text

    async def test_tk91_too_many_wrong_ones_are_told_to_wait_while_right_ones_are_taken(self, serve):
        served = await serve(settings=ServerSettings(port=0, max_wrong=20))
        async with served.client("x" * 43) as guessing:
            statuses = [(await guessing.get("/v1/runs")).status_code for _ in range(30)]
            last = await guessing.get("/v1/runs")

        assert statuses == [401] * 20 + [429] * 10
        assert int(last.headers["retry-after"]) > 0
        assert (await served.http.get("/v1/runs")).status_code == 200


class TestNoAuth:
    async def test_switched_off_the_servers_own_token_is_not_asked_for(self, serve):
        served = await serve(auth=False)

        assert (await served.http.get("/v1/runs")).status_code == 200

    async def test_switched_off_workers_and_sessions_still_need_theirs(self, serve):
        served = await serve(auth=False)
        for endpoint in OWN:
            if endpoint.access in (Access.WORKER, Access.SESSION):
                answer = await call(served.http, endpoint)
                assert answer.status_code == endpoint.without_credential, endpoint.name


class TestTheFile:
    def test_p22_a_token_is_made_once_with_256_bits_for_its_owner_only(self, tmp_path):
        file = tmp_path / "deep" / "server.token"

        made = ServerToken.at(file)

        assert len(made.secret) == 43
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert ServerToken.at(file) == made
        assert ServerToken.at(tmp_path / "other").secret != made.secret
        assert made.secret not in repr(made)

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
    def test_p22_cl148_a_file_that_others_may_read_is_refused(self, tmp_path, mode):
        file = tmp_path / "server.token"
        ServerToken.at(file)
        file.chmod(mode)

        with pytest.raises(SettingsError, match="others may read") as caught:
            ServerToken.at(file)

        assert "chmod 600" in caught.value.hint

    @pytest.mark.parametrize("text", ["", "short", "a" * 31, "two words " * 5, "é" * 40])
    def test_cl148_a_file_without_a_token_is_refused(self, tmp_path, text):
        file = tmp_path / "server.token"
        file.write_text(text, encoding="utf-8")
        file.chmod(0o600)

        with pytest.raises(SettingsError):
            ServerToken.at(file)

    def test_a_place_that_cannot_be_written_is_told(self, tmp_path):
        (tmp_path / "file").write_text("")

        with pytest.raises(SettingsError, match=r"cannot be (kept|read)"):
            ServerToken.at(tmp_path / "file" / "server.token")

    @pytest.mark.skipif(os.name != "posix", reason="links need POSIX")
    def test_a_directory_in_its_place_is_told(self, tmp_path):
        (tmp_path / "server.token").mkdir(mode=0o700)

        with pytest.raises(SettingsError):
            ServerToken.at(tmp_path / "server.token")

"""`swarm serve` as a process: it starts, says where it is, outlives kills, and stops so that nothing is lost."""

import contextlib
import json
import signal
import socket
import stat
import sys
import threading
from importlib.metadata import entry_points
from pathlib import Path

import httpx2
import pytest
from swarm_plugin_server.place import folder_of
from swarm_plugin_server.settings import ServerSettings, read_settings
from websockets.sync.client import connect

from swarm_core import Settings
from swarm_core.errors import SettingsError
from swarm_core.settings import load_settings

SLOW = {
    "schema_version": "0.1.0",
    "id": "slow",
    "flow": {"kind": "step", "ref": "a", "in": {"op": "lit", "value": 1}, "out": {"op": "path", "at": "$.out"}},
    "agents": [{"name": "a", "kind": "function", "spec": {"fn_id": "slow"}}],
}


def path(at):
    return {"op": "path", "at": at}


def step(ref):
    return {"kind": "step", "ref": ref, "in": {"op": "lit", "value": 1}, "out": path("$.told")}


WAITING = {
    "id": "waiting",
    "operators": [{"name": "desk"}],
    "agents": [
        {"name": "operator", "kind": "operator", "spec": {"operator_ref": "desk"}},
        {"name": "asker", "kind": "function", "spec": {"fn_id": "asks"}},
    ],
    "flow": {
        "kind": "fanout",
        "items": {"op": "lit", "value": [True, False]},
        "bind": path("$.left"),
        "body": {"kind": "branch", "cond": path("$.left"), "then": step("operator"), "else": step("asker")},
        "join": "all",
        "out": path("$.lanes"),
    },
}
SWARMFILE = """
import asyncio, pathlib
from swarm_core import function

@function
async def asks(call):
    return await call.context.ask("May it go?")

@function
async def slow(value):
    with open("begun", "a") as begun:
        begun.write("x")
    while not pathlib.Path("go").exists():
        await asyncio.sleep(0.01)
    return "done"
"""


@pytest.fixture
def project(tmp_path):
    """A project with a function that ends once there is a file `go`."""
    (tmp_path / "swarmfile.py").write_text(SWARMFILE)
    return tmp_path


@pytest.fixture
def swarm(tmp_path, monkeypatch, capsys):
    """Run `swarm ARGS` in this process; return its exit code and what it said."""
    (script,) = entry_points(group="console_scripts", name="swarm")
    main = script.load()
    monkeypatch.chdir(tmp_path)

    def run(*args):
        monkeypatch.setattr(sys, "argv", ["swarm", *args])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, capsys.readouterr().err

    return run


def launch(http, blueprint=SLOW):
    body = {"blueprint": {"kind": "inline", "value": blueprint}, "init_ctx": {}, "detach": True}
    answer = http.post("/v1/tasks", json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()["run_id"]


def wait_for(what):
    """Wait until something is true; the test's own time limit ends what never is."""
    while not (found := what()):
        threading.Event().wait(0.02)
    return found


def status_of(http, run_id):
    return http.get(f"/v1/runs/{run_id}").json()["status"]


class TestStart:
    def test_it_says_where_it_is_and_keeps_its_token_to_its_owner(self, server_process, tmp_path):
        server = server_process()
        note = tmp_path / ".swarm/server.json"

        assert set(server.started) == {"url", "auth", "token_file", "store", "durability", "pid"}
        assert (server.started["pid"], server.started["durability"]) == (server.pid, "full")
        assert Path(server.started["token_file"]) == tmp_path / ".swarm/server.token"
        assert [stat.S_IMODE(Path(file).stat().st_mode) for file in (server.started["token_file"], note)] == [0o600] * 2
        assert json.loads(note.read_text()) == server.started
        with server.client() as http:
            assert http.get("/v1/readyz").json()["ready"] is True
        assert server.terminate() == 0
        assert not note.exists()
        assert (server.url in server.log, "stopped" in server.log, server.token in server.log) == (True, True, False)

    def test_p40_a_secret_is_found_in_nothing_that_the_server_says_or_keeps(self, server_process, tmp_path):
        """A canary goes through every part of a request, the real token through all that it is good for."""
        server, canary = server_process(), "canary" * 8
        with server.client() as http:
            for headers in (
                {"authorization": f"Bearer {canary}"},
                {"authorization": f"Basic {canary}"},
                {"host": canary},
            ):
                assert canary not in http.get("/v1/runs", headers=headers).text
            assert canary not in http.get("/v1/runs", params={"token": canary}).text
            assert canary not in http.post("/v1/tasks", content=canary, headers={"authorization": canary}).text
            seen = [
                http.get(path) for path in ("/v1/doctor", "/v1/metrics", "/v1/plugins", "/v1/openapi.json", "/v1/docs")
            ]
        assert [answer.status_code for answer in seen] == [200] * 5
        assert not [answer.url for answer in seen if server.token in answer.text or server.token in str(answer.headers)]
        server.terminate()

        kept = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
        assert [file.name for file, data in kept.items() if server.token.encode() in data] == ["server.token"]
        assert not [file for file, data in kept.items() if canary.encode() in data]

    def test_p22_the_token_is_the_same_after_a_kill(self, server_process):
        server = server_process()
        first = server.token
        server.kill()

        server.restart()

        assert server.token == first
        with server.client() as http:
            assert http.get("/v1/runs").status_code == 200

    def test_cl147_a_port_that_is_in_use_is_told(self, swarm):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            code, said = swarm("serve", "--port", str(taken.getsockname()[1]))

        assert code == 3
        assert "Address already in use; choose another with --port" in said

    @pytest.mark.parametrize(
        ("args", "code", "words"),
        [
            (["--port", "70000"], 3, "'70000' is no port"),
            (["--port", "abc"], 3, "'abc' is no port"),
            (["--bind", "127.0.0.1:abc"], 2, "'abc' is no port"),
            (["--bind", "127.0.0.1:1", "--port", "2"], 2, "--bind says both"),
            (["--host", "http://x"], 3, "is no host"),
            (["--host", "0.0.0.0", "--no-auth", "--port", "0"], 3, "without a token, nothing but this machine"),
            (["--bind", "192.0.2.1:0", "--no-auth"], 3, "without a token, nothing but this machine"),
            (["--host", "192.0.2.1", "--port", "0"], 3, "cannot listen at 192.0.2.1:0"),
            (["--max-runs", "none"], 3, "--max-runs"),
            (["--grace", "5 parsecs"], 3, "is no duration"),
            (["--max-body", "ten"], 3, "is no size"),
            (["--prot", "1"], 2, "--port"),
        ],
    )
    def test_cl147_what_cannot_be_is_refused_with_the_reason(self, swarm, args, code, words):
        ended, said = swarm("serve", *args)

        assert (ended, words in said) == (code, True), said

    def test_cl148_a_token_file_that_others_may_read_is_refused(self, swarm, tmp_path):
        file = tmp_path / "token"
        file.write_text("a" * 43)
        file.chmod(0o644)

        code, said = swarm("serve", "--port", "0", "--token-file", str(file))

        assert (code, "chmod 600" in said) == (3, True)

    def test_cl148_a_secret_on_the_command_line_is_refused_without_being_repeated(self, swarm):
        code, said = swarm("serve", "--token-secret", "c0ffee" * 10)

        assert (code, "every process can read it" in said, "c0ffee" in said) == (2, True, False)

    @pytest.mark.parametrize(
        ("flag", "words"),
        [
            (["--seed-blueprint-id", "main"], "swarm bp add"),
            (["--issue-store-path", "x"], "[store] issues"),
            (["--enhance-setting-store-path", "x"], "[store] issues"),
            (["--enhance-log-store-path", "x"], "[store] issues"),
            (["--output-store-path", "x"], "--store"),
            (["--enable-enhance-flow"], "swarm enhance run --follow"),
            (["--default-agent-kind", "x"], "each agent"),
        ],
    )
    def test_a_flag_of_mse_serve_that_is_not_known_says_what_to_use(self, swarm, flag, words):
        code, said = swarm("serve", *flag)

        assert (code, words in said) == (2, True)

    def test_blueprints_of_mse_serve_are_served_from_their_git_store(self, server_process, tmp_path):
        pytest.importorskip("swarm_plugin_git")
        server = server_process("--git-store-path", "my blueprints.git")

        with server.client() as http:
            assert http.get("/v1/doctor").json()["blueprint_backend"] == "git2"


class TestSettings:
    def test_flags_count_over_variables_those_over_the_file_and_that_over_defaults(self, tmp_path, monkeypatch, swarm):
        (tmp_path / "swarm.toml").write_text('[plugin.server]\nport = 70000\nmax_runs = 7\ngrace = "3s"\n')
        assert "'70000' is no port" in swarm("serve")[1]
        monkeypatch.setenv("SWARM_SERVE_PORT", "70001")
        assert "'70001' is no port" in swarm("serve")[1]
        assert "'70002' is no port" in swarm("serve", "--port", "70002")[1]

        read = read_settings(load_settings(cwd=tmp_path), {"port": "0"})

        assert (read.port, read.max_runs, read.grace, read.max_requests) == (0, 7, 3.0, ServerSettings().max_requests)

    def test_everything_that_is_wrong_is_told_at_once(self):
        section = {"port": -1, "body_time": "soon", "max_body": "ten", "host": ""}

        with pytest.raises(SettingsError) as caught:
            read_settings(Settings(sections={"server": section}))

        places = [problem.path for problem in caught.value.problems]
        assert sorted(places) == [f"plugin.server.{key}" for key in sorted(section)]

    def test_an_unknown_key_is_told(self):
        with pytest.raises(SettingsError, match="prot"):
            read_settings(Settings(sections={"server": {"prot": 1}}))

    def test_paths_in_the_file_begin_at_its_folder(self, tmp_path):
        (tmp_path / "swarm.toml").write_text('[plugin.server]\ntoken_file = "here/token"\n')

        assert read_settings(load_settings(cwd=tmp_path)).token_file == tmp_path / "here/token"

    @pytest.mark.parametrize(
        ("url", "folder"),
        [("sqlite:////srv/my%20runs/runs.db?durability=relaxed", "/srv/my runs"), ("memory://", None), (None, None)],
    )
    def test_what_is_the_servers_own_is_kept_beside_the_store(self, url, folder, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

        class Open:
            store = None if url is None else type("Store", (), {"url": url})
            settings = Settings()

        assert folder_of(Open) == (Path(folder) if folder else tmp_path / ".swarm")


class TestStop:
    def test_p37_a_run_under_way_is_interrupted_and_goes_on_at_the_next_start(self, server_process, project):
        server = server_process("--grace", "100ms")
        with server.client() as http:
            run_id = launch(http)
            wait_for((project / "begun").exists)

        assert server.terminate() == 0

        (project / "go").touch()
        server.restart()
        with server.client() as http:
            wait_for(lambda: status_of(http, run_id) == "done")
            events = http.get(f"/v1/runs/{run_id}/events").json()["events"]
        reasons = [event["reason"] for event in events if event["kind"] == "run_interrupted"]
        assert reasons == ["the server was stopped (SIGTERM)"]
        assert (project / "begun").read_text() == "xx"

    def test_p37_what_ends_within_the_grace_is_not_interrupted(self, server_process, project):
        server = server_process("--grace", "30s")
        with server.client() as http:
            launch(http)
            wait_for((project / "begun").exists)
            server.send(signal.SIGTERM)
            wait_for(lambda: http.get("/v1/readyz").status_code == 503)
            refused = http.post("/v1/tasks", json={"blueprint": {"kind": "inline", "value": SLOW}, "init_ctx": {}})
            (project / "go").touch()

        assert (refused.status_code, refused.json()["code"]) == (503, "stopping")
        assert server.wait() == 0
        server.restart()
        with server.client() as http:
            assert [run["status"] for run in http.get("/v1/runs").json()["runs"]] == ["done"]

    def test_p37_runs_that_only_wait_for_somebody_do_not_hold_it_up(self, server_process, project):
        server = server_process("--grace", "1h")
        with server.client() as http:
            operator = http.post("/v1/operators", json={"roles": ["desk"]}).json()
            headers = {"authorization": f"Bearer {operator['token']}"}
            address = f"{server.url.replace('http', 'ws', 1)}/v1/operators/{operator['sid']}/ws"
            with connect(address, additional_headers=headers) as desk:
                waiting = launch(http, WAITING)
                assert json.loads(desk.recv(timeout=30))["type"] == "spawn"
                wait_for(lambda: http.get("/v1/questions?open=true").json()["questions"])
                server.send(signal.SIGTERM)
                assert server.wait() == 0

        server.restart()
        with server.client() as http, connect(address, additional_headers=headers) as desk:
            spawn = json.loads(desk.recv(timeout=30))
            desk.send(json.dumps({"type": "spawn_ack", "req_id": spawn["req_id"], "value": "from the desk"}))
            (question,) = wait_for(lambda: http.get("/v1/questions?open=true").json()["questions"])
            http.post(f"/v1/questions/{question['key']}/answer", json={"answer": "from somebody"})
            ended = http.get(f"/v1/runs/{waiting}/result?wait=20").json()
        assert [lane["told"] for lane in ended["final_ctx"]["lanes"]] == ["from the desk", "from somebody"]

    def test_p37_the_second_signal_ends_it_at_once(self, server_process, project):
        server = server_process("--grace", "1h")
        with server.client() as http:
            launch(http)
            wait_for((project / "begun").exists)
            server.send(signal.SIGTERM)
            wait_for(lambda: http.get("/v1/readyz").status_code == 503)
        server.send(signal.SIGTERM)

        assert server.wait() == 128 + signal.SIGTERM

    def test_p37_who_waits_for_a_run_hears_that_the_server_stopped(self, server_process, project):
        server = server_process("--grace", "100ms")
        answers = []

        def wait():
            with server.client() as http:
                body = {"blueprint": {"kind": "inline", "value": SLOW}, "init_ctx": {}}
                answers.append(http.post("/v1/tasks", json=body))

        waiting = threading.Thread(target=wait)
        waiting.start()
        wait_for((project / "begun").exists)
        assert server.terminate() == 0
        waiting.join()

        assert answers[0].status_code == 503
        assert "RUN-" in answers[0].text

    def test_p37_a_stream_of_events_ends_politely(self, server_process, project):
        server = server_process("--grace", "100ms")
        with server.client() as http:
            run_id = launch(http)
            headers = {"accept": "text/event-stream"}
            with http.stream("GET", f"/v1/runs/{run_id}/events", headers=headers) as stream:
                lines = stream.iter_lines()
                next(lines)
                server.send(signal.SIGTERM)
                rest = list(lines)  # raises when the connection is cut in the middle of a chunk

        assert rest
        assert server.wait() == 0

    def test_hb107_p37_a_client_that_goes_away_ends_no_run(self, server_process, project):
        server = server_process()
        body = {"blueprint": {"kind": "inline", "value": SLOW}, "init_ctx": {}}
        with server.client() as http, contextlib.suppress(httpx2.ReadTimeout):
            http.post("/v1/tasks", json=body, timeout=httpx2.Timeout(30, read=0.3))
        wait_for((project / "begun").exists)
        (project / "go").touch()

        with server.client() as http:
            wait_for(lambda: [run["status"] for run in http.get("/v1/runs").json()["runs"]] == ["done"])


class TestTakingUp:
    def test_a_run_that_cannot_go_on_here_is_told_and_ends_nothing(self, server_process, project):
        server = server_process("--grace", "100ms")
        with server.client() as http:
            run_id = launch(http)
            wait_for((project / "begun").exists)
        server.kill()
        (project / "swarmfile.py").unlink()

        server.restart()

        with server.client() as http:
            unresumed = wait_for(lambda: http.get("/v1/doctor").json()["unresumed"])
            assert http.get("/v1/readyz").status_code == 200
        assert list(unresumed) == [run_id]
        assert "slow" in unresumed[run_id]

    def test_runs_are_left_alone_when_that_was_asked_for(self, server_process, project):
        server = server_process("--no-resume")
        with server.client() as http:
            run_id = launch(http)
            wait_for((project / "begun").exists)
        server.kill()
        (project / "go").touch()

        server.restart()

        with server.client() as http:
            assert status_of(http, run_id) == "interrupted"

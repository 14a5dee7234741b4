"""`swarm --server URL` where it has no twin: access, settings, Ctrl-C, answers, operators, functions that stay here."""

import os
import pty
import signal
import subprocess

import pytest

# what each command is given that asks a server, and how it ends
OVER_A_SERVER = {
    "run": (("doubling.yaml",), 0),
    "resume": (("{run}",), 3),
    "rerun": (("{run}", "--from", "/"), 0),
    "runs": ((), 0),
    "show": (("{run}",), 0),
    "watch": (("{run}",), 0),
    "questions": (("{waiting}",), 0),
    "answer": (("{key}", "true"), 0),
    "cancel": (("{waiting}",), 0),
    "check": (("doubling.yaml",), 0),
    "operate": (("--next", "--seat", "nobody"), 4),
    "mcp": ((), 0),
}
OPERATING = """
id: operating
operators: [{name: desk}]
agents: [{name: writer, kind: operator, spec: {operator_ref: desk}}]
flow: {kind: step, ref: writer, in: {op: lit, value: write}, out: {op: path, at: $.written}}
"""


def newest(folder):
    return folder.say("runs", "--json", "--limit", "1").json[0]


class TestAccess:
    def test_a_wrong_token_is_refused_with_a_sentence(self, away):
        away.env = {"SWARM_SERVER_TOKEN": "not-the-token"}

        ended = away.say("runs")

        assert (5, "") == (ended.code, ended.out)
        assert "this needs a credential" in ended.err
        assert "give the token in SWARM_SERVER_TOKEN, or name its file in SWARM_SERVER_TOKEN_FILE" in ended.err
        assert "not-the-token" not in ended.err

    def test_without_a_token_it_is_refused_too(self, away):
        away.env = {}

        assert 5 == away.say("run", "doubling.yaml").code

    def test_no_server_is_told_with_a_sentence(self, here, free_port):
        ended = here.say("--server", f"http://127.0.0.1:{free_port}", "runs")

        assert (6, "") == (ended.code, ended.out)
        assert f"no server answers at http://127.0.0.1:{free_port}: Connection refused; start one with" in ended.err

    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("localhost:7777", "write http://HOST:PORT"),
            ("http://", "it is not of the form http://HOST:PORT"),
            ("http://host:port", "it cannot be read as a URL"),
            ("http://me:secret@host", "it holds a user or a password"),
            ("http://host/?token=secret", "it has a query or a fragment"),
        ],
    )
    def test_what_is_no_address_is_refused_and_not_repeated(self, here, url, said):
        ended = here.say("--server", url, "runs")

        assert ended.code in (2, 3)
        assert said in ended.err
        assert "secret" not in ended.err

    def test_the_token_is_read_from_the_file_that_is_named(self, away, server, tmp_path):
        (tmp_path / "token").write_text(f"{server.token}\n")
        away.env = {"SWARM_SERVER_TOKEN_FILE": str(tmp_path / "token")}

        assert 0 == away.say("runs").code

    def test_a_token_file_that_is_not_there_is_named(self, away):
        away.env = {"SWARM_SERVER_TOKEN_FILE": "nowhere"}

        ended = away.say("runs")

        assert 3 == ended.code
        assert "nowhere: the token cannot be read: No such file or directory" in ended.err

    def test_in_the_folder_of_the_server_its_own_token_is_found(self, server):
        assert 0 == server.folder.say("--server", server.url, "runs").code

    def test_the_settings_name_the_server_and_the_token_file(self, away, server):
        away.before, away.env = (), {}
        (away.path / "token").write_text(server.token)
        (away.path / "swarm.toml").write_text(f'[client]\nserver = "{server.url}"\ntoken_file = "token"\n')

        assert 0 == away.say("run", "doubling.yaml").code
        assert "doubling" == newest(away)["blueprint_id"]

    def test_the_environment_names_the_server(self, away, server):
        away.before, away.env = (), {**away.env, "SWARM_SERVER": server.url}

        assert 0 == away.say("questions").code

    def test_a_store_that_is_named_counts_over_a_server_that_is_set(self, away, server):
        away.before, away.env = (), {**away.env, "SWARM_SERVER": server.url}

        ended = away.say("runs", "--store", "sqlite:///none.db")

        assert "none.db" in ended.out


class TestWhatItIsNotFor:
    def test_a_store_and_a_server_are_too_much(self, away):
        ended = away.say("runs", "--store", "sqlite:///x.db")

        assert (2, True) == (ended.code, "name a store or a server, not both" in ended.err)

    def test_a_server_that_is_set_is_no_store(self, here):
        here.env = {"SWARM_SERVER": "http://127.0.0.1:9"}

        ended = here.say("gc", "--older-than", "1d")

        assert (2, True) == (ended.code, "name the store with --store URL" in ended.err)

    def test_every_command_that_takes_a_server_works_over_one(self, away, over_there):
        named = away.say("gc").err.strip().rpartition("these work over one: ")[2].split(", ")

        for name in named:
            arguments, code = OVER_A_SERVER[name]
            ended = away.say(name, *(part.format(**over_there) for part in arguments))
            assert code == ended.code, (name, ended.err)

        assert set(OVER_A_SERVER) - {"operate", "mcp"} <= set(named)
        assert not (away.path / ".swarm").exists()

    @pytest.fixture
    def over_there(self, away):
        """Runs at the server: one that has ended, and two that wait."""
        away.say("run", "doubling.yaml", "--quiet")
        run = newest(away)
        for _ in range(2):
            away.say("run", "asking.yaml", "--quiet")
        answered, cancelled = away.say("runs", "--json", "--limit", "2").json
        return {"run": run["id"], "key": answered["questions"][0], "waiting": cancelled["id"]}

    def test_without_the_client_it_is_named(self, here):
        here.env = {"SWARM_DISABLE_PLUGINS": "client"}

        ended = here.say("--server", "http://127.0.0.1:9", "runs")

        assert 3 == ended.code
        assert "plugin 'client' (swarm-plugin-client 0.1.0): would provide client 'http' but is disabled" in ended.err


class TestRunning:
    def test_functions_beside_the_file_stay_here_and_that_is_said(self, away):
        (away.path / "own.yaml").write_text((away.path / "doubling.yaml").read_text().replace("double}", "mine}"))
        (away.path / "swarmfile.py").write_text(
            "from swarm_core import function\n\n@function\ndef mine(number):\n    return number\n"
        )

        for command in ("run", "check"):
            ended = away.say(command, "own.yaml")

            assert 3 == ended.code
            assert "own.yaml:4:" in ended.err + ended.out
            assert "it provides mine in this process only, and the server carries the run out" in ended.err + ended.out

    def test_files_that_a_blueprint_names_are_read_here(self, away):
        (away.path / "text.md").write_text("from a file")
        text = (away.path / "asking.yaml").read_text().replace("Go on?", "{$file: text.md}")
        (away.path / "filed.yaml").write_text(text)

        away.say("run", "filed.yaml")

        assert "from a file" == away.say("questions", newest(away)["id"], "--json").json[0]["question"]

    def test_a_blueprint_from_stdin_is_run(self, away):
        ended = away.swarm("run", "-", "--quiet", stdin=(away.path / "doubling.yaml").read_text())

        assert (0, {"number": 4, "doubled": 8}) == (ended.code, ended.json)

    def test_the_same_key_gives_the_same_run(self, away):
        first = away.say("run", "doubling.yaml", "--key", "once", "--json")
        second = away.say("run", "doubling.yaml", "--key", "once", "--json")

        assert first.json == second.json

    def test_a_kept_blueprint_is_run_by_the_first_digits_of_its_version(self, away, server):
        kept = server.folder.say("bp", "add", "doubling.yaml", "--json").json
        asking = (server.folder.path / "asking.yaml").read_text().replace("id: asking", "id: doubling")
        (server.folder.path / "second.yaml").write_text(asking)
        server.folder.say("bp", "add", "second.yaml")

        ended = away.say("run", f"bp:doubling@{kept['version'][:7]}", "--quiet")
        wrong = away.say("run", "bp:doubling@00000000", "--quiet")

        assert (0, {"number": 4, "doubled": 8}) == (ended.code, ended.json)
        assert (4, True) == (wrong.code, "00000000" in wrong.err), wrong.err

    def test_an_answer_lets_the_server_go_on(self, away):
        waiting = away.say("run", "asking.yaml")
        run = newest(away)["id"]

        assert 7 == waiting.code
        assert f"then it goes on: swarm watch {run} --server http" in waiting.err
        answered = away.say("answer", run, "true", "--by", "ann")
        assert (0, "") == (answered.code, answered.err)
        assert 0 == away.say("watch", run).code
        assert {"asked": True} == away.say("show", run, "--json").json["result"]

    def test_the_first_answer_counts(self, away):
        away.say("run", "asking.yaml")
        key = newest(away)["questions"][0]

        away.say("answer", key, "true", "--by", "ann")
        late = away.say("answer", key, "false", "--by", "bob")

        assert 3 == late.code
        assert "was answered by ann" in late.err

    def test_a_running_one_is_cancelled_from_here(self, away, tmp_path):
        with away.start("run", "waiting.yaml", "--set", f"path={tmp_path / 'never'}") as running:
            run = started(running)

            assert f"{run} cancelled\n" == away.swarm("cancel", run).out
            assert 130 == running.wait(30)

    def test_ctrl_c_leaves_it_running_and_tells_how_to_come_back(self, away, tmp_path):
        with away.start("run", "waiting.yaml", "--set", f"path={tmp_path / 'go'}", "--set", "number=1") as running:
            run = started(running)
            running.send_signal(signal.SIGINT)
            said = running.stderr.read()

            assert 130 == running.wait(30)
        assert f"{run} goes on at http" in said
        assert f"see it with: swarm watch {run} --server http" in said
        assert f"end it with: swarm cancel {run} --server http" in said
        (tmp_path / "go").touch()
        assert 0 == away.say("watch", run).code
        assert "done" == away.say("show", run, "--json").json["run"]["status"]


def started(running):
    """Return the run that a command has begun, once its first step is under way."""
    run = None
    for line in running.stderr:
        words = line.split()
        run = run or (words[0] if words[:1] and words[0].startswith("RUN-") else None)
        if run is not None:
            return run
    raise AssertionError("it ended before it began")


@pytest.fixture
def at_terminal(away):
    """Run `swarm ARGS` at a terminal at which these lines are typed; return the exit code and what it said."""

    def run(*args, typed):
        keys, seat = pty.openpty()
        os.write(keys, "".join(f"{line}\n" for line in typed).encode())
        try:
            done = subprocess.run(
                away.command(*args),
                cwd=away.path,
                env=away.environ({"TERM": "dumb"}),
                stdin=seat,
                stdout=subprocess.PIPE,
                stderr=seat,
                timeout=60,
                check=False,
            )
            return done.returncode, os.read(keys, 100_000).decode(), done.stdout.decode()
        finally:
            os.close(keys)
            os.close(seat)

    return run


class TestAtATerminal:
    def test_a_question_is_asked_and_the_run_goes_on(self, at_terminal):
        code, said, out = at_terminal("run", "asking.yaml", typed=["y"])

        assert 0 == code, said
        assert "asks:" in said
        assert '"asked": true' in out

    def test_operate_shows_the_work_of_a_server_and_gives_it_back(self, at_terminal, away):
        pytest.importorskip("swarm_plugin_operator")
        (away.path / "operating.yaml").write_text(OPERATING)
        away.say("run", "operating.yaml", "--quiet")
        run = newest(away)["id"]

        code, said, _ = at_terminal("operate", run, "--seat", "desk", typed=["a poem", "/quit"])

        assert 0 == code, said
        assert "seat desk, agent writer" in said
        assert 0 == away.say("watch", run).code
        assert {"written": "a poem"} == away.say("show", run, "--json").json["result"]
        assert 4 == away.say("operate", run, "--next").code

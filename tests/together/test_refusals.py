"""Errors are for people: what, where and what to do, with an exit code that is fixed, and never a traceback (P39)."""

import inspect
import json
from pathlib import Path

import click
import pytest

import swarm_core
from swarm_core import errors
from swarm_core.cli.group import COMMANDS
from swarm_core.cli.group import cli as command_line
from swarm_core.cli.outcome import exit_code_of, printable, run
from swarm_core.errors import DocumentError, SettingsError, SwarmError
from swarm_core.model.problem import Problem

INSIDE = str(Path(swarm_core.__file__).parent)
PURE = '{"id": "x", "flow": {"kind": "let", "at": "$.b", "value": {"op": "path", "at": "$.a"}}}'
STEP = (
    '{"id": "x", "agents": [{"name": "f", "kind": "function", "spec": {"fn_id": "f"}}],'
    ' "flow": {"kind": "step", "ref": "f", "in": {"op": "path", "at": "$"}, "out": {"op": "path", "at": "$.o"}}}'
)
HEAD = "from swarm_core import function, Result\n@function\ndef f(given):\n    "

# what stands in the folder, the command, its exit code, and a part of what it tells
REFUSALS = [
    pytest.param({}, "run none.json", 4, "there is no such file", id="no file"),
    pytest.param({}, "check none.json", 4, "there is no such file", id="no file to check"),
    pytest.param({}, "explain none.json", 4, "there is no such file", id="no file to explain"),
    pytest.param({"a.json": "{"}, "run a.json", 3, "a.json:1:2", id="no JSON"),
    pytest.param({"a.json": "{"}, "explain a.json", 3, "a.json:1:2", id="nothing to explain"),
    pytest.param({"a.json": PURE}, "run a.json", 1, "path not found: $.a ($ /)", id="flow failed"),
    pytest.param({"a.json": PURE}, "run a.json --set a", 2, "KEY=VALUE", id="usage"),
    pytest.param({"a.json": PURE}, "run a.json --ctx {", 3, "--ctx:1:2", id="ctx"),
    pytest.param({"a.json": PURE}, "run a.json --layers none", 3, "layer sets: standard", id="layer set"),
    pytest.param({"a.json": PURE}, "run a.json --bind f=fake", 3, "no agent has that name", id="bind"),
    pytest.param({"a.json": PURE, "swarm.toml": "[engine"}, "run a.json", 3, "is no TOML", id="settings"),
    pytest.param({"a.json": PURE, "swarm.toml": "[engine]\nmax_lane = 1"}, "run a.json", 3, "did you mean 'max_lanes'?",
                 id="unknown setting"),
    pytest.param({"a.json": PURE, "swarm.toml": "[plugins]\nrequire = ['none']"}, "run a.json", 3,
                 "pip install swarm-plugin-none", id="required plugin"),
    pytest.param({"a.json": STEP}, "run a.json", 3, "fn_id 'f' not registered", id="function"),
    pytest.param({"a.json": STEP, "swarmfile.py": "def"}, "run a.json", 3, "swarmfile.py:1", id="swarmfile syntax"),
    pytest.param({"a.json": STEP, "swarmfile.py": "1/0"}, "run a.json", 3, "ZeroDivisionError", id="swarmfile fails"),
    pytest.param({"a.json": STEP, "swarmfile.py": "exit(3)"}, "run a.json", 3, "SystemExit: 3", id="swarmfile exits"),
    pytest.param({"a.json": STEP, "swarmfile.py": HEAD + "1/0"}, "run a.json", 1, "ZeroDivisionError: division by zero",
                 id="worker fails"),
    pytest.param({"a.json": STEP, "swarmfile.py": HEAD + "exit(3)"}, "run a.json", 1, "SystemExit: 3",
                 id="worker exits"),
    pytest.param({"a.json": STEP, "swarmfile.py": HEAD + "raise StopIteration"}, "run a.json", 1, "StopIteration",
                 id="worker stops an iteration"),
    pytest.param({"a.json": STEP, "swarmfile.py": HEAD + "return object()"}, "run a.json", 1, "no JSON value",
                 id="worker answers with no JSON"),
    pytest.param({"a.json": STEP, "swarmfile.py": HEAD + "return Result('why', ok=False)"}, "run a.json", 1,
                 'blocked: "why"', id="worker says no"),
    pytest.param({"a": ""}, "new .", 2, "not empty", id="new in a folder with something in it"),
    pytest.param({"a": ""}, "new a/b", 6, "a/b: Not a directory", id="new below a file"),
    pytest.param({}, "plugns", 2, "did you mean 'plugins'?", id="command"),
    pytest.param({}, "run --bnd", 2, "--bind", id="option"),
    pytest.param({}, "run", 2, "FILE", id="argument"),
]  # fmt: skip


class TestCommands:
    @pytest.mark.parametrize(("files", "args", "code", "told"), REFUSALS)
    def test_p39_a_refusal_says_what_and_where_and_has_its_exit_code(self, cli, write, files, args, code, told):
        for name, text in files.items():
            write(name, text)

        ended = cli(*args.split())

        said = ended.out + ended.err
        assert code == ended.code
        assert told in said
        assert "Traceback" not in said
        assert INSIDE not in said
        assert "site-packages" not in said

    @pytest.mark.parametrize("text", ["{", PURE.replace("let", "lte"), STEP, PURE.replace("$.a", "$a")])
    def test_p39_a_problem_as_data_has_code_message_place_and_a_hint_or_a_column(self, cli, write, text):
        ended = cli("check", write("a.json", text), "--json")

        for problem in ended.problems:
            assert {"code", "severity", "message", "path", "file"} <= problem.keys()
            assert problem.get("hint") or problem.get("column")

    def test_p39_a_failed_run_as_data_has_kind_message_place_and_address(self, cli, write):
        ended = cli("run", write("a.json", PURE), "--json")

        assert {"code": "flow_error", "kind": "PathNotFound", "where": "$", "address": "/"}.items() <= (
            ended.json["error"].items()
        )

    def test_p39_a_worker_keeps_its_secrets_out_of_nothing_but_its_own_words(self, cli, write):
        """What a worker raises is told, and neither the frames nor the values around it are."""
        write("swarmfile.py", HEAD + "token = 'canary'\n    raise ValueError('no luck')")

        ended = cli("run", write("a.json", STEP), "--json")

        assert "no luck" in ended.json["error"]["message"]
        assert "canary" not in ended.out + ended.err
        assert "swarmfile.py" not in ended.out + ended.err


class TestExitCodes:
    def test_p39_every_error_has_the_exit_code_of_its_family(self):
        table = {
            errors.AnswerDenied: 5,
            errors.DocumentError: 3, errors.SettingsError: 3, errors.NotFound: 4, errors.AccessDenied: 5,
            **dict.fromkeys([errors.BlueprintNotFound, errors.NoMatchingVersion, errors.IssueNotFound], 4),
            **dict.fromkeys([errors.EnhanceSettingNotFound, errors.EnhanceLogNotFound], 4),
            **dict.fromkeys([errors.BlueprintArchived, errors.InvalidSemver, errors.VersionConflict], 3),
            **dict.fromkeys([errors.IssueExists, errors.IssueEnded, errors.EnhanceLogConflict], 3),
            errors.StoreError: 6, SwarmError: 3,
        }  # fmt: skip
        classes = [item for item in vars(errors).values() if inspect.isclass(item) and issubclass(item, SwarmError)]

        seen = {cls: exit_code_of(_an(cls)) for cls in classes}

        assert {cls: next(code for base, code in table.items() if issubclass(cls, base)) for cls in classes} == seen

    def test_p39_a_document_that_is_not_there_is_not_found(self):
        missing = DocumentError([Problem(code="not_found", message="there is no such file", file="a.json")])

        assert 4 == exit_code_of(missing)

    def test_p39_errors_that_come_together_are_told_one_by_one(self, capsys):
        @click.command()
        def fails():
            raise ExceptionGroup(
                "two", [SettingsError("the first"), ExceptionGroup("one", [errors.StoreError("then")])]
            )

        code = run(fails, [])

        assert (3, "error: the first\nerror: then\n") == (code, capsys.readouterr().err)

    @pytest.mark.parametrize("name", COMMANDS)
    def test_p39_every_command_helps(self, capsys, name):
        assert 0 == run(command_line, [name, "--help"])
        assert capsys.readouterr().out.startswith(f"Usage: swarm {name}")


def _an(cls):
    """Return an error of a class without asking its constructor."""
    error = cls.__new__(cls)
    error.problems = ()
    return error


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x07\x00", "\\x1b[2J\\x07\\x00"),
        ("\x9b31m\u202eabc\u2066", "\\x9b31m\\u202eabc\\u2066"),
        ("größe 🚀\ttab", "größe 🚀\ttab"),
    ],
)
def test_p30_what_steers_a_terminal_is_shown_as_escapes(text, shown):
    assert shown == printable(text)


def test_p39_json_errors_are_json(cli, write):
    assert json.loads(cli("check", write("a.json", "\x00"), "--json").out)["problems"][0]["message"]

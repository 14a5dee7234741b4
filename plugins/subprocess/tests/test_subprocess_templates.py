"""Templates: commands with placeholders out of a closed set (P27)."""

import sys
from pathlib import Path

import pytest
import swarm_plugin_subprocess
from hypothesis import given
from hypothesis import strategies as st
from swarm_plugin_subprocess.placeholders import PLACEHOLDERS, read_text
from swarm_plugin_subprocess.settings import read_settings

from swarm_core.codec import structure_blueprint
from swarm_core.errors import SettingsError, SpawnFailed
from swarm_core.settings import Settings

TELL = """
import json, os, sys
print(json.dumps(dict(argv=sys.argv[1:], stdin=sys.stdin.read(), env=dict(os.environ), cwd=os.getcwd())))
"""
METACHARACTERS = [
    "$(id)", "`id`", "; ls", "| cat", "&& id", "> f", "< f", "*", "?", "~", "!x", "#x", "a b", " a ", "\t", "\n",
    "\r\n", "'", '"', "\\", "\\n", "%s", "%n", "{prompt}", "{{", "}}", "{model}", "${HOME}", "$HOME", "=", "a=b",
    "--x=1 --y", "[a-z]", "(x)", "^x", "é", "日本", "\U0001f680", "\u2028", "\x1b[31m", "\x07", "a\u0301", "",
    pytest.param("x" * 5000, id="5000 x"), "/etc/passwd", "../..", "@file", "null", "true", "0", "-0x", "%", "&", ";",
    "|", "$", "$$", "$(", "`", "'\"'", "-", "--", "\ufeff", "a\tb",
]  # fmt: skip


def template(*arguments, name="mine", **fields):
    return {"name": name, "command": [sys.executable, "-I", "-S", "-c", TELL, *arguments], **fields}


async def told(bench, *arguments, input="hello", profile=None, fields=None, spec=None, **run):
    templates = [template(*arguments, **(fields or {}))]
    agent = {"template": "mine", **(spec or {})}
    return (await bench.run(agent, input, profile=profile, templates=templates, **run)).value


def problems_of(*templates, agents=()):
    blueprint = {"id": "b", "flow": {"kind": "seq", "children": []}, "subprocesses": list(templates)}
    found = swarm_plugin_subprocess.swarm_check_blueprint(structure_blueprint(blueprint))
    return [(problem.path, problem.message) for problem in found]


class TestFilling:
    async def test_every_placeholder_has_its_value(self, bench, tmp_path):
        profile = {"system_prompt": "be brief", "model": "large", "tools": ["Read", "Bash(git log:*)"]}
        names = ("system", "prompt", "model", "tools_csv", "work_dir", "task_id", "attempt")

        found = await told(bench, *(f"--{name}={{{name}}}" for name in names), profile=profile, attempt=3)

        assert found["argv"] == [
            "--system=be brief", "--prompt=hello", "--model=large", "--tools_csv=Read,Bash(git log:*)",
            f"--work_dir={tmp_path}", "--task_id=T-test", "--attempt=3",
        ]  # fmt: skip

    async def test_the_input_comes_by_stdin_unless_the_template_says_otherwise(self, bench):
        assert (await told(bench))["stdin"] == "hello"
        assert (await told(bench, fields={"stdin": "<{prompt}>"}))["stdin"] == "<hello>"
        assert (await told(bench, fields={"stdin": ""}))["stdin"] == ""

    async def test_an_input_that_is_no_text_is_json(self, bench):
        assert (await told(bench, "--q={prompt}", input={"a": [1]}))["argv"] == ['--q={"a":[1]}']

    async def test_variables_are_filled_and_the_agents_own_win(self, bench):
        fields = {"env": {"TASK": "<{task_id}>", "LEVEL": "low", "MODEL": "{model}"}}

        env = (await told(bench, fields=fields, spec={"env": {"LEVEL": "high"}}))["env"]

        assert (env["TASK"], env["LEVEL"]) == ("<T-test>", "high")
        assert "MODEL" not in env

    async def test_doubled_braces_are_braces(self, bench):
        assert (await told(bench, '{{"a": "{prompt}"}}'))["argv"] == ['{"a": "hello"}']

    async def test_an_argument_whose_value_the_agent_has_not_got_is_left_out_as_a_whole(self, bench):
        assert (await told(bench, "--model={model}", "--system={system}", "x"))["argv"] == ["x"]

    async def test_what_is_not_there_leaves_stdin_with_the_blanks_after_it(self, bench):
        fields = {"stdin": "{system}\n\n{prompt}"}

        assert (await told(bench, fields=fields))["stdin"] == "hello"
        assert (await told(bench, fields=fields, profile={"system_prompt": "s"}))["stdin"] == "s\n\nhello"

    async def test_it_runs_in_its_folder_and_the_agents_cwd_wins(self, bench, tmp_path):
        for name in ("one", "two"):
            (tmp_path / name).mkdir()

        first = await told(bench, "{work_dir}", fields={"work_dir": "one"})
        second = await told(bench, fields={"work_dir": "one"}, spec={"cwd": "two"})

        assert (first["cwd"], first["argv"]) == (str(tmp_path / "one"), [str(tmp_path / "one")])
        assert second["cwd"] == str(tmp_path / "two")

    async def test_what_layers_tell_is_in_the_environment(self, bench):
        meta = {"project_name_alias": "apollo", "input_refs": ["out-1"], "odd key": 1, "thing": object()}

        env = (await told(bench, meta=meta))["env"]

        assert {name: value for name, value in env.items() if name.startswith("SWARM_META_")} == {
            "SWARM_META_PROJECT_NAME_ALIAS": "apollo",
            "SWARM_META_INPUT_REFS": '["out-1"]',
        }


class TestOneArgument:
    @pytest.mark.parametrize("text", METACHARACTERS, ids=ascii)
    async def test_p27_a_value_reaches_the_command_as_it_is_in_one_argument(self, bench, text):
        found = await told(bench, "--prompt={prompt}", "--system={system}", input=text, profile={"system_prompt": text})

        assert found["argv"] == [f"--prompt={text}", *([f"--system={text}"] if text else [])]

    async def test_p27_an_input_that_could_be_an_option_is_refused(self, bench):
        with pytest.raises(SpawnFailed, match="could take it for an option: '--help'") as caught:
            await told(bench, "{prompt}", input="--help")

        assert "--option={...}" in str(caught.value)

    @pytest.mark.parametrize(
        "arguments", [["--", "{prompt}"], ["--q={prompt}"], ["-q{prompt}"], ["<{prompt}"]], ids=str
    )
    async def test_p27_it_is_let_through_where_the_template_says_so(self, bench, arguments):
        assert (await told(bench, *arguments, input="-x"))["argv"][-1].endswith("-x")

    async def test_p27_an_agents_own_values_are_looked_at_before_anything_runs(self, bench):
        with pytest.raises(ValueError, match="argument 6 of template 'mine' begins with '-'"):
            bench.build({"template": "mine"}, templates=[template("x", "{model}")], profile={"model": "-rf"})

    async def test_p27_nul_is_refused(self, bench):
        with pytest.raises(SpawnFailed, match="NUL"):
            await told(bench, "--q={prompt}", input="a\0b")

    @pytest.mark.parametrize("text", ["-{prompt}", "--{prompt}"])
    def test_p27_a_value_cannot_choose_the_option(self, text):
        ((path, message),) = problems_of(template(text))

        assert path == "$.subprocesses[0].command[5]"
        assert "would choose the option" in message

    def test_p27_a_value_cannot_choose_the_program(self):
        ((path, message),) = problems_of({"name": "mine", "command": ["{prompt}"]})

        assert path == "$.subprocesses[0].command[0]"
        assert "takes no placeholders" in message

    async def test_an_option_is_not_left_without_its_value(self, bench):
        with pytest.raises(ValueError, match=r"\{model\} alone, and the agent has none; write --option=\{model\}"):
            bench.build({"template": "mine"}, templates=[template("--model", "{model}")])


class TestSystemFile:
    READ = "import os, sys; p = sys.argv[1]; print(open(p).read(), p, oct(os.stat(os.path.dirname(p)).st_mode))"

    async def test_it_is_private_and_gone_after_the_attempt(self, bench):
        command = [sys.executable, "-I", "-S", "-c", self.READ, "{system_file}"]
        templates = [{"name": "mine", "command": command, "output": {"format": "text"}}]

        result = await bench.run({"template": "mine"}, profile={"system_prompt": "größe"}, templates=templates)

        text, path, mode = result.value.split()
        assert (text, mode) == ("größe", "0o40700")
        assert not Path(path).exists()

    async def test_without_a_system_prompt_there_is_none(self, bench):
        assert (await told(bench, "--file={system_file}"))["argv"] == []


class TestWrong:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("{promt}", r"unknown placeholder \{promt\}; did you mean 'prompt'\?"),
            ("{}", r"unknown placeholder \{\}; placeholders: attempt, "),
            ("{0}", r"unknown placeholder \{0\}"),
            ("{prompt.x}", r"unknown placeholder \{prompt.x\}"),
            ("{prompt!r}", r"unknown placeholder \{prompt!r\}"),
            ("{prompt:>9}", r"unknown placeholder \{prompt:>9\}"),
            ('{"a": 1}', "a brace itself is written {{ or }}"),
            ("{prompt", "a brace stands by itself"),
            ("a}b", "a brace stands by itself"),
        ],
    )
    def test_an_unknown_placeholder_is_named_with_the_nearest(self, text, words):
        with pytest.raises(ValueError, match=words):
            read_text(text)

    def test_each_is_found_at_its_place_at_check(self):
        wrong = template("ok", "{promt}", stdin="{sytem}", env={"A": "{x}", "SWARM_X": ""}, work_dir="{work_dir}")

        assert [path for path, _ in problems_of(template(name="good"), wrong)] == [
            "$.subprocesses[1].command[6]",
            "$.subprocesses[1].env.A",
            "$.subprocesses[1].env.SWARM_X",
            "$.subprocesses[1].stdin",
            "$.subprocesses[1].work_dir",
        ]

    def test_two_templates_of_one_name_are_told(self):
        assert problems_of(template(), template()) == [
            ("$.subprocesses[1].name", "two templates are named 'mine'"),
        ]

    def test_pointers_into_text_are_told(self):
        ((path, _),) = problems_of(template(output={"format": "text", "result_ptr": "/x"}))

        assert path == "$.subprocesses[0].output.format"

    async def test_an_agent_with_a_wrong_template_is_refused(self, bench):
        with pytest.raises(ValueError, match=r"template 'mine', command\[5\]: unknown placeholder"):
            bench.build({"template": "mine"}, templates=[template("{promt}")])

    async def test_an_unknown_template_is_refused_with_the_nearest(self, bench):
        with pytest.raises(ValueError, match=r"no template is named 'cluade'; did you mean 'claude'\?"):
            bench.build({"template": "cluade"})

    @pytest.mark.parametrize(
        ("more", "words"),
        [
            ({"program": "x"}, "exclude each other"),
            ({"args": ["x"]}, "'args' goes with 'program'"),
            ({"use_stdin": False}, "'use_stdin' goes with 'program'"),
            ({"stream_mode": "sse_events"}, "'stream_mode' goes with 'program'"),
            ({"output": "text"}, "'output' goes with 'program'"),
        ],
    )
    async def test_what_the_template_says_the_spec_cannot_say_too(self, bench, more, words):
        with pytest.raises(ValueError, match=words):
            bench.build({"template": "mine", **more}, templates=[template()])

    @pytest.mark.parametrize(
        ("profile", "words"),
        [
            ({"system_prompt": "s"}, "neither {system} nor {system_file}"),
            ({"model": "m"}, "no {model}"),
            ({"tools": ["Read"]}, "nothing would limit it to them"),
        ],
    )
    async def test_what_a_profile_says_is_never_dropped_without_a_word(self, bench, profile, words):
        with pytest.raises(ValueError, match=words):
            bench.build({"template": "mine"}, templates=[template()], profile=profile)


class TestSettings:
    def test_templates_of_the_settings_are_read(self):
        section = {"templates": {"mine": {"command": ["x", "--q={prompt}"], "output": {"format": "text"}}}}

        found = read_settings(Settings(sections={"subprocess": section})).templates["mine"]

        assert (found.name, found.command, found.output.format) == ("mine", ("x", "--q={prompt}"), "text")

    @pytest.mark.parametrize(
        ("fields", "path"),
        [
            ({"command": ["x", "{promt}"]}, "mine.command[1]"),
            ({"command": []}, "mine.command"),
            ({"command": "x"}, "mine.command"),
            ({"comand": ["x"]}, "mine.comand"),
            ({"command": ["x"], "output": {"ok_from": "is_error"}}, "mine.output.ok_from"),
        ],
    )
    def test_what_is_wrong_is_refused_when_the_host_loads(self, fields, path):
        section = {"templates": {"mine": fields}}

        with pytest.raises(SettingsError) as caught:
            swarm_plugin_subprocess.swarm_configure(Settings(sections={"subprocess": section}))

        assert f"plugin.subprocess.templates.{path}" in [problem.path for problem in caught.value.problems]

    async def test_the_settings_win_over_a_ready_one_and_the_blueprint_over_the_settings(self, bench):
        section = {"templates": {"claude": {"command": ["echo", '"settings"']}}}
        own = {"name": "claude", "command": ["echo", '"blueprint"']}

        from_settings = await bench.run({"template": "claude"}, section=section)
        from_blueprint = await bench.run({"template": "claude"}, section=section, templates=[own])

        assert (from_settings.value, from_blueprint.value) == ("settings", "blueprint")


ANY_TEXT = st.lists(st.one_of(st.sampled_from(sorted(PLACEHOLDERS)).map(lambda name: (name,)), st.text()))


@given(ANY_TEXT)
def test_any_text_with_doubled_braces_comes_out_as_it_went_in(parts):
    """Literal text is kept whatever is in it, and every placeholder has its value and nothing else."""
    values = {name: f"<{name}>" for name in PLACEHOLDERS}
    doubled = [part.replace("{", "{{").replace("}", "}}") if isinstance(part, str) else None for part in parts]
    written = "".join("{" + part[0] + "}" if text is None else text for part, text in zip(parts, doubled, strict=True))

    filled = read_text(written).fill(values)

    assert filled == "".join(part if isinstance(part, str) else values[part[0]] for part in parts)

"""What a Blueprint and the settings may say, and what is said when they are wrong."""

import pytest
import swarm_plugin_subprocess
from swarm_plugin_subprocess.settings import read_settings

from swarm_core.errors import DocumentError, SettingsError
from swarm_core.settings import Settings
from swarm_core.testing import check_plugin


class TestPlugin:
    def test_it_provides_the_kind(self):
        catalog = check_plugin(swarm_plugin_subprocess)

        assert set(catalog.spawners) == {"subprocess"}


class TestSpec:
    @pytest.mark.parametrize(
        ("spec", "words"),
        [
            ({"program": 5}, "$.agents[0].spec.program"),
            ({"program": "x", "args": "-l"}, "$.agents[0].spec.args"),
            ({"program": "x", "args": ["a", 5]}, "$.agents[0].spec.args[1]"),
            ({"program": "x", "use_stdin": "yes"}, "$.agents[0].spec.use_stdin"),
            ({"program": "x", "stream_mode": "ndjson"}, "ndjson_lines"),
            ({"program": "x", "output": "yaml"}, "$.agents[0].spec.output"),
            ({"program": "x", "env": {"A": 1}}, "$.agents[0].spec.env.A"),
            ({"program": "x", "arguments": []}, "args"),
        ],
    )
    async def test_a_spec_of_the_wrong_form_is_refused_at_its_place(self, bench, spec, words):
        with pytest.raises(DocumentError) as caught:
            bench.build(spec)

        assert words in str(caught.value)

    async def test_a_spec_without_a_program_is_refused(self, bench):
        with pytest.raises(ValueError, match="'program' is missing; give it, or a 'template'"):
            bench.build({})

    @pytest.mark.parametrize("shell", [True, "ls | wc", {}])
    async def test_p27_a_shell_is_refused_with_the_way_to_ask_for_one(self, bench, shell):
        with pytest.raises(ValueError, match=r"program 'sh', args \['-c'"):
            bench.build({"program": "ls", "shell": shell})

    async def test_no_shell_may_be_said(self, bench):
        result = await bench.run({"program": "echo", "args": ["1"], "shell": False})

        assert result.value == 1

    async def test_everything_that_is_wrong_is_told_at_once(self, bench):
        spec = {
            "program": "",
            "args": ["a\0b"],
            "shell": True,
            "cwd": "..",
            "env": {"SWARM_X": "", "A=": "", "MSE_TASK_ID": ""},
        }

        with pytest.raises(ValueError, match="'program' is empty") as caught:
            bench.build(spec)

        for words in ("NUL", "'shell'", "'cwd'", "'SWARM_X'", "'A='", "'MSE_TASK_ID'"):
            assert words in str(caught.value)

    async def test_output_beside_stream_mode_is_refused(self, bench):
        with pytest.raises(ValueError, match="leave it out"):
            bench.build({"program": "x", "stream_mode": "sse_events", "output": "json"})

    @pytest.mark.parametrize("cwd", ["..", "a/../..", "/", "/etc", "a/../../b"])
    async def test_a_working_directory_outside_is_refused(self, bench, cwd):
        with pytest.raises(ValueError, match="leaves the Blueprint's folder"):
            bench.build({"program": "x", "cwd": cwd})

    async def test_a_working_directory_outside_can_be_allowed(self, bench):
        result = await bench.run({"program": "pwd", "cwd": "/", "output": "text"}, section={"any_cwd": True})

        assert result.value == "/"

    async def test_a_tilde_is_a_name_like_any_other(self, bench, tmp_path):
        (tmp_path / "~").mkdir()

        result = await bench.run({"program": "pwd", "cwd": "~", "output": "text"})

        assert result.value == str(tmp_path / "~")


class TestSettings:
    def test_the_defaults(self):
        settings = read_settings(Settings())

        assert (settings.pass_env, settings.max_stdout, dict(settings.limits), settings.any_cwd) == (
            (),
            2**24,
            {},
            False,
        )

    def test_sizes_are_read(self):
        section = {"max_stdout": "1MiB", "limits": {"as": "2GiB", "cpu": 60, "core": 0}}

        settings = read_settings(Settings(sections={"subprocess": section}))

        assert (settings.max_stdout, dict(settings.limits)) == (2**20, {"as": 2**31, "cpu": 60, "core": 0})

    @pytest.mark.parametrize(
        "section",
        [
            {"max_stdout": "lots"},
            {"max_stdout": 0},
            {"max_stdout": True},
            {"limits": {"memory": 5}},
            {"limits": {"cpu": -1}},
            {"limits": {"cpu": "ten"}},
            {"pass_env": "HOME"},
            {"pass": []},
        ],
        ids=str,
    )
    def test_what_is_wrong_is_refused_when_the_host_loads(self, section):
        with pytest.raises(SettingsError, match=r"plugin\.subprocess"):
            swarm_plugin_subprocess.swarm_configure(Settings(sections={"subprocess": section}))

    def test_all_wrong_keys_are_told_at_once(self):
        section = {"max_stdout": "lots", "limits": {"cpu": "ten", "mem": 1}}

        with pytest.raises(SettingsError) as caught:
            read_settings(Settings(sections={"subprocess": section}))

        assert [problem.path for problem in caught.value.problems] == [
            "plugin.subprocess.max_stdout",
            "plugin.subprocess.limits.cpu",
            "plugin.subprocess.limits.mem",
        ]

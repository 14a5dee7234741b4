"""`swarm templates`, and templates as `swarm check` and `swarm run` meet them."""

import json

import pytest


@pytest.fixture
def swarm(swarm_command):
    """Run `swarm ARGS` in a folder of its own."""
    return swarm_command


def blueprint(folder, *, command, **agent):
    step = {"kind": "step", "ref": "a", "in": {"op": "lit", "value": "hi"}, "out": {"op": "path", "at": "$.x"}}
    text = {
        "id": "b",
        "flow": step,
        "subprocesses": [{"name": "mine", "command": command, "output": {"format": "text"}}],
        "agents": [{"name": "a", "kind": "subprocess", "spec": {"template": "mine"}, **agent}],
    }
    (folder / "b.json").write_text(json.dumps(text))
    return "b.json"


class TestTemplates:
    def test_all_are_listed(self, swarm):
        listed = {each["name"]: each for each in json.loads(swarm("templates", "--json").out)}

        assert {"claude", "codex", "gemini", "aider"} <= set(listed)
        assert listed["claude"]["uses"] == ["model", "system", "tools_csv"]
        assert listed["claude"]["from"] == "ready"

    def test_one_is_shown_as_it_may_stand_in_a_blueprint(self, swarm):
        shown = swarm("templates", "claude")

        assert json.loads(shown.out)["output"] == {"result_ptr": "/result", "ok_from": "!/is_error"}
        assert "npm install" in shown.err

    def test_those_of_the_settings_win(self, swarm, tmp_path):
        (tmp_path / "swarm.toml").write_text('[plugin.subprocess.templates.claude]\ncommand = ["mine"]\n')

        shown = json.loads(swarm("templates", "claude", "--json").out)

        assert (shown["from"], shown["template"]["command"]) == (str(tmp_path / "swarm.toml"), ["mine"])

    def test_an_unknown_one_exits_4_with_the_nearest(self, swarm):
        ended = swarm("templates", "cluade")

        assert (ended.code, ended.out) == (4, "")
        assert "did you mean 'claude'?" in ended.err

    def test_the_list_is_for_people_too(self, swarm):
        assert "codex" in swarm("templates").out


class TestBlueprint:
    def test_check_names_an_unknown_placeholder_at_its_place(self, swarm, tmp_path):
        ended = swarm("check", blueprint(tmp_path, command=["echo", "{promt}"]), "--json")

        problems = {problem["path"]: problem["message"] for problem in json.loads(ended.out)["problems"]}
        assert ended.code == 3
        assert "unknown placeholder {promt}; did you mean 'prompt'?" in problems["$.subprocesses[0].command[1]"]

    def test_a_template_runs(self, swarm, tmp_path):
        ended = swarm("run", blueprint(tmp_path, command=["echo", "<{prompt}>"]), "--quiet")

        assert json.loads(ended.out) == {"x": "<hi>"}

    def test_a_missing_program_fails_the_run_with_its_name(self, swarm, tmp_path):
        ended = swarm("run", blueprint(tmp_path, command=["no-such-program"]))

        assert ended.code == 1
        assert "no-such-program" in ended.err

    def test_layers_tell_programs_facts(self, swarm, tmp_path):
        name = blueprint(tmp_path, command=["sh", "-c", "echo $SWARM_META_PROJECT_NAME_ALIAS"])
        text = json.loads((tmp_path / name).read_text())
        (tmp_path / name).write_text(json.dumps({**text, "metadata": {"project_name_alias": "apollo"}}))

        assert json.loads(swarm("run", name, "--quiet").out) == {"x": "apollo"}

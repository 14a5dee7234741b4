"""`swarm layers`, and the layers that `swarm explain` shows."""

from swarm_core.factories import Stage

TEAM = """
[layers.standard]
use = [{set = "standard"}, "project_name_alias"]

[layers.careful]
use = ["project_name_alias", {key = "sink", endpoint = "here"}, {set = "standard"}, "no_such_layer"]

[layers.wrong]
use = [{key = "sink", endpiont = "here"}]

[layers.round]
use = [{set = "round_about"}]

[layers.round_about]
use = [{set = "round"}]
"""
ALL_OFF = {"SWARM_DISABLE_PLUGINS": "1"}


class TestLayers:
    def test_every_layer_is_told_with_its_options_and_defaults(self, swarm):
        ended = swarm("layers", "--json", env=ALL_OFF)

        layers = {layer["key"]: layer for layer in ended.json["layers"]}
        assert ended.code == 0
        assert layers["sink"]["options"] == {"endpoint": {"takes": "a string"}}
        assert layers["resolver"]["options"]["use"] == {"takes": "a string or null", "default": None}
        assert (layers["sink"]["stage"], layers["sink"]["provider"]) == ("STORE", "builtin (swarm-core 0.1.0)")
        stages = [Stage[layer["stage"]] for layer in ended.json["layers"]]
        assert stages == sorted(stages)

    def test_every_set_is_told_with_where_it_comes_from(self, swarm, write):
        file = write("swarm.toml", TEAM)

        sets = {each["name"]: each for each in swarm("layers", "--json", env=ALL_OFF).json["sets"]}

        assert sets["standard"]["provider"] == str(file)
        assert sets["standard"]["covers"] == "builtin (swarm-core 0.1.0)"
        assert sets["careful"]["use"][1:3] == [{"key": "sink", "options": {"endpoint": "here"}}, {"set": "standard"}]

    def test_the_table_is_for_people(self, swarm, write):
        write("swarm.toml", TEAM)

        ended = swarm("layers", env=ALL_OFF)

        assert "endpoint (required)" in ended.out
        assert "in place of builtin (swarm-core 0.1.0)'s" in ended.out


class TestSet:
    def test_its_chain_is_told_outermost_first_with_who_asked_and_options(self, swarm, write):
        write("swarm.toml", TEAM)

        ended = swarm("layers", "careful", "--json", env=ALL_OFF)

        assert ended.code == 0
        assert [(layer["key"], layer["why"], layer["options"]) for layer in ended.json["chain"]] == [
            ("project_name_alias", "layer set 'careful'", {}),
            ("sink", "layer set 'careful'", {"endpoint": "here"}),
        ]

    def test_what_is_not_installed_is_told_with_what_brings_it(self, swarm, write):
        file = write("swarm.toml", TEAM)

        problems = swarm("layers", "careful", "--json", env=ALL_OFF).json["problems"]

        told = {problem["message"].split("'")[3]: problem for problem in problems}
        assert "swarm-plugin-audit" in told["audit"]["hint"]
        assert (told["no_such_layer"]["path"], told["no_such_layer"]["file"]) == ("layers.careful.use[3]", str(file))

    def test_wrong_options_exit_3_with_file_key_and_hint(self, swarm, write):
        write("swarm.toml", TEAM)

        ended = swarm("layers", "wrong", env=ALL_OFF)

        assert ended.code == 3
        assert "swarm.toml: layers.wrong.use[0].endpiont: " in ended.err
        assert "did you mean 'endpoint'?" in ended.err

    def test_a_circle_exits_3(self, swarm, write):
        write("swarm.toml", TEAM)

        ended = swarm("layers", "round", env=ALL_OFF)

        assert (ended.code, "round > round_about > round" in ended.err) == (3, True)

    def test_an_unknown_set_exits_4_with_the_nearest(self, swarm, write):
        write("swarm.toml", TEAM)

        ended = swarm("layers", "carefull", env=ALL_OFF)

        assert (ended.code, ended.out) == (4, "")
        assert "did you mean 'careful'?" in ended.err

    def test_sets_are_completed(self, swarm, write):
        write("swarm.toml", TEAM)
        asked = {"_SWARM_COMPLETE": "bash_complete", "COMP_WORDS": "swarm layers ro", "COMP_CWORD": "2"}

        assert swarm(env={**asked, **ALL_OFF}).out.split() == ["plain,round", "plain,round_about"]


class TestExplain:
    def test_the_chain_is_shown_with_options_and_who_asked(self, swarm, write):
        write("swarm.toml", TEAM)
        hints = {"layers": [{"sink": {"endpoint": "there"}}]}
        blueprint = {"id": "b", "flow": {"kind": "seq", "children": []}, "spawner_hints": hints}

        ended = swarm("explain", write("b.json", blueprint), "--layers", "careful", "--json", env=ALL_OFF)

        sink = ended.json["layers"][-1]
        assert (sink["options"], sink["why"]) == (
            {"endpoint": "there"},
            "layer set 'careful', options of the blueprint",
        )

    def test_check_tells_wrong_options_of_a_set_with_file_and_key(self, swarm, write):
        file = write("swarm.toml", TEAM)
        blueprint = write("b.json", {"id": "b", "flow": {"kind": "seq", "children": []}})

        ended = swarm("check", blueprint, "--layers", "wrong", "--json", env=ALL_OFF)

        places = {(problem["path"], problem.get("file")) for problem in ended.json["problems"]}
        assert ended.code == 3
        assert ("layers.wrong.use[0].endpiont", str(file)) in places

    def test_settings_that_name_no_set_are_refused(self, swarm, write):
        write("swarm.toml", '[layers.x]\nuse = ["audit", {set = "standard", level = 2}]')

        ended = swarm("layers")

        assert ended.code == 3
        assert "entry 1 stands for the set 'standard' and takes nothing else, not level" in ended.err

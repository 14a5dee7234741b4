"""`swarm check`, `explain`, `new`, `plugins`, `hooks`, `schema`, `--version`."""

import json
import subprocess

import jsonschema
import pytest

TEN_MISTAKES = """\
id: ten
schema_version: 9.0.0
flow:
  kind: seq
  children:
    - kind: stp
    - kind: step
      ref: writter
      in: {op: path, at: "a.b"}
      out: {op: path, at: $.x}
    - kind: loop
      counter: {op: path, at: $.n}
      cond: {op: lit, value: true}
      max: -1
      body: {kind: seq, childern: []}
agents:
  - {name: writer, kind: functoin, spec: {fn_id: identity}}
  - {name: writer, kind: function, spec: {fn_id: identity}}
  - {name: "../x", kind: function, spec: {fn_id: identitty}}
hints:
  per_agent:
    writer: {timeout: 5 parsecs}
spawner_hints: {layers: [audti]}
default_operator_kind: boss
"""


class TestCheck:
    def test_all_of_ten_mistakes_are_named_with_place_and_hint(self, swarm, write):
        ended = swarm("check", write("ten.yaml", TEN_MISTAKES), "--json")

        found = {(problem["code"], problem.get("line")) for problem in ended.json["problems"]}
        wanted = {
            ("schema_version", 2), ("unknown_node_kind", 6), ("unresolved_ref", 8), ("bad_path", 9),
            ("out_of_range", 14), ("unknown_field", 15), ("unknown_kind", 17), ("duplicate_agent", 18),
            ("bad_name", 19), ("invalid_spec", 19), ("bad_duration", 22), ("unknown_layer", 23), ("bad_value", 24),
        }  # fmt: skip
        assert 3 == ended.code
        assert wanted <= found
        assert all({"code", "message", "path", "severity"} <= problem.keys() for problem in ended.json["problems"])

    def test_people_get_file_line_column_and_what_to_do(self, swarm, write):
        ended = swarm("check", write("ten.yaml", TEN_MISTAKES))

        assert 3 == ended.code
        assert "ten.yaml:6:" in ended.out
        assert "did you mean 'step'?" in ended.out
        assert "did you mean 'writer'?" in ended.out

    def test_a_good_blueprint_exits_0(self, swarm, examples):
        ended = swarm("check", examples / "samples" / "02-verdict-loop.yaml", "--json")

        assert (0, True) == (ended.code, ended.json["ok"])

    @pytest.mark.needs("audit")
    def test_a_warning_does_not_refuse(self, swarm, write):
        blueprint = {"id": "w", "flow": {"kind": "seq", "children": []}, "spawner_hints": {"layers": ["none_such"]}}

        ended = swarm("check", write("w.json", blueprint), "--json")

        assert (0, [("unknown_layer", "warning")]) == (
            ended.code,
            [(problem["code"], problem["severity"]) for problem in ended.json["problems"]],
        )

    @pytest.mark.parametrize(
        ("name", "text", "code"),
        [
            ("empty.yaml", "", "blueprint_empty"),
            ("broken.json", '{"id": ', "json_syntax"),
            ("list.yaml", "- 1\n", "wrong_type"),
            ("twice.json", '{"id": "a", "id": "b"}', "duplicate_key"),
            ("nan.json", '{"id": NaN}', "bad_number"),
            ("deep.json", "[" * 200_000, "too_deep"),
            ("deep.yaml", "[" * 100_000, "too_deep"),
        ],
    )
    def test_what_cannot_be_read_is_a_problem_too(self, swarm, write, name, text, code):
        ended = swarm("check", write(name, text), "--json")

        assert (3, code) == (ended.code, ended.json["problems"][0]["code"])


class TestExplain:
    def test_it_says_what_each_agent_resolves_to_and_the_bound(self, swarm, examples):
        ended = swarm("explain", examples / "samples" / "02-verdict-loop.yaml", "--json")

        agents = {agent["agent"]: agent["kind"] for agent in ended.json["agents"]}
        assert 0 == ended.code
        assert {"scout", "plan", "resolver", "gate", "commit", "escalate"} == set(agents)
        assert {"fake"} == set(agents.values())
        assert "9" in ended.json["bound"]

    def test_people_get_tables(self, swarm, examples):
        ended = swarm("explain", examples / "samples" / "02-verdict-loop.yaml", "--bind", "gate=function")

        assert 3 == ended.code or "gate" in ended.out


class TestNew:
    @pytest.mark.needs("audit")
    def test_the_project_runs_and_checks_clean(self, swarm, cwd):
        made = swarm("new", "hello")
        checked = swarm("check", "hello/blueprint.yaml", "--json")
        ended = swarm("run", "hello/blueprint.yaml", "--set", "name=Ada")

        assert [0, 0, 0] == [made.code, checked.code, ended.code]
        assert [] == checked.json["problems"]
        assert "Hello, Ada!" == ended.json["published"]
        assert {"README.md", "blueprint.yaml", "swarm.toml", "swarmfile.py"} <= {
            p.name for p in (cwd / "hello").iterdir()
        }

    def test_the_runs_of_the_project_do_not_go_into_its_repository(self, swarm, cwd):
        swarm("new", "hello")
        subprocess.run(["git", "init", "-q", cwd / "hello"], check=True)
        swarm("run", "hello/blueprint.yaml", "--set", "name=Ada", env={"SWARM_CONFIG": str(cwd / "hello/swarm.toml")})

        status = subprocess.run(
            ["git", "status", "--porcelain", "-uall"], cwd=cwd / "hello", capture_output=True, text=True, check=True
        )

        assert (cwd / "hello" / ".swarm" / "swarm.db").exists()
        assert {".gitignore", "README.md", "blueprint.yaml", "swarm.toml", "swarmfile.py"} == {
            line.split()[-1] for line in status.stdout.splitlines()
        }

    def test_a_folder_that_is_not_empty_is_left_alone(self, swarm, write, cwd):
        write("hello/blueprint.yaml", "mine")

        ended = swarm("new", "hello")

        assert 2 == ended.code
        assert "mine" == (cwd / "hello" / "blueprint.yaml").read_text()


class TestPluginsAndHooks:
    def test_the_cores_own_plugin_is_active(self, swarm):
        ended = swarm("plugins", "--json")

        active = {plugin["name"] for plugin in ended.json["plugins"] if plugin["state"] == "active"}
        assert {"builtin", "testing"} <= active

    def test_the_table_names_what_each_provides(self, swarm):
        ended = swarm("plugins")

        assert "spawner function" in ended.out

    def test_every_hook_is_listed_with_who_implements_it(self, swarm):
        ended = swarm("hooks", "--json")

        hooks = {hook["hook"]: hook["implemented_by"] for hook in ended.json}
        assert "builtin" in hooks["swarm_register_spawners"]
        assert {"swarm_lifespan", "swarm_signer", "swarm_check_blueprint"} <= set(hooks)


class TestSchema:
    @pytest.mark.needs("agents_md", "lua")
    def test_it_is_a_valid_schema_that_every_example_meets(self, swarm, examples):
        import yaml

        ended = swarm("schema")
        jsonschema.Draft202012Validator.check_schema(ended.json)

        validator = jsonschema.Draft202012Validator(ended.json)
        for path in sorted(examples.rglob("*.yaml")):
            document = yaml.safe_load(path.read_text())
            for agent in document.get("agents", []):
                if isinstance((agent.get("spec") or {}).get("source"), dict):
                    agent["spec"]["source"] = "return 1"
            assert [] == list(validator.iter_errors(document)), path

    def test_broken_documents_do_not_meet_it(self, swarm):
        validator = jsonschema.Draft202012Validator(swarm("schema").json)
        good = {"id": "x", "flow": {"kind": "seq", "children": []}}

        broken = [{}, {**good, "flow": {"kind": "stp"}}, {**good, "extra": 1}, {**good, "agents": [{"kind": "lua"}]}]

        assert [False] * 4 == [validator.is_valid(document) for document in broken]


class TestFrontDoor:
    def test_the_version_is_the_packages(self, swarm):
        import swarm_core

        assert f"swarm, version {swarm_core.__version__}\n" == swarm("--version").out

    def test_help_lists_every_command(self, swarm):
        ended = swarm("--help")

        assert 0 == ended.code
        for command in ("run", "check", "explain", "new", "plugins", "hooks", "schema"):
            assert f"\n  {command} " in ended.out

    def test_cl149_wrong_settings_are_told_with_their_place(self, swarm, write):
        write("swarm.toml", "[engine]\nmax_spawn_deth = 3\n")

        ended = swarm("plugins")

        assert 3 == ended.code
        assert "did you mean 'max_spawn_depth'?" in ended.err

    def test_p34_safe_mode_leaves_only_the_core(self, swarm):
        ended = swarm("plugins", "--json", env={"SWARM_DISABLE_PLUGINS": "1"})

        states = {plugin["name"]: plugin["state"] for plugin in ended.json["plugins"]}
        assert {"builtin"} == {name for name, state in states.items() if state == "active"} - {"testing"}
        json.dumps(states)

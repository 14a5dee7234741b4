"""Plugins that are wrong, installed beside good ones, as the commands meet them (PL 137 to 144, P34, P35)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GOOD = """
from swarm_core import Result, Spawner, SpawnerFactory, hookimpl

SWARM_API = 1

class Says(Spawner):
    async def run(self, call):
        return Result("good")

@hookimpl
def swarm_register_spawners():
    return [SpawnerFactory("good", lambda agent, spec, hint, environment: Says())]
"""
HOOK = "from swarm_core import hookimpl\nSWARM_API = 1\n@hookimpl\ndef swarm_register_spawners"
# plugin name -> its module's source and the code with which it is refused
WRONG = {
    "breaks": ("1 / 0", "plugin_import_failed"),
    "leaves": ("raise SystemExit(0)", "plugin_import_failed"),
    "basic": ("raise BaseException('odd')", "plugin_import_failed"),
    "absent": ("from swarm_core import no_such_name", "plugin_import_failed"),
    "silent": ("x = 1", "plugin_incompatible"),
    "tomorrow": ("SWARM_API = 2", "plugin_incompatible"),
    "misspells": (HOOK.replace("spawners", "spawner") + "():\n    return []", "plugin_invalid"),
    "misnames": (HOOK + "(setings):\n    return []", "plugin_invalid"),
    "mistypes": (HOOK + "():\n    return 7", "plugin_invalid"),
    "raises": (HOOK + "():\n    raise OSError('gone')", "plugin_invalid"),
    "endless": (HOOK + "():\n    while True:\n        yield 1", "plugin_invalid"),
}
STEP = {"kind": "step", "ref": "a", "in": {"op": "lit", "value": 1}, "out": {"op": "path", "at": "$.out"}}


def blueprint(kind):
    return {"id": "x", "flow": STEP, "agents": [{"name": "a", "kind": kind}]}


@pytest.fixture
def install(cwd):
    """Put a distribution with one plugin into a folder; return the environment in which it is found."""

    def install(name, source, *, distribution=None, version="1.0", site="site"):
        distribution = distribution or f"dist-{name}"
        module = distribution.replace("-", "_")
        info = cwd / site / f"{module}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[swarm_core.plugins]\n{name} = {module}\n")
        (cwd / site / f"{module}.py").write_text(source)
        return {"PYTHONPATH": f"{cwd / site}"}

    return install


def by_name(ended):
    return {plugin["name"]: plugin for plugin in ended.json["plugins"]}


class TestAllAtOnce:
    @pytest.fixture
    def env(self, install):
        for name, (source, _) in WRONG.items():
            install(name, source)
        return install("good", GOOD)

    def test_pl137_pl140_p34_every_wrong_plugin_is_listed_with_its_fault_and_the_good_one_works(self, swarm, env):
        ended = swarm("plugins", "--json", env=env)

        plugins = by_name(ended)
        assert 3 == ended.code
        assert {name: code for name, (_, code) in WRONG.items()} == {
            name: plugins[name]["error"]["code"] for name in WRONG
        }
        assert all(f"dist-{name} 1.0" in plugins[name]["error"]["where"] for name in WRONG)
        assert ("active", ["spawner good"]) == (plugins["good"]["state"], plugins["good"]["provides"])

    def test_p34_people_see_where_an_import_broke(self, install, cwd):
        env = {**os.environ, **install("breaks", "import json\n1 / 0")}

        done = subprocess.run(
            [sys.executable, "-m", "swarm_core", "plugins"],
            cwd=cwd,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )

        assert 3 == done.returncode
        assert 'dist_breaks.py", line 2' in done.stderr
        assert "ZeroDivisionError: division by zero" in done.stderr

    def test_p34_a_run_is_refused_before_its_first_step_and_names_them_all(self, swarm, env, write):
        ended = swarm("run", write("a.json", blueprint("good")), env=env)

        assert (3, "") == (ended.code, ended.out)
        assert all(f"plugin {name!r} (dist-{name} 1.0)" in ended.err for name in WRONG)

    @pytest.mark.needs("audit")
    def test_p34_check_comes_up_and_tells_the_kind_of_a_refused_plugin(self, swarm, install, write):
        env = install("lua", "1 / 0", distribution="swarm-plugin-lua", version="99.0")

        ended = swarm("check", write("a.json", blueprint("lua")), "--json", env=env)

        (problem,) = ended.json["problems"]
        assert (3, "unknown_kind") == (ended.code, problem["code"])
        assert "swarm-plugin-lua 99.0" in problem["hint"]
        assert "refused" in problem["hint"]

    def test_p35_pl142_switched_off_they_are_not_imported_and_the_run_goes_on(self, swarm, env, write):
        env = {**env, "SWARM_DISABLE_PLUGINS": ",".join(f"dist-{name}" for name in WRONG)}

        ended = swarm("run", write("a.json", blueprint("good")), env=env)
        listed = by_name(swarm("plugins", "--json", env=env))

        assert (0, {"out": "good"}) == (ended.code, ended.json)
        assert {"disabled"} == {listed[name]["state"] for name in WRONG}

    def test_p35_every_plugin_shows_distribution_version_and_hash(self, swarm, install):
        before = by_name(swarm("plugins", "--json", env=install("good", GOOD)))["good"]
        after = by_name(swarm("plugins", "--json", env=install("good", GOOD + "# more\n", site="other")))["good"]

        assert ("dist-good", "1.0", 64) == (before["distribution"], before["version"], len(before["hash"]))
        assert before["hash"] != after["hash"]


class TestNames:
    @pytest.mark.parametrize("name", ["builtin", "audit"])
    def test_pl138_a_stranger_does_not_take_the_name_of_a_bundled_plugin(self, swarm, install, name):
        """Against the core's own it is refused; against another distribution both are, and both are named."""
        install("audit", "SWARM_API = 1", distribution="swarm-plugin-audit", version="77.0")
        env = install(name, GOOD, distribution="foreign")

        ended = swarm("plugins", "--json", env=env)

        strangers = [p for p in ended.json["plugins"] if p["distribution"] == "foreign"]
        assert [("refused", "plugin_conflict")] == [(p["state"], p["error"]["code"]) for p in strangers]
        assert "good" not in str([p["provides"] for p in ended.json["plugins"]])
        if name == "audit":
            assert "swarm-plugin-audit 77.0" in json.dumps(strangers)

    def test_pl141_a_required_plugin_that_is_absent_is_told_with_its_pip_name(self, swarm, write):
        write("swarm.toml", '[plugins]\nrequire = ["vector_store"]\n')

        ended = swarm("run", write("a.json", blueprint("fake")))

        assert (3, "") == (ended.code, ended.out)
        assert "pip install swarm-plugin-vector-store" in ended.err

    def test_pl144_broken_metadata_is_a_warning_and_the_rest_works(self, swarm, install, cwd, write):
        env = install("good", GOOD)
        broken = cwd / "site" / "broken-1.0.dist-info"
        broken.mkdir()
        (broken / "METADATA").write_bytes(b"\xff\xfe\x00")
        (broken / "entry_points.txt").write_bytes(b"[swarm_core.plugins]\nno equals sign\n\xff")

        listed = swarm("plugins", "--json", env=env)
        ran = swarm("run", write("a.json", blueprint("good")), env=env)

        assert [("broken_metadata", "warning")] == [(p["code"], p["severity"]) for p in listed.json["problems"]]
        assert {"out": "good"} == ran.json


class TestTrusted:
    def test_pl139_it_is_written_down_that_plugins_are_trusted(self):
        text = (ROOT / "docs" / "reference" / "hooks.md").read_text(encoding="utf-8")

        assert "A plugin is trusted code" in text

    def test_pl139_a_plugin_that_takes_stdout_while_it_loads_does_not_keep_it(self, swarm, install, write):
        source = GOOD + "\nimport io, sys\nprint('noise')\nsys.stdout = io.StringIO()\n"

        ended = swarm("run", write("a.json", blueprint("good")), env=install("good", source))

        assert {"out": "good"} == ended.json

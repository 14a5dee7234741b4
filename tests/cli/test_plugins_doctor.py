"""`swarm plugins doctor`: plugins that never come back, what Blueprints lack, what to do (PL 137, PL 139, P34)."""

import time
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from swarm_core.known import PROVIDERS

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
HOOK = "from swarm_core import hookimpl\nSWARM_API = 1\n@hookimpl\ndef "
# plugin -> its module, and what is said of it
LOST = {
    "waits": ("import threading\nthreading.Event().wait()", "did not come back within 1 s"),
    "spins": (HOOK + "swarm_register_layers():\n    while True:\n        pass", "did not come back within 1 s"),
    "configures": (HOOK + "swarm_configure(settings):\n    while True:\n        pass", "did not come back within 1 s"),
    "leaves": ("import os\nos._exit(7)", "ended the process with exit code 7"),
    "quits": ("import os\nos._exit(0)", "ended the process with exit code 0"),
    "dies": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "ended the process with SIGKILL"),
}
STEP = {"kind": "step", "ref": "a", "in": {"op": "lit", "value": 1}, "out": {"op": "path", "at": "$.out"}}


@pytest.fixture
def install(cwd):
    """Put a distribution with one plugin into a folder; return the environment in which it is found."""

    def install(name, source, distribution=None):
        distribution = distribution or f"dist-{name}"
        module = distribution.replace("-", "_")
        info = cwd / "site" / f"{module}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[swarm_core.plugins]\n{name} = {module}\n")
        (cwd / "site" / f"{module}.py").write_text(source)
        return {"PYTHONPATH": f"{cwd / 'site'}"}

    return install


def only(*names):
    """Return the environment in which every installed plugin but these is switched off."""
    installed = {point.name for point in entry_points(group="swarm_core.plugins")}
    return {"SWARM_DISABLE_PLUGINS": ",".join(sorted(installed - {"testing", *names}))}


def blueprint(**fields):
    return {"id": "x", "flow": STEP, "agents": [{"name": "a", "kind": "function"}], **fields}


def by_name(ended):
    return {plugin["name"]: plugin for plugin in ended.json["plugins"]}


def needs(ended):
    return {(need["thing"], need["name"]): need for need in ended.json["needs"]}


def runs(pid):
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


class TestPlugins:
    def test_when_all_is_well_it_says_so(self, swarm, install):
        ended = swarm("plugins", "doctor", env={**only(), **install("good", GOOD)})

        assert (0, "all is well\n") == (ended.code, ended.err)
        assert "dist-good 1.0" in ended.out

    def test_pl137_p34_what_never_comes_back_or_ends_the_process_is_named_and_the_others_are_looked_at(
        self, swarm, install
    ):
        for name, (source, _) in LOST.items():
            install(name, source)
        env = {**only(), **install("good", GOOD)}

        ended = swarm("plugins", "doctor", "--timeout", "1s", "--json", env=env)

        plugins = by_name(ended)
        assert 3 == ended.code
        assert ("active", ["spawner good"]) == (plugins["good"]["state"], plugins["good"]["provides"])
        for name, (_, said) in LOST.items():
            error = plugins[name]["error"]
            assert ("refused", "plugin_hangs") == (plugins[name]["state"], error["code"])
            assert said in error["message"]
            assert f"dist-{name} 1.0" in error["where"]
            assert f'disable = ["{name}"]' in error["hint"]

    def test_people_see_the_line_where_it_hangs(self, swarm, install):
        env = {**only(), **install("waits", LOST["waits"][0])}

        ended = swarm("plugins", "doctor", "--timeout", "1s", env=env)

        assert 3 == ended.code
        assert 'dist_waits.py", line 2' in ended.err

    def test_nothing_that_a_plugin_started_is_left(self, swarm, install, cwd):
        code = f"""
import subprocess
child = subprocess.Popen(["sleep", "600"])
with open({str(cwd / "pid")!r}, "w") as file:
    file.write(str(child.pid))
import threading
threading.Thread(target=threading.Event().wait).start()
"""
        swarm("plugins", "doctor", env={**only(), **install("starts", GOOD + code)})

        pid = int((cwd / "pid").read_text())
        end = time.monotonic() + 30
        while runs(pid):
            assert time.monotonic() < end, "the plugin's process still runs"

    def test_what_is_refused_is_told_with_the_reason_and_the_traceback(self, swarm, install):
        ended = swarm("plugins", "doctor", env={**only(), **install("breaks", "import json\n1 / 0")})

        assert 3 == ended.code
        assert "ZeroDivisionError" in ended.err
        assert 'dist_breaks.py", line 2' in ended.err

    def test_a_command_that_is_taken_is_told(self, swarm, install):
        source = HOOK + "swarm_register_commands(cli):\n    import click\n    cli.add_command(click.Command('run'))"

        ended = swarm("plugins", "doctor", "--json", env={**only(), **install("shadows", source)})

        (problem,) = ended.json["problems"]
        assert 3 == ended.code
        assert "'run' is already there" in problem["message"]
        assert "shadows" in problem["message"]

    def test_pl139_what_a_plugin_replaced_is_told(self, swarm, install):
        source = GOOD + "import json, signal, sys\njson.loads = eval\nsys.stdout = sys.stderr\n"
        source += "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        install("unharmed", GOOD.replace('"good"', '"unharmed"'))

        ended = swarm("plugins", "doctor", "--json", env={**only(), **install("patches", source)})

        assert 0 == ended.code
        assert [
            "plugin 'patches' (dist-patches 1.0) replaces json.loads",
            "plugin 'patches' (dist-patches 1.0) replaces sys.stdout",
            "plugin 'patches' (dist-patches 1.0) replaces the handler of SIGTERM",
        ] == ended.json["warnings"]

    def test_what_is_switched_off_is_not_imported(self, swarm, install, cwd):
        env = install("marks", f"open({str(cwd / 'mark')!r}, 'w')")

        ended = swarm("plugins", "doctor", "--json", env={**env, "SWARM_DISABLE_PLUGINS": "1"})

        assert "disabled" == by_name(ended)["marks"]["state"]
        assert not (cwd / "mark").exists()

    def test_wrong_settings_do_not_keep_it_from_looking(self, swarm, install, write):
        write("swarm.toml", "[engine]\nmax_lanez = 3\n")

        ended = swarm("plugins", "doctor", env={**only(), **install("good", GOOD)})

        assert 3 == ended.code
        assert "max_lanez" in ended.err
        assert "dist-good 1.0" in ended.out

    def test_a_required_plugin_that_is_absent_is_told_with_its_pip_name(self, swarm, write):
        write("swarm.toml", '[plugins]\nrequire = ["vector_store"]\n')

        ended = swarm("plugins", "doctor", env=only())

        assert 3 == ended.code
        assert "pip install swarm-plugin-vector-store" in ended.err

    def test_the_list_keeps_its_options(self, swarm):
        assert 2 == swarm("plugins", "--json", "doctor").code
        assert "hash" in swarm("plugins", "--hash").out.splitlines()[0]
        assert 2 == swarm("plugins", "docter").code


class TestBlueprints:
    def test_what_is_there_is_listed_with_who_brings_it(self, swarm, install, write):
        env = {**only(), **install("good", GOOD)}
        file = write("a.json", blueprint(agents=[{"name": "a", "kind": "good"}]))

        ended = swarm("plugins", "doctor", file, "--json", env=env)

        assert 0 == ended.code
        assert {("reader", ".json"): "here", ("spawner", "good"): "here"} == {
            key: need["state"] for key, need in needs(ended).items()
        }
        assert "good (dist-good 1.0)" == needs(ended)["spawner", "good"]["by"]

    @pytest.mark.parametrize(
        ("thing", "name", "fields"),
        [
            ("spawner", "lua", {"agents": [{"name": "a", "kind": "lua"}]}),
            ("spawner", "operator", {"hints": {"per_agent": {"a": {"bind": "operator"}}}}),
            ("spawner", "subprocess", {"subprocesses": [{"name": "p", "command": ["true"]}]}),
            ("layer", "audit", {"spawner_hints": {"layers": ["audit"]}}),
            ("layer", "long_hold", {"spawner_hints": {"layers": [{"long_hold": {"warn_after": "5m"}}]}}),
            ("directive", "$agents_md", {"agents": {"$agents_md": "agents"}}),
        ],
    )
    def test_what_is_missing_is_told_with_its_place_and_the_command_that_brings_it(
        self, swarm, write, cwd, thing, name, fields
    ):
        """The core's own distribution stands alone here: others are hidden, not switched off."""
        file = write("a.json", blueprint(**fields))
        hidden = cwd / "hidden"
        hidden.mkdir()
        (hidden / "sitecustomize.py").write_text(HIDE)

        ended = swarm("plugins", "doctor", file, "--json", env={"PYTHONPATH": str(hidden)})

        need = needs(ended)[thing, name]
        assert (3, "missing", PROVIDERS[thing, name]) == (ended.code, need["state"], need["pip"])
        assert [f"pip install {PROVIDERS[thing, name]}"] == ended.json["do"]

    def test_what_is_switched_off_is_not_to_be_installed(self, swarm, install, write):
        env = install("lua", "SWARM_API = 1", distribution="swarm-plugin-lua")
        file = write("a.json", blueprint(agents=[{"name": "a", "kind": "lua"}]))

        ended = swarm("plugins", "doctor", file, "--json", env={**env, "SWARM_DISABLE_PLUGINS": "1"})

        need = needs(ended)["spawner", "lua"]
        assert (3, "disabled", []) == (ended.code, need["state"], ended.json["do"])
        assert "SWARM_DISABLE_PLUGINS" in need["do"]

    def test_a_slip_of_the_pen_is_told_with_the_nearest(self, swarm, write):
        file = write("a.json", blueprint(agents=[{"name": "a", "kind": "functoin"}]))

        ended = swarm("plugins", "doctor", file, env=only())

        assert 3 == ended.code
        assert "did you mean 'function'?" in ended.err

    def test_keys_of_data_are_no_directives(self, swarm, write):
        step = {**STEP, "in": {"op": "lit", "value": {"$ref": "#/x", "$price": 3}}}

        assert 0 == swarm("plugins", "doctor", write("a.json", blueprint(flow=step)), env=only()).code

    def test_a_store_of_the_settings_is_looked_for_by_its_scheme_and_its_secrets_are_not_told(self, swarm):
        env = {**only(), "SWARM_STORE": "postgres://me:secret@host/runs"}

        ended = swarm("plugins", "doctor", "--json", env=env)

        assert (3, "missing") == (ended.code, needs(ended)["store", "run postgres"]["state"])
        assert "secret" not in ended.out + ended.err

    def test_a_document_that_cannot_be_read_is_told(self, swarm, write):
        ended = swarm("plugins", "doctor", write("a.json", '{"id": '), "--json", env=only())

        assert 3 == ended.code
        assert ended.json["problems"] != []

    def test_a_file_that_is_not_there_has_its_exit_code(self, swarm):
        assert 4 == swarm("plugins", "doctor", "nowhere.json", env=only()).code


HIDE = '''
import importlib.metadata
import sys


class Hiding(importlib.metadata.MetadataPathFinder):
    """Finds every distribution but the plugins."""

    @classmethod
    def find_distributions(cls, context=importlib.metadata.DistributionFinder.Context()):
        for found in importlib.metadata.MetadataPathFinder.find_distributions(context):
            if not (found.metadata["Name"] or "").startswith("swarm-plugin-"):
                yield found


def hide():
    import importlib_metadata

    importlib_metadata.MetadataPathFinder.find_distributions = Hiding.find_distributions


hide()
'''

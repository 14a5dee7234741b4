"""Agents of kind `subprocess` without an engine: specs are built as a launch does it, the processes are real."""

import json
import sys
from pathlib import Path

import pytest
from attrs import define, field, frozen
from swarm_plugin_subprocess.spawner import SUBPROCESS_KIND

from swarm_core.codec import structure, structure_blueprint
from swarm_core.factories import Environment
from swarm_core.model.blueprint import AgentDef, AgentHint, AgentProfile
from swarm_core.settings import Settings
from swarm_core.testing import RecordingContext, make_call, processes

BLUEPRINT = {"id": "test", "flow": {"kind": "seq", "children": []}}


@define
class Bench:
    """Builds and runs agents; `context` is that of the last attempt."""

    processes: object
    directory: Path
    section: dict = field(factory=dict)
    context: RecordingContext = field(factory=RecordingContext)

    def build(self, spec, *, directory=..., section=None, profile=None, templates=()):
        """Return the spawner of an agent with this spec, in a Blueprint with these templates."""
        environment = Environment(
            blueprint=structure_blueprint({**BLUEPRINT, "subprocesses": list(templates)}),
            settings=Settings(sections={"subprocess": self.section if section is None else section}),
            processes=self.processes,
            clock=None,
            directory=self.directory if directory is ... else directory,
        )
        model = structure(spec, SUBPROCESS_KIND.spec, path="$.agents[0].spec")
        told = None if profile is None else structure(profile, AgentProfile)
        agent = AgentDef(name="tester", kind="subprocess", profile=told)
        return SUBPROCESS_KIND.build(agent, model, AgentHint(), environment)

    async def run(self, spec, input="", *, section=None, directory=..., profile=None, templates=(), **call):
        """Run one attempt and return its result: what the spawner returned, else the last final."""
        self.context = RecordingContext()
        spawner = self.build(spec, section=section, directory=directory, profile=profile, templates=templates)
        result = await spawner.run(make_call(input=input, context=self.context, **call))
        return self.context.latest if result is None else result

    async def python(self, code, input="", *, args=(), section=None, **spec):
        """Run Python code as the program."""
        spec = {"program": sys.executable, "args": ["-I", "-S", "-c", code, *args], **spec}
        return await self.run(spec, input, section=section)

    async def shell(self, script, input="", *, section=None, **spec):
        """Run a fixed shell script as the program."""
        return await self.run({"program": "sh", "args": ["-c", script, "sh"], **spec}, input, section=section)


@pytest.fixture
async def bench(tmp_path):
    async with processes() as real:
        yield Bench(real, tmp_path)


@pytest.fixture
def alive():
    """Tell which of the processes whose ids stand in a file still live."""

    def look(file: Path) -> list[int]:
        found = []
        for pid in map(int, file.read_text().split()):
            try:
                state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
            except OSError:
                continue
            if state != "Z":
                found.append(pid)
        return found

    return look


@frozen
class Told:
    """What a stand-in program was told."""

    argv: list
    stdin: str
    env: dict


@define
class StandIn:
    """A program of some name on the PATH that writes down what it is told, and prints and exits as it is set up."""

    folder: Path
    name: str

    def says(self, printed, code=0, stderr=""):
        text = printed if isinstance(printed, str) else json.dumps(printed)
        script = STAND_IN.format(python=sys.executable, folder=str(self.folder), out=text, err=stderr, code=code)
        program = self.folder / self.name
        program.write_text(script)
        program.chmod(0o755)
        return self

    @property
    def told(self):
        return Told(**json.loads((self.folder / "told.json").read_text()))


STAND_IN = """#!{python} -IS
import json, os, pathlib, sys
files = [each.partition("=")[2] for each in sys.argv if each.startswith("--read=")]
files += [os.environ["GEMINI_SYSTEM_MD"]] if "GEMINI_SYSTEM_MD" in os.environ else []
told = dict(argv=sys.argv[1:], stdin=sys.stdin.read(), env=dict(os.environ) | dict(
    system_file="".join(pathlib.Path(each).read_text() for each in files)))
pathlib.Path({folder!r}, "told.json").write_text(json.dumps(told))
sys.stdout.write({out!r})
sys.stderr.write({err!r})
sys.exit({code!r})
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Put a stand-in for a program on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return lambda name: StandIn(folder, name)

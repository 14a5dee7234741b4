"""Agents of kind `subprocess` without an engine: specs are built as a launch does it, the processes are real."""

import sys
from pathlib import Path

import pytest
from attrs import define, field
from swarm_plugin_subprocess.spawner import SUBPROCESS_KIND

from swarm_core.codec import structure, structure_blueprint
from swarm_core.factories import Environment
from swarm_core.model.blueprint import AgentDef, AgentHint
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

    def build(self, spec, *, directory=..., section=None):
        """Return the spawner of an agent with this spec."""
        environment = Environment(
            blueprint=structure_blueprint(BLUEPRINT),
            settings=Settings(sections={"subprocess": self.section if section is None else section}),
            processes=self.processes,
            clock=None,
            directory=self.directory if directory is ... else directory,
        )
        model = structure(spec, SUBPROCESS_KIND.spec, path="$.agents[0].spec")
        return SUBPROCESS_KIND.build(AgentDef(name="tester", kind="subprocess"), model, AgentHint(), environment)

    async def run(self, spec, input="", *, section=None, directory=..., **call):
        """Run one attempt and return its result: what the spawner returned, else the last final."""
        self.context = RecordingContext()
        spawner = self.build(spec, section=section, directory=directory)
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

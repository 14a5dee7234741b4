"""Agents of kind `llm` against a server that speaks the real protocol; the engine is real where a test opens one."""

import importlib.util
import sys
from pathlib import Path

import pytest
from attrs import define, field
from swarm_plugin_llm.clients import open_clients
from swarm_plugin_llm.kind import LLM_KIND
from swarm_plugin_llm.own_tools import OWN_TOOLS

from swarm_core.codec import structure, structure_blueprint
from swarm_core.factories import Environment
from swarm_core.model.blueprint import AgentDef, AgentHint, AgentProfile
from swarm_core.settings import Settings
from swarm_core.testing import RecordingContext, make_call, processes

BLUEPRINT = {"id": "test", "flow": {"kind": "seq", "children": []}}


def _model_server():
    if "model_server" not in sys.modules:
        spec = importlib.util.spec_from_file_location("model_server", Path(__file__).with_name("model_server.py"))
        module = sys.modules["model_server"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules["model_server"]


_model_server()


@pytest.fixture
async def server():
    async with _model_server().model_server() as serving:
        yield serving


@define
class Bench:
    """Builds and runs agents that ask one server; `context` is that of the last attempt."""

    url: str
    processes: object
    services: dict
    directory: Path
    context: RecordingContext = field(factory=RecordingContext)

    def build(self, *, spec=None, profile=None, section=None, provider=None, tools=(), name="tester"):
        own = {"base_url": self.url, "model": "tiny", "max_retries": 2, **(provider or {})}
        environment = Environment(
            blueprint=structure_blueprint(BLUEPRINT),
            settings=Settings(sections={"llm": {"providers": {"local": own}, **(section or {})}}),
            processes=self.processes,
            clock=None,
            services=self.services,
            directory=self.directory,
            tools={tool.name: tool for tool in (*OWN_TOOLS, *tools)},
        )
        told = structure(profile or {}, AgentProfile)
        agent = AgentDef(name=name, kind="llm", profile=told)
        model = structure(spec or {}, LLM_KIND.spec, path="$.agents[0].spec")
        return LLM_KIND.build(agent, model, AgentHint(), environment)

    async def run(self, input="", *, context=None, meta=None, **build):
        """Run one attempt and return its result."""
        self.context = context or RecordingContext()
        return await self.build(**build).run(make_call(input=input, context=self.context, meta=meta or {}))


@pytest.fixture
async def bench(server, tmp_path, monkeypatch):
    for name in ("SWARM_LLM_BASE_URL", "SWARM_LLM_API_KEY", "SWARM_LLM_MODEL"):
        monkeypatch.delenv(name, raising=False)
    services = {}
    async with processes() as real, open_clients(services):
        yield Bench(server.url, real, services, tmp_path)

"""The examples of docs/reference/hooks.md do what their hooks are for: each is used as the host, or a launch, would."""

from __future__ import annotations

import logging
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
from click.testing import CliRunner

import swarm_core
from swarm_core import Swarm, hookspecs
from swarm_core.builtin.memory import MemoryOutputStore
from swarm_core.endpoints import Caller, HttpRequest
from swarm_core.errors import PluginInvalid, SettingsError
from swarm_core.host import Host
from swarm_core.settings import Settings, load_settings
from swarm_core.testing import check_layer, check_resolver, check_spawner, make_call
from swarm_core.testing import plugin as testing
from swarm_core.tokens import CapTokenSigner
from swarm_core.verifiers import Change

PAGE = Path(__file__).parents[2] / "docs/reference/hooks.md"
SECTION = re.compile(r"^## (swarm_\w+)$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLUEPRINT = {
    "id": "trial",
    "flow": {
        "kind": "step",
        "ref": "clerk",
        "in": {"op": "lit", "value": "hello"},
        "out": {"op": "path", "at": "$.out"},
    },
    "agents": [{"name": "clerk", "kind": "fake"}],
}


def examples() -> dict[str, str]:
    """Return the example of each hook; a page without one fails here."""
    return {hook: EXAMPLE.search(body)[1] for hook, body in SECTION.findall(PAGE.read_text(encoding="utf-8"))}  # type: ignore[index]


def example(hook: str) -> Any:
    module = ModuleType("swarm_plugin_example")
    exec(compile(examples()[hook], f"hooks.md, {hook}", "exec"), vars(module))
    return module


def load(hook: str) -> Host:
    return Host.load([example(hook)], Settings(), strict=True)


def run(blueprint: dict[str, Any], *plugins: object) -> Any:
    return swarm_core.run(blueprint, plugins=[testing, *plugins]).final_ctx["out"]


def test_every_hook_has_an_example_that_is_used_here() -> None:
    hooks = [name for name, item in vars(hookspecs).items() if hasattr(item, f"{hookspecs.PROJECT}_spec")]
    used = Path(__file__).read_text(encoding="utf-8")

    assert hooks == list(examples())
    assert [hook for hook in hooks if f'"{hook}")' not in used] == []


async def test_swarm_register_spawners() -> None:
    module = example("swarm_register_spawners")

    await check_spawner(module.Repeat(2))
    assert [3, 3] == (await module.Repeat(2).run(make_call(input=3))).value


def test_the_kind_of_the_example_runs_a_blueprint() -> None:
    agents = [{"name": "clerk", "kind": "repeat", "spec": {"times": 3}}]

    assert ["hello"] * 3 == run({**BLUEPRINT, "agents": agents}, example("swarm_register_spawners"))


async def test_swarm_register_layers(caplog: pytest.LogCaptureFixture) -> None:
    module = example("swarm_register_layers")

    with caplog.at_level(logging.INFO, "swarm.attempts"):
        await check_layer(module.Log("swarm.attempts"))

    assert "runs as" in caplog.text


def test_swarm_register_layer_sets() -> None:
    (watched,) = load("swarm_register_layer_sets").catalog.layer_sets.values()

    assert ["audit", "long_hold"] == [use.key for use in watched.use]


async def test_swarm_register_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    class Archive:
        @staticmethod
        @asynccontextmanager
        async def connect(url: str) -> Any:
            assert url == "archive://here"
            yield MemoryOutputStore()

    archive = ModuleType("my_archive")
    archive.Archive = Archive  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_archive", archive)

    async with Swarm.open(plugins=[example("swarm_register_stores"), testing], outputs="archive://here") as swarm:
        await (await swarm.launch(BLUEPRINT)).wait()

        assert "clerk" == (await swarm.outputs.get_latest_by_name("clerk")).producer_agent


def test_swarm_register_resolvers() -> None:
    resolver = example("swarm_register_resolvers").SecondTry()

    check_resolver(resolver, maps={"clerk": "clerk"})
    check_resolver(resolver, make_call(attempt=2), maps={"clerk": "clerk-deputy"})


def test_swarm_register_functions() -> None:
    agents = [{"name": "clerk", "kind": "function", "spec": {"fn_id": "words"}}]
    flow = {**BLUEPRINT["flow"], "in": {"op": "lit", "value": "one two"}}

    assert 2 == run({**BLUEPRINT, "flow": flow, "agents": agents}, example("swarm_register_functions"))


def test_swarm_register_readers(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("first\nsecond\n")
    text = str({**BLUEPRINT, "id": "trial"}).replace("'hello'", '{"$first_line": "notes.md"}')
    (tmp_path / "trial.yaml").write_text(text)

    result = swarm_core.run(tmp_path / "trial.yaml", plugins=[testing, example("swarm_register_readers")])

    assert "first" == result.final_ctx["out"]


async def test_swarm_register_endpoints(tmp_path: Path) -> None:
    plugins = [testing, example("swarm_register_endpoints")]
    async with Swarm.open(plugins=plugins, store=f"sqlite:///{tmp_path}/swarm.db") as swarm:
        await (await swarm.launch(BLUEPRINT)).wait()
        request = HttpRequest(
            path={}, query={}, headers={}, body=None, caller=Caller(name="me"), swarm=swarm, base_url="http://me"
        )

        reply = await swarm.catalog.endpoints["GET /v1/count"].handler(request)

        assert {"runs": 1} == reply.value


async def test_swarm_register_tools() -> None:
    tool = load("swarm_register_tools").catalog.tools["count_words"]

    assert 2 == await tool.call({"text": "one two"}, make_call().context)


async def test_swarm_register_verifiers() -> None:
    verifier = load("swarm_register_verifiers").catalog.verifiers["small"]
    known = {"issue": None, "before": {}, "after": {}, "before_hash": "", "after_hash": "", "swarm": None}

    verdicts = [await verifier.verify(Change(patch={"ops": [{}] * count}, **known)) for count in (10, 11)]

    assert ["pass", "deny"] == [verdict.status for verdict in verdicts]
    assert "11 operations" == verdicts[1].detail


def test_swarm_configure(tmp_path: Path) -> None:
    class Mail:
        SWARM_API = 1
        swarm_configure = staticmethod(example("swarm_configure").swarm_configure)

    (tmp_path / "swarm.toml").write_text("[plugin.mail]\nport = 99999\n")
    settings = load_settings(cwd=tmp_path, environ={})

    (error,) = Host.load([Mail], settings, strict=False).errors

    assert isinstance(error, PluginInvalid)
    assert "99999 is no port" in str(error)


def test_swarm_register_commands() -> None:
    group = click.Group()
    load("swarm_register_commands").commands(group)

    assert "hello Ada\n" == CliRunner().invoke(group, ["greet", "Ada"]).output


def test_swarm_connect() -> None:
    host = load("swarm_connect")

    assert isinstance(host.connect(Settings(), "http://cluster.example"), AbstractAsyncContextManager)
    with pytest.raises(SettingsError, match="takes the client"):
        host.connect(Settings(), "http://127.0.0.1:7777")


def test_swarm_signer(monkeypatch: pytest.MonkeyPatch) -> None:
    host = load("swarm_signer")

    monkeypatch.delenv("TEAM_TOKEN_SECRET", raising=False)
    assert host.signer(Settings()) is None
    monkeypatch.setenv("TEAM_TOKEN_SECRET", "ab" * 32)
    assert isinstance(host.signer(Settings()), CapTokenSigner)


async def test_swarm_lifespan() -> None:
    async with Swarm.open(plugins=[example("swarm_lifespan"), testing]) as swarm:
        assert isinstance(swarm.services[ThreadPoolExecutor], ThreadPoolExecutor)


async def test_swarm_check_blueprint() -> None:
    async with Swarm.open(plugins=[example("swarm_check_blueprint"), testing]) as swarm:
        problems = swarm.check(BLUEPRINT)

    assert ["$.agents[0].meta.description"] == [each.path for each in problems if each.code == "no_description"]

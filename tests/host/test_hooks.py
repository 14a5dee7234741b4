"""Every hook: what it may return, when it is called, and what happens to a plugin whose hook is wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import click
import pytest

from swarm_core.endpoints import Endpoint
from swarm_core.errors import PluginConflict, PluginInvalid, SettingsError
from swarm_core.factories import (
    DirectiveFactory,
    Function,
    LayerFactory,
    LayerSet,
    ReaderFactory,
    ResolverFactory,
    SpawnerFactory,
    Stage,
    StoreFactory,
)
from swarm_core.model.blueprint import Blueprint, LayerUse
from swarm_core.model.nodes import Seq
from swarm_core.model.problem import Problem
from swarm_core.settings import Settings
from swarm_core.tokens import CapTokenSigner
from swarm_core.tools import Tool
from swarm_core.verifiers import Verifier


def build(*anything: Any) -> Any:
    """Stand where a factory's build stands; the host never calls it."""
    raise AssertionError("the host builds nothing")


BLUEPRINT = Blueprint(id="b", flow=Seq(children=()))
SPAWNER = SpawnerFactory("echo", build, aliases=("repeat",))
LAYER = LayerFactory("count", Stage.OBSERVE, build)
SET = LayerSet("team", (LayerUse(key="count"),))
STORE = StoreFactory("output", "paper", build)
RESOLVER = ResolverFactory("newest", build)
FUNCTION = Function("add", build)
READER = ReaderFactory("toml", (".toml", ".tml"), build)
DIRECTIVE = DirectiveFactory("$env", build)
ENDPOINT = Endpoint(method="GET", path="/v1/news/{id}", name="news", summary="Tell news", handler=build, tag="news")
TOOL = Tool(name="look", summary="Look", parameters={"type": "object"}, call=build)
VERIFIER = Verifier(axis="tone", verify=build)


def test_swarm_register_spawners_provides_a_kind_under_its_aliases_too(plugin: Any, load: Any) -> None:
    host = load(plugin(swarm_register_spawners=lambda: [SPAWNER]))

    assert host.catalog.spawners == {"echo": SPAWNER, "repeat": SPAWNER}
    assert host.plugins[0].provides == ("spawner echo", "spawner repeat")


def test_swarm_register_layers_provides_a_layer(plugin: Any, load: Any) -> None:
    host = load(plugin(swarm_register_layers=lambda: (LAYER,)))

    assert host.catalog.layers == {"count": LAYER}


def test_swarm_register_layer_sets_provides_a_set_of_layers_of_other_plugins(plugin: Any, load: Any) -> None:
    host = load(
        plugin("a", swarm_register_layer_sets=lambda: [SET]), plugin("b", swarm_register_layers=lambda: [LAYER])
    )

    assert host.catalog.layer_sets == {"team": SET}
    assert host.catalog.layers == {"count": LAYER}


def test_swarm_register_stores_provides_a_store_by_role_and_scheme(plugin: Any, load: Any) -> None:
    journal = StoreFactory("run", "paper", build)

    host = load(plugin(swarm_register_stores=lambda: [STORE, journal]))

    assert {("output", "paper"): STORE, ("run", "paper"): journal} == host.catalog.stores
    assert "sample" in host.catalog.provider["store", "output paper"]


def test_swarm_register_resolvers_provides_a_resolver(plugin: Any, load: Any) -> None:
    host = load(plugin(swarm_register_resolvers=lambda: [RESOLVER]))

    assert host.catalog.resolvers == {"newest": RESOLVER}


def test_swarm_register_functions_provides_functions_from_a_generator(plugin: Any, load: Any) -> None:
    def functions() -> Iterator[Function]:
        yield FUNCTION

    host = load(plugin(swarm_register_functions=functions))

    assert host.catalog.functions == {"add": FUNCTION}


def test_swarm_register_readers_provides_readers_by_suffix_and_directives_by_name(plugin: Any, load: Any) -> None:
    host = load(plugin(swarm_register_readers=lambda: [READER, DIRECTIVE]))

    assert host.catalog.readers == {".toml": READER, ".tml": READER}
    assert host.catalog.directives == {"$env": DIRECTIVE}


def test_swarm_register_endpoints_provides_endpoints_by_method_and_path(plugin: Any, load: Any) -> None:
    host = load(plugin(swarm_register_endpoints=lambda: [ENDPOINT]))

    assert host.catalog.endpoints == {"GET /v1/news/{id}": ENDPOINT}


def test_swarm_register_tools_provides_tools_by_name(plugin: Any, load: Any) -> None:
    host = load(plugin(swarm_register_tools=lambda: [TOOL]))

    assert host.catalog.tools == {"look": TOOL}


def test_swarm_register_verifiers_provides_verifiers_by_axis(plugin: Any, load: Any) -> None:
    host = load(plugin(swarm_register_verifiers=lambda: [VERIFIER]))

    assert host.catalog.verifiers == {"tone": VERIFIER}


class TestConfigure:
    def test_swarm_configure_gets_the_settings_after_all_plugins_are_in(self, plugin: Any, load: Any) -> None:
        calls: list[Any] = []

        def layers() -> Any:
            calls.append("layers of the last")
            return [LAYER]

        def configure(settings: Settings) -> None:
            calls.append(settings)

        first = plugin("a_first", swarm_configure=configure)
        settings = Settings(sections={"a_first": {"level": 3}})

        load(plugin("z_last", swarm_register_layers=layers), first, settings=settings)

        assert ["layers of the last", settings] == calls

    def test_swarm_configure_that_raises_a_settings_error_refuses_the_plugin_and_what_it_provides(
        self, plugin: Any, load: Any, error_of: Any
    ) -> None:
        def configure(settings: Settings) -> None:
            raise SettingsError("level must be 1, 2 or 3", where="plugin.sample.level")

        host = load(plugin(swarm_register_layers=lambda: [LAYER], swarm_configure=configure), plugin("other"))

        assert "its settings are wrong: plugin.sample.level: level must be 1, 2 or 3" in str(error_of(host))
        assert host.catalog.layers == {}
        assert host.catalog.provider == {}
        assert [one.candidate.name for one in host.active] == ["other"]

    def test_swarm_configure_that_raises_anything_else_is_named(self, plugin: Any, load: Any, error_of: Any) -> None:
        def configure(settings: Settings) -> None:
            raise ZeroDivisionError

        host = load(plugin(swarm_configure=configure))

        assert "swarm_configure raised ZeroDivisionError" in str(error_of(host))

    def test_a_section_of_a_plugin_that_is_not_there_is_a_warning(self, plugin: Any, load: Any) -> None:
        settings = Settings(sections={"sampel": {}}, origins={"plugin.sampel": "swarm.toml"})

        host = load(plugin(), settings=settings)

        (problem,) = host.problems
        assert problem.place == "swarm.toml: plugin.sampel"
        assert problem.hint == "did you mean 'sample'?"


class TestCommands:
    @pytest.fixture
    def cli(self) -> click.Group:
        return click.Group("swarm", commands={"run": click.Command("run")})

    def test_swarm_register_commands_adds_subcommands(self, cli: click.Group, plugin: Any, load: Any) -> None:
        host = load(plugin(swarm_register_commands=lambda cli: cli.add_command(click.Command("paint"))))

        errors = host.commands(cli)

        assert errors == ()
        assert sorted(cli.commands) == ["paint", "run"]

    def test_swarm_register_commands_cannot_replace_a_command_of_the_core(
        self, cli: click.Group, plugin: Any, load: Any
    ) -> None:
        run = cli.commands["run"]

        def register(cli: click.Group) -> None:
            cli.add_command(click.Command("run"))
            cli.add_command(click.Command("paint"))

        (error,) = load(plugin(swarm_register_commands=register)).commands(cli)

        assert isinstance(error, PluginConflict)
        assert "plugin 'sample'" in str(error)
        assert "the command 'run' is already there" in str(error)
        assert {"run": run} == cli.commands

    def test_p34_swarm_register_commands_that_raises_adds_nothing_and_is_named(
        self, cli: click.Group, plugin: Any, load: Any
    ) -> None:
        def register(cli: click.Group) -> None:
            cli.add_command(click.Command("paint"))
            raise RuntimeError("no brush")

        host = load(
            plugin("bad", swarm_register_commands=register),
            plugin("good", swarm_register_commands=lambda cli: cli.add_command(click.Command("draw"))),
        )

        (error,) = host.commands(cli)

        assert "swarm_register_commands raised RuntimeError: no brush" in str(error)
        assert sorted(cli.commands) == ["draw", "run"]


class TestConnect:
    @staticmethod
    @asynccontextmanager
    async def reach(settings: Settings, url: str) -> AsyncIterator[str]:
        yield url

    async def test_swarm_connect_of_the_first_plugin_with_an_answer_wins(self, plugin: Any, load: Any) -> None:
        host = load(
            plugin("a", swarm_connect=lambda url: None),
            plugin("b", swarm_connect=self.reach),
            plugin("c", swarm_connect=lambda settings, url: self.reach(settings, "no")),
        )

        async with host.connect(Settings(), "http://one") as swarm:
            assert "http://one" == swarm

    def test_swarm_connect_that_nobody_has_names_what_to_install(self, plugin: Any, load: Any) -> None:
        with pytest.raises(SettingsError, match=r"takes the client.*; pip install swarm-plugin-client"):
            load(plugin()).connect(Settings(), "http://one")

    def test_swarm_connect_that_returns_something_else_is_named(self, plugin: Any, load: Any) -> None:
        with pytest.raises(PluginInvalid, match="swarm_connect returned a str, not an async context manager"):
            load(plugin(swarm_connect=lambda url: url)).connect(Settings(), "http://one")


class TestSigner:
    SIGNER = CapTokenSigner.generate()
    OTHER = CapTokenSigner.generate()

    def test_swarm_signer_of_the_first_plugin_with_an_answer_wins(self, plugin: Any, load: Any) -> None:
        host = load(
            plugin("a", swarm_signer=lambda: None),
            plugin("b", swarm_signer=lambda settings: self.SIGNER),
            plugin("c", swarm_signer=lambda settings: self.OTHER),
        )

        assert host.signer(Settings()) is self.SIGNER

    def test_swarm_signer_of_the_core_is_asked_last(self, plugin: Any, load: Any) -> None:
        core = plugin("core", swarm_signer=lambda: self.OTHER)

        assert load(builtin=[core]).signer(Settings()) is self.OTHER
        assert load(plugin("mine", swarm_signer=lambda: self.SIGNER), builtin=[core]).signer(Settings()) is self.SIGNER

    def test_swarm_signer_may_be_nobodys(self, plugin: Any, load: Any) -> None:
        assert load(plugin()).signer(Settings()) is None

    def test_p34_swarm_signer_that_raises_is_named_and_nobody_steps_in(self, plugin: Any, load: Any) -> None:
        def broken(settings: Settings) -> Any:
            raise OSError("no key file")

        host = load(plugin("bad", swarm_signer=broken), builtin=[plugin("core", swarm_signer=lambda: self.OTHER)])

        with pytest.raises(PluginInvalid, match=r"plugin 'bad'.*swarm_signer raised OSError: no key file"):
            host.signer(Settings())

    def test_swarm_signer_that_returns_something_else_is_named(self, plugin: Any, load: Any) -> None:
        host = load(plugin(swarm_signer=lambda: ["key"]))

        with pytest.raises(PluginInvalid, match="swarm_signer returned a list, not a CapTokenSigner"):
            host.signer(Settings())


class TestCheckBlueprint:
    PROBLEM = Problem(code="no_weekend", message="not on Sundays")

    def test_swarm_check_blueprint_returns_the_plugins_problems(self, plugin: Any, load: Any) -> None:
        host = load(plugin(swarm_check_blueprint=lambda blueprint: [self.PROBLEM] if blueprint.id == "b" else []))

        (check,) = host.catalog.checks

        assert check(BLUEPRINT) == [self.PROBLEM]

    @pytest.mark.parametrize("answer", [None, 3, [3], ["a problem"]])
    def test_p34_swarm_check_blueprint_that_returns_something_else_is_a_problem_with_its_name(
        self, answer: Any, plugin: Any, load: Any
    ) -> None:
        (check,) = load(plugin(swarm_check_blueprint=lambda: answer)).catalog.checks

        (problem,) = check(BLUEPRINT)

        assert problem.code == "plugin_check_failed"
        assert "plugin 'sample'" in problem.message
        assert "swarm_check_blueprint returned" in problem.message

    def test_p34_swarm_check_blueprint_that_raises_refuses_the_blueprint_and_names_the_plugin(
        self, plugin: Any, load: Any
    ) -> None:
        def broken(blueprint: Blueprint) -> Any:
            raise KeyError("flow")

        (check,) = load(plugin(swarm_check_blueprint=broken)).catalog.checks

        (problem,) = check(BLUEPRINT)

        assert problem.severity == "error"
        assert "swarm_check_blueprint raised KeyError" in problem.message
        assert problem.hint is not None
        assert 'disable = ["sample"]' in problem.hint

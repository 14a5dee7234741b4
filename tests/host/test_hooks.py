"""Every hook: what it may return, when it is called, and what happens to a plugin whose hook is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import click
import pytest
from attrs import frozen

from swarm_core.errors import PluginConflict, PluginError, PluginImportFailed, PluginInvalid, SettingsError
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
from swarm_core.hookspecs import hookimpl
from swarm_core.host import Host, PluginState
from swarm_core.host.admission import admit
from swarm_core.host.candidate import Candidate
from swarm_core.model.blueprint import Blueprint, LayerUse
from swarm_core.model.nodes import Seq
from swarm_core.model.problem import Problem
from swarm_core.settings import PluginSettings, Settings
from swarm_core.tokens import CapTokenSigner


def build(*anything: Any) -> Any:
    """Stand where a factory's build stands; the host never calls it."""
    raise AssertionError("the host builds nothing")


def plugin(name: str = "sample", **hooks: Callable[..., Any]) -> Any:
    """Return a plugin object with these hooks, as a class of this name would make it."""
    members = {hook: staticmethod(hookimpl(function)) for hook, function in hooks.items()}
    return type(name, (), {"SWARM_API": 1, **members})()


def load(*plugins: Any, settings: Settings | None = None, builtin: Any = ()) -> Host:
    return Host.load(plugins, settings or Settings(), builtin=builtin, strict=False)


def error_of(host: Host, name: str = "sample") -> PluginError:
    (status,) = [status for status in host.plugins if status.name == name]
    assert status.error is not None
    assert status.state == PluginState.REFUSED
    return status.error


BLUEPRINT = Blueprint(id="b", flow=Seq(children=()))
SPAWNER = SpawnerFactory("echo", build, aliases=("repeat",))
LAYER = LayerFactory("count", Stage.OBSERVE, build)
SET = LayerSet("team", (LayerUse(key="count"),))
STORE = StoreFactory("output", "paper", build)
RESOLVER = ResolverFactory("newest", build)
FUNCTION = Function("add", build)
READER = ReaderFactory("toml", (".toml", ".tml"), build)
DIRECTIVE = DirectiveFactory("$env", build)

REGISTERED = [
    pytest.param("swarm_register_spawners", SPAWNER, "spawners", ["echo", "repeat"], "spawner", id="spawner"),
    pytest.param("swarm_register_layers", LAYER, "layers", ["count"], "layer", id="layer"),
    pytest.param("swarm_register_layer_sets", SET, "layer_sets", ["team"], "layer_set", id="layer set"),
    pytest.param("swarm_register_stores", STORE, "stores", [("output", "paper")], "store", id="store"),
    pytest.param("swarm_register_resolvers", RESOLVER, "resolvers", ["newest"], "resolver", id="resolver"),
    pytest.param("swarm_register_functions", FUNCTION, "functions", ["add"], "function", id="function"),
    pytest.param("swarm_register_readers", READER, "readers", [".toml", ".tml"], "reader", id="reader"),
    pytest.param("swarm_register_readers", DIRECTIVE, "directives", ["$env"], "directive", id="directive"),
]


def test_swarm_register_spawners_provides_a_kind_under_its_aliases_too() -> None:
    host = load(plugin(swarm_register_spawners=lambda: [SPAWNER]))

    assert host.catalog.spawners == {"echo": SPAWNER, "repeat": SPAWNER}
    assert host.plugins[0].provides == ("spawner echo", "spawner repeat")


def test_swarm_register_layers_provides_a_layer() -> None:
    host = load(plugin(swarm_register_layers=lambda: (LAYER,)))

    assert host.catalog.layers == {"count": LAYER}


def test_swarm_register_layer_sets_provides_a_set_of_layers_of_other_plugins() -> None:
    host = load(
        plugin("a", swarm_register_layer_sets=lambda: [SET]), plugin("b", swarm_register_layers=lambda: [LAYER])
    )

    assert host.catalog.layer_sets == {"team": SET}
    assert host.catalog.layers == {"count": LAYER}


def test_swarm_register_stores_provides_a_store_by_role_and_scheme() -> None:
    journal = StoreFactory("run", "paper", build)

    host = load(plugin(swarm_register_stores=lambda: [STORE, journal]))

    assert {("output", "paper"): STORE, ("run", "paper"): journal} == host.catalog.stores
    assert "sample" in host.catalog.provider["store", "output paper"]


def test_swarm_register_resolvers_provides_a_resolver() -> None:
    host = load(plugin(swarm_register_resolvers=lambda: [RESOLVER]))

    assert host.catalog.resolvers == {"newest": RESOLVER}


def test_swarm_register_functions_provides_functions_from_a_generator() -> None:
    def functions() -> Iterator[Function]:
        yield FUNCTION

    host = load(plugin(swarm_register_functions=functions))

    assert host.catalog.functions == {"add": FUNCTION}


def test_swarm_register_readers_provides_readers_by_suffix_and_directives_by_name() -> None:
    host = load(plugin(swarm_register_readers=lambda: [READER, DIRECTIVE]))

    assert host.catalog.readers == {".toml": READER, ".tml": READER}
    assert host.catalog.directives == {"$env": DIRECTIVE}


class TestRegistration:
    """What holds for all the hooks that register something."""

    @pytest.mark.parametrize(("hook", "thing", "place", "keys", "word"), REGISTERED)
    def test_p34_a_taken_name_refuses_the_later_plugin_and_names_the_owner(
        self, hook: str, thing: Any, place: str, keys: list[Any], word: str
    ) -> None:
        first = plugin("first", **{hook: lambda: [thing]})
        second = plugin("second", **{hook: lambda: [thing], "swarm_check_blueprint": lambda: []})

        host = load(second, first)

        error = error_of(host, "second")
        assert isinstance(error, PluginConflict)
        assert f"{word.replace('_', ' ')} " in str(error)
        assert "is already provided by first" in str(error)
        assert keys == list(getattr(host.catalog, place))
        assert host.catalog.checks == ()

    @pytest.mark.parametrize(("hook", "thing", "place", "keys", "word"), REGISTERED)
    def test_p34_the_same_name_twice_in_one_plugin_refuses_it(
        self, hook: str, thing: Any, place: str, keys: list[Any], word: str
    ) -> None:
        host = load(plugin(**{hook: lambda: [thing, thing]}))

        assert isinstance(error_of(host), PluginConflict)
        assert "twice" in str(error_of(host))
        assert getattr(host.catalog, place) == {}

    @pytest.mark.parametrize("hook", sorted({case.values[0] for case in REGISTERED}))
    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (None, "returned None, not a list of"),
            (7, "returned a int, not a list of"),
            ("echo", "returned a str, not a list of"),
            ({"echo": 1}, "returned a dict, not a list of"),
            ([object()], "returned a object, not"),
            ([None], "returned None, not"),
        ],
        ids=["nothing", "a number", "a text", "a dict", "a list of other things", "a list of nothing"],
    )
    def test_p34_pl137_another_type_than_asked_for_refuses_the_plugin(self, hook: str, answer: Any, said: str) -> None:
        host = load(plugin(**{hook: lambda: answer}))

        assert isinstance(error_of(host), PluginInvalid)
        assert f"{hook} {said}" in str(error_of(host))

    @pytest.mark.parametrize("problem", [RuntimeError("no"), SystemExit(1), RecursionError("deep"), BaseException("?")])
    def test_p34_pl137_a_raising_hook_refuses_its_plugin_only(self, problem: BaseException) -> None:
        def raises() -> Any:
            raise problem

        host = load(
            plugin("bad", swarm_register_layers=lambda: [LAYER], swarm_register_spawners=raises),
            plugin("fine", swarm_register_spawners=lambda: [SPAWNER]),
        )

        assert f"swarm_register_spawners raised {type(problem).__name__}" in str(error_of(host, "bad"))
        assert host.catalog.layers == {}, "a plugin is admitted as a whole or not at all"
        assert {"echo", "repeat"} == set(host.catalog.spawners)

    def test_p34_a_generator_that_raises_halfway_registers_nothing(self) -> None:
        def functions() -> Iterator[Function]:
            yield FUNCTION
            raise OSError("gone")

        host = load(plugin(swarm_register_functions=functions))

        assert "swarm_register_functions raised OSError: gone" in str(error_of(host))
        assert host.catalog.functions == {}

    def test_p34_a_generator_that_never_ends_refuses_the_plugin(self) -> None:
        def functions() -> Iterator[Function]:
            while True:
                yield FUNCTION

        host = load(plugin(swarm_register_functions=functions))

        assert "returned a generator, not at most 10000 Function" in str(error_of(host))

    @pytest.mark.parametrize(
        ("hook", "thing", "part"),
        [
            ("swarm_register_spawners", SpawnerFactory("", build), "name"),
            ("swarm_register_spawners", SpawnerFactory(5, build), "name"),  # type: ignore[arg-type]
            ("swarm_register_spawners", SpawnerFactory("x", build, aliases=3), "name"),  # type: ignore[arg-type]
            ("swarm_register_spawners", SpawnerFactory("x", "build"), "build"),  # type: ignore[arg-type]
            ("swarm_register_layers", LayerFactory("x", 10, build), "stage"),  # type: ignore[arg-type]
            ("swarm_register_layer_sets", LayerSet("x", ("count",)), "use"),  # type: ignore[arg-type]
            ("swarm_register_stores", StoreFactory("output", None, build), "name"),  # type: ignore[arg-type]
            ("swarm_register_readers", ReaderFactory("x", (), build), "name"),
            ("swarm_register_readers", DirectiveFactory("$x", None), "expand"),  # type: ignore[arg-type]
        ],
    )
    def test_p34_a_factory_that_cannot_be_used_refuses_the_plugin(self, hook: str, thing: Any, part: str) -> None:
        host = load(plugin(**{hook: lambda: [thing]}))

        assert isinstance(error_of(host), PluginInvalid)
        assert f"look at its {part}" in str(error_of(host))

    def test_the_users_interrupt_is_let_through(self) -> None:
        def interrupted() -> Any:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            load(plugin(swarm_register_layers=interrupted))


class TestForm:
    """What is checked before any hook is called."""

    def test_a_hook_without_its_mark_is_pointed_out(self) -> None:
        class Sample:
            SWARM_API = 1

            def swarm_register_layers(self) -> Any:
                return [LAYER]

        host = load(Sample())

        assert "swarm_register_layers is not marked: put @hookimpl above it" in str(error_of(host, "Sample"))

    def test_an_async_hook_is_refused(self) -> None:
        async def layers() -> Any:
            return [LAYER]

        host = load(plugin(swarm_register_layers=layers))

        assert "swarm_register_layers is async: hooks are plain functions" in str(error_of(host))

    def test_a_lifespan_without_its_decorator_is_pointed_out(self) -> None:
        async def lifespan(swarm: Any) -> AsyncIterator[None]:
            yield

        host = load(plugin(swarm_lifespan=lifespan))

        assert "put @asynccontextmanager below @hookimpl" in str(error_of(host))

    def test_a_wrapper_around_other_plugins_hooks_is_refused(self) -> None:
        class Sample:
            SWARM_API = 1

            @hookimpl(wrapper=True)
            def swarm_register_layers(self) -> Any:
                return (yield)

        host = load(Sample())

        assert "hooks of other plugins cannot be wrapped" in str(error_of(host, "Sample"))

    def test_two_functions_for_one_hook_are_refused(self) -> None:
        class Sample:
            SWARM_API = 1

            @hookimpl(specname="swarm_register_layers")
            def one(self) -> Any:
                return [LAYER]

            @hookimpl
            def swarm_register_layers(self) -> Any:
                return []

        host = load(Sample())

        assert "implemented by one and swarm_register_layers: keep one" in str(error_of(host, "Sample"))

    def test_a_hook_of_a_later_version_may_be_marked_optional(self) -> None:
        class Sample:
            SWARM_API = 1

            @hookimpl(optionalhook=True)
            def swarm_paint(self) -> Any:
                return None

        host = load(Sample())

        assert host.plugins[0].state == PluginState.ACTIVE

    def test_all_that_is_wrong_with_a_plugin_is_told_at_once(self) -> None:
        host = load(plugin(swarm_signr=lambda: None, swarm_configure=lambda setings: None))

        assert "'swarm_signr', did you mean 'swarm_signer'?" in str(error_of(host))
        assert "no argument 'setings'" in str(error_of(host))

    @pytest.mark.parametrize("number", [2, 0, "1", True, 1.5])
    def test_api_numbers_are_compared_for_equality(self, number: Any) -> None:
        sample = plugin()
        type(sample).SWARM_API = number

        host = load(sample)

        assert error_of(host).code == "plugin_incompatible"

    def test_an_object_that_cannot_be_looked_at_is_refused(self) -> None:
        class Sample:
            SWARM_API = 1

            def __dir__(self) -> Any:
                raise RuntimeError("do not look")

        host = load(Sample())

        assert "looking for its hooks raised RuntimeError: do not look" in str(error_of(host, "Sample"))

    def test_the_users_interrupt_during_an_import_is_let_through(self) -> None:
        def interrupted() -> Any:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            admit(Candidate(name="slow", module="slow", load=interrupted))

    def test_a_module_attribute_that_is_not_there_fails_the_import(self) -> None:
        def absent() -> Any:
            raise AttributeError("module 'm' has no attribute 'plugin'")

        with pytest.raises(PluginImportFailed, match="has no attribute 'plugin'"):
            admit(Candidate(name="absent", module="m:plugin", load=absent))

    def test_two_objects_of_one_name_are_both_refused(self) -> None:
        host = load(plugin("twin"), plugin("twin"))

        assert [error.code for error in host.errors] == ["plugin_conflict", "plugin_conflict"]


class TestConfigure:
    def test_swarm_configure_gets_the_settings_after_all_plugins_are_in(self) -> None:
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

    def test_swarm_configure_that_raises_a_settings_error_refuses_the_plugin_and_what_it_provides(self) -> None:
        def configure(settings: Settings) -> None:
            raise SettingsError("level must be 1, 2 or 3", where="plugin.sample.level")

        host = load(plugin(swarm_register_layers=lambda: [LAYER], swarm_configure=configure), plugin("other"))

        assert "its settings are wrong: plugin.sample.level: level must be 1, 2 or 3" in str(error_of(host))
        assert host.catalog.layers == {}
        assert host.catalog.provider == {}
        assert [one.candidate.name for one in host.active] == ["other"]

    def test_swarm_configure_that_raises_anything_else_is_named(self) -> None:
        def configure(settings: Settings) -> None:
            raise ZeroDivisionError

        host = load(plugin(swarm_configure=configure))

        assert "swarm_configure raised ZeroDivisionError" in str(error_of(host))

    def test_a_section_of_a_plugin_that_is_not_there_is_a_warning(self) -> None:
        settings = Settings(sections={"sampel": {}}, origins={"plugin.sampel": "swarm.toml"})

        host = load(plugin(), settings=settings)

        (problem,) = host.problems
        assert problem.place == "swarm.toml: plugin.sampel"
        assert problem.hint == "did you mean 'sample'?"


class TestCommands:
    @pytest.fixture
    def cli(self) -> click.Group:
        return click.Group("swarm", commands={"run": click.Command("run")})

    def test_swarm_register_commands_adds_subcommands(self, cli: click.Group) -> None:
        host = load(plugin(swarm_register_commands=lambda cli: cli.add_command(click.Command("paint"))))

        errors = host.commands(cli)

        assert errors == ()
        assert sorted(cli.commands) == ["paint", "run"]

    def test_swarm_register_commands_cannot_replace_a_command_of_the_core(self, cli: click.Group) -> None:
        run = cli.commands["run"]

        def register(cli: click.Group) -> None:
            cli.add_command(click.Command("run"))
            cli.add_command(click.Command("paint"))

        (error,) = load(plugin(swarm_register_commands=register)).commands(cli)

        assert isinstance(error, PluginConflict)
        assert "plugin 'sample'" in str(error)
        assert "the command 'run' is already there" in str(error)
        assert {"run": run} == cli.commands

    def test_p34_swarm_register_commands_that_raises_adds_nothing_and_is_named(self, cli: click.Group) -> None:
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


class TestSigner:
    SIGNER = CapTokenSigner.generate()
    OTHER = CapTokenSigner.generate()

    def test_swarm_signer_of_the_first_plugin_with_an_answer_wins(self) -> None:
        host = load(
            plugin("a", swarm_signer=lambda: None),
            plugin("b", swarm_signer=lambda settings: self.SIGNER),
            plugin("c", swarm_signer=lambda settings: self.OTHER),
        )

        assert host.signer(Settings()) is self.SIGNER

    def test_swarm_signer_of_the_core_is_asked_last(self) -> None:
        core = plugin("core", swarm_signer=lambda: self.OTHER)

        assert load(builtin=[core]).signer(Settings()) is self.OTHER
        assert load(plugin("mine", swarm_signer=lambda: self.SIGNER), builtin=[core]).signer(Settings()) is self.SIGNER

    def test_swarm_signer_may_be_nobodys(self) -> None:
        assert load(plugin()).signer(Settings()) is None

    def test_p34_swarm_signer_that_raises_is_named_and_nobody_steps_in(self) -> None:
        def broken(settings: Settings) -> Any:
            raise OSError("no key file")

        host = load(plugin("bad", swarm_signer=broken), builtin=[plugin("core", swarm_signer=lambda: self.OTHER)])

        with pytest.raises(PluginInvalid, match=r"plugin 'bad'.*swarm_signer raised OSError: no key file"):
            host.signer(Settings())

    def test_swarm_signer_that_returns_something_else_is_named(self) -> None:
        host = load(plugin(swarm_signer=lambda: ["key"]))

        with pytest.raises(PluginInvalid, match="swarm_signer returned a list, not a CapTokenSigner"):
            host.signer(Settings())


class TestLifespan:
    @staticmethod
    def spanning(name: str, log: list[str]) -> Any:
        @asynccontextmanager
        async def span(swarm: Any) -> AsyncIterator[None]:
            log.append(f"{name} opens {swarm}")
            try:
                yield
            finally:
                log.append(f"{name} closes")

        return plugin(name, swarm_lifespan=span)

    async def test_swarm_lifespan_is_entered_in_admission_order_and_left_in_reverse(self) -> None:
        log: list[str] = []

        async with load(self.spanning("b", log), self.spanning("a", log)).lifespans("the swarm"):
            log.append("work")

        assert log == ["a opens the swarm", "b opens the swarm", "work", "b closes", "a closes"]

    async def test_p34_swarm_lifespan_that_cannot_be_opened_is_named_and_the_others_are_closed(self) -> None:
        log: list[str] = []

        @asynccontextmanager
        async def broken(swarm: Any) -> AsyncIterator[None]:
            raise OSError("no port")
            yield

        host = load(self.spanning("a", log), plugin("b", swarm_lifespan=broken))

        with pytest.raises(PluginInvalid, match=r"plugin 'b'.*opened, raised OSError: no port"):
            async with host.lifespans("s"):
                log.append("work")

        assert log == ["a opens s", "a closes"]

    async def test_p34_swarm_lifespan_that_fails_to_close_is_named_and_the_others_are_closed(self) -> None:
        log: list[str] = []

        @asynccontextmanager
        async def broken(swarm: Any) -> AsyncIterator[None]:
            yield
            raise OSError("port stuck")

        host = load(self.spanning("a", log), plugin("b", swarm_lifespan=broken))

        with pytest.raises(PluginInvalid, match=r"plugin 'b'.*closed, raised OSError: port stuck"):
            async with host.lifespans("s"):
                log.append("work")

        assert log == ["a opens s", "work", "a closes"]

    async def test_swarm_lifespan_cannot_swallow_an_error_of_the_work(self) -> None:
        @asynccontextmanager
        async def greedy(swarm: Any) -> AsyncIterator[None]:
            try:
                yield
            except BaseException:
                return

        with pytest.raises(LookupError, match="work failed"):
            async with load(plugin(swarm_lifespan=greedy)).lifespans("s"):
                raise LookupError("work failed")

    async def test_swarm_lifespan_lets_an_error_of_the_work_through_unchanged(self) -> None:
        problem = LookupError("work failed")

        with pytest.raises(LookupError) as caught:
            async with load(self.spanning("a", [])).lifespans("s"):
                raise problem

        assert problem is caught.value

    async def test_swarm_lifespan_lets_cancellation_through(self) -> None:
        log: list[str] = []

        async def work() -> None:
            async with load(self.spanning("a", log)).lifespans("s"):
                log.append("work")
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert log == ["a opens s", "work", "a closes"]

    async def test_swarm_lifespan_that_returns_something_else_is_named(self) -> None:
        def nothing(swarm: Any) -> AbstractAsyncContextManager[None] | None:
            return None

        with pytest.raises(PluginInvalid, match="swarm_lifespan returned None, not an async context manager"):
            async with load(plugin(swarm_lifespan=nothing)).lifespans("s"):
                pass


class TestCheckBlueprint:
    PROBLEM = Problem(code="no_weekend", message="not on Sundays")

    def test_swarm_check_blueprint_returns_the_plugins_problems(self) -> None:
        host = load(plugin(swarm_check_blueprint=lambda blueprint: [self.PROBLEM] if blueprint.id == "b" else []))

        (check,) = host.catalog.checks

        assert check(BLUEPRINT) == [self.PROBLEM]

    @pytest.mark.parametrize("answer", [None, 3, [3], ["a problem"]])
    def test_p34_swarm_check_blueprint_that_returns_something_else_is_a_problem_with_its_name(
        self, answer: Any
    ) -> None:
        (check,) = load(plugin(swarm_check_blueprint=lambda: answer)).catalog.checks

        (problem,) = check(BLUEPRINT)

        assert problem.code == "plugin_check_failed"
        assert "plugin 'sample'" in problem.message
        assert "swarm_check_blueprint returned" in problem.message

    def test_p34_swarm_check_blueprint_that_raises_refuses_the_blueprint_and_names_the_plugin(self) -> None:
        def broken(blueprint: Blueprint) -> Any:
            raise KeyError("flow")

        (check,) = load(plugin(swarm_check_blueprint=broken)).catalog.checks

        (problem,) = check(BLUEPRINT)

        assert problem.severity == "error"
        assert "swarm_check_blueprint raised KeyError" in problem.message
        assert problem.hint is not None
        assert 'disable = ["sample"]' in problem.hint


class TestHost:
    def test_a_host_is_a_value_and_two_of_them_share_nothing(self) -> None:
        one = load(plugin(swarm_register_layers=lambda: [LAYER]))
        other = load()

        assert one.catalog.layers == {"count": LAYER}
        assert other.catalog.layers == {}

    def test_hooks_are_listed_in_the_order_of_the_hookspecs(self) -> None:
        host = load(plugin(swarm_lifespan=lambda swarm: None, swarm_register_layers=lambda: [LAYER]))

        assert host.plugins[0].hooks == ("swarm_register_layers", "swarm_lifespan")

    def test_the_cores_own_plugins_come_first_and_cannot_be_switched_off(self) -> None:
        settings = Settings(plugins=PluginSettings(disable=("zebra",), disable_all=True))

        host = load(plugin("ant"), builtin=[plugin("zebra")], settings=settings)

        assert [(one.name, one.state) for one in host.plugins] == [("zebra", "active"), ("ant", "disabled")]

    def test_strict_raises_all_errors_in_one_group(self) -> None:
        with pytest.raises(ExceptionGroup) as caught:
            Host.load([plugin("a", swarm_a=build), plugin("b", swarm_b=build), plugin("c")], Settings(), strict=True)

        assert [error.plugin for error in caught.value.exceptions] == ["a", "b"]  # type: ignore[attr-defined]

    def test_p34_what_a_known_plugin_would_provide_is_unavailable_when_it_was_not_imported(self) -> None:
        settings = Settings(plugins=PluginSettings(require=("subprocess",)))

        error = load(settings=settings).unavailable("spawner", "subprocess")

        assert error is None, "an absent plugin is told by its pip name, not as unavailable"

    def test_p34_what_a_plugin_refused_after_registration_would_provide_is_unavailable(self) -> None:
        def configure(settings: Settings) -> None:
            raise SettingsError("no")

        host = load(plugin(swarm_register_layers=lambda: [LAYER], swarm_configure=configure))

        error = host.unavailable("layer", "count")

        assert "plugin 'sample': would provide layer 'count' but is refused" in str(error)
        assert host.unavailable("layer", "other") is None

    def test_the_module_of_a_plugin_names_it_without_the_prefix(self) -> None:
        from types import ModuleType

        module = ModuleType("swarm_plugin_paint")
        module.SWARM_API = 1  # type: ignore[attr-defined]

        host = load(module)

        assert host.plugins[0].name == "paint"


@frozen
class Slotted:
    """Instances of classes with slots can be plugins too."""

    SWARM_API = 1

    @hookimpl
    def swarm_register_layers(self) -> list[LayerFactory]:
        return [LAYER]


def test_an_instance_with_slots_can_be_a_plugin() -> None:
    assert load(Slotted()).catalog.layers == {"count": LAYER}

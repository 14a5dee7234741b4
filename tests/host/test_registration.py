"""What holds for all plugins: the form of their hooks, the names they take, and the host they make."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from attrs import evolve, frozen

from swarm_core.endpoints import Endpoint
from swarm_core.errors import PluginConflict, PluginImportFailed, PluginInvalid, SettingsError
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
from swarm_core.model.blueprint import LayerUse
from swarm_core.settings import PluginSettings, Settings
from swarm_core.tools import Tool
from swarm_core.verifiers import Verifier


def build(*anything: Any) -> Any:
    """Stand where a factory's build stands; the host never calls it."""
    raise AssertionError("the host builds nothing")


SPAWNER = SpawnerFactory("echo", build, aliases=("repeat",))
LAYER = LayerFactory("count", Stage.OBSERVE, build)
SET = LayerSet("team", (LayerUse(key="count"),))
STORE = StoreFactory("output", "paper", build)
RESOLVER = ResolverFactory("newest", build)
FUNCTION = Function("add", build)
READER = ReaderFactory("toml", (".toml", ".tml"), build)
DIRECTIVE = DirectiveFactory("$env", build)
ENDPOINT = Endpoint(method="GET", path="/v1/news", name="news", summary="Tell news", handler=build, tag="news")
TOOL = Tool(name="look", summary="Look", parameters={"type": "object"}, call=build)
VERIFIER = Verifier(axis="tone", verify=build)
REGISTERED = [
    pytest.param("swarm_register_spawners", SPAWNER, "spawners", ["echo", "repeat"], "spawner", id="spawner"),
    pytest.param("swarm_register_layers", LAYER, "layers", ["count"], "layer", id="layer"),
    pytest.param("swarm_register_layer_sets", SET, "layer_sets", ["team"], "layer_set", id="layer set"),
    pytest.param("swarm_register_stores", STORE, "stores", [("output", "paper")], "store", id="store"),
    pytest.param("swarm_register_resolvers", RESOLVER, "resolvers", ["newest"], "resolver", id="resolver"),
    pytest.param("swarm_register_functions", FUNCTION, "functions", ["add"], "function", id="function"),
    pytest.param("swarm_register_readers", READER, "readers", [".toml", ".tml"], "reader", id="reader"),
    pytest.param("swarm_register_readers", DIRECTIVE, "directives", ["$env"], "directive", id="directive"),
    pytest.param("swarm_register_endpoints", ENDPOINT, "endpoints", ["GET /v1/news"], "endpoint", id="endpoint"),
    pytest.param("swarm_register_tools", TOOL, "tools", ["look"], "tool", id="tool"),
    pytest.param("swarm_register_verifiers", VERIFIER, "verifiers", ["tone"], "verifier", id="verifier"),
]


class TestRegistration:
    """What holds for all the hooks that register something."""

    @pytest.mark.parametrize(("hook", "thing", "place", "keys", "word"), REGISTERED)
    def test_p34_a_taken_name_refuses_the_later_plugin_and_names_the_owner(
        self, hook: str, thing: Any, place: str, keys: list[Any], word: str, plugin: Any, load: Any, error_of: Any
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
        self, hook: str, thing: Any, place: str, keys: list[Any], word: str, plugin: Any, load: Any, error_of: Any
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
    def test_p34_pl137_another_type_than_asked_for_refuses_the_plugin(
        self, hook: str, answer: Any, said: str, plugin: Any, load: Any, error_of: Any
    ) -> None:
        host = load(plugin(**{hook: lambda: answer}))

        assert isinstance(error_of(host), PluginInvalid)
        assert f"{hook} {said}" in str(error_of(host))

    @pytest.mark.parametrize("problem", [RuntimeError("no"), SystemExit(1), RecursionError("deep"), BaseException("?")])
    def test_p34_pl137_a_raising_hook_refuses_its_plugin_only(
        self, problem: BaseException, plugin: Any, load: Any, error_of: Any
    ) -> None:
        def raises() -> Any:
            raise problem

        host = load(
            plugin("bad", swarm_register_layers=lambda: [LAYER], swarm_register_spawners=raises),
            plugin("fine", swarm_register_spawners=lambda: [SPAWNER]),
        )

        assert f"swarm_register_spawners raised {type(problem).__name__}" in str(error_of(host, "bad"))
        assert host.catalog.layers == {}, "a plugin is admitted as a whole or not at all"
        assert {"echo", "repeat"} == set(host.catalog.spawners)

    def test_p34_a_generator_that_raises_halfway_registers_nothing(self, plugin: Any, load: Any, error_of: Any) -> None:
        def functions() -> Iterator[Function]:
            yield FUNCTION
            raise OSError("gone")

        host = load(plugin(swarm_register_functions=functions))

        assert "swarm_register_functions raised OSError: gone" in str(error_of(host))
        assert host.catalog.functions == {}

    def test_p34_a_generator_that_never_ends_refuses_the_plugin(self, plugin: Any, load: Any, error_of: Any) -> None:
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
            ("swarm_register_endpoints", evolve(ENDPOINT, path="v1/news"), "path"),
            ("swarm_register_endpoints", evolve(ENDPOINT, method="get"), "method"),
            ("swarm_register_tools", evolve(TOOL, name=""), "name"),
        ],
    )
    def test_p34_a_factory_that_cannot_be_used_refuses_the_plugin(
        self, hook: str, thing: Any, part: str, plugin: Any, load: Any, error_of: Any
    ) -> None:
        host = load(plugin(**{hook: lambda: [thing]}))

        assert isinstance(error_of(host), PluginInvalid)
        assert f"look at its {part}" in str(error_of(host))

    def test_the_users_interrupt_is_let_through(self, plugin: Any, load: Any) -> None:
        def interrupted() -> Any:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            load(plugin(swarm_register_layers=interrupted))


class TestForm:
    """What is checked before any hook is called."""

    def test_a_hook_without_its_mark_is_pointed_out(self, load: Any, error_of: Any) -> None:
        class Sample:
            SWARM_API = 1

            def swarm_register_layers(self) -> Any:
                return [LAYER]

        host = load(Sample())

        assert "swarm_register_layers is not marked: put @hookimpl above it" in str(error_of(host, "Sample"))

    def test_an_async_hook_is_refused(self, plugin: Any, load: Any, error_of: Any) -> None:
        async def layers() -> Any:
            return [LAYER]

        host = load(plugin(swarm_register_layers=layers))

        assert "swarm_register_layers is async: hooks are plain functions" in str(error_of(host))

    def test_a_lifespan_without_its_decorator_is_pointed_out(self, plugin: Any, load: Any, error_of: Any) -> None:
        async def lifespan(swarm: Any) -> AsyncIterator[None]:
            yield

        host = load(plugin(swarm_lifespan=lifespan))

        assert "put @asynccontextmanager below @hookimpl" in str(error_of(host))

    def test_a_wrapper_around_other_plugins_hooks_is_refused(self, load: Any, error_of: Any) -> None:
        class Sample:
            SWARM_API = 1

            @hookimpl(wrapper=True)
            def swarm_register_layers(self) -> Any:
                return (yield)

        host = load(Sample())

        assert "hooks of other plugins cannot be wrapped" in str(error_of(host, "Sample"))

    def test_two_functions_for_one_hook_are_refused(self, load: Any, error_of: Any) -> None:
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

    def test_a_hook_of_a_later_version_may_be_marked_optional(self, load: Any) -> None:
        class Sample:
            SWARM_API = 1

            @hookimpl(optionalhook=True)
            def swarm_paint(self) -> Any:
                return None

        host = load(Sample())

        assert host.plugins[0].state == PluginState.ACTIVE

    def test_all_that_is_wrong_with_a_plugin_is_told_at_once(self, plugin: Any, load: Any, error_of: Any) -> None:
        host = load(plugin(swarm_signr=lambda: None, swarm_configure=lambda setings: None))

        assert "'swarm_signr', did you mean 'swarm_signer'?" in str(error_of(host))
        assert "no argument 'setings'" in str(error_of(host))

    @pytest.mark.parametrize("number", [2, 0, "1", True, 1.5])
    def test_api_numbers_are_compared_for_equality(self, number: Any, plugin: Any, load: Any, error_of: Any) -> None:
        sample = plugin()
        type(sample).SWARM_API = number

        host = load(sample)

        assert error_of(host).code == "plugin_incompatible"

    def test_an_object_that_cannot_be_looked_at_is_refused(self, load: Any, error_of: Any) -> None:
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

    def test_two_objects_of_one_name_are_both_refused(self, plugin: Any, load: Any) -> None:
        host = load(plugin("twin"), plugin("twin"))

        assert [error.code for error in host.errors] == ["plugin_conflict", "plugin_conflict"]


class TestHost:
    def test_a_host_is_a_value_and_two_of_them_share_nothing(self, plugin: Any, load: Any) -> None:
        one = load(plugin(swarm_register_layers=lambda: [LAYER]))
        other = load()

        assert one.catalog.layers == {"count": LAYER}
        assert other.catalog.layers == {}

    def test_hooks_are_listed_in_the_order_of_the_hookspecs(self, plugin: Any, load: Any) -> None:
        host = load(plugin(swarm_lifespan=lambda swarm: None, swarm_register_layers=lambda: [LAYER]))

        assert host.plugins[0].hooks == ("swarm_register_layers", "swarm_lifespan")

    def test_the_cores_own_plugins_come_first_and_cannot_be_switched_off(self, plugin: Any, load: Any) -> None:
        settings = Settings(plugins=PluginSettings(disable=("zebra",), disable_all=True))

        host = load(plugin("ant"), builtin=[plugin("zebra")], settings=settings)

        assert [(one.name, one.state) for one in host.plugins] == [("zebra", "active"), ("ant", "disabled")]

    def test_strict_raises_all_errors_in_one_group(self, plugin: Any, load: Any) -> None:
        with pytest.raises(ExceptionGroup) as caught:
            Host.load([plugin("a", swarm_a=build), plugin("b", swarm_b=build), plugin("c")], Settings(), strict=True)

        assert [error.plugin for error in caught.value.exceptions] == ["a", "b"]  # type: ignore[attr-defined]

    def test_a_plugin_that_is_not_installed_is_told_by_its_pip_name_and_not_as_unavailable(self, load: Any) -> None:
        settings = Settings(plugins=PluginSettings(require=("subprocess",)))

        error = load(settings=settings).unavailable("spawner", "subprocess")

        assert error is None

    def test_p34_what_a_plugin_refused_after_registration_would_provide_is_unavailable(
        self, plugin: Any, load: Any
    ) -> None:
        def configure(settings: Settings) -> None:
            raise SettingsError("no")

        host = load(plugin(swarm_register_layers=lambda: [LAYER], swarm_configure=configure))

        error = host.unavailable("layer", "count")

        assert "plugin 'sample': would provide layer 'count' but is refused" in str(error)
        assert host.unavailable("layer", "other") is None

    def test_the_module_of_a_plugin_names_it_without_the_prefix(self, load: Any) -> None:
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


def test_an_instance_with_slots_can_be_a_plugin(load: Any) -> None:
    assert load(Slotted()).catalog.layers == {"count": LAYER}

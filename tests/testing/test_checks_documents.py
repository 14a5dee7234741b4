"""check_reader and check_plugin find readers that break on hostile texts, and plugins that a host would refuse."""

import json
from types import ModuleType

import pytest

from swarm_core.contracts import BlueprintReader, Source
from swarm_core.errors import DocumentError
from swarm_core.factories import (
    DirectiveFactory,
    Function,
    LayerFactory,
    ReaderFactory,
    ResolverFactory,
    SpawnerFactory,
    Stage,
    StoreFactory,
)
from swarm_core.hookspecs import hookimpl
from swarm_core.model.problem import Problem
from swarm_core.model.value import NotJson, json_copy
from swarm_core.testing import ContractBroken, check_plugin, check_reader

TEXT = b'{\n  "id": "x"\n}'


class Reader(BlueprintReader):
    """A reader that is strict where json.loads is not."""

    suffixes = (".json",)

    def read(self, text, *, name, base):
        try:
            value = json_copy(json.loads(text, object_pairs_hook=self.unique), max_bytes=1_000_000)
        except (ValueError, NotJson, RecursionError) as error:
            raise DocumentError([Problem(code="not_json", message=str(error))], source=name) from None
        return Source(value=value, name=name, base=base, positions=self.positions(text))

    def positions(self, text):
        return {"$": (1, 1), "$.id": (2, 9)}

    @staticmethod
    def unique(pairs):
        if len(dict(pairs)) != len(pairs):
            raise ValueError("a key stands there twice")
        return dict(pairs)


class TestReader:
    def test_a_good_reader_gives_its_source(self):
        assert check_reader(Reader(), TEXT, {"id": "x"}).value == {"id": "x"}

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            ({"suffixes": ("json",)}, "each with its dot"),
            ({"suffixes": ()}, "each with its dot"),
            ({"positions": lambda self, text: {"$.id": (9, 1)}}, "stand at 9:1, outside of the text"),
            ({"positions": lambda self, text: {"$.id": (0, 1)}}, "stand at 0:1, outside of the text"),
            ({"positions": lambda self, text: {"id": (1, 1)}}, "places begin with"),
            ({"read": lambda self, text, name, base: Source(value=1, name=name, base=base, positions={})}, "read as 1"),
            (
                {"read": lambda self, text, name, base: Source(value={"id": "x"}, name="", base=None, positions={})},
                "does not keep its name and base",
            ),
        ],
    )
    def test_a_source_that_does_not_fit_is_found(self, change, sentence):
        with pytest.raises(ContractBroken, match=sentence):
            check_reader(type("Other", (Reader,), change)(), TEXT, {"id": "x"})

    def test_bp2_bp6_a_reader_that_lets_its_library_speak_is_found(self):
        class Open(Reader):
            def read(self, text, *, name, base):
                return Source(value=json.loads(text), name=name, base=base, positions={})

        with pytest.raises(ContractBroken, match="was refused with JSONDecodeError, not DocumentError"):
            check_reader(Open(), TEXT, {"id": "x"})

    def test_bp18_a_reader_that_takes_what_is_no_number_is_found(self):
        class Lax(Reader):
            def read(self, text, *, name, base):
                if b"NaN" in text:
                    return Source(value=json.loads(text), name=name, base=base, positions={})
                return super().read(text, name=name, base=base)

        with pytest.raises(ContractBroken, match="was read as what is no JSON: nan"):
            check_reader(Lax(), TEXT, {"id": "x"})


def module(**members):
    made = ModuleType("swarm_plugin_made")
    vars(made).update({"SWARM_API": 1, **members})
    return made


def registering(hook, *things):
    def register():
        return list(things)

    register.__name__ = register.__qualname__ = hook
    return module(**{hook: hookimpl(register)})


def build_layer(options, environment):
    return None


class TestPlugin:
    def test_what_it_provides_is_returned(self):
        catalog = check_plugin(registering("swarm_register_layers", LayerFactory("mine", Stage.OBSERVE, build_layer)))

        assert list(catalog.layers) == ["mine"]

    def test_built_in_callables_that_do_not_say_what_they_take_are_let_through(self):
        catalog = check_plugin(registering("swarm_register_functions", Function("biggest", max)))

        assert list(catalog.functions) == ["biggest"]

    @pytest.mark.parametrize(
        ("plugin", "sentence"),
        [
            (module(SWARM_API=2), "was written for API 2"),
            (ModuleType("swarm_plugin_bare"), "does not say which API"),
            (
                module(swarm_register_layer=hookimpl(lambda: [])),
                "there is no hook 'swarm_register_layer', did you mean",
            ),
            (module(swarm_register_layers=lambda: []), "is not marked: put @hookimpl above it"),
            (module(swarm_configure=hookimpl(lambda setings: None)), "has no argument 'setings', did you mean"),
            (registering("swarm_register_layers", "audit"), "returned a str, not LayerFactory"),
            (
                registering("swarm_register_layers", LayerFactory("my layer", Stage.OBSERVE, build_layer)),
                "'my layer' in layers is no name",
            ),
            (
                registering("swarm_register_layers", LayerFactory("mine", Stage.OBSERVE, lambda environment: None)),
                "build of 'mine' in layers cannot be called with 2 arguments",
            ),
            (
                registering("swarm_register_spawners", SpawnerFactory("mine", lambda agent, spec: None)),
                "build of 'mine' in spawners cannot be called with 4 arguments",
            ),
            (
                registering("swarm_register_stores", StoreFactory("output", "mine", lambda: None)),
                "cannot be called with 1 arguments",
            ),
            (
                registering("swarm_register_resolvers", ResolverFactory("mine", lambda: None)),
                "build of 'mine' in resolvers cannot be called with 1 arguments",
            ),
            (
                registering("swarm_register_readers", ReaderFactory("mine", ("json",), lambda: None)),
                "the reader's suffix 'json' does not start with a dot",
            ),
            (
                registering("swarm_register_readers", DirectiveFactory("$mine", lambda value: value)),
                "expand of '\\$mine' in directives cannot be called with 3 arguments",
            ),
        ],
    )
    def test_what_a_host_would_refuse_or_trip_over_is_found(self, plugin, sentence):
        with pytest.raises(ContractBroken, match=sentence):
            check_plugin(plugin)

    def test_all_that_is_wrong_is_told_at_once(self):
        plugin = registering(
            "swarm_register_layers",
            LayerFactory("my layer", Stage.OBSERVE, build_layer),
            LayerFactory("yours", Stage.OBSERVE, lambda: None),
        )

        with pytest.raises(ContractBroken) as found:
            check_plugin(plugin)

        assert len(str(found.value).splitlines()) == 2

    def test_a_plugin_that_provides_other_things_each_time_is_found(self):
        names = iter("abcdef")

        def swarm_register_functions():
            return [Function(next(names), max)]

        with pytest.raises(ContractBroken, match="provide other things when they are called again"):
            check_plugin(module(swarm_register_functions=hookimpl(swarm_register_functions)))

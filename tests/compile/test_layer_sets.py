"""Layer sets that are built on others, their options, and the layer that metadata asks for."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve, field, frozen

from swarm_core.builtin.telling import ALIAS_LAYER
from swarm_core.compile import check, compile_blueprint, resolve_layers, resolve_set, set_sources
from swarm_core.contracts import SpawnerLayer
from swarm_core.factories import LayerFactory, LayerSet, Stage
from swarm_core.model.blueprint import BlueprintMetadata, LayerUse
from swarm_core.model.duration import parse_duration
from swarm_core.model.problem import Severity
from swarm_core.settings import Settings, SetUse, load_settings

NEAR, OUTER, DEEP = (LayerUse(key=key) for key in ("near", "outer", "deep"))


@pytest.fixture
def resolve(catalog):
    """Resolve a set of the settings beside the plugins' sets."""

    def resolved(name, sets, **parts):
        own = {key: tuple(use) for key, use in sets.items()}
        return resolve_set(name, evolve(catalog, **parts), Settings(layer_sets=own, file=Path("swarm.toml")))

    return resolved


def keys(selection):
    return [use.key for use in selection.use]


def facts(selection):
    return [(problem.code, problem.path, problem.severity) for problem in selection.problems]


class TestBuiltOnOthers:
    def test_the_layers_of_the_other_set_stand_in_its_place(self, resolve):
        selection = resolve("mine", {"mine": [DEEP, SetUse("team"), LayerUse(key="plain")]})

        assert keys(selection) == ["deep", "near", "outer", "plain"]
        assert selection.why["near"] == "layer set 'mine' > 'team'"
        assert selection.why["deep"] == "layer set 'mine'"

    def test_a_set_may_add_to_the_plugins_set_that_it_takes_the_place_of(self, resolve):
        selection = resolve("team", {"team": [SetUse("team"), DEEP]})

        assert keys(selection) == ["near", "outer", "deep"]
        assert selection.problems == ()

    def test_a_set_gives_options_to_a_layer_of_the_set_below(self, resolve):
        marked = LayerUse(key="near", options={"mark": "mine"})

        selection = resolve("mine", {"mine": [SetUse("team"), marked]})

        assert selection.use == (marked, OUTER)
        assert selection.why["near"] == "layer set 'mine' > 'team', options of layer set 'mine'"

    def test_a_set_below_does_not_take_the_options_of_the_set_above(self, resolve):
        marked = LayerUse(key="near", options={"mark": "mine"})

        assert resolve("mine", {"mine": [marked, SetUse("team")]}).use == (marked, OUTER)

    def test_within_a_set_the_first_of_two_counts(self, resolve):
        first, second = (LayerUse(key="near", options={"mark": mark}) for mark in "12")

        assert resolve("mine", {"mine": [first, second]}).use == (first,)

    def test_a_circle_is_an_error_that_shows_the_way(self, resolve):
        selection = resolve("a", {"a": [NEAR, SetUse("b")], "b": [SetUse("c")], "c": [OUTER, SetUse("a")]})

        (problem,) = selection.problems
        assert keys(selection) == ["near", "outer"]
        assert (problem.code, problem.path, problem.file) == ("layer_set_cycle", "layers.c.use[1].set", "swarm.toml")
        assert "a > b > c > a" in problem.message

    def test_a_set_of_its_own_name_that_no_plugin_has_is_unknown(self, resolve):
        selection = resolve("mine", {"mine": [SetUse("mine"), NEAR]})

        assert facts(selection) == [("unknown_layer_set", "layers.mine.use[0].set", Severity.ERROR)]

    def test_an_unknown_set_below_is_an_error_at_its_place(self, resolve):
        selection = resolve("mine", {"mine": [SetUse("taem")]})

        assert facts(selection) == [("unknown_layer_set", "layers.mine.use[0].set", Severity.ERROR)]
        assert selection.problems[0].hint == "did you mean 'team'?"

    def test_sets_that_share_many_others_are_looked_at_once_each(self, resolve):
        sets = {f"s{n}": [SetUse(f"s{n + 1}"), SetUse(f"s{n + 1}"), SetUse(f"s{n + 2}")] for n in range(60)}

        assert keys(resolve("s0", {**sets, "s60": [NEAR], "s61": [OUTER]})) == ["near", "outer"]

    def test_an_unknown_layer_of_a_set_is_told_at_its_place(self, resolve):
        selection = resolve("mine", {"mine": [NEAR, LayerUse(key="audit")]})

        (problem,) = selection.problems
        assert facts(selection) == [("layer_not_installed", "layers.mine.use[1]", Severity.WARNING)]
        assert problem.hint.startswith("pip install swarm-plugin-audit brings it")


class TestOptions:
    def test_wrong_options_are_told_with_file_and_key(self, resolve):
        selection = resolve("mine", {"mine": [NEAR, LayerUse(key="outer", options={"makr": "x"})]})

        (problem,) = selection.problems
        assert (problem.path, problem.file) == ("layers.mine.use[1].makr", "swarm.toml")
        assert problem.hint == "did you mean 'mark'?"
        assert "options of layer 'outer' (layer set 'mine')" in problem.message

    def test_a_check_tells_them_at_the_same_place(self, catalog, blueprint, environment):
        uses = (LayerUse(key="near", options={"mark": 5}),)
        settings = Settings(layer_sets={"mine": uses}, file=Path("swarm.toml"))
        sound = blueprint()

        (problem,) = check(sound, catalog, environment(sound, settings=settings), layer_set="mine")

        assert (problem.path, problem.file) == ("layers.mine.use[0].mark", "swarm.toml")


@frozen(kw_only=True)
class HoldOptions:
    warn_after: str | float = field(default="5m", converter=parse_duration)


class Holds(SpawnerLayer):
    def __init__(self, seconds):
        self.seconds = seconds

    async def run(self, call, inner):
        return await inner(call)


HOLD = LayerFactory("hold", Stage.OBSERVE, lambda options, _: Holds(options.warn_after), options=HoldOptions)


class TestDurations:
    @pytest.fixture
    def seconds(self, catalog, blueprint, environment):
        """Build the layer `hold` with options from swarm.toml, or from a Blueprint, and return its seconds."""
        known = evolve(catalog, layers={"hold": HOLD})

        def read(sound, settings):
            routes = compile_blueprint(sound, known, environment(sound, settings=settings), layer_set="mine")
            (built,) = routes.layers
            return built.layer.seconds

        return read

    @pytest.mark.parametrize("value", ['"90s"', "90", "90.0", '"1.5m"'])
    def test_a_duration_is_the_same_in_toml_and_in_json(self, seconds, blueprint, tmp_path, value):
        (tmp_path / "swarm.toml").write_text(f'[layers.mine]\nuse = [{{key = "hold", warn_after = {value}}}]')
        given = LayerUse(key="hold", options={"warn_after": float(value) if value[0] != '"' else value.strip('"')})

        in_toml = seconds(blueprint(), load_settings(cwd=tmp_path, environ={}))
        in_json = seconds(blueprint(layers=(given,)), Settings(layer_sets={"mine": ()}))

        assert in_toml == in_json == 90.0

    @pytest.mark.parametrize("value", ['"soon"', "true", "-1", "2024-01-01"])
    def test_what_is_no_duration_is_told_at_its_key(self, catalog, tmp_path, value):
        (tmp_path / "swarm.toml").write_text(f'[layers.mine]\nuse = [{{key = "hold", warn_after = {value}}}]')

        found = resolve_set("mine", evolve(catalog, layers={"hold": HOLD}), load_settings(cwd=tmp_path, environ={}))

        assert [problem.path for problem in found.problems] == ["layers.mine.use[0].warn_after"]


class TestSources:
    def test_every_set_is_told_with_who_defines_it_and_whose_place_it_takes(self, catalog):
        known = evolve(catalog, provider={("layer_set", "team"): "crew (swarm-plugin-crew 1.0)"})
        settings = Settings(layer_sets={"team": (DEEP,), "mine": ()}, file=Path("swarm.toml"))

        found = {each.name: (each.provider, each.covers) for each in set_sources(known, settings)}

        assert found == {
            "mine": ("swarm.toml", None),
            "standard": ("an unnamed plugin", None),
            "team": ("swarm.toml", "crew (swarm-plugin-crew 1.0)"),
        }


class TestAlias:
    @pytest.fixture
    def known(self, catalog):
        return evolve(catalog, layers={**catalog.layers, ALIAS_LAYER.key: ALIAS_LAYER})

    def test_it_is_linked_by_itself_where_metadata_has_an_alias(self, known, blueprint):
        sound = blueprint(layers=(NEAR,), metadata=BlueprintMetadata(project_name_alias="apollo"))

        selection = resolve_layers(sound, known, Settings())

        assert keys(selection) == ["project_name_alias", "near"]
        assert selection.why["project_name_alias"] == "metadata.project_name_alias"

    def test_without_an_alias_it_is_not(self, known, blueprint):
        assert keys(resolve_layers(blueprint(layers=(NEAR,)), known, Settings())) == ["near"]

    def test_where_it_is_listed_it_keeps_its_place(self, known, blueprint):
        listed = (NEAR, LayerUse(key="project_name_alias"))
        sound = blueprint(layers=listed, metadata=BlueprintMetadata(project_name_alias="apollo"))

        assert resolve_layers(sound, known, Settings()).use == listed


def test_a_plugins_set_of_a_layer_of_nobody_is_only_noted(resolve):
    selection = resolve("crew", {}, layer_sets={"crew": LayerSet("crew", (LayerUse(key="ghost"),))})

    assert facts(selection) == [("layer_not_installed", "$", Severity.NOTE)]

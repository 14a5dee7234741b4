from __future__ import annotations

import pytest
from attrs import evolve

from swarm_core.compile import check, resolve_layers
from swarm_core.factories import LayerSet
from swarm_core.model.blueprint import CompilerStrategy, LayerUse
from swarm_core.model.problem import Severity
from swarm_core.settings import Settings

NEAR, OUTER = LayerUse(key="near"), LayerUse(key="outer")


@pytest.fixture
def resolve(catalog):
    """Resolve the layers of a Blueprint."""

    def resolved(blueprint, set_name="standard", **parts):
        settings = Settings(layer_sets=parts.pop("own", {}))
        return resolve_layers(blueprint, evolve(catalog, **parts), settings, set_name)

    return resolved


def facts(problems):
    return [(problem.code, problem.path, problem.severity) for problem in problems]


class TestSets:
    def test_a_sets_layers_come_before_the_blueprints(self, resolve, blueprint):
        selection = resolve(blueprint(layers=(LayerUse(key="deep"),)), "team")

        assert [use.key for use in selection.use] == ["near", "outer", "deep"]

    def test_it_is_told_who_asked(self, resolve, blueprint):
        selection = resolve(blueprint(layers=(LayerUse(key="deep"), NEAR)), "team")

        assert selection.why == {"near": "layer set 'team'", "outer": "layer set 'team'", "deep": "the blueprint"}

    def test_the_settings_set_comes_before_a_plugins_set_of_that_name(self, resolve, blueprint):
        selection = resolve(blueprint(), "team", own={"team": (LayerUse(key="deep"),)})

        assert selection.use == (LayerUse(key="deep"),)

    def test_an_unknown_set_is_an_error_that_names_the_nearest(self, resolve, blueprint):
        selection = resolve(blueprint(), "taem", own={"mine": ()})

        (problem,) = selection.problems
        assert (problem.code, problem.severity) == ("unknown_layer_set", Severity.ERROR)
        assert problem.hint == "did you mean 'team'?"

    def test_no_standard_set_at_all_is_noted(self, resolve, blueprint):
        selection = resolve(blueprint(layers=(NEAR,)), layer_sets={})

        assert selection.use == (NEAR,)
        assert facts(selection.problems) == [("unknown_layer_set", "$", Severity.NOTE)]

    def test_bp28_what_a_plugins_set_lists_and_is_not_installed_is_noted(self, resolve, blueprint):
        sets = {"standard": LayerSet("standard", (LayerUse(key="audit"), NEAR))}

        selection = resolve(blueprint(), layer_sets=sets)

        (problem,) = selection.problems
        assert selection.use == (NEAR,)
        assert (problem.code, problem.severity) == ("layer_not_installed", Severity.NOTE)
        assert problem.hint is not None
        assert problem.hint.startswith("pip install swarm-plugin-audit brings it; installed: ")

    def test_bp28_what_the_users_own_set_lists_and_is_not_installed_is_a_warning(self, resolve, blueprint):
        selection = resolve(blueprint(), "mine", own={"mine": (LayerUse(key="naer"),)})

        (problem,) = selection.problems
        assert (problem.code, problem.severity) == ("layer_not_installed", Severity.WARNING)
        assert problem.hint is not None
        assert problem.hint.startswith("did you mean 'near'?")


class TestTwice:
    def test_a_layer_of_set_and_blueprint_is_used_once_where_the_set_has_it(self, resolve, blueprint):
        selection = resolve(blueprint(layers=(OUTER, NEAR)), "team")

        assert selection.use == (NEAR, OUTER)

    def test_the_blueprints_options_replace_the_sets(self, resolve, blueprint):
        own = {"mine": (LayerUse(key="near", options={"mark": "set"}), OUTER)}
        mine = LayerUse(key="near", options={"mark": "blueprint"})

        selection = resolve(blueprint(layers=(mine,)), "mine", own=own)

        assert selection.use == (mine, OUTER)

    def test_a_blueprint_without_options_leaves_the_sets(self, resolve, blueprint):
        marked = LayerUse(key="near", options={"mark": "set"})

        selection = resolve(blueprint(layers=(NEAR,)), "mine", own={"mine": (marked,)})

        assert selection.use == (marked,)

    def test_a_blueprint_that_lists_one_twice_is_warned_and_the_first_counts(self, resolve, blueprint):
        first, second = LayerUse(key="near", options={"mark": "1"}), LayerUse(key="near", options={"mark": "2"})

        selection = resolve(blueprint(layers=(first, second)))

        assert selection.use == (first,)
        assert facts(selection.problems) == [("duplicate_layer", "$.spawner_hints.layers[1]", Severity.WARNING)]


class TestUnknown:
    def test_row_71_an_unknown_key_is_a_warning(self, resolve, blueprint):
        selection = resolve(blueprint(layers=(NEAR, LayerUse(key="senior_escalaton"))))

        assert selection.use == (NEAR,)
        assert facts(selection.problems) == [("unknown_layer", "$.spawner_hints.layers[1]", Severity.WARNING)]

    def test_row_71_it_is_an_error_with_strict_layers(self, resolve, blueprint):
        strict = CompilerStrategy(strict_layers=True)

        selection = resolve(blueprint(layers=(LayerUse(key="ghost"),), strategy=strict))

        assert facts(selection.problems) == [("unknown_layer", "$.spawner_hints.layers[0]", Severity.ERROR)]

    def test_bp28_it_is_named_with_what_brings_it(self, resolve, blueprint):
        (problem,) = resolve(blueprint(layers=(LayerUse(key="audit"),))).problems

        assert problem.hint is not None
        assert problem.hint.startswith("pip install swarm-plugin-audit brings it; installed: ")

    def test_bp28_a_near_key_is_offered(self, resolve, blueprint):
        (problem,) = resolve(blueprint(layers=(LayerUse(key="outre"),))).problems

        assert problem.hint is not None
        assert problem.hint.startswith("did you mean 'outer'? installed: also_near,")


class TestOptions:
    @pytest.fixture
    def problems(self, blueprint, catalog, environment):
        """Check a Blueprint with one layer."""

        def found(key, options=None, **fields):
            checked = blueprint(layers=(LayerUse(key=key, options=options),))
            return check(checked, catalog, environment(checked, **fields))

        return found

    def test_options_are_checked_where_they_stand(self, problems):
        (problem,) = problems("near", {"makr": "y"})

        assert (problem.code, problem.path) == ("invalid_layer_options", "$.spawner_hints.layers[0].near.makr")
        assert problem.message.startswith("options of layer 'near' (the blueprint) invalid: ")

    def test_options_of_a_set_are_checked_too(self, blueprint, catalog, environment):
        own = Settings(layer_sets={"standard": (LayerUse(key="near", options={"mark": 5}),)})
        sound = blueprint()

        (problem,) = check(sound, catalog, environment(sound, settings=own))

        assert problem.code == "invalid_layer_options"
        assert "(layer set 'standard')" in problem.message

    @pytest.mark.parametrize("options", [None, {}])
    def test_no_options_are_as_good_as_empty_ones(self, problems, options):
        assert problems("plain", options) == problems("near", options) == []

    def test_a_layer_without_options_takes_none(self, problems):
        (problem,) = problems("plain", {"mark": "x"})

        assert (problem.code, problem.path) == ("invalid_layer_options", "$.spawner_hints.layers[0].plain")

    def test_p34_a_layer_that_cannot_be_built_is_a_fault_of_its_plugin(self, problems):
        (problem,) = problems("breaking")

        assert problem.code == "plugin_failed"
        assert "layer 'breaking' cannot be built by an unnamed plugin: ZeroDivisionError" in problem.message

    def test_p34_a_build_that_gives_no_layer_is_a_fault_of_its_plugin(self, problems):
        (problem,) = problems("nothing")

        assert "build returned NoneType, not a SpawnerLayer" in problem.message

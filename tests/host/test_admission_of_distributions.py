"""Distributions that are wrong, really installed: each is found, named and told what to do; the core comes up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Report = Callable[..., Any]

GOOD = """
    from swarm_core.factories import SpawnerFactory
    from swarm_core.hookspecs import hookimpl

    SWARM_API = 1


    @hookimpl
    def swarm_register_spawners():
        return [SpawnerFactory({kind!r}, build=lambda agent, spec, hint, environment: None)]
"""
MARKS = """
    import os, pathlib

    pathlib.Path(os.environ["MARKER"]).write_text("imported")
    SWARM_API = 1
"""
UNKNOWN_HOOK = """
    from swarm_core.hookspecs import hookimpl

    SWARM_API = 1


    @hookimpl
    def swarm_register_layer():
        return []
"""
UNKNOWN_ARGUMENT = """
    from swarm_core.hookspecs import hookimpl

    SWARM_API = 1


    @hookimpl
    def swarm_configure(setings):
        pass
"""


@pytest.fixture(scope="module")
def shop(install: Any, wheel: Any) -> Path:
    """A folder with one good distribution and many that are wrong, each in its own way."""
    return install(
        wheel(name="swarm-plugin-good", version="1.2.3", plugin="good", source=GOOD.format(kind="good")),
        wheel(name="swarm-plugin-claimed", version="0.1.0", plugin="claimed", source=GOOD.format(kind="one")),
        wheel(name="foreign-claims", version="6.6", plugin="claimed", source=GOOD.format(kind="two")),
        wheel(name="claims-memory", version="1.0", plugin="memory", source=GOOD.format(kind="three")),
        wheel(name="breaks", version="0.3", plugin="breaks", source="1 / 0"),
        wheel(name="leaves", version="0.4", plugin="leaves", source="raise SystemExit(3)"),
        wheel(name="from-tomorrow", version="2.0", plugin="tomorrow", source="SWARM_API = 2"),
        wheel(name="says-no-api", version="1.0", plugin="silent", source="import json"),
        wheel(name="misspells", version="1.1", plugin="misspells", source=UNKNOWN_HOOK),
        wheel(name="misnames", version="1.2", plugin="misnames", source=UNKNOWN_ARGUMENT),
        wheel(name="takes-good-kind", version="1.4", plugin="taker", source=GOOD.format(kind="good")),
        wheel(name="marks-import", version="1.5", plugin="marks", source=MARKS),
    )


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "marker"


@pytest.fixture
def env(marker: Path) -> dict[str, str]:
    return {"MARKER": str(marker)}


def by_name(report: Any) -> dict[str, Any]:
    return {plugin["name"]: plugin for plugin in report["plugins"]}


class TestEveryWrongPluginAtOnce:
    """One lenient host over the whole folder."""

    @pytest.fixture
    def seen(self, shop: Path, report: Report, env: dict[str, str]) -> Any:
        return report(shop, env=env)

    def test_p34_the_good_plugin_works_among_the_wrong_ones(self, seen: Any) -> None:
        good = by_name(seen)["good"]

        assert "good" in seen["kinds"]
        assert good["state"] == "active"
        assert (good["distribution"], good["version"]) == ("swarm-plugin-good", "1.2.3")
        assert ["spawner", "good", "good (swarm-plugin-good 1.2.3)"] in seen["provider"]

    def test_p35_pl138_two_distributions_with_one_plugin_name_are_both_refused_and_both_named(self, seen: Any) -> None:
        claimed = [plugin for plugin in seen["plugins"] if plugin["name"] == "claimed"]

        assert [plugin["code"] for plugin in claimed] == ["plugin_conflict", "plugin_conflict"]
        for plugin in claimed:
            assert "foreign-claims 6.6" in plugin["error"]
            assert "swarm-plugin-claimed 0.1.0" in plugin["error"]
            assert '[plugins] disable = ["foreign-claims"]' in plugin["error"]
        assert not {"one", "two"} & set(seen["kinds"])

    def test_pl138_a_stranger_cannot_take_the_name_of_a_core_plugin(self, seen: Any) -> None:
        core, stranger = (plugin for plugin in seen["plugins"] if plugin["name"] == "memory")

        assert (core["distribution"], core["state"]) == ("swarm-core", "active")
        assert (stranger["distribution"], stranger["code"]) == ("claims-memory", "plugin_conflict")
        assert "three" not in seen["kinds"]

    def test_pl137_import_failure_is_named_with_its_traceback(self, seen: Any) -> None:
        breaks = by_name(seen)["breaks"]

        assert breaks["code"] == "plugin_import_failed"
        assert breaks["error"].startswith("plugin 'breaks' (breaks 0.3): importing breaks raised ZeroDivisionError")
        assert "breaks.py" in breaks["traceback"]

    def test_pl137_system_exit_at_import_does_not_end_the_process(self, seen: Any) -> None:
        leaves = by_name(seen)["leaves"]

        assert leaves["code"] == "plugin_import_failed"
        assert "SystemExit: 3" in leaves["error"]

    def test_pl140_another_api_number_is_incompatible(self, seen: Any) -> None:
        tomorrow = by_name(seen)["tomorrow"]

        assert tomorrow["code"] == "plugin_incompatible"
        assert "(from-tomorrow 2.0): it was written for API 2, swarm-core" in tomorrow["error"]
        assert "update swarm-core" in tomorrow["error"]

    def test_pl140_no_api_number_is_incompatible_with_a_hint(self, seen: Any) -> None:
        silent = by_name(seen)["silent"]

        assert silent["code"] == "plugin_incompatible"
        assert "add the line SWARM_API = 1" in silent["error"]

    def test_pl137_an_unknown_hook_is_refused_with_a_near_name(self, seen: Any) -> None:
        misspells = by_name(seen)["misspells"]

        assert misspells["code"] == "plugin_invalid"
        assert "no hook 'swarm_register_layer', did you mean 'swarm_register_layers'?" in misspells["error"]

    def test_pl137_an_unknown_hook_argument_is_refused_with_a_near_name(self, seen: Any) -> None:
        misnames = by_name(seen)["misnames"]

        assert misnames["code"] == "plugin_invalid"
        assert "swarm_configure has no argument 'setings', did you mean 'settings'?" in misnames["error"]

    def test_a_taken_factory_name_refuses_the_later_plugin(self, seen: Any) -> None:
        taker = by_name(seen)["taker"]

        assert taker["code"] == "plugin_conflict"
        assert "spawner good is already provided by good (swarm-plugin-good 1.2.3)" in taker["error"]

    def test_p35_every_plugin_shows_where_it_comes_from_and_its_hash(self, seen: Any, shop: Path) -> None:
        installed = [plugin for plugin in seen["plugins"] if (shop / f"{plugin['module']}.py").exists()]

        assert len(installed) == 12
        assert all(plugin["distribution"] and plugin["version"] for plugin in installed)
        assert len({plugin["fingerprint"] for plugin in installed} - {None}) == 12

    def test_plugins_are_admitted_by_distribution_and_name_after_the_core(self, seen: Any) -> None:
        distributions = [plugin["distribution"] for plugin in seen["plugins"]]

        assert distributions[0] == "swarm-core"
        assert sorted(distributions[1:]) == distributions[1:]


class TestStrictDoor:
    def test_one_exception_group_has_every_wrong_plugin(self, shop: Path, report: Report, env: dict[str, str]) -> None:
        seen = report(shop, strict=True, env=env)

        codes = sorted(error["code"] for error in seen["raised"])
        expected = ["plugin_conflict"] * 4 + ["plugin_import_failed"] * 2
        assert [*expected, *["plugin_incompatible"] * 2, *["plugin_invalid"] * 2] == codes
        assert seen["message"] == "10 plugins cannot be used"

    def test_a_refused_plugin_that_is_switched_off_no_longer_stops_it(self, shop: Path, report: Report) -> None:
        seen = report(shop, strict=True, disable_all=True)

        assert "raised" not in seen


class TestSwitchedOff:
    def test_pl142_a_plugin_is_imported_when_nothing_is_disabled(
        self, shop: Path, report: Report, env: dict[str, str], marker: Path
    ) -> None:
        seen = report(shop, env=env)

        assert by_name(seen)["marks"]["state"] == "active"
        assert marker.exists()

    @pytest.mark.parametrize(
        "plugins",
        [{"disable": ["marks"]}, {"disable": ["marks-import"]}, {"disable": ["Marks_Import"]}, {"disable_all": True}],
        ids=["by name", "by distribution", "by another spelling", "safe mode"],
    )
    def test_p35_pl142_a_disabled_plugin_is_never_imported(
        self, plugins: Any, shop: Path, report: Report, env: dict[str, str], marker: Path
    ) -> None:
        seen = report(shop, env=env, **plugins)

        assert by_name(seen)["marks"]["state"] == "disabled"
        assert by_name(seen)["marks"]["error"] is None
        assert not marker.exists()

    def test_p35_safe_mode_leaves_only_the_core(self, shop: Path, report: Report) -> None:
        seen = report(shop, disable_all=True)

        assert [plugin["name"] for plugin in seen["plugins"] if plugin["state"] == "active"] == ["memory"]

    def test_disabling_one_of_two_claimants_by_its_distribution_admits_the_other(
        self, shop: Path, report: Report, env: dict[str, str]
    ) -> None:
        seen = report(shop, env=env, disable=["foreign-claims"])

        claimed = {plugin["distribution"]: plugin["state"] for plugin in seen["plugins"] if plugin["name"] == "claimed"}
        assert claimed == {"foreign-claims": "disabled", "swarm-plugin-claimed": "active"}

    def test_a_disabled_name_that_nobody_has_is_a_warning(
        self, shop: Path, report: Report, env: dict[str, str]
    ) -> None:
        seen = report(shop, env=env, disable=["markz"])

        (problem,) = seen["problems"]
        assert (problem["code"], problem["severity"]) == ("unknown_plugin", "warning")
        assert problem["hint"] == "did you mean 'marks'?"


class TestRequired:
    def test_pl141_a_required_plugin_that_is_absent_is_named_with_its_pip_name(self, report: Report) -> None:
        seen = report(require=["vector_store"])

        absent = by_name(seen)["vector_store"]
        assert (absent["state"], absent["code"]) == ("missing", "plugin_missing")
        assert "pip install swarm-plugin-vector-store" in absent["error"]

    def test_pl141_a_strict_door_raises_it(self, report: Report) -> None:
        seen = report(require=["vector_store"], strict=True)

        assert [error["code"] for error in seen["raised"]] == ["plugin_missing"]

    def test_a_required_plugin_that_is_switched_off_is_missing_too(self, shop: Path, report: Report) -> None:
        seen = report(shop, require=["good"], disable_all=True)

        (absent,) = [plugin for plugin in seen["plugins"] if plugin["state"] == "missing"]
        assert "also switched off" in absent["error"]
        assert (absent["distribution"], absent["version"]) == ("swarm-plugin-good", "1.2.3")

    def test_a_required_plugin_that_is_there_is_fine(self, shop: Path, report: Report, env: dict[str, str]) -> None:
        seen = report(shop, env=env, require=["good"])

        assert not [plugin for plugin in seen["plugins"] if plugin["state"] == "missing"]


class TestUnavailable:
    def test_p34_a_run_that_needs_a_refused_plugin_can_say_so(
        self, shop: Path, report: Report, env: dict[str, str]
    ) -> None:
        seen = report(shop, env=env, wanted=("spawner", "good"), disable=["swarm-plugin-good", "takes-good-kind"])
        refused = report(shop, env=env, wanted=("spawner", "good"))

        assert seen["unavailable"] == "None", "what a plugin that was not imported provides is not known"
        assert "would provide spawner 'good' but is refused" in refused["unavailable"]

    def test_p34_what_a_known_plugin_provides_is_told_even_when_it_was_not_imported(
        self, install: Any, wheel: Any, report: Report
    ) -> None:
        site = install(wheel(name="swarm-plugin-lua", version="9.9", plugin="lua", source="1 / 0"))

        disabled = report(site, wanted=("spawner", "lua"), disable=["lua"])
        refused = report(site, wanted=("spawner", "lua"))

        assert (
            "plugin 'lua' (swarm-plugin-lua 9.9): would provide spawner 'lua' but is disabled"
            in disabled["unavailable"]
        )
        assert "would provide spawner 'lua' but is refused" in refused["unavailable"]
        assert "ZeroDivisionError" in refused["unavailable"]


class TestMetadata:
    def test_pl144_broken_entry_points_are_skipped_with_a_warning(
        self, install: Any, wheel: Any, report: Report
    ) -> None:
        good = wheel(name="swarm-plugin-good", version="1.2.3", plugin="good", source=GOOD.format(kind="good"))
        broken = wheel(name="broken", version="1.0", plugin="broken", source="")
        site = install(good, broken)
        (site / "broken-1.0.dist-info/entry_points.txt").write_bytes(b"[swarm_core.plugins]\nno equals sign\n\xff\xfe")

        seen = report(site)

        (problem,) = seen["problems"]
        assert (problem["code"], problem["severity"]) == ("broken_metadata", "warning")
        assert problem["file"].endswith("broken-1.0.dist-info")
        assert "broken" not in by_name(seen)
        assert "good" in seen["kinds"]

    @pytest.mark.parametrize("text", [None, b"", b"Name: broken\n\nVersion: 1.0\n", b"\xff\xfe\x00"])
    def test_pl144_missing_or_broken_metadata_is_skipped_with_a_warning(
        self, text: bytes | None, install: Any, wheel: Any, report: Report
    ) -> None:
        site = install(wheel(name="broken", version="1.0", plugin="broken", source=""))
        metadata = site / "broken-1.0.dist-info/METADATA"
        metadata.unlink()
        if text is not None:
            metadata.write_bytes(text)

        seen = report(site)

        assert [problem["code"] for problem in seen["problems"]] == ["broken_metadata"]
        assert "broken" not in by_name(seen)

    def test_pl144_a_second_copy_of_a_distribution_is_skipped_with_a_warning(
        self, install: Any, wheel: Any, report: Report
    ) -> None:
        new, old = (
            install(wheel(name="swarm-plugin-good", version=version, plugin="good", source=GOOD.format(kind="good")))
            for version in ("1.2.3", "0.9")
        )

        seen = report(new, old)

        (problem,) = seen["problems"]
        assert problem["code"] == "duplicate_distribution"
        assert "swarm-plugin-good 0.9 is hidden by another copy of it, 1.2.3" in problem["message"]
        assert by_name(seen)["good"]["version"] == "1.2.3"
        assert "good" in seen["kinds"]

    def test_pl144_a_hidden_copy_is_not_loaded_when_the_first_one_is_no_plugin(
        self, install: Any, wheel: Any, report: Report
    ) -> None:
        plain = install(wheel(name="swarm-plugin-good", version="1.0", plugin="good", source=""))
        (plain / "swarm_plugin_good-1.0.dist-info/entry_points.txt").write_text("")
        copy = install(wheel(name="swarm-plugin-good", version="2.0", plugin="good", source=GOOD.format(kind="good")))

        seen = report(plain, copy)

        assert "good" not in by_name(seen)
        assert [problem["code"] for problem in seen["problems"]] == ["duplicate_distribution"]

"""Settings: four sources, one precedence, and every mistake told at once with its place."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import fields, frozen

from swarm_core.errors import SettingsError
from swarm_core.model.blueprint import LayerUse
from swarm_core.settings import EngineSettings, PluginSettings, Settings, load_settings

Load = Callable[..., Settings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Return a function that writes a swarm.toml, where it is given one, and loads the settings beside it."""

    def loaded(
        toml: str | None = None, env: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None
    ) -> Settings:
        if toml is not None:
            (tmp_path / "swarm.toml").write_text(toml, encoding="utf-8")
        return load_settings(cwd=tmp_path, environ=env or {}, overrides=flags)

    return loaded


@pytest.fixture
def refused(load: Load) -> Callable[..., list[str]]:
    """Return a function that loads wrong settings and returns their problems, as text without the folder."""

    def told(*sources: Any, **more: Any) -> list[str]:
        with pytest.raises(SettingsError) as caught:
            load(*sources, **more)
        return [str(problem).rpartition("/")[2] for problem in caught.value.problems]

    return told


class TestSources:
    def test_without_any_source_all_is_default(self, load: Load) -> None:
        settings = load()

        assert settings == Settings()
        assert settings.origins == {}
        assert settings.file is None

    def test_the_file_gives_engine_plugins_sections_and_layer_sets(self, load: Load, tmp_path: Path) -> None:
        settings = load("""
            [engine]
            max_spawn_depth = 6
            session_ttl = "2d"
            cancel_grace = 0.5
            max_value_bytes = "1 MiB"
            [plugins]
            disable = ["lua"]
            require = ["audit"]
            [plugin.audit]
            level = 2
            retry = { max = 3 }
            [layers.standard]
            use = ["audit", { key = "long_hold", warn_after = "5m" }]
        """)

        assert settings.engine == EngineSettings(
            max_spawn_depth=6, session_ttl=172_800.0, cancel_grace=0.5, max_value_bytes=1_048_576
        )
        assert settings.plugins == PluginSettings(disable=("lua",), require=("audit",))
        assert settings.sections == {"audit": {"level": 2, "retry": {"max": 3}}}
        assert settings.layer_sets == {
            "standard": (LayerUse(key="audit"), LayerUse(key="long_hold", options={"warn_after": "5m"}))
        }
        assert settings.file == tmp_path / "swarm.toml"

    def test_the_nearest_file_of_the_folder_and_those_above_it_is_read(self, tmp_path: Path) -> None:
        below = tmp_path / "a" / "b"
        below.mkdir(parents=True)
        (tmp_path / "swarm.toml").write_text("[engine]\nmax_lanes = 1")
        (tmp_path / "a" / "swarm.toml").write_text("[engine]\nmax_lanes = 2")

        settings = load_settings(cwd=below, environ={})

        assert settings.engine.max_lanes == 2
        assert settings.file == tmp_path / "a" / "swarm.toml"

    def test_a_named_file_wins_over_swarm_config_and_that_over_the_nearest(self, tmp_path: Path) -> None:
        for number, name in enumerate(("swarm.toml", "config.toml", "flag.toml")):
            (tmp_path / name).write_text(f"[engine]\nmax_lanes = {number + 1}")
        env = {"SWARM_CONFIG": str(tmp_path / "config.toml")}

        nearest = load_settings(cwd=tmp_path, environ={"SWARM_CONFIG": ""})
        by_variable = load_settings(cwd=tmp_path, environ=env)
        by_flag = load_settings(cwd=tmp_path, environ=env, file=tmp_path / "flag.toml")

        assert [one.engine.max_lanes for one in (nearest, by_variable, by_flag)] == [1, 2, 3]

    def test_every_engine_setting_has_a_variable(self, load: Load) -> None:
        names = [attribute.name for attribute in fields(EngineSettings)]

        settings = load(env={f"SWARM_ENGINE_{name.upper()}": "7" for name in names})

        assert [getattr(settings.engine, name) for name in names] == [7] * len(names)

    def test_a_folder_that_is_gone_has_no_file(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        gone = tmp_path / "gone"
        gone.mkdir()
        monkeypatch.chdir(gone)
        gone.rmdir()

        assert load_settings(environ={}) == Settings()


class TestPrecedence:
    def test_cl149_flags_win_over_the_environment_over_the_file_and_origins_tell(
        self, load: Load, tmp_path: Path
    ) -> None:
        settings = load(
            "[engine]\nmax_lanes = 1\nevent_log_size = 1\nfinished_runs_kept = 1",
            env={"SWARM_ENGINE_MAX_LANES": "2", "SWARM_ENGINE_EVENT_LOG_SIZE": "2"},
            flags={"engine.max_lanes": "3"},
        )

        assert (settings.engine.finished_runs_kept, settings.engine.event_log_size, settings.engine.max_lanes) == (
            1,
            2,
            3,
        )
        assert settings.origins == {
            "engine.finished_runs_kept": str(tmp_path / "swarm.toml"),
            "engine.event_log_size": "SWARM_ENGINE_EVENT_LOG_SIZE",
            "engine.max_lanes": "flag",
        }

    def test_a_flag_changes_one_key_of_a_plugins_table_and_leaves_the_others(self, load: Load) -> None:
        settings = load("[plugin.audit]\nlevel = 1\nretry = { max = 3, wait = 1 }", flags={"plugin.audit.retry.max": 5})

        assert settings.sections == {"audit": {"level": 1, "retry": {"max": 5, "wait": 1}}}
        assert settings.origins["plugin.audit.retry.max"] == "flag"

    def test_a_value_replaces_the_table_that_stood_there(self, load: Load) -> None:
        settings = load("[plugin.audit]\nretry = { max = 3 }", flags={"plugin.audit.retry": 9})

        assert settings.sections == {"audit": {"retry": 9}}
        assert "plugin.audit.retry.max" not in settings.origins

    def test_a_list_is_replaced_as_a_whole(self, load: Load) -> None:
        settings = load(
            '[plugins]\ndisable = ["lua", "audit"]\n[layers.standard]\nuse = ["audit"]',
            env={"SWARM_DISABLE_PLUGINS": "web"},
            flags={"layers.standard.use": ["count"]},
        )

        assert settings.plugins.disable == ("web",)
        assert settings.layer_sets == {"standard": (LayerUse(key="count"),)}

    def test_a_mistake_is_told_even_when_a_stronger_source_hides_it(self, refused: Any) -> None:
        told = refused("[engine]\nmax_lanes = []", flags={"engine.max_lanes": 3})

        assert told == ["swarm.toml: engine.max_lanes: a number or a text was expected, not a list"]


class TestSwitchingPluginsOff:
    @pytest.mark.parametrize("text", ["1", "all", "ALL", " 1 "])
    def test_p35_safe_mode_disables_all(self, text: str, load: Load) -> None:
        settings = load(env={"SWARM_DISABLE_PLUGINS": text})

        assert settings.plugins == PluginSettings(disable_all=True)

    @pytest.mark.parametrize("text", ["", "0", " "])
    def test_an_empty_variable_disables_none(self, text: str, load: Load) -> None:
        assert load(env={"SWARM_DISABLE_PLUGINS": text}) == Settings()

    def test_a_list_of_names_disables_these(self, load: Load) -> None:
        settings = load(env={"SWARM_DISABLE_PLUGINS": "lua, audit,"})

        assert settings.plugins.disable == ("lua", "audit")
        assert settings.origins == {"plugins.disable": "SWARM_DISABLE_PLUGINS"}

    def test_flags_take_a_text_with_commas(self, load: Load) -> None:
        settings = load(flags={"plugins.require": "lua,audit", "plugins.disable_all": "true"})

        assert settings.plugins == PluginSettings(require=("lua", "audit"), disable_all=True)


class TestFlags:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("5", 5),
            ("-5", -5),
            ("2.5", 2.5),
            ("true", True),
            ("false", False),
            ("nan", "nan"),
            ("1e5", "1e5"),
            ("", ""),
        ],
    )
    def test_a_text_is_read_as_the_value_it_spells(self, text: str, value: Any, load: Load) -> None:
        assert load(flags={"plugin.x.key": text}).sections == {"x": {"key": value}}

    def test_a_number_too_long_for_a_number_stays_a_text(self, load: Load) -> None:
        assert load(flags={"plugin.x.key": "9" * 5000}).sections == {"x": {"key": "9" * 5000}}


class TestMistakes:
    def test_cl149_everything_wrong_in_all_sources_is_told_at_once(self, refused: Any) -> None:
        told = refused(
            """
            engin = 3
            [engine]
            max_spwan_depth = 5
            [plugin]
            audit = 3
            [layers.standard]
            us = ["audit"]
            """,
            env={"SWARM_ENGINE_MAX_LANE": "7", "SWARM_DISABLE_PLUGIN": "1"},
            flags={"engine.max_lanes": "many"},
        )

        assert told == [
            "swarm.toml: engin: unknown table 'engin'; did you mean 'engine'?",
            "swarm.toml: engine.max_spwan_depth: unknown key 'max_spwan_depth'; did you mean 'max_spawn_depth'?",
            "swarm.toml: plugin.audit: a table was expected, not a number; write [plugin.<name>] above it",
            "swarm.toml: layers.standard.use: a list of layers was expected, not nothing",
            "swarm.toml: layers.standard.us: unknown key 'us'; did you mean 'use'?",
            "SWARM_DISABLE_PLUGIN: unknown variable; did you mean 'SWARM_DISABLE_PLUGINS'?",
            "SWARM_ENGINE_MAX_LANE: engine.max_lane: unknown key 'max_lane'; did you mean 'max_lanes'?",
            "flag: engine.max_lanes: 'many' is no whole number",
        ]

    @pytest.mark.parametrize(
        ("toml", "said"),
        [
            ("[engine]\nmax_lanes = '3'", "'3' is no whole number"),
            ("[engine]\nmax_lanes = 1.5", "1.5 is no whole number"),
            ("[engine]\nmax_lanes = true", "a number or a text was expected, not true or false"),
            ("[engine]\nmax_lanes = 0", "0 is out of range: 1 to 1000000000"),
            ("[engine]\nfinished_runs_kept = -1", "-1 is out of range: 0 to"),
            ("[engine]\nmax_lanes = 1_000_000_001", "is out of range"),
            ("[engine]\nmax_lanes = 2024-01-01", "a number or a text was expected, not a date"),
            ("engine = 3", "a table was expected, not a number"),
            ("[plugins]\ndisable = 'lua'", "a list of names was expected"),
            ("[plugins]\ndisable = ['lua', 3]", "a list of names was expected"),
            ("[plugins]\ndisable = ['']", "a list of names was expected"),
            ("[plugins]\ndisable_all = 1", "true or false was expected, not a number"),
            ("[plugins]\nenable = ['lua']", "unknown key 'enable'"),
            ("[layers]\nstandard = ['audit']", "a table was expected, not a list"),
            ("[layers.standard]\nuse = 'audit'", "a list of layers was expected, not a text"),
            ("[layers.standard]", "a list of layers was expected, not nothing"),
            ("[layers.standard]\nuse = [3]", "a layer is a name, or a table"),
            ("[layers.standard]\nuse = [{ long_hold = {} }]", "a layer is a name, or a table"),
        ],
    )
    def test_cl149_a_wrong_type_names_file_key_and_what_was_expected(self, toml: str, said: str, refused: Any) -> None:
        (told,) = refused(toml)

        assert told.startswith("swarm.toml: ")
        assert said in told

    @pytest.mark.parametrize("text", ["-1", "0", "5 parsecs", "1e9s", "11000d", "", "nan"])
    def test_cl150_a_text_that_is_no_duration_is_refused(self, text: str, refused: Any) -> None:
        (told,) = refused(flags={"engine.cancel_grace": text})

        assert told.startswith("flag: engine.cancel_grace: ")

    @pytest.mark.parametrize(("text", "seconds"), [("5", 5.0), ("1.5", 1.5), ("500ms", 0.5), ("2h", 7200.0)])
    def test_cl150_durations_are_seconds_or_carry_a_unit(self, text: str, seconds: float, load: Load) -> None:
        assert load(flags={"engine.cancel_grace": text}).engine.cancel_grace == seconds

    @pytest.mark.parametrize(("text", "size"), [("4096", 4096), ("10GB", 10**10), ("64KiB", 65_536)])
    def test_cl150_sizes_are_bytes_or_carry_a_unit(self, text: str, size: int, load: Load) -> None:
        assert load(flags={"engine.max_value_bytes": text}).engine.max_value_bytes == size

    @pytest.mark.parametrize("text", ["ten", "-1", "0", "10 XB"])
    def test_cl150_a_text_that_is_no_size_is_refused(self, text: str, refused: Any) -> None:
        (told,) = refused(flags={"engine.max_value_bytes": text})

        assert told.startswith("flag: engine.max_value_bytes: ")

    def test_a_long_value_is_cut_in_the_message(self, refused: Any) -> None:
        (told,) = refused(flags={"engine.max_lanes": "x" * 5000})

        assert len(told) < 300

    @pytest.mark.parametrize("flag", ["", "engine", "nothing.here", "engine."])
    def test_a_flag_that_names_no_setting_is_refused(self, flag: str, refused: Any) -> None:
        (told,) = refused(flags={flag: 3})

        assert told.startswith("flag: ")

    def test_variables_of_others_are_not_judged(self, load: Load) -> None:
        assert load(env={"SWARM_TASK_ID": "T-1", "SWARM_LEADER": "x", "SWARMING": "1"}) == Settings()


class TestUnreadableFiles:
    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"[engine\n", "is no TOML: Expected"),
            (b"[engine]\n[engine]\n", "is no TOML: Cannot declare"),
            (b"[engine]\nmax_lanes = 1\nmax_lanes = 2\n", "is no TOML: Cannot overwrite a value (at line 3"),
            (b"a = \xff\n", "is not UTF-8 at byte 4"),
            (b"a = " + b"[" * 50_000, "is nested too deeply"),
            (b"a = " + b"9" * 5_000, "is no TOML: Exceeds the limit"),
            (b"#" * 2_000_000, "is larger than 1048576 bytes"),
        ],
        ids=["syntax", "duplicate table", "duplicate key", "not utf-8", "deep", "long number", "large"],
    )
    def test_cl149_a_file_that_is_no_settings_file_is_named(self, content: bytes, said: str, tmp_path: Path) -> None:
        path = tmp_path / "swarm.toml"
        path.write_bytes(content)

        with pytest.raises(SettingsError) as caught:
            load_settings(cwd=tmp_path, environ={})

        assert str(caught.value).startswith(f"{path}: ")
        assert said in str(caught.value)

    def test_a_byte_order_mark_is_fine(self, tmp_path: Path) -> None:
        (tmp_path / "swarm.toml").write_bytes(b"\xef\xbb\xbf[engine]\nmax_lanes = 2")

        assert load_settings(cwd=tmp_path, environ={}).engine.max_lanes == 2

    @pytest.mark.parametrize("name", ["absent.toml", "."])
    def test_a_named_file_must_be_readable(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="cannot be read"):
            load_settings(file=tmp_path / name, cwd=tmp_path, environ={})


@frozen(kw_only=True)
class Audit:
    """What a plugin may be told."""

    level: int = 1
    to: str = "events"


class TestSection:
    def test_a_section_is_structured_to_the_plugins_model(self, load: Load) -> None:
        settings = load('[plugin.audit]\nlevel = 2\nto = "file"')

        assert settings.section("audit", Audit) == Audit(level=2, to="file")

    def test_an_absent_section_has_the_defaults(self, load: Load) -> None:
        assert load().section("audit", Audit) == Audit()

    def test_a_wrong_section_is_told_with_every_key_and_its_file(self, load: Load) -> None:
        settings = load('[plugin.audit]\nlevel = "high"\ntoo = "file"')

        with pytest.raises(SettingsError) as caught:
            settings.section("audit", Audit)

        text = str(caught.value)
        assert "swarm.toml: plugin.audit.level: " in text
        assert "plugin.audit.too" in text
        assert "did you mean 'to'?" in text


def test_importing_settings_loads_neither_toml_nor_codec() -> None:
    program = "import sys, swarm_core.settings; print({'tomllib', 'cattrs', 'swarm_core.codec'} & set(sys.modules))"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"

"""The section `[plugin.lua]`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import swarm_plugin_lua
from swarm_plugin_lua.settings import read_settings

from swarm_core.errors import SettingsError
from swarm_core.settings import Settings


def read(**section: Any) -> Any:
    return read_settings(Settings(sections={"lua": section}, file=Path("/etc/team/swarm.toml")))


def test_defaults_isolate_by_process_for_five_seconds_and_64_mib() -> None:
    settings = read_settings(Settings())

    assert (settings.isolation, settings.time_limit, settings.memory_limit) == ("process", 5.0, 64 * 1024 * 1024)
    assert 1 <= settings.pool_size <= 4
    assert settings.scripts == {}


def test_scripts_are_found_from_the_settings_file() -> None:
    settings = read(scripts={"one": "lua/one.lua", "two": "/srv/two.lua"})

    assert settings.scripts == {"one": Path("/etc/team/lua/one.lua"), "two": Path("/srv/two.lua")}


def test_limits_are_read_as_people_write_them() -> None:
    settings = read(time_limit="1500ms", memory_limit="8MiB", pool_size=2, isolation="inproc")

    assert (settings.time_limit, settings.memory_limit) == (1.5, 8 * 1024 * 1024)
    assert (settings.pool_size, settings.isolation) == (2, "inproc")


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("isolation", "thread", "'thread' is no isolation; write 'process' or 'inproc'"),
        ("pool_size", 0, "0 is out of range"),
        ("pool_size", 1000, "1000 Lua processes are too many; 64 at most"),
        ("time_limit", "5 parsecs", "'5 parsecs' is no duration"),
        ("time_limit", -1, "-1 is out of range"),
        ("memory_limit", "ten", "'ten' is no size"),
        ("memory_limit", 1000, "1000 is too little for any script; 1MiB is the least"),
        ("scripts", {"../x": "x.lua"}, "'../x' cannot name a script"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(key: str, value: Any, why: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(**{key: value})

    assert f"/etc/team/swarm.toml: plugin.lua.{key}: {why}" in str(caught.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        read(isolation="none", pool_size=-1, time_limit="soon")

    assert [problem.path.rpartition(".")[2] for problem in caught.value.problems] == [
        "isolation",
        "pool_size",
        "time_limit",
    ]


def test_unknown_key_is_refused() -> None:
    with pytest.raises(SettingsError, match="pool_sise"):
        read(pool_sise=3)


def test_configure_refuses_what_the_swarm_would_trip_over() -> None:
    with pytest.raises(SettingsError, match="'thread' is no isolation"):
        swarm_plugin_lua.swarm_configure(Settings(sections={"lua": {"isolation": "thread"}}))

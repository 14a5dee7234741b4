"""What the user may set: swarm.toml, SWARM_* and flags.

Flags win over the environment, the environment over the file, the file over the defaults. Each source is checked as a
whole, so one look at the error shows everything that is wrong in all of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import evolve, field, fields, frozen

from swarm_core.errors import DocumentError, SettingsError
from swarm_core.model.duration import parse_duration, parse_size
from swarm_core.model.shown import shown

if TYPE_CHECKING:
    from pathlib import Path

    from swarm_core.model.blueprint import LayerUse

T = TypeVar("T")

FILE_NAME = "swarm.toml"
STANDARD_SET = "standard"

_MOST = 10**9
_FILES = "sqlite://"
_WITH_PATHS = ("sqlite", "git")  # three slashes and a path that may be relative


def parse_count(value: object, least: int = 1) -> int:
    """Return a whole number from `least` to a thousand million.

    Raises: ValueError, when it is no whole number or is out of range.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r} is no whole number")
    if not least <= value <= _MOST:
        raise ValueError(f"{value!r} is out of range: {least} to {_MOST}")
    return value


def _size_or_nothing(value: Any) -> float:
    return 0 if value in (0, "0") and not isinstance(value, bool) else parse_size(value)


def _setting(default: float, parse: Callable[[Any], float], summary: str) -> Any:
    return field(default=default, metadata={"parse": parse, "summary": summary})


@frozen(kw_only=True)
class EngineSettings:
    """Limits and times of the engine; durations are seconds."""

    __repr__ = shown

    max_spawn_depth: int = _setting(4, parse_count, "how deep tasks may start tasks: 4 allows depths 0 to 3")
    worker_token_ttl: float = _setting(7 * 86400.0, parse_duration, "the longest life of a worker's token")
    session_ttl: float = _setting(7 * 86400.0, parse_duration, "the life of an operator's session")
    cancel_grace: float = _setting(2.0, parse_duration, "how long a cancelled worker may take to end")
    event_log_size: int = _setting(10_000, parse_count, "events of a run that stay in memory")
    heartbeat_interval: float = _setting(300.0, parse_duration, "how often an attached session gives a sign of life")
    heartbeat_misses: int = _setting(3, parse_count, "missed signs of life after which a session counts as gone")
    max_lanes: int = _setting(100_000, parse_count, "lanes of one fan-out")
    max_value_bytes: int = _setting(16 * 1024 * 1024, parse_size, "the size of one result as JSON")
    lease: float = _setting(30.0, parse_duration, "how long an engine that gives no sign of life keeps its runs")
    offload_threshold: float = _setting(
        32 * 1024, _size_or_nothing, "the size from which a value is kept beside the journal"
    )
    finished_runs_kept: int = _setting(100, partial(parse_count, least=0), "ended runs that stay in memory")


@frozen(kw_only=True)
class PluginSettings:
    """Which plugins are switched off before they are imported, and which must be there.

    `disable` has plugin names or names of distributions; `disable_all` leaves only what the core brings itself.
    """

    __repr__ = shown

    disable: tuple[str, ...] = ()
    require: tuple[str, ...] = ()
    disable_all: bool = False


@frozen(kw_only=True)
class StoreSettings:
    """Where runs are kept, Blueprints, and issues; None leaves that to whoever opens the swarm.

    What belongs to the enhance loop is all where issues are: its settings and its log.
    """

    __repr__ = shown

    url: str | None = None
    blueprints: str | None = None
    issues: str | None = None


@frozen(kw_only=True)
class ClientSettings:
    """Which server commands ask in place of a store, and the file that has its token; None when none is set."""

    __repr__ = shown

    server: str | None = None
    token_file: str | None = None


@frozen
class SetUse:
    """In a list of layers, another layer set: its layers stand in its place."""

    name: str


@frozen(kw_only=True)
class Settings:
    """All settings of one Swarm.

    `lints` has levels of lints by code. `file` says where they were read, `sections` has the plugins' own tables as
    data, `layer_sets` the teams' lists of layers. `origins` maps each key that was set (`engine.max_lanes`) to where
    its value came from: a file, a variable, or `flag`; what is not in it has its default.
    """

    __repr__ = shown

    engine: EngineSettings = field(factory=EngineSettings)
    plugins: PluginSettings = field(factory=PluginSettings)
    store: StoreSettings = field(factory=StoreSettings)
    client: ClientSettings = field(factory=ClientSettings)
    lints: Mapping[str, str] = field(factory=dict)
    sections: Mapping[str, Any] = field(factory=dict)
    layer_sets: Mapping[str, tuple[LayerUse | SetUse, ...]] = field(factory=dict)
    file: Path | None = None
    origins: Mapping[str, str] = field(factory=dict)

    def section(self, name: str, model: type[T]) -> T:
        """Return the section `[plugin.<name>]` as an instance of an attrs model; an absent section has the defaults.

        Raises: SettingsError, with every key that is wrong.
        """
        from swarm_core.codec import structure

        try:
            return structure(self.sections.get(name, {}), model, path=f"plugin.{name}")
        except DocumentError as error:
            file = str(self.file) if self.file else None
            found = [evolve(problem, file=self.origins.get(problem.path, file)) for problem in error.problems]
            raise SettingsError.of(found) from None


def load_settings(
    *,
    file: str | Path | None = None,
    cwd: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Read the settings from `swarm.toml`, `SWARM_*` and overrides.

    `file` (or `SWARM_CONFIG`) must exist; without either, the nearest `swarm.toml` in `cwd` or a folder above it is
    read, if there is one. `overrides` maps dotted keys (`engine.max_lanes`) to values or to texts as a flag gives them.
    Raises: SettingsError, with everything that is wrong in all sources.
    """
    from swarm_core import settings_sources as sources

    path = sources.locate(file or environ.get("SWARM_CONFIG") or None, cwd)
    problems: list[Any] = []
    merged: dict[tuple[str, ...], sources.Value] = {}
    for source in sources.read_all(path, environ, overrides or {}, problems):
        sources.merge(merged, sources.check(source, problems))
    if problems:
        raise SettingsError.of(problems)
    return Settings(
        engine=EngineSettings(**sources.table(merged, "engine")),
        plugins=PluginSettings(**sources.table(merged, "plugins")),
        store=StoreSettings(**sources.table(merged, "store")),
        client=ClientSettings(**sources.table(merged, "client")),
        sections=sources.table(merged, "plugin"),
        lints=sources.table(merged, "lints"),
        layer_sets={name: body["use"] for name, body in sources.table(merged, "layers").items()},
        file=path,
        origins={".".join(key): value.origin for key, value in merged.items()},
    )


def engine_fields() -> Mapping[str, Any]:
    """Return the engine's settings by name; an attribute's `metadata` has `parse` and `summary`."""
    return {attribute.name: attribute for attribute in fields(EngineSettings)}


def store_url(settings: Settings, named: str | None = None) -> str:
    """Return the URL of the run store: the one that was named, else the one that is set, else the project's own.

    The project's own is `.swarm/swarm.db` in the folder of `swarm.toml`, without one in the working directory. What
    `swarm.toml` says is relative to its folder, everything else to the working directory.
    """
    if named is not None:
        return named
    if settings.store.url is None:
        return _own_url(settings)
    return _placed(settings, "store.url", settings.store.url)


def blueprints_url(settings: Settings, named: str | None = None, *, runs: str | None = None) -> str:
    """Return the URL of the store of Blueprints: the one that was named, else the one that is set, else the runs' file.

    `runs` is the run store that was named, if one was. Where runs are not in a file, it is the project's own.
    """
    return _beside_runs(settings, "blueprints", settings.store.blueprints, named, runs)


def issues_url(settings: Settings, named: str | None = None, *, runs: str | None = None) -> str:
    """Return the URL of the stores of issues, enhance settings and the enhance log; see `blueprints_url`."""
    return _beside_runs(settings, "issues", settings.store.issues, named, runs)


def _beside_runs(settings: Settings, key: str, told: str | None, named: str | None, runs: str | None) -> str:
    if named is not None:
        return named
    if told is not None:
        return _placed(settings, f"store.{key}", told)
    url = store_url(settings, runs)
    return url if url.startswith(_FILES) else _own_url(settings)


def token_file(settings: Settings) -> Path | None:
    """Return the file that has the server's token, when one is set; `swarm.toml` says it relative to its folder."""
    from pathlib import Path

    named = settings.client.token_file
    if named is None:
        return None
    of_file = settings.file is not None and settings.origins.get("client.token_file") == str(settings.file)
    return project_folder(settings) / Path(named).expanduser() if of_file else Path(named).expanduser()


def project_folder(settings: Settings) -> Path:
    """Return the folder of `swarm.toml`, without one the working directory."""
    from pathlib import Path

    folder = settings.file.parent if settings.file is not None else Path.cwd()
    return folder.absolute()


def _own_url(settings: Settings) -> str:
    return f"sqlite:///{_quoted_folder(settings)}/.swarm/swarm.db"


def _placed(settings: Settings, key: str, url: str) -> str:
    """Return a URL whose relative path, if `swarm.toml` says it, begins at that file's folder."""
    scheme, slashes, path = url.partition(":///")
    if settings.origins.get(key) != str(settings.file) or scheme not in _WITH_PATHS:
        return url
    return f"{scheme}:///{_quoted_folder(settings)}/{path}" if slashes and not path.startswith("/") else url


def _quoted_folder(settings: Settings) -> str:
    from urllib.parse import quote

    return quote(str(project_folder(settings)))

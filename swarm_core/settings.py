"""What the user may set: swarm.toml, SWARM_* and flags."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen


@frozen(kw_only=True)
class EngineSettings:
    """Limits and times of the engine; durations are seconds."""

    max_spawn_depth: int = 4
    worker_token_ttl: float = 1800.0
    session_ttl: float = 7 * 86400.0
    cancel_grace: float = 2.0
    event_log_size: int = 10_000
    subscriber_queue: int = 1_000
    heartbeat_interval: float = 300.0
    heartbeat_misses: int = 3
    max_lanes: int = 100_000
    max_value_bytes: int = 16 * 1024 * 1024
    finished_runs_kept: int = 100


@frozen(kw_only=True)
class PluginSettings:
    """Which plugins are switched off before they are imported, and which must be there."""

    disable: tuple[str, ...] = ()
    require: tuple[str, ...] = ()
    disable_all: bool = False


@frozen(kw_only=True)
class Settings:
    """All settings of one Swarm; `file` says where they were read, `sections` has the plugins' own tables as data."""

    engine: EngineSettings = field(factory=EngineSettings)
    plugins: PluginSettings = field(factory=PluginSettings)
    sections: Mapping[str, Any] = field(factory=dict)
    file: Path | None = None

"""What may be set: whether anything is told, and to whom."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal

from attrs import frozen

from swarm_core.settings import Settings

Exporter = Literal["auto", "otlp", "console", "none"]

_ASKS_FOR = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")


@frozen(kw_only=True)
class OtelSettings:
    """The section `[plugin.otel]`.

    `exporter` is `otlp` (HTTP, to where the variables `OTEL_EXPORTER_OTLP_*` say), `console` (lines on stderr), `none`,
    or `auto`: what the program around has set up, else `otlp` when one of those variables is there, else nothing.
    `service_name` is what the telemetry is named after, unless `OTEL_SERVICE_NAME` says something else.
    """

    exporter: Exporter = "auto"
    service_name: str = "swarm"


def options_of(settings: Settings) -> OtelSettings:
    """Return the section of the settings; raises SettingsError."""
    return settings.section("otel", OtelSettings)


def is_asked_for(environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether the environment names a place to send telemetry to."""
    return any(environ.get(name) for name in _ASKS_FOR)


def is_disabled(environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether the environment switches OpenTelemetry off."""
    return environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"

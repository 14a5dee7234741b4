"""Where spans and metrics go: what the program around has set up, or what is set up here."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from attrs import field, frozen
from opentelemetry import metrics, trace
from opentelemetry.metrics import MeterProvider
from opentelemetry.sdk import metrics as sdk_metrics
from opentelemetry.sdk import trace as sdk_trace
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import TracerProvider

from swarm_plugin_otel.options import OtelSettings


@frozen(kw_only=True)
class Providers:
    """What makes spans and what makes metrics; closing sends what is held, where it was set up here."""

    spans: TracerProvider
    metrics: MeterProvider
    _close: tuple[Callable[[], object], ...] = field(default=(), alias="close")

    def close(self) -> None:
        """Send what is held, and let go; takes time."""
        for close in self._close:
            close()


def surrounding() -> Providers | None:
    """Return what the program around has set up for the whole process, None when it has not."""
    found = trace.get_tracer_provider()
    if not isinstance(found, sdk_trace.TracerProvider):
        return None
    return Providers(spans=found, metrics=metrics.get_meter_provider())


def open_providers(options: OtelSettings) -> Providers:
    """Set up what sends to where the options and the environment say."""
    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: options.service_name}
    resource = Resource.create(named)
    spans, points = _exporters(options)
    tracers = sdk_trace.TracerProvider(resource=resource, shutdown_on_exit=False)
    tracers.add_span_processor(BatchSpanProcessor(spans))
    meters = sdk_metrics.MeterProvider([PeriodicExportingMetricReader(points)], resource, shutdown_on_exit=False)
    return Providers(spans=tracers, metrics=meters, close=(tracers.shutdown, meters.shutdown))


def _exporters(options: OtelSettings) -> tuple[SpanExporter, MetricExporter]:
    if options.exporter == "console":
        return ConsoleSpanExporter(out=sys.stderr), ConsoleMetricExporter(out=sys.stderr)
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(), OTLPMetricExporter()

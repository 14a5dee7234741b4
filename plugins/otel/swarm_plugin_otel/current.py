"""The spans of the attempts that are under way, for whoever works on one; knows OpenTelemetry only when it is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import Span


class Attempts:
    """The spans of attempts, by task and number."""

    def __init__(self) -> None:
        self._spans: dict[tuple[str, int], Span] = {}

    def begin(self, task_id: str, attempt: int, span: Span) -> None:
        """Keep the span of an attempt that begins."""
        self._spans[task_id, attempt] = span

    def end(self, task_id: str, attempt: int) -> Span | None:
        """Return the span of an attempt that has ended, and forget it."""
        return self._spans.pop((task_id, attempt), None)

    def find(self, task_id: str, attempt: int) -> Span | None:
        """Return the span of an attempt that is under way."""
        return self._spans.get((task_id, attempt))

    @contextmanager
    def current(self, task_id: str, attempt: int) -> Iterator[str | None]:
        """Make an attempt's span the current one; gives its place in the trace as W3C Trace Context writes it."""
        span = self.find(task_id, attempt)
        if span is None:
            yield None
            return
        from opentelemetry.trace import use_span
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        told: dict[str, str] = {}
        # how an attempt ended is told by the engine's events, once for all kinds of ends
        with use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False):
            TraceContextTextMapPropagator().inject(told)
            yield told.get("traceparent")

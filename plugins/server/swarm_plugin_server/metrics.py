"""What a server counts, in the text format that Prometheus reads."""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from swarm_core.serving import LiveSwarm

if TYPE_CHECKING:
    from swarm_plugin_server.state import Serving

MEDIA_TYPE = CONTENT_TYPE_LATEST

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)


class Metrics:
    """The counters of one server; each has its own registry, so that several live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._answers = Counter(
            "swarm_http_requests",
            "Requests that were answered, by endpoint and status.",
            ("endpoint", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "swarm_http_request_seconds",
            "From the head of a request to its answer, without the pieces of a stream.",
            ("endpoint",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._gauges = {
            "in_flight": self._gauge("swarm_http_requests_in_flight", "Requests that are being answered."),
            "streams": self._gauge("swarm_http_streams", "Open streams of events."),
            "websockets": self._gauge("swarm_websockets", "Open WebSockets."),
            "ready": self._gauge("swarm_ready", "1 when work is taken."),
            "at_work": self._gauge("swarm_runs_at_work", "Runs that this process carries out now."),
            "parked": self._gauge("swarm_runs_parked", "Runs of this process that wait for an answer or for time."),
            "attempts": self._gauge("swarm_attempts", "Attempts at the tasks that are in memory."),
        }
        self._runs = self._gauge("swarm_runs", "Runs in the store, by status.", "status")
        self._tasks = self._gauge("swarm_tasks", "Tasks that are in memory, by status.", "status")

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def answered(self, endpoint: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self._answers.labels(endpoint, str(status)).inc()
        self._seconds.labels(endpoint).observe(seconds)

    async def text(self, swarm: LiveSwarm, serving: Serving) -> bytes:
        """Return everything as it stands now; raises StoreError."""
        state = swarm.engine.state
        tasks = list(state.tasks.values())
        facts = {
            "in_flight": serving.in_flight,
            "streams": serving.streams,
            "websockets": serving.websockets,
            "ready": int(serving.takes_work),
            "at_work": sum(not run.done.done() for run in state.runs.values()),
            "parked": len(state.parked),
            "attempts": sum(task.attempt for task in tasks),
        }
        for name, value in facts.items():
            self._gauges[name].set(value)
        for status, count in Tally(str(task.status) for task in tasks).items():
            self._tasks.labels(status).set(count)
        for status, count in (await swarm.store.count() if swarm.store is not None else {}).items():
            self._runs.labels(str(status)).set(count)
        return await asyncio.to_thread(generate_latest, self.registry)

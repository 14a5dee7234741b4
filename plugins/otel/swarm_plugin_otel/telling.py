"""Events of runs, told as spans and metrics.

A run is a span `invoke_workflow`, a step one `invoke_agent` below it, each attempt one below that, and each call of a
model one `chat` below its attempt: the names of OpenTelemetry's semantic conventions for generative AI, with facts of
our own under `swarm.`. No span holds what workers were given or said.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from attrs import define, field
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from swarm_core.contracts import EventListener
from swarm_core.model.event import EVENT_KINDS, Event
from swarm_core.serving import LiveSwarm
from swarm_plugin_otel.counting import Counting
from swarm_plugin_otel.current import Attempts
from swarm_plugin_otel.providers import Providers

_NAME = "swarm"
_ENDS_OF_RUNS = frozenset({"run_ended", "run_interrupted", "run_waiting"})
_ENDS_OF_STEPS = {"task_pass": "pass", "task_blocked": "blocked", "task_cancelled": "cancelled"}
_CHAT = "llm_chat"


@define(kw_only=True)
class _Step:
    """The span of a task, and which attempt of it is under way."""

    span: Span
    agent: str
    attempt: int | None = None


@define(kw_only=True)
class _Run:
    """The span of a run, and its steps under way."""

    span: Span
    began: float
    blueprint: str
    steps: dict[str, _Step] = field(factory=dict)


class Teller(EventListener):
    """Tells what it hears, each run by its own."""

    def __init__(self, swarm: LiveSwarm, providers: Providers, attempts: Attempts) -> None:
        self._swarm, self._attempts = swarm, attempts
        self._tracer = providers.spans.get_tracer(_NAME)
        self._counting = Counting(providers.metrics.get_meter(_NAME))
        self._runs: dict[str, _Run] = {}

    def hear(self, event: Event) -> None:
        """Begin, end or mark the span that an event is about."""
        if event.run_id is None:
            return
        if event.kind in _ENDS_OF_RUNS:
            self._end_run(event)
            return
        run = self._run_of(event)
        if event.task_id is None:
            return
        if event.kind == "task_created":
            self._begin_step(run, event)
        elif (step := run.steps.get(event.task_id) or self._taken_up(run, event)) is not None:
            self._about_step(run, step, event)

    def close(self) -> None:
        """End the spans of runs that nobody carries out any more here."""
        for run_id in list(self._runs):
            self._close_run(self._runs.pop(run_id), None)

    # runs ------------------------------------------------------------------------------------------------------

    def _run_of(self, event: Event) -> _Run:
        """Return the run of an event; one that waited, and is not known any more, begins a new span."""
        assert event.run_id is not None
        run = self._runs.get(event.run_id)
        if run is None:
            record = self._swarm.engine.state.run(event.run_id)
            blueprint = record.program.blueprint_id
            facts = {
                "gen_ai.operation.name": "invoke_workflow",
                "gen_ai.workflow.name": blueprint,
                "swarm.run.id": event.run_id,
                "swarm.run.resumed": event.kind != "run_started",
                "swarm.blueprint.hash": event.data.get("blueprint_hash"),
            }
            parent = _parent(record.session.request.traceparent)
            span = self._begin(f"invoke_workflow {blueprint}", event.time, facts, parent)
            run = self._runs[event.run_id] = _Run(span=span, began=event.time, blueprint=blueprint)
        return run

    def _end_run(self, event: Event) -> None:
        run = self._runs.pop(event.run_id or "", None)
        if run is None:
            return
        status = event.data.get("status", event.kind.removeprefix("run_"))
        run.span.set_attribute("swarm.run.status", status)
        error = event.data.get("error")
        if status == "failed":
            kind = error.get("kind") if isinstance(error, Mapping) else None
            run.span.set_status(Status(StatusCode.ERROR, str(kind or "failed")))
        self._close_run(run, event.time)
        if event.kind == "run_ended":
            self._counting.run_ended(run.blueprint, str(status), event.time - run.began)

    def _close_run(self, run: _Run, time: float | None) -> None:
        for task_id, step in run.steps.items():
            self._end_attempt(task_id, step, time)
            step.span.end(_ns(time))
        run.span.end(_ns(time))

    # steps -----------------------------------------------------------------------------------------------------

    def _begin_step(self, run: _Run, event: Event) -> None:
        parent, task = run.span, self._swarm.engine.state.tasks.get(event.task_id)
        above = None if task is None or task.parent is None else run.steps.get(task.parent.id)
        if task is not None and above is not None:
            parent = self._attempts.find(task.parent.id, above.attempt or 0) or above.span
        self._add_step(run, event, event.data["agent"], event.data["address"], parent)

    def _taken_up(self, run: _Run, event: Event) -> _Step | None:
        """Return a step that was begun before its run was resumed, as far as the engine knows it."""
        task = self._swarm.engine.state.tasks.get(event.task_id)
        if task is None or event.kind not in ("task_attempt_started", "task_resumed"):
            return None
        return self._add_step(run, event, task.agent, task.address, run.span)

    def _add_step(self, run: _Run, event: Event, agent: str, address: str, parent: Span) -> _Step:
        assert event.task_id is not None
        facts = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": agent,
            "swarm.run.id": event.run_id,
            "swarm.task.id": event.task_id,
            "swarm.step.address": address,
        }
        span = self._begin(f"invoke_agent {agent}", event.time, facts, set_span_in_context(parent))
        step = run.steps[event.task_id] = _Step(span=span, agent=agent)
        return step

    def _about_step(self, run: _Run, step: _Step, event: Event) -> None:
        kind, task_id = event.kind, event.task_id
        assert task_id is not None
        if kind == "task_attempt_started":
            self._begin_attempt(task_id, step, event)
        elif kind in ("task_attempt_completed", "task_attempt_failed"):
            self._end_attempt(task_id, step, event.time, event)
        elif kind in _ENDS_OF_STEPS:
            self._end_attempt(task_id, step, event.time)
            step.span.set_attribute("swarm.task.status", _ENDS_OF_STEPS[kind])
            if kind == "task_blocked":
                step.span.set_status(Status(StatusCode.ERROR, "blocked"))
            step.span.end(_ns(event.time))
            del run.steps[task_id]
        elif kind == _CHAT:
            self._chat(task_id, step, event)
        elif kind == "budget_spent":
            for name, amount in event.data.get("spent", {}).items():
                step.span.set_attribute(f"swarm.spent.{name}", amount)
        elif kind not in EVENT_KINDS or kind in ("task_suspended", "task_resumed"):
            span = self._attempts.find(task_id, event.attempt or 0) or step.span
            span.add_event(kind, timestamp=_ns(event.time))

    # attempts --------------------------------------------------------------------------------------------------

    def _begin_attempt(self, task_id: str, step: _Step, event: Event) -> None:
        number = step.attempt = event.attempt or 0
        facts = {"swarm.run.id": event.run_id, "swarm.task.id": task_id, "swarm.attempt": number}
        span = self._begin(f"attempt {number}", event.time, facts, set_span_in_context(step.span))
        self._attempts.begin(task_id, number, span)
        step.span.set_attribute("swarm.attempts", number)

    def _end_attempt(self, task_id: str, step: _Step, time: float | None, event: Event | None = None) -> None:
        """End the attempt that is under way, if there is one; `event` tells how."""
        span = None if step.attempt is None else self._attempts.end(task_id, step.attempt)
        if span is None:
            return
        ok = event is not None and event.data.get("ok", False)
        if event is not None and not ok:
            cause = event.data.get("cause", "not ok")
            span.set_attribute("error.type", str(cause))
            span.set_status(Status(StatusCode.ERROR, str(cause)))
        span.end(_ns(time))
        began = getattr(span, "start_time", None)
        if event is not None and began is not None:
            self._counting.attempt_ended(step.agent, event.time - began / 1e9, ok=bool(ok))

    def _chat(self, task_id: str, step: _Step, event: Event) -> None:
        facts, took = event.data.get("attributes", {}), event.data.get("elapsed", 0.0)
        parent = self._attempts.find(task_id, event.attempt or 0) or step.span
        name = f"chat {facts.get('gen_ai.request.model', '')}".strip()
        self._begin(name, event.time - took, facts, set_span_in_context(parent)).end(_ns(event.time))
        self._counting.chatted(facts, took)

    def _begin(self, name: str, time: float, facts: Mapping[str, Any], parent: Context | None) -> Span:
        told = {key: value for key, value in facts.items() if value is not None}
        return self._tracer.start_span(name, parent, attributes=told, start_time=_ns(time))


def _parent(traceparent: str | None) -> Context:
    """Return the context that a run belongs to: the launch's, else the one that this process was started in, else none.

    What is current just now is somebody else's: the engine's events come from all runs.
    """
    root = set_span_in_context(NonRecordingSpan(SpanContext(0, 0, is_remote=False)), Context())
    told = traceparent or os.environ.get("TRACEPARENT")
    return TraceContextTextMapPropagator().extract({"traceparent": told}, root) if told else root


def _ns(time: float | None) -> int | None:
    return None if time is None else int(time * 1e9)

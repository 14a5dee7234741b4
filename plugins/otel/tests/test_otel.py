"""Runs as an OpenTelemetry collector sees them: real OTLP over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import swarm_plugin_otel
from attrs import define, field
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from swarm_core import Result, Settings, Swarm
from swarm_core.errors import SettingsError
from swarm_core.model.operator import SessionRequest

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@define
class Collector:
    """What came, by name of span or metric."""

    url: str
    requests: list[tuple[str, bytes]] = field(factory=list)

    @property
    def spans(self) -> list[Any]:
        """Return all spans, in the order in which they began."""
        found = []
        for path, body in list(self.requests):
            if path == "/v1/traces":
                told = ExportTraceServiceRequest.FromString(body)
                found += [span for one in told.resource_spans for scope in one.scope_spans for span in scope.spans]
        return sorted(found, key=lambda span: (span.start_time_unix_nano, -span.end_time_unix_nano))

    @property
    def metrics(self) -> dict[str, Any]:
        """Return the metrics by name."""
        found = {}
        for path, body in list(self.requests):
            if path == "/v1/metrics":
                told = ExportMetricsServiceRequest.FromString(body)
                for one in told.resource_metrics:
                    for scope in one.scope_metrics:
                        found |= {metric.name: metric for metric in scope.metrics}
        return found

    @property
    def services(self) -> set[str]:
        """Return the names of the services that sent spans."""
        told = [ExportTraceServiceRequest.FromString(body) for path, body in self.requests if path == "/v1/traces"]
        return {facts_of(one.resource)["service.name"] for request in told for one in request.resource_spans}

    def named(self, name: str) -> Any:
        """Return the only span of a name."""
        (span,) = [span for span in self.spans if span.name == name]
        return span


def facts_of(thing: Any) -> dict[str, Any]:
    """Return the attributes of a span, a resource or a point."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in thing.attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            assert "gzip" not in self.headers.get("content-encoding", "")
            made.requests.append((self.path, body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Collector(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def traced(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Collector:
    """The collector, and an environment that names it."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    for name in ("TRACEPARENT", "OTEL_SERVICE_NAME", "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    return collector


def path(at):
    return {"op": "path", "at": at}


def step(ref, out="$.out"):
    return {"kind": "step", "ref": ref, "in": path("$"), "out": path(out)}


def blueprint(*children, **agents):
    """A seq of steps; agents are functions of their own names, with hints."""
    refs = [child["ref"] for child in children]
    return {
        "id": "traced",
        "flow": {"kind": "seq", "children": list(children)},
        "agents": [{"name": name, "kind": "function", "spec": {"fn_id": name}} for name in dict.fromkeys(refs)],
        "hints": {"per_agent": agents},
    }


def opened(functions, store=None, **plugin):
    settings = Settings(sections={"otel": plugin})
    return Swarm.open(settings, plugins=(swarm_plugin_otel,), functions=functions, store=store)


async def ran(document, functions, request=None, **facts):
    async with opened(functions, **facts) as swarm:
        return await (await swarm.launch(document, request=request)).wait()


class TestSpans:
    async def test_a_run_its_steps_and_their_attempts_are_spans_below_one_another(self, traced):
        result = await ran(blueprint(step("a"), step("b")), {"a": lambda given: 1, "b": lambda given: 2})

        run, first, tried = traced.spans[:3]
        assert [span.name for span in traced.spans] == [
            "invoke_workflow traced", "invoke_agent a", "attempt 1", "invoke_agent b", "attempt 1",
        ]  # fmt: skip
        assert (first.parent_span_id, tried.parent_span_id) == (run.span_id, first.span_id)
        assert (b"", 1) == (run.parent_span_id, len({span.trace_id for span in traced.spans}))
        facts = facts_of(run)
        assert (facts["swarm.run.id"], facts["swarm.run.status"]) == (result.run_id, "done")
        assert facts["gen_ai.operation.name"] == "invoke_workflow"
        assert facts_of(first)["swarm.step.address"] == "/0"
        assert facts_of(first)["gen_ai.agent.name"] == "a"
        assert traced.services == {"swarm"}
        assert all(span.end_time_unix_nano >= span.start_time_unix_nano for span in traced.spans)

    async def test_failures_are_errors_with_their_class_and_without_their_text(self, traced):
        tries = []

        def shaky(given):
            tries.append(1)
            if len(tries) < 2:
                raise ValueError("secret canary")
            return Result("the canary's no", ok=False)

        document = blueprint(step("shaky"), shaky={"retry": {"max_attempts": 2, "backoff": "1ms"}})
        result = await ran(document, {"shaky": shaky})

        assert result.error is not None
        first, second = (span for span in traced.spans if span.name.startswith("attempt"))
        assert [2, 2] == [first.status.code, second.status.code]
        assert 2 == traced.named("invoke_agent shaky").status.code
        assert facts_of(traced.named("invoke_agent shaky"))["swarm.attempts"] == 2
        assert 2 == traced.named("invoke_workflow traced").status.code
        assert not any(b"canary" in body for _, body in traced.requests)

    async def test_what_a_worker_starts_stands_below_its_attempt(self, traced):
        async def parent(call):
            return (await call.context.start_child("child", {})).value

        document = blueprint(step("parent"))
        document["agents"].append({"name": "child", "kind": "function", "spec": {"fn_id": "child"}})
        await ran(document, {"parent": parent, "child": lambda given: 1})

        outer = next(span for span in traced.spans if span.name == "attempt 1")
        assert traced.named("invoke_agent child").parent_span_id == outer.span_id

    async def test_what_plugins_publish_are_events_and_model_calls_are_spans(self, traced):
        async def talker(call):
            call.context.publish("looked_up", what="canary")
            about = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "small", "gen_ai.usage.input_tokens": 7}
            call.context.publish("llm_chat", attributes=about, elapsed=0.25)
            call.context.spend(tokens=9)
            return 1

        await ran(blueprint(step("talker")), {"talker": talker})

        tried, chat = traced.named("attempt 1"), traced.named("chat small")
        assert ["looked_up"] == [event.name for event in tried.events]
        assert (chat.parent_span_id, facts_of(chat)["gen_ai.usage.input_tokens"]) == (tried.span_id, 7)
        assert chat.end_time_unix_nano - chat.start_time_unix_nano == pytest.approx(250_000_000, abs=1000)
        assert facts_of(traced.named("invoke_agent talker"))["swarm.spent.tokens"] == 9
        assert not any(b"canary" in body for _, body in traced.requests)

    async def test_a_run_that_is_resumed_begins_a_span_of_its_own_for_what_is_left(self, traced, tmp_path):
        store = f"sqlite:///{tmp_path}/runs.db"
        document = blueprint(step("a"), step("asks"), step("b"))

        async def asks(call):
            return await call.context.ask("go on?")

        functions: dict[str, Any] = {"a": lambda given: 1, "asks": asks, "b": lambda given: 2}
        async with opened(functions, store) as swarm:
            first = await (await swarm.launch(document)).wait(or_waiting=True)
        async with opened(functions, store) as swarm:
            await swarm.answer(first.questions[0], "yes")
            await (await swarm.resume(first.run_id)).wait()

        runs = [span for span in traced.spans if span.name == "invoke_workflow traced"]
        assert [False, True] == [facts_of(span)["swarm.run.resumed"] for span in runs]
        assert [first.run_id] * 2 == [facts_of(span)["swarm.run.id"] for span in runs]
        assert "done" == facts_of(runs[1])["swarm.run.status"]
        later = [span.name for span in traced.spans if span.trace_id == runs[1].trace_id]
        assert ["invoke_workflow traced", "invoke_agent asks", "attempt 2", "invoke_agent b", "attempt 1"] == later


class TestPlaceInATrace:
    async def test_a_run_is_part_of_the_trace_that_its_launch_names(self, traced, monkeypatch):
        monkeypatch.setenv("TRACEPARENT", PARENT.replace("0af7", "ffff"))

        await ran(blueprint(step("a")), {"a": lambda given: 1}, SessionRequest(traceparent=PARENT))

        run = traced.named("invoke_workflow traced")
        assert (PARENT.split("-")[1], PARENT.split("-")[2]) == (run.trace_id.hex(), run.parent_span_id.hex())

    async def test_or_of_the_one_that_its_process_was_started_in(self, traced, monkeypatch):
        monkeypatch.setenv("TRACEPARENT", PARENT)

        await ran(blueprint(step("a")), {"a": lambda given: 1})

        assert PARENT.split("-")[1] == traced.named("invoke_workflow traced").trace_id.hex()

    @pytest.mark.parametrize("wrong", ["", "none", "00-xyz-1-01", "\n"])
    async def test_a_place_that_is_none_is_no_place(self, traced, wrong):
        result = await ran(blueprint(step("a")), {"a": lambda given: 1}, SessionRequest(traceparent=wrong))

        assert ("done", b"") == (str(result.status), traced.named("invoke_workflow traced").parent_span_id)

    @pytest.mark.parametrize("threaded", [True, False])
    async def test_what_a_function_does_is_told_below_its_attempt(self, traced, threaded):
        from opentelemetry import trace

        def look(call):
            span = trace.get_current_span().get_span_context()
            return [format(span.span_id, "016x"), call.meta["traceparent"]]

        async def at_once(call):
            return look(call)

        result = await ran(blueprint(step("look")), {"look": look if threaded else at_once})

        tried = traced.named("attempt 1")
        span_id, told = result.final_ctx["out"]
        assert span_id == tried.span_id.hex()
        assert told.startswith(f"00-{tried.trace_id.hex()}-{tried.span_id.hex()}-")

    async def test_a_subprocess_finds_its_place_in_the_environment(self, traced):
        swarm_plugin_subprocess = pytest.importorskip("swarm_plugin_subprocess", reason="needs swarm-plugin-subprocess")
        document = blueprint(step("teller"))
        spec = {"program": "sh", "args": ["-c", 'printf %s "$TRACEPARENT"']}
        document["agents"] = [{"name": "teller", "kind": "subprocess", "spec": spec}]
        async with Swarm.open(plugins=(swarm_plugin_otel, swarm_plugin_subprocess)) as swarm:
            result = await (await swarm.launch(document)).wait()

        tried = traced.named("attempt 1")
        assert result.final_ctx["out"]["raw"].startswith(f"00-{tried.trace_id.hex()}-{tried.span_id.hex()}-")


class TestMetrics:
    async def test_runs_attempts_and_model_calls_are_counted(self, traced):
        async def talker(call):
            facts = {"gen_ai.request.model": "small", "gen_ai.usage.output_tokens": 3}
            call.context.publish("llm_chat", attributes=facts, elapsed=0.5)
            return 1

        await ran(blueprint(step("talker")), {"talker": talker})

        (runs,) = traced.metrics["swarm.runs"].sum.data_points
        assert (1, "done") == (runs.as_int, facts_of(runs)["swarm.run.status"])
        (tried,) = traced.metrics["swarm.attempt.duration"].histogram.data_points
        assert (1, "talker") == (tried.count, facts_of(tried)["gen_ai.agent.name"])
        (tokens,) = traced.metrics["gen_ai.client.token.usage"].histogram.data_points
        assert (3, "output") == (tokens.sum, facts_of(tokens)["gen_ai.token.type"])


class TestSwitchedOff:
    @pytest.mark.parametrize("how", ["no place", "disabled", "none"])
    async def test_nothing_is_sent_and_workers_are_told_nothing(self, traced, monkeypatch, how):
        if how == "no place":
            monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT")
        if how == "disabled":
            monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
        options = {"exporter": "none"} if how == "none" else {}

        result = await ran(blueprint(step("look")), {"look": lambda call: sorted(call.meta)}, **options)

        assert ([], []) == (result.final_ctx["out"], traced.requests)

    async def test_a_collector_that_is_not_there_does_not_disturb_the_run(self, traced, monkeypatch):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")

        result = await ran(blueprint(step("a")), {"a": lambda given: 1})

        assert "done" == str(result.status)

    def test_a_wrong_setting_is_told_with_its_place(self):
        with pytest.raises(SettingsError, match="exporter"):
            swarm_plugin_otel.swarm_configure(Settings(sections={"otel": {"exporter": "jaeger"}}))


PROGRAM = """
import asyncio, json
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
import swarm_plugin_otel
from swarm_core import Swarm

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
BLUEPRINT = {"id": "b", "flow": {"kind": "step", "ref": "a", "in": {"op": "lit", "value": 1},
             "out": {"op": "path", "at": "$.x"}}, "agents": [{"name": "a", "kind": "function", "spec": {"fn_id": "a"}}]}

async def main():
    async with Swarm.open(plugins=(swarm_plugin_otel,), functions={"a": lambda given: 1}) as swarm:
        await (await swarm.launch(BLUEPRINT)).wait()
    with trace.get_tracer("own").start_as_current_span("mine"):
        pass
    print(json.dumps([span.name for span in exporter.get_finished_spans()]))

asyncio.run(main())
"""


def test_a_program_that_has_set_up_opentelemetry_gets_the_spans_and_keeps_its_provider():
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True, timeout=60)

    assert json.loads(done.stdout) == ["attempt 1", "invoke_agent a", "invoke_workflow b", "mine"]

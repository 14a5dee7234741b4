"""Every call of a server, by what it is for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from attrs import evolve

from swarm_core.model.problem import Problem
from swarm_core.model.run import Question, RunFilter, RunResult, StoredRun
from swarm_core.model.version import Fixed
from swarm_core.model.worker import WorkerLife
from swarm_core.selecting import ref_json
from swarm_plugin_client import answers
from swarm_plugin_client.answers import Launch, Read, RunPage, Step, TaskAnswer
from swarm_plugin_client.ask import Ask, get, post, segment
from swarm_plugin_client.errors import problem_of
from swarm_plugin_client.orders import Order, Source, blueprint_ref, shortened

T = TypeVar("T")

_REPEATABLE = ("GET", "PUT", "DELETE")  # of these HTTP says that twice is the same as once

# tasks -------------------------------------------------------------------------------------------------------


def run_task(order: Order) -> Ask[TaskAnswer]:
    """Run a Blueprint, and wait for its end."""
    return post(
        "/v1/tasks",
        answers.read_task,
        order.as_json(),
        headers=order.headers,
        held=True,
        repeatable=order.key is not None,
        shortened=shortened(order.source),
    )


def launch(order: Order) -> Ask[Launch]:
    """Begin a run."""
    return post(
        "/v1/tasks",
        answers.read_launch,
        {**order.as_json(), "detach": True},
        headers={**order.headers, "Prefer": "respond-async"},
        repeatable=order.key is not None,
        shortened=shortened(order.source),
    )


def check(source: Source, bind: Mapping[str, str], layer_set: str | None) -> Ask[tuple[Problem, ...]]:
    """Look for what is wrong with a Blueprint."""
    read = answers.items(lambda one: problem_of(answers.mapping(one)), "problems")
    return _look("/v1/check", read, source, bind, layer_set)


def explain(source: Source, bind: Mapping[str, str], layer_set: str | None) -> Ask[Mapping[str, Any]]:
    """Tell what a Blueprint resolves to."""
    return _look("/v1/explain", answers.mapping, source, bind, layer_set)


def _look(path: str, read: Read[T], source: Source, bind: Mapping[str, str], layer_set: str | None) -> Ask[T]:
    given = {"bind": dict(bind), "layer_set": layer_set}
    body = {"blueprint": blueprint_ref(source), **{name: value for name, value in given.items() if value}}
    return post(path, read, body, repeatable=True, shortened=shortened(source))


# runs --------------------------------------------------------------------------------------------------------


def runs(wanted: RunFilter) -> Ask[RunPage]:
    """List runs."""
    return get(
        "/v1/runs",
        answers.read_runs,
        status=tuple(str(status) for status in wanted.statuses),
        blueprint_id=wanted.blueprint_id,
        before=wanted.before,
        limit=wanted.limit,
    )


def _run(run_id: str, rest: str = "") -> str:
    return f"/v1/runs/{segment(run_id)}{rest}"


def run(run_id: str) -> Ask[StoredRun]:
    """Return a run."""
    return get(_run(run_id), answers.read_run)


def steps(run_id: str) -> Ask[tuple[Step, ...]]:
    """Return a run's tasks."""
    return get(_run(run_id, "/steps"), answers.items(answers.model(Step), "steps"))


def result(run_id: str) -> Ask[RunResult]:
    """Return how a run ended."""
    return get(_run(run_id, "/result"), answers.read_result)


def events(run_id: str, after: int, limit: int | None) -> Ask[answers.EventPage]:
    """Return a page of a run's events."""
    return get(_run(run_id, "/events"), answers.read_events, after=after or None, limit=limit)


def stream_path(run_id: str) -> str:
    """Return where a run's events come as a stream."""
    return _run(run_id, "/events")


def cancel(run_id: str, wait: float | None = None) -> Ask[StoredRun]:
    """Cancel a run, and wait so many seconds until it has ended."""
    query = {} if wait is None else {"wait": wait}
    return post(_run(run_id, "/cancel"), answers.read_run, query=query, repeatable=True, held=True)


def resume(run_id: str) -> Ask[Launch]:
    """Go on with a run."""
    return post(_run(run_id, "/resume"), answers.read_launch)


def rerun(run_id: str, start: Iterable[str]) -> Ask[Launch]:
    """Begin a run that shares what a recorded one did."""
    return post(_run(run_id, "/rerun"), answers.read_launch, {"from": list(start)})


def migrate(run_id: str, source: Source, *, confirm: bool) -> Ask[Mapping[str, Any]]:
    """Plan to bind a run to another Blueprint, or do so."""
    body = {"blueprint": blueprint_ref(source), "confirm": confirm}
    path = _run(run_id, "/migrate")
    return post(path, answers.mapping, body, repeatable=not confirm, shortened=shortened(source))


# questions ---------------------------------------------------------------------------------------------------


def questions(run_id: str | None, *, open_only: bool) -> Ask[tuple[Question, ...]]:
    """List questions."""
    read = answers.items(answers.read_question, "questions")
    return get("/v1/questions", read, run_id=run_id, open="true" if open_only else "false")


def question(key: str) -> Ask[Question]:
    """Return a question."""
    return get(f"/v1/questions/{segment(key)}", answers.read_question)


def answer(key: str, value: Any, by: str | None) -> Ask[Question]:
    """Answer a question."""
    body = {"answer": value} if by is None else {"answer": value, "by": by}
    return post(f"/v1/questions/{segment(key)}/answer", answers.read_question, body)


# Blueprints --------------------------------------------------------------------------------------------------


def _blueprint(blueprint_id: str, rest: str = "") -> str:
    return f"/v1/blueprints/{segment(blueprint_id)}{rest}"


def blueprints(*, archived: bool) -> Ask[tuple[Any, ...]]:
    """List the Blueprints that are kept."""
    read = answers.items(answers.as_it_is, "blueprints")
    return get("/v1/blueprints", read, archived="true" if archived else None)


def add_blueprint(
    blueprint_id: str, document: Mapping[str, Any], *, message: str, by: str | None
) -> Ask[Mapping[str, Any]]:
    """Keep a Blueprint."""
    said = {name: value for name, value in (("message", message), ("by", by)) if value}
    # the same text again is no new version: it may be sent twice
    return post(_blueprint(blueprint_id), answers.mapping, dict(document), query=said, repeatable=True)


def blueprint_head(blueprint_id: str) -> Ask[Mapping[str, Any]]:
    """Return the newest version of a Blueprint."""
    return get(_blueprint(blueprint_id, "/head"), answers.mapping)


def blueprint_version(blueprint_id: str, version: str) -> Ask[Mapping[str, Any]]:
    """Return one version of a Blueprint."""
    return get(_version(blueprint_id, version), answers.mapping)


def _version(blueprint_id: str, version: str) -> str:
    return _blueprint(blueprint_id, f"/versions/{segment(version)}")


def made_whole_by(ask: Ask[Any]) -> Ask[str] | None:
    """Return the call that tells the whole version of which a call has the first digits, None when it has none such.

    People may write a few digits; what is sent to be run says exactly which version is meant.
    """
    ref = ask.shortened
    if ref is None or not isinstance(ref.version, Fixed):
        return None
    return get(_version(ref.id, ref.version.value), answers.read_version)


def made_whole(ask: Ask[T], version: str) -> Ask[T]:
    """Return a call with the whole version in place of its first digits."""
    assert ask.shortened is not None
    ref = evolve(ask.shortened, version=Fixed(value=version))
    return evolve(ask, body={**ask.body, "blueprint": ref_json(ref)}, shortened=None)


def blueprint_history(blueprint_id: str, limit: int | None) -> Ask[tuple[Any, ...]]:
    """List the versions of a Blueprint."""
    return get(_blueprint(blueprint_id, "/history"), answers.items(answers.as_it_is, "entries"), limit=limit)


def archive_blueprint(blueprint_id: str) -> Ask[None]:
    """Take a Blueprint out of use."""
    return Ask(method="DELETE", path=_blueprint(blueprint_id), read=answers.nothing, repeatable=True)


def unarchive_blueprint(blueprint_id: str) -> Ask[None]:
    """Take a Blueprint into use again."""
    return post(_blueprint(blueprint_id, "/unarchive"), answers.nothing, repeatable=True)


# the server --------------------------------------------------------------------------------------------------


def health() -> Ask[Any]:
    """Tell that the server is up."""
    return get("/v1/healthz", answers.as_it_is)


def ready() -> Ask[Any]:
    """Tell that the server takes work."""
    return get("/v1/readyz", answers.as_it_is)


def plugins() -> Ask[Any]:
    """List the server's plugins."""
    return get("/v1/plugins", answers.as_it_is)


def metrics() -> Ask[str]:
    """Return the server's metrics."""
    return get("/v1/metrics", answers.text)


def doctor() -> Ask[Mapping[str, Any]]:
    """Tell how the server is."""
    return get("/v1/doctor", answers.mapping)


def route(
    method: str, route: str, *, path: Mapping[str, str], query: Mapping[str, Any], body: Any, held: bool
) -> Ask[Any]:
    """Call a route that a plugin of the server offers; raises KeyError for a part of the path that is not given."""
    return Ask(
        method=method,
        path=route.format_map({name: segment(text) for name, text in path.items()}),
        read=answers.as_it_is,
        query={name: value for name, value in query.items() if value is not None},
        body=body,
        repeatable=method in _REPEATABLE,
        held=held,
    )


# operators ---------------------------------------------------------------------------------------------------


def join(roles: Iterable[str]) -> Ask[Mapping[str, Any]]:
    """Register an operator."""
    return post("/v1/operators", answers.mapping, {"roles": list(roles)})


def acquire(sid: str, roles: Iterable[str], token: str) -> Ask[Any]:
    """Take seats for an operator."""
    path = f"/v1/operators/{segment(sid)}/acquire"
    return post(path, answers.as_it_is, {"roles": list(roles)}, token=token, repeatable=True)


def leave(sid: str, token: str) -> Ask[None]:
    """End an operator's session."""
    path = f"/v1/operators/{segment(sid)}"
    return Ask(method="DELETE", path=path, read=answers.nothing, token=token, repeatable=True)


# workers -----------------------------------------------------------------------------------------------------


def worker_prompt(handle: str, task_id: str | None) -> Ask[Mapping[str, Any]]:
    """Return a worker's work."""
    given = {} if task_id is None else {"task_id": task_id}
    path = "/v1/worker/prompt"
    return Ask(method="GET", path=path, read=answers.mapping, query=given, token=handle, repeatable=True)


def worker_submit(handle: str, content: bytes, media_type: str, *, ok: bool, part: str | None) -> Ask[None]:
    """Give a worker's result as bytes."""
    query = {"ok": "true" if ok else "false"} | ({} if part is None else {"part": part})
    # the same result twice is the same result: it may be sent again
    return Ask(
        method="POST",
        path="/v1/worker/submit",
        read=answers.nothing,
        query=query,
        content=content,
        headers={"Content-Type": media_type},
        token=handle,
        repeatable=True,
    )


def worker_result(handle: str, body: Mapping[str, Any]) -> Ask[None]:
    """Give a worker's result as JSON."""
    return post("/v1/worker/result", answers.nothing, dict(body), token=handle, repeatable=True)


def worker_heartbeat(handle: str) -> Ask[WorkerLife]:
    """Say that a worker lives."""
    return post("/v1/worker/heartbeat", answers.model(WorkerLife), token=handle, repeatable=True)


def emit(handle: str, body: Mapping[str, Any]) -> Ask[Mapping[str, Any]]:
    """Say something as a worker."""
    return post("/v1/data/emit", answers.mapping, dict(body), token=handle)


def read_data(key: str, token: str | None) -> Ask[Mapping[str, Any]]:
    """Return what a worker said."""
    return Ask(method="GET", path=f"/v1/data/{segment(key)}", read=answers.mapping, token=token, repeatable=True)

"""Every call of a server as data: what is sent, and how the answer is read. It knows no connection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from attrs import field, frozen

from swarm_core.codec import blueprint_json
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.operator import SessionRequest
from swarm_core.model.problem import Problem
from swarm_core.model.run import Question, RunFilter, RunResult, StoredRun
from swarm_core.model.version import IdRef
from swarm_core.selecting import SCHEME, parse_ref, parse_source, ref_json
from swarm_plugin_client import answers
from swarm_plugin_client.answers import Launch, Read, RunPage, Step, TaskAnswer
from swarm_plugin_client.errors import problem_of

T = TypeVar("T")

Source = str | Mapping[str, Any] | Blueprint
"""A Blueprint: the document, a BlueprintRef, or `bp:NAME[@SELECTOR]` for one that the server keeps."""


@frozen(kw_only=True, eq=False, repr=False)
class Ask(Generic[T]):
    """One call.

    `body` is a JSON value, `content` raw bytes. What is `repeatable` may be sent again when it is not known whether it
    arrived. The answer of what is `held` may take as long as it takes. `token` is shown in place of the client's own.
    """

    method: str
    path: str
    read: Read[T]
    query: Mapping[str, Any] = field(factory=dict)
    headers: Mapping[str, str] = field(factory=dict)
    body: Any = None
    content: bytes | None = None
    repeatable: bool = False
    held: bool = False
    token: str | None = None


def _get(path: str, read: Read[T], **query: Any) -> Ask[T]:
    given = {name: value for name, value in query.items() if value is not None and value != ()}
    return Ask(method="GET", path=path, read=read, query=given, repeatable=True)


def _post(path: str, read: Read[T], body: Any = None, **about: Any) -> Ask[T]:
    return Ask(method="POST", path=path, read=read, body=body, **about)


def _part(text: str) -> str:
    """Return a text as one part of a path, whatever is in it."""
    return quote(text, safe="") if text not in (".", "..") else text.replace(".", "%2E")


# tasks -------------------------------------------------------------------------------------------------------


def blueprint_ref(source: Source) -> dict[str, Any]:
    """Return the BlueprintRef for what a Blueprint is given as; raises DocumentError, InvalidId, InvalidSemver."""
    if isinstance(source, str) and source.startswith(SCHEME):
        return ref_json(parse_source(source))
    if isinstance(source, Blueprint):
        return {"kind": "inline", "value": blueprint_json(source)}
    if not isinstance(source, Mapping):
        raise TypeError(f"a Blueprint is a document or 'bp:NAME', not {type(source).__name__}")
    if "kind" in source and "flow" not in source:
        ref = parse_ref(source)
        return ref_json(ref) if isinstance(ref, IdRef) else {"kind": "inline", "value": ref.value}
    return {"kind": "inline", "value": dict(source)}


@frozen(kw_only=True, eq=False, repr=False)
class Order:
    """What is to be run, and how."""

    source: Source
    init_ctx: Any = None
    bind: Mapping[str, str] = field(factory=dict)
    layer_set: str | None = None
    budget: Mapping[str, Any] | None = None
    request: SessionRequest | None = None
    operator_sid: str | None = None
    operator_id: str | None = None
    ttl_secs: int | None = None
    key: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the body of the call."""
        facts = {
            "bind": dict(self.bind),
            "layer_set": self.layer_set,
            "budget": self.budget,
            "operator": _operator(self.request, self.operator_id),
            "operator_sid": self.operator_sid,
            "ttl_secs": self.ttl_secs,
        }
        told = {name: value for name, value in facts.items() if value not in (None, {})}
        return {"blueprint": blueprint_ref(self.source), "init_ctx": self.init_ctx, **told}

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers that say under which key it is launched."""
        return {} if self.key is None else {"Idempotency-Key": self.key}


def _operator(request: SessionRequest | None, operator_id: str | None) -> dict[str, Any]:
    given = request or SessionRequest()
    facts = {
        "id": operator_id,
        "kind": None if given.operator_kind is None else str(given.operator_kind),
        "per_agent_kinds": {agent: str(kind) for agent, kind in given.agent_kinds.items()},
        "senior_bridge_id": given.bridge_id,
        "spawn_hook_id": given.hook_id,
        "operator_backend_id": given.operator_backend_id,
    }
    return {name: value for name, value in facts.items() if value not in (None, {})}


def run_task(order: Order) -> Ask[TaskAnswer]:
    """Run a Blueprint, and wait for its end."""
    return _post(
        "/v1/tasks",
        answers.read_task,
        order.as_json(),
        headers=order.headers,
        held=True,
        repeatable=order.key is not None,
    )


def launch(order: Order) -> Ask[Launch]:
    """Begin a run."""
    return _post(
        "/v1/tasks",
        answers.read_launch,
        {**order.as_json(), "detach": True},
        headers={**order.headers, "Prefer": "respond-async"},
        repeatable=order.key is not None,
    )


def check(source: Source, bind: Mapping[str, str], layer_set: str | None) -> Ask[tuple[Problem, ...]]:
    """Look for what is wrong with a Blueprint."""
    given = {"bind": dict(bind), "layer_set": layer_set}
    body = {"blueprint": blueprint_ref(source), **{name: value for name, value in given.items() if value}}
    return _post(
        "/v1/check",
        answers.items(lambda one: problem_of(answers.mapping(one)), "problems"),
        body,
        repeatable=True,
    )


def explain(source: Source) -> Ask[Mapping[str, Any]]:
    """Tell what a Blueprint resolves to."""
    return _post("/v1/explain", answers.mapping, {"blueprint": blueprint_ref(source)}, repeatable=True)


# runs --------------------------------------------------------------------------------------------------------


def runs(wanted: RunFilter) -> Ask[RunPage]:
    """List runs."""
    return _get(
        "/v1/runs",
        answers.read_runs,
        status=tuple(str(status) for status in wanted.statuses),
        blueprint_id=wanted.blueprint_id,
        before=wanted.before,
        limit=wanted.limit,
    )


def _run(run_id: str, rest: str = "") -> str:
    return f"/v1/runs/{_part(run_id)}{rest}"


def run(run_id: str) -> Ask[StoredRun]:
    """Return a run."""
    return _get(_run(run_id), answers.read_run)


def steps(run_id: str) -> Ask[tuple[Step, ...]]:
    """Return a run's tasks."""
    return _get(_run(run_id, "/steps"), answers.items(answers.model(Step), "steps"))


def result(run_id: str) -> Ask[RunResult]:
    """Return how a run ended."""
    return _get(_run(run_id, "/result"), answers.read_result)


def events(run_id: str, after: int) -> Ask[answers.EventPage]:
    """Return a page of a run's events."""
    return _get(_run(run_id, "/events"), answers.read_events, after=after or None)


def stream_path(run_id: str) -> str:
    """Return where a run's events come as a stream."""
    return _run(run_id, "/events")


def cancel(run_id: str, wait: float | None = None) -> Ask[StoredRun]:
    """Cancel a run, and wait so many seconds until it has ended."""
    query = {} if wait is None else {"wait": wait}
    return _post(_run(run_id, "/cancel"), answers.read_run, query=query, repeatable=True, held=True)


def resume(run_id: str) -> Ask[Launch]:
    """Go on with a run."""
    return _post(_run(run_id, "/resume"), answers.read_launch)


def rerun(run_id: str, start: Iterable[str]) -> Ask[Launch]:
    """Begin a run that shares what a recorded one did."""
    return _post(_run(run_id, "/rerun"), answers.read_launch, {"from": list(start)})


def migrate(run_id: str, source: Source, *, confirm: bool) -> Ask[Mapping[str, Any]]:
    """Plan to bind a run to another Blueprint, or do so."""
    body = {"blueprint": blueprint_ref(source), "confirm": confirm}
    return _post(_run(run_id, "/migrate"), answers.mapping, body, repeatable=not confirm)


# questions ---------------------------------------------------------------------------------------------------


def questions(run_id: str | None, *, open_only: bool) -> Ask[tuple[Question, ...]]:
    """List questions."""
    read = answers.items(answers.read_question, "questions")
    return _get("/v1/questions", read, run_id=run_id, open="true" if open_only else "false")


def question(key: str) -> Ask[Question]:
    """Return a question."""
    return _get(f"/v1/questions/{_part(key)}", answers.read_question)


def answer(key: str, value: Any, by: str | None) -> Ask[Question]:
    """Answer a question."""
    body = {"answer": value} if by is None else {"answer": value, "by": by}
    return _post(f"/v1/questions/{_part(key)}/answer", answers.read_question, body)


# Blueprints --------------------------------------------------------------------------------------------------


def _blueprint(blueprint_id: str, rest: str = "") -> str:
    return f"/v1/blueprints/{_part(blueprint_id)}{rest}"


def blueprints() -> Ask[tuple[Any, ...]]:
    """List the Blueprints that are kept."""
    return _get("/v1/blueprints", answers.items(answers.as_it_is, "blueprints"))


def add_blueprint(blueprint_id: str, document: Mapping[str, Any]) -> Ask[Mapping[str, Any]]:
    """Keep a Blueprint."""
    # the same text again is no new version: it may be sent twice
    return _post(_blueprint(blueprint_id), answers.mapping, dict(document), repeatable=True)


def blueprint_head(blueprint_id: str) -> Ask[Mapping[str, Any]]:
    """Return the newest version of a Blueprint."""
    return _get(_blueprint(blueprint_id, "/head"), answers.mapping)


def blueprint_version(blueprint_id: str, version: str) -> Ask[Mapping[str, Any]]:
    """Return one version of a Blueprint."""
    return _get(_blueprint(blueprint_id, f"/versions/{_part(version)}"), answers.mapping)


def blueprint_history(blueprint_id: str, limit: int | None) -> Ask[tuple[Any, ...]]:
    """List the versions of a Blueprint."""
    return _get(_blueprint(blueprint_id, "/history"), answers.items(answers.as_it_is, "entries"), limit=limit)


def archive_blueprint(blueprint_id: str) -> Ask[None]:
    """Take a Blueprint out of use."""
    return Ask(method="DELETE", path=_blueprint(blueprint_id), read=answers.nothing, repeatable=True)


def unarchive_blueprint(blueprint_id: str) -> Ask[None]:
    """Take a Blueprint into use again."""
    return _post(_blueprint(blueprint_id, "/unarchive"), answers.nothing, repeatable=True)


# the server --------------------------------------------------------------------------------------------------


def health() -> Ask[Any]:
    """Tell that the server is up."""
    return _get("/v1/healthz", answers.as_it_is)


def ready() -> Ask[Any]:
    """Tell that the server takes work."""
    return _get("/v1/readyz", answers.as_it_is)


def plugins() -> Ask[Any]:
    """List the server's plugins."""
    return _get("/v1/plugins", answers.as_it_is)


def metrics() -> Ask[str]:
    """Return the server's metrics."""
    return _get("/v1/metrics", answers.text)


def doctor() -> Ask[Mapping[str, Any]]:
    """Tell how the server is."""
    return _get("/v1/doctor", answers.mapping)


# operators ---------------------------------------------------------------------------------------------------


def join(roles: Iterable[str]) -> Ask[Mapping[str, Any]]:
    """Register an operator."""
    return _post("/v1/operators", answers.mapping, {"roles": list(roles)})


def acquire(sid: str, roles: Iterable[str], token: str) -> Ask[Any]:
    """Take seats for an operator."""
    path = f"/v1/operators/{_part(sid)}/acquire"
    return _post(path, answers.as_it_is, {"roles": list(roles)}, token=token, repeatable=True)


def leave(sid: str, token: str) -> Ask[None]:
    """End an operator's session."""
    path = f"/v1/operators/{_part(sid)}"
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
    return Ask(
        method="POST",
        path="/v1/worker/submit",
        read=answers.nothing,
        query=query,
        content=content,
        headers={"Content-Type": media_type},
        token=handle,
    )


def worker_result(handle: str, body: Mapping[str, Any]) -> Ask[None]:
    """Give a worker's result as JSON."""
    # the same result twice is the same result: it may be sent again
    return _post("/v1/worker/result", answers.nothing, dict(body), token=handle, repeatable=True)


def emit(handle: str, body: Mapping[str, Any]) -> Ask[Mapping[str, Any]]:
    """Say something as a worker."""
    return _post("/v1/data/emit", answers.mapping, dict(body), token=handle)


def read_data(key: str, token: str | None) -> Ask[Mapping[str, Any]]:
    """Return what a worker said."""
    return Ask(method="GET", path=f"/v1/data/{_part(key)}", read=answers.mapping, token=token, repeatable=True)

"""The client for programs that run no event loop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from swarm_core.model.event import Event
from swarm_core.model.operator import SessionRequest
from swarm_core.model.problem import Problem
from swarm_core.model.run import Question, RunFilter, RunResult, StoredRun
from swarm_core.model.task import RunStatus
from swarm_core.model.worker import WorkerLife
from swarm_plugin_client import asks
from swarm_plugin_client.answers import Launch, RunPage, Step, TaskAnswer
from swarm_plugin_client.following import PATIENCE, follow_in_order
from swarm_plugin_client.orders import Order, Source
from swarm_plugin_client.recorded import recorded_in_order
from swarm_plugin_client.sending import Reach, Sender
from swarm_plugin_client.submitted import as_content


class Client:
    """A swarm server; use it as `with Client(url) as client`. Seats of operators need `AsyncClient`.

    The token is `token`, else what SWARM_SERVER_TOKEN says, else what is in `token_file` (SWARM_SERVER_TOKEN_FILE),
    else, for a server of this machine, in `.swarm/server.token`. `timeout` is how many seconds an answer may take.
    Calls that may be repeated are repeated up to `retries` times when the connection fails or the server asks to come
    later; others never are. `proxy` is a URL, None what the environment says. Everything raises ClientError.
    """

    def __init__(
        self,
        base_url: str,
        token: str | None = None,
        *,
        token_file: str | Path | None = None,
        timeout: float = 60.0,
        retries: int = 3,
        proxy: str | None = None,
        verify: Any = True,
    ) -> None:
        reach = Reach.to(
            base_url, token, token_file=token_file, timeout=timeout, retries=retries, proxy=proxy, verify=verify
        )
        self._sender = Sender(reach)
        self.tasks, self.runs = Tasks(self._sender), Runs(self._sender)
        self.questions, self.blueprints = Questions(self._sender), Blueprints(self._sender)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._sender.http.close()

    @property
    def url(self) -> str:
        """Return the server's address."""
        return self._sender.reach.url

    def worker(self, handle: str) -> Worker:
        """Return what a worker may ask of the server with its handle, or with its token."""
        return Worker(self._sender, handle)

    def check(
        self, blueprint: Source, *, bind: Mapping[str, str] | None = None, layer_set: str | None = None
    ) -> Sequence[Problem]:
        """Return everything that is wrong with a Blueprint in the server's eyes, and what is doubtful."""
        return self._sender.send(asks.check(blueprint, bind or {}, layer_set))

    def explain(
        self, blueprint: Source, *, bind: Mapping[str, str] | None = None, layer_set: str | None = None
    ) -> Mapping[str, Any]:
        """Return what a Blueprint resolves to at the server."""
        return self._sender.send(asks.explain(blueprint, bind or {}, layer_set))

    def call(
        self,
        method: str,
        route: str,
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        held: bool = False,
    ) -> Any:
        """Call a route that a plugin of the server offers, and return its JSON.

        `route` is written as there, such as `/v1/issues/{issue_id}`, with the parts of `path`. The answer of what is
        `held` may take as long as it takes.
        """
        asked = asks.route(method, route, path=path or {}, query=query or {}, body=body, held=held)
        return self._sender.send(asked)

    def health(self) -> Any:
        """Return what the server says of itself when it is up."""
        return self._sender.send(asks.health())

    def ready(self) -> Any:
        """Return what the server says when it takes work; raises ServerRefused when it does not."""
        return self._sender.send(asks.ready())

    def plugins(self) -> Any:
        """Return the server's plugins, as `swarm plugins --json` tells them."""
        return self._sender.send(asks.plugins())

    def metrics(self) -> str:
        """Return the server's metrics in the text format of Prometheus."""
        return self._sender.send(asks.metrics())

    def doctor(self) -> Mapping[str, Any]:
        """Return how the server and its store are."""
        return self._sender.send(asks.doctor())


class _Part:
    """Some of a server's calls."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender


class Tasks(_Part):
    """Running Blueprints."""

    def run(
        self,
        blueprint: Source,
        *,
        init_ctx: Any = None,
        bind: Mapping[str, str] | None = None,
        layer_set: str | None = None,
        budget: Mapping[str, Any] | None = None,
        request: SessionRequest | None = None,
        operator_sid: str | None = None,
        ttl_secs: int | None = None,
        key: str | None = None,
    ) -> TaskAnswer:
        """Run a Blueprint and wait for its end; raises ServerRefused when the flow fails.

        `blueprint` is the document, or `bp:NAME[@SELECTOR]` for one that the server keeps. `key` makes it idempotent.
        When the connection breaks the run goes on.
        """
        order = Order(
            source=blueprint,
            init_ctx=init_ctx,
            bind=bind or {},
            layer_set=layer_set,
            budget=budget,
            request=request,
            operator_sid=operator_sid,
            ttl_secs=ttl_secs,
            key=key,
        )
        return self._sender.send(asks.run_task(order))

    def launch(
        self,
        blueprint: Source,
        *,
        init_ctx: Any = None,
        bind: Mapping[str, str] | None = None,
        layer_set: str | None = None,
        budget: Mapping[str, Any] | None = None,
        request: SessionRequest | None = None,
        operator_sid: str | None = None,
        operator_id: str | None = None,
        ttl_secs: int | None = None,
        key: str | None = None,
    ) -> Launch:
        """Begin a run and return as soon as it is kept; under the same `key` it is begun once."""
        order = Order(
            source=blueprint,
            init_ctx=init_ctx,
            bind=bind or {},
            layer_set=layer_set,
            budget=budget,
            request=request,
            operator_sid=operator_sid,
            operator_id=operator_id,
            ttl_secs=ttl_secs,
            key=key,
        )
        return self._sender.send(asks.launch(order))


class Runs(_Part):
    """The runs of the server."""

    def list(
        self,
        *,
        statuses: Iterable[RunStatus] = (),
        blueprint_id: str | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> RunPage:
        """Return some runs, the newest first; `before` is the `next` of the page before."""
        wanted = RunFilter(statuses=tuple(statuses), blueprint_id=blueprint_id, before=before, limit=limit)
        return self._sender.send(asks.runs(wanted))

    def get(self, run_id: str) -> StoredRun:
        """Return a run's record."""
        return self._sender.send(asks.run(run_id))

    def steps(self, run_id: str) -> Sequence[Step]:
        """Return a run's tasks in the order in which they were begun."""
        return self._sender.send(asks.steps(run_id))

    def result(self, run_id: str) -> RunResult:
        """Return how a run ended, or where it stands."""
        return self._sender.send(asks.result(run_id))

    def events(self, run_id: str, *, after: int = 0, patience: float = PATIENCE) -> Iterator[Event]:
        """Yield the events that come after number `after`, as they come, until no more will.

        When the connection breaks it goes on where it was; `patience` is how many seconds the server may be away.
        """
        return follow_in_order(self._sender, run_id, after, patience=patience)

    def recorded(self, run_id: str, *, after: int = 0, limit: int | None = None) -> Sequence[Event]:
        """Return the events that are there now, after number `after`, the first `limit` of them."""
        return recorded_in_order(self._sender, run_id, after, limit)

    def cancel(self, run_id: str, *, wait: float | None = None) -> StoredRun:
        """Cancel a run and everything that it has started, and wait up to `wait` seconds until it has ended."""
        return self._sender.send(asks.cancel(run_id, wait))

    def resume(self, run_id: str) -> Launch:
        """Go on with a run where it was stopped."""
        return self._sender.send(asks.resume(run_id))

    def rerun(self, run_id: str, start: Iterable[str] = ()) -> Launch:
        """Begin a new run that shares the steps of a recorded one that do not depend on those at `start`."""
        return self._sender.send(asks.rerun(run_id, start))

    def migrate(self, run_id: str, blueprint: Source, *, confirm: bool = False) -> Mapping[str, Any]:
        """Return which steps stay valid with another Blueprint; with `confirm` the run is bound to it."""
        return self._sender.send(asks.migrate(run_id, blueprint, confirm=confirm))


class Questions(_Part):
    """What runs wait to be told."""

    def list(self, run_id: str | None = None, *, open_only: bool = True) -> Sequence[Question]:
        """Return the questions of a run or of all, in the order in which they were asked."""
        return self._sender.send(asks.questions(run_id, open_only=open_only))

    def get(self, key: str) -> Question:
        """Return one question."""
        return self._sender.send(asks.question(key))

    def answer(self, key: str, answer: Any, *, by: str | None = None) -> Question:
        """Answer a question; the first answer counts."""
        return self._sender.send(asks.answer(key, answer, by))


class Blueprints(_Part):
    """The Blueprints that the server keeps."""

    def list(self, *, archived: bool = False) -> Sequence[Any]:
        """Return those in use, or those that are archived, as `swarm bp list --json` tells them."""
        return self._sender.send(asks.blueprints(archived=archived))

    def add(
        self, blueprint_id: str, document: Mapping[str, Any], *, message: str = "", by: str | None = None
    ) -> Mapping[str, Any]:
        """Keep a Blueprint, as a new version when its text is not that of the head.

        `message` says why it is there, `by` who made it: whoever the server takes this client for, unless it is said.
        """
        return self._sender.send(asks.add_blueprint(blueprint_id, document, message=message, by=by))

    def head(self, blueprint_id: str) -> Mapping[str, Any]:
        """Return the newest version, with the Blueprint."""
        return self._sender.send(asks.blueprint_head(blueprint_id))

    def version(self, blueprint_id: str, version: str) -> Mapping[str, Any]:
        """Return one version, with the Blueprint."""
        return self._sender.send(asks.blueprint_version(blueprint_id, version))

    def history(self, blueprint_id: str, *, limit: int | None = None) -> Sequence[Mapping[str, Any]]:
        """Return the versions, the newest first."""
        return self._sender.send(asks.blueprint_history(blueprint_id, limit))

    def archive(self, blueprint_id: str) -> None:
        """Take a Blueprint out of use; its versions stay."""
        self._sender.send(asks.archive_blueprint(blueprint_id))

    def unarchive(self, blueprint_id: str) -> None:
        """Take a Blueprint into use again."""
        self._sender.send(asks.unarchive_blueprint(blueprint_id))


class Worker:
    """What a worker may ask of the server: for its own task only, while its attempt lives."""

    def __init__(self, sender: Sender, handle: str) -> None:
        self._sender, self._handle = sender, handle

    def prompt(self, task_id: str | None = None) -> Mapping[str, Any]:
        """Return the work: task_id, attempt, agent, system, prompt."""
        return self._sender.send(asks.worker_prompt(self._handle, task_id))

    def submit(self, value: str | bytes | Any, *, ok: bool = True, part: str | None = None) -> None:
        """Give the result: text as it is, anything else as JSON; `part` names one part of several."""
        content, media_type = as_content(value)
        self._sender.send(asks.worker_submit(self._handle, content, media_type, ok=ok, part=part))

    def result(self, task_id: str, value: Any, *, ok: bool = True, attempt: int | None = None) -> None:
        """Give the result as a JSON value."""
        given = {"task_id": task_id, "value": value, "ok": ok} | ({} if attempt is None else {"attempt": attempt})
        self._sender.send(asks.worker_result(self._handle, given))

    def heartbeat(self) -> WorkerLife:
        """Say that the worker lives, and return how its attempt stands."""
        return self._sender.send(asks.worker_heartbeat(self._handle))

    def emit(self, event: Mapping[str, Any], **about: Any) -> Mapping[str, Any]:
        """Say something before the end: progress, a partial result, an artifact."""
        return self._sender.send(asks.emit(self._handle, {"event": dict(event), **about}))

    def data(self, key: str) -> Mapping[str, Any]:
        """Return what was said under an id, or last by a producer of the own run."""
        return self._sender.send(asks.read_data(key, self._handle))

"""What a server answers, as values: the core's own where it has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from attrs import field, fields, frozen

from swarm_core.codec import structure
from swarm_core.errors import DocumentError
from swarm_core.model.event import Event
from swarm_core.model.run import Question, RunResult, StoredRun
from swarm_core.model.shown import shown
from swarm_core.model.task import RunStatus, TaskStatus
from swarm_plugin_client.errors import BadAnswer

T = TypeVar("T")

Read = Callable[[Any], T]

_COMMON = ("kind", "run_id", "seq", "time", "task_id", "attempt")  # of an event, beside the facts of its kind


@frozen(kw_only=True)
class Launch:
    """A run that a server carries out, and where it stood when the server answered.

    `known` tells that it was launched under the same idempotency key before.
    """

    run_id: str
    status: RunStatus
    known: bool = False


@frozen(kw_only=True)
class TaskAnswer:
    """What came of a task that was waited for.

    `effective_ttl_secs` and `ttl_source` say how long its session could live and who said so.
    """

    __repr__ = shown

    final_ctx: Any
    run_id: str | None = None
    bound_version: str | None = None
    effective_ttl_secs: float | None = None
    ttl_source: str | None = None


@frozen(kw_only=True)
class RunPage:
    """Some of a server's runs, the newest first; `next` goes on after them as `before`, None at the end."""

    __repr__ = shown

    runs: tuple[StoredRun, ...]
    next: str | None = None


@frozen(kw_only=True)
class EventPage:
    """Some of a run's events; `next` goes on after them as `after`, None at the end."""

    __repr__ = shown

    events: tuple[Event, ...]
    next: int | None = None


@frozen(kw_only=True)
class Step:
    """One task of a run.

    `attempts` counts those that were begun. `ended_at` is None while the task has not ended; times are Unix seconds.
    `question` is the key that the task waits on.
    """

    __repr__ = shown

    task_id: str
    address: str
    agent: str
    depth: int
    status: TaskStatus
    attempts: int
    began_at: float
    ended_at: float | None = None
    seconds: float | None = None
    result: Any = None
    error: str | None = None
    question: str | None = None
    parent: str | None = None
    children: tuple[str, ...] = ()
    spent: Mapping[str, float] = field(factory=dict)


def model(cls: type[T]) -> Read[T]:
    """Return what reads an instance of a class; fields that are not known here are left out: a server may be newer."""

    def read(value: Any) -> T:
        known = {attribute.name for attribute in fields(cls)}  # type: ignore[arg-type]
        facts = {name: item for name, item in mapping(value).items() if name in known}
        try:
            return structure(facts, cls)
        except DocumentError as error:
            raise BadAnswer(f"this is no {cls.__name__}: {error.message}", hint=_OTHER) from None

    return read


_OTHER = "is it a swarm server, and of this version?"

read_run: Read[StoredRun] = model(StoredRun)
read_result: Read[RunResult] = model(RunResult)
read_question: Read[Question] = model(Question)
read_task: Read[TaskAnswer] = model(TaskAnswer)


def read_launch(value: Any) -> Launch:
    """Return the run that was launched, resumed or begun anew."""
    facts = mapping(value)
    run_id, status = facts.get("run_id", facts.get("id")), facts.get("status", "running")
    if not isinstance(run_id, str) or status not in set(RunStatus):
        raise BadAnswer("the server does not say which run it carries out", hint=_OTHER)
    return Launch(run_id=run_id, status=RunStatus(status), known=facts.get("known") is True)


def read_version(value: Any) -> str:
    """Return the version that a Blueprint is told with."""
    return text(mapping(value).get("version"))


def read_runs(value: Any) -> RunPage:
    """Return a page of runs."""
    following = mapping(value).get("next")
    return RunPage(runs=items(read_run, "runs")(value), next=following if isinstance(following, str) else None)


def read_events(value: Any) -> EventPage:
    """Return a page of events."""
    following = mapping(value).get("next")
    return EventPage(events=items(read_event, "events")(value), next=following if isinstance(following, int) else None)


def read_event(value: Any) -> Event:
    """Return an event from its wire form, in which the facts of its kind stand beside the common ones."""
    facts = mapping(value)
    kind, seq, time = facts.get("kind"), facts.get("seq"), facts.get("time")
    if not isinstance(kind, str) or not isinstance(seq, int) or not isinstance(time, int | float):
        raise BadAnswer("this is no event: it has no kind, seq and time", hint=_OTHER)
    return Event(
        kind=kind,
        run_id=facts.get("run_id"),
        seq=seq,
        time=time,
        task_id=facts.get("task_id"),
        attempt=facts.get("attempt"),
        data={name: item for name, item in facts.items() if name not in _COMMON},
    )


def items(read: Read[T], name: str) -> Read[tuple[T, ...]]:
    """Return what reads all that stands in an array under a name."""

    def read_all(value: Any) -> tuple[T, ...]:
        found = mapping(value).get(name)
        if not isinstance(found, list):
            raise BadAnswer(f"the answer has no array {name!r}", hint=_OTHER)
        return tuple(read(one) for one in found)

    return read_all


def mapping(value: Any) -> Mapping[str, Any]:
    """Return an object; raises BadAnswer for anything else."""
    if not isinstance(value, Mapping):
        raise BadAnswer(f"an object was expected, not {type(value).__name__}", hint=_OTHER)
    return value


def text(value: Any) -> str:
    """Return a text; raises BadAnswer for anything else."""
    if not isinstance(value, str):
        raise BadAnswer(f"a text was expected, not {type(value).__name__}", hint=_OTHER)
    return value


def as_it_is(value: Any) -> Any:
    """Return any JSON value."""
    return value


def nothing(value: Any) -> None:
    """Return nothing, whatever the server says."""

"""An attempt without an engine: a context that writes down what it is asked, and the Call around it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from swarm_core.contracts import AttemptContext
from swarm_core.engine.events import check_own_kind
from swarm_core.engine.gate import Authority, RoleVerbGate
from swarm_core.errors import PollTimeout, ResourceNotFound, TokenRevoked
from swarm_core.model.access import Role
from swarm_core.model.call import Call, Result
from swarm_core.model.output import Final, Inline, OutputEvent, content_value
from swarm_core.tokens import CapTokenSigner, encode_token

_EPOCH = 1_800_000_000.0


class RecordingContext(AttemptContext):
    """Writes down what one attempt asks of the engine, and answers from a script.

    `outputs` are the events in order, `published` pairs of kind and facts, `children` pairs of agent and input,
    `questions` what was asked. `child(agent, input)` gives a child's result, by default its input. `answers` are given
    to questions one after the other; without one, a question with a timeout runs into it and one without is a
    LookupError.
    """

    def __init__(
        self,
        *,
        child: Callable[[str, Any], Result] | None = None,
        answers: Iterable[Any] = (),
        resources: Mapping[str, Any] | None = None,
        deadline: float | None = None,
    ) -> None:
        self.latest: Result | None = None
        self.outputs: list[OutputEvent] = []
        self.published: list[tuple[str, dict[str, Any]]] = []
        self.children: list[tuple[str, Any]] = []
        self.questions: list[Any] = []
        self.resources = dict(resources or {})
        self.ended = False
        self._child, self._answers, self._deadline = child, deque(answers), deadline
        self._authority = Authority(CapTokenSigner.generate(), RoleVerbGate.default(), clock=lambda: _EPOCH)
        self._token: str | None = None

    def end(self) -> None:
        """End the attempt: from now on every method raises TokenRevoked, as an engine's context does."""
        self.ended = True

    @property
    def kinds(self) -> list[str]:
        """The kinds of the published events, in order."""
        return [kind for kind, _ in self.published]

    def emit(self, event: OutputEvent) -> None:
        """Write the output down; a Final becomes the latest result."""
        self._alive()
        self.outputs.append(event)
        if isinstance(event, Final):
            self.latest = Result(content_value(event.content), event.ok)

    def record_final(self, result: Result, *, by: str | None = None) -> None:
        """Write a result down as a Final."""
        self._alive()
        self.outputs.append(Final(Inline(result.value), result.ok, by))
        self.latest = result

    def publish(self, kind: str, **facts: Any) -> None:
        """Write the event down, under the rules that an engine has for kinds."""
        self._alive()
        check_own_kind(kind)
        self.published.append((kind, facts))

    async def start_child(self, agent: str, input: Any) -> Result:
        """Write the child down and return what the script says."""
        self._alive()
        self.children.append((agent, input))
        return Result(input) if self._child is None else self._child(agent, input)

    async def ask(self, question: Any, *, timeout: float | None = None) -> Any:
        """Write the question down and return the next answer of the script."""
        self._alive()
        self.questions.append(question)
        if self._answers:
            return self._answers.popleft()
        if timeout is not None:
            raise PollTimeout
        raise LookupError(f"nobody answers {question!r}; give RecordingContext(answers=[...])")

    def fetch_data(self, key: str) -> Any:
        """Return one of the resources that the context was made with."""
        self._alive()
        if key not in self.resources:
            raise ResourceNotFound(key)
        return self.resources[key]

    @property
    def deadline(self) -> float | None:
        """The deadline that the context was made with."""
        return self._deadline

    def token(self) -> str:
        """Return a well-formed token of a worker; no engine knows it."""
        self._alive()
        if self._token is None:
            self._token = encode_token(self._authority.mint("worker-of-T-test", Role.WORKER, ttl=1800))
        return self._token

    def handle(self) -> str:
        """Return a well-formed handle for the token."""
        return self._authority.handle_for(self.token())

    def _alive(self) -> None:
        if self.ended:
            raise TokenRevoked


def make_call(**overrides: Any) -> Call:
    """Return a Call for tests, with a RecordingContext of its own unless `context` is given; any field can be set."""
    facts: dict[str, Any] = {
        "run_id": "RUN-test",
        "task_id": "T-test",
        "attempt": 1,
        "agent": "tester",
        "input": {"topic": "tea", "n": 3},
        "address": "$",
    }
    return Call(**{**facts, "context": overrides.get("context") or RecordingContext(), **overrides})

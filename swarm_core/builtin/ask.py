"""The `ask` kind: agents that are people. Each attempt is a question, and the answer is its result."""

from __future__ import annotations

from typing import Any, ClassVar

from attrs import Attribute, Factory, field, frozen

from swarm_core.contracts import NO_DEFAULT, Spawner
from swarm_core.errors import PollTimeout, WorkerFailed
from swarm_core.factories import Environment, SpawnerFactory
from swarm_core.model.blueprint import AgentDef, AgentHint
from swarm_core.model.call import Call, Result
from swarm_core.model.duration import parse_duration

_LONGEST_NAME = 200
_MOST_NAMES = 100


def _check_question(_: AskSpec, __: Attribute[Any], question: str | None) -> None:
    if question is not None and not question.strip():
        raise ValueError("a question is a text that is not empty; leave it out to ask with the step's input")


def _check_schema(_: AskSpec, __: Attribute[Any], schema: Any) -> None:
    if schema is not None:
        from swarm_core.codec.json_schema import check_json_schema

        check_json_schema(schema)


def _check_who(_: AskSpec, __: Attribute[Any], who: tuple[str, ...]) -> None:
    if len(who) > _MOST_NAMES:
        raise ValueError(f"at most {_MOST_NAMES} people are named")
    for name in who:
        if not 0 < len(name) <= _LONGEST_NAME or name.strip() != name or not name.isprintable():
            raise ValueError(
                f"{name[:80]!r} is no name: 1 to {_LONGEST_NAME} printable characters, no blanks around them"
            )


def _check_expires(_: AskSpec, __: Attribute[Any], expires: str | float | None) -> None:
    if expires is not None:
        parse_duration(expires)


@frozen(kw_only=True)
class AskSpec:
    """What is asked, who may answer, and what fits.

    Without `question` the step's input is the question. `schema` is the JSON Schema of the answer, `who` the names that
    may answer (empty: anyone). After `expires`, a duration, the answer is `default`; without one the step fails.
    """

    question: str | None = field(default=None, validator=_check_question)
    schema: Any = field(default=None, validator=_check_schema)
    who: tuple[str, ...] = field(default=(), validator=_check_who)
    expires: str | float | None = field(default=None, validator=_check_expires)
    # A factory that takes the instance, so that the JSON Schema of this class does not try to write the default down.
    default: Any = field(default=Factory(lambda self: NO_DEFAULT, takes_self=True))


class AskSpawner(Spawner):
    """Asks one question per attempt and returns the answer.

    Nothing is done before the question, so an attempt may be let go of while it waits.
    """

    parks: ClassVar[bool] = True

    __slots__ = ("_agent", "_seconds", "_spec")

    def __init__(self, agent: str, spec: AskSpec) -> None:
        self._agent, self._spec = agent, spec
        self._seconds = None if spec.expires is None else parse_duration(spec.expires)

    async def run(self, call: Call) -> Result:
        """Ask and return the answer; raises WorkerFailed, when nobody answered in time and there is no default."""
        spec = self._spec
        try:
            answer = await call.context.ask(
                self._question(call), timeout=self._seconds, schema=spec.schema, who=spec.who, default=spec.default
            )
        except PollTimeout:
            raise self._expired() from None
        return Result(answer)

    def _question(self, call: Call) -> Any:
        text = self._spec.question
        if text is None:
            return call.input
        return text if call.input is None else {"text": text, "input": call.input}

    def _expired(self) -> WorkerFailed:
        who, expires = ", ".join(self._spec.who) or "anyone", self._spec.expires
        time = expires if isinstance(expires, str) else f"{expires:g} s"
        return WorkerFailed(
            f"agent {self._agent!r}: its question to {who} was not answered within {time}",
            kind="not_answered",
            hint="give the agent's spec a `default`, or more time in `expires`",
        )


def build_ask(agent: AgentDef, spec: AskSpec, hint: AgentHint, environment: Environment) -> Spawner:
    """Build the spawner of an agent; raises ValueError, when its default can never be given or is no answer."""
    if spec.default is not NO_DEFAULT:
        if spec.expires is None:
            raise ValueError("'default' is the answer after 'expires', and there is no 'expires'")
        if spec.schema is not None:
            from swarm_core.codec.json_schema import misfit

            reason = misfit(spec.schema, spec.default)
            if reason is not None:
                raise ValueError(f"'default' is no answer: {reason}")
    return AskSpawner(agent.name, spec)


ASK_KIND = SpawnerFactory(kind="ask", build=build_ask, spec=AskSpec, summary="a question to people")

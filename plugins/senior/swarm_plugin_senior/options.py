"""What may be said of an escalation, and what does not go together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import Attribute, Factory, field, frozen

from swarm_core.contracts import NO_DEFAULT
from swarm_core.errors import did_you_mean
from swarm_core.model.duration import parse_duration

BRIDGE, ASK, FUNCTION, AGENT = "bridge", "ask", "function", "agent"
_NAMED = (BRIDGE, FUNCTION, AGENT)

_LONGEST_NAME = 200
_MOST_NAMES = 100


def split(senior: str) -> tuple[str, str | None]:
    """Return which sort of senior is meant and its name, None where it has none; raises ValueError."""
    sort, colon, name = senior.partition(":")
    if (sort in (BRIDGE, ASK) and not colon) or (sort in _NAMED and name.strip()):
        return sort, name if colon else None
    if sort in (FUNCTION, AGENT):
        raise ValueError(f"senior {senior!r} names no {sort}: write {sort}:NAME")
    words = (BRIDGE, ASK, "bridge:ID", "function:NAME", "agent:NAME")
    raise ValueError(f"there is no senior {senior!r}; {did_you_mean(senior, words, otherwise='seniors')}")


def _check_seniors(_: SeniorOptions, __: Attribute[Any], seniors: tuple[str, ...]) -> None:
    if not seniors:
        raise ValueError("'seniors' names nobody; leave it out to ask the session's bridge")
    for senior in seniors:
        split(senior)
    _refuse_twice("seniors", seniors)


def _check_names(_: SeniorOptions, attribute: Attribute[Any], names: tuple[str, ...]) -> None:
    if len(names) > _MOST_NAMES:
        raise ValueError(f"{attribute.name!r} has more than {_MOST_NAMES} names")
    for name in names:
        if not 0 < len(name) <= _LONGEST_NAME or name.strip() != name or not name.isprintable():
            raise ValueError(
                f"{name[:80]!r} is no name: 1 to {_LONGEST_NAME} printable characters, no blanks around them"
            )
    _refuse_twice(attribute.name, names)


def _refuse_twice(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{what!r} names {name!r} twice")
        seen.add(name)


def _check_schema(_: SeniorOptions, __: Attribute[Any], schema: Any) -> None:
    if schema is not None:
        from swarm_core.codec.json_schema import check_json_schema

        check_json_schema(schema)


def _check_timeout(_: SeniorOptions, __: Attribute[Any], timeout: str | float | None) -> None:
    if timeout is not None:
        parse_duration(timeout)


def _check_rounds(_: SeniorOptions, __: Attribute[Any], rounds: int | None) -> None:
    if rounds is not None and not 1 <= rounds <= 10**6:
        raise ValueError(f"'max_rounds' is a number from 1 to a million, not {rounds}")


@frozen(kw_only=True)
class SeniorOptions:
    """Who is asked, in this order, when a worker reports `ok=false`; the first answer counts.

    `seniors` are `bridge` (the session's own), `bridge:ID`, `function:NAME`, `agent:NAME` and `ask` (a question to
    people). `agents` are those whose work is escalated (empty: all), `errors` says that attempts that raise are
    escalated too. After `timeout`, a duration, each senior has passed; when all have, the answer is `default` if there
    is one. `schema` is the JSON Schema of the answer, `who` the names that may answer what is asked of people (empty:
    anyone). One task is escalated `max_rounds` times at most, its retries included.
    """

    seniors: tuple[str, ...] = field(default=(BRIDGE,), validator=_check_seniors)
    agents: tuple[str, ...] = field(default=(), validator=_check_names)
    errors: bool = False
    who: tuple[str, ...] = field(default=(), validator=_check_names)
    schema: Any = field(default=None, validator=_check_schema)
    timeout: str | float | None = field(default=None, validator=_check_timeout)
    # A factory that takes the instance, so that the JSON Schema of this class does not try to write the default down.
    default: Any = field(default=Factory(lambda self: NO_DEFAULT, takes_self=True))
    max_rounds: int | None = field(default=None, validator=_check_rounds)

    @property
    def seconds(self) -> float | None:
        """How long each senior has, None for any time."""
        return None if self.timeout is None else parse_duration(self.timeout)


def check_together(options: SeniorOptions) -> None:
    """Raise ValueError for options each of which is fine and that cannot mean anything together."""
    asks = ASK in options.seniors
    if options.who and not asks:
        raise ValueError("'who' says which people may answer, and 'seniors' has no 'ask'")
    if asks and options.timeout is None:
        if options.seniors[-1] != ASK:
            last = options.seniors[options.seniors.index(ASK) + 1]
            raise ValueError(f"{last!r} stands behind 'ask', which never passes without a 'timeout'")
        if options.default is not NO_DEFAULT:
            raise ValueError("'default' is the answer after 'timeout', and there is no 'timeout'")
    if options.default is not NO_DEFAULT and options.schema is not None:
        from swarm_core.codec.json_schema import misfit

        reason = misfit(options.schema, options.default)
        if reason is not None:
            raise ValueError(f"'default' is no answer: {reason}")

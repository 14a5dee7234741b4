"""Whether a value fits a JSON Schema, whoever wrote the two: all drafts from 4 to 2020-12, `format` included.

Everything is bounded before it is begun. Nothing is ever fetched: a schema refers to its own parts only. Patterns run
on an automaton (no look-around, no back-references), so that none takes exponential time.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from attrs import frozen

from swarm_core.codec.places import place_of
from swarm_core.codec.places import shown as shown_place
from swarm_core.codec.schema_references import reference_problem
from swarm_core.codec.schema_work import Size, size_of, ways_in
from swarm_core.model.value import NotJson, json_copy

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

LARGEST_SCHEMA = 64 * 1024
LONGEST_TEXT = 500

_MOST_SHOWN = 3
_LONGEST_PART = 200
# Measured: one part of a schema on one value takes 16 ns, 64 characters of text 40 ns; telling a misfit takes 14 us.
# Parts that refer to themselves are looked at once for each value, others on each way in.
_MOST_WAYS = 100_000
_MOST_WORK = 20_000_000
_MOST_VALUES = 1_000_000
_MOST_TOLD = 50_000
# Measured: between 20,000 and 57,000 schemas inside one another overflow the stack, and the process is gone.
_MOST_NESTED = 10_000
# What the patterns of a schema may weigh, and how much text they are then matched with. Measured: the worst of 512 KiB
# takes 36 us for a character; time grows with both.
_PATTERNS = ((64 * 1024, 128 * 1024), (512 * 1024, 16 * 1024))


@frozen(kw_only=True, eq=False, repr=False)
class _Compiled:
    schema: Any
    size: Size
    ways: int
    validator: Validator
    longest_matched: int


def check_json_schema(schema: Any) -> None:
    """Make sure that something is a JSON Schema that can be used here.

    Raises: ValueError, with the place (`$` is the schema itself) and the reason.
    """
    _ready(schema)


def misfit(schema: Any, value: Any) -> str | None:
    """Return how a JSON value does not fit a schema, the first few misfits in one line, or None when it fits.

    `$` is the value: `$.amount is not of type "integer"`. A value that is too large to be checked in bounded time does
    not fit. A schema is compiled when it is first used. Raises: ValueError, as `check_json_schema` does.
    """
    compiled, size = _ready(schema), size_of(value, most=_MOST_VALUES)
    too_much = _too_much(compiled, size)
    if too_much is not None:
        return too_much
    if compiled.validator.is_valid(value):
        return None
    if ways_in(compiled.schema, size.depth, most=_MOST_TOLD) * size.values >= _MOST_TOLD:
        return "$ does not fit the schema; it is too large to say where"
    return _cut(_told(list(compiled.validator.iter_errors(value))), LONGEST_TEXT)


def _ready(schema: Any) -> _Compiled:
    text = _text_of(schema)
    from jsonschema_rs import ValidationError

    try:
        return _compiled(text)
    except ValidationError as error:
        raise ValueError(_cut(_refusal(error), LONGEST_TEXT)) from None


def _text_of(schema: Any) -> str:
    if not isinstance(schema, dict | bool):
        raise ValueError("$: a JSON Schema is an object, or true or false")
    try:
        copy = json_copy(schema)
    except NotJson as error:
        raise ValueError(f"$: {error}") from None
    too_large = ValueError(f"$: a JSON Schema has at most {LARGEST_SCHEMA // 1024} KiB")
    size = size_of(copy, most=LARGEST_SCHEMA)
    if size.values + size.characters > LARGEST_SCHEMA:
        raise too_large
    text = json.dumps(copy, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode()) > LARGEST_SCHEMA:
        raise too_large
    return text


@lru_cache(maxsize=64)
def _compiled(text: str) -> _Compiled:
    from jsonschema_rs import ValidationError

    schema = json.loads(text)
    if (problem := reference_problem(schema)) is not None:
        raise ValueError(problem)
    size, ways = size_of(schema, most=LARGEST_SCHEMA), ways_in(schema, None, most=_MOST_WAYS)
    if ways >= _MOST_WAYS:
        raise ValueError(f"$: references lead to its parts in more than {_MOST_WAYS:,} ways")
    for weight, longest in _PATTERNS:
        try:
            validator = _validator(schema, weight // max(1, size.patterns))
        except ValidationError:
            if not size.patterns or (weight, longest) == _PATTERNS[-1]:
                raise
        else:
            break
    return _Compiled(schema=schema, size=size, ways=ways, validator=validator, longest_matched=longest)


def _validator(schema: Any, weight: int) -> Validator:
    from jsonschema_rs import RegexOptions, validator_for

    patterns = RegexOptions(size_limit=weight, dfa_size_limit=weight)
    return validator_for(schema, validate_formats=True, offline=True, mask="this", pattern_options=patterns)


def _too_much(compiled: _Compiled, size: Size) -> str | None:
    limits, longest = compiled.size, compiled.longest_matched
    work = max(limits.values, compiled.ways) * (size.values + size.characters // 64)
    if size.values > _MOST_VALUES or work > _MOST_WORK:
        return "$ is too large to be checked against its schema"
    if limits.patterns and size.characters > longest:
        return f"$ has more than {longest // 1024} KiB of text, too much for the patterns of its schema"
    if limits.references and min(limits.values, limits.depth * (limits.references + 1)) * size.depth > _MOST_NESTED:
        return "$ is nested too deeply to be checked against its schema"
    return None


# wording -----------------------------------------------------------------------------------------------------


def _told(errors: Sequence[ValidationError]) -> str:
    shown = [_cut(_sentence(error), _LONGEST_PART) for error in errors[:_MOST_SHOWN]]
    more = len(errors) - len(shown)
    return "; ".join([*shown, *([f"and {more} more"] if more else [])])


def _sentence(error: ValidationError, *, outermost: bool = True) -> str:
    """Return what is wrong, with its place; the library says `this` for a value that does not fit."""
    place = shown_place(place_of(tuple(error.instance_path)))
    branches = [branch[0] for branch in getattr(error.kind, "context", []) if branch]
    if branches:
        why = f" ({_alternatives(place, branches)})" if outermost else ""
        return f"{place} fits none of the alternatives{why}"
    if error.kind.name == "falseSchema":
        return f"{place} is not allowed"
    if error.kind.name == "contains":
        return f"{place} does not contain what it must"
    message = error.message
    return f"{place} {message[5:]}" if message.startswith("this ") else f"{place}: {message}"


def _alternatives(place: str, firsts: Sequence[ValidationError]) -> str:
    told = [_sentence(error, outermost=False).removeprefix(f"{place} ") for error in firsts[:_MOST_SHOWN]]
    more = ["..."] if len(firsts) > _MOST_SHOWN else []
    return ", ".join([*(_cut(text, _LONGEST_PART // _MOST_SHOWN) for text in told), *more])


def _refusal(error: ValidationError) -> str:
    """Return why a schema is refused; `error` speaks of it as a value of its meta-schema."""
    if "meta-schema" in error.message:
        return '$["$schema"] names no draft of JSON Schema that is known here; leave it out for 2020-12'
    sentence = _sentence(error)
    if error.kind.name == "format" and sentence.endswith('is not a "regex"'):
        return (
            f"{sentence} that can be checked in bounded time; look-around and back-references are not known, "
            "and for long repetitions there is maxLength"
        )
    return sentence


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."

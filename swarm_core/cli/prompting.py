"""How a person at a terminal is asked: the question, then a value that its schema describes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import click

from swarm_core.cli import outcome, wording
from swarm_core.cli.given import readings
from swarm_core.cli.questions import text_of
from swarm_core.errors import DocumentError
from swarm_core.model.run import Question

_MOST_LINES = 200
_WORDS = {"y": True, "yes": True, "true": True, "n": False, "no": False, "false": False}
_LEFT_OUT = object()


def show(question: Question, now: float) -> None:
    """Show a question and what goes with it, on stderr."""
    outcome.say(f"{question.run_id}, agent {outcome.one_line(question.agent)}, asks:")
    text = text_of(question)
    _show_value(text)
    if text is not question.question:
        _show_value(question.question.get("input"))
    outcome.say()
    if question.who:
        outcome.say(f"For {outcome.one_line(', '.join(question.who))}.")
    if question.expires_at is not None:
        then = f"it is {wording.shortened(question.default)}" if question.has_default else "the step fails"
        outcome.say(f"Without an answer within {wording.duration(question.expires_at - now)} {then}.")


def _show_value(value: Any) -> None:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    lines = text.splitlines()
    outcome.say()
    for line in lines[:_MOST_LINES]:
        outcome.say(f"  {line}")
    if len(lines) > _MOST_LINES:
        outcome.say(f"  ... {len(lines) - _MOST_LINES} more lines; swarm questions --json has all of them")


def read(schema: Any, label: str = "Answer") -> Any:
    """Return what the person at the terminal gives: an object member by member, choices by name or number.

    Raises: click.Abort, at the end of the input and for Ctrl-C.
    """
    known = _mapping(schema)
    members = _mapping(known.get("properties"))
    if known.get("type") != "object" or not members:
        return _given(known, label)
    required = known.get("required")
    needed = required if isinstance(required, list) else []
    given = {name: _given(_mapping(member), name, needed=name in needed) for name, member in members.items()}
    return {name: value for name, value in given.items() if value is not _LEFT_OUT}


def _given(schema: Mapping[str, Any], label: str, *, needed: bool = True) -> Any:
    """Ask until what is typed can be read; return _LEFT_OUT for nothing where nothing is needed."""
    about = schema.get("description") or schema.get("title")
    shown = f"{label}, {about}" if isinstance(about, str) else label
    parse, hint = _parser(schema)
    may_be_empty = not needed or schema.get("type") == "string"
    while True:
        text = _prompt(f"{shown}{hint}{'' if needed else ', may be left empty'}", may_be_empty=may_be_empty)
        if not needed and not text:
            return _LEFT_OUT
        try:
            return parse(text)
        except ValueError as error:
            outcome.say(str(error))


def _parser(schema: Mapping[str, Any]) -> tuple[Callable[[str], Any], str]:
    """Return how a line is read for a schema, and what is said of that."""
    choices = schema.get("enum")
    if isinstance(choices, list) and choices:
        return partial(_choice, choices, _listed(choices)), ""
    kind = schema.get("type")
    if kind == "boolean":
        return _yes_or_no, " (y/n)"
    if kind == "string":
        return str, ""
    return (_anything, "") if kind is None else (_json, " (JSON)")


def _listed(choices: Sequence[Any]) -> Sequence[str]:
    texts = [choice if isinstance(choice, str) else json.dumps(choice, ensure_ascii=False) for choice in choices]
    for number, text in enumerate(texts, 1):
        outcome.say(f"  {number}) {outcome.one_line(text)}")
    return texts


def _choice(choices: Sequence[Any], texts: Sequence[str], text: str) -> Any:
    if text in texts:
        return choices[texts.index(text)]
    if text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= len(choices):
        return choices[int(text) - 1]
    raise ValueError(f"give one of the choices, or its number from 1 to {len(choices)}")


def _yes_or_no(text: str) -> bool:
    if text.lower() not in _WORDS:
        raise ValueError("give y or n")
    return _WORDS[text.lower()]


def _anything(text: str) -> Any:
    return _read(text, None)


def _json(text: str) -> Any:
    return _read(text, "json")


def _read(text: str, form: str | None) -> Any:
    try:
        return readings(text.encode("utf-8", "surrogateescape"), "this", form)[0]
    except DocumentError as error:
        raise ValueError(error.problems[0].message) from None


def _prompt(label: str, *, may_be_empty: bool) -> str:
    default = "" if may_be_empty else None
    text: str = click.prompt(outcome.one_line(label)[:200], default=default, show_default=False, err=True)
    return text.strip()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}

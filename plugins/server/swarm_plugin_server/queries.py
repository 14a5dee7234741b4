"""Query parameters and headers, checked against what an endpoint declares."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from swarm_core.endpoints import Endpoint, Parameter
from swarm_core.errors import did_you_mean
from swarm_plugin_server.access import refuse_tokens_in_query
from swarm_plugin_server.problems import Refused

_MOST_PARAMETERS = 100
_LONGEST_VALUE = 4_096
_WHOLE = re.compile(r"-?[0-9]{1,18}\Z", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?\Z", re.ASCII)
_SWITCHES = {"true": True, "false": False, "1": True, "0": False}


def query_of(endpoint: Endpoint, text: bytes) -> dict[str, Any]:
    """Return a query string as an endpoint declares it, with its defaults.

    Raises: Refused (400), `bad_query` for what is not declared or has another value, `token_in_query`.
    """
    try:
        pairs = parse_qsl(
            text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS
        )
    except (UnicodeDecodeError, ValueError):
        raise _bad(f"the query string cannot be read; it has at most {_MOST_PARAMETERS} parameters, in UTF-8") from None
    refuse_tokens_in_query([name for name, _ in pairs])
    return _read(endpoint.query, pairs, "query parameter", strict=True)


def headers_of(endpoint: Endpoint, headers: Sequence[tuple[bytes, bytes]]) -> dict[str, Any]:
    """Return the headers that an endpoint declares, by their declared names; raises Refused (400)."""
    if not endpoint.headers:
        return {}
    declared = {parameter.name.lower(): parameter.name for parameter in endpoint.headers}
    pairs = [
        (declared[name.decode("latin-1")], value.decode("latin-1").strip())
        for name, value in headers
        if name.decode("latin-1") in declared
    ]
    return _read(endpoint.headers, pairs, "header", strict=False)


def _read(
    parameters: Iterable[Parameter], pairs: Iterable[tuple[str, str]], what: str, *, strict: bool
) -> dict[str, Any]:
    declared = {parameter.name: parameter for parameter in parameters}
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        if name not in declared:
            if strict:
                hint = did_you_mean(name[:80], declared, otherwise="known here")
                raise _bad(f"there is no {what} {_shown(name)} here", hint)
            continue
        given.setdefault(name, []).append(value)
    return {name: _value(parameter, given.get(name, []), what) for name, parameter in declared.items()}


def _value(parameter: Parameter, texts: Sequence[str], what: str) -> Any:
    if not texts:
        if parameter.required:
            raise _bad(f"the {what} {parameter.name!r} is missing")
        return parameter.default if parameter.default is not None or not parameter.many else ()
    if parameter.many:
        return tuple(_one(parameter, text, what) for text in texts)
    if len(texts) > 1:
        raise _bad(f"the {what} {parameter.name!r} is given {len(texts)} times")
    return _one(parameter, texts[0], what)


def _one(parameter: Parameter, text: str, what: str) -> Any:
    place = f"the {what} {parameter.name!r}"
    if len(text) > _LONGEST_VALUE or not text.isprintable():
        raise _bad(f"{place} is longer than {_LONGEST_VALUE:,} characters, or has some that cannot be printed")
    if parameter.choices and text not in parameter.choices:
        raise _bad(
            f"{place} cannot be {_shown(text)}", did_you_mean(text[:80], parameter.choices, otherwise="it can be")
        )
    if parameter.type is bool:
        if text.lower() not in _SWITCHES:
            raise _bad(f"{place} is true or false, not {_shown(text)}")
        return _SWITCHES[text.lower()]
    if parameter.type in (int, float):
        return _number(parameter, text, place)
    return text


def _number(parameter: Parameter, text: str, place: str) -> float:
    whole = parameter.type is int
    if not (_WHOLE if whole else _NUMBER).match(text):
        raise _bad(f"{place} is a {'whole ' if whole else ''}number, not {_shown(text)}")
    number = int(text) if whole else float(text)
    if parameter.least is not None and number < parameter.least:
        raise _bad(f"{place} is at least {parameter.least}, not {_shown(text)}")
    if parameter.most is not None and number > parameter.most:
        raise _bad(f"{place} is at most {parameter.most}, not {_shown(text)}")
    return number


def _bad(message: str, hint: str | None = None) -> Refused:
    return Refused(400, "bad_query", message, hint=hint)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:80]}...")


def path_of(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the parts of a path by name.

    Raises: Refused (404), for one that no id can be: too long, or with characters that cannot be printed.
    """
    for value in params.values():
        if not value.isprintable() or len(value) > _LONGEST_ID:
            raise not_found()
    return dict(params)


def not_found() -> Refused:
    """Return the refusal of an address that nothing stands behind."""
    return Refused(404, "no_route", "there is nothing at this address", hint="what there is: GET /v1/openapi.json")


_LONGEST_ID = 512

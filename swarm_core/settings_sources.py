"""Where settings come from, and what each key of them must be."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from attrs import fields, frozen

from swarm_core.errors import SettingsError, did_you_mean
from swarm_core.model.blueprint import LINT_LEVELS, LayerUse
from swarm_core.model.problem import Problem
from swarm_core.settings import FILE_NAME, PluginSettings, SetUse, engine_fields

Key = tuple[str, ...]

_ENGINE = "SWARM_ENGINE_"
_DISABLE = "SWARM_DISABLE_PLUGINS"
_CONFIG = "SWARM_CONFIG"
_NAMED = {
    "SWARM_STORE": ("store", "url"),
    "SWARM_BLUEPRINTS": ("store", "blueprints"),
    "SWARM_ISSUES": ("store", "issues"),
    "SWARM_SERVER": ("client", "server"),
    "SWARM_SERVER_TOKEN_FILE": ("client", "token_file"),
}
_OURS = (_DISABLE, _CONFIG, "SWARM_SERVER_TOKEN", *_NAMED)
_TABLES = ("client", "engine", "layers", "lints", "plugin", "plugins", "store")
_LARGEST_FILE = 1024 * 1024
_LONGEST_MESSAGE = 200
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?\Z")


@frozen
class Source:
    """One place that settings come from: what errors and `origins` call it, and its tables."""

    origin: str
    tables: Mapping[str, Any]


@frozen
class Value:
    """A value that was checked, and the origin that gave it."""

    value: Any
    origin: str


# reading -----------------------------------------------------------------------------------------------------


def locate(named: str | Path | None, cwd: Path | None) -> Path | None:
    """Return the file that was named, or the nearest `swarm.toml` in `cwd` or above, or None."""
    if named is not None:
        return Path(named).expanduser()
    try:
        start = cwd or Path.cwd()
    except FileNotFoundError:
        return None
    return next((folder / FILE_NAME for folder in (start, *start.parents) if (folder / FILE_NAME).is_file()), None)


def read_all(
    path: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Any], problems: list[Problem]
) -> Iterator[Source]:
    """Yield the file, each variable and each override, the weakest first."""
    if path is not None:
        yield read_file(path)
    yield from read_environ(environ, problems)
    for key, value in overrides.items():
        yield Source("flag", _nest(key.split("."), _flag(key, value)))


def read_file(path: Path) -> Source:
    """Read one TOML file.

    Raises: SettingsError, when it cannot be read or is no TOML.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"cannot be read: {error.strerror}", where=str(path)) from None
    if len(text) > _LARGEST_FILE:
        raise SettingsError(f"is larger than {_LARGEST_FILE} bytes", where=str(path))
    try:
        return Source(str(path), tomllib.loads(text.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        raise SettingsError(f"is not UTF-8 at byte {error.start}", where=str(path)) from None
    except RecursionError:
        raise SettingsError("is nested too deeply", where=str(path)) from None
    except ValueError as error:
        raise SettingsError(f"is no TOML: {_short(str(error))}", where=str(path)) from None


def read_environ(environ: Mapping[str, str], problems: list[Problem]) -> Iterator[Source]:
    """Yield what `SWARM_ENGINE_<FIELD>`, the variables of single keys and `SWARM_DISABLE_PLUGINS` say."""
    names = sorted(name for name in environ if name.startswith("SWARM_"))
    for name in names:
        if name.startswith(_ENGINE):
            yield Source(name, {"engine": {name.removeprefix(_ENGINE).lower(): _literal(environ[name])}})
        elif name == _DISABLE and environ[name].strip() not in ("", "0"):
            yield Source(name, {"plugins": _disabled(environ[name])})
        elif name in _NAMED and environ[name]:
            table, key = _NAMED[name]
            yield Source(name, {table: {key: environ[name]}})
        elif name not in _OURS and (close := get_close_matches(name, _OURS, 1, 0.9)):
            hint = f"did you mean {close[0]!r}?"
            problems.append(Problem(code="unknown_setting", message="unknown variable", path=name, hint=hint))


def _disabled(text: str) -> dict[str, Any]:
    if text.strip().lower() in ("1", "all"):
        return {"disable_all": True}
    return {"disable": [name.strip() for name in text.split(",") if name.strip()]}


def _flag(key: str, value: Any) -> Any:
    value = _literal(value)
    if key.startswith("plugins.") and isinstance(value, str):
        return [name.strip() for name in value.split(",")]
    return value


def _literal(value: Any) -> Any:
    """Read a text of the environment or of a flag as the number or truth value that it spells."""
    if value in ("true", "false"):
        return value == "true"
    if not isinstance(value, str) or not _NUMBER.match(value):
        return value
    try:
        return float(value) if "." in value else int(value)
    except ValueError:
        return value


def _nest(parts: list[str], value: Any) -> dict[str, Any]:
    return {parts[0]: _nest(parts[1:], value) if parts[1:] else value}


# checking ----------------------------------------------------------------------------------------------------


def check(source: Source, problems: list[Problem]) -> dict[Key, Value]:
    """Return the source's values by key, each checked; what is wrong goes to `problems`."""
    checked: dict[Key, Value] = {}
    for key, value in _leaves(source, problems):
        try:
            checked[key] = Value(_parser(key)(value), source.origin)
        except _Unknown as unknown:
            problems.append(_problem(source, key, "unknown_setting", f"unknown key {key[-1]!r}", unknown.hint))
        except ValueError as error:
            problems.append(_problem(source, key, "invalid_setting", _short(str(error))))
    return checked


class _Unknown(Exception):
    """A key is not one of ours; `hint` says which one may have been meant."""

    def __init__(self, hint: str) -> None:
        self.hint = hint


def _leaves(source: Source, problems: list[Problem]) -> Iterator[tuple[Key, Any]]:
    for name, body in source.tables.items():
        if name not in _TABLES:
            hint = did_you_mean(name, _TABLES, otherwise="tables")
            problems.append(_problem(source, (name,), "unknown_setting", f"unknown table {name!r}", hint))
        elif not isinstance(body, dict):
            problems.append(_problem(source, (name,), "invalid_setting", f"a table was expected, not {_kind(body)}"))
        elif name in ("plugin", "layers"):
            yield from _tables_below(source, name, body, problems)
        else:
            yield from (((name, key), value) for key, value in body.items())


def _tables_below(
    source: Source, table: str, body: Mapping[str, Any], problems: list[Problem]
) -> Iterator[tuple[Key, Any]]:
    for name, inner in body.items():
        if not isinstance(inner, dict):
            message = f"a table was expected, not {_kind(inner)}"
            hint = f"write [{table}.<name>] above it"
            problems.append(_problem(source, (table, name), "invalid_setting", message, hint))
        elif table == "plugin":
            yield from _flatten((table, name), inner)
        else:
            yield from (((table, name, key), value) for key, value in ({"use": None} | inner).items())


def _flatten(key: Key, body: Mapping[str, Any]) -> Iterator[tuple[Key, Any]]:
    if not body:
        yield key, {}
    for name, value in body.items():
        if isinstance(value, dict):
            yield from _flatten((*key, name), value)
        else:
            yield (*key, name), value


def _parser(key: Key) -> Callable[[Any], Any]:
    """Return what turns the key's value into a setting.

    Raises: _Unknown, when there is no such key.
    """
    table, name = key[0], key[-1]
    if table == "plugin":
        return lambda value: value
    if table == "lints":
        return _level
    known = _PARSERS[table]
    if name not in known:
        raise _Unknown(did_you_mean(name, known))
    return known[name]


def _number(parse: Callable[[Any], float]) -> Callable[[Any], float]:
    def checked(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"a number or a text was expected, not {_kind(value)}")
        return parse(value)

    return checked


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) and item for item in value):
        raise ValueError(f'a list of names was expected, such as ["audit"], not {_short(repr(value))}')
    return tuple(value)


def _level(value: Any) -> str:
    if not isinstance(value, str) or value not in LINT_LEVELS:
        raise ValueError(f"a level was expected ({', '.join(LINT_LEVELS)}), not {_short(repr(value))}")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"true or false was expected, not {_kind(value)}")
    return value


def _url(value: Any) -> str:
    if not isinstance(value, str) or "://" not in value:
        raise ValueError(f"a URL such as sqlite:///runs.db or memory:// was expected, not {_short(repr(value))}")
    return value


def _server(value: Any) -> str:
    if not isinstance(value, str) or value.partition("://")[0] not in ("http", "https"):
        raise ValueError("the address of a server was expected, such as http://127.0.0.1:7777")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"a text was expected, not {_kind(value)}")
    return value


def _uses(value: Any) -> tuple[LayerUse | SetUse, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"a list of layers was expected, not {_kind(value)}")
    return tuple(_use(at, item) for at, item in enumerate(value))


def _use(at: int, item: Any) -> LayerUse | SetUse:
    if isinstance(item, str) and item:
        return LayerUse(key=item)
    if isinstance(item, dict) and "set" in item and "key" not in item:
        return _set_use(at, item)
    key = item.get("key") if isinstance(item, dict) else None
    if not isinstance(key, str) or not key:
        raise ValueError(
            f"entry {at} is no layer: a layer is a name, or a table with its name as key: "
            '{key = "long_hold", warn_after = "5m"}; {set = "standard"} stands for the layers of another set'
        )
    return LayerUse(key=key, options={name: value for name, value in item.items() if name != "key"} or None)


def _set_use(at: int, item: Mapping[str, Any]) -> SetUse:
    name = item["set"]
    if not isinstance(name, str) or not name:
        raise ValueError(f'entry {at} names no layer set: write {{set = "standard"}}')
    if len(item) > 1:
        others = ", ".join(sorted(set(item) - {"set"}))
        raise ValueError(f"entry {at} stands for the set {name!r} and takes nothing else, not {others}")
    return SetUse(name)


_KINDS = {
    dict: "a table",
    list: "a list",
    str: "a text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "nothing",
}
_PARSERS: Mapping[str, Mapping[str, Callable[[Any], Any]]] = {
    "engine": {name: _number(attribute.metadata["parse"]) for name, attribute in engine_fields().items()},
    "plugins": {
        attribute.name: _truth if attribute.default is False else _names for attribute in fields(PluginSettings)
    },
    "layers": {"use": _uses},
    "store": {"url": _url, "blueprints": _url, "issues": _url},
    "client": {"server": _server, "token_file": _text},
}


def _problem(source: Source, key: Key, code: str, message: str, hint: str | None = None) -> Problem:
    return Problem(code=code, message=message, path=".".join(key), file=source.origin, hint=hint)


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), f"a {type(value).__name__}")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + " ..."


# merging -----------------------------------------------------------------------------------------------------


def merge(merged: dict[Key, Value], stronger: Mapping[Key, Value]) -> None:
    """Put a stronger source's values over those that are there; a value replaces the table or the leaf below it."""
    for key, value in stronger.items():
        for other in [other for other in merged if other[: len(key)] == key or key[: len(other)] == other]:
            del merged[other]
        merged[key] = value


def table(merged: Mapping[Key, Value], name: str) -> dict[str, Any]:
    """Return a top-level table of the merged values as nested dicts."""
    tree: dict[str, Any] = {}
    for key, value in merged.items():
        if key[0] == name:
            place = tree
            for part in key[1:-1]:
                place = place.setdefault(part, {})
            place[key[-1]] = value.value
    return tree

"""What a Blueprint and the settings ask plugins for: kinds, layers, readers, directives, resolvers, stores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from swarm_core.builtin.expansion import expand
from swarm_core.errors import did_you_mean
from swarm_core.host import Host, PluginState
from swarm_core.known import PROVIDERS
from swarm_core.settings import STANDARD_SET, Settings

HERE, MISSING = "here", "missing"


@frozen(kw_only=True)
class Need:
    """One thing that is asked for: `where` says by whom, `by` who brings it, `pip` what would, `do` what to do."""

    thing: str
    name: str
    where: str
    state: str
    by: str | None = None
    pip: str | None = None
    do: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as data."""
        return {key: getattr(self, key) for key in ("thing", "name", "where", "state", "by", "pip", "do")}


def needs_of(host: Host, settings: Settings, file: Path | None) -> list[Need]:
    """Return what is asked for, each thing once, in the order in which it is met.

    Raises: DocumentError, when the file cannot be read as the document that it is.
    """
    found = dict.fromkeys([*_of_settings(settings), *(_of_file(host, settings, file) if file is not None else ())])
    named: dict[tuple[str, str], Need] = {}
    for thing, name, where in found:
        named.setdefault((thing, name), _need(host, thing, name, where))
    return list(named.values())


# what is asked for: thing, name, where -----------------------------------------------------------------------

_Asked = tuple[str, str, str]


def _of_settings(settings: Settings) -> Iterator[_Asked]:
    for key, role, url in (
        ("store.url", "run", settings.store.url),
        ("store.blueprints", "blueprint", settings.store.blueprints),
        ("store.issues", "issue", settings.store.issues),
    ):
        if url is not None:
            yield "store", f"{role} {url.partition('://')[0]}", key
    for use in settings.layer_sets.get(STANDARD_SET, ()):
        if (layer := getattr(use, "key", None)) is not None:
            yield "layer", layer, f"layers.{STANDARD_SET}"


def _of_file(host: Host, settings: Settings, file: Path) -> Iterator[_Asked]:
    suffix = file.suffix.lower()
    yield "reader", suffix, "its suffix"
    if suffix not in host.catalog.readers:
        return
    source = host.catalog.readers[suffix].build().read(file.read_bytes(), name=str(file), base=file.parent.absolute())
    used = dict.fromkeys(_directives(source.value))
    yield from (("directive", name, "the document") for name in used if _is_directive(host, name))
    missing = [name for name in used if name not in host.catalog.directives and _is_directive(host, name)]
    value = source.value if missing else expand(source, host.catalog.directives).value
    yield from _of_document(value if isinstance(value, Mapping) else {})


def _directives(value: Any) -> Iterator[str]:
    """Yield the keys that may be directives."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Mapping):
            yield from (key for key in each if key.startswith("$"))
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def _is_directive(host: Host, name: str) -> bool:
    """Tell whether a key is a directive that somebody provides; others are data, which may have any keys."""
    key = ("directive", name)
    return key in host.catalog.provider or key in PROVIDERS or host.unavailable(*key) is not None


def _of_document(document: Mapping[str, Any]) -> Iterator[_Asked]:
    for at, agent in enumerate(_objects(document.get("agents"))):
        yield from _text("spawner", agent.get("kind"), f"$.agents[{at}].kind")
    for name, hint in _hints(document.get("hints")):
        yield from _text("spawner", hint.get("bind"), f"$.hints.{name}.bind")
    if document.get("subprocesses"):
        yield "spawner", "subprocess", "$.subprocesses"
    layers = document.get("spawner_hints")
    for at, use in enumerate(_list(layers.get("layers") if isinstance(layers, Mapping) else None)):
        for key, options in use.items() if isinstance(use, Mapping) else ((use, None),):
            yield from _text("layer", key, f"$.spawner_hints.layers[{at}]")
            if key == "resolver" and isinstance(options, Mapping):
                yield from _text("resolver", options.get("use"), f"$.spawner_hints.layers[{at}].resolver.use")


def _hints(hints: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(hints, Mapping):
        per_agent = hints.get("per_agent")
        named = (
            {f"per_agent.{name}": hint for name, hint in per_agent.items()} if isinstance(per_agent, Mapping) else {}
        )
        for name, hint in {"global": hints.get("global"), **named}.items():
            if isinstance(hint, Mapping):
                yield name, hint


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    return (each if isinstance(each, Mapping) else {} for each in _list(value))


def _text(thing: str, name: Any, where: str) -> Iterator[_Asked]:
    if isinstance(name, str):
        yield thing, name, where


# whether it is there -----------------------------------------------------------------------------------------


def _need(host: Host, thing: str, name: str, where: str) -> Need:
    by = host.catalog.provider.get((thing, name))
    if by is not None:
        return Need(thing=thing, name=name, where=where, state=HERE, by=by)
    if (error := host.unavailable(thing, name)) is not None:
        return Need(
            thing=thing, name=name, where=where, state=_state(host, error.plugin), by=error.where, do=error.hint
        )
    pip = PROVIDERS.get((thing, name))
    do = f"pip install {pip}" if pip else _nearest(host, thing, name)
    return Need(thing=thing, name=name, where=where, state=MISSING, pip=pip, do=do)


def _state(host: Host, plugin: str) -> str:
    return next((str(status.state) for status in host.plugins if status.name == plugin), str(PluginState.REFUSED))


def _nearest(host: Host, thing: str, name: str) -> str:
    installed = {other for what, other in host.catalog.provider if what == thing}
    bundled = {other for what, other in PROVIDERS if what == thing}
    hint = did_you_mean(name, installed | bundled, otherwise="installed or bundled")
    return f"no bundled plugin brings it; {hint}"

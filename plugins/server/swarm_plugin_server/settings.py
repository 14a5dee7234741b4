"""The section `[plugin.server]` of the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import asdict, evolve, field, fields, frozen

from swarm_core.errors import SettingsError
from swarm_core.model.duration import parse_duration, parse_size
from swarm_core.model.problem import Problem
from swarm_core.settings import Settings, parse_count, project_folder

LARGEST_PORT = 65535


def _setting(default: Any, parse: Callable[[Any], Any], summary: str) -> Any:
    return field(default=default, metadata={"parse": parse, "summary": summary})


def parse_port(value: Any) -> int:
    """Return a port; 0 lets the system choose. Raises: ValueError."""
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()) or int(text) > LARGEST_PORT:
        raise ValueError(f"{str(value)[:40]!r} is no port: write 0 to {LARGEST_PORT}, 0 for any that is free")
    return int(text)


def parse_host(value: Any) -> str:
    """Return an address or name to listen at; raises ValueError."""
    text = value.strip().removeprefix("[").removesuffix("]") if isinstance(value, str) else ""
    if not text or not text.isascii() or any(mark in text for mark in "/@? #\\"):
        raise ValueError(f"{str(value)[:80]!r} is no host: write a name or an address such as 127.0.0.1")
    return text.lower()


def _names(value: Any) -> tuple[str, ...]:
    return tuple(value)


def _switch(value: Any) -> bool:
    return bool(value)


def _path(value: Any) -> Path | None:
    return None if value is None else Path(value)


@frozen(kw_only=True)
class ServerSettings:
    """What `swarm serve` goes by. Times are in seconds, sizes in bytes."""

    host: str = _setting("127.0.0.1", parse_host, "the address or name to listen at")
    port: int = _setting(7777, parse_port, "the port; 0 for any that is free")
    auth: bool = _setting(True, _switch, "whether the server's token is asked for; only loopback can do without")
    token_file: Path | None = _setting(None, _path, "the file of the server's token")  # noqa: RUF009
    blueprint_ref_base: Path | None = _setting(  # noqa: RUF009
        None, _path, "the folder of files that inline Blueprints refer to"
    )
    allow_hosts: tuple[str, ...] = _setting((), _names, "further names that the server answers to")
    allow_origins: tuple[str, ...] = _setting((), _names, "web origins, beside its own, whose pages may call it")
    max_body: int = _setting(2 * 1024 * 1024, parse_size, "the size of a JSON body")
    max_raw_body: int = _setting(16 * 1024 * 1024, parse_size, "the size of a body that a worker submits")
    body_time: float = _setting(10.0, parse_duration, "how long a body may take to arrive")
    header_time: float = _setting(10.0, parse_duration, "how long the head of a request may take to arrive")
    keep_alive: float = _setting(30.0, parse_duration, "how long an idle connection stays open")
    stall: float = _setting(20.0, parse_duration, "how long a client may take nothing of what is sent to it")
    max_connections: int = _setting(2_000, parse_count, "open connections, streams and WebSockets included")
    max_requests: int = _setting(2_000, parse_count, "calls that are answered at one time, streams not counted")
    max_runs: int = _setting(1_000, parse_count, "runs that are carried out at one time")
    max_wrong: int = _setting(100, parse_count, "wrong credentials of one address in a minute")
    grace: float = _setting(5.0, parse_duration, "how long calls and runs may go on at a stop")
    resume: bool = _setting(True, _switch, "whether runs that nobody holds go on at the start")
    max_operators: int = _setting(1_000, parse_count, "operators that have joined and not left")
    operator_idle: float = _setting(
        7 * 86400.0, parse_duration, "how long an operator may be away until its session ends"
    )
    operator_reply: float | None = _setting(
        None, parse_duration, "how long an operator has for a reply; any time if unset"
    )


@frozen(kw_only=True)
class ServerSection:
    """The section as it is written."""

    host: str | None = None
    port: int | None = None
    auth: bool | None = None
    token_file: str | None = None
    blueprint_ref_base: str | None = None
    allow_hosts: tuple[str, ...] | None = None
    allow_origins: tuple[str, ...] | None = None
    max_body: str | int | None = None
    max_raw_body: str | int | None = None
    body_time: str | float | None = None
    header_time: str | float | None = None
    keep_alive: str | float | None = None
    stall: str | float | None = None
    max_connections: int | None = None
    max_requests: int | None = None
    max_runs: int | None = None
    max_wrong: int | None = None
    grace: str | float | None = None
    resume: bool | None = None
    max_operators: int | None = None
    operator_idle: str | float | None = None
    operator_reply: str | float | None = None


def read_settings(settings: Settings, flags: Mapping[str, Any] | None = None) -> ServerSettings:
    """Return the section `[plugin.server]`, with what flags say over it; None is a flag that was not given.

    Relative paths in `swarm.toml` begin at its folder. Raises: SettingsError, with everything that is wrong.
    """
    written = asdict(settings.section("server", ServerSection), recurse=False)
    given = {key: value for key, value in written.items() if value is not None}
    flagged = {key: value for key, value in (flags or {}).items() if value is not None}
    problems: list[Problem] = []
    read: dict[str, Any] = {}
    for each in fields(ServerSettings):
        if each.name in flagged or each.name in given:
            place = f"--{each.name.replace('_', '-')}" if each.name in flagged else f"plugin.server.{each.name}"
            try:
                read[each.name] = each.metadata["parse"](flagged.get(each.name, given.get(each.name)))
            except ValueError as error:
                origin = None if each.name in flagged else settings.origins.get(place)
                problems.append(Problem(code="bad_setting", message=str(error), path=place, file=origin))
    if problems:
        raise SettingsError.of(problems)
    return _placed(ServerSettings(**read), settings, flagged)


def _placed(read: ServerSettings, settings: Settings, flagged: Mapping[str, Any]) -> ServerSettings:
    for name in ("token_file", "blueprint_ref_base"):
        path: Path | None = getattr(read, name)
        from_file = settings.origins.get(f"plugin.server.{name}") == str(settings.file)
        if path is not None and name not in flagged and from_file:
            placed: dict[str, Any] = {name: project_folder(settings) / path}
            read = evolve(read, **placed)
    return read

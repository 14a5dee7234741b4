"""`swarm doctor`: how this installation and its store are."""

from __future__ import annotations

import asyncio
import platform
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import field, frozen

from swarm_core import __version__, builtin
from swarm_core.cli import outcome, stores, wording
from swarm_core.cli.context import context_of
from swarm_core.errors import StoreUnavailable, SwarmError
from swarm_core.host import Host, PluginState, PluginStatus
from swarm_core.model.run import Durability
from swarm_core.model.task import RunStatus
from swarm_core.settings import Settings, load_settings, store_url

if TYPE_CHECKING:
    from swarm_core.history.health import Health

_HEADER = 100  # bytes of the header of a SQLite file
_DURABILITY = {
    Durability.FULL: "a run that was acknowledged survives a power cut",
    Durability.RELAXED: "survives the death of the process, not of the machine",
    Durability.NONE: "nothing outlives the process",
}


@click.command("doctor")
@stores.store_option
@click.option("--json", "as_json", is_flag=True, help="Print one object: versions, settings, plugins, store, problems.")
@click.pass_context
def command(ctx: click.Context, /, *, store: str | None, as_json: bool) -> int:
    """Tell how swarm is installed here, and how the store of runs is.

    Versions, the settings file, plugins that were refused; of the store its place, size, durability, schema and whether
    it is whole; where its runs stand, who holds them, which were interrupted and how to resume them. It comes up
    whatever is wrong. Exit codes: 0, 3 settings or a plugin are wrong, 6 the store cannot be used.
    """
    findings = asyncio.run(_examine(context_of(ctx).config, store))
    if as_json:
        outcome.print_json(findings.as_json())
    else:
        _print(findings, stores.suffix(store))
    return findings.code


@frozen(kw_only=True)
class _Findings:
    """What was found; errors where something could not even be looked at."""

    settings: Settings
    settings_error: SwarmError | None
    plugins: tuple[PluginStatus, ...]
    url: str
    file: dict[str, Any]
    health: Health | None
    store_error: SwarmError | None
    versions: dict[str, str] = field(factory=dict)

    @property
    def refused(self) -> list[PluginStatus]:
        return [status for status in self.plugins if status.error]

    @property
    def code(self) -> int:
        if self.store_error is not None or (self.health is not None and self.health.problems):
            return outcome.STORE
        return outcome.INVALID if self.settings_error or self.refused else outcome.OK

    def as_json(self) -> dict[str, Any]:
        return {
            "versions": self.versions,
            "settings": {"file": str(self.settings.file) if self.settings.file else None},
            "settings_error": outcome.error_json(self.settings_error) if self.settings_error else None,
            "plugins": {
                "active": len(self.plugins) - len(self.refused),
                "refused": [
                    {"name": status.name, "error": status.error.as_json()} for status in self.refused if status.error
                ],
            },
            "store": {"url": self.url, **self.file, **(self.health.as_json() if self.health else {})},
            "store_error": self.store_error.as_json() if self.store_error else None,
        }


async def _examine(config: str | None, store: str | None) -> _Findings:
    settings, settings_error = _settings(config)
    plugins = _plugins(settings)
    url, file, health, store_error = store or "", {}, None, None
    try:
        url = store_url(settings, store)
        file = _file_facts(url)
        if stores.missing_file(url) is None:
            async with stores.opened_here(settings, store) as history:
                health = await history.health()
    except SwarmError as error:
        store_error = error
    except Exception as error:  # a store of a plugin may raise what it likes
        store_error = StoreUnavailable(f"cannot be opened: {type(error).__name__}: {error}", where=url)
    return _Findings(
        settings=settings,
        settings_error=settings_error,
        plugins=plugins,
        url=url,
        file=file,
        health=health,
        store_error=store_error,
        versions={"swarm": __version__, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version},
    )


def _settings(config: str | None) -> tuple[Settings, SwarmError | None]:
    try:
        return load_settings(file=config), None
    except SwarmError as error:
        return Settings(), error


def _plugins(settings: Settings) -> tuple[PluginStatus, ...]:
    with outcome.kept_stdout():
        return Host.load(None, settings, builtin=(builtin,), strict=False).plugins


def _file_facts(url: str) -> dict[str, Any]:
    """Return path, size and schema version of a store that is a file; it is only read, not opened as a database.

    The size counts the write-ahead log and the large values beside it.
    """
    if url.partition("://")[0] != "sqlite":
        return {}
    from swarm_core.builtin.sqlite.place import parse_url

    path = parse_url(url).path
    parts = (path, Path(f"{path}-wal"), *Path(f"{path}.blobs").rglob("*"))
    size = sum(part.stat().st_size for part in parts if part.is_file())
    return {"path": str(path), "size": size, "schema": _schema_of(path)}


def _schema_of(path: Path) -> int | None:
    """Return the version that stands in the header of a SQLite file (https://sqlite.org/fileformat.html, 1.3.12)."""
    with suppress(OSError), path.open("rb") as file:
        header = file.read(_HEADER)
        if len(header) == _HEADER and header.startswith(b"SQLite format 3\0"):
            return int.from_bytes(header[60:64], "big")
    return None


# telling -----------------------------------------------------------------------------------------------------


def _print(findings: _Findings, suffix: str) -> None:
    for title, rows in (
        ("Versions", [(name, version) for name, version in findings.versions.items()]),
        ("Settings", list(_settings_rows(findings))),
        ("Plugins", list(_plugin_rows(findings))),
        ("Store", list(_store_rows(findings))),
    ):
        click.echo(title)
        for name, text in rows:
            click.echo(f"  {name:<12} {outcome.printable(text)}")
    if findings.health is not None:
        _print_runs(findings.health, suffix)


def _settings_rows(findings: _Findings) -> Iterator[tuple[str, str]]:
    yield "file", str(findings.settings.file or "none: everything has its default")
    if findings.settings_error is not None:
        for line in outcome.error_lines(findings.settings_error):
            yield "error", line


def _plugin_rows(findings: _Findings) -> Iterator[tuple[str, str]]:
    yield "active", str(sum(status.state is PluginState.ACTIVE for status in findings.plugins))
    for status in findings.refused:
        yield str(status.state), str(status.error)


def _store_rows(findings: _Findings) -> Iterator[tuple[str, str]]:
    health, file = findings.health, findings.file
    yield "url", health.url if health else findings.url
    if "path" in file:
        missing = stores.missing_file(findings.url) is not None
        yield "file", f"{file['path']}, {'not there yet' if missing else wording.size(file['size'])}"
    if file.get("schema") is not None:
        yield "schema", f"version {file['schema']}"
    if findings.store_error is not None:
        yield "error", str(findings.store_error)
    if health is not None:
        yield "durability", f"{health.durability}: {_DURABILITY[health.durability]}"
        yield "integrity", "whole" if not health.problems else wording.counted(len(health.problems), "problem")
        yield from (("problem", text) for text in health.problems)


def _print_runs(health: Health, suffix: str) -> None:
    click.echo("Runs")
    click.echo(f"  {', '.join(f'{count} {status}' for status, count in health.counts.items() if count) or 'none'}")
    for owner, alive in health.owners:
        state = "lives" if alive else "is gone"
        click.echo(f"  owner {owner.id}: process {owner.pid} on {outcome.one_line(owner.host)} {state}")
    for run_id in health.interrupted:
        click.echo(f"  interrupted: swarm resume {run_id}{suffix}")
    if len(health.interrupted) < health.counts[RunStatus.INTERRUPTED]:
        click.echo(f"  and more: swarm resume --all{suffix}")
    for run_id in health.waiting:
        click.echo(f"  waiting: swarm show {run_id}{suffix}")

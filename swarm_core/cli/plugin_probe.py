"""The child of `swarm plugins doctor`: imports every plugin, asks it everything, and writes down how far it got."""

from __future__ import annotations

import faulthandler
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import click
from attrs import define, evolve, field

from swarm_core import builtin
from swarm_core.cli.plugin_needs import needs_of
from swarm_core.cli.plugin_traces import Surroundings
from swarm_core.errors import DocumentError, PluginError
from swarm_core.host import Host
from swarm_core.host.admission import is_disabled
from swarm_core.host.candidate import from_found
from swarm_core.host.commands import HOOK, add_commands
from swarm_core.host.discovery import Found, discover, normalized
from swarm_core.host.loading import take_in
from swarm_core.settings import Settings, load_settings


def main(folder: str) -> None:
    """Do the job in a folder: `job.json` says what, `report.json` has the answer, `steps.jsonl` what is being done."""
    place = Path(folder)
    job = json.loads((place / "job.json").read_text(encoding="utf-8"))
    with (place / "steps.jsonl").open("w", encoding="utf-8") as steps, (place / "trace.txt").open("w") as trace:
        report = _Probe(job=job, steps=steps, trace=trace).report()
        faulthandler.cancel_dump_traceback_later()
    (place / "report.tmp").write_text(json.dumps(report), encoding="utf-8")
    (place / "report.tmp").replace(place / "report.json")
    os._exit(0)  # a plugin may have started threads that never end


@define
class _Probe:
    """One look at everything; before each step it is written down which, so that the parent knows who never ended."""

    job: Mapping[str, Any]
    steps: TextIO
    trace: TextIO
    took: dict[tuple[str, str], float] = field(factory=dict)
    commands: list[Mapping[str, Any]] = field(factory=list)
    warnings: list[str] = field(factory=list)

    def report(self) -> Mapping[str, Any]:
        settings = self._settings()
        for found in discover().found:
            if not is_disabled(from_found(found), settings.plugins):
                self._try(found, settings)
        self._begin("loading all plugins together")
        host = Host.load(None, settings, builtin=(builtin,), strict=False)
        self._begin("looking at what is needed")
        document, needs = self._needs(host, settings)
        return {
            "plugins": list(self._plugins(host)),
            "commands": self.commands,
            "document": document,
            "needs": needs,
            "warnings": [*self.warnings, *(str(problem) for problem in host.problems)],
        }

    def _settings(self) -> Settings:
        settings = load_settings(file=self.job["config"]) if self.job["settings"] else Settings()
        disable = (*settings.plugins.disable, *map(normalized, self.job["without"]))
        return evolve(settings, plugins=evolve(settings.plugins, disable=disable))

    def _begin(self, step: str, found: Found | None = None) -> None:
        about = {} if found is None else {key: getattr(found, key) for key in _FACTS}
        self.steps.write(json.dumps({"step": step, **about}) + "\n")
        self.steps.flush()
        faulthandler.dump_traceback_later(self.job["limit"], exit=True, file=self.trace)

    def _try(self, found: Found, settings: Settings) -> None:
        """Import and ask one plugin alone; what is wrong with it is told later, by the host that has them all."""
        self._begin("importing it and calling its hooks", found)
        before, begun = Surroundings.now(), time.monotonic()
        (entry,) = take_in([from_found(found)], settings)
        if entry.active is not None and HOOK in entry.active.hooks:
            self._begin("adding its commands", found)
            self._add_commands(entry.active)
        self.took[found.distribution, found.name] = time.monotonic() - begun
        for change in before.changed():
            self.warnings.append(f"plugin {found.name!r} ({found.distribution} {found.version}) replaces {change}")
        before.restore()

    def _add_commands(self, plugin: Any) -> None:
        from swarm_core.cli.group import COMMANDS

        try:
            add_commands(plugin, click.Group(commands={name: click.Command(name) for name in COMMANDS}))
        except PluginError as error:
            self.commands.append({"message": f"{error.where}: {error.message}", "hint": error.hint})

    def _plugins(self, host: Host) -> Iterator[Mapping[str, Any]]:

        for status in host.plugins:
            trace = getattr(status.error, "traceback", "") or ""
            took = self.took.get((status.distribution or "", status.name))
            yield {**status.as_json(), "took": took, "traceback": trace}

    def _needs(self, host: Host, settings: Settings) -> tuple[list[Any], list[Any]]:
        file = self.job["file"]
        try:
            return [], [need.as_json() for need in needs_of(host, settings, None if file is None else Path(file))]
        except DocumentError as error:
            return [problem.as_json() for problem in error.problems], []


_FACTS = ("name", "distribution", "version", "module")

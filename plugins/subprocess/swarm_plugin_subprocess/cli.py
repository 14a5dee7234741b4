"""`swarm templates`: the commands that agents of kind `subprocess` may name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from typing import Any

import click
from attrs import frozen

from swarm_core.codec import unstructure
from swarm_core.commands import CommandLine, command_line
from swarm_core.errors import did_you_mean
from swarm_core.model.blueprint import SubprocessDef
from swarm_core.settings import Settings
from swarm_plugin_subprocess.ready import READY, ReadyTemplate
from swarm_plugin_subprocess.settings import read_settings
from swarm_plugin_subprocess.templates import read_template

OK, NOT_FOUND = 0, 4


@frozen(kw_only=True)
class Shown:
    """A template that a command line knows, and where it comes from; `ready` is there where the ready one counts."""

    definition: SubprocessDef
    source: str
    ready: ReadyTemplate | None = None

    def as_json(self) -> dict[str, Any]:
        """Return all that is known about it."""
        return {
            "name": self.definition.name,
            "from": self.source,
            "program": shutil.which(self.definition.command[0]),
            "install": self.ready.install if self.ready else None,
            "needs": list(self.ready.needs) if self.ready else [],
            "uses": sorted(read_template(self.definition).names),
            "template": unstructure(self.definition),
        }


def complete_names(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the ready templates that begin with what is there."""
    return [name for name in READY if name.startswith(incomplete)]


@click.command("templates")
@click.argument("name", required=False, shell_complete=complete_names)
@click.option(
    "--json", "as_json", is_flag=True, help="Print an array of objects, with NAME one: name, from, uses, template ..."
)
@click.pass_context
def command(ctx: click.Context, *, name: str | None, as_json: bool) -> int:
    """List the templates for agents that are command lines, or show the template NAME.

    NAME is shown as it may stand in `subprocesses` of a Blueprint. Exit codes: 0, 4 no such template.
    """
    line = command_line(ctx)
    known = templates_of(line.settings())
    if name is None:
        _list(line, known, as_json=as_json)
        return OK
    if name not in known:
        line.say(f"error: no template is named {name!r}; {did_you_mean(name, known, otherwise='templates')}")
        return NOT_FOUND
    facts = known[name].as_json()
    if as_json:
        line.print_json(facts)
    else:
        _show(line, facts)
    return OK


def templates_of(settings: Settings) -> Mapping[str, Shown]:
    """Return the ready templates and those of the settings by name; the latter win."""
    ready = {name: Shown(definition=each.definition, source="ready", ready=each) for name, each in READY.items()}
    file = str(settings.file or "the settings")
    own = {name: Shown(definition=each, source=file) for name, each in read_settings(settings).templates.items()}
    return {**ready, **own}


def _list(line: CommandLine, known: Mapping[str, Shown], *, as_json: bool) -> None:
    facts = [shown.as_json() for shown in known.values()]
    if as_json:
        line.print_json(facts)
        return
    rows = [
        (each["name"], each["from"], each["program"] or "not installed", each["template"].get("description", ""))
        for each in facts
    ]
    line.print_table(("template", "from", "program", ""), rows, empty="none")


def _show(line: CommandLine, facts: Mapping[str, Any]) -> None:
    line.say(f"{facts['name']}, from {facts['from']}: {facts['program'] or 'its program is not in PATH'}")
    if facts["install"]:
        line.say(f"Get it with: {facts['install']}")
    if facts["needs"]:
        line.say(f"May need in [plugin.subprocess] pass_env: {json.dumps(facts['needs'])}")
    line.print_json(facts["template"])

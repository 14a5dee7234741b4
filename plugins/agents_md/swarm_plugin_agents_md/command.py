"""`swarm agents`: what the agent files of a folder say, and what is wrong with them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from attrs import field, frozen

from swarm_core.commands import CommandLine, command_line
from swarm_core.errors import DocumentError
from swarm_core.model.problem import Problem, Severity

LARGEST = 1024 * 1024  # what a Blueprint reads of one file
INVALID, NOT_FOUND = 3, 4
_WIDEST = 60


@frozen(kw_only=True)
class Row:
    """One Markdown file: the agent it describes, None where it describes none, and its problems and notes."""

    file: str
    agent: Any = None
    problems: list[Problem] = field(factory=list)


@click.command("agents")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("agents"))
@click.option("--json", "as_json", is_flag=True, help="Print one object: folder, agents, problems.")
@click.pass_context
def command(ctx: click.Context, /, folder: Path, as_json: bool) -> int:
    """List the agent files in FOLDER (default: agents): name, description, model, tools, problems.

    They are read as `$agents_md` reads them. Exit codes: 0 all can be used, 3 at least one cannot, 4 no such folder.
    """
    line = command_line(ctx)
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".md" and not path.name.startswith("."))
    except OSError as error:
        line.say(f"error: {folder}: {error.strerror}; name the folder that has the agent files")
        return NOT_FOUND
    rows = [_row(path) for path in paths]
    _mark_repeated(rows)
    problems = [problem for row in rows for problem in row.problems]
    if as_json:
        facts = [_facts(row) for row in rows if row.agent]
        line.print_json(
            {"folder": str(folder), "agents": facts, "problems": [problem.as_json() for problem in problems]}
        )
    else:
        _print(line, rows, problems)
    return INVALID if any(problem.severity is Severity.ERROR for problem in problems) else 0


def _row(path: Path) -> Row:
    from swarm_plugin_agents_md.agent_file import read_agent_file
    from swarm_plugin_agents_md.directives import skipped
    from swarm_plugin_agents_md.front_matter import has_front_matter

    try:
        data = _content(path)
        if not has_front_matter(data):
            return Row(file=str(path), problems=[skipped(str(path))])
        agent = read_agent_file(data, str(path))
    except DocumentError as error:
        return Row(file=str(path), problems=list(error.problems))
    return Row(file=str(path), agent=agent, problems=list(agent.notes))


def _content(path: Path) -> bytes:
    """Return a file's bytes; what a Blueprint would refuse to open is refused here too."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise _refused("ref_not_regular", "this is no file", path)
            if facts.st_nlink > 1:
                raise _refused("ref_outside", "this is a hard link, and its other name may be elsewhere", path)
            data = file.read(LARGEST + 1)
    except OSError as error:
        if path.is_symlink():
            raise _refused("ref_symlink", "this is a symbolic link, and a Blueprint follows none", path) from None
        raise _refused("not_readable", f"this cannot be read: {error.strerror}", path) from None
    if len(data) > LARGEST:
        raise _refused("too_large", f"this has more than {LARGEST:,} bytes", path)
    return data


def _refused(code: str, message: str, path: Path) -> DocumentError:
    return DocumentError([Problem(code=code, message=message, file=str(path))])


def _mark_repeated(rows: Iterable[Row]) -> None:
    from swarm_plugin_agents_md.directives import repeated

    known = {row.file: row for row in rows}
    for problem in repeated({file: row.agent for file, row in known.items() if row.agent}):
        known[str(problem.file)].problems.append(problem)


def _facts(row: Row) -> dict[str, Any]:
    profile = row.agent.profile
    return {
        "file": row.file,
        "name": row.agent.name,
        **{key: profile.get(key) for key in ("description", "model", "effort")},
        "tools": profile.get("tools", []),
        "extras": profile.get("extras", {}),
        "version_hash": profile["version_hash"],
        "prompt_bytes": len(profile["system_prompt"].encode()),
    }


def _print(line: CommandLine, rows: list[Row], problems: list[Problem]) -> None:
    table = []
    for row in rows:
        name, profile = (row.agent.name, row.agent.profile) if row.agent else ("", {})
        texts = (profile.get("description"), profile.get("model"), ", ".join(profile.get("tools", [])))
        table.append((name, *map(_short, texts), _verdict(row), Path(row.file).name))
    line.print_table(
        ("agent", "description", "model", "tools", "state", "file"), table, empty="none: no file here ends with .md"
    )
    for problem in problems:
        line.say(f"{problem.severity}: {problem}")


def _short(text: str | None) -> str:
    one = " ".join((text or "").split())
    return one if len(one) <= _WIDEST else f"{one[: _WIDEST - 3]}..."


def _verdict(row: Row) -> str:
    severities = {problem.severity for problem in row.problems}
    if Severity.ERROR in severities:
        return "wrong"
    if row.agent is None:
        return "no agent"
    return "doubtful" if severities else "ok"

"""`$agent_md` and `$agents_md`: agents of a Blueprint that stand in files of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from swarm_core.errors import DocumentError
from swarm_core.factories import DirectiveFactory, Opener
from swarm_core.model.problem import Problem, Severity

if TYPE_CHECKING:
    from swarm_plugin_agents_md.agent_file import AgentFile

AGENT_KEY, AGENTS_KEY = "$agent_md", "$agents_md"
SUFFIX = ".md"
DEFAULT_KIND = "operator"
MOST_PROBLEMS = 100


def expand_agent(value: Any, siblings: Mapping[str, Any], opener: Opener) -> dict[str, Any]:
    """Return the agent that one file describes, with the siblings over it."""
    from swarm_plugin_agents_md.agent_file import read_agent_file

    if not isinstance(value, str):
        raise ValueError("its value is the path of an agent file below the Blueprint's folder, a string")
    return _agent(read_agent_file(opener(value), value), siblings, opener, value)


def expand_agents(value: Any, siblings: Mapping[str, Any], opener: Opener) -> list[dict[str, Any]]:
    """Return the agents of all files that a folder or a pattern stands for, in the order of their paths."""
    if not isinstance(value, str) or not value:
        raise ValueError("its value is a folder below the Blueprint's, or a pattern such as agents/*.md, a string")
    if "name" in siblings:
        raise ValueError("each file has a name of its own; remove 'name'")
    pattern = value if value.endswith(SUFFIX) or _is_pattern(value) else f"{value.rstrip('/')}/*{SUFFIX}"
    files = _read_all(opener.find(pattern), opener)
    if not files:
        hint = "an agent file ends with .md and begins with front matter"
        raise DocumentError([Problem(code="not_found", message=f"no agent file fits {pattern[:80]!r}", hint=hint)])
    return [_agent(file, siblings, opener, path) for path, file in files.items()]


def repeated(files: Mapping[str, AgentFile]) -> list[Problem]:
    """Return a problem for each file whose agent has the name of one before it; case makes no difference."""
    first: dict[str, str] = {}
    problems = []
    for path, file in files.items():
        other = first.setdefault(file.name.lower(), path)
        if other != path:
            message = f"agent {file.name!r} is described in {other[:80]!r} already"
            hint = "give one of them another name"
            problems.append(
                Problem(code="duplicate_agent", message=message, path="$.name", file=path, line=file.line, hint=hint)
            )
    return problems


def _is_pattern(value: str) -> bool:
    return any(character in value for character in "*?[")


def _read_all(paths: Any, opener: Opener) -> dict[str, AgentFile]:
    """Read agent files; what is none is noted.

    Raises: DocumentError, with the problems of all files.
    """
    from swarm_plugin_agents_md.agent_file import read_agent_file
    from swarm_plugin_agents_md.front_matter import has_front_matter

    files: dict[str, AgentFile] = {}
    problems: list[Problem] = []
    for path in paths:
        try:
            data = opener(path)
            if has_front_matter(data):
                files[path] = read_agent_file(data, path)
            else:
                opener.note(skipped(path))
        except DocumentError as error:
            problems += error.problems
    problems += repeated(files)
    if problems:
        raise DocumentError(problems[:MOST_PROBLEMS])
    return files


def skipped(path: str) -> Problem:
    """Return the note for a Markdown file that is no agent file."""
    message = "this file has no front matter and is no agent"
    return Problem(code="no_frontmatter", message=message, severity=Severity.NOTE, file=path, line=1)


def _agent(file: AgentFile, siblings: Mapping[str, Any], opener: Opener, path: str) -> dict[str, Any]:
    for note in (*file.notes, *_replaced(siblings, path)):
        opener.note(note)
    default = opener.document.get("default_agent_kind")
    kind = default if isinstance(default, str) else DEFAULT_KIND
    return {"name": file.name, "kind": kind, "profile": dict(file.profile), **siblings}


def _replaced(siblings: Mapping[str, Any], path: str) -> list[Problem]:
    profile = siblings.get("profile")
    if not isinstance(profile, dict) or "system_prompt" in profile:
        return []
    message = "the profile beside the directive replaces all that this file says, its prompt included"
    hint = "change the file, or write system_prompt into the profile too"
    return [Problem(code="profile_replaced", message=message, severity=Severity.WARNING, file=path, line=1, hint=hint)]


AGENT = DirectiveFactory(
    name=AGENT_KEY,
    expand=expand_agent,
    siblings=True,
    summary="an agent from a Markdown file with front matter",
)
AGENTS = DirectiveFactory(
    name=AGENTS_KEY,
    expand=expand_agents,
    siblings=True,
    splices=True,
    summary="the agents of all Markdown files in a folder",
)

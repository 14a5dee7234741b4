"""What an agent file says: the fields that an agent has, and whatever else stands in its front matter."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from hashlib import sha256
from typing import Any

from attrs import frozen

from swarm_core.codec import locate
from swarm_core.errors import DocumentError
from swarm_core.model.ids import is_name
from swarm_core.model.problem import Problem, Severity
from swarm_plugin_agents_md.front_matter import Parts, split

KNOWN = ("name", "description", "model", "effort", "tools")

# What the files of Claude Code may say beyond that: kept as extras, and no slips of the pen.
ELSEWHERE = (
    "background", "color", "disallowedTools", "hooks", "initialPrompt", "isolation", "maxTurns", "mcpServers", "memory",
    "permissionMode", "skills",
)  # fmt: skip

# Fields of an agent that a file does not set: it does not know where it will be run.
BESIDE = ("kind", "spec", "profile", "meta", "verdict")

INHERIT = "inherit"  # Claude Code's word for a model that is not the file's business


@frozen(kw_only=True)
class AgentFile:
    """An agent file, read: the agent's name, its profile as a Blueprint has it, and what is worth a look.

    `line` is where the name stands.
    """

    name: str
    profile: Mapping[str, Any]
    line: int
    notes: tuple[Problem, ...] = ()


def read_agent_file(data: bytes, path: str) -> AgentFile:
    """Read an agent file; `path` is the file that problems name.

    Raises: DocumentError, with everything that is wrong with its fields.
    """
    reading = _Reading(split(data, path), path)
    agent = reading.agent_file()
    if reading.problems:
        raise DocumentError(reading.problems)
    return agent


class _Reading:
    def __init__(self, parts: Parts, path: str) -> None:
        self.parts, self.path = parts, path
        self.problems: list[Problem] = []

    def agent_file(self) -> AgentFile:
        name, profile = self._name(), self._profile()
        line, _ = locate(self.parts.positions, "$.name") or (1, 1)
        return AgentFile(name=name, profile=profile, line=line, notes=tuple(self._notes()))

    def _name(self) -> str:
        name = self._text("name")
        if not name and "name" not in {problem.path.removeprefix("$.") for problem in self.problems}:
            self._add("missing_name", "the front matter has no name", "name", hint="add a line such as name: reviewer")
        elif name and not is_name(name):
            hint = "use letters, digits, '_', '.' and '-', a letter or digit first, 64 at most"
            self._add("bad_name", f"{name[:80]!r} cannot be a name", "name", hint=hint)
        return name or ""

    def _profile(self) -> dict[str, Any]:
        description, model = self._text("description"), self._text("model")
        said = {
            "description": description.strip() if description is not None else None,
            "model": None if model == INHERIT else model,
            "effort": self._text("effort"),
            "tools": self._tools(),
            "extras": {key: value for key, value in self.parts.fields.items() if key not in KNOWN},
        }
        body = self.parts.body
        return {
            "system_prompt": body,
            **{key: value for key, value in said.items() if value},
            "version_hash": sha256(body.encode()).hexdigest(),
        }

    def _text(self, key: str) -> str | None:
        value = self.parts.fields.get(key)
        if value is None or isinstance(value, str):
            return value
        self._add("wrong_type", f"{key} is {_kind(value)}, not a text", key, hint="put it in quotes")
        return None

    def _tools(self) -> list[str]:
        tools = self.parts.fields.get("tools")
        if tools is None:
            return []
        if isinstance(tools, str):
            return [tool for part in _at_commas(tools) if (tool := part.strip())]
        if isinstance(tools, list) and all(isinstance(tool, str) for tool in tools):
            return [tool for part in tools if (tool := part.strip())]
        self._add("wrong_type", "tools is neither a text nor a list of texts", "tools", hint="write tools: Read, Grep")
        return []

    def _notes(self) -> list[Problem]:
        notes = []
        for key in self.parts.fields:
            if key in BESIDE:
                hint = f"write {key} beside $agent_md in the Blueprint"
                notes.append(self._problem("frontmatter_field", f"{key} is not read from an agent file", key, hint))
            elif key not in (*KNOWN, *ELSEWHERE) and (near := get_close_matches(key, KNOWN, n=1, cutoff=0.75)):
                message = f"the unknown field {key[:80]!r} is kept under extras"
                notes.append(self._problem("frontmatter_field", message, key, f"did you mean {near[0]!r}?"))
        return notes

    def _add(self, code: str, message: str, key: str, hint: str) -> None:
        self.problems.append(self._problem(code, message, key, hint, Severity.ERROR))

    def _problem(self, code: str, message: str, key: str, hint: str, severity: Severity = Severity.WARNING) -> Problem:
        line, column = locate(self.parts.positions, f"$.{key}") or (1, 1)
        return Problem(
            code=code,
            message=message,
            path=f"$.{key}",
            severity=severity,
            hint=hint,
            file=self.path,
            line=line,
            column=column,
        )


def _kind(value: Any) -> str:
    kinds = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "a mapping"}
    return kinds.get(type(value), type(value).__name__)


def _at_commas(text: str) -> list[str]:
    """Return what stands between commas; those within parentheses belong to a tool, as in `Bash(git add, git rm)`."""
    parts, depth = [""], 0
    for character in text:
        depth = max(0, depth + (character == "(") - (character == ")"))
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return parts

"""The system prompt of an agent: a template whose slots are filled from the input of each attempt."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import define, field

from swarm_core.contracts import Processes
from swarm_core.errors import DocumentError, SpawnFailed
from swarm_core.model.blueprint import AgentDef, Blueprint
from swarm_core.model.call import to_text
from swarm_core.model.problem import Problem
from swarm_core.prompts import jinja

LIMIT = 1024 * 1024  # characters of a rendered prompt
SECONDS = 3.0
_SMALL = 16 * 1024  # characters of an input over which a loop is rendered in this process
_AT_ONCE = 2
_LIMITS = {"as": 512 * 1024 * 1024, "cpu": 5, "fsize": 0, "nofile": 16, "nproc": 0, "core": 0}


@define(eq=False)
class SystemPrompt:
    """A template that was found to be right.

    One that takes its input as it is, or goes over it once, is rendered here. Any other might never end, so it is
    rendered in a process of its own that has limits.
    """

    template: str
    _processes: Processes
    _fixed: bool
    _plain: bool
    _loops: bool
    _turns: asyncio.Semaphore = field(factory=lambda: asyncio.Semaphore(_AT_ONCE))

    @classmethod
    def of(cls, template: str, processes: Processes) -> SystemPrompt:
        """Read a template; raises TemplateFault."""
        if not any(mark in template for mark in jinja.MARKS):
            return cls(template, processes, fixed=True, plain=True, loops=False)
        tree = jinja.parse(template)
        return cls(template, processes, fixed=False, plain=jinja.is_plain(tree), loops=jinja.has_loop(tree))

    @classmethod
    def of_agent(cls, agent: AgentDef, blueprint: Blueprint, processes: Processes) -> SystemPrompt:
        """Read the prompt of an agent's profile, empty when it has none; raises DocumentError, with the line."""
        try:
            return cls.of(agent.profile.system_prompt if agent.profile else "", processes)
        except jinja.TemplateFault as error:
            raise DocumentError([_problem(agent, blueprint, error)]) from None

    async def render(self, input: Any) -> str | None:
        """Return the prompt for an attempt's input, None when the agent has none.

        The slots are the keys of an object; any other input is the slot `directive`, as text. Raises: SpawnFailed.
        """
        if self._fixed:
            return self.template or None
        slots = input if isinstance(input, Mapping) else {"directive": _text(input)}
        try:
            if self._plain and (not self._loops or len(to_text(input)) <= _SMALL):
                return jinja.rendered(self.template, slots, LIMIT)
            async with self._turns:
                return await self._elsewhere(slots)
        except jinja.TemplateFault as error:
            names = ", ".join(map(str, slots)) or "none"
            raise SpawnFailed(f"render system_prompt: {error}", hint=f"slots of this input: {names}"[:500]) from None

    async def _elsewhere(self, slots: Mapping[str, Any]) -> str:
        """Render in a process of its own; raises TemplateFault, SpawnFailed."""
        process = await self._processes.start(_command(), env={}, cwd="/", limits=_LIMITS)
        order = {"template": self.template, "slots": slots, "limit": LIMIT}
        try:
            async with asyncio.timeout(SECONDS):
                await process.write(json.dumps(order).encode())
                process.close_stdin()
                answer = bytearray()
                while piece := await process.read_stdout(65536):
                    answer += piece
            told = json.loads(answer)
        except TimeoutError:
            raise jinja.TemplateFault(f"it takes more than {SECONDS:g} s") from None
        except (BrokenPipeError, ValueError):
            raise jinja.TemplateFault("it takes more memory or time than a system prompt may") from None
        finally:
            await process.kill()
        if "text" not in told:
            raise jinja.TemplateFault(told["error"])
        text: str = told["text"]
        return text


def _problem(agent: AgentDef, blueprint: Blueprint, error: jinja.TemplateFault) -> Problem:
    names = [one.name for one in blueprint.agents]
    place = f"$.agents[{names.index(agent.name)}]" if agent.name in names else "$"
    hint = "the prompt is a Jinja template; text with braces stands in {% raw %} ... {% endraw %}"
    path = f"{place}.profile.system_prompt"
    return Problem(code="invalid_spec", message=f"system_prompt, {error}", path=path, hint=hint)


def _text(input: Any) -> str:
    return input if isinstance(input, str) else to_text(input)


def _command() -> list[str]:
    folders = []
    for name in ("jinja2", "markupsafe"):
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            raise SpawnFailed(f"{name} is not installed", hint="pip install Jinja2")
        folders.append(str(Path(found.origin).parent.parent))
    return [sys.executable, "-I", "-S", "-B", str(Path(jinja.__file__)), *folders]

"""The system prompt of an agent: a Jinja template whose slots are filled from the input of each attempt."""

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
from swarm_core.errors import SpawnFailed
from swarm_core.model.call import to_text
from swarm_plugin_llm import render

LIMIT = 1024 * 1024  # characters of a rendered prompt
SECONDS = 3.0
_AT_ONCE = 2
_LIMITS = {"as": 512 * 1024 * 1024, "cpu": 5, "fsize": 0, "nofile": 16, "nproc": 0, "core": 0}


@define(eq=False)
class SystemPrompt:
    """A template that was found to be right.

    One that only puts values in their places is rendered here. Any other might never end, so it is rendered in a
    process of its own that has limits, which takes some 100 ms.
    """

    template: str
    _processes: Processes
    _fixed: bool
    _simple: bool
    _turns: asyncio.Semaphore = field(factory=lambda: asyncio.Semaphore(_AT_ONCE))

    @classmethod
    def of(cls, template: str, processes: Processes) -> SystemPrompt:
        """Read a template; raises TemplateFault."""
        fixed = not any(mark in template for mark in ("{{", "{%", "{#"))
        return cls(template, processes, fixed=fixed, simple=fixed or render.is_simple(template))

    async def render(self, input: Any) -> str:
        """Return the prompt for an attempt's input, empty when the agent has none.

        The slots are the keys of an object; any other input is the slot `directive`, as text. Raises: SpawnFailed.
        """
        if self._fixed:
            return self.template
        slots = input if isinstance(input, Mapping) else {"directive": _text(input)}
        try:
            if self._simple:
                return render.rendered(self.template, slots, LIMIT)
            async with self._turns:
                return await self._elsewhere(slots)
        except render.TemplateFault as error:
            names = ", ".join(map(str, slots)) or "none"
            raise SpawnFailed(f"render system_prompt: {error}", hint=f"slots of this input: {names}"[:500]) from None

    async def _elsewhere(self, slots: Mapping[str, Any]) -> str:
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
            raise render.TemplateFault(f"it takes more than {SECONDS:g} s") from None
        except (BrokenPipeError, ValueError):
            raise render.TemplateFault("it takes more memory or time than a system prompt may") from None
        finally:
            await process.kill()
        if "text" not in told:
            raise render.TemplateFault(told["error"])
        text: str = told["text"]
        return text


def _text(input: Any) -> str:
    return input if isinstance(input, str) else to_text(input)


def _command() -> list[str]:
    folders = []
    for name in ("jinja2", "markupsafe"):
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            raise SpawnFailed(f"{name} is not installed", hint="pip install swarm-plugin-llm")
        folders.append(str(Path(found.origin).parent.parent))
    return [sys.executable, "-I", "-S", "-B", str(Path(render.__file__)), *folders]

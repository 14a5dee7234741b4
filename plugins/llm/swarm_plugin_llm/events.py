"""What watchers are told: pieces of answers as they come, and facts of each call in the words of OpenTelemetry."""

from __future__ import annotations

import time
from typing import Any

from attrs import define, field

from swarm_core.contracts import AttemptContext
from swarm_core.model.output import Partial
from swarm_plugin_llm.chat import Answer
from swarm_plugin_llm.settings import Provider

_ENOUGH, _SECONDS = 400, 0.5


@define
class Partials:
    """Emits an answer in pieces of some size, or after some time: each is an entry of the run's journal."""

    _context: AttemptContext
    _wanted: bool
    _held: list[str] = field(factory=list)
    _since: float = field(factory=time.monotonic)

    def heard(self, text: str) -> None:
        """Take a piece of the answer."""
        if not self._wanted:
            return
        self._held.append(text)
        if sum(map(len, self._held)) >= _ENOUGH or time.monotonic() - self._since >= _SECONDS:
            self.flush()

    def flush(self) -> None:
        """Emit what is held."""
        if self._held:
            self._context.emit(Partial("".join(self._held)))
        self._held.clear()
        self._since = time.monotonic()


def chat_facts(answer: Answer, provider: Provider, model: str, elapsed: float) -> dict[str, Any]:
    """Return the facts of the event `llm_chat`; `attributes` are those of OpenTelemetry's GenAI conventions."""
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider.name,
        "gen_ai.request.model": model,
        "gen_ai.response.model": answer.model,
        "gen_ai.response.finish_reasons": [answer.finish] if answer.finish else None,
        "gen_ai.usage.input_tokens": answer.input_tokens,
        "gen_ai.usage.output_tokens": answer.output_tokens,
    }
    told = {name: value for name, value in attributes.items() if value is not None}
    return {"calls": len(answer.calls), "retries": answer.retries, "elapsed": round(elapsed, 6), "attributes": told}

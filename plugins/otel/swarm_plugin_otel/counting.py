"""Metrics: how many runs ended how, how long they and their attempts took, and what models were asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.metrics import Meter

_TOKENS = {"gen_ai.usage.input_tokens": "input", "gen_ai.usage.output_tokens": "output"}
_MODEL = ("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model")


class Counting:
    """The instruments; those of model calls are named as the semantic conventions have them."""

    def __init__(self, meter: Meter) -> None:
        self._runs = meter.create_counter("swarm.runs", "{run}", "Runs that have ended")
        self._run = meter.create_histogram("swarm.run.duration", "s", "How long runs took here, to their end")
        self._attempt = meter.create_histogram("swarm.attempt.duration", "s", "How long attempts took")
        self._chat = meter.create_histogram("gen_ai.client.operation.duration", "s", "How long calls of models took")
        self._tokens = meter.create_histogram("gen_ai.client.token.usage", "{token}", "Tokens that models used")

    def run_ended(self, blueprint: str, status: str, seconds: float) -> None:
        """Count a run."""
        facts = {"gen_ai.workflow.name": blueprint, "swarm.run.status": status}
        self._runs.add(1, facts)
        self._run.record(max(0.0, seconds), facts)

    def attempt_ended(self, agent: str, seconds: float, *, ok: bool) -> None:
        """Count an attempt."""
        self._attempt.record(max(0.0, seconds), {"gen_ai.agent.name": agent, "swarm.attempt.ok": ok})

    def chatted(self, facts: Mapping[str, Any], seconds: float) -> None:
        """Count a call of a model."""
        about = {name: facts[name] for name in _MODEL if name in facts}
        self._chat.record(seconds, about)
        for name, kind in _TOKENS.items():
            if name in facts:
                self._tokens.record(facts[name], {**about, "gen_ai.token.type": kind})

"""What a conversation costs: tokens and money, told to the budgets as it comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, field

from swarm_core.contracts import AttemptContext
from swarm_core.model.call import to_text
from swarm_plugin_llm.chat import Answer
from swarm_plugin_llm.settings import Provider

_CHARACTERS = 4  # of a token, where a server does not count


@define
class Usage:
    """The sums of one attempt. `estimated` says that a server did not count, so that characters were counted."""

    _provider: Provider
    spent: dict[str, float] = field(factory=dict)
    estimated: bool = False

    def add(self, answer: Answer, messages: Sequence[Mapping[str, Any]], model: str, context: AttemptContext) -> None:
        """Add one answer, whole or cut, and tell the budgets; raises BudgetExceeded."""
        into, out = answer.input_tokens, answer.output_tokens
        if into is None or out is None:
            self.estimated = True
            into = _estimated(sum(len(to_text(message)) for message in messages)) if into is None else into
            out = _estimated(answer.size) if out is None else out
        amounts: dict[str, float] = {"tokens": into + out, "input_tokens": into, "output_tokens": out}
        prices = self._provider.prices.get(model)
        if prices is not None:
            amounts["cost"] = (into * prices.input + out * prices.output) / 1_000_000
        for name, amount in amounts.items():
            self.spent[name] = self.spent.get(name, 0) + amount
        context.spend(**amounts)

    def as_fact(self) -> dict[str, Any]:
        """Return the sums as a fact of a result; what was told to the budgets stands a level deeper."""
        return {"spent": dict(self.spent), **({"estimated": True} if self.estimated else {})}


def _estimated(characters: int) -> int:
    return -(-characters // _CHARACTERS)

"""An answer's text as the value of a result."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from swarm_core.codec.json_schema import misfit
from swarm_core.model.call import to_text
from swarm_core.model.value import NotJson, json_copy
from swarm_plugin_llm.spec import LlmSpec, Output

_FENCE = re.compile(r"\A\s*```[A-Za-z]*[ \t]*\n(.*?)\n?[ \t]*```\s*\Z", re.DOTALL)


class Misfit(Exception):
    """An answer is not what the agent's spec says; the text says why, so that the model can do better."""


@frozen
class Reader:
    """Reads answers as an agent's spec says."""

    output: Output
    schema: Any = None

    @classmethod
    def of(cls, spec: LlmSpec) -> Reader:
        """Return the reader of a spec; with a schema, an answer is JSON."""
        return cls("json" if spec.output_schema is not None else spec.output, spec.output_schema)

    def instructions(self) -> str | None:
        """Return what a model has to be told of the form of its answer, None when it is free."""
        if self.output != "json":
            return None
        if self.schema is None:
            return "Answer with exactly one JSON value and nothing else."
        return (
            f"Answer with exactly one JSON value and nothing else. It must fit this JSON Schema: {to_text(self.schema)}"
        )

    def read(self, text: str) -> Any:
        """Return the value of an answer; raises Misfit."""
        if self.output == "text":
            return text
        bare = _bare(text)
        if self.output == "auto" and not bare.startswith(("{", "[")):
            return text.strip()
        try:
            value = json_copy(json.loads(bare))
        except (ValueError, RecursionError, NotJson) as error:
            if self.output == "auto":
                return text.strip()
            reason = (
                f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else "it is not JSON"
            )
            raise Misfit(f"it is no JSON value ({reason})") from None
        if self.schema is not None and (fault := misfit(self.schema, value)) is not None:
            raise Misfit(f"it does not fit the schema: {fault}")
        return value


def _bare(text: str) -> str:
    """Return a text without a fence of backticks around the whole of it."""
    fenced = _FENCE.match(text)
    return (fenced[1] if fenced else text).strip()


def unrepaired(input: Any, note: Mapping[str, Any]) -> Any:
    """Return an attempt's input without what the `verdict` layer put there: a conversation says it at its end."""
    text = f"\n\n{note['text']}"
    if isinstance(input, str):
        return input.removesuffix(text)
    if isinstance(input, Mapping) and input.get("repair") == note:
        return {name: value for name, value in input.items() if name != "repair"}
    return input

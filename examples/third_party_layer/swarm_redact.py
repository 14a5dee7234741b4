"""A layer that keeps secrets out of results: what looks like one is replaced before anybody sees it."""

import re
from typing import Any

from attrs import evolve, field, frozen

from swarm_core.contracts import Run, SpawnerLayer
from swarm_core.factories import Environment, LayerFactory, Stage
from swarm_core.hookspecs import hookimpl
from swarm_core.model.call import Call, Result

SWARM_API = 1

USUAL = (r"\bsk-[A-Za-z0-9]{16,}", r"\bAKIA[0-9A-Z]{16}\b", r"-----BEGIN [A-Z ]*PRIVATE KEY-----")


@frozen(kw_only=True)
class RedactOptions:
    """Regular expressions of what is a secret, beside the usual ones, and what takes its place."""

    patterns: list[str] = field(factory=list)
    mask: str = "[redacted]"


class Redact(SpawnerLayer):
    """Replaces secrets in results, keys of objects included, and says how many there were."""

    def __init__(self, options: RedactOptions) -> None:
        self._secret = re.compile("|".join(f"(?:{each})" for each in (*USUAL, *options.patterns)))
        self._mask = options.mask

    async def run(self, call: Call, inner: Run) -> Result:
        """Carry out the attempt and mask its result."""
        result = await inner(call)
        value, count = self._masked(result.value)
        if not count:
            return result
        call.context.publish("secrets_redacted", agent=call.agent, count=count)
        return evolve(result, value=value)

    def _masked(self, value: Any) -> tuple[Any, int]:
        if isinstance(value, str):
            return self._secret.subn(lambda _: self._mask, value)
        if isinstance(value, list):
            parts = [self._masked(each) for each in value]
            return [each for each, _ in parts], sum(count for _, count in parts)
        if isinstance(value, dict):
            pairs = [(self._masked(key), self._masked(each)) for key, each in value.items()]
            return {key[0]: each[0] for key, each in pairs}, sum(key[1] + each[1] for key, each in pairs)
        return value, 0


@hookimpl
def swarm_register_layers() -> list[LayerFactory]:
    """Provide the layer; those outside of it, of RECOVER and OBSERVE, see what it made of a result."""

    def build(options: RedactOptions, environment: Environment) -> SpawnerLayer:
        try:
            return Redact(options)
        except re.error as error:
            raise ValueError(f"'patterns' are regular expressions: {error}") from None

    return [LayerFactory("redact", Stage.ATTEND, build, options=RedactOptions, summary="masks secrets in results")]

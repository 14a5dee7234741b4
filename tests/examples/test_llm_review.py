"""The review by a language model: with the stand-in of the example, and with a server that speaks the protocol."""

import asyncio
import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "llm_review"
REVIEW = EXAMPLE / "llm_review.yaml"
KEY = "sk-canary-0123456789"


@pytest.fixture
def wire():
    """The protocol server of the plugin's tests."""
    spec = importlib.util.spec_from_file_location("wire", ROOT / "plugins" / "llm" / "tests" / "model_server.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "good.py").write_text("x = 1\n")
    (folder / "bad.py").write_text("x = (\n")
    return folder


async def run(*command, **told):
    """Run a command and return its exit code, stdout as JSON where it is some, and stderr."""
    gone = {name: value for name, value in os.environ.items() if not name.startswith("SWARM_LLM")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *map(str, command),
        env={**gone, **told},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    out, err = await process.communicate()
    return process.returncode, json.loads(out) if out.startswith(b"{") else out, err.decode()


def review(tree, *more):
    here = ["--set", f"path={tree}", "--set", f"work_dir={tree.parent}/out", "--store", "memory://", "--quiet"]
    return ["run", REVIEW, *here, *more]


async def test_it_runs_without_a_model_as_its_readme_says(tree):
    code, ended, err = await run(EXAMPLE / "stand_in.py", "swarm", *review(tree))

    assert 0 == code, err
    assert ("escalated", 2, 1) == (ended["outcome"], ended["files"], ended["left"])
    assert "| bad.py | BLOCKED |" in Path(ended["report"]).read_text()


async def test_it_runs_with_any_endpoint_that_two_variables_name(tree, wire):
    def answer(asked):
        name = json.loads(asked.messages[-1]["content"])["name"]
        return wire.says(json.dumps({"verdict": "PASS", "findings": [{"line": 1, "text": f"{name} is short."}]}))

    async with wire.model_server() as server:
        server.script(wire.thinks(answer))
        told = {"SWARM_LLM_BASE_URL": server.url, "SWARM_LLM_API_KEY": KEY}
        code, ended, err = await run("-m", "swarm_core", *review(tree), **told)

    assert 0 == code, err
    assert ("passed", 2, 0) == (ended["outcome"], ended["files"], ended["left"])
    assert "- `good.py`, line 1: good.py is short." in Path(ended["report"]).read_text()
    assert {"tiny"} == {asked.body["model"] for asked in server.asked}, "the only model of the server"
    assert {f"Bearer {KEY}"} == {asked.headers["authorization"] for asked in server.asked}


async def test_an_answer_that_breaks_its_promise_is_a_file_for_people(tree, wire):
    async with wire.model_server() as server:
        server.script(wire.says('{"verdict": "FINE"}'))
        code, ended, err = await run("-m", "swarm_core", *review(tree), SWARM_LLM_BASE_URL=server.url)

    assert 0 == code, err
    assert ("escalated", 2) == (ended["outcome"], ended["left"])


async def test_a_key_that_is_refused_ends_with_what_to_do_and_without_the_key(tree, wire):
    async with wire.model_server() as server:
        server.script(wire.fails(401, f"Incorrect API key provided: {KEY}"))
        told = {"SWARM_LLM_BASE_URL": server.url, "SWARM_LLM_API_KEY": KEY, "SWARM_LLM_MODEL": "tiny"}
        _, ended, err = await run("-m", "swarm_core", *review(tree), **told)

    report = (tree.parent / "out" / "report.md").read_text()
    assert "is the key in SWARM_LLM_API_KEY right?" in report
    assert KEY not in report + err + json.dumps(ended)


async def test_without_an_endpoint_it_says_which_variable_to_set(tree):
    _, _, err = await run("-m", "swarm_core", *review(tree))

    assert "export SWARM_LLM_BASE_URL" in (tree.parent / "out" / "report.md").read_text() + err

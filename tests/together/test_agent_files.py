"""Agents in Markdown, as the compiler and the worker get them."""

import json
from pathlib import Path

import pytest

from swarm_core import Swarm, function
from swarm_core.model.blueprint import AgentDef, AgentProfile

REVIEWER = "---\nname: reviewer\ndescription: Reads\ntools: Read, Grep\nmemory: user\n---\nYou {{ review }}.\n"
PATH = {"op": "path", "at": "$"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents/reviewer.md").write_text(REVIEWER)
    return tmp_path


def write(folder: Path, agents, **fields) -> Path:
    flow = {"kind": "step", "ref": "reviewer", "in": PATH, "out": PATH}
    path = folder / "bp.json"
    path.write_text(json.dumps({"id": "bp", "flow": flow, "agents": agents, **fields}))
    return path


@pytest.mark.needs("agents_md")
async def test_row_42_a_file_is_an_agent_of_the_blueprint(folder):
    async with Swarm.open() as swarm:
        blueprint = swarm.read(write(folder, [{"$agent_md": "agents/reviewer.md"}])).blueprint

    (agent,) = blueprint.agents
    assert agent == AgentDef(
        name="reviewer",
        kind="operator",
        profile=AgentProfile(
            system_prompt="You {{ review }}.\n",
            description="Reads",
            tools=("Read", "Grep"),
            extras={"memory": "user"},
            version_hash=agent.profile.version_hash,
        ),
    )


@pytest.mark.needs("agents_md")
async def test_row_41_siblings_win_and_the_blueprint_gives_the_kind(folder):
    agents = [{"$agent_md": "agents/reviewer.md", "name": "other"}, {"$agents_md": "agents", "kind": "function"}]

    async with Swarm.open() as swarm:
        blueprint = swarm.read(write(folder, agents, default_agent_kind="lua")).blueprint

    assert [("other", "lua"), ("reviewer", "function")] == [(agent.name, agent.kind) for agent in blueprint.agents]


@pytest.mark.needs("agents_md")
async def test_a_run_keeps_the_agents_that_its_files_had(folder):
    """A run is pinned to its Blueprint, files included: what is changed afterwards is another Blueprint."""

    @function("work")
    def work(ctx):
        return "done"

    agents = {"$agents_md": "agents", "kind": "function", "spec": {"fn_id": "work"}}
    path = write(folder, agents)
    hashes = []
    async with Swarm.open(functions=[work], store="memory://") as swarm:
        for _ in range(2):
            launched = await swarm.launch(path)
            assert "done" == (await launched.wait()).final_ctx
            hashes.append((await swarm.store.get(launched.id)).blueprint_hash)
            (folder / "agents/reviewer.md").write_text(REVIEWER + "And be kind.\n")

    assert hashes[0] != hashes[1]


@pytest.mark.needs("agents_md")
async def test_what_directives_note_is_told_and_refuses_nothing(folder):
    (folder / "agents/README.md").write_text("No agent.")
    (folder / "agents/reviewer.md").write_text(REVIEWER.replace("memory:", "modle:"))
    path = write(folder, {"$agents_md": "agents", "kind": "function", "spec": {"fn_id": "identity"}})

    async with Swarm.open() as swarm:
        noted = [problem for problem in swarm.check(path) if problem.file != str(path)]
        swarm.prepare(path)

    assert [("frontmatter_field", "warning"), ("no_frontmatter", "note")] == sorted(
        (problem.code, str(problem.severity)) for problem in noted
    )
    assert {str(folder / "agents/README.md"), str(folder / "agents/reviewer.md")} == {problem.file for problem in noted}

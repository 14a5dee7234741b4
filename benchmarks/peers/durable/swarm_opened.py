"""An open swarm with a SQLite store and one agent."""

from contextlib import asynccontextmanager

from peers import swarm as memory

URL = "sqlite:///swarm.db"
RELAXED = f"{URL}?durability=relaxed"
ASKS = {"name": "person", "kind": "ask"}


@asynccontextmanager
async def opened(work, flow, store=URL, *more_agents):
    """Open an engine with the agent `work` and others, and prepare the flow for them."""
    from swarm_core import Swarm

    blueprint = memory.blueprint("work", flow)
    blueprint["agents"] += more_agents
    async with Swarm.open(plugins=(), functions={"work": work}, store=store) as swarm:
        yield swarm, swarm.prepare(blueprint)

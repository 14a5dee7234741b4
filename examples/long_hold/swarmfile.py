"""The worker of the long-hold example."""

import asyncio

from swarm_core import function


@function
async def brew(seconds):
    """Take so many seconds."""
    await asyncio.sleep(seconds)
    return f"brewed for {seconds:g} s"

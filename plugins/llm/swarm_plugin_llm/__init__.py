"""Language models as workers: the kind `llm`, and the tools that its agents may be given."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from swarm_core.factories import SpawnerFactory
from swarm_core.hookspecs import hookimpl
from swarm_core.settings import Settings
from swarm_plugin_llm.kind import LLM_KIND
from swarm_plugin_llm.own_tools import OWN_TOOLS
from swarm_plugin_llm.settings import read_settings

if TYPE_CHECKING:
    from swarm_core.tools import Tool

__all__ = ["SWARM_API"]

SWARM_API = 1


@hookimpl
def swarm_register_spawners() -> list[SpawnerFactory]:
    """Provide the kind `llm`, also as `agent_block`."""
    return [LLM_KIND]


@hookimpl
def swarm_register_tools() -> list[Tool]:
    """Provide the tools `read_data`, `ask_senior` and `emit_output`."""
    return list(OWN_TOOLS)


@hookimpl
def swarm_configure(settings: Settings) -> None:
    """Check the section `[plugin.llm]`."""
    read_settings(settings)


@hookimpl
def swarm_lifespan(swarm: Any) -> AbstractAsyncContextManager[None]:
    """Close the connections to the models when the swarm closes."""
    from swarm_plugin_llm.clients import open_clients

    return open_clients(swarm.services)

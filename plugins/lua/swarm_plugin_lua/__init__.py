"""Lua: workers, a layer and Blueprints that are scripts, each run in a fresh runtime inside a locked process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from swarm_core.contracts import BlueprintReader
from swarm_core.factories import LayerFactory, ReaderFactory, SpawnerFactory
from swarm_core.hookspecs import hookimpl
from swarm_core.settings import Settings
from swarm_plugin_lua.layer import LUA_LAYER
from swarm_plugin_lua.pool import LuaPool, open_pool
from swarm_plugin_lua.settings import read_settings
from swarm_plugin_lua.spawner import LUA_KIND

__all__ = ["SWARM_API", "LuaPool", "open_pool"]

SWARM_API = 1


@hookimpl
def swarm_register_spawners() -> list[SpawnerFactory]:
    """Provide the kind `lua`."""
    return [LUA_KIND]


@hookimpl
def swarm_register_layers() -> list[LayerFactory]:
    """Provide the layer `lua`."""
    return [LUA_LAYER]


@hookimpl
def swarm_register_readers() -> list[ReaderFactory]:
    """Provide the reader of Blueprints in Lua."""
    return [ReaderFactory(name="lua", suffixes=(".lua",), build=_reader, summary="Blueprints as Lua scripts")]


def _reader() -> BlueprintReader:
    from swarm_plugin_lua.reader import LuaReader

    return LuaReader()


@hookimpl
def swarm_configure(settings: Settings) -> None:
    """Check the section `[plugin.lua]`."""
    read_settings(settings)


@hookimpl
@asynccontextmanager
async def swarm_lifespan(swarm: Any) -> AsyncIterator[None]:
    """Keep the pool of Lua processes; none is started before a script needs it."""
    settings = read_settings(swarm.settings)
    async with open_pool(size=settings.pool_size, memory_limit=settings.memory_limit) as pool:
        swarm.services[LuaPool] = pool
        try:
            yield
        finally:
            del swarm.services[LuaPool]

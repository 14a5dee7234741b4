"""The plugins' lifespans: entered in admission order, left in reverse, each answering for itself."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any

from attrs import define, field

from swarm_core.host.plugin import Plugin

HOOK = "swarm_lifespan"


@define(eq=False, repr=False)
class Lifespan:
    """One plugin's lifespan; what it raises names the plugin, and what others raise it cannot swallow."""

    plugin: Plugin
    swarm: Any
    _manager: AbstractAsyncContextManager[Any] | None = field(default=None, init=False)

    async def __aenter__(self) -> None:
        """Enter the plugin's context manager.

        Raises: PluginInvalid.
        """
        manager = self.plugin.call(HOOK, swarm=self.swarm)
        if not isinstance(manager, AbstractAsyncContextManager):
            raise self.plugin.answered(HOOK, manager, "an async context manager")
        try:
            await manager.__aenter__()
        except Exception as error:
            raise self.plugin.raised(f"{HOOK}, while it was opened,", error) from error
        self._manager = manager

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the plugin's context manager.

        Raises: PluginInvalid, when the plugin raises something of its own.
        """
        assert self._manager is not None, "left without having been entered"
        try:
            await self._manager.__aexit__(kind, error, trace)
        except Exception as own:
            if own is not error:
                raise self.plugin.raised(f"{HOOK}, while it was closed,", own) from own

"""Where the tools find what they work on: the place that runs are carried out in, and the seats that were taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define, field

from swarm_core.errors import SwarmError
from swarm_core.settings import project_folder
from swarm_plugin_mcp.errors import ToolRefused
from swarm_plugin_mcp.on_demand import OnDemand
from swarm_plugin_mcp.others import is_here
from swarm_plugin_mcp.server_process import ServerProcess
from swarm_plugin_mcp.tools import TOOLS

if TYPE_CHECKING:
    from swarm_core.commands import CommandLine
    from swarm_core.settings import Settings
    from swarm_plugin_mcp.backend import Backend, SeatHeld
    from swarm_plugin_mcp.places import Opening
    from swarm_plugin_mcp.tool import McpTool


@define(eq=False)
class Home:
    """What all calls of this process share.

    `backend` opens the place at the first call that needs it; `use` puts another one in its stead.
    """

    line: CommandLine
    settings: Settings
    store: str | None
    server: ServerProcess
    _place: OnDemand[Backend]
    seats: dict[str, SeatHeld] = field(factory=dict, init=False)
    _errands: dict[str, asyncio.Task[Any]] = field(factory=dict, init=False)
    _joined: asyncio.Event = field(factory=asyncio.Event, init=False)

    async def backend(self) -> Backend:
        """Return where the work is done; raises what opening it raised."""
        return await self._place.get()

    async def use(self, opening: Opening) -> None:
        """Do the work elsewhere from now on; what was open is closed, its sessions end, its runs are interrupted."""
        await self.leave()
        await self._place.reopen(opening)

    async def leave(self) -> None:
        """End all sessions and errands."""
        for errand in self._errands.values():
            errand.cancel()
        await asyncio.gather(*self._errands.values(), return_exceptions=True)
        seats, self.seats = list(self.seats.values()), {}
        for seat in seats:
            with suppress(SwarmError):  # a server that is gone has no session either
                await seat.leave()

    @property
    def folder(self) -> Path:
        """The project's folder."""
        return project_folder(self.settings)

    @cached_property
    def tools(self) -> Mapping[str, McpTool]:
        """The tools that there are with the plugins that are here."""
        here = {needed for needed in {tool.needs for tool in TOOLS.values()} if is_here(needed, self.settings)}
        return {name: tool for name, tool in TOOLS.items() if tool.needs in here}

    async def errand(self, name: str, begin: Callable[[], Coroutine[Any, Any, Any]], *, timeout: float) -> Any:
        """Return whether something is done, and what came of it; who asks while it is under way waits for the same.

        It goes on when `timeout` is over or the call is cancelled.
        """
        if name not in self._errands:
            self._errands[name] = asyncio.create_task(begin())
        errand = self._errands[name]
        await asyncio.wait((errand,), timeout=timeout)
        if not errand.done():
            return False, None
        if self._errands.get(name) is errand:
            del self._errands[name]
        return True, errand.result()

    # seats -----------------------------------------------------------------------------------------------------

    def seat(self, sid: str) -> SeatHeld:
        """Return a session of this process; raises ToolRefused."""
        if sid not in self.seats:
            hint = f"sessions of this MCP server: {', '.join(self.seats) or 'none; begin one with mse_operator_join'}"
            raise ToolRefused("unknown_operator", f"no operator session {sid!r}", hint=hint)
        return self.seats[sid]

    @property
    def roles(self) -> set[str]:
        """The seats that sessions of this process sit at."""
        return {role for seat in self.seats.values() for role in (seat.sid, *seat.roles)}

    def take(self, seat: SeatHeld) -> None:
        """Note a new session."""
        self.seats[seat.sid] = seat
        self._joined.set()
        self._joined = asyncio.Event()

    async def work(self) -> None:
        """Wait until something lies in a mailbox of this process that was not read."""
        while not any(seat.mailbox.news.is_set() for seat in self.seats.values()):
            events = [self._joined, *(seat.mailbox.news for seat in self.seats.values())]
            waiting = [asyncio.ensure_future(event.wait()) for event in events]
            try:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in waiting:
                    task.cancel()


@asynccontextmanager
async def open_home(line: CommandLine, store: str | None, place: Opening) -> AsyncIterator[Home]:
    """Open what the tools share, for as long as the MCP server runs."""
    async with OnDemand(place) as opened:
        settings = line.settings()
        home = Home(line, settings, store, ServerProcess(settings, store), opened)
        try:
            yield home
        finally:
            await home.leave()

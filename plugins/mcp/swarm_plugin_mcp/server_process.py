"""The project's server as a process of its own, which outlives this one."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from attrs import define, field

from swarm_core.settings import project_folder
from swarm_plugin_mcp.errors import ToolRefused
from swarm_plugin_mcp.note import Note, folder_of, read_note

if TYPE_CHECKING:
    from pathlib import Path

    from swarm_core.settings import Settings

_PATIENCE = 30.0  # seconds for a server to begin to listen, or to end
_POLL = 0.05
_TOLD = 2000


@define(eq=False)
class ServerProcess:
    """The server of one project and store, whoever started it."""

    _settings: Settings
    _store: str | None
    _child: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def find(self) -> Note | None:
        """Return where the server listens, None when none runs."""
        if self._child is not None:
            self._child.poll()  # one that has ended is otherwise still there, as a zombie
        return read_note(folder_of(self._settings, self._store))

    async def start(self, *, port: int) -> tuple[bool, Note]:
        """Start a server unless one runs; return whether it was started, and where it listens. Raises: ToolRefused."""
        running = self.find()
        if running is not None:
            return False, running
        missing = [f"swarm-plugin-{name}" for name in ("server", "client") if not find_spec(f"swarm_plugin_{name}")]
        if missing:
            hint = f"pip install {' '.join(missing)}"
            raise ToolRefused("not_installed", "a server needs plugins that are not installed", hint=hint)
        log = folder_of(self._settings, self._store) / "server.log"
        self._child = _spawn(self._command(port), project_folder(self._settings), log)
        note = await self._listening(self._child)
        if note is None:
            raise ToolRefused("not_started", "the server did not start", hint=_end_of(log))
        return True, note

    async def stop(self) -> Note | None:
        """Stop the server, and return where it was; None when none ran. Raises: ToolRefused."""
        note = self.find()
        if note is None:
            return None
        try:
            os.kill(note.pid, signal.SIGTERM)
        except PermissionError:
            raise ToolRefused("not_yours", f"the server (process {note.pid}) is another user's") from None
        loop = asyncio.get_running_loop()
        end = loop.time() + _PATIENCE
        while (again := self.find()) is not None and again.pid == note.pid:
            if loop.time() > end:
                raise ToolRefused("not_stopped", f"the server (process {note.pid}) does not end", hint="try once more")
            await asyncio.sleep(_POLL)
        return note

    def _command(self, port: int) -> list[str]:
        config = [] if self._settings.file is None else ["--config", str(self._settings.file)]
        where = [] if self._store is None else ["--store", self._store]
        return [sys.executable, "-m", "swarm_core", *config, "serve", "--port", str(port), *where]

    async def _listening(self, process: subprocess.Popen[bytes]) -> Note | None:
        """Return where the process listens, None when it has ended or does not do it in time."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _PATIENCE
        while process.poll() is None and loop.time() < end:
            note = self.find()
            if note is not None and note.pid == process.pid:
                return note
            await asyncio.sleep(_POLL)
        return None


def _spawn(command: list[str], folder: Path, log: Path) -> subprocess.Popen[bytes]:
    log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)


def _end_of(log: Path) -> str:
    try:
        text = log.read_text(encoding="utf-8", errors="replace")[-_TOLD:].strip()
    except OSError:
        text = ""
    return f"its log {log.name} ends with: {text}" if text else f"see its log {log.name}"

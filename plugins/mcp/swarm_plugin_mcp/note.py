"""The note that a server of this project keeps beside the store: where it listens, and which process it is."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from attrs import frozen

from swarm_core.settings import project_folder, store_url

if TYPE_CHECKING:
    from swarm_core.settings import Settings

_LARGEST = 64 * 1024


@frozen(kw_only=True)
class Note:
    """A server that said where it is."""

    url: str
    pid: int
    token_file: str | None


def folder_of(settings: Settings, store: str | None) -> Path:
    """Return the folder of the run store's file, without one the project's `.swarm`."""
    scheme, _, path = store_url(settings, store).partition(":///")
    file = unquote(path.partition("?")[0])
    if scheme == "sqlite" and file:
        return Path(file).absolute().parent
    return project_folder(settings) / ".swarm"


def read_note(folder: Path) -> Note | None:
    """Return the note of a server whose process lives; None without one, or when it is no note."""
    try:
        with (folder / "server.json").open("rb") as file:
            told = json.loads(file.read(_LARGEST))
        note = Note(url=str(told["url"]), pid=int(told["pid"]), token_file=told.get("token_file"))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return note if note.pid > 1 and lives(note.pid) else None


def lives(pid: int) -> bool:
    """Tell whether there is a process of this number."""
    with suppress(PermissionError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True

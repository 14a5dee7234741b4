"""Where a server keeps what is its own: its token, and a note of where it listens."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from swarm_core.serving import LiveSwarm
from swarm_core.settings import project_folder
from swarm_plugin_server.settings import ServerSettings

TOKEN, NOTE = "server.token", "server.json"


def folder_of(swarm: LiveSwarm) -> Path:
    """Return the folder of the run store's file, without one the project's `.swarm`."""
    scheme, _, path = (swarm.store.url if swarm.store is not None else "").partition(":///")
    file = unquote(path.partition("?")[0])
    if scheme == "sqlite" and file:
        return Path(file).absolute().parent
    return project_folder(swarm.settings) / ".swarm"


def token_file(settings: ServerSettings, swarm: LiveSwarm) -> Path:
    """Return the file of the server's token."""
    return (settings.token_file or folder_of(swarm) / TOKEN).absolute()


@contextmanager
def announced(facts: Mapping[str, Any], swarm: LiveSwarm) -> Iterator[None]:
    """Keep a note beside the store, for programs on this machine that look for a server: url, token_file, pid.

    It is removed at the end, unless another server has written its own meanwhile.
    """
    note, text = folder_of(swarm) / NOTE, json.dumps(facts, ensure_ascii=False) + "\n"
    with suppress(OSError):  # nobody has to find it
        note.parent.mkdir(parents=True, exist_ok=True)
        draft = note.with_name(f"{NOTE}.{os.getpid()}")
        draft.write_text(text, encoding="utf-8")
        draft.chmod(0o600)
        draft.replace(note)
    try:
        yield
    finally:
        with suppress(OSError):
            if note.read_text(encoding="utf-8") == text:
                note.unlink()

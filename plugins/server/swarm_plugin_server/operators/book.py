"""The book of operator sessions: a file beside the store, so that sessions outlive the server."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile

from attrs import field, frozen

from swarm_core.codec import Limits, load_json, structure, unstructure
from swarm_core.errors import DocumentError, SettingsError

_VERSION = 1
_LARGEST = Limits(size=64 * 1024 * 1024, values=1_000_000)


@frozen(kw_only=True)
class SessionRecord:
    """A session as it is written down. Of its token only the SHA-256 is kept; `roles` have their generations."""

    sid: str
    digest: str = field(repr=False)
    created_at: float
    seen_at: float
    roles: Mapping[str, int] = field(factory=dict)
    sat: bool = False


@frozen(kw_only=True)
class Page:
    """The file's content. `generations` are those of all roles that were ever given, the highest of each."""

    version: int
    sessions: tuple[SessionRecord, ...] = ()
    generations: Mapping[str, int] = field(factory=dict)


@frozen
class Book:
    """The file, or nothing where the store is in memory. Writers take turns."""

    file: Path | None
    _turn: asyncio.Lock = field(factory=asyncio.Lock)

    def read(self) -> Page:
        """Return what is written down; raises SettingsError, when the file cannot be read as a book."""
        if self.file is None:
            return Page(version=_VERSION)
        try:
            data = self.file.read_bytes()
        except FileNotFoundError:
            return Page(version=_VERSION)
        except OSError as error:
            raise SettingsError(f"the operators' sessions cannot be read from {self.file}: {error.strerror}") from None
        return self._page(data)

    def _page(self, data: bytes) -> Page:
        try:
            page = structure(load_json(data, name=str(self.file), limits=_LARGEST).value, Page)
        except DocumentError as error:
            hint = "move the file away: operators join anew then"
            raise SettingsError(f"the operators' sessions in {self.file} cannot be read: {error}", hint=hint) from None
        if page.version != _VERSION:
            raise SettingsError(f"{self.file} is of version {page.version}, and this program reads {_VERSION}")
        return page

    async def write(self, sessions: Iterable[SessionRecord], generations: Mapping[str, int]) -> None:
        """Write everything down anew; when this returns it is on disk. Raises: OSError."""
        if self.file is not None:
            page = Page(version=_VERSION, sessions=tuple(sessions), generations=dict(generations))
            text = json.dumps(unstructure(page), separators=(",", ":"))
            async with self._turn:
                await asyncio.to_thread(_replace, self.file, text)


def _replace(file: Path, text: str) -> None:
    """Put a text in a file's place, readable by its owner only, whole or not at all."""
    with NamedTemporaryFile("w", dir=file.parent, prefix=f".{file.name}.", encoding="utf-8", delete=False) as new:
        try:
            new.write(text)
            new.flush()
            os.fsync(new.fileno())
            Path(new.name).replace(file)
        except BaseException:
            Path(new.name).unlink()
            raise
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

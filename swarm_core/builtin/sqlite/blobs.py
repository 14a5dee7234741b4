"""Large values by the digest of their bytes: in the file, or compressed beside it when they are very large."""

from __future__ import annotations

import os
import re
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from time import time

from swarm_core.builtin.sqlite.file import sync
from swarm_core.builtin.sqlite.texts import sound
from swarm_core.errors import OutputNotFound, StoreUnreadable

BESIDE = 1_000_000
"""Values of more bytes than this stand in files of their own."""

_ABANDONED = 3600.0  # seconds after which nobody writes a file any more that was never finished
_DIGEST = r"[0-9a-f]{64}\Z"
_ORPHANS = """
    SELECT num, body IS NULL FROM blobs b
    WHERE num IN (SELECT blob FROM blob_refs WHERE run = ?1)
        AND NOT EXISTS (SELECT 1 FROM blob_refs r WHERE r.blob = b.num AND r.run != ?1)
"""
_LINK = """
    INSERT OR IGNORE INTO blob_refs (run, blob)
    SELECT r.num, b.num FROM output_runs r, blobs b WHERE r.run_id = ? AND b.digest = ?
"""


class Blobs:
    """The large values of a store; `folder` is where those stand that are too large for the file.

    A file is written before the row that names it, and removed after that while nobody else can write: so there is
    never a row without its file, and the next sweep finds a file without its row.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write_files(self, blobs: Mapping[str, bytes]) -> None:
        """Write those that stand beside the file and are not there; takes time, belongs into a thread."""
        for digest, data in blobs.items():
            if len(data) > BESIDE and not self._is_whole(_checked(digest)):
                self._write_file(digest, data)

    def keep(self, cursor: sqlite3.Cursor, run_id: str, blobs: Mapping[str, bytes]) -> None:
        """Keep values for a run; those that are known already only get one more reference."""
        note_run(cursor, run_id)
        for digest, data in blobs.items():
            key = bytes.fromhex(_checked(digest))
            beside = len(data) > BESIDE
            if beside and not self._path(digest).exists():  # it was swept away since `write_files`
                self._write_file(digest, data)
            if not cursor.execute("SELECT 1 FROM blobs WHERE digest = ?", (key,)).fetchone():
                row = (key, len(data), None if beside else data)
                cursor.execute("INSERT INTO blobs (digest, size, body) VALUES (?, ?, ?)", row)
            cursor.execute(_LINK, (sound(run_id), key))

    def find(self, cursor: sqlite3.Cursor, digest: str) -> bytes | None:
        """Return a value that stands in the file, None when it stands beside it; raises OutputNotFound."""
        row = None
        if re.match(_DIGEST, digest):
            row = cursor.execute("SELECT body FROM blobs WHERE digest = ?", (bytes.fromhex(digest),)).fetchone()
        if row is None:
            raise OutputNotFound(digest)
        body: bytes | None = row[0]
        return body

    def read_file(self, digest: str) -> bytes:
        """Return a value that stands beside the file; takes time.

        Raises: StoreUnreadable, when it is gone; OSError.
        """
        try:
            data = self._path(digest).read_bytes()
            return zlib.decompress(data)
        except FileNotFoundError:
            raise _damaged(digest, "its file is gone") from None
        except zlib.error:
            return data  # its digest tells whether it was never compressed, or is damaged

    def forget(self, cursor: sqlite3.Cursor, number: int) -> bool:
        """Drop what only this run refers to; tell whether files are to be swept."""
        orphans = cursor.execute(_ORPHANS, (number,)).fetchall()
        cursor.execute("DELETE FROM blob_refs WHERE run = ?", (number,))
        cursor.executemany("DELETE FROM blobs WHERE num = ?", [(orphan,) for orphan, _ in orphans])
        return any(beside for _, beside in orphans)

    def sweep(self, cursor: sqlite3.Cursor) -> None:
        """Remove the files that no row names; belongs into a transaction, so that nobody refers to them meanwhile."""
        for digest, path in self._files():
            if not cursor.execute("SELECT 1 FROM blobs WHERE digest = ?", (bytes.fromhex(digest),)).fetchone():
                path.unlink(missing_ok=True)
        for path in self._folder.glob("??/new-*"):
            if path.stat().st_mtime < time() - _ABANDONED:
                path.unlink(missing_ok=True)

    def problems(self, cursor: sqlite3.Cursor) -> Iterator[str]:
        """Yield what is wrong with the values, a sentence each."""
        for (number,) in cursor.execute("SELECT num FROM blobs ORDER BY num").fetchall():
            row = cursor.execute("SELECT digest, body FROM blobs WHERE num = ?", (number,)).fetchone()
            if row is None:
                continue  # forgotten meanwhile
            digest = row[0].hex()
            try:
                verified(digest, self.read_file(digest) if row[1] is None else row[1])
            except StoreUnreadable as error:
                yield error.message
            except OSError as error:
                yield _damaged(digest, str(error)).message

    def _files(self) -> Iterable[tuple[str, Path]]:
        for path in sorted(self._folder.glob("??/*")):
            digest = path.parent.name + path.name
            if re.match(_DIGEST, digest):
                yield digest, path

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest[2:]

    def _is_whole(self, digest: str) -> bool:
        with suppress(StoreUnreadable, OSError):
            verified(digest, self.read_file(digest))
            return True
        return False

    def _write_file(self, digest: str, data: bytes) -> None:
        path = self._path(digest)
        for folder in (self._folder, path.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
        temporary = path.with_name(f"new-{os.getpid()}-{os.urandom(4).hex()}")
        try:
            with temporary.open("xb") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(zlib.compress(data, 1))  # a third of the time of level 6, for JSON nearly as small
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
        finally:
            temporary.unlink(missing_ok=True)
        for folder in (path.parent, self._folder, self._folder.parent):
            sync(folder)


def note_run(cursor: sqlite3.Cursor, run_id: str) -> None:
    """Give a run a number in the tables of outputs, unless it has one."""
    cursor.execute("INSERT OR IGNORE INTO output_runs (run_id) VALUES (?)", (sound(run_id),))


def verified(digest: str, data: bytes) -> bytes:
    """Return a value that has the digest it should have; raises StoreUnreadable."""
    if sha256(data).hexdigest() != digest:
        raise _damaged(digest, "what is there has another digest")
    return data


def _checked(digest: str) -> str:
    if not re.match(_DIGEST, digest):
        raise ValueError(f"{digest[:80]!r} is no SHA-256 as 64 hex digits")
    return digest


def _damaged(digest: str, reason: str) -> StoreUnreadable:
    hint = "a backup of the store has it; the runs that do not refer to it are not touched by it"
    return StoreUnreadable(f"the value {digest[:16]}... cannot be read: {reason}", hint=hint)

"""What SQLite and the system report, as the errors of stores."""

from __future__ import annotations

import os
import sqlite3
from errno import EACCES, ENOTDIR, EPERM, EROFS

from swarm_core.errors import StoreError, StoreUnavailable, StoreUnreadable

BACKUP = "nothing was changed; restore a backup, or move the file away to begin a new store"

_NO_TEXT = "Could not decode to UTF-8"  # Python's own words, for which there is no code
_AGAIN = "nothing was written; try again when the cause is gone"
_HELD = "nothing was written; something holds it longer than lock_timeout allows: a backup, or a tool that has it open?"
READABLE = "look at the rights of the file and its folder, and at how the file system is mounted"

# By the primary result code, the lower eight bits of what SQLite reports.
_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY: ("is locked by another process", _HELD),
    sqlite3.SQLITE_LOCKED: ("is locked by another process", _HELD),
    sqlite3.SQLITE_FULL: ("cannot be written: the disk is full", "nothing was written; make room and try again"),
    sqlite3.SQLITE_IOERR: ("cannot be read or written", _AGAIN),
    sqlite3.SQLITE_READONLY: ("cannot be written: it is read-only", READABLE),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", READABLE),
    sqlite3.SQLITE_PERM: ("cannot be opened", READABLE),
    sqlite3.SQLITE_NOMEM: ("cannot be used: there is no memory left", _AGAIN),
    sqlite3.SQLITE_TOOBIG: ("does not take a value that large", _AGAIN),
}
_UNREADABLE = {
    sqlite3.SQLITE_CORRUPT: "is damaged",
    sqlite3.SQLITE_NOTADB: "is no SQLite database",
    sqlite3.SQLITE_ERROR: "does not hold what it should",
    sqlite3.SQLITE_SCHEMA: "does not hold what it should",
}


def primary_code(error: BaseException) -> int | None:
    """Return the primary result code of an error, None when it is none of SQLite's."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def is_busy(error: BaseException) -> bool:
    """Tell whether another connection's lock is in the way."""
    return primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def told(error: sqlite3.Error, url: str) -> StoreError:
    """Return what SQLite reports as an error of stores."""
    code = primary_code(error)
    name = getattr(error, "sqlite_errorname", None)
    reason = f"{error} ({name})" if name else str(error)
    if code in _UNREADABLE:
        return StoreUnreadable(f"{_UNREADABLE[code]}: {reason}", where=url, hint=BACKUP)
    if code is None and _NO_TEXT in reason:
        return StoreUnreadable("is damaged: it holds a text that is no UTF-8", where=url, hint=BACKUP)
    what, hint = _UNAVAILABLE.get(code or 0, ("cannot be used", _AGAIN))
    return StoreUnavailable(f"{what}: {reason}", where=url, hint=hint)


def told_by_system(error: OSError, url: str) -> StoreError:
    """Return what the system reports of a path as an error of stores."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno == ENOTDIR:
        what, hint = "cannot be opened: a file stands where its folder should be", "name another path"
    elif error.errno in (EACCES, EPERM, EROFS):
        what, hint = f"cannot be opened: {reason}", READABLE
    else:
        what, hint = f"cannot be read or written: {reason}", _AGAIN
    return StoreUnavailable(what, where=url, hint=hint)

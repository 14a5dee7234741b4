"""What git's files and the system report, as the errors of stores."""

from __future__ import annotations

import os
from errno import EACCES, EDQUOT, ENOSPC, ENOTDIR, EPERM, EROFS

from swarm_core.errors import StoreError, StoreUnavailable, StoreUnreadable

REPAIR = "other Blueprints can be used; fetch what is missing from a clone, or restore a backup"

_AGAIN = "nothing was written; try again when the cause is gone"
_ROOM = "nothing was written; make room and try again"
_RIGHTS = "look at the rights of the folder, and at how the file system is mounted"


def unreadable(url: str, message: str, hint: str = REPAIR) -> StoreUnreadable:
    """Return the error that says what in a repository cannot be used."""
    return StoreUnreadable(message, where=url, hint=hint)


def told_by_system(error: OSError, url: str) -> StoreError:
    """Return what the system reports of a path as an error of stores."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno == ENOTDIR:
        what, hint = "cannot be opened: a file stands where a folder should be", "name another path"
    elif error.errno in (EACCES, EPERM, EROFS):
        what, hint = f"cannot be used: {reason}", _RIGHTS
    elif error.errno in (ENOSPC, EDQUOT):
        what, hint = f"cannot be written: {reason}", _ROOM
    else:
        what, hint = f"cannot be read or written: {reason}", _AGAIN
    return StoreUnavailable(what, where=url, hint=hint)

"""The file itself: made when it is not there, looked at before it is touched, opened."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from contextlib import closing, suppress
from pathlib import Path
from time import monotonic, sleep

from swarm_core.builtin.sqlite.place import Place
from swarm_core.builtin.sqlite.schema import APPLICATION_ID, LATEST, migrate, version_of
from swarm_core.builtin.sqlite.trouble import BACKUP, READABLE, is_busy, primary_code, told, told_by_system
from swarm_core.errors import StoreUnavailable, StoreUnreadable
from swarm_core.model.run import Durability

_OWN_FOLDER = ".swarm"
# Pages in the write-ahead log. A log that is used again from its beginning is overwritten, and syncing what is
# overwritten takes half the time of syncing what makes a file longer (125 us beside 240 us here); where commits are not
# synced, a longer log copies a page that many commits touch only once.
_CHECKPOINT = {Durability.FULL: 250, Durability.RELAXED: 4_000}
_PAUSE = 0.01  # seconds between two looks at a lock
_LEVEL = {Durability.FULL: "FULL", Durability.RELAXED: "NORMAL"}


def open_file(place: Place) -> sqlite3.Connection:
    """Return the connection that writes, to a file of the newest schema; the file is made when it is not there.

    What is there and is no store of ours, or of a newer schema, is not touched. Raises: StoreUnavailable,
    StoreUnreadable; sqlite3.OperationalError, when another process's lock is in the way.
    """
    try:
        if not _is_there(place):
            _make(place.path)
        _look(place)
        return _prepared(place)
    except OSError as error:
        raise told_by_system(error, place.url) from None
    except sqlite3.Error as error:
        if is_busy(error):
            raise
        raise told(error, place.url) from None


async def open_patiently(place: Place) -> sqlite3.Connection:
    """Return what `open_file` does, after waiting for other processes' locks in a thread; raises as `open_file`."""
    try:
        return open_file(place)
    except sqlite3.OperationalError:
        return await asyncio.to_thread(_open_when_free, place)


def _open_when_free(place: Place) -> sqlite3.Connection:
    last = monotonic() + place.lock_timeout
    while True:
        try:
            return open_file(place)
        except sqlite3.OperationalError as error:
            if monotonic() >= last:
                raise told(error, place.url) from None
        sleep(_PAUSE)


def connect(place: Place) -> sqlite3.Connection:
    """Return a connection to the file as it is; raises sqlite3.Error."""
    connection = _connect(place.path, "mode=rw")
    try:
        connection.execute(f"PRAGMA synchronous = {_LEVEL[place.durability]}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT[place.durability]}")
        connection.execute("PRAGMA cell_size_check = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: Path, how: str) -> sqlite3.Connection:
    quoted = str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return sqlite3.connect(f"file:{quoted}?{how}", uri=True, timeout=0, isolation_level=None, check_same_thread=False)


# looking -----------------------------------------------------------------------------------------------------


def _is_there(place: Place) -> bool:
    try:
        status = place.path.stat()
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(status.st_mode):
        raise StoreUnreadable("is a folder, not a file", where=place.url, hint="name a file in it")
    if not stat.S_ISREG(status.st_mode):
        raise StoreUnreadable("is no regular file", where=place.url, hint="name another path")
    if status.st_size <= 1:  # SQLite takes one byte for none
        raise StoreUnreadable("is an empty file, no store", where=place.url, hint=BACKUP)
    return True


def _look(place: Place) -> None:
    """Read the header without locks, and without files beside it: what is not ours stays as it is.

    SQLite does it: a file that is opened and closed behind its back loses, in this process, the locks of a store that
    is open already (see "How to corrupt an SQLite database file").
    """
    try:
        with closing(_connect(place.path, "mode=ro&immutable=1")) as connection:
            application = connection.execute("PRAGMA application_id").fetchone()[0]
            version = version_of(connection)
    except sqlite3.DatabaseError as error:
        if primary_code(error) == sqlite3.SQLITE_CORRUPT and _has_log(place.path):
            return  # what is missing may stand in the log
        raise
    if application != APPLICATION_ID:
        raise StoreUnreadable("is a database of another program", where=place.url, hint=BACKUP)
    _require_known(version, place)
    for path in (place.path, place.path.parent):
        if not os.access(path, os.W_OK, effective_ids=True):
            raise StoreUnavailable("cannot be written: it is read-only", where=place.url, hint=READABLE)


def _require_known(version: int, place: Place) -> None:
    if version > LATEST:
        said = f"has schema version {version}, and this program knows those up to {LATEST}"
        hint = "install a newer swarm-core to use it; the file was not touched"
        raise StoreUnreadable(said, where=place.url, hint=hint)
    if version < 1:
        raise StoreUnreadable("has no schema", where=place.url, hint=BACKUP)


def _has_log(path: Path) -> bool:
    with suppress(FileNotFoundError):
        return Path(f"{path}-wal").stat().st_size > 0
    return False


def _prepared(place: Place) -> sqlite3.Connection:
    connection = connect(place)
    try:
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            _set_log_mode(connection, place)
        if version_of(connection) != LATEST:
            _migrate(connection, place)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_log_mode(connection: sqlite3.Connection, place: Place) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        said = f"is on a file system that allows no write-ahead log (mode {mode})"
        raise StoreUnavailable(said, where=place.url, hint="keep the store on a local disk of this machine")


def _migrate(connection: sqlite3.Connection, place: Place) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        _require_known(version_of(connection), place)
        migrate(connection)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    # So that the header says it too, which is what an older program looks at.
    connection.execute("PRAGMA wal_checkpoint")


# making ------------------------------------------------------------------------------------------------------


def _make(path: Path) -> None:
    """Make the file under another name and link it to its own: nobody ever sees one that is half made."""
    _make_folder(path.parent)
    temporary = path.with_name(f"{path.name}.new-{os.getpid()}-{os.urandom(4).hex()}")
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    try:
        _fill(temporary)
        with suppress(FileExistsError):  # another process was faster, and its file is as good
            _give_name(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync(path.parent)


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.name == _OWN_FOLDER:
        (folder / ".gitignore").write_text("*\n", encoding="ascii")
    sync(folder.parent)


def _fill(path: Path) -> None:
    with closing(_connect(path, "mode=rw")) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        migrate(connection)
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
    sync(path)


def _give_name(temporary: Path, path: Path) -> None:
    try:
        path.hardlink_to(temporary)
    except PermissionError:  # a file system that knows no hard links
        if not path.exists():
            temporary.rename(path)


def sync(path: Path) -> None:
    """Wait until what a file holds, or which names a folder has, is on disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Files that a Blueprint refers to: below its folder, and nothing else."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, NoReturn

from attrs import frozen

from swarm_core.errors import DocumentError
from swarm_core.model.problem import Problem

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_BELOW = "files are read from the Blueprint's folder and the folders below it"


@frozen(kw_only=True)
class FileLimits:
    """Bounds of the files of one Blueprint; sizes are bytes.

    `entries` and `depth` bound what patterns look through: names in all folders together, folders inside one another.
    """

    each: int = 1024 * 1024
    together: int = 16 * 1024 * 1024
    count: int = 1_000
    entries: int = 10_000
    depth: int = 16


FILE_LIMITS = FileLimits()


class Entry(NamedTuple):
    """A name in a folder: whether it is a folder, and whether it is a link to one."""

    name: str
    is_folder: bool
    is_link: bool


class Folder:
    """Reads files below one folder, as a context manager.

    Each step of a path is opened by itself, relative to the step before and without following a link, and what is open
    is looked at before it is read: nothing that is changed in between leads out of the folder.
    """

    def __init__(self, base: Path, limits: FileLimits = FILE_LIMITS) -> None:
        self.base, self.limits = base, limits
        self.known: dict[str, bytes] = {}
        self.count = self.size = self.seen = 0
        self._fd = -1

    def __enter__(self) -> Folder:
        try:
            self._fd = os.open(self.base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            refuse("not_found", f"the Blueprint's folder cannot be opened: {error.strerror}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)

    def read(self, path: Any) -> bytes:
        """Return a file's bytes; the same file is read once.

        Raises: DocumentError `ref_outside`, `ref_symlink`, `ref_not_regular`, `not_found`, `not_readable`, `bad_path`,
        `too_large` or `too_many_refs`; its problem has no place yet.
        """
        parts = parts_of(path)
        self.count += 1
        if self.count > self.limits.count:
            refuse("too_many_refs", f"a Blueprint refers to at most {self.limits.count:,} files")
        key = "/".join(parts)
        if key not in self.known:
            self.known[key] = self._read(parts, path)
        return self.known[key]

    def entries(self, folder: Sequence[str], path: str) -> list[Entry]:
        """Return what a folder below this one holds, sorted by name; `path` is what a problem calls it.

        Raises: DocumentError as `read` does.
        """
        fd = self._walk(folder, path, "folder")
        try:
            with os.scandir(fd) as found:
                return sorted(map(self._entry, found))
        except OSError as error:
            refuse("not_readable", f"{shown(path)} cannot be read: {error.strerror}")
        finally:
            os.close(fd)

    def _entry(self, found: os.DirEntry[str]) -> Entry:
        self.seen += 1
        if self.seen > self.limits.entries:
            refuse("too_many_refs", f"a Blueprint's patterns look through at most {self.limits.entries:,} names")
        return Entry(found.name, found.is_dir(follow_symlinks=False), found.is_symlink() and found.is_dir())

    def _read(self, parts: list[str], path: str) -> bytes:
        fd = self._open(parts, path)
        try:
            size = self._checked_size(os.fstat(fd), path)
            content = self._content(fd, path)
        finally:
            os.close(fd)
        if content and not size:
            refuse("ref_not_regular", f"{shown(path)} is made up by the system when it is read")
        self.size += len(content)
        if self.size > self.limits.together:
            refuse("too_large", f"the files of a Blueprint have more than {self.limits.together:,} bytes together")
        return content

    def _open(self, parts: list[str], path: str) -> int:
        folder = self._walk(parts[:-1], path)
        try:
            return os.open(parts[-1], _FILE, dir_fd=folder)
        except OSError as error:
            _refuse_to_open(error, folder, parts[-1], path)
        finally:
            os.close(folder)

    def _walk(self, steps: Sequence[str], path: str, what: str = "file") -> int:
        """Return a descriptor of the folder that some steps lead to."""
        folder = os.dup(self._fd)
        for step in steps:
            try:
                below = os.open(step, _FOLDER, dir_fd=folder)
            except OSError as error:
                _refuse_to_open(error, folder, step, path, what)
            finally:
                os.close(folder)
            folder = below
        return folder

    def _checked_size(self, facts: os.stat_result, path: str) -> int:
        if not stat.S_ISREG(facts.st_mode):
            refuse("ref_not_regular", f"{shown(path)} is {_what(facts.st_mode)}, not a file")
        if facts.st_nlink > 1:
            hint = f"copy the file; {_BELOW}"
            refuse("ref_outside", f"{shown(path)} is a hard link, and its other name may be elsewhere", hint)
        if facts.st_size > self.limits.each:
            self._too_large(path)
        return facts.st_size

    def _content(self, fd: int, path: str) -> bytes:
        pieces, left = [], self.limits.each + 1
        while left and (piece := os.read(fd, min(left, 65536))):
            pieces.append(piece)
            left -= len(piece)
        if not left:
            self._too_large(path)
        return b"".join(pieces)

    def _too_large(self, path: str) -> NoReturn:
        refuse("too_large", f"{shown(path)} has more than {self.limits.each:,} bytes")


def shown(path: str) -> str:
    """Return a path as it is written, fit for a message."""
    return repr(path if len(path) <= 80 else f"{path[:80]}...")


def refuse(code: str, message: str, hint: str | None = None) -> NoReturn:
    """Raise a problem that has no place yet."""
    raise DocumentError([Problem(code=code, message=message, hint=hint)])


def parts_of(path: Any) -> list[str]:
    """Return the steps of a path that is written as it may be.

    Raises: DocumentError `ref_outside` or `bad_path`.
    """
    if not isinstance(path, str):
        refuse("bad_path", "a path is a string")
    if "\0" in path:
        refuse("bad_path", "the path holds a NUL character")
    steps = path.replace("\\", "/").split("/")
    if path.startswith(("/", "\\")) or (path[1:2] == ":" and path[2:3] == "\\"):
        refuse("ref_outside", f"{shown(path)} is an absolute path", _BELOW)
    if ".." in steps:
        refuse("ref_outside", f"{shown(path)} goes up with '..'", _BELOW)
    if "\\" in path:
        refuse("bad_path", f"{shown(path)} holds a backslash", "write / between folders")
    if not path:
        refuse("bad_path", "the path is empty")
    folder = steps[-1] in ("", ".")  # the path says itself that it ends at a folder
    return [*(step for step in steps if step not in ("", ".")), *("." if folder else "")]


def _refuse_to_open(error: OSError, folder: int, part: str, path: str, what: str = "file") -> NoReturn:
    if error.errno in (errno.ELOOP, errno.ENOTDIR) and _is_link(folder, part):
        refuse("ref_symlink", f"{shown(path)} goes through a symbolic link", f"copy the file; {_BELOW}")
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        refuse("not_found", f"there is no {what} {shown(path)}", "paths are relative to the Blueprint's folder")
    if error.errno in (errno.ENXIO, errno.ENODEV):
        refuse("ref_not_regular", f"{shown(path)} is a socket or a device, not a file")
    if error.errno in (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ):
        refuse("bad_path", f"{shown(path)} cannot be a path: {error.strerror}")
    refuse("not_readable", f"{shown(path)} cannot be read: {error.strerror}")


def _is_link(folder: int, part: str) -> bool:
    try:
        return stat.S_ISLNK(os.stat(part, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _what(mode: int) -> str:
    kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
    return next((name for is_kind, name in kinds if is_kind(mode)), "a device")

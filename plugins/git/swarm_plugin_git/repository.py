"""The repository itself: made when it is not there, looked at before it is used, opened."""

from __future__ import annotations

import os
from errno import EEXIST, ENOTEMPTY
from pathlib import Path
from shutil import rmtree

from dulwich.repo import Repo

from swarm_core.errors import StoreUnreadable
from swarm_plugin_git.branches import Branches
from swarm_plugin_git.files import Syncing, fresh_name
from swarm_plugin_git.history import History
from swarm_plugin_git.objects import Objects
from swarm_plugin_git.place import Place
from swarm_plugin_git.trouble import unreadable

_OWN_FOLDER = ".swarm"
_PARTS = ("HEAD", "objects", "refs")
_SCRATCH = "swarm"
_ELSEWHERE = "nothing was changed; name another folder, or make a bare repository of it: git clone --bare OLD NEW"
_UNTOUCHED = "nothing was changed; restore a backup, or move the folder away to begin a new store"


class Repository:
    """A repository that is open, for one thread."""

    def __init__(self, place: Place) -> None:
        """Open a repository; raises StoreUnreadable, OSError."""
        _look(place)
        try:
            self._repo = Repo(place.path, bare=True)
        except OSError:
            raise
        except Exception as error:  # what dulwich says of a config that it cannot read, or of a newer git's
            raise unreadable(place.url, f"cannot be opened by git's rules: {error!r}", _UNTOUCHED) from None
        try:
            self._check(place)
        except BaseException:
            self._repo.close()
            raise
        store = self._repo.object_store
        store.fsync_object_files = True
        self.place, self.scratch = place, place.path / _SCRATCH
        self._syncing = Syncing()
        self.objects = Objects(store, self._syncing, place.url)
        self.branches = Branches(place.path, self.scratch, self._syncing, place.url, store.shared_perm)
        self.history = History(self.objects)

    def make_scratch(self) -> Path:
        """Return the folder for what is written before it has its place; made when it is not there."""
        self.scratch.mkdir(exist_ok=True)
        return self.scratch

    def close(self) -> None:
        """Close the files that are open."""
        self._syncing.close()
        self._repo.close()

    def _check(self, place: Place) -> None:
        config = self._repo.get_config()
        if not config.get_boolean((b"core",), b"bare", True) or not self._repo.bare:
            raise _has_work_tree(place)
        kinds = {name.lower(): value for name, value in config.items((b"extensions",))}
        if kinds.get(b"objectformat", b"sha1") != b"sha1" or kinds.get(b"refstorage", b"files") != b"files":
            message = "is a repository of a kind that this store does not write: SHA-256 objects or reftable refs"
            raise unreadable(place.url, message, _ELSEWHERE)


def is_there(place: Place) -> bool:
    """Tell whether something is there, be it a repository or not; raises OSError."""
    try:
        return any(place.path.iterdir())
    except NotADirectoryError:
        return True
    except FileNotFoundError:
        return False


def make_ready(place: Place) -> None:
    """Make the repository unless something is there; raises OSError."""
    if not is_there(place):
        _make_folder(place.path.parent)
        _make(place.path)


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.name == _OWN_FOLDER:
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")


def _make(path: Path) -> None:
    """Make a repository as a whole: two that do so at once find the same one."""
    beside = path.with_name(fresh_name(f".{path.name}_"))
    beside.mkdir(mode=0o700)
    syncing = Syncing()
    try:
        Repo.init_bare(beside, default_branch=b"main").close()
        (beside / _SCRATCH).mkdir()
        syncing.sync(Path(folder) for folder, _, _ in os.walk(beside))
        try:
            beside.rename(path)
        except OSError as error:
            if error.errno not in (EEXIST, ENOTEMPTY):
                raise
        syncing.sync([path.parent])
    finally:
        syncing.close()
        rmtree(beside, ignore_errors=True)


def _look(place: Place) -> None:
    path = place.path
    if not path.is_dir():
        hint = "name a folder" if path.exists() else "it was there when the store was opened"
        raise unreadable(place.url, "is a file, not a folder" if path.exists() else "is gone", hint)
    if (path / ".git").exists():
        raise _has_work_tree(place)
    missing = [name for name in _PARTS if not (path / name).exists()]
    if len(missing) > 1:
        raise unreadable(place.url, "is no git repository", _ELSEWHERE)
    if missing:
        remedy = "write it anew: echo 'ref: refs/heads/main' > HEAD" if missing == ["HEAD"] else _UNTOUCHED
        raise unreadable(place.url, f"is damaged: its {missing[0]} is gone", remedy)


def _has_work_tree(place: Place) -> StoreUnreadable:
    return unreadable(place.url, "is a repository with a work tree, not a bare one", _ELSEWHERE)

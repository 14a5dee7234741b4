"""Git's objects: read whole or not at all, and written so that they outlive the machine's death."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from dulwich.file import adjust_shared_perm
from dulwich.object_store import DiskObjectStore
from dulwich.objects import Blob, Commit, ObjectID, ShaFile, Tree

from swarm_core.errors import StoreUnreadable
from swarm_plugin_git.commits import Step, step_of
from swarm_plugin_git.files import Syncing
from swarm_plugin_git.trouble import unreadable

FILE = b"blueprint.json"

_MODE = 0o100644
_READ_ONLY = 0o444
_LOOSE = f"{'[0-9a-f]' * 2}/{'[0-9a-f]' * 38}"


class Objects:
    """The objects of one repository, for one thread."""

    def __init__(self, store: DiskObjectStore, syncing: Syncing, url: str) -> None:
        self.store, self.url = store, url
        self._syncing = syncing
        self.folder = Path(store.path)

    def step(self, name: str) -> tuple[Step, int]:
        """Return what a commit says, and its size.

        Raises: StoreUnreadable.
        """
        raw = self._read(name, Commit)
        try:
            return step_of(raw), len(raw)
        except Exception as error:  # dulwich's own, and whatever its parser meets in garbage
            raise self._damaged(name, error) from None

    def file(self, tree: str) -> bytes | None:
        """Return the Blueprint's file of a tree, None when it has none; raises StoreUnreadable."""
        for path, mode, name in self._entries(tree):
            if path == FILE and mode & 0o170000 == 0o100000:
                return self._read(name, Blob)
        return None

    def tree_with(self, data: bytes, tree: str | None) -> list[ShaFile]:
        """Return a file and a tree that has it beside whatever else `tree` has; neither is written yet."""
        blob, changed = Blob.from_string(data), Tree()
        for path, mode, name in self._entries(tree) if tree else ():
            changed.add(path, mode, ObjectID(name.encode()))
        changed.add(FILE, _MODE, blob.id)
        return [blob, changed]

    def write(self, objects: Sequence[ShaFile]) -> None:
        """Write objects and make them durable."""
        new = {self._path(each.id.decode()): each.as_legacy_object() for each in objects}
        missing = {path.parent for path in new if not path.parent.is_dir()}
        for folder in missing:
            folder.mkdir(exist_ok=True)
            adjust_shared_perm(folder, self.store.shared_perm)
        if missing:
            self._syncing.sync([self.folder])
        # Written even if they are there: what is there may be damaged, and what is new is not pruned soon.
        self._syncing.put(new, scratch=self.folder, what="tmp_obj_", mode=_READ_ONLY, shared=self.store.shared_perm)

    def loose(self) -> list[ShaFile]:
        """Return the objects that stand in files of their own, but for those that are damaged."""
        found = []
        for path in sorted(self.folder.glob(_LOOSE)):
            with suppress(Exception):
                each = ShaFile.from_path(str(path), ObjectID((path.parent.name + path.name).encode()))
                each.check()
                found.append(each)
        return found

    def pack(self) -> None:
        """Put the objects that stand in files of their own together into one file, durably."""
        found = self.loose()
        if not found or self.store.add_objects([(each, None) for each in found]) is None:
            return
        self._syncing.sync([Path(self.store.pack_dir)])
        for each in found:
            self._path(each.id.decode()).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / name[:2] / name[2:]

    def _entries(self, tree: str) -> list[tuple[bytes, int, str]]:
        raw = self._read(tree, Tree)
        try:
            return [(path, mode, name.decode()) for path, mode, name in Tree.from_string(raw).iteritems()]
        except Exception as error:
            raise self._damaged(tree, error) from None

    def _read(self, name: str, kind: type[ShaFile]) -> bytes:
        number, raw = self._raw(name)
        if number != kind.type_num or kind.from_string(raw).id.decode() != name:
            raise self._damaged(name, f"it is no {kind.type_name.decode()}, or not the one it was")
        return raw

    def _raw(self, name: str) -> tuple[int, bytes]:
        """Return an object's type and content; it may be packed by another process while it is looked for."""
        for _ in range(2):
            try:
                return self.store.get_raw(ObjectID(name.encode()))
            except KeyError:
                continue
            except OSError:
                raise
            except Exception as error:  # zlib's, dulwich's, and whatever its parsers meet in garbage
                return self._raw_elsewhere(name, error)
        raise unreadable(self.url, f"object {name} is missing")

    def _raw_elsewhere(self, name: str, error: Exception) -> tuple[int, bytes]:
        """Return an object from where a damaged pack, or a damaged file, is not in the way."""
        oid = ObjectID(name.encode())
        for pack in self.store.packs:
            with suppress(Exception):
                return pack.get_raw(oid)
        with suppress(Exception):
            found = ShaFile.from_path(str(self._path(name)), oid)
            return found.type_num, found.as_raw_string()
        raise self._damaged(name, error)

    def _damaged(self, name: str, reason: object) -> StoreUnreadable:
        return unreadable(self.url, f"object {name} is damaged: {reason or type(reason).__name__}")

"""The branches of a repository: where each Blueprint's history ends, as git keeps it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from dulwich.file import SharedPerm
from dulwich.refs import DiskRefsContainer

from swarm_core.errors import StoreUnavailable
from swarm_plugin_git.files import Syncing
from swarm_plugin_git.locks import Patience, locked
from swarm_plugin_git.trouble import unreadable

_HEADS = "refs/heads/"
_NAME = re.compile(r"[0-9a-f]{40}\Z")


class Branches:
    """The branches of one repository, for one thread; those below another one (`a/b`) are none of ours."""

    def __init__(self, folder: Path, scratch: Path, syncing: Syncing, url: str, shared: SharedPerm | None) -> None:
        self._folder, self._scratch, self._url, self._shared = folder, scratch, url, shared
        self._syncing = syncing
        self._heads = folder / "refs" / "heads"
        self._packed_refs = DiskRefsContainer(folder)

    def names(self) -> list[str]:
        """Return the names of all branches, sorted; raises StoreUnreadable."""
        found = {each.name for each in self._heads.iterdir() if each.suffix != ".lock" and not each.is_dir()}
        return sorted(found | {name for name in self._packed() if "/" not in name})

    def locks(self) -> list[Path]:
        """Return the locks that are held, or were left."""
        return sorted(self._heads.glob("*.lock"))

    def read(self, name: str) -> str | None:
        """Return the commit at the end of a branch, None when there is no such branch; raises StoreUnreadable."""
        try:
            data = (self._heads / name).read_bytes()
        except (FileNotFoundError, IsADirectoryError):
            return self._packed().get(name)
        commit = data.decode(errors="replace").strip()
        if not _NAME.match(commit):
            raise unreadable(self._url, f"branch {name!r} holds {commit[:60]!r}, which is the name of no commit")
        return commit

    def locked(self, name: str, patience: Patience) -> AbstractContextManager[None]:
        """Hold the lock of a branch; raises StoreUnavailable."""
        self._heads.mkdir(exist_ok=True)
        return locked(self._heads / name, scratch=self._scratch, patience=patience)

    def move(self, name: str, commit: str) -> None:
        """Let a branch end at another commit, durably; its lock is held."""
        path = self._heads / name
        if path.is_dir():
            self._clear(path)
        self._put(path, f"{commit}\n")

    def begin(self, name: str, commit: str) -> None:
        """Make a new branch, whose lock is held; the first one is what plain git shows when it is not told which."""
        if any(other.startswith(f"{name}/") for other in self._packed()):
            raise self._in_the_way(name)
        self.move(name, commit)
        with suppress(OSError):
            self._show(name)

    def _show(self, name: str) -> None:
        head = self._folder / "HEAD"
        shown = head.read_text(encoding="utf-8", errors="replace").strip()
        target = shown.removeprefix(f"ref: {_HEADS}")
        if target not in (shown, name, *self._packed()) and not (self._heads / target).exists():
            self._put(head, f"ref: {_HEADS}{name}\n")

    def _clear(self, path: Path) -> None:
        try:
            path.rmdir()  # git leaves empty folders where branches were
        except OSError:
            raise self._in_the_way(path.name) from None

    def _in_the_way(self, name: str) -> StoreUnavailable:
        message = f"branch {name!r} cannot be made: there are branches below it, {name}/..."
        return StoreUnavailable(message, where=self._url, hint="rename them with: git branch -m OLD NEW")

    def _put(self, path: Path, text: str) -> None:
        new = {path: text.encode()}
        self._syncing.put(new, scratch=self._scratch, what="value_", mode=0o666, shared=self._shared)

    def _packed(self) -> Mapping[str, str]:
        try:
            found = self._packed_refs.get_packed_refs()
            names = {name.decode(): commit.decode() for name, commit in found.items()}
        except OSError:
            raise
        except Exception as error:  # StopIteration of an empty file, dulwich's own, what garbage leads to
            reason = str(error) or "it is empty"
            raise unreadable(self._url, f"packed-refs is damaged: {reason}") from None
        return {name.removeprefix(_HEADS): commit for name, commit in names.items() if name.startswith(_HEADS)}

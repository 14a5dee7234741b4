"""What happens to the machine under an engine: a disk that fails or is full, a clock that jumps."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import define

JUMPS = (-86_400.0, -3_600.0, 3_600.0, 10 * 365 * 86_400.0)  # seconds
CLOCK = Path(__file__).resolve().parent / "clock"

_SIZE = 4 * 1024 * 1024


@define(eq=False)
class Disk:
    """The disk below a store's folder, which can be made to fail for a while.

    `ways` are what can be done on this machine, `missing` why the others cannot.
    """

    folder: Path
    chance: random.Random
    ways: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @classmethod
    @contextmanager
    def below(cls, folder: Path, chance: random.Random) -> Iterator[Disk]:
        """Put a small file system below a folder that is still empty, where that is allowed."""
        folder.mkdir(parents=True, exist_ok=True)
        disk = cls(folder, chance)
        refused = _mount(folder)
        disk._note("full", None if refused is None else f"no small file system: {refused}")
        disk._note("eio", None if shutil.which("strace") else "no failing fsync: strace is not installed")
        try:
            yield disk
        finally:
            if refused is None:
                subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)

    def _note(self, way: str, missing: str | None) -> None:
        if missing is None:
            self.ways = (*self.ways, way)
        else:
            self.missing = (*self.missing, missing)

    @contextmanager
    def broken(self) -> Iterator[dict[str, Any]]:
        """Let the disk be broken for an engine that is started as this says."""
        if self.chance.choice(self.ways) == "eio":
            yield {"wrap": self._strace()}
            return
        ballast = self.folder / "ballast"
        free = os.statvfs(self.folder)
        left = self.chance.randrange(0, 100_000)
        ballast.write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - left)))
        try:
            yield {}
        finally:
            ballast.unlink()

    def _strace(self) -> list[str]:
        """Return a prefix that lets one fdatasync fail; workers call fsync, so it is one of the store's."""
        fault = f"inject=fdatasync:error=EIO:when={self.chance.randint(1, 25)}"
        return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", fault]


def _mount(folder: Path) -> str | None:
    """Mount a tmpfs; return why that was refused."""
    if shutil.which("mount") is None:
        return "there is no mount"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "swarm-crash", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    return None if done.returncode == 0 else done.stderr.strip()


@define(eq=False)
class JumpingClock:
    """The wall clock of engines that are started with `env`."""

    file: Path
    chance: random.Random

    @property
    def env(self) -> dict[str, str]:
        """What an engine's environment has to say."""
        path = os.pathsep.join(filter(None, (str(CLOCK), os.environ.get("PYTHONPATH"))))
        return {"CRASH_CLOCK": str(self.file), "PYTHONPATH": path}

    def jump(self) -> None:
        """Set the clock to another time, now."""
        new = self.file.with_suffix(".new")
        new.write_text(str(self.chance.choice(JUMPS)), encoding="ascii")
        new.replace(self.file)

"""What the tests of the git store share."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from swarm_plugin_git import open_git_blueprints

from swarm_core.contracts import BlueprintStore
from swarm_core.model.version import BlueprintVersion, CommitMetadata

Git = Callable[..., str]

# Nothing of the machine's or the user's own settings of git.
PLAIN = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Alice",
    "GIT_AUTHOR_EMAIL": "alice@example.org",
    "GIT_COMMITTER_NAME": "Alice",
    "GIT_COMMITTER_EMAIL": "alice@example.org",
}


def canonical(**document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "blueprints.git"


@pytest.fixture
def memory_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: for thousands of writes, which a busy disk makes long."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
    else:
        with TemporaryDirectory(dir=memory, prefix="swarm-git-") as folder:
            yield Path(folder)


@pytest.fixture
def url(path: Path) -> str:
    return f"git:///{path}"


@pytest.fixture
async def store(url: str) -> AsyncIterator[BlueprintStore]:
    async with open_git_blueprints(url) as opened:
        yield opened


@pytest.fixture
def text() -> Callable[..., str]:
    """Make canonical text; other numbers make other texts."""

    def make(number: int = 1, *, label: str | None = None, id: str = "review") -> str:
        metadata = {} if label is None else {"metadata": {"version_label": label}}
        return canonical(id=id, flow={"kind": "seq", "children": []}, number=number, **metadata)

    return make


@pytest.fixture
def write(text: Callable[..., str]) -> Callable[..., Any]:
    """Write texts one on top of the other, from nothing, and return their entries."""

    async def do(store: BlueprintStore, count: int = 1, *, id: str = "review", **said: Any) -> list[BlueprintVersion]:
        entries: list[BlueprintVersion] = []
        for number in range(1, count + 1):
            parent = entries[-1].version if entries else None
            words = CommitMetadata(**said)
            entries.append(await store.write_new(id, text(number, id=id), parent=parent, metadata=words))
        return entries

    return do


@pytest.fixture
def git(path: Path) -> Git:
    """Run git in the repository, or in the folder `at`, and return what it says."""

    def run(*arguments: str, at: Path = path, input: str | None = None) -> str:
        done = subprocess.run(
            ["git", "-C", str(at), *arguments],
            input=input,
            env=PLAIN,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert 0 == done.returncode, done.stderr
        return done.stdout

    return run

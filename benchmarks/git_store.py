"""Measure the store of Blueprints in git beside git's own plumbing, in the same run: prints one line per figure.

Run: python benchmarks/git_store.py

The plumbing is what a shell script would do for an entry without a work tree: `git hash-object`, `mktree`,
`commit-tree` and `update-ref`, a process each. The store makes every entry durable; git is told to do the same
(`core.fsync=all`), and is measured once more as it comes, where objects are not synced.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from swarm_plugin_git import open_git_blueprints

from swarm_core.model.version import CommitMetadata

ENTRIES = 300
LONG = 3_000
AGENTS = [{"name": f"agent{number}", "kind": "function", "spec": {"fn_id": "identity"}} for number in range(20)]


def text(number: int) -> str:
    document = {"agents": AGENTS, "flow": {"kind": "seq", "children": []}, "id": "bench", "number": number}
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


async def write(store: Any, count: int, head: str | None = None) -> str | None:
    for number in range(count):
        said = CommitMetadata(rationale=f"change {number}", author="bench")
        head = (await store.write_new("bench", text(number), parent=head, metadata=said)).version
    return head


def plumbing(repository: Path, count: int, *settings: str) -> None:
    def git(*arguments: str, given: str) -> str:
        command = ["git", "-C", str(repository), *settings, *arguments]
        return subprocess.run(command, input=given, capture_output=True, text=True, check=True).stdout.strip()

    person = ("-c", "user.name=swarm", "-c", "user.email=swarm@localhost")
    commit = ""
    for number in range(count):
        content = json.dumps(json.loads(text(number)), indent=2, sort_keys=True)
        blob = git("hash-object", "-w", "--stdin", given=content)
        tree = git("mktree", given=f"100644 blob {blob}\tblueprint.json\n")
        parent = ("-p", commit) if commit else ()
        made = git(*person, "commit-tree", tree, *parent, given=f"change {number}\n")
        git("update-ref", "refs/heads/bench", made, commit or "0" * 40, given="")
        commit = made


def report(what: str, took: float, *, per: int = 0) -> None:
    rate = f"  {per / took:>8,.0f}/s" if per else ""
    print(f"{what:<66} {took * 1e3:9.1f} ms{rate}")


def timed(what: str, work: Callable[[], object], *, per: int = 0) -> None:
    begin = perf_counter()
    work()
    report(what, perf_counter() - begin, per=per)


async def awaited(what: str, work: Awaitable[object], *, per: int = 0) -> None:
    begin = perf_counter()
    await work
    report(what, perf_counter() - begin, per=per)


async def measure_store(folder: Path) -> None:
    async with open_git_blueprints(f"git:///{folder}/short.git") as store:
        await awaited(f"swarm: {ENTRIES} entries, one after the other", write(store, ENTRIES), per=ENTRIES)
    async with open_git_blueprints(f"git:///{folder}/long.git") as store:
        await write(store, LONG)
    async with open_git_blueprints(f"git:///{folder}/long.git") as store:
        await awaited("swarm: the head, read for the first time", store.read_head("bench"))
        await awaited("swarm: the head, read again", store.read_head("bench"))
        await awaited(f"swarm: the newest 20 of {LONG:,} entries", store.history("bench", 20))
        await awaited(f"swarm: all {LONG:,} entries", store.history("bench"), per=LONG)
        await awaited("swarm: all entries again", store.history("bench"), per=LONG)
        await awaited("swarm: everything read and checked", store.problems(), per=LONG)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for repository in ("synced.git", "unsynced.git"):
            subprocess.run(["git", "init", "--quiet", "--bare", str(folder / repository)], check=True)
        asyncio.run(measure_store(folder))
        synced, unsynced = folder / "synced.git", folder / "unsynced.git"
        some = ENTRIES // 3
        timed(f"git plumbing: {some} entries, synced", lambda: plumbing(synced, some, "-c", "core.fsync=all"), per=some)
        timed(f"git plumbing: {some} entries, not synced", lambda: plumbing(unsynced, some), per=some)


if __name__ == "__main__":
    main()

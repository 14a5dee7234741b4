"""A store that keeps outputs as JSON files in a folder, `folder:///PATH`: one file an output, one folder a run."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from typing import Any

from swarm_core.codec import structure
from swarm_core.contracts import OutputStore
from swarm_core.errors import OutputNotFound, StoreUnavailable, StoreUnreadable
from swarm_core.factories import StoreFactory
from swarm_core.hookspecs import hookimpl
from swarm_core.model.ids import new_id
from swarm_core.model.output import OutputEvent, OutputRecord, output_json

SWARM_API = 1


class FolderStore(OutputStore):
    """Keeps outputs below `runs/`, in files that are numbered in the order they came, and large values below each run.

    Whatever ids and names are, in paths stand only their hashes. One process writes at a time.
    """

    def __init__(self, folder: Path) -> None:
        self._runs = folder / "runs"
        self._runs.mkdir(parents=True, exist_ok=True)
        self._number = max((_number(file) for file in self._files()), default=0)

    async def append(
        self,
        *,
        run_id: str,
        task_id: str,
        attempt: int,
        producer_agent: str,
        event: OutputEvent,
        parent_refs: Sequence[str] = (),
    ) -> str:
        """Keep one output and return its reference."""
        self._number += 1
        ref = new_id("out-", secrets.randbits)
        facts = {
            "id": ref,
            "run_id": run_id,
            "task_id": task_id,
            "attempt": attempt,
            "producer_agent": producer_agent,
            "event": output_json(event),
            "parent_refs": list(parent_refs),
        }
        await asyncio.to_thread(_write, self._run(run_id) / f"{self._number:012}.json", json.dumps(facts).encode())
        return ref

    async def get(self, ref: str) -> OutputRecord:
        """Return one output; raises OutputNotFound."""
        return await self._newest(ref, id=ref)

    async def get_latest_by_name(self, producer_agent: str) -> OutputRecord:
        """Return the newest output of a producer; raises OutputNotFound."""
        return await self._newest(producer_agent, producer_agent=producer_agent)

    async def list_for_attempt(self, task_id: str, attempt: int) -> Sequence[OutputRecord]:
        """Return an attempt's outputs in the order they came."""
        return await asyncio.to_thread(lambda: list(self._found(task_id=task_id, attempt=attempt)))

    async def keep(self, run_id: str, blobs: Mapping[str, bytes]) -> None:
        """Keep large values, each under its digest in the run's folder."""
        for digest, data in blobs.items():
            await asyncio.to_thread(_write, self._run(run_id) / "blobs" / digest, bytes(data))

    async def load(self, digest: str) -> bytes:
        """Return a value that was kept; raises OutputNotFound, StoreUnreadable."""
        return await asyncio.to_thread(self._load, digest)

    async def forget_run(self, run_id: str) -> None:
        """Drop all outputs and large values of a run; other runs have their own copies."""
        await asyncio.to_thread(rmtree, self._run(run_id), ignore_errors=True)

    def _load(self, digest: str) -> bytes:
        for file in self._runs.glob("*/blobs/*"):
            if file.name == digest:
                data = file.read_bytes()
                if sha256(data).hexdigest() != digest:
                    raise StoreUnreadable("a large value is not what was kept any more", where=str(file))
                return data
        raise OutputNotFound(digest)

    async def _newest(self, name: str, **facts: Any) -> OutputRecord:
        found = await asyncio.to_thread(lambda: next(self._found(newest_first=True, **facts), None))
        if found is None:
            raise OutputNotFound(name)
        return found

    def _found(self, *, newest_first: bool = False, **facts: Any) -> Iterator[OutputRecord]:
        for file in sorted(self._files(), key=_number, reverse=newest_first):
            data = json.loads(file.read_text(encoding="utf-8"))
            if all(data[name] == value for name, value in facts.items()):
                event = structure(data["event"], OutputEvent)
                yield OutputRecord(**{**data, "event": event, "parent_refs": tuple(data["parent_refs"])})

    def _files(self) -> Iterator[Path]:
        return self._runs.glob("*/*.json")

    def _run(self, run_id: str) -> Path:
        return self._runs / sha256(run_id.encode()).hexdigest()[:32]


def _number(file: Path) -> int:
    return int(file.stem)


def _write(file: Path, data: bytes) -> None:
    """Write a file as a whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_name(f".{file.name}.half")
    half.write_bytes(data)
    half.replace(file)


@asynccontextmanager
async def open_folder(url: str) -> AsyncIterator[OutputStore]:
    """Open the folder that a URL names, relative to the working directory, or absolute with four slashes."""
    try:
        store = FolderStore(Path(url.removeprefix("folder:///")))
    except OSError as error:
        raise StoreUnavailable(f"the folder cannot be used: {error.strerror}", where=url) from error
    yield store


@hookimpl
def swarm_register_stores() -> list[StoreFactory]:
    """Provide the store."""
    return [StoreFactory("output", "folder", open_folder, summary="outputs as JSON files in a folder")]

"""P25: a script cannot touch the host, take more than it may, or disturb the next one; attack by attack."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from attrs import frozen
from swarm_plugin_lua import reader
from swarm_plugin_lua.inproc import run_in_process
from swarm_plugin_lua.job import Job, Reply
from swarm_plugin_lua.layer import LuaLayer
from swarm_plugin_lua.pool import open_pool
from swarm_plugin_lua.spec import Limits

from swarm_core.errors import DocumentError, RejectedByMiddleware
from swarm_core.factories import Function
from swarm_core.model.call import Result
from swarm_core.testing import FakeSpawner, make_call
from swarm_core.testing import processes as open_processes

LIMIT = 0.4  # seconds, for scripts that would take for ever
AMPLE = 20.0  # for scripts that end by themselves, on a loaded machine too
MEMORY = 64 * 1024 * 1024
PROMISED = 0.3  # seconds past the limit
BUSY_MACHINE = 1.0  # what a loaded test machine may add

FOLDER = Path(__file__).parent / "lua_attacks"
HOW_TO = Path(__file__).parents[3] / "docs/how-to/write-a-lua-worker.md"
HEAD = re.compile(r"--## ([A-Z]\d\d) (.+)\n--## ends: (.+)\n(?:--## inproc: not offered, (.+)\n)?")

# Finds what an earlier script may have left in the process; gives 7 where all is as in a fresh one.
PROBE = """
assert(tampered == nil and rawget(null, "tampered") == nil and getmetatable(_G) == nil)
assert(("x"):rep(3) == "xxx" and ("x").tampered == nil and math.floor(1.5) == 1)
local items = {}
table.insert(items, "a")
assert(table.concat(items) == "a" and host.echo("y")[1] == "y" and _CTX.a == 1)
assert(coroutine.wrap(function() return 1 end)() == 1 and utf8.len("x") == 1)
print("probe")
return 7
"""

Run = Callable[[Job], Awaitable[Reply]]


@frozen
class Attack:
    """One script, how it must end, and why the engine's own process is not offered for it."""

    name: str
    title: str
    ends: str
    not_in_process: str | None
    source: str

    @property
    def limit(self) -> float:
        """How long the script may take, in seconds."""
        return LIMIT if "timeout" in self.ends or "killed" in self.ends else AMPLE


def attacks() -> Iterator[Attack]:
    for path in sorted(FOLDER.glob("*.lua")):
        _, *parts = re.split(r"(?m)^(?=--## [A-Z]\d\d )", path.read_text(encoding="utf-8"))
        for part in parts:
            head = HEAD.match(part)
            assert head, f"{path.name}: no head: {part[:80]!r}"
            yield Attack(head[1], head[2], head[3], head[4], part[head.end() :])


ATTACKS = list(attacks())
CONTAINED_IN_PROCESS = [attack for attack in ATTACKS if attack.not_in_process is None]
NOT_OFFERED = [attack for attack in ATTACKS if attack.not_in_process is not None]

each = pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)


@frozen
class Level:
    """A way to run scripts, and which process each ran in."""

    run: Run
    pids: Callable[[], frozenset[int]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def locked() -> AsyncIterator[Level]:
    """One process for all attacks, so that each finds what the ones before it left."""
    async with open_processes() as processes, open_pool(size=1, memory_limit=MEMORY) as pool:
        yield Level(lambda job: pool.run(job, processes), lambda: pool.pids)


@pytest.fixture
def attack_job(make_job: Callable[..., Job], functions: dict[str, Function], tmp_path: Path) -> Callable[..., Job]:
    (tmp_path / "kept").write_text("return 'read'")

    def make(source: str, limit: float = AMPLE) -> Job:
        source = source.replace("@SCRATCH@", str(tmp_path))
        return make_job(source, functions=functions, time_limit=limit, memory_limit=MEMORY)

    return make


def ended(reply: Reply, survived: bool) -> list[str]:
    """Return the words for how a reply ended, most exact last."""
    match reply.status:
        case "done":
            return ["value", f"value {json.dumps(reply.value, separators=(',', ':'))}"]
        case "timeout":
            return ["timeout" if survived else "killed"]
        case status:
            return [status, f"{status} {reply.text}"]


def fits(expected: str, words: list[str]) -> bool:
    """Tell whether an end is the expected one; a process that was too slow to speak in time was killed."""
    kind, _, text = expected.partition(" ")
    if kind == words[0] == "value":
        return json.loads(text) == json.loads(words[-1].removeprefix("value "))
    return (kind == words[0] and text in words[-1]) or (kind, words[0]) == ("timeout", "killed")


async def carry_out(attack: Attack, level: Level, attack_job: Callable[..., Job], scratch: Path) -> None:
    before, surroundings = level.pids(), (dict(os.environ), Path.cwd(), sorted(scratch.iterdir()))
    start = time.monotonic()
    reply = await level.run(attack_job(attack.source, attack.limit))
    elapsed = time.monotonic() - start
    survived = level.pids() == before

    words = ended(reply, survived)
    assert any(fits(one, words) for one in attack.ends.split(" or ")), (attack.title, words[-1][:300])
    assert elapsed < attack.limit + PROMISED + BUSY_MACHINE
    assert surroundings == (dict(os.environ), Path.cwd(), sorted(scratch.iterdir()))
    assert "canary" not in f"{reply.value}{reply.text}{reply.log}"

    probe = await level.run(attack_job(PROBE))
    assert (probe.status, probe.value, probe.log) == ("done", 7, "probe\n"), probe.text


def test_there_are_more_attacks_than_the_91_that_were_promised() -> None:
    names = [attack.name for attack in ATTACKS]

    assert len(names) == len(set(names))
    assert len(names) >= 91


@pytest.mark.asyncio(loop_scope="module")
@each
async def test_p25_attack_is_contained_in_a_process(
    attack: Attack, locked: Level, attack_job: Callable[..., Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWARM_LUA_CANARY", "canary")
    if not locked.pids():
        await locked.run(attack_job("return 1"))

    await carry_out(attack, locked, attack_job, tmp_path)


@pytest.mark.parametrize("attack", CONTAINED_IN_PROCESS, ids=lambda attack: attack.name)
async def test_p25_attack_is_contained_in_process_of_the_engine(
    attack: Attack, attack_job: Callable[..., Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWARM_LUA_CANARY", "canary")

    await carry_out(attack, Level(run_in_process, frozenset), attack_job, tmp_path)


@pytest.mark.asyncio(loop_scope="module")
@each
async def test_p25_attack_is_contained_in_a_layer(
    attack: Attack, locked: Level, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused or it changes nothing, and the layer that comes next finds all as it should be."""
    monkeypatch.setenv("SWARM_LUA_CANARY", "canary")
    source = attack.source.replace("@SCRATCH@", str(tmp_path))
    limits = Limits(time=attack.limit, memory=MEMORY)

    try:
        assert Result(1) == await LuaLayer(limits=limits, run_job=locked.run, before=source).run(
            make_call(), FakeSpawner(1).run
        )
    except RejectedByMiddleware as error:
        assert "canary" not in error.reason

    after = "return {value = (tampered == nil and (' x'):rep(2) == ' x x' and result.value == 1) and 7}"
    probe = LuaLayer(limits=Limits(time=AMPLE, memory=MEMORY), run_job=locked.run, after=after)
    assert Result(7) == await probe.run(make_call(), FakeSpawner(1).run)
    assert [] == list(tmp_path.iterdir())


@each
def test_p25_attack_is_contained_in_a_blueprint(
    attack: Attack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no Blueprint, and that is all that comes of it."""
    monkeypatch.setenv("SWARM_LUA_CANARY", "canary")
    monkeypatch.setattr(reader, "TIME_LIMIT", attack.limit)
    source = attack.source.replace("@SCRATCH@", str(tmp_path))

    with pytest.raises(DocumentError) as caught:
        reader.LuaReader().read(source.encode(), name="attack.lua", base=tmp_path)

    (problem,) = caught.value.problems
    assert problem.code.startswith("lua_") or problem.code in ("too_large", "too_deep"), problem
    assert "canary" not in str(problem)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.skipif(not HOW_TO.exists(), reason="needs the documentation beside the plugin")
@pytest.mark.parametrize("attack", NOT_OFFERED, ids=lambda attack: attack.name)
def test_p25_what_the_engines_process_cannot_contain_is_documented(attack: Attack) -> None:
    page = HOW_TO.read_text(encoding="utf-8")
    _, _, section = page.partition("## Trusted scripts in the engine's own process")

    assert attack.not_in_process is not None
    assert attack.not_in_process in section.partition("\n## ")[0]


def test_p25_only_single_calls_of_the_c_library_are_not_offered_in_process() -> None:
    reasons: set[Any] = {attack.not_in_process for attack in NOT_OFFERED}

    assert reasons == {
        "pattern matching", "string.find", "string.rep", "table.insert", "table.move", "table.remove", "load",
    }  # fmt: skip

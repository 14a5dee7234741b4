"""A project under the crash test: a folder, a store, a ledger, and all that was seen of them."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import cache, partial
from pathlib import Path
from statistics import median
from typing import Any

import yaml
from attrs import define, evolve, field
from crash.engine import SWARM, Engine, environment
from crash.history import FINAL, Break, History, RunSeen
from crash.invariants import Violation
from crash.ledger import Ledger, Line
from crash.reading import Look, give, is_locked, last_sign, look, look_closely
from crash.trouble import Disk, JumpingClock

FLOWS = Path(__file__).resolve().parent / "flows"
LEASE = 1.0  # seconds
ROUNDS = 40  # resumes after which a run that has not ended never will
RUN_LOST = 3  # the exit code
_HELD_ELSEWHERE = 3  # likewise: such an engine had nothing under way
PATIENCE = 60.0  # seconds after which something hangs

_SETTINGS = '[plugin.subprocess]\npass_env = ["CRASH_*"]\n'


@define(eq=False)
class Project:
    """One folder with a store of its own; everything random comes from `chance`."""

    folder: Path
    chance: random.Random
    pace: float = 10
    program_pace: float = 10
    ledger: Ledger = field(init=False)
    engines: list[Engine] = field(factory=list)
    breaks: list[Break] = field(factory=list)
    kills: int = 0
    given: dict[str, list[Any]] = field(factory=dict)
    kept: list[tuple[str, Any]] = field(factory=list)
    reads: dict[str, list[list[Mapping[str, Any]]]] = field(factory=dict)
    wanted: dict[str, tuple[str, ...]] = field(factory=dict)
    ended_by: dict[str, float] = field(factory=dict)
    faults: list[Violation] = field(factory=list)
    restarts: list[float] = field(factory=list)
    acknowledged: list[tuple[str | None, str]] = field(factory=list)
    env: dict[str, str] = field(factory=dict)
    disk: Disk | None = None
    clock: JumpingClock | None = None

    def __attrs_post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "swarm.toml").write_text(_SETTINGS, encoding="utf-8")
        self.ledger = Ledger.at(self.folder / "ledger")
        self.env = environment(
            CRASH_LEDGER=str(self.ledger.path),
            CRASH_PACE=str(self.pace),
            CRASH_PROGRAM_PACE=str(self.program_pace),
            SWARM_ENGINE_LEASE=f"{LEASE}s",
        )

    @property
    def store(self) -> Path:
        """The file of the project's store."""
        return self.folder / ".swarm" / "swarm.db"

    # engines -------------------------------------------------------------------------------------------------

    def submit(self, flow: str, *, key: str | None = None, **how: Any) -> Engine:
        """Start a run of a flow."""
        keyed = () if key is None else ("--key", key)
        return self._start(["run", str(FLOWS / f"{flow}.yaml"), "--json", *keyed], key=key, **how)

    def resume(self, *runs: str, **how: Any) -> Engine:
        """Resume a run, or all."""
        before = {run["id"]: run["epoch"] for run in self.look().runs}
        return self._start(["resume", *(runs or ("--all",)), "--json"], before=before, **how)

    def begin(self, flow: str, **how: Any) -> Engine:
        """Submit a run, or resume what is there, as chance will have it; some runs are read before."""
        return self.choose(flow)(**how)

    def choose(self, flow: str) -> Callable[..., Engine]:
        """Return what begins a run, or goes on with some, as chance will have it; the store is looked at first."""
        seen = self.look()
        unfinished = [run["id"] for run in seen.runs if run["status"] not in FINAL]
        if unfinished and self.chance.random() < 0.2:
            self.read(self.chance.choice(unfinished))
        if not unfinished or (len(unfinished) < 3 and self.chance.random() < 0.4):
            return partial(self.submit, flow)
        if self.chance.random() < 0.8:
            self.answer_all()
        one = "--all" if self.chance.random() < 0.7 else self.chance.choice(unfinished)
        before = {run["id"]: run["epoch"] for run in seen.runs}
        return partial(self._start, ["resume", one, "--json"], before=before)

    def _start(self, args: Sequence[str], *, more: Sequence[str] = (), **how: Any) -> Engine:
        engine = Engine.start([*args, *more], cwd=self.folder, env=self.env, **how)
        self.breaks = [each if each.frozen else evolve(each, over=min(each.over, engine.begun)) for each in self.breaks]
        self.engines.append(engine)
        return engine

    def strike(self, engine: Engine, number: int = signal.SIGKILL) -> bool:
        """Kill an engine, unless it has ended; tell whether it was alive."""
        if not engine.alive:
            self.see_off(engine)
            return False
        struck, stopped = engine.signal(number)
        if number == signal.SIGTERM:
            self.check_end(engine, also=(-signal.SIGTERM,))
            stopped = time.monotonic()
        self.breaks.append(Break(struck=struck, stopped=stopped))
        self.kills += 1
        return True

    def strike_all(self, engines: Sequence[Engine], *, also: Sequence[int] = ()) -> None:
        """Kill several engines at the same time."""
        struck = time.monotonic()
        alive = [engine for engine in engines if engine.alive]
        for engine in alive:
            engine.process.kill()
        for engine in engines:
            self.see_off(engine, also=also)
        self.breaks.append(Break(struck=struck, stopped=time.monotonic()))
        self.kills += len(alive)

    def strike_worker(self, line: Line) -> None:
        """Kill the process that wrote a line."""
        if line.lives:
            os.kill(line.pid, signal.SIGKILL)
            self.kills += 1

    def stop(self, engine: Engine) -> bool:
        """Stop an engine, but not in the middle of a commit: nobody could write to the file until it goes on."""
        while engine.alive:
            struck, stopped = engine.signal(signal.SIGSTOP)
            if not is_locked(self.store):
                self.breaks.append(Break(struck=struck, stopped=stopped, frozen=True))
                self.kills += 1
                return True
            engine.process.send_signal(signal.SIGCONT)
            time.sleep(0.002)
        self.see_off(engine)
        return False

    def thaw(self, engine: Engine) -> None:
        """Let a stopped engine go on, and see how it ends; until then its workers may do what they please."""
        engine.process.send_signal(signal.SIGCONT)
        self.check_end(engine, also=(RUN_LOST,))
        last = max(place for place, each in enumerate(self.breaks) if each.frozen)
        self.breaks[last] = evolve(self.breaks[last], over=time.monotonic())

    def await_silence(self) -> None:
        """Wait until the lease of whoever holds runs is over."""
        while time.monotonic() - last_sign(self.store) <= LEASE:
            time.sleep(0.02)

    def last_event(self, run_id: str) -> str:
        """Return the kind of a run's newest event."""
        runs = look_closely(self.store).runs
        return next(run["events"][-1]["kind"] for run in runs if run["id"] == run_id)

    def see_off(self, engine: Engine, *, also: Sequence[int] = ()) -> int | None:
        """Wait for an engine's own end, which must be a good one; what it had under way then runs again."""
        code = self.check_end(engine, also=also)
        if code not in (0, _HELD_ELSEWHERE) and engine.ended is not None:
            self.breaks.append(Break(struck=engine.ended, stopped=engine.ended))
        return code

    def check_end(self, engine: Engine, *, also: Sequence[int] = ()) -> int | None:
        """Wait for an engine's own end; one that hangs is a fault, and is killed. `also` are right exit codes."""
        code = engine.finish(PATIENCE)
        if code is None:
            self.fault("I1", " ".join(engine.args), f"hangs: {engine.said[-3:]}")
            engine.destroy()
        elif code not in (0, 1, 7, 130, -signal.SIGKILL, *also) or engine.crashed:
            self.fault("I1", " ".join(engine.args), f"ended with {code}: {[line for _, line in engine.said[-5:]]}")
        return code

    def last_address(self, flow: str) -> str:
        """Return the address of a flow's last step."""
        return f"/{len(document(flow)['flow']['children']) - 1}"

    def usual_ready(self) -> float:
        """Return how many seconds a submit usually takes until it is acknowledged."""
        seen = [told - each.begun for each in self.engines if (told := each.told()) is not None]
        return median(seen) if seen else 0.4

    # moments -------------------------------------------------------------------------------------------------

    def pause(self, most: float) -> None:
        """Wait up to `most` milliseconds."""
        time.sleep(self.chance.random() * most / 1000)

    def await_line(self, engine: Engine, wanted: Callable[[Line], bool], count: int = 1) -> Line | None:
        """Wait until the ledger has `count` more lines of a kind; None when the engine ends before."""
        self.ledger.fresh()
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            ended = not engine.alive
            for line in self.ledger.fresh():
                count -= wanted(line)
                if count <= 0:
                    return line
            if ended:
                return None
            time.sleep(0.0005)
        self.fault("I1", " ".join(engine.args), "does nothing any more")
        return None

    def await_ready(self, engine: Engine) -> bool:
        """Wait until an engine has told of its run, or has taken one up; False when it ends before."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            ended = engine.finish() is not None if not engine.alive else False
            if self._is_ready(engine):
                return True
            if ended:
                return False
            time.sleep(0.0005 if engine.submits else 0.02)
        return False

    def await_taken(self, engine: Engine, held: Mapping[str, int]) -> bool:
        """Wait until runs have another owner than they had at these epochs; False when the engine ends before."""
        while True:
            ended = not engine.alive
            epochs = {run["id"]: run["epoch"] for run in self.look().runs}
            if all(epochs[run] > epoch for run, epoch in held.items()):
                return True
            if ended:
                return False
            time.sleep(0.02)

    def _is_ready(self, engine: Engine) -> bool:
        if engine.submits:
            return engine.told() is not None
        taken = {run["id"] for run in self.look().runs if run["epoch"] > engine.before.get(run["id"], 0)}
        if taken and not engine.held:
            engine.held = taken
            self.restarts.append(time.monotonic() - engine.begun)
        return bool(taken)

    # commands ------------------------------------------------------------------------------------------------

    def command(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run a command that is not an engine."""
        return subprocess.run(
            [*SWARM, *args],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def data(self, *args: str) -> Any:
        """Run a command and return what it prints as JSON; a failure is a fault."""
        done = self.command(*args)
        if done.returncode != 0:
            self.fault("I1", " ".join(args), f"ended with {done.returncode}: {done.stderr.strip()[-400:]}")
            return None
        return json.loads(done.stdout)

    def look(self) -> Look:
        """Return the runs and the open questions; what has ended is noted."""
        if not self.store.exists():
            return Look()
        seen = look(self.store)
        for run in seen.runs:
            if run["status"] in FINAL:
                self.ended_by.setdefault(run["id"], time.monotonic())
        return seen

    def unfinished(self) -> list[Mapping[str, Any]]:
        """Return the runs that have not ended."""
        return [run for run in self.look().runs if run["status"] not in FINAL]

    def read(self, run_id: str) -> None:
        """Read a run's events as a client does, to be compared with what is read later."""
        shown = self.data("show", run_id, "--events", "--json")
        if shown is not None:
            self.reads.setdefault(run_id, []).append(shown["events"])

    # answers and cancels ---------------------------------------------------------------------------------------

    def await_questions(self, engine: Engine) -> list[str]:
        """Return the keys of open questions as soon as there are some, none when the engine ends before."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            ended = not engine.alive
            if keys := self.look().open_questions:
                return keys
            if ended:
                return []
            time.sleep(0.01)
        return []

    def new_answer(self, key: str) -> Any:
        """Return an answer that nobody has given before, and note that somebody tries to give it."""
        answer = {"to": key, "nonce": f"{self.chance.getrandbits(48):012x}"}
        self.given.setdefault(key, []).append(answer)
        return answer

    def start_answer(self, key: str) -> Engine:
        """Begin to answer a question."""
        args = ["answer", key, json.dumps(self.new_answer(key))]
        return Engine.start(args, cwd=self.folder, env=self.env)

    def note_answer(self, giving: Engine) -> None:
        """Wait for the end of an answer; one that was acknowledged stands."""
        if giving.finish(PATIENCE) == 0:
            self.kept.append((giving.args[1], json.loads(giving.args[2])))

    def answer_all(self) -> None:
        """Answer all open questions, straight in the store, which costs no process."""
        if keys := self.look().open_questions:
            give(self.store, {key: self.new_answer(key) for key in keys})

    def start_cancel(self, run_id: str) -> Engine:
        """Begin to cancel a run."""
        return Engine.start(["cancel", run_id], cwd=self.folder, env=self.env)

    def note_cancel(self, run_id: str, giving: Engine) -> None:
        """Wait for a cancel's end; when it said that the run is cancelled, that is how the run must end."""
        code = giving.finish(PATIENCE)
        self.wanted[run_id] = ("cancelled",) if code == 0 else ("done", "cancelled")

    # the end -------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Resume and answer until all runs have ended."""
        for _ in range(ROUNDS):
            if not self.unfinished() or self.hopeless:
                return
            self.answer_all()
            engine = self.resume()
            self.await_ready(engine)
            self.see_off(engine)

    def write_down(self) -> None:
        """Leave beside the ledger what else was seen, for whoever looks into a violation."""
        engines = [f"{each.begun:.3f} {each.pid} {' '.join(each.args)} -> {each.code}" for each in self.engines]
        text = "\n".join([*engines, *map(str, self.breaks), *map(str, self.faults)])
        (self.folder / "seen").write_text(f"{text}\n", encoding="utf-8")

    @property
    def hopeless(self) -> bool:
        """Tell whether so much is wrong that going on would take for ever."""
        return len(self.faults) >= 3

    def kill_all(self) -> None:
        """Leave no engine behind, also when the driver itself fails."""
        for engine in self.engines:
            if engine.alive:
                engine.destroy()

    def fault(self, invariant: str, what: str, why: str) -> None:
        """Note a violation that no ledger shows."""
        self.faults.append(Violation(invariant, what, why))

    def history(self) -> History:
        """Return all that was seen."""
        self.ledger.fresh()
        seen = look_closely(self.store)
        acknowledged = [(each.key, each.run) for each in self.engines if each.run is not None]
        return History(
            runs=[self._seen(run) for run in seen.runs],
            lines=sorted(self.ledger.lines, key=lambda line: line.at),  # an engine may be stopped before it writes one
            breaks=self.breaks,
            given=self.given,
            kept=self.kept,
            answers={each["key"]: each["answer"] for each in seen.questions if each["state"] == "answered"},
            acknowledged=[*self.acknowledged, *acknowledged],
            integrity=[*seen.problems, *self._integrity()],
            survivors=self._survivors(),
            engines={engine.pid for engine in self.engines},
        )

    def _seen(self, run: Mapping[str, Any]) -> RunSeen:
        submitted = document(run["blueprint_id"])
        return RunSeen(
            id=run["id"],
            blueprint=run["blueprint_id"],
            status=run["status"],
            flow=submitted["flow"],
            init_ctx=submitted["default_init_ctx"],
            retries=[name for name, hint in _hints(submitted).items() if "retry" in hint],
            final_ctx=run["final_ctx"],
            chain=run["chain"],
            events=run["events"],
            read_before=self.reads.get(run["id"], ()),
            wanted=self.wanted.get(run["id"], ("done",)),
            ended_by=self.ended_by.get(run["id"]),
            key=run.get("key"),
        )

    def _integrity(self) -> list[str]:
        with closing(sqlite3.connect(self.store)) as connection:
            return [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]

    def _survivors(self) -> list[Line]:
        """Return the processes that still live a moment after the last engine's end; they are killed."""
        deadline = time.monotonic() + 2
        left = [line for line in self.ledger.lines if line.kind in ("START", "HEIR")]
        while (left := [line for line in left if line.lives]) and time.monotonic() < deadline:
            time.sleep(0.01)
        for line in left:
            os.kill(line.pid, signal.SIGKILL)
        return left


@cache
def document(flow: str) -> Mapping[str, Any]:
    """Return the Blueprint of a flow, as it is written."""
    return yaml.safe_load((FLOWS / f"{flow}.yaml").read_text(encoding="utf-8"))


def _hints(document: Mapping[str, Any]) -> Mapping[str, Any]:
    return document.get("hints", {}).get("per_agent", {})

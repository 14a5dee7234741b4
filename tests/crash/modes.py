"""When and how an engine is struck: one function per mode, each an episode that may begin with unfinished runs."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping

from crash.engine import Engine
from crash.ledger import Line
from crash.project import ROUNDS, Project

HELD_ELSEWHERE, STORE_FAILED = 3, 6  # exit codes
UNHEARD = -signal.SIGTERM  # of an engine whose runs had ended, which listens no more

Mode = Callable[[Project, str], None]


# at a moment -------------------------------------------------------------------------------------------------


def soon(project: Project, flow: str) -> None:
    """0 to 300 ms after a submit or a resume, or after it said that it is there."""
    engine = project.begin(flow)
    if project.chance.random() < 0.7:
        project.await_ready(engine)
    project.pause(300)
    project.strike(engine)


def start(project: Project, flow: str) -> None:
    """0 to 10 ms after a START."""
    engine = project.begin(flow)
    project.await_line(engine, _is("START"), _few(project))
    project.pause(10)
    project.strike(engine)


def end(project: Project, flow: str) -> None:
    """0 to 10 ms after an END: between the effect and its record."""
    engine = project.begin(flow)
    project.await_line(engine, _is("END"), _few(project))
    project.pause(10)
    project.strike(engine)


def last(project: Project, flow: str) -> None:
    """0 to 80 ms after the last step's effect, most of them at once."""
    engine = project.begin(flow)
    final = project.last_address(flow)
    project.await_line(engine, lambda line: line.kind == "END" and line.address == final)
    project.pause(project.chance.choice([3, 20, 80]))
    project.strike(engine)


def submit(project: Project, flow: str) -> None:
    """Within the 150 ms in which a run is submitted; the submit is repeated under the same key until it is told."""
    key = f"key-{project.chance.getrandbits(48):012x}"
    for _ in range(project.chance.randint(1, 3)):
        engine = project.submit(flow, key=key)
        _wait_until(engine.begun + max(0.0, project.usual_ready() + 0.05 - project.chance.random() * 0.15), engine)
        project.strike(engine)
    again = project.submit(flow, key=key)
    project.await_ready(again)
    project.strike(again)


def recovery(project: Project, flow: str) -> None:
    """While a run is being recovered."""
    engine = project.begin(flow)
    project.await_line(engine, _is("START"), _few(project))
    if project.strike(engine):
        again = project.resume()
        _wait_until(again.begun + max(0.0, project.usual_ready() + 0.1 - project.chance.random() * 0.3), again)
        project.strike(again)


def twice(project: Project, flow: str) -> None:
    """Twice in a row: the second time as soon as the next engine has the run, or its first worker has begun."""
    engine = project.begin(flow)
    project.await_line(engine, _is("START", "END"), _few(project))
    if project.strike(engine):
        again = project.resume()
        if project.chance.random() < 0.5:
            project.await_ready(again)
        else:
            project.await_line(again, _is("START"))
        project.pause(10)
        project.strike(again)


# other ways to go ----------------------------------------------------------------------------------------------


def sigterm(project: Project, flow: str) -> None:
    """SIGTERM: the engine stops in order, says 130, and its runs can be resumed."""
    engine = project.begin(flow)
    project.await_line(engine, _is("START", "END"), _few(project))
    project.pause(10)
    if project.strike(engine, signal.SIGTERM) and engine.code not in (130, 0, 7, UNHEARD):
        project.fault("I1", " ".join(engine.args), f"SIGTERM ended it with {engine.code}, not with 130")
    for run in project.unfinished():
        if project.last_event(run["id"]) not in ("run_interrupted", "run_waiting"):
            project.fault("I1", run["id"], "was not interrupted in order by SIGTERM")


def freeze(project: Project, flow: str) -> None:
    """SIGSTOP for longer than the lease; a second engine goes on with the runs; then SIGCONT: the first is refused."""
    engine = project.begin(flow)
    project.await_line(engine, _is("START", "END"), _few(project))
    project.pause(10)
    if project.stop(engine):
        second = _taken_over(project)
        if second is not None and project.chance.random() < 0.5:
            project.pause(100)
        elif second is not None:
            project.see_off(second)
        project.thaw(engine)
        if second is not None:
            project.see_off(second)


def _taken_over(project: Project) -> Engine | None:
    """Resume until the stopped engine's lease is over and all its runs are taken; None when it had none."""
    held = {run["id"]: run["epoch"] for run in project.unfinished() if run["owner"] is not None}
    if held:
        project.await_silence()
    for _ in range(ROUNDS if held else 0):
        project.answer_all()  # a run that waits is not taken up before
        second = project.resume()
        if project.await_taken(second, held):
            return second
        project.see_off(second)
    if held:
        project.fault("I1", ", ".join(held), "is not taken over from an engine that was stopped")
    return None


def worker(project: Project, flow: str) -> None:
    """A worker is killed, and sometimes the engine right after it."""
    engine = project.begin(flow)
    line = project.await_line(engine, lambda line: line.kind == "START" and line.pid != engine.pid)
    if line is not None:
        project.pause(10)
        project.strike_worker(line)
    if project.chance.random() < 0.5:
        project.pause(30)
        project.strike(engine)
    else:
        project.see_off(engine)


def twins(project: Project, flow: str) -> None:
    """Two resumes at once; both are killed at the same time."""
    engine = project.begin(flow)
    project.await_line(engine, _is("START"), _few(project))
    project.strike(engine)
    pair = [project.resume(), project.resume()]
    if project.chance.random() < 0.7:
        project.await_line(pair[0], _is("START"), _few(project))
        project.pause(10)
        project.strike_all(pair, also=(HELD_ELSEWHERE,))
    else:
        for each in pair:
            project.see_off(each, also=(HELD_ELSEWHERE,))


def answer(project: Project, flow: str) -> None:
    """Around an answer, or two at once: the engine is killed before, while or after it is given, or who gives it."""
    patient = () if project.chance.random() < 0.3 else ("--wait",)
    engine = project.begin(flow, more=patient)
    keys = project.await_questions(engine)
    if not keys:
        project.strike(engine)
        return
    key = project.chance.choice(keys)
    givings = [project.start_answer(key) for _ in range(project.chance.randint(1, 2))]
    giving = givings[0]
    _wait_until(giving.begun + max(0.0, project.usual_ready() + 0.1 - project.chance.random() * 0.3), giving)
    if project.chance.random() < 0.3:
        giving.process.kill()
        project.pause(100)
    project.strike(engine)
    for each in givings:
        project.note_answer(each)


def cancel(project: Project, flow: str) -> None:
    """A run is cancelled at a random time, and the engine is killed around that."""
    engine = project.submit(flow)
    if not project.await_ready(engine):
        return
    project.pause(150)
    if project.chance.random() < 0.3:
        project.strike(engine)
    assert engine.run is not None
    giving = project.start_cancel(engine.run)
    if project.chance.random() < 0.5:
        giving.finish()
        project.pause(100)
    else:
        _wait_until(giving.begun + project.chance.random() * 0.4, giving)
    project.strike(engine)
    project.note_cancel(engine.run, giving)


def clock(project: Project, flow: str) -> None:
    """The wall clock jumps, an hour to ten years, while the engine runs; another one asks for its runs in vain."""
    engine = project.begin(flow)
    project.await_line(engine, _is("START"), _few(project))
    assert project.clock is not None
    other = project.resume() if project.chance.random() < 0.5 else None
    project.pause(60 if other is None else 1000 * project.usual_ready())
    project.clock.jump()
    if other is not None:
        project.check_end(other, also=(HELD_ELSEWHERE,))
    project.pause(60)
    project.strike(engine)


def disk(project: Project, flow: str) -> None:
    """The disk fails or is full for one cycle: the engine says so and stops; nothing that it said is lost."""
    assert project.disk is not None
    begin = project.choose(flow)
    with project.disk.broken() as how:
        engine = begin(**how)
        code = project.see_off(engine, also=(STORE_FAILED,))
    project.kills += code == STORE_FAILED


MODES: Mapping[str, Mode] = {
    mode.__name__: mode
    for mode in (
        soon,
        start,
        end,
        last,
        submit,
        recovery,
        twice,
        sigterm,
        freeze,
        worker,
        twins,
        answer,
        cancel,
        clock,
        disk,
    )
}


def _few(project: Project) -> int:
    """Return how many lines to wait for: mostly few, since a resumed run may have few left to write."""
    return project.chance.choice((1, 1, 2, 2, 3, 4, 6, 9))


def _is(*kinds: str) -> Callable[[Line], bool]:
    return lambda line: line.kind in kinds


def _wait_until(moment: float, engine: Engine) -> None:
    while engine.alive and (left := moment - time.monotonic()) > 0:
        time.sleep(min(left, 0.002))

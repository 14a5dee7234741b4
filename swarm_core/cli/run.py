"""`swarm run`: run a Blueprint to its end."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import click
from attrs import evolve

from swarm_core.cli import inputs, outcome
from swarm_core.cli.interrupt import cancel_on_signal, to_the_end
from swarm_core.cli.progress import progress_for
from swarm_core.errors import DocumentError, SpawnDepthExceeded
from swarm_core.model.problem import Problem, Severity
from swarm_core.model.task import RunStatus
from swarm_core.model.value import NotJson
from swarm_core.settings import Settings
from swarm_core.swarm import Launched, Prepared, RunResult, Source, Swarm

_MOST_PRINTED = 256 * 1024 * 1024
_YEAR_2100 = 4_102_444_800

_CODES = {RunStatus.DONE: outcome.OK, RunStatus.FAILED: outcome.FLOW_FAILED, RunStatus.CANCELLED: outcome.INTERRUPTED}


@click.command("run")
@inputs.blueprint_argument
@click.option("--ctx", "ctx_text", metavar="JSON|@FILE|-", help="The initial ctx, a JSON value.")
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Write one value into the initial ctx; dots go deeper, VALUE is JSON or text. May be repeated.",
)
@inputs.compile_options
@click.option("--json", "as_json", is_flag=True, help="Print one object: run_id, status, final_ctx, error, counts.")
@click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
@click.pass_context
def command(
    ctx: click.Context, /, file: Path, ctx_text: str | None, assignments: tuple[str, ...], **options: Any
) -> int:
    """Run the Blueprint in FILE and print its final ctx.

    Progress goes to stderr, the result to stdout. Exit codes: 0 done, 1 the flow failed, 2 usage, 3 invalid input,
    4 not found, 130 interrupted (Ctrl-C cancels the run and everything it started).
    """
    if str(file) == "-" and ctx_text == "-":
        raise click.UsageError("only one of FILE and --ctx can be read from stdin")
    init_ctx = inputs.initial_ctx(ctx_text, assignments)
    text = inputs.read_stdin() if str(file) == "-" else None
    return to_the_end(_run(inputs.settings_of(ctx), file, text, init_ctx, **options))


async def _run(
    settings: Settings,
    file: Path,
    text: bytes | None,
    init_ctx: Any,
    *,
    bindings: tuple[str, ...],
    layer_set: str,
    as_json: bool,
    quiet: bool,
) -> int:
    _doubt_clock(time.time())
    _bound_depth(settings)
    with outcome.kept_stdout():
        async with Swarm.open(settings) as swarm:
            source: Source = swarm.read(file, text=text)
            prepared = swarm.prepare(source, bind=inputs.parse_bindings(bindings), layer_set=layer_set)
            if not quiet:
                for problem in prepared.problems:
                    if problem.severity is not Severity.NOTE:  # notes are for `check` and `explain`
                        outcome.say(f"{problem.severity}: {problem}")
            launched = await _launch(swarm, prepared, init_ctx)
            result = await _watched(launched, quiet=quiet)
    _print(result, as_json=as_json)
    return _CODES[result.status]


def _bound_depth(settings: Settings) -> None:
    """Refuse to run below as many engines as tasks may stand below each other: a worker may have started itself."""
    told = os.environ.get("SWARM_DEPTH", "0")
    depth, most = int(told) if told.isdecimal() else 0, settings.engine.max_spawn_depth
    if depth >= most:
        raise SpawnDepthExceeded(depth, most)


def _doubt_clock(now: float) -> None:
    if not 0 <= now < _YEAR_2100:
        outcome.warn(f"this machine says it is {now:.0f} s after 1970, which is not before 2100: set its clock")


async def _launch(swarm: Swarm, prepared: Prepared, init_ctx: Any) -> Launched:
    """Begin the run; it fails when its final ctx is too large to be printed."""
    limits = evolve(prepared.program.limits, max_ctx_bytes=_MOST_PRINTED)
    bounded = evolve(prepared, program=evolve(prepared.program, limits=limits))
    try:
        return await swarm.launch(bounded, init_ctx=init_ctx, operator_id="cli")
    except NotJson as error:
        raise DocumentError([Problem(code="bad_ctx", message=f"the initial ctx is refused: {error}")]) from None


async def _watched(launched: Launched, *, quiet: bool) -> RunResult:
    """Wait for the run while its progress is shown; the first Ctrl-C cancels it, the second one kills this program."""
    take_back = cancel_on_signal(launched.request_cancel)
    try:
        if not quiet:
            with progress_for(launched.id, sys.stderr) as progress:
                async for event in launched.events():
                    progress.take(event)
        return await launched.wait()
    finally:
        take_back()


def _print(result: RunResult, *, as_json: bool) -> None:
    if as_json:
        outcome.print_json(result.as_json())
        return
    if result.error is not None:
        facts = {**result.error}
        place = " ".join(str(facts[key]) for key in ("where", "address") if facts.get(key))
        text = f"{facts.get('kind', '')} {facts.get('message', '')} {f'({place})' if place else ''}"
        outcome.say(f"{result.status}: {outcome.one_line(text)}")
        return
    outcome.print_json(result.final_ctx)

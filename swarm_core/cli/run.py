"""`swarm run`: run a Blueprint to its end."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path
from typing import Any

import click
from attrs import evolve

from swarm_core.cli import inputs, outcome, session, stores
from swarm_core.cli.at_once import AtOnce, may_ask
from swarm_core.cli.interrupt import to_the_end
from swarm_core.cli.remote import server_of
from swarm_core.cli.resume import go_on
from swarm_core.cli.watch import follow
from swarm_core.cli.watching import Interruption, Settled, history_of, report, settle, settle_unseen, settled
from swarm_core.errors import DocumentError, RunEnded, RunOwned, SpawnDepthExceeded
from swarm_core.model.problem import Problem, Severity
from swarm_core.model.value import NotJson
from swarm_core.settings import Settings, store_url
from swarm_core.swarm import Launched, Prepared, RunResult, Swarm

_MOST_PRINTED = 256 * 1024 * 1024
_YEAR_2100 = 4_102_444_800


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
@inputs.budget_options
@session.session_options
@stores.place_option
@click.option("--key", metavar="KEY", help="Launch once: the run that was launched under this key is taken up again.")
@click.option("--wait", "patient", is_flag=True, help="Stay while the run waits for answers.")
@click.option("--json", "as_json", is_flag=True, help="Print one object: run_id, status, final_ctx, error, counts.")
@click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
@click.pass_context
def command(
    ctx: click.Context, /, file: Path | str, ctx_text: str | None, assignments: tuple[str, ...], **options: Any
) -> int:
    """Run the Blueprint in FILE, or the kept one that bp:NAME[@SELECTOR] names, and print its final ctx.

    Progress goes to stderr, the result to stdout. Exit codes: 0 done, 1 the flow failed, 2 usage, 3 invalid input,
    4 not found, 6 the store cannot be used, 7 waiting for an answer, 130 interrupted (Ctrl-C stops the run and
    everything it started; `swarm resume` goes on).
    """
    if str(file) == "-" and ctx_text == "-":
        raise click.UsageError("only one of FILE and --ctx can be read from stdin")
    init_ctx = inputs.initial_ctx(ctx_text, assignments)
    text = inputs.read_stdin() if str(file) == "-" else None
    settings, store, as_json = inputs.settings_of(ctx), options["store"], options.pop("as_json")
    if (server := server_of(settings, store)) is not None:
        from swarm_core.cli.remote_run import run_there

        return run_there(settings, server, file=file, text=text, init_ctx=init_ctx, as_json=as_json, **options)
    at_once = AtOnce(
        settings=settings,
        store=store,
        report=partial(report, store=store, as_json=as_json),
        asks=text is None and may_ask(settings, store, as_json=as_json, quiet=options["quiet"]),
    )
    code = to_the_end(_run(settings, file, text, init_ctx, at_once, **options))
    return at_once.ask_and_go_on(code, partial(go_on, at_once))


async def _run(
    settings: Settings,
    file: Path | str,
    text: bytes | None,
    init_ctx: Any,
    at_once: AtOnce,
    *,
    bindings: tuple[str, ...],
    layer_set: str,
    budget_pairs: tuple[str, ...],
    store: str | None,
    key: str | None,
    kinds: tuple[str, ...],
    operator_id: str | None,
    senior_id: str | None,
    hook_id: str | None,
    patient: bool,
    quiet: bool,
) -> int:
    _doubt_clock(time.time())
    _bound_depth(settings)
    budget = inputs.parse_budget(budget_pairs) or None
    request = session.session_request(kinds, operator_id=operator_id, senior_id=senior_id, hook_id=hook_id)
    with outcome.kept_stdout():
        blueprints = inputs.blueprints_of(settings, file, store)
        async with Swarm.open(settings, store=store_url(settings, store), blueprints=blueprints) as swarm:
            document = await swarm.fetch(file, text=text)
            prepared = swarm.prepare(document, bind=inputs.parse_bindings(bindings), layer_set=layer_set)
            session.require_known(swarm, prepared, request)
            if not quiet:
                for problem in prepared.problems:
                    if problem.severity is not Severity.NOTE:  # notes are for `check` and `explain`
                        outcome.say(f"{problem.severity}: {problem}")
            with Interruption(swarm) as interruption:
                try:
                    launched = await _launch(swarm, prepared, init_ctx, key=key, budget=budget, request=request)
                except (RunEnded, RunOwned) as error:
                    end = await _elsewhere(swarm, error.run_id, quiet=quiet)
                else:
                    interruption.hold(launched)
                    end = await _settled(swarm, launched, quiet=quiet, patient=patient)
    return at_once.settle(end)


async def _settled(swarm: Swarm, launched: Launched, *, quiet: bool, patient: bool) -> Settled:
    if quiet:
        return await settle_unseen(swarm, launched, patient=patient)
    return await settle(swarm, launched, patient=patient)


async def _elsewhere(swarm: Swarm, run_id: str, *, quiet: bool) -> Settled:
    """Tell what came of the run that was launched under the same key before, once whoever holds it is done."""
    history = history_of(swarm)
    if not quiet:
        outcome.say(f"{run_id} was launched under this key before")
    await follow(history, run_id, quiet=quiet)
    run = await history.stands(run_id)
    result = RunResult(
        run_id=run_id,
        status=run.status,
        final_ctx=await history.result(run_id),
        error=run.error,
        counts=dict(run.counts),
    )
    return await settled(swarm, result)


def _bound_depth(settings: Settings) -> None:
    """Refuse to run below as many engines as tasks may stand below each other: a worker may have started itself."""
    told = os.environ.get("SWARM_DEPTH", "0")
    depth, most = int(told) if told.isdecimal() else 0, settings.engine.max_spawn_depth
    if depth >= most:
        raise SpawnDepthExceeded(depth, most)


def _doubt_clock(now: float) -> None:
    if not 0 <= now < _YEAR_2100:
        outcome.warn(f"this machine says it is {now:.0f} s after 1970, which is not before 2100: set its clock")


async def _launch(swarm: Swarm, prepared: Prepared, init_ctx: Any, **options: Any) -> Launched:
    """Begin the run; it fails when its final ctx is too large to be printed."""
    limits = evolve(prepared.program.limits, max_ctx_bytes=_MOST_PRINTED)
    bounded = evolve(prepared, program=evolve(prepared.program, limits=limits))
    try:
        return await swarm.launch(bounded, init_ctx=init_ctx, operator_id="cli", **options)
    except NotJson as error:
        raise DocumentError([Problem(code="bad_ctx", message=f"the initial ctx is refused: {error}")]) from None

"""Runs: listed, shown, and what is done with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve, field, frozen

from swarm_core.endpoints import Answer, Endpoint, HttpReply, HttpRequest, Parameter
from swarm_core.errors import EngineError, RunEnded
from swarm_core.model.access import Verb
from swarm_core.model.run import RunFilter, RunResult, StoredRun
from swarm_core.model.task import FINAL_RUN_STATUSES, RunStatus
from swarm_core.model.version import IdRef, InlineRef
from swarm_core.serving import LiveSwarm
from swarm_core.settings import STANDARD_SET
from swarm_plugin_server.launching import Wanted, check_room, prepare
from swarm_plugin_server.shapes import MIGRATION, STEP_LIST, RunPage
from swarm_plugin_server.standing import end_of, is_here, result_of, run_json, run_of

_MOST = 1_000
_LONGEST_WAIT = 300


@frozen(kw_only=True)
class Rerun:
    """Where a new run begins: the addresses of steps, none for those that failed."""

    from_: tuple[str, ...] = ()


@frozen(kw_only=True)
class MigrationWanted:
    """Another Blueprint for a run; without `confirm` it is only told what would become of the recorded steps."""

    blueprint: InlineRef | IdRef
    confirm: bool = False
    bind: Mapping[str, str] = field(factory=dict)
    layer_set: str = STANDARD_SET


async def runs(request: HttpRequest) -> HttpReply:
    """List runs, the newest first."""
    swarm, asked = request.swarm, request.query
    wanted = RunFilter(
        statuses=tuple(map(RunStatus, asked["status"])),
        blueprint_id=asked["blueprint_id"],
        before=None if asked["before"] is None else (await run_of(swarm, asked["before"])).id,
        limit=asked["limit"],
    )
    found = await swarm.history.runs(wanted)
    following = found[-1].id if len(found) == wanted.limit else None
    return HttpReply(value={"runs": [await run_json(swarm, run) for run in found], "next": following})


async def run(request: HttpRequest) -> HttpReply:
    """Show a run as it stands."""
    return await _shown(request.swarm, await run_of(request.swarm, request.path["run_id"]))


async def steps(request: HttpRequest) -> HttpReply:
    """List the steps of a run in the order in which they were begun."""
    found = await run_of(request.swarm, request.path["run_id"])
    return HttpReply(value={"steps": [step.as_json() for step in await request.swarm.history.steps(found.id)]})


async def result(request: HttpRequest) -> HttpReply:
    """Tell how a run ended, or where it stands when it has not."""
    swarm, seconds = request.swarm, request.query["wait"]
    found = await run_of(swarm, request.path["run_id"])
    if seconds and found.status not in FINAL_RUN_STATUSES:
        await end_of(request, found.id, seconds=seconds)
        found = await swarm.history.stands(found.id)
    told = await result_of(swarm, found)
    return HttpReply(status=200 if told.status in FINAL_RUN_STATUSES else 202, value=told.as_json())


async def cancel(request: HttpRequest) -> HttpReply:
    """Cancel a run, whoever carries it out, and wait until it has ended."""
    swarm, seconds = request.swarm, request.query["wait"]
    found = await run_of(swarm, request.path["run_id"])
    if found.status in FINAL_RUN_STATUSES:
        return await _cancelled(swarm, found)
    if is_here(swarm, found.id):
        await swarm.cancel(found.id, by=request.caller.name)
        await end_of(request, found.id, seconds=seconds)
        return await _cancelled(swarm, await swarm.history.stands(found.id))
    return await _cancelled(swarm, await _asked(swarm, found.id, request.caller.name, seconds))


async def _asked(swarm: LiveSwarm, run_id: str, by: str, seconds: float) -> StoredRun:
    """Cancel a run that another process holds, or nobody, and return it as it stands after that."""
    try:
        return await swarm.history.ask_cancel(run_id, by, patience=seconds)
    except EngineError as error:
        if type(error) is not EngineError:
            raise
        return await swarm.history.stands(run_id)  # its owner has not done it yet; the wish is noted


async def _cancelled(swarm: LiveSwarm, found: StoredRun) -> HttpReply:
    if found.status not in FINAL_RUN_STATUSES:
        return await _shown(swarm, found, status=202)
    if found.status is not RunStatus.CANCELLED:
        raise RunEnded(found.id, found.status)
    return await _shown(swarm, found)


async def resume(request: HttpRequest) -> HttpReply:
    """Go on with a run where it was stopped."""
    swarm = request.swarm
    check_room(swarm)
    found = await run_of(swarm, request.path["run_id"])
    await swarm.resume(found.id)
    return await _shown(swarm, await swarm.history.stands(found.id), status=202)


async def rerun(request: HttpRequest) -> HttpReply:
    """Begin a new run that shares the steps of this one that do not depend on those it begins at."""
    swarm, body = request.swarm, request.body or Rerun()
    check_room(swarm)
    found = await run_of(swarm, request.path["run_id"])
    begun = await swarm.rerun(found.id, body.from_)
    return await _shown(swarm, await swarm.history.stands(begun.id), status=201)


async def migrate(request: HttpRequest) -> HttpReply:
    """Tell what becomes of a run's steps with another Blueprint, and bind it to that when it is confirmed."""
    swarm, body = request.swarm, request.body
    found = await run_of(swarm, request.path["run_id"])
    wanted = Wanted(blueprint=body.blueprint, bind=body.bind, layer_set=body.layer_set)
    plan = await swarm.plan_migration(found.id, await prepare(swarm, wanted))
    if body.confirm:
        await swarm.migrate(plan)
    return HttpReply(value={**plan.as_json(), "migrated": body.confirm})


async def _shown(swarm: LiveSwarm, found: StoredRun, *, status: int = 200) -> HttpReply:
    headers = {} if status == 200 else {"location": f"/v1/runs/{found.id}"}
    return HttpReply(status=status, value=await run_json(swarm, found), headers=headers)


def _of_run(method: str, rest: str, name: str, handler: Any, verb: Verb, **more: Any) -> Endpoint:
    """Return an endpoint of one run, with the first line of its handler's docstring as summary."""
    return Endpoint(
        method=method,
        path=f"/v1/runs/{{run_id}}{rest}",
        name=name,
        summary=(handler.__doc__ or "").partition("\n")[0].rstrip("."),
        handler=handler,
        tag="runs",
        verb=verb,
        **more,
    )


_WAIT = Parameter(name="wait", type=float, default=0.0, least=0, most=_LONGEST_WAIT, summary="Seconds to wait for it")
_PATIENCE = evolve(_WAIT, default=30.0)
_RUN = Answer(model=StoredRun)
_GONE, _HELD = frozenset({404}), frozenset({404, 409, 422, 503})

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/runs",
        name="list_runs",
        summary="List runs, the newest first",
        handler=runs,
        tag="runs",
        verb=Verb.READ_TASK_STATE,
        query=(
            Parameter(
                name="status", many=True, choices=tuple(map(str, RunStatus)), summary="Only runs that stand there"
            ),
            Parameter(name="blueprint_id", summary="Only runs of this Blueprint"),
            Parameter(name="before", summary="Only runs older than this one"),
            Parameter(name="limit", type=int, default=100, least=1, most=_MOST, summary="So many at most"),
        ),
        answers={200: Answer(model=RunPage)},
        refusals=_GONE,
    ),
    _of_run("GET", "", "show_run", run, Verb.READ_TASK_STATE, answers={200: _RUN}, refusals=_GONE),
    _of_run(
        "GET",
        "/steps",
        "run_steps",
        steps,
        Verb.READ_TASK_STATE,
        answers={200: Answer(model=STEP_LIST)},
        refusals=_GONE,
    ),
    _of_run(
        "GET",
        "/result",
        "run_result",
        result,
        Verb.READ_TASK_STATE,
        query=(_WAIT,),
        answers={
            200: Answer(model=RunResult, summary="How it ended"),
            202: Answer(model=RunResult, summary="Where it stands: it has not ended"),
        },
        refusals=_GONE,
    ),
    _of_run(
        "POST",
        "/cancel",
        "cancel_run",
        cancel,
        Verb.CANCEL_TASK,
        query=(_PATIENCE,),
        answers={200: Answer(model=StoredRun, summary="It is cancelled"), 202: Answer(model=StoredRun, summary="Soon")},
        refusals=_HELD,
    ),
    _of_run("POST", "/resume", "resume_run", resume, Verb.DISPATCH_ATTEMPT, answers={202: _RUN}, refusals=_HELD),
    _of_run(
        "POST",
        "/rerun",
        "rerun_run",
        rerun,
        Verb.START_TASK,
        body=Rerun,
        optional_body=True,
        answers={201: _RUN},
        refusals=_HELD,
    ),
    _of_run(
        "POST",
        "/migrate",
        "migrate_run",
        migrate,
        Verb.DISPATCH_ATTEMPT,
        body=MigrationWanted,
        answers={200: Answer(model=MIGRATION)},
        refusals=_HELD,
    ),
)

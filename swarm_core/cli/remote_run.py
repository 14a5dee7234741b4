"""`swarm run` at a server: the Blueprint is read here and carried out there."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from swarm_core.cli import inputs, outcome, session, stores
from swarm_core.cli.at_once import AtOnce, may_ask
from swarm_core.cli.carrying import Leaving
from swarm_core.cli.interrupt import to_the_end
from swarm_core.cli.remote import connected
from swarm_core.cli.resume import go_on
from swarm_core.cli.sources import Here, read_here
from swarm_core.cli.watching import report, settle, settle_unseen
from swarm_core.errors import InvalidBlueprint
from swarm_core.model.problem import Severity

if TYPE_CHECKING:
    from swarm_core.model.operator import SessionRequest
    from swarm_core.remote import RemoteRun, RemoteSwarm
    from swarm_core.settings import Settings


@frozen(kw_only=True, eq=False, repr=False)
class Order:
    """What is to be run, and how."""

    file: Path | str
    text: bytes | None
    init_ctx: Any
    bind: dict[str, str]
    layer_set: str
    budget: dict[str, Any] | None
    request: SessionRequest | None
    key: str | None


def run_there(
    settings: Settings,
    server: str,
    *,
    store: str | None,
    file: Path | str,
    text: bytes | None,
    init_ctx: Any,
    bindings: tuple[str, ...],
    layer_set: str,
    budget_pairs: tuple[str, ...],
    key: str | None,
    kinds: tuple[str, ...],
    operator_id: str | None,
    senior_id: str | None,
    hook_id: str | None,
    patient: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Run a Blueprint at a server as `swarm run` does here, and return the exit code."""
    order = Order(
        file=file,
        text=text,
        init_ctx=init_ctx,
        bind=inputs.parse_bindings(bindings),
        layer_set=layer_set,
        budget=inputs.parse_budget(budget_pairs) or None,
        request=session.session_request(kinds, operator_id=operator_id, senior_id=senior_id, hook_id=hook_id),
        key=key,
    )
    at_once = AtOnce(
        settings=settings,
        store=store,
        report=partial(report, store=store, as_json=as_json),
        asks=text is None and may_ask(settings, store, as_json=as_json, quiet=quiet),
    )
    code = to_the_end(_run(at_once, server, order, patient=patient, quiet=quiet))
    return at_once.ask_and_go_on(code, partial(go_on, at_once))


async def _run(at_once: AtOnce, server: str, order: Order, *, patient: bool, quiet: bool) -> int:
    async with connected(at_once.settings, server) as there:
        with outcome.kept_stdout():
            here = read_here(order.file, order.text, there.catalog)
        await _check(there.swarm, here, order, quiet=quiet)
        with Leaving(there.swarm, stores.suffix(at_once.store)) as leaving:
            run = await _launch(there.swarm, here, order)
            leaving.watch(run)
            if run.known and not quiet:
                outcome.say(f"{run.id} was launched under this key before")
            if quiet:
                end = await settle_unseen(there.swarm, run, patient=patient)
            else:
                end = await settle(there.swarm, run, patient=patient)
    return at_once.settle(end)


async def _check(swarm: RemoteSwarm, here: Here, order: Order, *, quiet: bool) -> None:
    """Tell what is doubtful about the Blueprint at the server; raises InvalidBlueprint, with every error."""
    found = await swarm.check(here.source, bind=order.bind, layer_set=order.layer_set)
    problems = here.located(found)
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if errors:
        left = here.left_behind()
        raise InvalidBlueprint([*errors, *([] if left is None else [left])])
    for problem in () if quiet else (*here.notes, *problems):
        if problem.severity is not Severity.NOTE:  # notes are for `check` and `explain`
            outcome.say(f"{problem.severity}: {problem}")


async def _launch(swarm: RemoteSwarm, here: Here, order: Order) -> RemoteRun:
    return await swarm.launch(
        here.source,
        init_ctx=order.init_ctx,
        bind=order.bind,
        layer_set=order.layer_set,
        request=order.request,
        key=order.key,
        budget=order.budget,
    )

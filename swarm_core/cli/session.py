"""Who stands behind a run: operator kinds, and the operator, senior and hook that its session names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from swarm_core.errors import did_you_mean
from swarm_core.model.operator import OperatorKind, SessionRequest
from swarm_core.swarm import Prepared, Swarm

F = TypeVar("F", bound=Callable[..., Any])

_KINDS = [str(kind) for kind in OperatorKind]


def session_options(command: F) -> F:
    """Add the options that say who stands behind the run."""
    for name, what in (("hook", "sees"), ("senior", "answers for"), ("operator", "takes")):
        text = f"Who {what} its attempts: an id that a plugin attaches, or a function of swarmfile.py."
        command = click.option(f"--{name}", f"{name}_id", metavar="ID", help=text)(command)
    return click.option(
        "--operator-kind",
        "kinds",
        multiple=True,
        metavar="KIND|AGENT=KIND",
        help=f"How the operator takes part, for all agents or one: {', '.join(_KINDS)}. May be repeated.",
    )(command)


def session_request(
    kinds: Sequence[str], *, operator_id: str | None, senior_id: str | None, hook_id: str | None
) -> SessionRequest | None:
    """Return what the run's session is attached with, None when nothing was said; raises click.BadParameter."""
    whole: OperatorKind | None = None
    agents: dict[str, OperatorKind] = {}
    for text in kinds:
        agent, equals, name = text.rpartition("=")
        kind = _kind(name)
        if not equals and whole is not None and whole is not kind:
            raise click.BadParameter(f"it is {whole} already", param_hint="--operator-kind")
        if equals:
            agents[agent] = kind
        else:
            whole = kind
    request = SessionRequest(
        operator_kind=whole,
        agent_kinds=agents,
        operator_backend_id=operator_id,
        bridge_id=senior_id,
        hook_id=hook_id,
    )
    return None if request == SessionRequest() else request


def require_known(swarm: Swarm, prepared: Prepared, request: SessionRequest | None) -> None:
    """Refuse what names nobody: an id that nothing is attached under, an agent that is not there.

    Raises: click.UsageError.
    """
    if request is None:
        return
    document = prepared.document
    for id in swarm.attach_functions(request, document):
        known = [function.name for function in document.functions]
        hint = did_you_mean(id, known, otherwise="functions of swarmfile.py")
        raise click.UsageError(f"nothing is attached as {id!r}, and no function has this name; {hint}")
    agents = [agent.name for agent in prepared.blueprint.agents]
    for agent in request.agent_kinds:
        if agent not in agents:
            hint = did_you_mean(agent, agents, otherwise="agents")
            raise click.BadParameter(f"no agent is named {agent!r}; {hint}", param_hint="--operator-kind")


def _kind(name: str) -> OperatorKind:
    try:
        return OperatorKind(name)
    except ValueError:
        hint = did_you_mean(name, _KINDS, otherwise="kinds")
        raise click.BadParameter(f"{name!r} is no operator kind; {hint}", param_hint="--operator-kind") from None

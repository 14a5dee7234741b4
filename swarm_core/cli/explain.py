"""`swarm explain`: what a Blueprint resolves to before it runs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from swarm_core.cli import inputs, outcome
from swarm_core.cli.layers import chain_facts, print_chain
from swarm_core.cli.tables import print_table
from swarm_core.codec import unstructure
from swarm_core.model.budget import LIMITS, AgentBudget, Budget
from swarm_core.model.policy import AgentPolicy
from swarm_core.settings import Settings
from swarm_core.swarm import Prepared, Swarm


@click.command("explain")
@inputs.blueprint_argument
@inputs.compile_options
@click.option(
    "--json", "as_json", is_flag=True, help="Print one object: blueprint, agents, layers, bound, budget, problems."
)
@click.pass_context
def command(ctx: click.Context, /, file: Path | str, **options: Any) -> int:
    """Show what the Blueprint in FILE, or a kept one (bp:NAME[@SELECTOR]), resolves to.

    For each agent the kind it runs on, who provides it and what the engine grants it; the layers around every
    attempt, the outermost first, who asked for them and their options; the most dispatches a run can make, and its
    budget.
    """
    text = inputs.read_stdin() if str(file) == "-" else None
    return asyncio.run(_explain(inputs.settings_of(ctx), file, text, **options))


async def _explain(
    settings: Settings,
    file: Path | str,
    text: bytes | None,
    *,
    bindings: tuple[str, ...],
    layer_set: str,
    as_json: bool,
) -> int:
    with outcome.kept_stdout():
        async with Swarm.open(settings, blueprints=inputs.blueprints_of(settings, file)) as swarm:
            document = await swarm.fetch(file, text=text)
            prepared = swarm.prepare(document, bind=inputs.parse_bindings(bindings), layer_set=layer_set)
    if as_json:
        outcome.print_json(_facts(prepared))
    else:
        _print(prepared)
    return outcome.OK


def _facts(prepared: Prepared) -> dict[str, Any]:
    return {
        "blueprint": prepared.blueprint.id,
        "agents": [
            {
                "agent": agent.agent,
                "asked": agent.asked,
                "kind": agent.kind,
                "provider": agent.provider,
                **_policy_facts(agent.policy),
            }
            for agent in prepared.agents
        ],
        "layers": chain_facts(prepared.chain),
        "bound": str(prepared.bound),
        "budget": unstructure(prepared.blueprint.budget),
        "problems": [problem.as_json() for problem in prepared.problems],
    }


def _policy_facts(policy: AgentPolicy) -> dict[str, Any]:
    retry = policy.retry
    return {
        "timeout": policy.timeout,
        "max_attempts": retry.max_attempts if retry else 1,
        "retry_on": sorted(retry.on) if retry else [],
        "concurrency": policy.concurrency,
        "budget": unstructure(policy.budget),
    }


def _print(prepared: Prepared) -> None:
    click.echo(f"Blueprint {prepared.blueprint.id}: at most {prepared.bound}")
    click.echo(f"Budget: {_budget_text(prepared.blueprint.budget) or 'none'}")
    click.echo("\nAgents")
    rows = [
        (agent.agent, _kind(agent.asked, agent.kind), agent.provider or "", _granted(agent.policy))
        for agent in prepared.agents
    ]
    print_table(("agent", "kind", "provided by", "granted"), rows, empty="none: the flow is pure")
    click.echo("\nLayers around every attempt, the outermost first")
    print_chain(prepared.chain)
    for problem in prepared.problems:
        outcome.say(f"{problem.severity}: {problem}")


def _kind(asked: str, kind: str) -> str:
    return kind if asked == kind else f"{kind} (asked: {asked})"


def _granted(policy: AgentPolicy) -> str:
    parts = [
        f"timeout {policy.timeout:g} s" if policy.timeout is not None else "",
        f"{policy.retry.max_attempts} attempts on {', '.join(sorted(policy.retry.on))}" if policy.retry else "",
        f"{policy.concurrency} at once" if policy.concurrency is not None else "",
        f"budget of {spendable}" if (spendable := _budget_text(policy.budget)) else "",
    ]
    return "; ".join(part for part in parts if part) or "no limits"


def _budget_text(budget: Budget | AgentBudget | None) -> str:
    limits = {name: getattr(budget, name, None) for name in LIMITS}
    parts = [f"{name} {_amount(limit)}" for name, limit in limits.items() if limit is not None]
    counters = budget.counters if budget else {}
    return ", ".join([*parts, *(f"{name} {_amount(limit)}" for name, limit in counters.items())])


def _amount(limit: str | float) -> str:
    if isinstance(limit, str):
        return limit
    return f"{int(limit) if float(limit).is_integer() else limit:,}"

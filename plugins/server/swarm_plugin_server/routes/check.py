"""What is wrong with a Blueprint, and what it resolves to, before it runs."""

from __future__ import annotations

from typing import Any

from swarm_core.codec import unstructure
from swarm_core.endpoints import Answer, Endpoint, HttpReply, HttpRequest
from swarm_core.errors import DocumentError
from swarm_core.model.access import Verb
from swarm_plugin_server.launching import Wanted, document_of, prepare
from swarm_plugin_server.shapes import EXPLAINED, PROBLEM_LIST


async def check(request: HttpRequest) -> HttpReply:
    """Tell everything that is wrong with a Blueprint, and what is doubtful; it can be launched without errors."""
    swarm, wanted = request.swarm, request.body
    try:
        document = await document_of(swarm, wanted.blueprint, lenient=True)
        problems = swarm.check(document, bind=wanted.bind or None, layer_set=wanted.layer_set)
    except DocumentError as error:
        problems = list(error.problems)
    return HttpReply(value={"problems": [problem.as_json() for problem in problems]})


async def explain(request: HttpRequest) -> HttpReply:
    """Tell what a Blueprint resolves to: its agents, the layers around them, how much it can do."""
    prepared = await prepare(request.swarm, request.body)
    return HttpReply(value=_facts(prepared))


def _facts(prepared: Any) -> dict[str, Any]:
    return {
        "blueprint": prepared.blueprint.id,
        "agents": [_agent_facts(agent) for agent in prepared.agents],
        "layers": [_layer_facts(layer) for layer in prepared.chain],
        "bound": str(prepared.bound),
        "budget": unstructure(prepared.blueprint.budget),
        "problems": [problem.as_json() for problem in prepared.problems],
    }


def _agent_facts(agent: Any) -> dict[str, Any]:
    policy = agent.policy
    return {
        "agent": agent.agent,
        "asked": agent.asked,
        "kind": agent.kind,
        "provider": agent.provider,
        "timeout": policy.timeout,
        "max_attempts": policy.retry.max_attempts if policy.retry else 1,
        "retry_on": sorted(policy.retry.on) if policy.retry else [],
        "concurrency": policy.concurrency,
        "budget": unstructure(policy.budget),
    }


def _layer_facts(layer: Any) -> dict[str, Any]:
    return {
        "key": layer.key,
        "stage": layer.stage.name,
        "provider": layer.provider,
        "why": layer.why,
        "options": dict(layer.options),
    }


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/v1/check",
        name="check_blueprint",
        summary="Tell everything that is wrong with a Blueprint, and what is doubtful",
        handler=check,
        tag="blueprints",
        verb=Verb.START_TASK,
        body=Wanted,
        answers={200: Answer(model=PROBLEM_LIST)},
        refusals=frozenset({404, 409, 422, 503}),
    ),
    Endpoint(
        method="POST",
        path="/v1/explain",
        name="explain_blueprint",
        summary="Tell what a Blueprint resolves to: its agents, the layers around them, how much it can do",
        handler=explain,
        tag="blueprints",
        verb=Verb.START_TASK,
        body=Wanted,
        answers={200: Answer(model=EXPLAINED)},
        refusals=frozenset({404, 409, 422, 503}),
    ),
)

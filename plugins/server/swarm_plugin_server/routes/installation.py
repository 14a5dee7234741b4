"""What the server is made of: plugins, store, settings."""

from __future__ import annotations

import asyncio
import platform
import time
from typing import Any

from swarm_core.endpoints import Answer, Endpoint, HttpReply, HttpRequest
from swarm_core.model.access import Verb
from swarm_core.serving import LiveSwarm
from swarm_plugin_server.state import Serving, serving_of

_OBJECT = {"type": "object"}


async def plugins(request: HttpRequest) -> HttpReply:
    """Return the plugins as `swarm plugins --json` prints them."""
    host = request.swarm.host
    facts = await asyncio.to_thread(lambda: [status.as_json() for status in host.plugins])  # it hashes their files
    return HttpReply(value={"plugins": facts, "problems": [problem.as_json() for problem in host.problems]})


async def doctor(request: HttpRequest) -> HttpReply:
    """Return how the server and its store are; the first eight fields are those of `mse serve`."""
    swarm, serving = request.swarm, serving_of(request.swarm)
    health = None if swarm.store is None else (await swarm.history.health()).as_json()
    ids = await _blueprints(swarm)
    value = {**_as_the_original(swarm, serving, ids), **_ours(swarm, serving), "store": health}
    return HttpReply(value=value)


def _as_the_original(swarm: LiveSwarm, serving: Serving, ids: list[str]) -> dict[str, Any]:
    url = swarm.blueprints.url if swarm.blueprints is not None else ""
    base = serving.settings.blueprint_ref_base
    return {
        "bind": serving.base_url.removeprefix("http://"),
        "blueprint_backend": "git2" if url.startswith("git:") else url.partition(":")[0] or "none",
        "blueprint_store_root": url or None,
        "blueprint_ref_base": None if base is None else str(base),
        "enhance_flow_enabled": any(status.name == "enhance" for status in swarm.host.plugins),
        "seed_blueprint_id": None,
        "registered_blueprint_ids": ids,
        "registered_blueprint_count": len(ids),
    }


def _ours(swarm: LiveSwarm, serving: Serving) -> dict[str, Any]:
    refused = [status for status in swarm.host.plugins if status.error]
    core = next((status.version for status in swarm.host.plugins if status.core), None)
    return {
        "versions": {"swarm": core, "python": platform.python_version()},
        "auth": serving.token is not None,
        "ready": serving.takes_work,
        "uptime_secs": round(time.time() - serving.started_at, 3),
        "streams": serving.streams,
        "websockets": serving.websockets,
        "unresumed": dict(serving.unresumed),
        "plugins_refused": [{"name": each.name, "error": each.error.as_json()} for each in refused],
    }


async def _blueprints(swarm: LiveSwarm) -> list[str]:
    return [] if swarm.blueprints is None else list(await swarm.blueprints.list_ids())


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/plugins",
        name="list_plugins",
        summary="List the plugins, and what is wrong with them",
        handler=plugins,
        tag="server",
        verb=Verb.READ_TRACE,
        answers={200: Answer(model=_OBJECT, summary="As `swarm plugins --json` prints it.")},
    ),
    Endpoint(
        method="GET",
        path="/v1/doctor",
        name="doctor",
        summary="Tell how the server and its store are",
        handler=doctor,
        tag="server",
        verb=Verb.READ_TRACE,
        answers={200: Answer(model=_OBJECT, summary="Facts about the server, its Blueprints and its store.")},
    ),
)

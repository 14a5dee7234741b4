"""What a server answers: its own endpoints, and those that plugins offer."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection

from attrs import evolve

from swarm_core.endpoints import Endpoint
from swarm_core.serving import LiveSwarm
from swarm_plugin_server.routes import own_endpoints

logger = logging.getLogger("swarm.server")


def endpoints_of(swarm: LiveSwarm) -> dict[str, Endpoint]:
    """Return all endpoints by method and path, each with a name of its own; the server's own come first.

    A plugin's endpoint whose name is taken gets the plugin's name before it.
    """
    found = {f"{endpoint.method} {endpoint.path}": endpoint for endpoint in own_endpoints()}
    names = {endpoint.name for endpoint in found.values()}
    for key, endpoint in swarm.catalog.endpoints.items():
        provider = swarm.catalog.provider["endpoint", key]
        if key in found:
            logger.warning("%s of plugin %s is not served: the server has it itself", key, provider)
            continue
        found[key] = evolve(endpoint, name=_free_name(endpoint.name, provider, names))
        names.add(found[key].name)
    return found


def _free_name(name: str, provider: str, taken: Collection[str]) -> str:
    """Return a name, the first of these that is free: as it is, after the plugin's, with a number."""
    longer = f"{re.sub(r'[^a-z0-9]+', '_', provider.partition(' ')[0].lower())}_{name}"
    candidates = (name, longer, *(f"{longer}_{number}" for number in range(2, len(taken) + 3)))
    return next(each for each in candidates if each not in taken)

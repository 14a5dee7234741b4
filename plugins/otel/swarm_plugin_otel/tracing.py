"""Telemetry for as long as a swarm is open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from swarm_core.attachments import Attachments
from swarm_core.serving import LiveSwarm
from swarm_plugin_otel.current import Attempts
from swarm_plugin_otel.options import is_asked_for, is_disabled, options_of


@asynccontextmanager
async def tracing(swarm: LiveSwarm) -> AsyncIterator[None]:
    """Hear the events of a swarm and tell them on, when somebody asked for that; what is held is sent at the end."""
    options = options_of(swarm.settings)
    if is_disabled() or options.exporter == "none":
        yield
        return
    from swarm_plugin_otel.providers import open_providers, surrounding

    providers = surrounding() if options.exporter == "auto" else None
    if providers is None and options.exporter == "auto" and not is_asked_for():
        yield
        return
    providers = providers or open_providers(options)
    from swarm_plugin_otel.telling import Teller

    attempts = swarm.services[Attempts] = Attempts()
    teller = Teller(swarm, providers, attempts)
    listeners = swarm.services[Attachments].listeners
    listeners.append(teller)
    try:
        yield
    finally:
        listeners.remove(teller)
        teller.close()
        await asyncio.to_thread(providers.close)

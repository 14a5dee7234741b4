"""Telemetry for as long as a swarm is open."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from swarm_core.attachments import Attachments
from swarm_core.serving import LiveSwarm
from swarm_plugin_otel.current import Attempts
from swarm_plugin_otel.options import OtelSettings, is_asked_for, is_disabled, options_of

if TYPE_CHECKING:
    from swarm_plugin_otel.providers import Providers


@asynccontextmanager
async def tracing(swarm: LiveSwarm) -> AsyncIterator[None]:
    """Hear the events of a swarm and tell them on, when somebody asked for that; what is held is sent at the end."""
    options = options_of(swarm.settings)
    providers = None if is_disabled() else _providers(options)
    if providers is None:
        yield
        return
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


def _providers(options: OtelSettings) -> Providers | None:
    """Return where telemetry goes, None for nowhere; what makes it is not imported for that."""
    set_up_around = options.exporter == "auto" and "opentelemetry.sdk.trace" in sys.modules
    if options.exporter == "none" or (options.exporter == "auto" and not set_up_around and not is_asked_for()):
        return None
    from swarm_plugin_otel.providers import open_providers, surrounding

    found = surrounding() if set_up_around else None
    return found or (None if options.exporter == "auto" and not is_asked_for() else open_providers(options))

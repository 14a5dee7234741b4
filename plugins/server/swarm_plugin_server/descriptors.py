"""How many connections the system lets this process have."""

from __future__ import annotations

import sys

from attrs import evolve

from swarm_plugin_server.settings import ServerSettings

_OTHERS = 256  # for stores, workers' pipes and what else is open


def fitted(settings: ServerSettings) -> ServerSettings:
    """Raise the limit of open files to what the settings need, and return them with what there is room for."""
    if sys.platform == "win32":
        return settings
    import resource

    needed = settings.max_connections + _OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return settings
    room = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (room, hard))
    return evolve(settings, max_connections=min(settings.max_connections, max(1, room - _OTHERS)))

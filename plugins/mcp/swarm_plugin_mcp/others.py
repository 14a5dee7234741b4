"""Which other plugins are here."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swarm_core.settings import Settings

_GROUP = "swarm_core.plugins"


def is_here(plugin: str | None, settings: Settings) -> bool:
    """Tell whether a plugin is installed and not switched off; no plugin always is. It reads what is installed."""
    if plugin is None:
        return True
    off = {name.lower().replace("_", "-") for name in settings.plugins.disable}
    return not settings.plugins.disable_all and any(
        not off & {plugin, point.dist.name.lower().replace("_", "-") if point.dist else plugin}
        for point in entry_points(group=_GROUP, name=plugin)
    )

"""Finds, admits and calls plugins; a `Host` is a value."""

from swarm_core.host.discovery import Discovery, Found, discover
from swarm_core.host.host import Host, PluginState, PluginStatus

__all__ = ["Discovery", "Found", "Host", "PluginState", "PluginStatus", "discover"]

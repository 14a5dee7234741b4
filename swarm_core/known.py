"""Which distribution brings a kind or a layer that is not there."""

from __future__ import annotations

from collections.abc import Mapping

# Keyed as `Catalog.provider` is: what it is, and its name.
PROVIDERS: Mapping[tuple[str, str], str] = {
    ("spawner", "lua"): "swarm-plugin-lua",
    ("spawner", "subprocess"): "swarm-plugin-subprocess",
    ("layer", "audit"): "swarm-plugin-audit",
}

# What Blueprints may name already and no distribution brings yet: nobody is told to install these.
PLANNED: Mapping[tuple[str, str], str] = {
    ("spawner", "operator"): "swarm-plugin-operator",
}


def pip_name(plugin: str) -> str:
    """Return the name of the distribution that a bundled plugin of this name has."""
    return "swarm-plugin-" + plugin.replace("_", "-").lower()


def distribution_of(thing: str, name: str) -> str | None:
    """Return the distribution that is known to bring a thing (`spawner`, `layer`), or None."""
    return PROVIDERS.get((thing, name))

"""Which distribution brings a kind or a layer that is not there."""

from __future__ import annotations

from collections.abc import Mapping

# Keyed as `Catalog.provider` is: what it is, and its name.
PROVIDERS: Mapping[tuple[str, str], str] = {
    ("spawner", "agent_block"): "swarm-plugin-llm",
    ("spawner", "llm"): "swarm-plugin-llm",
    ("spawner", "lua"): "swarm-plugin-lua",
    ("spawner", "operator"): "swarm-plugin-operator",
    ("spawner", "subprocess"): "swarm-plugin-subprocess",
    ("spawner", "verifier"): "swarm-plugin-enhance",
    ("layer", "audit"): "swarm-plugin-audit",
    ("layer", "long_hold"): "swarm-plugin-long-hold",
    ("layer", "main_ai"): "swarm-plugin-operator",
    ("layer", "operator_delegate"): "swarm-plugin-operator",
    ("layer", "otel"): "swarm-plugin-otel",
    ("layer", "senior_escalation"): "swarm-plugin-senior",
    ("layer", "lua"): "swarm-plugin-lua",
    ("reader", ".lua"): "swarm-plugin-lua",
    ("directive", "$agent_md"): "swarm-plugin-agents-md",
    ("directive", "$agents_md"): "swarm-plugin-agents-md",
    ("store", "blueprint git"): "swarm-plugin-git",
    ("client", "http"): "swarm-plugin-client",
}


def pip_name(plugin: str) -> str:
    """Return the name of the distribution that a bundled plugin of this name has."""
    return "swarm-plugin-" + plugin.replace("_", "-").lower()


def distribution_of(thing: str, name: str) -> str | None:
    """Return the distribution that is known to bring a thing (`spawner`, `layer`), or None."""
    return PROVIDERS.get((thing, name))

"""From a Blueprint and a Catalog to one callable that carries out attempts."""

from swarm_core.compile.check import check
from swarm_core.compile.compiler import ResolvedAgent, Routes, compile_blueprint
from swarm_core.compile.layers import LayerSelection, resolve_layers
from swarm_core.compile.linker import Linked, LinkedLayer, link

__all__ = [
    "LayerSelection",
    "Linked",
    "LinkedLayer",
    "ResolvedAgent",
    "Routes",
    "check",
    "compile_blueprint",
    "link",
    "resolve_layers",
]

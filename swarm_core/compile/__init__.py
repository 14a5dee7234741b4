"""From a Blueprint and a Catalog to one callable that carries out attempts."""

from swarm_core.compile.check import check
from swarm_core.compile.compiler import ResolvedAgent, Routes, compile_blueprint
from swarm_core.compile.layer_sets import SetSource, set_sources
from swarm_core.compile.layers import LayerSelection, resolve_layers, resolve_set
from swarm_core.compile.linker import Linked, LinkedLayer, described, link
from swarm_core.compile.lints.fixes import with_fix

__all__ = [
    "LayerSelection",
    "Linked",
    "LinkedLayer",
    "ResolvedAgent",
    "Routes",
    "SetSource",
    "check",
    "compile_blueprint",
    "described",
    "link",
    "resolve_layers",
    "resolve_set",
    "set_sources",
    "with_fix",
]

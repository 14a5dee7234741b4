"""flow.ir: the language of flows, from paths and expressions to evaluation. Knows values only."""

from __future__ import annotations

from swarm_core.flow.evaluate import CompiledFlow, compile_flow, evaluate
from swarm_core.flow.sizes import measure
from swarm_core.flow.state import Dispatch, Externs, Limits

__all__ = ["CompiledFlow", "Dispatch", "Externs", "Limits", "compile_flow", "evaluate", "measure"]

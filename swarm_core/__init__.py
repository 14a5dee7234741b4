"""An agent-swarm engine: Blueprints as data, workers of any kind, inside limits you set, every step answerable.

The public names are loaded at first use, so that `import swarm_core` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from swarm_core.lazy import lazy_names

if TYPE_CHECKING:
    from swarm_core.attachments import Attached, Attachments
    from swarm_core.contracts import (
        AgentResolver,
        AttemptContext,
        BlueprintStore,
        Operator,
        OutputStore,
        SeniorBridge,
        Spawner,
        SpawnerLayer,
        SpawnHook,
    )
    from swarm_core.errors import DocumentError, FlowError, InvalidBlueprint, SwarmError
    from swarm_core.factories import (
        DirectiveFactory,
        Environment,
        Function,
        LayerFactory,
        LayerSet,
        ReaderFactory,
        ResolverFactory,
        SpawnerFactory,
        Stage,
        StoreFactory,
    )
    from swarm_core.functions import function
    from swarm_core.hookspecs import SWARM_API, hookimpl
    from swarm_core.model.blueprint import Blueprint
    from swarm_core.model.call import Call, Result
    from swarm_core.model.event import Event
    from swarm_core.model.operator import OperatorKind, SessionRequest
    from swarm_core.model.problem import Problem
    from swarm_core.model.run import RunResult
    from swarm_core.model.version import BlueprintVersion, CommitMetadata
    from swarm_core.settings import Settings, load_settings
    from swarm_core.swarm import Launched, Prepared, Swarm, run

__version__ = "0.1.0"

_HOMES = {
    "attachments": ("Attached", "Attachments"),
    "contracts": (
        "AgentResolver",
        "AttemptContext",
        "BlueprintStore",
        "Operator",
        "OutputStore",
        "SeniorBridge",
        "SpawnHook",
        "Spawner",
        "SpawnerLayer",
    ),
    "errors": ("DocumentError", "FlowError", "InvalidBlueprint", "SwarmError"),
    "factories": (
        "DirectiveFactory",
        "Environment",
        "Function",
        "LayerFactory",
        "LayerSet",
        "ReaderFactory",
        "ResolverFactory",
        "SpawnerFactory",
        "Stage",
        "StoreFactory",
    ),
    "functions": ("function",),
    "hookspecs": ("SWARM_API", "hookimpl"),
    "model.blueprint": ("Blueprint",),
    "model.call": ("Call", "Result"),
    "model.event": ("Event",),
    "model.operator": ("OperatorKind", "SessionRequest"),
    "model.problem": ("Problem",),
    "model.run": ("RunResult",),
    "model.version": ("BlueprintVersion", "CommitMetadata"),
    "settings": ("Settings", "load_settings"),
    "swarm": ("Launched", "Prepared", "Swarm", "run"),
}

__all__ = [
    "SWARM_API",
    "AgentResolver",
    "Attached",
    "Attachments",
    "AttemptContext",
    "Blueprint",
    "BlueprintStore",
    "BlueprintVersion",
    "Call",
    "CommitMetadata",
    "DirectiveFactory",
    "DocumentError",
    "Environment",
    "Event",
    "FlowError",
    "Function",
    "InvalidBlueprint",
    "Launched",
    "LayerFactory",
    "LayerSet",
    "Operator",
    "OperatorKind",
    "OutputStore",
    "Prepared",
    "Problem",
    "ReaderFactory",
    "ResolverFactory",
    "Result",
    "RunResult",
    "SeniorBridge",
    "SessionRequest",
    "Settings",
    "SpawnHook",
    "Spawner",
    "SpawnerFactory",
    "SpawnerLayer",
    "Stage",
    "StoreFactory",
    "Swarm",
    "SwarmError",
    "function",
    "hookimpl",
    "load_settings",
    "run",
]

__getattr__, __dir__ = lazy_names(__name__, globals(), _HOMES)

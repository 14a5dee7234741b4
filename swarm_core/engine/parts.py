"""What the rooms of the engine share."""

from __future__ import annotations

import random

from attrs import frozen

from swarm_core.contracts import Clock, OutputStore
from swarm_core.engine.events import EventLog
from swarm_core.engine.gate import Authority
from swarm_core.engine.sessions import Sessions
from swarm_core.engine.state import EngineState
from swarm_core.engine.suspend import Questions
from swarm_core.settings import EngineSettings


@frozen(kw_only=True, eq=False, repr=False)
class Parts:
    """The tables, and what was handed in from outside: limits, time, chance, authority, the output store."""

    state: EngineState
    settings: EngineSettings
    clock: Clock
    rng: random.Random
    authority: Authority
    sessions: Sessions
    questions: Questions
    events: EventLog
    outputs: OutputStore

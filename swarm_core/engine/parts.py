"""What the rooms of the engine share."""

from __future__ import annotations

import random
from collections.abc import Callable

from attrs import frozen

from swarm_core.contracts import Clock, OutputStore
from swarm_core.engine.events import EventLog
from swarm_core.engine.gate import Authority
from swarm_core.engine.journal import Journal
from swarm_core.engine.sessions import Sessions
from swarm_core.engine.state import EngineState
from swarm_core.engine.suspend import Questions
from swarm_core.settings import EngineSettings


@frozen(kw_only=True, eq=False, repr=False)
class Parts:
    """The tables, and what was handed in from outside: limits, time, chance, authority, the stores.

    `now` gives Unix seconds that no jump of the clock touches, for the times of events. Without a journal nothing of a
    run is kept beyond its process; `owner_id` is then None as well.
    """

    state: EngineState
    settings: EngineSettings
    clock: Clock
    now: Callable[[], float]
    rng: random.Random
    authority: Authority
    sessions: Sessions
    questions: Questions
    events: EventLog
    outputs: OutputStore
    journal: Journal | None = None
    owner_id: str | None = None

"""What can be asked of a store of runs without an engine: look, follow, cancel, clear away, carry elsewhere.

The names are loaded at first use, so that whoever needs one of them does not pay for the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from swarm_core.lazy import lazy_names

if TYPE_CHECKING:
    from swarm_core.history.history import History
    from swarm_core.history.limits import LONGEST_LINE
    from swarm_core.history.opening import open_blueprints, open_enhance, open_history, open_store
    from swarm_core.history.steps import StepRecord

_HOMES = {
    "history": ("History",),
    "limits": ("LONGEST_LINE",),
    "opening": ("open_blueprints", "open_enhance", "open_history", "open_store"),
    "steps": ("StepRecord",),
}

__all__ = ["LONGEST_LINE", "History", "StepRecord", "open_blueprints", "open_enhance", "open_history", "open_store"]

__getattr__, __dir__ = lazy_names(__name__, globals(), _HOMES)

"""What can be asked of a store of runs without an engine: look, follow, cancel, clear away, carry elsewhere."""

from swarm_core.history.arrival import LONGEST_LINE
from swarm_core.history.history import History
from swarm_core.history.opening import open_history, open_store
from swarm_core.history.steps import StepRecord

__all__ = ["LONGEST_LINE", "History", "StepRecord", "open_history", "open_store"]

"""What to say of a run that is not there."""

from __future__ import annotations

from collections.abc import Sequence

from swarm_core.errors import RunNotFound

NEWEST = 1000
"""How many of the newest runs are compared with what was asked for."""

_NAMED = 3


def run_not_found(run_id: str, newest: Sequence[str]) -> RunNotFound:
    """Return the error that names the runs that may have been meant; `newest` has ids, the newest first."""
    from difflib import get_close_matches

    near = [known for known in newest if run_id and known.startswith(run_id)][:_NAMED]
    near = near or get_close_matches(run_id, newest, n=_NAMED)
    if near:
        return RunNotFound(run_id, hint=f"did you mean {' or '.join(near)}?")
    if newest:
        return RunNotFound(run_id, hint=f"the newest: {', '.join(newest[:_NAMED])}")
    return RunNotFound(run_id, hint="the store holds no run")

"""How much of an export is read."""

from __future__ import annotations

from swarm_core.codec import Limits

LONGEST_LINE = 64 * 1024 * 1024
MOST_EVENTS = 1024 * 1024 * 1024
"""Bytes of the texts of a run's events together: they are in memory until all of them are there."""

LINE = Limits(size=LONGEST_LINE, depth=300, values=20_000_000)

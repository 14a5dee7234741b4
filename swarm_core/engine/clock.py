"""The real clock."""

from __future__ import annotations

import time as system


class SystemClock:
    """Reads the machine's clocks."""

    time = staticmethod(system.time)
    monotonic = staticmethod(system.monotonic)

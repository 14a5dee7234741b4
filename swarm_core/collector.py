"""Python's garbage collector, and what a process that has just begun does to it."""

from __future__ import annotations

import gc
from functools import cache


@cache  # once in a process: done again and again, it would put off full collections for ever
def let_imports_age() -> None:
    """Put all that is alive now among the collector's oldest objects, once in a process.

    Modules that were just imported are tens of thousands of young objects that live as long as the process. Left among
    the young, they make the collector look through all of them in the middle of the first run, which takes as long as
    some hundred steps. Nothing is kept from being collected; where the program around has frozen objects, nothing is
    done.
    """
    if not gc.get_freeze_count():
        gc.freeze()
        gc.unfreeze()

"""What a plugin must leave as it is when it is imported, and how to see that it did not."""

from __future__ import annotations

import asyncio
import builtins
import json
import signal
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import frozen

# modules whose functions everybody shares
_SHARED = {"builtins": builtins, "json": json}


@frozen(kw_only=True)
class Surroundings:
    """What a process has in common: functions, streams, signal handlers, the policy of event loops."""

    things: Mapping[str, Any]

    @classmethod
    def now(cls) -> Surroundings:
        """Return the surroundings as they are now."""
        return cls(things=dict(_things()))

    def changed(self) -> Iterator[str]:
        """Yield the names of what is another thing by now."""
        now = dict(_things())
        for name, thing in self.things.items():
            if now.get(name) is not thing and now.get(name) != thing:
                yield name

    def restore(self) -> None:
        """Put the functions and streams back, so that the next plugin is judged by its own changes."""
        for name, thing in self.things.items():
            module, _, attribute = name.partition(".")
            if module in _SHARED:
                setattr(_SHARED[module], attribute, thing)
        sys.stdout, sys.stderr = self.things["sys.stdout"], self.things["sys.stderr"]


def _things() -> Iterator[tuple[str, Any]]:
    for module, content in _SHARED.items():
        for name, thing in vars(content).items():
            if callable(thing) and not name.startswith("_"):
                yield f"{module}.{name}", thing
    yield "sys.stdout", sys.stdout
    yield "sys.stderr", sys.stderr
    yield "sys.excepthook", sys.excepthook
    for number in signal.valid_signals():
        yield f"the handler of {_name(number)}", signal.getsignal(number)
    yield "the event loop policy", type(asyncio.get_event_loop_policy())


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal without a name of its own
        return f"signal {int(number)}"

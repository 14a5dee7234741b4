"""How much a server takes on at one time; what is beyond is refused at once and told when to come again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from swarm_core.endpoints import Access, Endpoint
from swarm_core.errors import AccessDenied, SwarmError, TokenDecodeError
from swarm_plugin_server.problems import Refused
from swarm_plugin_server.state import Serving

_MINUTE = 60.0
_MOST_ADDRESSES = 10_000


class Limits:
    """Counts the calls under way, and the wrong credentials of each address."""

    def __init__(self, serving: Serving, clock: Callable[[], float] = time.monotonic) -> None:
        self._serving, self._clock = serving, clock
        self._wrong: dict[str, deque[float]] = {}

    @contextmanager
    def call(self, endpoint: Endpoint) -> Iterator[None]:
        """Count a call while it is under way.

        Raises: Refused (503), when there are too many, or when the server is about to stop and this one would begin
        something. Whether the server is well can always be asked, and workers can always end what they do.
        """
        serving, public = self._serving, endpoint.access is Access.PUBLIC
        begins = endpoint.access is Access.TOKEN and endpoint.method != "GET"
        if serving.stopping.is_set() and begins:
            raise too_busy("the server is stopping", code="stopping")
        if not public and serving.in_flight >= serving.settings.max_requests:
            raise too_busy(f"{serving.in_flight} calls are being answered already")
        serving.in_flight += 1
        try:
            yield
        finally:
            serving.in_flight -= 1

    def counted(self, error: SwarmError, address: str) -> SwarmError:
        """Return what is answered to an error; one about credentials is counted for the address that it goes to."""
        wrong = isinstance(error, AccessDenied | TokenDecodeError)
        if wrong or (isinstance(error, Refused) and error.reason == "unauthenticated"):
            return self.wrong_credential(address) or error
        return error

    def wrong_credential(self, address: str) -> Refused | None:
        """Note a wrong credential; return a refusal when an address has sent too many of them within a minute.

        Right ones are still taken from there: addresses are shared.
        """
        now = self._clock()
        if len(self._wrong) >= _MOST_ADDRESSES:
            self._wrong = {each: times for each, times in self._wrong.items() if times and now - times[-1] < _MINUTE}
        most = self._serving.settings.max_wrong
        times = self._wrong.setdefault(address, deque(maxlen=most + 1))
        times.append(now)
        if len(times) <= most or now - times[0] >= _MINUTE:
            return None
        headers = {"retry-after": str(int(_MINUTE))}
        return Refused(429, "too_many_wrong_credentials", "too many wrong credentials came from here", headers=headers)


def too_busy(why: str, *, code: str = "busy", seconds: int = 1) -> Refused:
    """Return the refusal of what a server does not take on now."""
    return Refused(503, code, why, hint=f"try again in {seconds} s", headers={"retry-after": str(seconds)})

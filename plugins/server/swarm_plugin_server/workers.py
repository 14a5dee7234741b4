"""Workers at the server's door: their credentials, and how the engine's answers are told to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from swarm_core.endpoints import HttpRequest
from swarm_core.errors import (
    AccessDenied,
    RoleViolation,
    RunLost,
    ScopeViolation,
    TokenDecodeError,
    TokenRevoked,
    TokenTaskMismatch,
)
from swarm_core.model.value import NotJson, TooLarge
from swarm_plugin_server.access import forbidden, unauthenticated
from swarm_plugin_server.problems import Refused


def credential_of(request: HttpRequest) -> str:
    """Return the worker's own credential; raises Refused (403) for whoever is no worker."""
    if request.caller.token is None:
        raise forbidden()
    return request.caller.token


@contextmanager
def told_to_worker(*, elsewhere: int = 400) -> Iterator[None]:
    """Tell a worker what the engine's door says.

    Whatever is wrong with a credential is told in the same words, but for one whose attempt is over: who has it, had
    it from us. `elsewhere` is the status for another's task.
    """
    try:
        yield
    except (RoleViolation, ScopeViolation):
        raise forbidden() from None
    except TokenTaskMismatch as error:
        raise Refused(elsewhere, error.code, error.message, hint="a worker's credential is for its own task") from None
    except TokenRevoked:
        hint = "end this work; whoever gave you the handle gives a new one for new work"
        raise Refused(410, "gone", "this attempt is over, and so is its run", hint=hint) from None
    except (AccessDenied, TokenDecodeError):
        raise unauthenticated() from None
    except RunLost as error:
        raise Refused(503, error.code, error.message, hint="end this work; it is begun anew elsewhere") from None
    except NotJson as error:
        status, code = (413, "too_large") if isinstance(error, TooLarge) else (422, "not_json")
        raise Refused(status, code, str(error)) from None

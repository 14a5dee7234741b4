"""What can go wrong between here and a server: it cannot be reached, it refuses, or its answer makes no sense.

A refusal is also an error of the core where its code is one of theirs: what `except RunNotFound` catches of a local
swarm it catches of a server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from swarm_core import errors as core
from swarm_core.errors import SwarmError
from swarm_core.model.problem import Problem, Severity

_LONGEST = 500  # characters of an answer that is no problem document
_UNAUTHORIZED = 401
_TOKEN = "give the token in SWARM_SERVER_TOKEN, or name its file in SWARM_SERVER_TOKEN_FILE or [client] token_file"
_WITH_FACTS = (core.FlowError, core.PluginError)  # they show themselves by facts that a refusal need not have


class ClientError(SwarmError):
    """A call of a server failed."""

    code = "client_error"


class ServerUnreachable(ClientError, core.StoreUnavailable):
    """No server answers, or the connection to it broke. A call that changes something may have done so or not."""

    code = "server_unreachable"


class BadAnswer(ClientError):
    """What answers is no swarm server, or one that this client does not understand."""

    code = "bad_answer"


class SeatTaken(ClientError):
    """Another connection of the same operator session has taken its place."""

    code = "seat_taken"


class ServerRefused(ClientError):
    """The server refuses a call; `status` is HTTP's, `code` the server's own word, `document` all that it said.

    `retry_after` is how many seconds the server asks to wait, None when it does not say.
    """

    def __init__(self, status: int, document: Mapping[str, Any], *, retry_after: float | None = None) -> None:
        self.status, self.document, self.retry_after = status, document, retry_after
        self.code = str(document.get("code") or f"http_{status}")  # type: ignore[misc]
        hint = _TOKEN if status == _UNAUTHORIZED else document.get("hint")
        # not super(): a refusal that is also an error of the core is not built from that error's facts
        SwarmError.__init__(self, _message(status, document), hint=str(hint) if hint else None)
        self.problems = tuple(_problems(document))
        self.source = None
        self.reason = self.message  # of an answer that does not fit


def refusal_of(status: int, body: object, *, retry_after: float | None = None) -> ServerRefused:
    """Return the error for an answer: of the class that the core has for its code, else one that fits the status."""
    document = body if isinstance(body, Mapping) else {"detail": str(body)[:_LONGEST].strip()}
    code = document.get("code")
    kind = _core_errors().get(str(code)) or _by_status(status)
    return _refused_as(kind)(status, document, retry_after=retry_after)


def _message(status: int, document: Mapping[str, Any]) -> str:
    said = document.get("detail") or document.get("error") or document.get("title")
    return str(said) if said else f"the server answers {status} and does not say why"


def _problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    told = document.get("problems")
    for one in told if isinstance(told, list) else ():
        if isinstance(one, Mapping):
            yield problem_of(one)


def problem_of(told: Mapping[str, Any]) -> Problem:
    """Return what is wrong with a document from how a server tells it; what is missing or odd is left out."""
    severity, fix = told.get("severity"), told.get("fix")
    line, column = (value if isinstance(value := told.get(name), int) else None for name in ("line", "column"))
    return Problem(
        code=str(told.get("code", "problem")),
        message=str(told.get("message", "")),
        path=str(told.get("path", "$")),
        severity=Severity(severity) if severity in set(Severity) else Severity.ERROR,
        hint=str(told["hint"]) if told.get("hint") else None,
        file=str(told["file"]) if told.get("file") else None,
        line=line,
        column=column,
        fix=tuple(one for one in fix if isinstance(one, Mapping)) if isinstance(fix, list) else None,
    )


@cache
def _core_errors() -> Mapping[str, type[SwarmError]]:
    """Return the core's errors by their codes."""
    found: dict[str, type[SwarmError]] = {}
    left: list[type[SwarmError]] = [SwarmError]
    while left:
        kind = left.pop()
        left += kind.__subclasses__()
        if kind.__module__ == core.__name__ and not issubclass(kind, _WITH_FACTS):
            found.setdefault(kind.code, kind)
    return found


def _by_status(status: int) -> type[SwarmError]:
    if status in (401, 403, 421):
        return core.AccessDenied
    if status == 404:
        return core.NotFound
    if status in (429, 502, 503, 504):
        return core.StoreUnavailable
    return ClientError


_made: dict[type[SwarmError], type[ServerRefused]] = {}


def _refused_as(kind: type[SwarmError]) -> type[ServerRefused]:
    """Return the refusal that is also an error of this kind, the same one each time."""
    if kind not in _made:
        _made[kind] = _make_refusal(kind)
    return _made[kind]


def _make_refusal(kind: type[SwarmError]) -> type[ServerRefused]:
    if issubclass(ServerRefused, kind):
        return ServerRefused
    if issubclass(kind, core.DocumentError):
        return type(kind.__name__, (_RefusedDocument, kind), {"__module__": __name__})
    return type(kind.__name__, (ServerRefused, kind), {"__module__": __name__})


class _RefusedDocument(ServerRefused):
    """A document is wrong; there is always at least one problem to tell."""

    def __init__(self, status: int, document: Mapping[str, Any], *, retry_after: float | None = None) -> None:
        super().__init__(status, document, retry_after=retry_after)
        if not self.problems:
            self.problems = (Problem(code=self.code, message=self.message, hint=self.hint),)

"""Errors as HTTP tells them: a status, and a problem document (RFC 9457) that also has `error`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from swarm_core import errors as kinds
from swarm_core.errors import DocumentError, SwarmError
from swarm_core.model.problem import Problem

MEDIA_TYPE = "application/problem+json"

_STATUS: tuple[tuple[type[SwarmError], int], ...] = (
    (kinds.BlueprintArchived, 409),
    (kinds.VersionConflict, 409),
    (kinds.AlreadyAnswered, 409),
    (kinds.RunEnded, 409),
    (kinds.RunOwned, 409),
    (kinds.RunDiverged, 409),
    (kinds.InvalidTransition, 409),
    (kinds.IssueExists, 409),
    (kinds.IssueEnded, 409),
    (kinds.EnhanceLogConflict, 409),
    (kinds.TokenRevoked, 410),
    (kinds.RoleViolation, 403),
    (kinds.ScopeViolation, 403),
    (kinds.TokenTaskMismatch, 403),
    (kinds.AnswerDenied, 403),
    (kinds.AccessDenied, 401),
    (kinds.TokenDecodeError, 401),
    (kinds.NotFound, 404),
    (kinds.OutputNotFound, 404),
    (kinds.BlueprintNotFound, 404),
    (kinds.NoMatchingVersion, 404),
    (kinds.IssueNotFound, 404),
    (kinds.EnhanceSettingNotFound, 404),
    (kinds.EnhanceLogNotFound, 404),
    (kinds.AnswerInvalid, 422),
    (kinds.DocumentError, 422),
    (kinds.InvalidSemver, 422),
    (kinds.InvalidId, 422),
    (kinds.FlowError, 422),
    (kinds.BudgetExceeded, 429),
    (kinds.PollTimeout, 504),
    (kinds.EngineClosed, 503),
    (kinds.StoreError, 503),
    (kinds.PluginError, 503),
    (kinds.SettingsError, 503),
)


class Refused(SwarmError):
    """The server refuses a request before an endpoint sees it, or an endpoint does so in the server's name."""

    code = "refused"

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        headers: Mapping[str, str] | None = None,
        problems: Sequence[Problem] = (),
    ) -> None:
        self.status, self.reason, self.headers, self.problems = status, code, dict(headers or {}), tuple(problems)
        super().__init__(message, hint=hint)


def status_of(error: SwarmError) -> int:
    """Return the status that tells of an error; 500 for one that is nobody's."""
    if isinstance(error, Refused):
        return error.status
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def problem_of(error: SwarmError) -> dict[str, Any]:
    """Return an error as a problem document: type, title, status, detail, code, hint, `problems` of a document."""
    status = status_of(error)
    code = error.reason if isinstance(error, Refused) else error.code
    document: dict[str, Any] = {
        "type": f"urn:swarm:problem:{code}",
        "title": code.replace("_", " "),
        "status": status,
        "detail": error.message,
        "code": code,
        "error": str(error),
    }
    if error.hint:
        document["hint"] = error.hint
    if isinstance(error, DocumentError | Refused) and error.problems:
        document["problems"] = [problem.as_json() for problem in error.problems]
    return document

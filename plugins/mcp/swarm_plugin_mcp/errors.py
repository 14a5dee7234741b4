"""What the tools refuse by themselves, beside the errors of the core."""

from __future__ import annotations

from typing import Any

from swarm_core.errors import SwarmError


class ToolRefused(SwarmError):
    """A tool cannot do what it is asked; `reason` says why in one word, for programs."""

    code = "tool_refused"

    def __init__(self, reason: str, message: str, *, hint: str | None = None) -> None:
        self.reason = reason
        super().__init__(message, hint=hint)

    def as_json(self) -> dict[str, Any]:
        """Return the error as data; its code is the reason."""
        return {**super().as_json(), "code": self.reason}


def not_offered(route: str) -> ToolRefused:
    """Return the error for an endpoint that no plugin offers where the work is done."""
    hint = "install the plugin there, or see mse_doctor for which place that is"
    return ToolRefused("not_offered", f"no plugin offers {route} here", hint=hint)

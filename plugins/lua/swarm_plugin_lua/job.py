"""One script to run, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from swarm_core.factories import Function
from swarm_plugin_lua import wire

STATUSES = ("done", "error", "result", "timeout", "memory")


@frozen(kw_only=True)
class Script:
    """A Lua source and the name that stands before the line numbers of its errors."""

    name: str
    source: str


def driven(name: str) -> Script:
    """Return the script that runs the text in `driver` of its input, which loads another one under the script's name.

    It leaves no frame behind: what has this name in messages and time limits is the other one alone.
    """
    return Script(name=name, source='return load(_CTX.driver, "=driver")()')


@frozen(kw_only=True)
class Job:
    """One run of a script: for which attempt, with what, and how much it may take (seconds, bytes).

    `meta` is what layers tell the worker, JSON values by name.
    """

    script: Script
    input: Any
    agent: str
    task_id: str
    attempt: int
    key: str
    time_limit: float
    memory_limit: int
    functions: Mapping[str, Function] = field(factory=dict)
    meta: Mapping[str, Any] = field(factory=dict)

    def as_payload(self) -> bytes:
        """Return the job as JSON text.

        Raises: ValueError, when the input has no form in JSON, or is too large together with the script.
        """
        payload = wire.dumps(self.as_json())
        if len(payload) > wire.MAX_REQUEST:
            raise ValueError(f"with the script it has {len(payload)} bytes, and {wire.MAX_REQUEST} are allowed")
        return payload

    def as_json(self) -> dict[str, Any]:
        """Return the form in which a sandbox takes a job."""
        return {
            "label": self.script.name,
            "source": self.script.source,
            "seconds": self.time_limit,
            "memory": self.memory_limit,
            "functions": list(self.functions),
            "input": self.input,
            "agent": self.agent,
            "task_id": self.task_id,
            "attempt": self.attempt,
            "key": self.key,
            "meta": dict(self.meta),
        }


@frozen(kw_only=True)
class Reply:
    """How a run ended.

    `status` is one of STATUSES, or `crashed` where the process died. `text` says more: of an error what was raised, of
    a timeout the line it was in (empty where nobody knows). `log` is what the script printed.
    """

    status: str
    value: Any = None
    ok: bool = False
    text: str = ""
    log: str = ""

    @classmethod
    def from_json(cls, reply: Any) -> Reply:
        """Return a sandbox's reply.

        Raises: ValueError, when it is none; a process that a script has broken may write anything.
        """
        if not isinstance(reply, dict) or reply.get("status") not in STATUSES:
            raise ValueError("not a reply")
        status, ok, text, log = reply["status"], reply.get("ok", False), reply.get("text", ""), reply.get("log", "")
        if not (isinstance(ok, bool) and isinstance(text, str) and isinstance(log, str)) or len(log) > wire.MAX_LOG:
            raise ValueError("not a reply")
        return cls(status=status, value=reply.get("value"), ok=ok, text=text, log=log)

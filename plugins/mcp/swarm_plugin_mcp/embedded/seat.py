"""An operator session of this process: whoever calls the tools sits at its seats."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from swarm_core.attachments import Attached, Attachments
from swarm_core.contracts import Operator, SeniorBridge, SpawnHook
from swarm_core.errors import RejectedByMiddleware, WorkerFailed
from swarm_core.model.call import Call, Result
from swarm_plugin_mcp.backend import Reply
from swarm_plugin_mcp.embedded.directive import directive
from swarm_plugin_mcp.errors import ToolRefused
from swarm_plugin_mcp.mailbox import Mailbox
from swarm_plugin_mcp.replies import answered

if TYPE_CHECKING:
    from swarm_core.serving import LiveSwarm

_SHORT = {"ask": "ask", "hook_before": "hb", "hook_after": "ha", "spawn": "spawn"}


class EmbeddedSeat(Operator, SeniorBridge, SpawnHook):
    """Puts what the engine asks of an operator, a senior and a hook into a mailbox, and waits for the replies."""

    def __init__(self, sid: str, roles: Sequence[str]) -> None:
        self.sid, self.roles, self.mailbox = sid, tuple(roles), Mailbox()
        self.attached: list[Attached[Any]] = []
        self._replies: dict[str, asyncio.Future[Reply]] = {}

    # what the engine asks --------------------------------------------------------------------------------------

    async def execute(self, call: Call, system: str | None) -> Result:
        """Let the session carry out an attempt; what a worker has posted with its handle counts."""
        context = call.context
        before, handle = context.latest, context.handle()
        reply = await self._ask(
            "spawn",
            {
                **_about(call),
                "capability_token": context.token(),
                "worker_handle": handle,
                "directive": directive(call, handle, self.sid),
            },
        )
        posted = context.latest
        if posted is not None and posted is not before:
            return posted
        if reply.error is not None:
            raise WorkerFailed(reply.error, kind="operator_failed")
        return Result(reply.value, reply.ok)

    async def ask(self, task_id: str, question: Any) -> Any:
        """Let the session answer a senior's question."""
        return (await self._ask("ask", {"task_id": task_id, "question": question})).value

    async def before(self, call: Call) -> None:
        """Let the session look at an attempt before it begins; raises what it refuses it with."""
        reply = await self._ask("hook_before", _about(call))
        if not reply.ok:
            raise RejectedByMiddleware(reply.error or "refused by the operator")

    async def after(self, call: Call, result: Result | BaseException) -> None:
        """Tell the session how an attempt ended."""
        end = {"value": result.value, "ok": result.ok} if isinstance(result, Result) else {"error": str(result)}
        self.mailbox.put(self._frame("hook_after", {**_about(call), "result": end}))

    async def _ask(self, type: str, facts: Mapping[str, Any]) -> Reply:
        frame = self._frame(type, facts)
        req_id = frame["req_id"]
        replied: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._replies[req_id] = replied
        self.mailbox.put(frame)
        try:
            return await replied
        finally:
            del self._replies[req_id]
            self.mailbox.drop(req_id)

    def _frame(self, type: str, facts: Mapping[str, Any]) -> dict[str, Any]:
        return {"type": type, "req_id": f"{self.sid}-{_SHORT[type]}-{uuid4()}", **facts}

    # what the session does -------------------------------------------------------------------------------------

    async def reply(self, req_id: str, reply: Reply) -> None:
        """Give the answer to a frame; raises ToolRefused, when nobody waits for it."""
        answered(self.mailbox, req_id, reply)
        waiting = self._replies[req_id]
        if not waiting.done():
            waiting.set_result(reply)
        self.mailbox.drop(req_id)

    async def leave(self) -> None:
        """Leave all seats."""
        for attached in self.attached:
            attached.detach()
        for waiting in self._replies.values():
            if not waiting.done():
                waiting.set_exception(WorkerFailed("the operator left", kind="operator_left"))


def sit_down(swarm: LiveSwarm, roles: Sequence[str], *, take: bool) -> EmbeddedSeat:
    """Attach a new session under its own id and its roles; raises ToolRefused, when a role is another one's."""
    held = [role for role in roles if role in swarm.services[Attachments].operators]
    if held and not take:
        hint = "choose other roles, or take them from whoever has them with take=true"
        raise ToolRefused("roles_conflict", f"roles conflict: {', '.join(held)}", hint=hint)
    seat = EmbeddedSeat(f"S-{secrets.token_hex(16)}", roles)
    try:
        for id in (seat.sid, *seat.roles):
            # the operator comes last: it wakes the runs that wait for one
            seat.attached += [swarm.attach_senior(id, seat), swarm.attach_hook(id, seat)]
            seat.attached.append(swarm.attach_operator(id, seat))
    except ValueError as error:
        for attached in seat.attached:
            attached.detach()
        raise ToolRefused("bad_role", str(error)) from None
    return seat


def _about(call: Call) -> dict[str, Any]:
    return {"task_id": call.task_id, "agent": call.agent, "attempt": call.attempt}

"""Sitting at a seat: taking the work, the questions and the looks that runs have for an operator."""

from __future__ import annotations

from typing import Any, Literal

from attrs import frozen

from swarm_plugin_mcp.backend import Json, Reply
from swarm_plugin_mcp.tool import Asked, McpTool, argument

_SID = "The session, as mse_operator_join returned it."


@frozen
class JoinArguments:
    """What `mse_operator_join` is given."""

    roles: tuple[str, ...] = argument("Seats to sit at: names in a Blueprint's operators, or free aliases.", default=())
    take: bool = argument("Take a role from whoever has it, in place of being refused.", default=False)


@frozen
class WaitArguments:
    """What `mse_pending_wait` is given."""

    sid: str = argument(_SID)
    timeout_ms: int = argument("How long to wait for a message.", default=30_000, least=0, most=3_600_000)
    replay: bool = argument(
        "Show again what was shown and has no reply yet: after your context was lost.", default=False
    )


@frozen
class AckArguments:
    """What `mse_ack` is given."""

    sid: str = argument(_SID)
    req_id: str = argument("The req_id of the message.")
    kind: Literal["answer", "hook_ack", "spawn_ack"] = argument(
        "answer for ask, hook_ack for hook_before, spawn_ack for spawn."
    )
    value: Any = argument("The answer, or the result of the work when no worker submitted one.", default=None)  # noqa: RUF009
    ok: bool = argument("False refuses the attempt (hook_ack), or says that the work failed (spawn_ack).", default=True)
    error: str | None = argument("Why it is refused or failed.", default=None)


@frozen
class LeaveArguments:
    """What `mse_operator_leave` is given."""

    sid: str = argument(_SID)


async def join(asked: Asked, given: JoinArguments) -> Json:
    """Begin a session."""
    seat = await (await asked.home.backend()).join(given.roles, take=given.take)
    asked.home.take(seat)
    return {"sid": seat.sid, "roles": list(seat.roles), "next": "wait for work with mse_pending_wait"}


async def pending_wait(asked: Asked, given: WaitArguments) -> Json:
    """Return the next message of a session."""
    mailbox = asked.home.seat(given.sid).mailbox
    if given.replay:
        mailbox.again()
    message = await mailbox.take(given.timeout_ms / 1000)
    return {
        "sid": given.sid,
        "status": "timeout" if message is None else "message",
        "message": None if message is None else dict(message),
        "waiting": mailbox.unread,
        "unanswered": mailbox.unanswered,
    }


async def ack(asked: Asked, given: AckArguments) -> Json:
    """Reply to a message of a session."""
    seat = asked.home.seat(given.sid)
    reply = Reply(kind=given.kind, value=given.value, ok=given.ok, error=given.error)
    await seat.reply(given.req_id, reply)
    return {"sid": given.sid, "req_id": given.req_id, "sent": True, "waiting": seat.mailbox.unread}


async def leave(asked: Asked, given: LeaveArguments) -> Json:
    """End a session."""
    seat = asked.home.seat(given.sid)
    await seat.leave()
    del asked.home.seats[given.sid]
    return {"sid": given.sid, "left": True}


TOOLS = (
    McpTool(
        name="mse_operator_join",
        summary="Become an operator: work of agents of kind operator at your roles comes to you as "
        "messages, and that of "
        "runs launched with your sid.",
        arguments=JoinArguments,
        handler=join,
    ),
    McpTool(
        name="mse_pending_wait",
        summary="Return the next message for your session: spawn (do the work as its directive says), ask, "
        "hook_before, "
        "hook_after; or status timeout.",
        arguments=WaitArguments,
        handler=pending_wait,
        reads=True,
    ),
    McpTool(
        name="mse_ack",
        summary="Reply to a message. For spawn, a result that a worker submitted with the handle counts before value.",
        arguments=AckArguments,
        handler=ack,
    ),
    McpTool(
        name="mse_operator_leave",
        summary="End your operator session. What it had under way begins anew with whoever comes next.",
        arguments=LeaveArguments,
        handler=leave,
        destroys=True,
    ),
)

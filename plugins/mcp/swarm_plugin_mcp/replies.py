"""Whether a reply to a frame is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from swarm_plugin_mcp.backend import Reply
from swarm_plugin_mcp.errors import ToolRefused
from swarm_plugin_mcp.mailbox import REPLIES, Mailbox


def answered(mailbox: Mailbox, req_id: str, reply: Reply) -> Mapping[str, Any]:
    """Return the frame that a reply answers; raises ToolRefused, when it answers none or is of another kind."""
    frame = mailbox.frame(req_id)
    if frame is None:
        hint = "it was answered, its attempt has ended, or it belongs to another session"
        raise ToolRefused("stale_ack", f"nobody waits for a reply to {req_id!r}", hint=hint)
    wanted = REPLIES[frame["type"]]
    if reply.kind != wanted:
        raise ToolRefused("wrong_kind", f"a message of type {frame['type']!r} is answered by kind {wanted!r}")
    return frame

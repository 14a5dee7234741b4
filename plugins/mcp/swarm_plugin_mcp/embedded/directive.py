"""What an AI is told to do with an attempt that it was handed."""

from __future__ import annotations

from swarm_core.model.call import Call

_TEXT = """\
Agent {agent!r} has work. Have a sub-agent do it, or do it yourself:

1. Get the work: mse_worker_prompt with handle={handle!r}. `system` says how the agent works, `prompt` what to do.
2. Do what it says, and nothing else. Keep to the form of answer that it asks for.
3. Give the result: mse_worker_submit with handle={handle!r} and value=<the result, text or any JSON>;
   with ok=false when it cannot be done, and the reason as value.
4. Then tell the engine that it is done: mse_ack with sid={sid!r}, the req_id of this message and kind="spawn_ack".

The handle is good for this one attempt (task {task_id}, attempt {attempt}) and ends with it. A sub-agent needs the
handle and nothing else. Small work may skip steps 1 to 3: give the result as value in mse_ack.
"""


def directive(call: Call, handle: str, sid: str) -> str:
    """Return the directive of an attempt."""
    return _TEXT.format(agent=call.agent, handle=handle, sid=sid, task_id=call.task_id, attempt=call.attempt)

"""What a main AI reads in a `spawn` frame: how to put a sub-agent to work."""

from __future__ import annotations

from swarm_core.model.call import Call

# Facts that layers tell through `Call.meta`; the layers are the core's own.
_ALIAS, _SINK = "project_name_alias", "data_sink_endpoint"


def directive_of(call: Call, handle: str, base_url: str) -> str:
    """Return the text for an attempt whose worker reaches the server at `base_url` with a handle."""
    prompt = f"{base_url}/v1/worker/prompt?task_id={call.task_id}"
    submit = f"{base_url}/v1/worker/submit"
    blocks = [
        f"Start one mse-worker sub-agent for the agent {_line(call.agent)!r} and hand it exactly these facts:",
        _facts(agent=_line(call.agent), worker_handle=handle, base_url=base_url, task_id=call.task_id),
        "The sub-agent works alone and in this order:",
        f"1. It fetches its own prompt: GET {prompt}\n"
        f"   with the header `Authorization: Bearer {handle}`. The answer is JSON: `prompt` is its task,\n"
        "   and `system`, where there is one, its instructions.\n"
        f"2. It does the work and posts the result: POST {submit}\n"
        "   with the same header and the result as the body. When the work cannot be done it posts the reason to\n"
        f"   {submit}?ok=false instead.",
        *_further(call, handle, base_url),
        "Do not fetch the prompt yourself, and do not pass the handle on to anybody else: it is good for this attempt\n"
        "only. When the sub-agent has ended, reply with a `spawn_ack` that has the req_id of this message; what the\n"
        "sub-agent has posted is the result. If it could not be started, say so: ok=false, and the reason as `error`.",
    ]
    return "\n\n".join(blocks) + "\n"


def _further(call: Call, handle: str, base_url: str) -> list[str]:
    alias, sink = call.meta.get(_ALIAS), call.meta.get(_SINK)
    blocks = []
    if alias is not None:
        blocks.append(f"The project goes by the name {_line(alias)!r}; use it to name the project.")
    if sink is not None:
        url = f"{base_url}{sink}" if isinstance(sink, str) and sink.startswith("/") else _line(sink)
        blocks.append(
            f"Intermediate data goes to {url}: POST it there with the header `Authorization: Bearer {handle}`,\n"
            f"task_id {call.task_id} and attempt {call.attempt}."
        )
    return blocks


def _facts(**facts: str) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _line(text: object) -> str:
    """Return a text in one line, so that no name can pass for a paragraph of ours."""
    return " ".join(str(text).split())[:200]

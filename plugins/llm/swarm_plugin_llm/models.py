"""Which model is asked where nobody says it: the only one that the server has."""

from __future__ import annotations

from swarm_core.errors import SpawnFailed
from swarm_plugin_llm.clients import Connection
from swarm_plugin_llm.faults import fault_of
from swarm_plugin_llm.settings import FROM_ENVIRONMENT, MODEL, Provider


async def model_of(connection: Connection, provider: Provider, *, most: int) -> str:
    """Return the one model that a server lists.

    Raises: SpawnFailed, when there is none or a choice; LlmFailed, when it does not tell.
    """
    try:
        listed = await connection.client.get("/models", cast_to=object)
    except Exception as error:
        raise fault_of(error, provider, connection.key, most=most) or error from None
    data = listed.get("data") if isinstance(listed, dict) else None
    models: list[str] = [one["id"] for one in data or [] if isinstance(one, dict) and isinstance(one.get("id"), str)]
    if len(models) == 1:
        return models[0]
    shown = ", ".join(sorted(models)[:10]) or "none"
    say = f"export {MODEL}=..." if provider.name == FROM_ENVIRONMENT else "`model` of the provider"
    hint = f"say it in the agent's profile.model, or {say}; the server has: {shown}"[:500]
    raise SpawnFailed(f"nothing says which model of provider {provider.name!r} is to be asked", hint=hint)

"""A Blueprint as the swarm reads it: from a file of the project, a store, or data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from swarm_core.model.version import IdRef
from swarm_core.selecting import SCHEME, parse_ref
from swarm_core.settings import project_folder

if TYPE_CHECKING:
    from swarm_core.serving import LiveSwarm


async def document_of(swarm: LiveSwarm, value: Any, *, lenient: bool = False) -> Any:
    """Read a Blueprint; what a lenient reading returns is for `check` alone.

    What comes as data has the functions and files of the project's folder. Raises: as `Swarm.fetch`.
    """
    if isinstance(value, Path):
        return value if lenient else swarm.read(value)
    if isinstance(value, str) and value.startswith(SCHEME):
        return await swarm.fetch(value)
    if "kind" in value and "flow" not in value:
        ref = parse_ref(value)
        if isinstance(ref, IdRef):
            return await swarm.fetch(value)
        value = ref.value
    return swarm.receive(value, files=project_folder(swarm.settings), lenient=lenient)

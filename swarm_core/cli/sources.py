"""A Blueprint that is read here and used elsewhere: its document as data, and where each part of that stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from swarm_core.cli import inputs
from swarm_core.model.problem import Problem

if TYPE_CHECKING:
    from swarm_core.factories import Catalog

_FUNCTION_KINDS = ("function", "rust_fn")


@frozen(kw_only=True, eq=False, repr=False)
class Here:
    """What a Blueprint's file says, all files that it names in their places; or `bp:NAME`, which stays a name.

    `base` is the folder of the file, None when it has none.
    """

    source: str | Mapping[str, Any]
    name: str | None = None
    positions: Mapping[str, tuple[int, int]] = field(factory=dict)
    notes: tuple[Problem, ...] = ()
    base: Path | None = None

    def located(self, problems: Iterable[Problem]) -> list[Problem]:
        """Return problems with the file, line and column they stand at, as far as known."""
        from swarm_core.codec import with_place

        if self.name is None:
            return list(problems)
        return [problem if problem.file else with_place(problem, self.positions, self.name) for problem in problems]

    def left_behind(self) -> Problem | None:
        """Return what is to be said of the functions beside the file when the Blueprint uses some; they stay here."""
        from swarm_core.builtin.swarmfile import SWARMFILE, functions_beside

        functions = functions_beside(self.base) if self.base is not None else ()
        needed = sorted({function.name for function in functions} & set(_names_in(self.source)))
        if not needed or self.base is None:
            return None
        where = self.base / SWARMFILE
        message = f"it provides {', '.join(needed)} in this process only, and the server carries the run out"
        hint = (
            "put them into the swarmfile.py of the server's project or into a plugin there, or run it without a server"
        )
        return Problem(code="functions_stay_here", message=message, hint=hint, file=str(where))


def read_here(file: Path | str, text: bytes | None, catalog: Catalog) -> Here:
    """Read a Blueprint's document without asking whether it is one; raises DocumentError."""
    from swarm_core.builtin.reading import read_blueprint

    if inputs.is_kept(file):
        return Here(source=str(file))
    path = Path(file) if text is None else None
    read = read_blueprint(path, text, catalog.readers, catalog.directives, name=str(file))
    return Here(source=read.value, name=read.name, positions=read.positions, notes=read.notes, base=read.base)


def _names_in(document: Any) -> Iterator[str]:
    """Yield the functions that a Blueprint's document names: for its agents, and in its flow."""
    agents = document.get("agents") if isinstance(document, Mapping) else None
    for agent in agents if isinstance(agents, list) else ():
        if isinstance(agent, Mapping) and agent.get("kind") in _FUNCTION_KINDS:
            spec = agent.get("spec")
            named = spec.get("fn_id") if isinstance(spec, Mapping) else None
            if isinstance(named, str):
                yield named
    yield from _called_in(document.get("flow") if isinstance(document, Mapping) else None)


def _called_in(node: Any) -> Iterator[str]:
    left = [node]
    while left:
        one = left.pop()
        if isinstance(one, Mapping):
            if one.get("op") == "call_extern" and isinstance(one.get("ref"), str):
                yield one["ref"]
            left += one.values()
        elif isinstance(one, list):
            left += one

"""From whatever a Blueprint is given as to the Blueprint, with its file's places and its own functions at hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import field, frozen

from swarm_core.builtin.readers import read_blueprint
from swarm_core.builtin.swarmfile import functions_beside
from swarm_core.codec import located, structure_blueprint
from swarm_core.errors import InvalidBlueprint
from swarm_core.factories import Catalog, Function
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.problem import Problem


@frozen(kw_only=True)
class Document:
    """A Blueprint as it was read.

    `base` is the folder of its file, None when it came as data; `positions` maps places in the document to lines and
    columns of its text; `functions` are those of the `swarmfile.py` beside it.
    """

    blueprint: Blueprint
    name: str | None = None
    base: Path | None = None
    positions: Mapping[str, tuple[int, int]] = field(factory=dict)
    functions: tuple[Function, ...] = ()

    def located(self, problems: Iterable[Problem]) -> list[Problem]:
        """Return the problems with the file, line and column they stand at, as far as known."""
        return located(problems, positions=self.positions, name=self.name)

    @contextmanager
    def locating(self) -> Iterator[None]:
        """Put places into the problems of an InvalidBlueprint that is raised inside."""
        try:
            yield
        except InvalidBlueprint as error:
            raise InvalidBlueprint(self.located(error.problems), source=error.source) from None


def read_document(
    source: str | Path | Mapping[str, Any] | Blueprint, catalog: Catalog, *, text: bytes | None
) -> Document:
    """Read a Blueprint from a file, from text, or from data; raises DocumentError with all problems."""
    if isinstance(source, Blueprint):
        return Document(blueprint=source)
    if isinstance(source, Mapping):
        return Document(blueprint=structure_blueprint(source))
    read = read_blueprint(
        Path(source) if text is None else None,
        text,
        catalog.readers,
        catalog.directives,
        name=str(source),
    )
    functions = functions_beside(read.base) if read.base is not None else ()
    blueprint = structure_blueprint(read.value, positions=read.positions, name=read.name)
    return Document(blueprint=blueprint, name=read.name, base=read.base, positions=read.positions, functions=functions)

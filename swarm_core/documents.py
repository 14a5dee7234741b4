"""From whatever a Blueprint is given as to the Blueprint, with its file's places and its own functions at hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

from swarm_core.codec import structure_blueprint, with_place
from swarm_core.contracts import Source
from swarm_core.errors import DocumentError, InvalidBlueprint
from swarm_core.factories import Catalog, Function
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.problem import Problem

if TYPE_CHECKING:
    from pathlib import Path


@frozen(kw_only=True, eq=False, repr=False)
class Document:
    """A Blueprint as it was read.

    `base` is the folder of its file, None when it came as data; `positions` maps places in the document to lines and
    columns of its text; `functions` are those of the `swarmfile.py` beside it. `problems` are the errors of a document
    that was read as far as possible; of a Blueprint that can be run there are none. `notes` are what its
    directives found worth a look. `kept` says of a Blueprint that
    came from a store its id, its version, and how that was selected.
    """

    blueprint: Blueprint
    name: str | None = None
    base: Path | None = None
    positions: Mapping[str, tuple[int, int]] = field(factory=dict)
    functions: tuple[Function, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    kept: Mapping[str, Any] | None = None

    def located(self, problems: Iterable[Problem]) -> list[Problem]:
        """Return the problems with the file, line and column they stand at, as far as known."""
        if self.name is None:
            return list(problems)
        return [problem if problem.file else with_place(problem, self.positions, self.name) for problem in problems]

    @contextmanager
    def locating(self) -> Iterator[None]:
        """Put places into the problems of an InvalidBlueprint that is raised inside."""
        try:
            yield
        except InvalidBlueprint as error:
            raise InvalidBlueprint(self.located(error.problems), source=error.source) from None


def read_document(
    source: str | Path | Mapping[str, Any] | Blueprint,
    catalog: Catalog,
    *,
    text: bytes | None = None,
    lenient: bool = False,
) -> Document:
    """Read a Blueprint from a file, from text, or from data.

    A lenient reading takes a document with errors for what is left of it and keeps the errors in `problems`.
    Raises: DocumentError, with all problems; when lenient, only where nothing is left.
    """
    if isinstance(source, Blueprint):
        return Document(blueprint=source)
    if isinstance(source, Mapping):
        return _structured(source, lenient=lenient)
    from pathlib import Path

    from swarm_core.builtin.reading import read_blueprint
    from swarm_core.builtin.swarmfile import functions_beside

    path = Path(source) if text is None else None
    read = read_blueprint(path, text, catalog.readers, catalog.directives, name=str(source))
    document = _structured(read.value, lenient=lenient, name=read.name, positions=read.positions)
    functions = functions_beside(read.base) if read.base else ()
    return evolve(document, base=read.base, functions=functions, notes=read.notes)


def received_document(
    value: Mapping[str, Any], catalog: Catalog, folder: Path, *, files: Path | None = None, lenient: bool = False
) -> Document:
    """Read a Blueprint that came from elsewhere as data, with the functions of a folder's `swarmfile.py`.

    Its directives read files below `files`; without that they are refused. Raises: as `read_document`.
    """
    from swarm_core.builtin.expansion import expand
    from swarm_core.builtin.swarmfile import functions_beside

    source = expand(Source(value=value, name="blueprint", base=files, positions={}), catalog.directives)
    document = _structured(source.value, lenient=lenient)
    return evolve(document, base=folder, functions=functions_beside(folder), notes=source.notes)


def _structured(
    value: Any,
    *,
    lenient: bool,
    name: str | None = None,
    positions: Mapping[str, tuple[int, int]] | None = None,
) -> Document:
    known: Mapping[str, tuple[int, int]] = positions if positions is not None else {}
    try:
        blueprint = structure_blueprint(value, positions=positions, name=name)
    except DocumentError as error:
        left = _left_of(value, error.problems) if lenient else None
        if left is None:
            raise
        return Document(blueprint=left, name=name, positions=known, problems=error.problems)
    return Document(blueprint=blueprint, name=name, positions=known)


def _left_of(value: Any, problems: tuple[Problem, ...]) -> Blueprint | None:
    from swarm_core.codec.salvage import salvage

    return salvage(value, problems)


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Return problems in the order of the text, each one once; those without a line keep their order and come last."""
    told: dict[tuple[str, str], Problem] = {}
    for problem in problems:
        told.setdefault((problem.path, problem.message), problem)
    return sorted(told.values(), key=lambda problem: (problem.line is None, problem.line or 0, problem.column or 0))

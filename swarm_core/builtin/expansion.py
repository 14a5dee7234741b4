"""Directives: objects such as `{"$file": "prompt.md"}` that stand for something else in a Blueprint's document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import PurePath
from typing import Any

from attrs import define, evolve, field

from swarm_core.builtin.files import Folder, refuse
from swarm_core.builtin.finding import find
from swarm_core.builtin.splicing import Splices, spliced
from swarm_core.codec import with_place
from swarm_core.contracts import Source
from swarm_core.errors import DocumentError
from swarm_core.factories import DirectiveFactory
from swarm_core.model.path import place
from swarm_core.model.problem import Problem

Steps = tuple[str | int, ...]

MOST = 1_000
MOST_PROBLEMS = 100


def expand(source: Source, directives: Mapping[str, DirectiveFactory]) -> Source:
    """Return the source with every directive of its document replaced, wherever it stands, values of `lit` included.

    Objects inside others are replaced first. What takes an object's place is data: it is not looked at again, and
    neither is anything that a run brings. Places of other parts stay valid.
    Raises: DocumentError, with the problems of all directives.
    """
    uses = list(islice(_uses(source.value, directives), MOST + 1))
    if not uses:
        return source
    if len(uses) > MOST:
        problem = Problem(code="too_many_refs", message=f"a Blueprint holds at most {MOST:,} directives")
        raise DocumentError([_placed(problem, source, uses[-1])])
    with ExitStack() as stack:
        expansion = _Expansion(source, directives, _Opener(source, stack))
        for steps in reversed(uses):
            expansion.replace(steps)
    if expansion.problems:
        raise DocumentError(expansion.problems[::-1][:MOST_PROBLEMS])
    positions = spliced(source.positions, expansion.splices)
    notes = (*source.notes, *expansion.notes[::-1])
    return evolve(source, value=expansion.holder[0], positions=positions, notes=notes)


@define
class _Opener:
    """Keeps the promises of `swarm_core.factories.Opener`; the folder is opened when it is needed first."""

    source: Source
    stack: ExitStack
    _notes: list[Problem] = field(factory=list)
    _folders: list[Folder] = field(factory=list)

    @property
    def document(self) -> Mapping[str, Any]:
        return self.source.value if isinstance(self.source.value, dict) else {}

    def __call__(self, path: str) -> bytes:
        return self._folder().read(path)

    def find(self, pattern: str) -> list[str]:
        return find(self._folder(), pattern)

    def note(self, problem: Problem) -> None:
        self._notes.append(problem)

    def taken_notes(self) -> list[Problem]:
        """Return what was noted since this was asked last."""
        taken, self._notes = self._notes, []
        return taken

    def _folder(self) -> Folder:
        if self.source.base is None:
            refuse("ref_outside", "this Blueprint has no folder", "save it as a file, or write the text in place")
        if not self._folders:
            self._folders.append(self.stack.enter_context(Folder(self.source.base)))
        return self._folders[0]


def _uses(value: Any, directives: Mapping[str, DirectiveFactory]) -> Iterator[Steps]:
    """Yield where directives stand, outer ones first, in the order of the document."""
    waiting: list[tuple[Steps, Any]] = [((), value)]
    while waiting:
        steps, found = waiting.pop()
        if isinstance(found, dict):
            if not directives.keys().isdisjoint(found):
                yield steps
            inner = [(key, each) for key, each in found.items() if key not in directives]
        elif isinstance(found, list):
            inner = list(enumerate(found))
        else:
            continue
        waiting.extend(((*steps, step), each) for step, each in reversed(inner) if isinstance(each, dict | list))


@define
class _Expansion:
    source: Source
    directives: Mapping[str, DirectiveFactory]
    opener: _Opener
    problems: list[Problem] = field(factory=list)
    notes: list[Problem] = field(factory=list)
    splices: Splices = field(factory=dict)
    holder: list[Any] = field(init=False)
    _own: set[int] = field(factory=set)

    def __attrs_post_init__(self) -> None:
        self.holder = [self.source.value]

    def replace(self, steps: Steps) -> None:
        """Put what an object stands for in its place."""
        holder, last = self._reach(steps)
        found = holder[last]
        names = [name for name in found if name in self.directives]
        name = names[0]
        siblings = {key: each for key, each in found.items() if key != name}
        try:
            self._check(name, siblings)
            made = self.directives[name].expand(found[name], siblings, self.opener)
            self._put(holder, last, made, steps if self.directives[name].splices else ())
            self.notes += [self._placed(note, steps, name) for note in reversed(self.opener.taken_notes())]
        except DocumentError as error:
            self.problems += [self._placed(problem, steps, name) for problem in reversed(error.problems)]
        except ValueError as error:
            self._fault("bad_directive", f"{name}: {error}", steps, name)
        except Exception as error:
            self._fault("directive_failed", f"{name} failed: {type(error).__name__}: {error}", steps, name)

    def _put(self, holder: Any, last: Any, made: Any, steps: Steps) -> None:
        """Put what was made in its place; `steps` lead to where it is to be spliced in, if it is."""
        if steps and isinstance(holder, list):
            # Uses are replaced from the last to the first: what stands before this one has not moved yet.
            holder[last : last + 1] = made
            self.splices.setdefault(steps[:-1], {})[last] = len(made)
        else:
            holder[last] = made

    def _reach(self, steps: Steps) -> tuple[Any, Any]:
        """Return the container of the object and its key there; containers on the way are copied once, never shared."""
        holder: Any = self.holder
        last: Any = 0
        for step in steps:
            if id(holder[last]) not in self._own:
                holder[last] = holder[last].copy()
                self._own.add(id(holder[last]))
            holder, last = holder[last], step
        return holder, last

    def _check(self, name: str, siblings: Mapping[str, Any]) -> None:
        others = [key for key in siblings if key in self.directives]
        if others:
            raise ValueError(f"it stands in one object with {others[0]}; write one of them")
        if siblings and not self.directives[name].siblings:
            raise ValueError(f"it stands alone in its object; remove {next(iter(siblings))!r}")

    def _fault(self, code: str, message: str, steps: Steps, name: str) -> None:
        self.problems.append(self._placed(Problem(code=code, message=message), steps, name))

    def _placed(self, problem: Problem, steps: Steps, name: str) -> Problem:
        """Return a problem with the directive's place, or with the path from here of the file that it speaks of."""
        if problem.file is None:
            return _placed(problem, self.source, (*steps, name))
        return evolve(problem, file=str(PurePath(self.source.name).parent / problem.file))


def _placed(problem: Problem, source: Source, steps: Steps) -> Problem:
    path = "$" + "".join(place("", step) for step in steps)
    return with_place(evolve(problem, path=path), source.positions, source.name)

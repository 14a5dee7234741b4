"""What is wrong with a repository as a whole."""

from __future__ import annotations

from collections.abc import Iterator

from swarm_core.errors import StoreError
from swarm_plugin_git.locks import is_left_behind
from swarm_plugin_git.names import branch_of, id_of, is_cut
from swarm_plugin_git.repository import Repository


def problems_of(repository: Repository) -> list[str]:
    """Read everything, and return what is wrong, a sentence each."""
    try:
        names = repository.branches.names()
    except StoreError as error:
        return [error.message]
    return [*_locks(repository), *(problem for name in names for problem in _branch(repository, name))]


def _locks(repository: Repository) -> Iterator[str]:
    for lock in repository.branches.locks():
        if is_left_behind(lock) is None:
            yield f"another program holds the lock {lock}, or left it when it was killed: then remove it"


def _branch(repository: Repository, name: str) -> Iterator[str]:
    try:
        commit = repository.branches.read(name)
        if commit is None:
            return
        told = id_of(name)
        entry, _ = repository.history.end(commit, told)
        if entry is None:
            yield f"branch {name!r} has no blueprint.json"
        elif told is None and not (is_cut(name) and branch_of(entry.blueprint_id) == name):
            due = branch_of(entry.blueprint_id)
            yield f"branch {name!r} is no Blueprint's; that of {entry.blueprint_id!r} is {due!r}"
        else:
            for each, step in repository.history.entries(commit, entry.blueprint_id):
                repository.history.text(each, step.tree)
    except StoreError as error:
        yield f"branch {name!r}: {error.message}"

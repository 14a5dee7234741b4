"""What to do about a problem, as JSON Patch operations (RFC 6902), where its hint leaves no doubt."""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Mapping
from typing import Any

from attrs import evolve

from swarm_core.codec.places import steps_of
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.problem import Problem

# Problems whose place is a word that is not known, and those whose place is a key that is not known.
_WORDS = frozenset(
    {
        "bad_value",
        "unknown_extern",
        "unknown_join",
        "unknown_kind",
        "unknown_node_kind",
        "unknown_op",
        "unresolved_operator_ref",
        "unresolved_ref",
    }
)
_KEYS = frozenset({"unknown_field", "unknown_hint_agent", "unknown_lint"})

_NEAREST = re.compile(r"did you mean ('[^']*'|\"[^\"]*\")\?(?! \(pip install)")


def with_fix(problem: Problem, blueprint: Blueprint | None = None) -> Problem:
    """Return a problem with its fix: the word that its hint takes for the one that was meant, put in its place."""
    nearest = None if problem.hint is None or problem.fix is not None else _NEAREST.search(problem.hint)
    if nearest is None or " ... " in problem.path or not problem.path.startswith("$"):
        return problem
    fix = _fix(problem, str(literal_eval(nearest[1])), blueprint)
    return problem if fix is None else evolve(problem, fix=fix)


def pointer(path: str) -> str:
    """Return a place of a document as a JSON Pointer (RFC 6901)."""
    return "".join(f"/{escaped(str(step))}" for step in steps_of(path))


def escaped(key: str) -> str:
    """Return a key as one part of a JSON Pointer."""
    return key.replace("~", "~0").replace("/", "~1")


def _fix(problem: Problem, word: str, blueprint: Blueprint | None) -> tuple[Mapping[str, Any], ...] | None:
    here = pointer(problem.path)
    if problem.code in _WORDS:
        return ({"op": "replace", "path": here, "value": word},)
    if problem.code in _KEYS:
        return (_renamed(here, word),)
    if problem.code == "unknown_layer" and blueprint is not None:
        use = blueprint.spawner_hints.layers[int(steps_of(problem.path)[2])]
        if use.options is None:
            return ({"op": "replace", "path": here, "value": word},)
        return (_renamed(f"{here}/{escaped(use.key)}", word),)
    return None


def _renamed(key: str, name: str) -> Mapping[str, Any]:
    parent, _, _ = key.rpartition("/")
    return {"op": "move", "from": key, "path": f"{parent}/{escaped(name)}"}

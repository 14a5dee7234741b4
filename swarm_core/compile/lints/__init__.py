"""Lints: what a Blueprint says that can be compiled, and yet is hardly meant so.

Each room looks for one sort of thing and yields problems with the code of a lint of the catalog; the levels decide how
they are told. No lint guesses: what is claimed of a flow holds for all data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module

from attrs import frozen

from swarm_core.compile.lints.catalog import LINTS, Lint
from swarm_core.compile.lints.levels import DEFAULTS, Levels, read_levels
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.problem import Problem

__all__ = ["DEFAULTS", "LINTS", "Levels", "Lint", "lint", "read_levels"]


@frozen(eq=False, repr=False)
class _Room:
    """What looks for lints, a function of a module that is loaded when it is wanted, and the codes that it may find.

    `unsound` tells whether it has something to say of a Blueprint with errors: a name that is misspelt where it is used
    looks like one that nothing uses.
    """

    home: str
    look: str
    codes: tuple[str, ...]
    unsound: bool = True

    def __call__(self, blueprint: Blueprint, bind: Mapping[str, str]) -> Iterable[Problem]:
        look = getattr(import_module(f"swarm_core.compile.{self.home}"), self.look)
        found: Iterable[Problem] = look(blueprint, bind) if self.look == "agents_bound_twice" else look(blueprint)
        return found


_VERDICTS = ("verdict_value_not_in_contract", "verdict_value_unhandled", "verdict_never_read")
_ROOMS = (
    _Room("verdicts", "check_verdicts", _VERDICTS),
    _Room("lints.reach", "unreachable_steps", ("unreachable_step",)),
    _Room("lints.unread", "outputs_never_read", ("output_never_read",)),
    _Room("lints.loops", "fixed_conditions", ("loop_condition_fixed",)),
    _Room("lints.lanes", "lost_lane_writes", ("lane_write_lost",)),
    _Room("lints.bounds", "unbounded_dispatches", ("dispatch_bound_high", "dispatch_bound_open")),
    _Room("lints.names", "agents_never_used", ("agent_never_used",), unsound=False),
    _Room("lints.names", "operators_never_used", ("operator_never_used",), unsound=False),
    _Room("lints.names", "templates_never_used", ("template_never_used",), unsound=False),
    _Room("lints.names", "agents_bound_twice", ("agent_bound_twice",)),
    _Room("lints.names", "description_missing", ("description_missing",)),
)


def lint(
    blueprint: Blueprint,
    levels: Levels,
    *,
    bind: Mapping[str, str] | None = None,
    sound: bool = True,
    denied_only: bool = False,
) -> Iterator[Problem]:
    """Yield what the lints find, as bad as their levels say; `bind` is what the launch binds agents to.

    In a Blueprint that is not `sound`, one with errors or with names that lead nowhere, nothing is said of names that
    are not used. With `denied_only` only those lints are looked for that would refuse the Blueprint.
    """
    has_verdicts = any(agent.verdict is not None for agent in blueprint.agents)
    for room in _ROOMS:
        wanted = has_verdicts if room.codes is _VERDICTS else sound or room.unsound
        if wanted and levels.any_told(room.codes, denied=denied_only):
            found = levels.told(room(blueprint, bind or {}))
            yield from (problem for problem in found if not denied_only or levels.of[problem.code] == "deny")

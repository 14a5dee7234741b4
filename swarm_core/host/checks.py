"""A plugin's own check of Blueprints, called so that a bug in it becomes a problem with a name."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from swarm_core.errors import PluginInvalid
from swarm_core.host.plugin import Plugin
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.problem import Problem

HOOK = "swarm_check_blueprint"


@frozen(eq=False, repr=False)
class BlueprintCheck:
    """Asks one plugin; a plugin that cannot answer refuses the Blueprint, for it may be there to forbid something."""

    plugin: Plugin

    def __call__(self, blueprint: Blueprint) -> list[Problem]:
        """Return the plugin's problems, or the one that it has itself."""
        try:
            return self._ask(blueprint)
        except PluginInvalid as error:
            return [Problem(code="plugin_check_failed", message=f"{error.where}: {error.message}", hint=error.hint)]

    def _ask(self, blueprint: Blueprint) -> list[Problem]:
        answer = self.plugin.call(HOOK, blueprint=blueprint)
        if not isinstance(answer, Iterable):
            raise self.plugin.answered(HOOK, answer, "a list of Problem")
        try:
            problems = list(answer)
        except Exception as error:
            raise self.plugin.raised(HOOK, error) from error
        for problem in problems:
            if not isinstance(problem, Problem):
                raise self.plugin.answered(HOOK, problem, "Problem, in its list")
        return problems

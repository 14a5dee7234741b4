"""One admitted plugin: its object, and calls of its hooks that cannot hurt anybody else."""

from __future__ import annotations

from typing import Any

import pluggy
from attrs import frozen

from swarm_core.errors import PluginInvalid, SettingsError
from swarm_core.host.candidate import Candidate


@frozen(kw_only=True, eq=False, repr=False)
class Plugin:
    """A plugin whose hooks were checked; `hooks` has their names in the order of the hookspecs.

    Every plugin has a hook caller of its own, so that what one of them raises ends nobody else's call.
    """

    candidate: Candidate
    manager: pluggy.PluginManager
    hooks: tuple[str, ...]

    def call(self, hook: str, **arguments: Any) -> Any:
        """Call one of the plugin's hooks and return what it returns.

        Raises: PluginInvalid, when the hook raises anything but the user's own interrupt.
        """
        caller = getattr(self.manager.hook, hook)
        try:
            answer = caller(**arguments)
        except KeyboardInterrupt:
            raise
        except SettingsError as error:
            raise self.candidate.refusal(PluginInvalid, f"its settings are wrong: {error}") from error
        except BaseException as error:
            raise self.raised(hook, error) from error
        if caller.spec.opts["firstresult"]:
            return answer
        return answer[0] if answer else None

    def raised(self, hook: str, error: BaseException) -> PluginInvalid:
        """Return the error for a hook that raised."""
        message = f"{hook} raised {type(error).__name__}: {error}"
        return self.candidate.refusal(PluginInvalid, message, hint=self.way_out)

    def answered(self, hook: str, answer: object, expected: str) -> PluginInvalid:
        """Return the error for a hook that returned something else than `expected`."""
        what = "None" if answer is None else f"a {type(answer).__name__}"
        return self.candidate.refusal(PluginInvalid, f"{hook} returned {what}, not {expected}", hint=self.way_out)

    @property
    def way_out(self) -> str:
        """Return what a user can do about a plugin that does not work."""
        if self.candidate.core:
            return "this is a fault of swarm-core itself: please report it"
        return f'update the plugin, or switch it off: [plugins] disable = ["{self.candidate.name}"]'

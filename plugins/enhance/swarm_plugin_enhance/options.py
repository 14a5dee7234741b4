"""The section `[plugin.enhance]` of the settings."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from swarm_core.errors import SettingsError
from swarm_core.model.duration import parse_duration
from swarm_core.model.problem import Problem
from swarm_core.model.shown import shown
from swarm_core.settings import Settings, parse_count


def _seconds(_: Any, __: Any, value: str | float) -> None:
    parse_duration(value)


def _count(_: Any, __: Any, value: int) -> None:
    parse_count(value)


@frozen(kw_only=True)
class EnhanceOptions:
    """How the loop works.

    An issue is held for `lease` at a time, renewed while the work goes on; one that was taken up `max_attempts` times
    without an end is rejected. With `seed` the default orbit Blueprint and the setting `default` are put in their
    stores where they are not there. `replay_runs` is how many recorded runs the axis `replay` looks at, `poll` how
    often `swarm enhance run --follow` looks for issues.
    """

    __repr__ = shown

    lease: str | float = field(default="60s", validator=_seconds)
    max_attempts: int = field(default=5, validator=_count)
    seed: bool = True
    replay_runs: int = field(default=10, validator=_count)
    poll: str | float = field(default="1s", validator=_seconds)

    @property
    def lease_seconds(self) -> float:
        """Return `lease` as seconds."""
        return parse_duration(self.lease)

    @property
    def poll_seconds(self) -> float:
        """Return `poll` as seconds."""
        return parse_duration(self.poll)


def read_options(settings: Settings) -> EnhanceOptions:
    """Return the section `[plugin.enhance]`.

    Raises: SettingsError, with every key that is wrong.
    """
    options = settings.section("enhance", EnhanceOptions)
    if options.lease_seconds < 1:
        said = "an issue is held for a second at least"
        raise SettingsError.of([Problem(code="invalid_setting", message=said, path="plugin.enhance.lease")])
    return options

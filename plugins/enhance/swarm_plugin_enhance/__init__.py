"""Blueprints that improve themselves: issues, patches, verifiers, and `swarm issue` and `swarm enhance`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from swarm_core.hookspecs import hookimpl

if TYPE_CHECKING:
    import click

    from swarm_core.endpoints import Endpoint
    from swarm_core.factories import Function, SpawnerFactory
    from swarm_core.settings import Settings
    from swarm_core.verifiers import Verifier
    from swarm_plugin_enhance.application import EnhanceApplication as EnhanceApplication
    from swarm_plugin_enhance.outcome import TickOutcome as TickOutcome

__all__ = ["SWARM_API", "EnhanceApplication", "TickOutcome"]

SWARM_API = 1


@hookimpl
def swarm_register_spawners() -> list[SpawnerFactory]:
    """Provide the kind `verifier`."""
    from swarm_plugin_enhance.verifier import VERIFIER_KIND

    return [VERIFIER_KIND]


@hookimpl
def swarm_register_functions() -> Iterable[Function]:
    """Provide the orbit's own steps."""
    from swarm_plugin_enhance.functions import FUNCTIONS

    return FUNCTIONS


@hookimpl
def swarm_register_verifiers() -> Iterable[Verifier]:
    """Provide the axes that need nothing but the core."""
    from swarm_plugin_enhance.axes import VERIFIERS

    return VERIFIERS


@hookimpl
def swarm_register_endpoints() -> Iterable[Endpoint]:
    """Provide the issues, settings and log over HTTP."""
    from swarm_plugin_enhance.endpoints import ENDPOINTS

    return ENDPOINTS


@hookimpl
def swarm_configure(settings: Settings) -> None:
    """Read `[plugin.enhance]`."""
    from swarm_plugin_enhance.options import read_options

    read_options(settings)


@hookimpl
def swarm_register_commands(cli: click.Group) -> None:
    """Add `swarm issue` and `swarm enhance`."""
    from swarm_plugin_enhance.enhance_commands import enhance
    from swarm_plugin_enhance.issue_commands import issue

    cli.add_command(issue)
    cli.add_command(enhance)


@hookimpl
@asynccontextmanager
async def swarm_lifespan(swarm: Any) -> AsyncIterator[None]:
    """Let verifiers find the swarm that they judge in."""
    from swarm_plugin_enhance.verifier import Judging

    swarm.services[Judging] = Judging(swarm)
    yield


def __getattr__(name: str) -> Any:
    if name == "EnhanceApplication":
        from swarm_plugin_enhance.application import EnhanceApplication

        return EnhanceApplication
    if name == "TickOutcome":
        from swarm_plugin_enhance.outcome import TickOutcome

        return TickOutcome
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Which server a command asks in place of a store, and reaching it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click
from attrs import frozen

from swarm_core.settings import Settings

if TYPE_CHECKING:
    from swarm_core.factories import Catalog
    from swarm_core.remote import RemoteSwarm

F = TypeVar("F", bound=Callable[..., Any])

_NAMED = "swarm.server"
_HELP = "The server whose runs are meant, such as http://127.0.0.1:7777; default: [client] server, $SWARM_SERVER."


def server_of(settings: Settings, named: str | None) -> str | None:
    """Return the server that a command asks: the one named in place of a store, else the one that is set, or None."""
    if named is None:
        return settings.client.server
    return named if is_server(named) else None


def is_server(url: str) -> bool:
    """Tell whether a URL names a server, not a store."""
    return url.partition("://")[0] in ("http", "https")


def server_option(command: F) -> F:
    """Add the option that names a server; `named_server` tells what was given."""
    return click.option("--server", metavar="URL", expose_value=False, is_eager=True, callback=_take, help=_HELP)(
        command
    )


def takes_server(command: click.Command) -> bool:
    """Tell whether a command can ask a server: it has the option for one, or is a group all of whose commands have."""
    if isinstance(command, click.Group):
        return bool(command.commands) and all(takes_server(each) for each in command.commands.values())
    return any("--server" in parameter.opts for parameter in command.params)


def named_server(ctx: click.Context) -> str | None:
    """Return the server that the command line names, before or after the command."""
    from swarm_core.cli.context import context_of

    after: str | None = ctx.meta.get(_NAMED)
    return after or context_of(ctx).server


def check_server(ctx: click.Context, parameter: click.Parameter, url: str | None) -> str | None:
    """Return the address that an option gives; raises click.BadParameter."""
    if url is not None and not is_server(url):
        raise click.BadParameter(f"{url!r} is no address of a server: write http://HOST:PORT or https://HOST")
    return url


def _take(ctx: click.Context, parameter: click.Parameter, url: str | None) -> None:
    if check_server(ctx, parameter, url) is not None:
        ctx.meta[_NAMED] = url


@frozen(kw_only=True, eq=False, repr=False)
class There:
    """A server that is reached, and what the plugins here provide, for reading files."""

    swarm: RemoteSwarm
    catalog: Catalog


@asynccontextmanager
async def connected(settings: Settings, url: str) -> AsyncIterator[There]:
    """Reach a server, whatever is wrong with the plugins that have no part in it.

    Raises: SettingsError, PluginUnavailable, when nothing here can; what the server refuses.
    """
    from swarm_core import builtin
    from swarm_core.cli import outcome
    from swarm_core.host import Host

    with outcome.kept_stdout():
        host = Host.load(None, settings, builtin=(builtin,), strict=False)
        reaching = host.connect(settings, url)
    async with reaching as swarm:
        yield There(swarm=swarm, catalog=host.catalog)

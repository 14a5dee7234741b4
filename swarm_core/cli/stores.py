"""Which store a command speaks of, and the runs of it that are named on the command line."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from swarm_core.cli import inputs, outcome
from swarm_core.cli.remote import connected, is_server, named_server, server_of, server_option
from swarm_core.errors import RunNotFound, SettingsError
from swarm_core.settings import Settings, store_url

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from swarm_core.history import History
    from swarm_core.remote import Runs

F = TypeVar("F", bound=Callable[..., Any])

_COMPLETED = 50  # runs that the shell offers
_COMPLETION_TIME = 2.0  # seconds


_HELP = (
    "Where runs are kept, such as sqlite:///runs.db; default: [store] url, $SWARM_STORE, or the project's "
    ".swarm/swarm.db."
)


def store_option(command: F) -> F:
    """Add the option that names the store, to a command that works on a store itself."""
    return click.option("--store", metavar="URL", callback=_only_store, help=_HELP)(command)


def place_option(command: F) -> F:
    """Add the options that name the store, or the server; both come as `store`."""
    return server_option(click.option("--store", metavar="URL", callback=_place, help=_HELP)(command))


def _place(ctx: click.Context, parameter: click.Parameter, store: str | None) -> str | None:
    server = named_server(ctx)
    if server is not None and store is not None:
        raise click.UsageError("name a store or a server, not both")
    return store if server is None else server


def _only_store(ctx: click.Context, parameter: click.Parameter, store: str | None) -> str | None:
    if store is None and not ctx.resilient_parsing and _server_that_is_set(ctx) is not None:
        name = ctx.command_path
        raise click.UsageError(f"{name} works on a store itself, not over a server; name the store with --store URL")
    return store


def _server_that_is_set(ctx: click.Context) -> str | None:
    """Return the server of the settings; what is wrong with those is told by whoever needs them."""
    try:
        return inputs.settings_of(ctx).client.server
    except SettingsError:
        return None


def run_argument(command: F) -> F:
    """Add the argument that names one run."""
    return click.argument("run", metavar="RUN", shell_complete=complete_runs)(command)


def runs_argument(*, required: bool = True) -> Callable[[F], F]:
    """Return what adds the argument that names runs."""
    return click.argument("runs", metavar="RUN...", nargs=-1, required=required, shell_complete=complete_runs)


@asynccontextmanager
async def opened(settings: Settings, named: str | None) -> AsyncIterator[Runs]:
    """Open what can be asked of the store or of the server; a file that is not there is not made."""
    server = server_of(settings, named)
    if server is None:
        async with opened_here(settings, named) as history:
            yield history
    else:
        async with connected(settings, server) as there:
            yield there.swarm.history


@asynccontextmanager
async def opened_here(settings: Settings, named: str | None, *, make: bool = False) -> AsyncIterator[History]:
    """Open what can be asked of the store itself; a file that is not there is made only to `make` runs in it."""
    from swarm_core.history import open_history

    url = store_url(settings, named)
    missing = None if make else missing_file(url)
    async with AsyncExitStack() as stack:
        with outcome.kept_stdout():
            history = await stack.enter_async_context(open_history(settings, url if missing is None else "memory://"))
        if missing is not None:
            history.place = f"no runs are kept here yet: there is no {missing}"
        yield history


def missing_file(url: str) -> str | None:
    """Return the file that a URL names when it is not there; None also for what is no file."""
    if url.partition("://")[0] != "sqlite":
        return None
    from swarm_core.builtin.sqlite.place import parse_url

    path = parse_url(url).path
    return None if os.path.lexists(path) else str(path)


def require(settings: Settings, named: str | None, run: str) -> None:
    """Refuse a command on a run when there is no store that it could be in; nothing is made then.

    Raises: RunNotFound.
    """
    missing = missing_file(store_url(settings, named))
    if missing is not None:
        raise RunNotFound(run, hint=f"no runs are kept here yet: there is no {missing}")


def suffix(named: str | None) -> str:
    """Return what a command that is proposed needs to speak of the same store or server."""
    return f" --{'server' if is_server(named) else 'store'} {named}" if named else ""


# completion --------------------------------------------------------------------------------------------------


def complete_runs(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the runs that begin with what is there, the newest first; nothing when anything goes wrong."""
    try:
        return asyncio.run(_completions(ctx, incomplete))
    except Exception:
        return []


async def _completions(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from swarm_core.model.run import RunFilter

    settings = inputs.settings_of(ctx)
    async with asyncio.timeout(_COMPLETION_TIME), opened(settings, ctx.params.get("store")) as history:
        runs = await history.runs(RunFilter(limit=1000))
    given = ctx.params.get("runs") or ()
    fitting = [run for run in runs if run.id.startswith(incomplete) and run.id not in given][:_COMPLETED]
    return [CompletionItem(run.id, help=f"{run.status}, {run.blueprint_id}") for run in fitting]

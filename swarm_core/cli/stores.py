"""Which store a command speaks of, and the runs of it that are named on the command line."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from swarm_core.cli import inputs, outcome
from swarm_core.errors import RunNotFound
from swarm_core.settings import Settings, store_url

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from swarm_core.history import History

F = TypeVar("F", bound=Callable[..., Any])

_COMPLETED = 50  # runs that the shell offers
_COMPLETION_TIME = 2.0  # seconds


def store_option(command: F) -> F:
    """Add the option that names the store."""
    return click.option(
        "--store",
        metavar="URL",
        help="Where runs are kept, such as sqlite:///runs.db; default: [store] url, $SWARM_STORE, or "
        "the project's .swarm/swarm.db.",
    )(command)


def run_argument(command: F) -> F:
    """Add the argument that names one run."""
    return click.argument("run", metavar="RUN", shell_complete=complete_runs)(command)


def runs_argument(*, required: bool = True) -> Callable[[F], F]:
    """Return what adds the argument that names runs."""
    return click.argument("runs", metavar="RUN...", nargs=-1, required=required, shell_complete=complete_runs)


@asynccontextmanager
async def opened(settings: Settings, named: str | None, *, make: bool = False) -> AsyncIterator[History]:
    """Open what can be asked of the store; a file that is not there is made only to `make` runs in it."""
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
    """Return what a command that is proposed needs to speak of the same store."""
    return f" --store {named}" if named else ""


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

"""What the commands share: their options, their stores, their words."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from swarm_core.commands import CommandLine, command_line

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from swarm_core.contracts import BlueprintStore
    from swarm_core.model.enhance import AxisVerdict, EnhanceLogEntry

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

OK, FLOW_FAILED, WAITING = 0, 1, 7
SHORT = 12  # digits of a version that are shown

_COMPLETED = 50
_COMPLETION_TIME = 2.0  # seconds


def store_option(command: F) -> F:
    """Add the option that names the store."""
    return click.option(
        "--store",
        metavar="URL",
        help="Where issues are kept; default: [store] issues, $SWARM_ISSUES, or the file of the runs.",
    )(command)


def runs_option(command: F) -> F:
    """Add the option that names the run store, for commands that run something."""
    return click.option(
        "--store",
        metavar="URL",
        help="Where runs are kept, and issues unless [store] issues says otherwise; default: the project's own.",
    )(command)


def json_option(what: str) -> Callable[[F], F]:
    """Return what adds the option for programs."""
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what}.")


def issue_argument(*, required: bool = True) -> Callable[[F], F]:
    """Return what adds the argument that names an issue."""
    metavar = "ISSUE" if required else "[ISSUE]"
    return click.argument("issue_id", metavar=metavar, required=required, shell_complete=_complete_issues)


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run something to its end; SIGTERM stops it as Ctrl-C does, so that what was taken is given back."""

    async def whole() -> T:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        return asyncio.run(whole())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def blueprints(line: CommandLine, store: str | None) -> AbstractAsyncContextManager[BlueprintStore]:
    """Open the Blueprints that go with a store of issues that was named."""
    told = line.settings().store.blueprints
    return line.open_blueprints(store if told is None and store and store.startswith("sqlite://") else None)


def echo(text: str, out: TextIO | None = None) -> None:
    """Print a line of the result; control characters are written as escapes."""
    line = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    click.echo(line, file=out)


def echo_entry(entry: EnhanceLogEntry) -> None:
    """Print what became of an issue, for people."""
    echo(f"{entry.issue_id} {entry.status} {entry.blueprint_id}: {entry.intent}")
    if entry.rationale:
        echo(f"  why: {entry.rationale}")
    for verdict in entry.verdicts:
        echo(f"  {verdict.axis} {verdict.status}{_detail(verdict)}")
    for reason in entry.reasons:
        echo(f"  {reason}")
    if entry.new_hash:
        old, new = entry.prev_hash[:SHORT], entry.new_hash[:SHORT]
        echo(f"  version {old} -> {new}; see: swarm bp diff {entry.blueprint_id}@{old} @{new}")


def _detail(verdict: AxisVerdict) -> str:
    from swarm_plugin_enhance.steps import reason_text

    if verdict.status == "deny":
        return f": {reason_text(verdict.detail)}"
    runs = verdict.detail.get("runs") if isinstance(verdict.detail, Mapping) else None
    if not isinstance(runs, list) or not runs:
        return ""
    other = sum(1 for run in runs if isinstance(run, Mapping) and not run.get("same"))
    return f": {other} of {len(runs)} recorded run{'' if len(runs) == 1 else 's'} would go another way"


# completion --------------------------------------------------------------------------------------------------


def complete_blueprints(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a Blueprint as the core's own commands do."""
    group = ctx.find_root().command
    bp = group.get_command(ctx, "bp") if isinstance(group, click.Group) else None
    known = bp.get_command(ctx, "log") if isinstance(bp, click.Group) else None
    return [] if known is None else known.params[0].shell_complete(ctx, incomplete)


def _complete_issues(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return _completed(ctx, incomplete, _issue_ids)


def complete_settings(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the id of a setting."""
    return _completed(ctx, incomplete, _setting_ids)


async def _issue_ids(line: CommandLine, store: str | None) -> list[str]:
    async with line.open_enhance(store) as stores:
        return [issue_id for issue_id, _ in reversed(await stores.issues.list())]


async def _setting_ids(line: CommandLine, store: str | None) -> list[str]:
    async with line.open_enhance(store) as stores:
        return list(await stores.settings.list())


def _completed(
    ctx: click.Context, begun: str, ids: Callable[[CommandLine, str | None], Coroutine[Any, Any, list[str]]]
) -> list[CompletionItem]:
    """Return the ids that begin with what is there; nothing where anything fails."""
    from click.shell_completion import CompletionItem

    async def found() -> list[str]:
        async with asyncio.timeout(_COMPLETION_TIME):
            return await ids(command_line(ctx), ctx.params.get("store"))

    try:
        return [CompletionItem(each) for each in asyncio.run(found()) if each.startswith(begun)][:_COMPLETED]
    except Exception:
        return []

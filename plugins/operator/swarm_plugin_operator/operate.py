"""`swarm operate`: do the work that runs put before their operators."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import click

from swarm_core.commands import command_line
from swarm_core.errors import AlreadyAnswered
from swarm_plugin_operator.desk import Desk, place_arguments
from swarm_plugin_operator.work import answer_of

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_OK, _INVALID, _NONE = 0, 3, 4
_LONGEST_NAME = 200


def _check_name(ctx: click.Context, parameter: click.Parameter, name: str | None) -> str | None:
    if name is not None and not (name.strip() == name and name.isprintable() and 0 < len(name) <= _LONGEST_NAME):
        raise click.BadParameter(f"a name has 1 to {_LONGEST_NAME} printable characters and no blanks around it")
    return name


def _complete_runs(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a run as the core's own commands do."""
    group = ctx.find_root().command
    show = group.get_command(ctx, "show") if isinstance(group, click.Group) else None
    known = show.params[0] if show is not None else None
    return [] if known is None else known.shell_complete(ctx, incomplete)


@click.command("operate")
@click.argument("run", metavar="[RUN]", required=False, shell_complete=_complete_runs)
@click.option("--seat", metavar="NAME", help="Only the work of this seat.")
@click.option(
    "--as", "name", metavar="NAME", callback=_check_name, help="Who works; default: the name you are logged in under."
)
@click.option("--follow", is_flag=True, help="Wait for more when nothing is left to do.")
@click.option("--edit", is_flag=True, help="Write answers in your editor ($EDITOR).")
@click.option("--resume", is_flag=True, help="Go on with runs that nobody carries out, once they are answered.")
@click.option(
    "--next", "peek", is_flag=True, help="Show the next piece of work and end; exit code 4 when there is none."
)
@click.option("--answer", "given", nargs=2, metavar="KEY VALUE", help="Answer one piece of work and end.")
@click.option("--not-ok", is_flag=True, help="With --answer: the work could not be done, VALUE says why.")
@click.option("--text", "form", flag_value="text", help="Take answers as text, also when they are JSON.")
@click.option("--json-value", "form", flag_value="json", help="Take answers as JSON, refuse anything else.")
@click.option(
    "--store",
    metavar="URL",
    help="Where runs are kept; default: [store] url, $SWARM_STORE, or the project's .swarm/swarm.db.",
)
@click.option("--server", metavar="URL", help="The server that is asked; default: [client] server, $SWARM_SERVER.")
@click.option("--json", "as_json", is_flag=True, help="With --next and --answer: print one object.")
@click.pass_context
def command(ctx: click.Context, /, *, run: str | None, seat: str | None, name: str | None, **options: Any) -> int:
    """Do the work that waits for an operator, of all runs or of RUN, in the order in which it came.

    You are shown each piece of work and give its result: JSON, text, or @FILE. `/not-ok REASON` says that it cannot be
    done, `/edit` opens your editor, `/skip` leaves it to others, `/quit` ends. The first answer counts. Exit codes: 0,
    4 no such run, or no work with --next; 3 the answer came too late, 5 the work is for others, 6 the store cannot be
    used; with --resume those of `swarm resume`.
    """
    peek, given, not_ok = options.pop("peek"), options.pop("given"), options.pop("not_ok")
    as_json, resume, form = options.pop("as_json"), options.pop("resume"), options.pop("form")
    line = command_line(ctx)
    store = _place(options.pop("store"), options.pop("server") or line.server)
    desk = Desk(line, store, run=run, seat=seat, name=name or line.user())
    if peek:
        return _peek(desk, as_json=as_json)
    if given is not None:
        return _give(ctx, desk, *given, ok=not not_ok, form=form, as_json=as_json, resume=resume)
    if as_json or not_ok:
        raise click.UsageError("--json belongs to --next and --answer, --not-ok to --answer")
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.UsageError("work is done at a terminal, and this is none; programs use --next and --answer")
    from swarm_plugin_operator.shift import Shift

    return Shift(
        desk, form=form, resume=(lambda runs: resume_runs(ctx, runs, store)) if resume else None, **options
    ).work()


def _place(store: str | None, server: str | None) -> str | None:
    """Return where the runs are; raises click.UsageError when two places are named."""
    if store is not None and server is not None:
        raise click.UsageError("name a store or a server, not both")
    if server is not None and server.partition("://")[0] not in ("http", "https"):
        raise click.BadParameter(f"{server!r} is no address of a server: write http://HOST:PORT", param_hint="--server")
    return server if store is None else store


def _peek(desk: Desk, *, as_json: bool) -> int:
    pieces = asyncio.run(desk.waiting())
    if not pieces:
        desk.line.say(f"no work waits for {desk.name}; {desk.place}")
        return _NONE
    first = pieces[0]
    if as_json:
        desk.line.print_json({**first.as_json(), "waiting": len(pieces)})
    else:
        desk.show(first, others=len(pieces) - 1)
    return _OK


def _give(
    ctx: click.Context, desk: Desk, key: str, text: str, *, ok: bool, form: str | None, as_json: bool, resume: bool
) -> int:
    """Answer one piece of work from the command line."""
    piece = asyncio.run(desk.piece(key))
    value = desk.line.readings(text, form)[0]
    try:
        run = asyncio.run(desk.give(piece, answer_of(value, ok=ok)))
    except AlreadyAnswered:
        desk.line.say(f"error: the answer to {key} came too late: {asyncio.run(desk.why_not(piece))}")
        return _INVALID
    step = "" if run.owner is not None else desk.resume_command(run.id)
    if as_json:
        desk.line.print_json({"key": key, "run_id": run.id, "value": value, "ok": ok, "by": desk.name, "next": step})
    else:
        desk.line.say(f"answered {key} as {desk.name}")
    if step and resume:
        return resume_runs(ctx, [run.id], desk.store)
    if step and not as_json:
        desk.line.say(f"nobody carries {run.id} out; go on with: {step}")
    return _OK


def resume_runs(ctx: click.Context, runs: list[str], store: str | None) -> int:
    """Go on with runs as `swarm resume` does, and return its exit code."""
    root = ctx.find_root()
    assert isinstance(root.command, click.Group)
    resume = root.command.get_command(root, "resume")
    assert resume is not None
    arguments = [*runs, *place_arguments(store)]
    with resume.make_context("resume", arguments, parent=root) as inside:
        code: int = resume.invoke(inside)
    return code

"""Which store of Blueprints a command speaks of, and the Blueprints of it that are named on the command line."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from swarm_core.cli import inputs, outcome
from swarm_core.cli.stores import missing_file
from swarm_core.errors import BlueprintNotFound
from swarm_core.settings import Settings, blueprints_url

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from swarm_core.contracts import BlueprintStore
    from swarm_core.model.version import BlueprintVersion

F = TypeVar("F", bound=Callable[..., Any])

SHORT = 12  # digits of a version that are shown
SCHEME = "bp:"
_COMPLETED = 50  # names or versions that the shell offers
_COMPLETION_TIME = 2.0  # seconds
_PLAIN = r"[\w%+,.:=-]+\Z"


def store_option(command: F) -> F:
    """Add the option that names the store of Blueprints."""
    return click.option(
        "--store",
        metavar="URL",
        help="Where Blueprints are kept; default: [store] blueprints, $SWARM_BLUEPRINTS, or the file of the runs.",
    )(command)


def name_argument(metavar: str) -> Callable[[F], F]:
    """Return what adds the argument that names a Blueprint, and a version of it where `metavar` says so."""
    return click.argument("name", metavar=metavar, shell_complete=complete_names)


def message_option(command: F) -> F:
    """Add the option that says why there is a new version."""
    help = "Why this version is there, for those who read `swarm bp log`."
    return click.option("--message", "-m", metavar="TEXT", default="", callback=_check_text, help=help)(command)


def _check_text(ctx: click.Context, parameter: click.Parameter, text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise click.BadParameter("it is not UTF-8") from None
    return text


@asynccontextmanager
async def opened(settings: Settings, named: str | None, *, make: bool = False) -> AsyncIterator[BlueprintStore]:
    """Open the store; a file that is not there is made only to `make` a Blueprint in it."""
    from swarm_core.history import open_blueprints

    url = blueprints_url(settings, named)
    missing = None if make else missing_file(url)
    async with AsyncExitStack() as stack:
        with outcome.kept_stdout():
            at = url if missing is None else "memory://"
            store = await stack.enter_async_context(open_blueprints(settings, at))
        try:
            yield store
        except BlueprintNotFound as error:
            if missing is None:
                raise
            raise BlueprintNotFound(error.blueprint_id, hint=_nothing(missing)) from None


def nothing_kept(settings: Settings, named: str | None) -> str:
    """Return what is said where no Blueprint is kept."""
    missing = missing_file(blueprints_url(settings, named))
    return "no Blueprints are kept here yet; keep one with: swarm bp add FILE" if missing is None else _nothing(missing)


def _nothing(missing: str) -> str:
    return f"no Blueprints are kept here yet: there is no {missing}"


def require(settings: Settings, source: str, runs: str | None) -> None:
    """Refuse a Blueprint that is named when there is no file that it could be in; nothing is made then.

    Raises: BlueprintNotFound.
    """
    missing = missing_file(blueprints_url(settings, runs=runs))
    if missing is not None:
        raise BlueprintNotFound(source.removeprefix(SCHEME).partition("@")[0], hint=_nothing(missing))


def shown(entry: BlueprintVersion) -> str:
    """Return an entry in one line: `review 3 1a2b3c4d5e6f 1.2.0`."""
    parts = (entry.blueprint_id, str(entry.number), entry.version[:SHORT], entry.label or "")
    return outcome.one_line(" ".join(part for part in parts if part))


def quoted(name: str) -> str:
    """Return a name as it can be copied into a shell."""
    import shlex

    return name if re.match(_PLAIN, name) else shlex.quote(name)


# completion --------------------------------------------------------------------------------------------------


def complete_names(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the Blueprints that begin with what is there, after `@` their versions; nothing where anything fails."""
    try:
        return asyncio.run(_completions(ctx, incomplete))
    except Exception:
        return []


def complete_sources(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return sources of the form `bp:NAME[@SELECTOR]` that begin with what is there."""
    from click.shell_completion import CompletionItem

    items = complete_names(ctx, parameter, incomplete.removeprefix(SCHEME))
    return [CompletionItem(f"{SCHEME}{item.value}", help=item.help) for item in items]


async def _completions(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    name, at, begun = incomplete.partition("@")
    settings = inputs.settings_of(ctx)
    named = ctx.params.get("store") if _is_ours(ctx) else None
    async with asyncio.timeout(_COMPLETION_TIME), opened(settings, named) as store:
        if at:
            entries = await store.history(name, _COMPLETED)
            selectors = [(each, said) for each, said in _selectors(entries) if each.startswith(begun)]
            return [CompletionItem(f"{name}@{each}", help=said) for each, said in selectors]
        ids = await store.list_ids(archived=ctx.info_name == "unarchive")
    return [CompletionItem(each) for each in ids if each.startswith(name)][:_COMPLETED]


def _selectors(entries: Any) -> Iterator[tuple[str, str]]:
    yield "latest", ""
    for entry in entries:
        said = outcome.one_line(entry.metadata.rationale)[:60]
        yield entry.version[:SHORT], " ".join(part for part in (entry.label, said) if part)


def _is_ours(ctx: click.Context) -> bool:
    """Tell whether `--store` of the command names a store of Blueprints, not one of runs."""
    return ctx.parent is not None and ctx.parent.info_name == "bp"

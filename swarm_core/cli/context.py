"""What every command is given: the options that stand before it, and the doors for plugins' own commands."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import click
from attrs import frozen

from swarm_core.settings import Settings, load_settings

if TYPE_CHECKING:
    from swarm_core.contracts import BlueprintStore, EnhanceStores, RunStore
    from swarm_core.model.run import Question, StoredRun
    from swarm_core.remote import Runs
    from swarm_core.swarm import Swarm


@frozen(kw_only=True)
class Context:
    """The command line as a command sees it; it keeps the promises of `swarm_core.commands.CommandLine`."""

    config: str | None = None
    server: str | None = None

    def settings(self) -> Settings:
        """Return the settings that the command line names; raises SettingsError."""
        return load_settings(file=self.config, overrides={"client.server": self.server} if self.server else None)

    @asynccontextmanager
    async def open_swarm(self, *, store: str | None = None, **opening: Any) -> AsyncIterator[Swarm]:
        """Open a Swarm on the run store."""
        from swarm_core.cli.outcome import kept_stdout
        from swarm_core.settings import store_url
        from swarm_core.swarm import Swarm

        settings = self.settings()
        with kept_stdout():
            async with Swarm.open(settings, store=store_url(settings, store), **opening) as swarm:
                yield swarm

    @asynccontextmanager
    async def open_history(self, store: str | None = None) -> AsyncIterator[Runs]:
        """Open what can be asked of the run store, or of the server, without an engine."""
        from swarm_core.cli.stores import opened

        async with opened(self.settings(), store) as history:
            yield history

    @asynccontextmanager
    async def open_runs(self, store: str | None = None) -> AsyncIterator[RunStore]:
        """Open the run store itself, without an engine."""
        from swarm_core.cli.stores import opened_here

        async with opened_here(self.settings(), store) as history:
            yield history.store

    @asynccontextmanager
    async def open_blueprints(self, store: str | None = None) -> AsyncIterator[BlueprintStore]:
        """Open the store of Blueprints."""
        from swarm_core.cli.outcome import kept_stdout
        from swarm_core.history import open_blueprints

        with kept_stdout():
            async with open_blueprints(self.settings(), store) as blueprints:
                yield blueprints

    @asynccontextmanager
    async def open_enhance(self, store: str | None = None, *, make: bool = False) -> AsyncIterator[EnhanceStores]:
        """Open issues, enhance settings and the enhance log."""
        from swarm_core.cli.outcome import kept_stdout
        from swarm_core.cli.stores import missing_file
        from swarm_core.history import open_enhance
        from swarm_core.settings import issues_url

        settings = self.settings()
        url = issues_url(settings, store)
        at = url if make or missing_file(url) is None else "memory://"
        with kept_stdout():
            async with open_enhance(settings, at) as stores:
                yield stores

    async def answer(self, key: str, answer: Any, *, by: str, store: str | None = None) -> tuple[Question, StoredRun]:
        """Give an open question its answer; return it and its run."""
        from swarm_core.cli.answering import Over, give
        from swarm_core.engine.answers import checked_answer
        from swarm_core.errors import AlreadyAnswered

        settings = self.settings()
        async with self.open_history(store) as history:
            value = checked_answer(await history.store.question(key), answer, by)
        try:
            return await give(settings, key, value, by, store)
        except Over:
            raise AlreadyAnswered(key) from None

    def user(self) -> str:
        """Return the name under which the person at the command line is logged in."""
        from swarm_core.cli.names import own_name

        return own_name()

    def readings(self, text: str, form: str | None = None) -> Sequence[Any]:
        """Return what a value on the command line may mean, the likeliest first."""
        from swarm_core.cli.given import readings, source_of

        name, data = source_of(text)
        return readings(data, name, form)

    def say(self, text: str = "") -> None:
        """Write a line for people to stderr."""
        from swarm_core.cli.outcome import say

        say(text)

    def print_table(self, headers: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str) -> None:
        """Print rows below their headers to stdout."""
        from swarm_core.cli.tables import print_table

        print_table(headers, list(rows), empty=empty)

    def print_json(self, value: Any) -> None:
        """Print one JSON document to stdout."""
        from swarm_core.cli.outcome import print_json

        print_json(value)


def context_of(ctx: click.Context) -> Context:
    """Return the command line that a command runs in; while the shell completes a word, as far as it was typed."""
    root = ctx.find_root()
    if isinstance(root.obj, Context):
        return root.obj
    return Context(config=root.params.get("config"), server=root.params.get("server"))

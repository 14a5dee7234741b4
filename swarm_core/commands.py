"""What a plugin's command may use of the command line that it is part of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    import click

    from swarm_core.contracts import BlueprintStore, EnhanceStores, RunStore
    from swarm_core.model.run import Question, StoredRun
    from swarm_core.settings import Settings


class CommandLine(Protocol):
    """The `swarm` command around a plugin's own; a command returns its exit code, or raises a SwarmError for it.

    Results go to stdout through `print_json` and `print_table`, words for people to stderr through `say`. A store is
    named by a URL; None means the one that the settings name, else the project's own.
    """

    @property
    def server(self) -> str | None:
        """The server that stands before the command; where a store is named, its address may stand in place of it."""

    def settings(self) -> Settings:
        """Return the settings that the command line names; raises SettingsError."""

    def open_swarm(self, *, store: str | None = None, **opening: Any) -> AbstractAsyncContextManager[Any]:
        """Open a Swarm on the run store, for what has to run something; `opening` goes to `Swarm.open`."""

    def open_history(self, store: str | None = None) -> AbstractAsyncContextManager[Any]:
        """Open what can be asked of runs without an engine (`History`): of the run store, or of the server.

        `store` may be a server's address; None means the server that the command line or the settings name, if any.
        """

    def open_runs(self, store: str | None = None) -> AbstractAsyncContextManager[RunStore]:
        """Open the run store itself, without an engine."""

    def open_blueprints(self, store: str | None = None) -> AbstractAsyncContextManager[BlueprintStore]:
        """Open the store of Blueprints."""

    def open_enhance(
        self, store: str | None = None, *, make: bool = False
    ) -> AbstractAsyncContextManager[EnhanceStores]:
        """Open issues, enhance settings and the enhance log; a file that is not there is made only with `make`."""

    async def answer(self, key: str, answer: Any, *, by: str, store: str | None = None) -> tuple[Question, StoredRun]:
        """Give an open question its answer; return it and its run, which has no owner when nobody carries it out.

        Raises: ResumeKeyNotFound; AlreadyAnswered, also when nobody waits for an answer any more; AnswerDenied,
        AnswerInvalid.
        """

    def user(self) -> str:
        """Return the name under which the person at the command line is logged in."""

    def readings(self, text: str, form: str | None = None) -> Sequence[Any]:
        """Return what a value on the command line may mean, the likeliest first: JSON where it is JSON, then text.

        `@FILE` is what is in a file, `-` what comes from stdin; `form` allows only `json` or `text`. Raises:
        DocumentError; click.BadParameter, when there is no such file.
        """

    def say(self, text: str = "") -> None:
        """Write a line for people to stderr; control characters are written as escapes."""

    def print_table(self, headers: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str) -> None:
        """Print rows below their headers to stdout, or `empty` when there are none."""

    def print_json(self, value: Any) -> None:
        """Print one JSON document to stdout."""


def command_line(ctx: click.Context) -> CommandLine:
    """Return the command line that a command runs in; its click context is what `@click.pass_context` passes."""
    return cast(CommandLine, ctx.find_root().obj)

"""The `swarm` command and its subcommands, each in a module of its own."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import cast

import click

from swarm_core import __version__
from swarm_core.cli.context import Context, context_of
from swarm_core.cli.remote import check_server, takes_server
from swarm_core.errors import did_you_mean

# name -> (module, summary): the summary stands here so that the list of commands imports none of them.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "run": ("run", "Run a Blueprint and print its final ctx."),
    "resume": ("resume", "Go on with runs where they were stopped."),
    "rerun": ("rerun", "Begin a new run from a step of a recorded one."),
    "runs": ("runs", "List runs: where they stand and what to do next."),
    "show": ("show", "Show a run: its steps, questions, error, result."),
    "watch": ("watch", "Follow a run that another process carries out."),
    "questions": ("questions", "List the questions that wait for an answer."),
    "answer": ("answer", "Answer a question of a run."),
    "cancel": ("cancel", "End runs, whoever carries them out."),
    "migrate": ("migrate", "Bind a run to another Blueprint."),
    "export": ("export", "Write a run into a file."),
    "import": ("import_", "Take in a run that was exported."),
    "gc": ("gc", "Remove runs that ended long ago."),
    "doctor": ("doctor", "Tell how swarm and its store are."),
    "check": ("check", "Tell everything that is wrong with a Blueprint."),
    "lints": ("lints", "List the lints that check looks for, and their levels."),
    "explain": ("explain", "Show what a Blueprint resolves to: agents, layers, bound of dispatches."),
    "new": ("new", "Make a project that runs, or a plugin."),
    "layers": ("layers", "List layers and layer sets, or what a set comes to."),
    "bp": ("bp", "Keep Blueprints, with all their versions, and go back to any."),
    "plugins": ("plugins", "List plugins: what is active, what is refused and why."),
    "hooks": ("hooks", "List the hooks that a plugin may implement."),
    "schema": ("schema", "Print the JSON Schema of Blueprints."),
}

# those that can ask a server in place of a store: they have the option --server; plugins' commands may have it too
OVER_A_SERVER = ("run", "resume", "rerun", "runs", "show", "watch", "questions", "answer", "cancel", "check")


class SwarmGroup(click.Group):
    """Finds the core's commands by name, then those that plugins add."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the options before the command, and let it find the command line also while a word is completed."""
        rest = super().parse_args(ctx, args)
        if ctx.obj is None:
            ctx.obj = context_of(ctx)
        return rest

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *sorted(set(self._with_plugins(ctx).commands) - set(COMMANDS))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            return self._own(cmd_name)
        return self._with_plugins(ctx).commands.get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = click.utils.make_str(args[0])
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            hint = did_you_mean(name, self.list_commands(ctx), otherwise="commands")
            ctx.fail(f"no command {name!r}; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        added = {name: command.get_short_help_str(60) for name, command in self._with_plugins(ctx).commands.items()}
        rows = [(name, summary) for name, (_, summary) in COMMANDS.items()]
        rows += [(name, summary) for name, summary in sorted(added.items()) if name not in COMMANDS]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def require_takes_server(self, ctx: click.Context, name: str) -> None:
        """Refuse a command that would do its work here although a server stands before it; raises click.UsageError."""
        command = self.get_command(ctx, name)
        if command is None or takes_server(command):
            return
        added = sorted(each for each, found in self._with_plugins(ctx).commands.items() if takes_server(found))
        names = ", ".join([*OVER_A_SERVER, *added])
        raise click.UsageError(f"swarm {name} works here, not over a server; these work over one: {names}")

    def _own(self, name: str) -> click.Command:
        command: click.Command = import_module(f"swarm_core.cli.{COMMANDS[name][0]}").command
        return command

    def _with_plugins(self, ctx: click.Context) -> click.Group:
        """Return a group that holds the plugins' commands; what could not be added is told on stderr, once."""
        known: click.Group | None = ctx.meta.get("swarm.plugin_commands")
        if known is None:
            known = ctx.meta["swarm.plugin_commands"] = _plugin_commands(ctx)
        return known


def _plugin_commands(ctx: click.Context) -> click.Group:
    from swarm_core import builtin
    from swarm_core.cli.outcome import kept_stdout, warn
    from swarm_core.errors import SwarmError
    from swarm_core.host import Host
    from swarm_core.settings import Settings

    group = click.Group(commands={name: click.Command(name) for name in COMMANDS})
    try:
        settings = context_of(ctx).settings()
    except SwarmError:
        settings = Settings()  # whoever needs the settings tells what is wrong with them
    with kept_stdout():
        host = Host.load(None, settings, builtin=(builtin,), strict=False)
        errors = host.commands(group)
    for error in errors:
        warn(str(error))
    for name in COMMANDS:
        group.commands.pop(name, None)
    return group


@click.group(cls=SwarmGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="swarm")
@click.option(
    "--config",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Settings file; default: the nearest swarm.toml in this folder or above, or $SWARM_CONFIG.",
)
@click.option(
    "--server",
    metavar="URL",
    callback=check_server,
    help="Ask this server in place of a store, such as http://127.0.0.1:7777; default: [client] server, $SWARM_SERVER.",
)
@click.pass_context
def cli(ctx: click.Context, /, *, config: str | None, server: str | None) -> None:
    """Run Blueprints: flows as data, over workers of any kind.

    Start with `swarm new DIR`, then `swarm run DIR/blueprint.yaml`.
    """
    ctx.obj = Context(config=config, server=server)
    if server is not None and ctx.invoked_subcommand is not None:
        cast(SwarmGroup, ctx.command).require_takes_server(ctx, ctx.invoked_subcommand)

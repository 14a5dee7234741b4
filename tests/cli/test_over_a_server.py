"""`swarm --server URL COMMAND`: a command asks the server, or says that it works here; none is silently local."""

import click
import pytest
from click.testing import CliRunner

from swarm_core.cli.group import OVER_A_SERVER, cli

OF_PLUGINS = ("mcp", "operate")
SERVER = ("--server", "http://127.0.0.1:9")
GREETING = """
import click
from swarm_core.commands import command_line
from swarm_core.hookspecs import hookimpl

SWARM_API = 1


@hookimpl
def swarm_register_commands(cli):
    @click.command("greet")
    def greet():
        click.echo("hello")

    @click.command("greet-there")
    @click.option("--server")
    @click.pass_context
    def there(ctx, server):
        click.echo(f"hello {server or command_line(ctx).server}")

    @click.group("greetings")
    def greetings():
        pass

    cli.add_command(greet)
    cli.add_command(there)
    cli.add_command(greetings)
    greetings.add_command(there, "there")
    greetings.add_command(greet, "here")
"""


def commands():
    """Return every command of `swarm` with its words: the core's own, and those of the plugins that are installed."""

    def words(command, before):
        if not isinstance(command, click.Group):
            return [before]
        return [each for name, one in sorted(command.commands.items()) for each in words(one, (*before, name))]

    with click.Context(cli, info_name="swarm") as ctx:
        return [each for name in cli.list_commands(ctx) for each in words(cli.get_command(ctx, name), (name,))]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_a_command_has_the_option_or_is_refused_behind_it(command):
    """Were one let through that has not, it would show its help and end."""
    ended = CliRunner().invoke(cli, [*SERVER, *command, "--help"])

    if command[0] in (*OVER_A_SERVER, *OF_PLUGINS):
        assert 0 == ended.exit_code
        assert "--server" in ended.output
    else:
        assert 2 == ended.exit_code
        assert f"swarm {command[0]} works here, not over a server; these work over one: run, resume" in ended.output


def test_commands_of_other_plugins_are_told_from_each_other(swarm, write):
    """One that says nothing of a server knows none; a group is let through when all its commands know one."""
    write("site/dist_greet.py", GREETING)
    write("site/dist_greet-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: dist-greet\nVersion: 1.0\n")
    module = write("site/dist_greet-1.0.dist-info/entry_points.txt", "[swarm_core.plugins]\ngreet = dist_greet\n")
    env = {"PYTHONPATH": str(module.parents[1])}

    refused, mixed = swarm(*SERVER, "greet", env=env), swarm(*SERVER, "greetings", "there", env=env)
    taken = swarm(*SERVER, "greet-there", env=env)

    assert (2, 2) == (refused.code, mixed.code)
    assert "swarm greet works here, not over a server" in refused.err
    assert ", greet-there" in refused.err and "greetings" not in refused.err
    assert (0, "hello http://127.0.0.1:9\n") == (taken.code, taken.out)

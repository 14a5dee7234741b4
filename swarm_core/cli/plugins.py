"""`swarm plugins`: what is active, what is refused and why."""

from __future__ import annotations

import click

from swarm_core import builtin
from swarm_core.cli import inputs, outcome
from swarm_core.cli.plugin_doctor import doctor
from swarm_core.cli.tables import print_table
from swarm_core.host import Host


@click.group("plugins", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print one object: plugins, problems.")
@click.option("--hash", "with_hash", is_flag=True, help="Show a hash over each plugin's installed files too.")
@click.pass_context
def command(ctx: click.Context, *, as_json: bool, with_hash: bool) -> int:
    """List plugins: name, state, distribution, version, what they provide, and what is wrong with them.

    It comes up whatever is wrong with a plugin, except one that never returns: `swarm plugins doctor` names that one.
    Exit codes: 0 all are well, 3 at least one was refused or is missing.
    """
    if ctx.invoked_subcommand is not None:
        if as_json or with_hash:
            raise click.UsageError(f"put options behind {ctx.invoked_subcommand!r}: these are of the list of plugins")
        return outcome.OK
    with outcome.kept_stdout():
        host = Host.load(None, inputs.settings_of(ctx), builtin=(builtin,), strict=False)
    if as_json:
        facts = [status.as_json() for status in host.plugins]
        outcome.print_json({"plugins": facts, "problems": [problem.as_json() for problem in host.problems]})
    else:
        _print(host, with_hash=with_hash)
    return outcome.INVALID if host.errors else outcome.OK


command.add_command(doctor)


def _print(host: Host, *, with_hash: bool) -> None:
    rows = [
        (
            status.name,
            str(status.state),
            f"{status.distribution or ''} {status.version or ''}".strip(),
            ", ".join(status.provides),
            *(((status.fingerprint() or "")[:16],) if with_hash else ()),
        )
        for status in host.plugins
    ]
    head = ("plugin", "state", "distribution", "provides", *(("hash",) if with_hash else ()))
    print_table(head, rows, empty="none")
    for error in host.errors:
        outcome.say(f"error: {error}")
        if trace := getattr(error, "traceback", ""):
            outcome.say(trace)
    for problem in host.problems:
        outcome.say(f"{problem.severity}: {problem}")

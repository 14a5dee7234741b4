"""`swarm serve`: the long-running host."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

import click

from swarm_core.commands import CommandLine, command_line
from swarm_core.errors import SettingsError
from swarm_plugin_server.foreign import foreign_options
from swarm_plugin_server.settings import ServerSettings, parse_host, parse_port, read_settings

F = TypeVar("F", bound=Callable[..., Any])

_OK = 0
_FLAGS = (
    ("--host", "HOST", "Where to listen; default: 127.0.0.1, this machine only."),
    ("--port", "PORT", "The port; 0 for any that is free. Default: 7777."),
    ("--token-file", "FILE", "Where the server's token is kept, mode 0600; default: beside the store."),
    ("--max-runs", "N", "Runs that are carried out at one time; more are refused until one ends."),
    ("--max-connections", "N", "Open connections; beyond, the longest idle one is closed."),
    ("--max-body", "SIZE", "The largest JSON body, such as 2MiB."),
    ("--grace", "TIME", "How long what is under way may take to end at a stop, such as 5s."),
    ("--blueprint-ref-base", "DIR", "Where $file of a Blueprint in a request may read; default: nowhere."),
)


def _flags(command: F) -> F:
    for flag, metavar, text in reversed(_FLAGS):
        variable = f"SWARM_SERVE_{flag[2:].replace('-', '_').upper()}"
        command = click.option(flag, metavar=metavar, envvar=variable, help=text)(command)
    return command


def _bind(ctx: click.Context, parameter: click.Parameter, text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    host, colon, port = text.rpartition(":")
    try:
        return (parse_host(host), parse_port(port)) if colon else (parse_host(text), 7777)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command("serve")
@_flags
@click.option("--bind", metavar="HOST:PORT", callback=_bind, help="--host and --port in one.")
@click.option("--allow-host", "allow_hosts", metavar="NAME", multiple=True, help="A further name that it answers to.")
@click.option("--allow-origin", "allow_origins", metavar="ORIGIN", multiple=True, help="A web origin that may call it.")
@click.option(
    "--no-auth", is_flag=True, help="Ask for no token; only on loopback: every user of this machine is let in."
)
@click.option("--no-resume", is_flag=True, help="Leave the runs alone that an earlier life left.")
@click.option("--store", metavar="URL", help="Where runs are kept; default: as for `swarm runs`.")
@click.option("--blueprints", metavar="URL", help="Where Blueprints are kept; default: as for `swarm bp`.")
@click.option("--json", "as_json", is_flag=True, help="Print one line once it listens: url, token_file, store, pid.")
@foreign_options
@click.pass_context
def command(ctx: click.Context, /, *, as_json: bool, store: str | None, **options: Any) -> int:
    """Serve the project's runs over HTTP, and carry them out, until it is told to stop.

    It answers this machine only, and whoever has its token: `Authorization: Bearer` and what stands in the token file.
    Runs that an earlier life left go on. SIGTERM or Ctrl-C stops it so that nothing is lost, a second one at once.
    Exit codes: 0 stopped, 2 usage, 3 settings that cannot be, 6 the store cannot be used.
    """
    line = command_line(ctx)
    settings = read_settings(line.settings(), _flagged(options))
    _check_reach(settings)
    blueprints = options["blueprints"] or options["git_store_path"]
    opening = {} if blueprints is None else {"blueprints": blueprints}
    return _to_the_end(_serve(line, settings, store, opening, as_json=as_json))


def _to_the_end(work: Coroutine[Any, Any, int]) -> int:
    """Run the work and return its exit code; threads that will not end, end with this process."""
    runner = asyncio.Runner()
    try:
        code = runner.run(work)
    except BaseException:
        runner.close()
        raise
    if asyncio.all_tasks(runner.get_loop()) or threading.active_count() > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    runner.close()
    return code


def _flagged(options: Mapping[str, Any]) -> dict[str, Any]:
    flags = {flag[2:].replace("-", "_") for flag, _, _ in _FLAGS}
    given = {name: value for name, value in options.items() if name in flags}
    for name in ("max_runs", "max_connections"):
        if isinstance(given[name], str) and given[name].isdigit():
            given[name] = int(given[name])
    if options["bind"] is not None:
        if given["host"] is not None or given["port"] is not None:
            raise click.UsageError("--bind says both: leave --host and --port out")
        given["host"], given["port"] = options["bind"]
    given["allow_hosts"] = options["allow_hosts"] or None
    given["allow_origins"] = options["allow_origins"] or None
    given["auth"] = False if options["no_auth"] else None
    given["resume"] = False if options["no_resume"] else None
    return given


def _check_reach(settings: ServerSettings) -> None:
    """Refuse a server without a token that others than this machine can reach."""
    from swarm_plugin_server.names import is_loopback

    if not settings.auth and not is_loopback(settings.host):
        hint = "leave --no-auth out, or listen at 127.0.0.1"
        raise SettingsError(
            f"without a token, nothing but this machine may reach the server, not {settings.host}", hint=hint
        )


async def _serve(
    line: CommandLine, settings: ServerSettings, store: str | None, opening: Mapping[str, Any], *, as_json: bool
) -> int:
    from swarm_plugin_server.access import ServerToken
    from swarm_plugin_server.app import build_app
    from swarm_plugin_server.descriptors import fitted
    from swarm_plugin_server.life import stop_on_signal, taking_up, wind_up
    from swarm_plugin_server.listening import bind, listening_at, url_of
    from swarm_plugin_server.place import announced, token_file
    from swarm_plugin_server.state import Serving

    out, wanted = sys.stdout, settings.max_connections
    settings = fitted(settings)
    if settings.max_connections < wanted:
        line.say(f"the system allows {settings.max_connections} connections, not {wanted}: see ulimit -n")
    with bind(settings) as sock:
        async with line.open_swarm(store=store, **opening) as swarm:
            token = ServerToken.at(token_file(settings, swarm)) if settings.auth else None
            serving = Serving(settings=settings, base_url=url_of(sock, settings), token=token)
            app = build_app(swarm, serving)
            async with stop_on_signal(serving) as signal_name, listening_at(sock, app, settings):
                facts = facts_of(swarm, serving)
                with announced(facts, swarm):
                    async with taking_up(swarm, serving):
                        serving.ready.set()
                        _tell(line, facts, out if as_json else None)
                        await serving.stopping.wait()
                    line.say(f"stopping ({signal_name()}); once more stops at once")
                    await wind_up(swarm, serving, f"the server was stopped ({signal_name()})")
    line.say("stopped; runs that were under way go on at the next start")
    return _OK


def facts_of(swarm: Any, serving: Any) -> dict[str, Any]:
    """Return what a client has to know of a server that listens."""
    url: str = serving.base_url
    return {
        "url": url,
        "auth": serving.token is not None,
        "token_file": None if serving.token is None else str(serving.token.file),
        "store": None if swarm.store is None else swarm.store.url,
        "durability": "none" if swarm.store is None else str(swarm.store.durability),
        "pid": os.getpid(),
    }


def _tell(line: CommandLine, facts: Mapping[str, Any], out: Any) -> None:
    if out is not None:
        print(json.dumps(facts, ensure_ascii=False), file=out, flush=True)
    line.say(f"swarm listens at {facts['url']}")
    line.say(f"  token  {facts['token_file'] or 'none is asked for: every user of this machine is let in'}")
    line.say(f"  store  {facts['store']} (durability: {facts['durability']})")
    line.say(f"  docs   {facts['url']}/v1/docs")

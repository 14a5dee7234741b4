"""The `subprocess` kind: agents that are programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from swarm_core.contracts import Process, Processes, Spawner
from swarm_core.errors import SpawnFailed
from swarm_core.factories import Environment, SpawnerFactory
from swarm_core.model.blueprint import AgentDef, AgentHint
from swarm_core.model.call import Call, Result
from swarm_core.serving import ServerAddress
from swarm_plugin_subprocess.command import Command, OwnProgram, command_of
from swarm_plugin_subprocess.conversation import Ending, converse
from swarm_plugin_subprocess.homes import Homes
from swarm_plugin_subprocess.listeners import EventStream, Reader, facts_of
from swarm_plugin_subprocess.settings import SubprocessSettings, read_settings
from swarm_plugin_subprocess.spec import SubprocessSpec, faults_of, working_directory
from swarm_plugin_subprocess.surroundings import environment_of, passed_on
from swarm_plugin_subprocess.templates import Template, find_template, read_template

GRACE = 1.0  # seconds between SIGTERM and SIGKILL when an attempt is cancelled or timed out


@frozen(kw_only=True)
class SubprocessSpawner(Spawner):
    """Runs one program per attempt, without a shell, in a home of its own, and ends it with the attempt.

    Where a server serves the swarm, the program may fetch its work there and post its result: what it posted counts
    before what it printed.
    """

    agent: AgentDef
    command: Command
    cwd: str | None
    processes: Processes
    homes: Homes
    passed: Mapping[str, str]
    limits: Mapping[str, int]
    max_stdout: int
    services: Mapping[type, Any] = field(factory=dict)

    async def run(self, call: Call) -> Result | None:
        """Start the program, tell it the input and return what it answers.

        Raises: SpawnFailed; WorkerFailed of kind `output_too_large`, `line_too_long`, `output_not_json` or
        `output_pointer`.
        """
        reader = self.command.reader(call)
        server: ServerAddress | None = self.services.get(ServerAddress)
        if server is not None:
            system = self.agent.profile.system_prompt if self.agent.profile else None
            call.context.bake(call, system=system or None, verdict=self.agent.verdict)
        async with self.homes.home() as home:
            prepared = self.command.prepare(call, home)
            env = environment_of(call, self.passed, prepared.env, home, url=server.url if server else None)
            try:
                process = await self.processes.start(prepared.argv, env=env, cwd=self.cwd, limits=self.limits)
            except SpawnFailed as error:
                raise self.command.explain(error) from None
            ending = await self._talk(process, prepared.stdin.encode("utf-8", "replace"), reader)
        if ending.code != 0:
            call.context.publish("subprocess_failed", **facts_of(ending, stderr=True))
        return _result(call, reader, ending)

    async def _talk(self, process: Process, stdin: bytes, reader: Reader) -> Ending:
        try:
            return await converse(process, stdin, reader, max_stdout=self.max_stdout)
        except BaseException:
            await process.kill(grace=GRACE)
            raise


def _result(call: Call, reader: Reader, ending: Ending) -> Result | None:
    """Return what the program posted, where it did so and printed no final; a program that failed is no success."""
    posted = call.context.latest
    if posted is None or (isinstance(reader, EventStream) and reader.has_final):
        return reader.result(ending)
    return None if ending.code == 0 else Result(posted.value, False, facts_of(ending, stderr=True))


def build_subprocess(agent: AgentDef, spec: SubprocessSpec, hint: AgentHint, environment: Environment) -> Spawner:
    """Build the spawner of an agent; raises ValueError with everything that is wrong with its spec."""
    settings = read_settings(environment.settings)
    faults = list(faults_of(spec))
    template, cwd = None, None
    try:
        template = _template(spec, settings, environment)
    except ValueError as error:
        faults.append(str(error))
    named = spec.cwd if spec.cwd is not None or template is None else template.definition.work_dir
    try:
        cwd = working_directory(named, environment.directory, anywhere=settings.any_cwd)
    except ValueError as error:
        faults.append(str(error))
    if faults:
        raise ValueError("; ".join(faults))
    return SubprocessSpawner(
        agent=agent,
        command=_command(agent, spec, template, cwd),
        cwd=cwd,
        processes=environment.processes,
        homes=environment.services.setdefault(Homes, Homes()),
        passed=passed_on(settings.pass_env),
        limits=settings.limits,
        max_stdout=settings.max_stdout,
        services=environment.services,
    )


SUBPROCESS_KIND = SpawnerFactory(
    kind="subprocess",
    build=build_subprocess,
    spec=SubprocessSpec,
    summary="a program, told its input by stdin or as its last argument, or a template for the command line of an AI",
)


def _template(spec: SubprocessSpec, settings: SubprocessSettings, environment: Environment) -> Template | None:
    if spec.template is None:
        return None
    return read_template(find_template(spec.template, environment.blueprint, settings.templates))


def _command(agent: AgentDef, spec: SubprocessSpec, template: Template | None, cwd: str | None) -> Command:
    if template is None:
        return OwnProgram(spec)
    return command_of(template, agent.profile, spec.env, str(Path(cwd or ".").absolute()))

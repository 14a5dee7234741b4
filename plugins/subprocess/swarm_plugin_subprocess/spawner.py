"""The `subprocess` kind: agents that are programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from swarm_core.contracts import Process, Processes, Spawner
from swarm_core.errors import SpawnFailed
from swarm_core.factories import Environment, SpawnerFactory
from swarm_core.model.blueprint import AgentDef, AgentHint
from swarm_core.model.call import Call, Result
from swarm_plugin_subprocess.conversation import Ending, converse
from swarm_plugin_subprocess.listeners import EventStream, Reader, WholeOutput, facts_of
from swarm_plugin_subprocess.settings import read_settings
from swarm_plugin_subprocess.spec import SubprocessSpec, faults_of, working_directory
from swarm_plugin_subprocess.surroundings import environment_of, passed_on, private_home

GRACE = 1.0  # seconds between SIGTERM and SIGKILL when an attempt is cancelled or timed out
END_OF_OPTIONS = "--"


@frozen(kw_only=True)
class SubprocessSpawner(Spawner):
    """Runs one program per attempt, without a shell, in a home of its own, and ends it with the attempt."""

    spec: SubprocessSpec
    cwd: str | None
    processes: Processes
    passed: Mapping[str, str]
    limits: Mapping[str, int]
    max_stdout: int

    async def run(self, call: Call) -> Result | None:
        """Start the program, tell it the input and return what it answers.

        Raises: SpawnFailed; WorkerFailed of kind `output_too_large`, `line_too_long` or `output_not_json`.
        """
        reader: Reader = (
            WholeOutput(self.spec.output) if self.spec.stream_mode is None else EventStream(self.spec.stream_mode, call)
        )
        async with private_home() as home:
            env = environment_of(call, self.passed, self.spec.env, home)
            process = await self.processes.start(self._argv(call), env=env, cwd=self.cwd, limits=self.limits)
            ending = await self._talk(process, call, reader)
        if ending.code != 0:
            call.context.publish("subprocess_failed", **facts_of(ending, stderr=True))
        return reader.result(ending)

    async def _talk(self, process: Process, call: Call, reader: Reader) -> Ending:
        prompt = call.directive.encode("utf-8", "replace") if self.spec.use_stdin else b""
        try:
            return await converse(process, prompt, reader, max_stdout=self.max_stdout)
        except BaseException:
            await process.kill(grace=GRACE)
            raise

    def _argv(self, call: Call) -> list[str]:
        argv = [self.spec.program, *self.spec.args]
        if self.spec.use_stdin:
            return argv
        return [*argv, prompt_argument(call.directive, self.spec.args)]


def prompt_argument(prompt: str, args: Sequence[str]) -> str:
    """Return the prompt as a last argument that the program cannot take for an option.

    Raises: SpawnFailed, when it begins with `-` and the arguments before it do not end with `--`.
    """
    if prompt.startswith("-") and (not args or args[-1] != END_OF_OPTIONS):
        raise SpawnFailed(
            f"the prompt begins with '-', so the program could take it for an option: {prompt[:40]!r}",
            hint="end 'args' with \"--\" if the program knows it, or give the prompt by stdin (use_stdin: true)",
        )
    return prompt.encode("utf-8", "replace").decode("utf-8")


def build_subprocess(agent: AgentDef, spec: SubprocessSpec, hint: AgentHint, environment: Environment) -> Spawner:
    """Build the spawner of an agent; raises ValueError with everything that is wrong with its spec."""
    settings = read_settings(environment.settings)
    faults = list(faults_of(spec))
    cwd = None
    try:
        cwd = working_directory(spec.cwd, environment.directory, anywhere=settings.any_cwd)
    except ValueError as error:
        faults.append(str(error))
    if faults:
        raise ValueError("; ".join(faults))
    return SubprocessSpawner(
        spec=spec,
        cwd=cwd,
        processes=environment.processes,
        passed=passed_on(settings.pass_env),
        limits=settings.limits,
        max_stdout=settings.max_stdout,
    )


SUBPROCESS_KIND = SpawnerFactory(
    kind="subprocess",
    build=build_subprocess,
    spec=SubprocessSpec,
    summary="a program, told its input by stdin or as its last argument",
)

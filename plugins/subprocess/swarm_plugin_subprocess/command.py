"""What an agent runs for an attempt: its own program, or a template that is filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from attrs import field, frozen

from swarm_core.errors import SpawnFailed
from swarm_core.model.blueprint import AgentProfile
from swarm_core.model.call import Call
from swarm_plugin_subprocess.answers import Answer
from swarm_plugin_subprocess.listeners import EventStream, Reader, WholeOutput
from swarm_plugin_subprocess.placeholders import Filled
from swarm_plugin_subprocess.spec import SubprocessSpec
from swarm_plugin_subprocess.templates import Template

END_OF_OPTIONS = "--"
SYSTEM_FILE = "system.md"


@frozen(kw_only=True)
class Prepared:
    """One attempt's arguments, what it reads on stdin, and its own variables."""

    argv: Sequence[str]
    stdin: str
    env: Mapping[str, str]


class Command(Protocol):
    """What an agent runs."""

    def prepare(self, call: Call, home: str) -> Prepared:
        """Return what is needed to start it for an attempt; raises SpawnFailed."""

    def reader(self, call: Call) -> Reader:
        """Return who reads what it prints."""

    def explain(self, error: SpawnFailed) -> SpawnFailed:
        """Return the error that it could not be started, with what is known about how to help."""


@frozen
class OwnProgram:
    """The program that an agent's spec names, with its arguments."""

    spec: SubprocessSpec

    def prepare(self, call: Call, home: str) -> Prepared:
        """Give the input by stdin, or as the last argument; raises SpawnFailed."""
        assert self.spec.program is not None
        argv = [self.spec.program, *self.spec.args]
        if self.spec.use_stdin:
            return Prepared(argv=argv, stdin=call.directive, env=self.spec.env)
        return Prepared(argv=[*argv, prompt_argument(call.directive, self.spec.args)], stdin="", env=self.spec.env)

    def reader(self, call: Call) -> Reader:
        """Read one value at the end, or events as they come."""
        mode = self.spec.stream_mode
        return WholeOutput(self.spec.output) if mode is None else EventStream(mode, call)

    def explain(self, error: SpawnFailed) -> SpawnFailed:
        """Return the error as it is."""
        return error


@frozen(kw_only=True)
class TemplateCommand:
    """A template, filled in with what the agent is and what the attempt is about.

    `env` are the agent's own variables, which win over the template's.
    """

    template: Template
    work_dir: str
    system: str | None
    model: str | None
    tools: tuple[str, ...]
    env: Mapping[str, str] = field(factory=dict)

    def prepare(self, call: Call, home: str) -> Prepared:
        """Fill the template in; the file with the system prompt is made in the attempt's home. Raises: SpawnFailed."""
        values = {**self.known(home), "prompt": _printable(call.directive)}
        values |= {"task_id": call.task_id, "attempt": str(call.attempt)}
        if self.system is not None and "system_file" in self.template.names:
            Path(home, SYSTEM_FILE).write_text(self.system, encoding="utf-8", errors="replace")
        stdin, env = self.template.stdin, {name: text.fill(values) for name, text in self.template.env.items()}
        try:
            arguments = arguments_of(self.template, values)
        except ValueError as error:
            raise SpawnFailed(str(error)) from None
        return Prepared(
            argv=[self.template.program, *arguments],
            stdin=call.directive if stdin is None else stdin.fill_what_is_there(values),
            env={**{name: value for name, value in env.items() if value is not None}, **self.env},
        )

    def known(self, home: str = "/home") -> dict[str, str | None]:
        """Return the values that are the same for all attempts."""
        return {
            "system": None if self.system is None else _printable(self.system),
            "system_file": None if self.system is None else str(Path(home, SYSTEM_FILE)),
            "model": self.model,
            "tools_csv": ",".join(self.tools) if self.tools else None,
            "work_dir": self.work_dir,
        }

    def check(self) -> None:
        """Look for what would fail every attempt; raises ValueError."""
        arguments_of(self.template, {"prompt": "", "task_id": "", "attempt": "", **self.known()})

    def reader(self, call: Call) -> Reader:
        """Read the output as the template says."""
        return Answer(self.template.definition.output)

    def explain(self, error: SpawnFailed) -> SpawnFailed:
        """Say of a missing program how it is got, where that is known."""
        if error.errno_name != "ENOENT" or self.template.install is None:
            return error
        hint = f"get it with: {self.template.install}; or put its folder into PATH"
        return SpawnFailed(error.message, hint=hint, errno_name=error.errno_name)


def command_of(template: Template, profile: AgentProfile | None, env: Mapping[str, str], work_dir: str) -> Command:
    """Return the template for one agent.

    Raises: ValueError, when what its profile says has no place in the template, or cannot be an argument.
    """
    told = profile or AgentProfile()
    command = TemplateCommand(
        template=template,
        work_dir=work_dir,
        system=told.system_prompt or None,
        model=told.model or None,
        tools=told.tools,
        env=env,
    )
    _refuse_unheard(command)
    command.check()
    return command


def arguments_of(template: Template, values: Mapping[str, str | None]) -> list[str]:
    """Return the arguments after the program; one that needs what the agent has not got is left out as a whole.

    Raises: ValueError, when a value would be taken for an option, or its option would be left without it.
    """
    arguments: list[str] = []
    for at, text in enumerate(template.command, 1):
        filled = text.fill(values)
        if filled is not None:
            _refuse_option(template, at, text, filled, arguments)
            arguments.append(filled)
        elif text.bare:
            raise ValueError(
                f"{_argument(template, at)} is {{{text.bare}}} alone, and the agent has none; "
                f"write --option={{{text.bare}}}, which is left out as a whole, or give the agent one"
            )
    return arguments


def prompt_argument(prompt: str, args: Sequence[str]) -> str:
    """Return the prompt as a last argument that the program cannot take for an option.

    Raises: SpawnFailed, when it begins with `-` and the arguments before it do not end with `--`.
    """
    if prompt.startswith("-") and (not args or args[-1] != END_OF_OPTIONS):
        raise SpawnFailed(
            f"the prompt begins with '-', so the program could take it for an option: {prompt[:40]!r}",
            hint="end 'args' with \"--\" if the program knows it, or give the prompt by stdin (use_stdin: true)",
        )
    return _printable(prompt)


def _refuse_option(template: Template, at: int, text: Filled, filled: str, before: Sequence[str]) -> None:
    if text.names and not text.prefix and filled.startswith("-") and END_OF_OPTIONS not in before:
        raise ValueError(
            f"{_argument(template, at)} begins with '-', so the program could take it for an option: {filled[:40]!r}; "
            'write --option={...}, or put "--" before it if the program knows that, or give it by stdin'
        )


def _refuse_unheard(command: TemplateCommand) -> None:
    """Refuse an agent whose profile says something that the template tells nobody: it would run without a word."""
    names, lacking = command.template.names, []
    if command.system is not None and not names & {"system", "system_file"}:
        lacking.append("system_prompt, and the template has neither {system} nor {system_file}")
    if command.model is not None and "model" not in names:
        lacking.append("model, and the template has no {model}")
    if command.tools and "tools_csv" not in names:
        lacking.append("tools, and the template has no {tools_csv}: nothing would limit it to them")
    if lacking:
        name = command.template.definition.name
        raise ValueError(
            f"the profile has {'; '.join(lacking)}; take it out, or write a template of your own after {name!r}"
        )


def _argument(template: Template, at: int) -> str:
    return f"argument {at} of template {template.definition.name!r}"


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")

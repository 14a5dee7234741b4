"""Templates: commands with placeholders that agents name; where they come from, and what can be wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from attrs import field, frozen

from swarm_core.errors import did_you_mean
from swarm_core.model.blueprint import Blueprint, SubprocessDef, SubprocessOutput
from swarm_core.model.path import place as place_of
from swarm_core.model.problem import Problem
from swarm_plugin_subprocess.placeholders import Filled, read_text
from swarm_plugin_subprocess.ready import READY
from swarm_plugin_subprocess.spec import env_faults

CODE = "invalid_template"


@frozen(kw_only=True)
class TemplateSection:
    """A template as `[plugin.subprocess.templates.<name>]` says it; the fields are those of a Blueprint's template."""

    command: tuple[str, ...]
    stdin: str | None = None
    output: SubprocessOutput = field(factory=SubprocessOutput)
    env: Mapping[str, str] = field(factory=dict)
    work_dir: str | None = None
    description: str | None = None

    def named(self, name: str) -> SubprocessDef:
        """Return it as a template of a name."""
        return SubprocessDef(
            name=name,
            command=self.command,
            stdin=self.stdin,
            output=self.output,
            env=self.env,
            work_dir=self.work_dir,
            description=self.description,
        )


@frozen(kw_only=True)
class Template:
    """A template that was read.

    `command` are the arguments after the program. `install` says how the program is got, where that is known.
    """

    definition: SubprocessDef
    program: str
    command: tuple[Filled, ...]
    stdin: Filled | None
    env: Mapping[str, Filled]
    install: str | None = None

    @property
    def names(self) -> frozenset[str]:
        """Return all placeholders that it uses."""
        texts = (*self.command, *self.env.values(), *([self.stdin] if self.stdin else []))
        return frozenset[str]().union(*(text.names for text in texts))


def find_template(name: str, blueprint: Blueprint, own: Mapping[str, SubprocessDef]) -> SubprocessDef:
    """Return the template of a name: the Blueprint's, else that of the settings (`own`), else the ready one.

    Raises: ValueError, with the nearest name.
    """
    ready = {key: template.definition for key, template in READY.items()}
    known = {**ready, **own, **{each.name: each for each in reversed(blueprint.subprocesses)}}
    if name not in known:
        raise ValueError(f"no template is named {name!r}; {did_you_mean(name, known, otherwise='templates')}")
    return known[name]


def read_template(definition: SubprocessDef) -> Template:
    """Read the placeholders of a template.

    Raises: ValueError, with the first thing that is wrong.
    """
    for problem in template_problems(definition, "$"):
        raise ValueError(f"template {definition.name!r}, {problem.path.removeprefix('$.')}: {problem.message}")
    ready = READY.get(definition.name)
    known = ready is not None and ready.definition.command[0] == definition.command[0]
    return Template(
        definition=definition,
        program=definition.command[0],
        command=tuple(map(read_text, definition.command[1:])),
        stdin=None if definition.stdin is None else read_text(definition.stdin),
        env={name: read_text(value) for name, value in definition.env.items()},
        install=ready.install if ready is not None and known else None,
    )


def blueprint_problems(blueprint: Blueprint) -> Iterator[Problem]:
    """Yield what is wrong with the templates of a Blueprint, whether an agent uses them or not."""
    first: dict[str, int] = {}
    for at, definition in enumerate(blueprint.subprocesses):
        place = f"$.subprocesses[{at}]"
        if first.setdefault(definition.name, at) != at:
            yield Problem(
                code="duplicate_template",
                message=f"two templates are named {definition.name!r}",
                path=f"{place}.name",
                hint=f"the first one is $.subprocesses[{first[definition.name]}]; rename or remove one",
            )
        yield from template_problems(definition, place)


def template_problems(definition: SubprocessDef, place: str) -> Iterator[Problem]:
    """Yield what is wrong with one template; `place` is its own."""
    problem = partial(Problem, code=CODE)
    if not definition.command or not definition.command[0]:
        yield problem(message="a command begins with its program", path=f"{place}.command")
    for at, text in enumerate(definition.command):
        for message in _argument_faults(at, text):
            yield problem(message=message, path=f"{place}.command[{at}]")
    for name, value in definition.env.items():
        for message in (*env_faults(name, value), *_faults(value)):
            yield problem(message=message, path=place_of(f"{place}.env", name))
    for message in _faults(definition.stdin or ""):
        yield problem(message=message, path=f"{place}.stdin")
    if "{" in (definition.work_dir or ""):
        yield problem(message="the working directory takes no placeholders", path=f"{place}.work_dir")
    output = definition.output
    if output.format == "text" and (output.result_ptr is not None or output.ok_from is not None):
        message = "result_ptr and ok_from look into JSON, and the format is 'text'"
        yield problem(message=message, path=f"{place}.output.format", hint="say json or ndjson, or leave them out")


def _argument_faults(at: int, text: str) -> Iterator[str]:
    faults = list(_faults(text))
    yield from faults
    if faults:
        return
    found = read_text(text)
    if at == 0 and found.names:
        yield "the program itself takes no placeholders: what runs is the template's own decision"
    elif found.names and found.prefix in ("-", "--"):
        yield f"the value would choose the option in {text!r}; write the option out, such as --option={{prompt}}"


def _faults(text: str) -> Iterator[str]:
    try:
        read_text(text)
    except ValueError as error:
        yield str(error)

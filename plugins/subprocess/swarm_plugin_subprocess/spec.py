"""What a Blueprint says about an agent of kind `subprocess`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from attrs import field, frozen

StreamMode = Literal["ndjson_lines", "sse_events", "length_prefixed"]
Output = Literal["auto", "json", "text"]

RESERVED = ("SWARM_", "MSE_")


@frozen(kw_only=True)
class SubprocessSpec:
    """Which program the agent is, how it is told its input, and how its output is read; or the template that says so.

    `shell` is only here to be refused with a reason.
    """

    program: str | None = None
    template: str | None = None
    args: tuple[str, ...] = ()
    use_stdin: bool = True
    stream_mode: StreamMode | None = None
    output: Output = "auto"
    cwd: str | None = None
    env: Mapping[str, str] = field(factory=dict)
    shell: Any = None


def faults_of(spec: SubprocessSpec) -> Iterator[str]:
    """Yield what is wrong with a spec that its types cannot tell."""
    yield from _program_faults(spec)
    if spec.shell not in (None, False):
        yield (
            "'shell' is not supported: a program gets its arguments as they are, and no text is ever interpreted; "
            "if you need a shell, say so: program 'sh', args ['-c', 'your fixed script']"
        )
    if spec.stream_mode is not None and spec.output != "auto":
        yield f"'output' is {spec.output!r}, but with 'stream_mode' the records say what the output is; leave it out"
    for what, text in (
        ("program", spec.program or ""),
        *(("args", each) for each in spec.args),
        ("cwd", spec.cwd or ""),
    ):
        if "\0" in text:
            yield f"'{what}' holds a NUL character: {text[:80]!r}"
    for name, value in spec.env.items():
        yield from env_faults(name, value)


def _program_faults(spec: SubprocessSpec) -> Iterator[str]:
    if spec.template is None:
        if not spec.program:
            yield "'program' is empty" if spec.program == "" else "'program' is missing; give it, or a 'template'"
        return
    if spec.program is not None:
        yield "'program' and 'template' exclude each other; give one of them"
    defaults = SubprocessSpec()
    for name in ("args", "use_stdin", "stream_mode", "output"):
        if getattr(spec, name) != getattr(defaults, name):
            yield f"{name!r} goes with 'program'; with 'template' the template says it"


def env_faults(name: str, value: str) -> Iterator[str]:
    """Yield what is wrong with a variable that a program shall get."""
    if not name or "=" in name or "\0" in name + value:
        yield f"{name[:80]!r} in 'env' is no environment variable"
    elif name.startswith(RESERVED):
        yield f"{name!r} in 'env': names that begin with {' or '.join(RESERVED)} are the engine's own"


def working_directory(cwd: str | None, base: Path | None, *, anywhere: bool) -> str | None:
    """Return the folder that a program runs in: the Blueprint's own, or one below it.

    None means the engine's, for a Blueprint that came as data. This keeps Blueprints portable; it is no wall around the
    program, which may go wherever its user may. Raises: ValueError.
    """
    if cwd is None:
        return None if base is None else str(base)
    top = os.path.abspath(base or ".")  # noqa: PTH100 - pathlib does not normalise
    folder = os.path.normpath(Path(top, cwd))
    if not anywhere and not Path(folder).is_relative_to(top):
        raise ValueError(
            f"'cwd' is {cwd!r}, which leaves the Blueprint's folder; name a folder below it, "
            "or set any_cwd = true in [plugin.subprocess]"
        )
    return folder

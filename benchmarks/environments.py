"""One virtual environment per peer under .venvs/, made when it is missing or its requirements have changed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
VENVS = ROOT / ".venvs"
UV = Path(sys.executable).with_name("uv")


def python_of(peer: str) -> Path:
    return VENVS / peer / "bin" / "python"


def prepare(peer: str, requires: Sequence[str]) -> None:
    """Make the peer's environment; raises CalledProcessError when its packages cannot be installed."""
    stamp = VENVS / peer / "requires.txt"
    wanted = "\n".join([sys.version, *requires, *map(project_text, requires)])
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"setting up {peer}", file=sys.stderr)
    arguments = [part for require in requires for part in (("-e", require) if is_local(require) else (require,))]
    if UV.exists() and installed_with_uv(peer, arguments):
        stamp.write_text(wanted)
        return
    run(sys.executable, "-m", "venv", "--clear", str(VENVS / peer))
    if arguments:
        run(str(python_of(peer)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments)
    stamp.write_text(wanted)


def is_local(require: str) -> bool:
    return require.startswith(".")


def project_text(require: str) -> str:
    """Return what decides about an editable project's dependencies, so that a change of it counts."""
    return (ROOT / require / "pyproject.toml").read_text() if is_local(require) else ""


def installed_with_uv(peer: str, arguments: Sequence[str]) -> bool:
    try:
        run(str(UV), "venv", "--quiet", "--clear", "--python", sys.executable, str(VENVS / peer))
        if arguments:
            run(str(UV), "pip", "install", "--quiet", "--python", str(python_of(peer)), *arguments)
    except subprocess.CalledProcessError:
        return False
    return True


def run(*command: str) -> None:
    subprocess.run(command, cwd=ROOT, env=os.environ | {"UV_SYSTEM_CERTS": "1"}, check=True)


def versions(peer: str, requires: Sequence[str]) -> dict[str, str]:
    """Return the installed versions of what the peer requires, by distribution."""
    names = ["swarm-core" if is_local(require) else require.partition("=")[0].partition("[")[0] for require in requires]
    code = "import importlib.metadata as m, sys; print(*map(m.version, sys.argv[1:]))"
    done = subprocess.run([python_of(peer), "-c", code, *names], capture_output=True, text=True, check=True)
    return dict(zip(names, done.stdout.split(), strict=True))

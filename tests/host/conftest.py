"""Plugins for the host: objects made in a line, and real distributions.

A distribution is a wheel built by hand, installed by pip, and loaded by a Python of its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from swarm_core.errors import PluginError
from swarm_core.hookspecs import hookimpl
from swarm_core.host import Host, PluginState
from swarm_core.settings import Settings

REPORT = """
import json, os, sys
from swarm_core.host import Host
from swarm_core.settings import PluginSettings, Settings

class memory:
    SWARM_API = 1

asked = json.loads(sys.argv[1])
settings = Settings(plugins=PluginSettings(**asked["plugins"]))
try:
    host = Host.load(None, settings, builtin=[memory], strict=asked["strict"])
except ExceptionGroup as group:
    print(json.dumps({"raised": [error.as_json() for error in group.exceptions], "message": group.message}))
    sys.exit()
print(json.dumps({
    "plugins": [
        {
            "name": status.name, "state": str(status.state), "distribution": status.distribution,
            "version": status.version, "module": status.module, "hooks": status.hooks, "provides": status.provides,
            "code": status.error and status.error.code, "error": status.error and str(status.error),
            "traceback": getattr(status.error, "traceback", None), "fingerprint": status.fingerprint(),
        }
        for status in host.plugins
    ],
    "kinds": sorted(host.catalog.spawners),
    "provider": [[*key, value] for key, value in host.catalog.provider.items()],
    "problems": [problem.as_json() for problem in host.problems],
    "unavailable": str(host.unavailable(*asked["wanted"])),
}))
"""


@frozen(kw_only=True)
class Wheel:
    """A distribution to be: one module, and the entry points that name it."""

    name: str
    version: str
    plugin: str
    source: str

    @property
    def module(self) -> str:
        return self.name.replace("-", "_")

    def write(self, folder: Path) -> Path:
        """Write a wheel as the binary distribution format describes it."""
        info = f"{self.module}-{self.version}.dist-info"
        files = {
            f"{self.module}.py": textwrap.dedent(self.source),
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {self.name}\nVersion: {self.version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/entry_points.txt": f"[swarm_core.plugins]\n{self.plugin} = {self.module}\n",
        }
        record = "".join(f"{name},sha256={digest(text)},{len(text.encode())}\n" for name, text in files.items())
        path = folder / f"{self.module}-{self.version}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
                archive.writestr(name, text)
        return path


def digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def pip_install(wheels: Sequence[Wheel], folder: Path) -> Path:
    """Install wheels into `folder/site`, without an index and without dependencies."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    target = folder / "site"
    built = [str(wheel.write(folder)) for wheel in wheels]
    subprocess.run([*command, "--no-deps", "--no-index", "--target", str(target), *built], check=True, timeout=100)
    return target


@pytest.fixture(scope="session")
def install(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that installs wheels into a folder of their own and returns it."""
    return lambda *wheels: pip_install(wheels, tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="session")
def wheel() -> type[Wheel]:
    return Wheel


@pytest.fixture
def report(tmp_path: Path) -> Callable[..., Any]:
    """Return a function that loads a host in a fresh Python, with folders on its path, and returns what it saw."""

    def load(
        *sites: Path,
        strict: bool = False,
        wanted: Sequence[str] = ("spawner", "nothing"),
        env: Mapping[str, str] | None = None,
        **plugins: Any,
    ) -> Any:
        asked = json.dumps({"plugins": plugins, "strict": strict, "wanted": wanted})
        path = os.pathsep.join(str(site) for site in sites)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SWARM_")}
        done = subprocess.run(
            [sys.executable, "-c", REPORT, asked],
            env={**clean, "PYTHONPATH": path, **(env or {})},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            text=True,
            timeout=60,
            check=True,
        )
        return json.loads(done.stdout)

    return load


@pytest.fixture
def plugin() -> Callable[..., Any]:
    """Return a function that makes a plugin of some hooks, as an instance of a class of the given name."""

    def made(name: str = "sample", **hooks: Callable[..., Any]) -> Any:
        members = {hook: staticmethod(hookimpl(function)) for hook, function in hooks.items()}
        return type(name, (), {"SWARM_API": 1, **members})()

    return made


@pytest.fixture
def load() -> Callable[..., Host]:
    """Return a function that loads a lenient host from plugin objects."""

    def loaded(*plugins: Any, settings: Settings | None = None, builtin: Any = ()) -> Host:
        return Host.load(plugins, settings or Settings(), builtin=builtin, strict=False)

    return loaded


@pytest.fixture
def error_of() -> Callable[..., PluginError]:
    """Return a function that gives the error of a refused plugin."""

    def error(host: Host, name: str = "sample") -> PluginError:
        (status,) = [status for status in host.plugins if status.name == name]
        assert status.error is not None
        assert status.state == PluginState.REFUSED
        return status.error

    return error

"""What `swarm new --plugin` makes of a name: the files of a package, and the words that go into them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files

import click

from swarm_core import __version__

DEFAULT_KIND = "layer"
# kind of plugin -> what a new one does, as its README says
_SUMMARIES = {
    "layer": "A layer that says on the run's event stream how each attempt ended",
    "spawner": "A worker kind that gives its input back, several times",
    "store": "A store of outputs",
    "resolver": "A resolver that gives an agent's second attempt to its deputy",
    "reader": "Blueprints in JSON with comments, and a directive for texts with a title",
    "command": "A command that counts the runs of a store by how they stand",
}
KINDS = tuple(_SUMMARIES)
# kind of plugin -> the names that it takes, as `Catalog.provider` has them
_TAKES = {
    "layer": (("layer", "{name}"),),
    "spawner": (("spawner", "{name}"),),
    "store": (("store", "output {scheme}"),),
    "resolver": (("resolver", "{name}"),),
    "reader": (("reader", ".{name}"), ("directive", "${name}")),
    "command": (),
}
_FOLDER = "plugin"  # of the templates
_NAME = re.compile(r"[a-z](?:_?[a-z0-9])*\Z")
_LONGEST = 40


def files_of(name: str, kind: str) -> Mapping[str, str]:
    """Return the files of a new package, each with the template it is made of."""
    module = words_of(name, kind)["module"]
    return {
        "pyproject.toml": f"{_FOLDER}/pyproject.toml.txt",
        f"{module}.py": f"{_FOLDER}/{kind}/module.py.txt",
        f"tests/test_{name}.py": f"{_FOLDER}/{kind}/test.py.txt",
        "tests/test_plugin.py": f"{_FOLDER}/test_plugin.py.txt",
        "README.md": f"{_FOLDER}/README.md.txt",
        "Makefile": f"{_FOLDER}/Makefile.txt",
        ".github/workflows/test.yml": f"{_FOLDER}/workflow.yml.txt",
        ".gitignore": f"{_FOLDER}/gitignore.txt",
    }


def words_of(name: str, kind: str) -> Mapping[str, str]:
    """Return what stands in the templates as `{{word}}`; `usage` comes first, for it has words of its own."""
    dashed = name.replace("_", "-")
    return {
        "usage": _template(f"{kind}/usage.md.txt").strip(),
        "name": name,
        "distribution": f"swarm-plugin-{dashed}",
        "module": f"swarm_plugin_{name}",
        "Class": "".join(part.capitalize() for part in name.split("_")),
        "command": dashed,
        "scheme": dashed,
        "summary": _SUMMARIES[kind],
        "core": __version__,
    }


def check_name(name: str, kind: str, commands: Iterable[str]) -> None:
    """Refuse a name that no plugin can have, or that is taken; raises click.UsageError.

    `commands` are those that `swarm` has already.
    """
    if _NAME.match(name) is None or len(name) > _LONGEST:
        raise click.UsageError(f"{name!r} cannot name a plugin: {_form()}{_mended(name)}")
    words = words_of(name, kind)
    for owner in _owners(name, [(what, form.format_map(words)) for what, form in _TAKES[kind]]):
        raise _taken(name, owner)
    if kind == "command" and words["command"] in commands:
        raise _taken(name, f"'swarm {words['command']}' is there already")


def _taken(name: str, owner: str) -> click.UsageError:
    return click.UsageError(f"the name {name!r} is taken: {owner}; choose another one, such as 'my_{name}'")


def _form() -> str:
    return f"it has small letters, digits and single '_', a letter first, {_LONGEST} characters at most"


def _mended(name: str) -> str:
    """Return a hint with the nearest name that can be one, where there is one."""
    plain = re.sub(r"^(swarm[-_.]?)?(plugin[-_.]?)?(?=.)", "", name.lower())
    mended = re.sub(r"[^a-z0-9]+", "_", plain).strip("_0123456789")[:_LONGEST].strip("_")
    return f"; did you mean {mended!r}?" if mended and mended != name else ""


def _owners(name: str, things: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield who has the name, or one of the things that the plugin would provide, among bundled and installed ones."""
    from swarm_core import builtin
    from swarm_core.cli.outcome import kept_stdout
    from swarm_core.host import Host
    from swarm_core.known import PROVIDERS, pip_name
    from swarm_core.settings import Settings

    with kept_stdout():
        host = Host.load(None, Settings(), builtin=(builtin,), strict=False)
    for status in host.plugins:
        if status.name == name:
            yield f"{status.distribution} {status.version} is installed and has a plugin of that name"
    if pip_name(name) in PROVIDERS.values():
        yield f"{pip_name(name)} is one of the bundled plugins"
    for what, thing in things:
        for owner in filter(None, (host.catalog.provider.get((what, thing)), PROVIDERS.get((what, thing)))):
            yield f"the {what} {thing!r} comes with {owner}"


def _template(name: str) -> str:
    return (files("swarm_core.cli") / "templates" / _FOLDER / name).read_text(encoding="utf-8")

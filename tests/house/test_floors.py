"""Imports only go down: every module stands on a floor, and an import that goes up or sideways fails here.

All imports count: at the top of a module, inside functions, and `import_module` with a literal name. Imports under
`TYPE_CHECKING` do not exist at run time, but they too show who knows whom: an upward one is allowed only for the pairs
in `SEEN_FROM_BELOW`. A public name taken from the package itself counts as an import of the module it lives in.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
from attrs import frozen

ROOT = Path(__file__).parents[2]
CORE = "swarm_core"
PLUGIN = "swarm_plugin_"

# Each floor's rooms; a room is a set of modules that may know each other. Rooms of one floor are blind to each other.
FLOORS: tuple[tuple[frozenset[str], ...], ...] = (
    (frozenset({"model", "errors", "lazy", "collector"}),),
    (frozenset({"codec"}), frozenset({"flow"}), frozenset({"tokens"})),
    (
        frozenset({"contracts", "factories", "functions", "hookspecs", "settings", "settings_sources"})
        | frozenset(
            {"attachments", "commands", "endpoints", "enhance_records", "known", "selecting", "serving", "tools"}
        )
        | frozenset({"prompts", "remote", "verifiers", "versions"}),
    ),
    (frozenset({"host"}), frozenset({"compile"}), frozenset({"engine"}), frozenset({"processes"})),
    (frozenset({"swarm", "documents", "history", "kept", "pinning", "resuming"}), frozenset({"builtin"})),
    (frozenset({"cli", "", "__main__"}), frozenset({"testing"})),
)

# The highest floor that a stranger may know; the core's own plugins keep the same rule.
OPEN_TO_ALL = 2
ROOMS_OF_STRANGERS = frozenset({"builtin"})

# What a plugin's tests open a swarm with, and check its parts with.
DOORS_FOR_TESTS = frozenset({"swarm", "testing"})

# Plugins that are libraries too: others may depend on them and use the names of the package itself.
PUBLIC_PLUGINS = frozenset({"swarm_plugin_client"})

# The composition root hands the core's own plugins to the host, and reads documents with them; so does whoever opens a
# store without an engine.
SIDEWAYS = frozenset((room, "builtin") for room in ("swarm", "documents", "history", "kept", "pinning"))

# Names of types only: a Call carries an AttemptContext, the operator's faces are contracts.
SEEN_FROM_BELOW = frozenset({("model", "contracts")})


@frozen
class Import:
    """One import: who, whom, and the line."""

    importer: str
    imported: str
    line: int
    only_types: bool


def modules(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the dotted name and the file of every module below a folder that is on the path."""
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(name: str, path: Path, root: Path) -> Iterator[Import]:
    """Yield the imports of one module, wherever in it they stand."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typed = {id(node) for block in ast.walk(tree) if _is_type_checking(block) for node in _inside(block)}
    for node in ast.walk(tree):
        for imported in _imported(node, name, path, root):
            yield Import(name, imported, node.lineno, id(node) in typed)  # type: ignore[attr-defined]


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _inside(block: ast.AST) -> Iterator[ast.AST]:
    assert isinstance(block, ast.If)
    for statement in block.body:
        yield from ast.walk(statement)


def _imported(node: ast.AST, name: str, path: Path, root: Path) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = _base(node, name, path)
        yield from filter(None, (_home(base, alias.name, root) for alias in node.names))
    elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
        yield from (argument.value for argument in node.args if _is_text(argument))  # type: ignore[attr-defined]


def _base(node: ast.ImportFrom, name: str, path: Path) -> str:
    if not node.level:
        return node.module or ""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    kept = package[: len(package) - node.level + 1]
    return ".".join([*kept, *filter(None, [node.module])])


def _home(base: str, name: str, root: Path) -> str | None:
    """Return the module that `from base import name` takes its name from; None for facts such as `__version__`."""
    if _is_module(f"{base}.{name}", root):
        return f"{base}.{name}"
    if base != CORE:
        return base
    return None if name.startswith("__") else _public_names(root).get(name, base)


@cache
def _public_names(root: Path) -> Mapping[str, str]:
    nodes = ast.walk(ast.parse((root / CORE / "__init__.py").read_text(encoding="utf-8")))
    found = [node for node in nodes if isinstance(node, ast.ImportFrom)]
    return {alias.name: node.module or "" for node in found for alias in node.names}


def _is_module(name: str, root: Path) -> bool:
    path = root / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def room(module: str) -> str:
    """Return the part of a core module's name that has a place on a floor; the package itself is `""`."""
    return module.removeprefix(CORE).lstrip(".").partition(".")[0]


def place(name: str) -> tuple[int, frozenset[str]] | None:
    """Return the floor and the room that a name stands in, or None."""
    return next(((floor, room) for floor, rooms in enumerate(FLOORS) for room in rooms if name in room), None)


def is_core(module: str) -> bool:
    return module == CORE or module.startswith(f"{CORE}.")


def verdict(one: Import) -> str | None:
    """Return what is wrong with an import between two core modules, or None."""
    importer, imported = room(one.importer), room(one.imported)
    here, there = place(importer), place(imported)
    if here is None or there is None:
        return f"{one.importer if here is None else one.imported} stands on no floor: give it a place in FLOORS"
    if one.only_types and (importer, imported) in SEEN_FROM_BELOW:
        return None
    if there[0] > here[0]:
        return f"{one.importer} (floor {here[0]}) imports {one.imported} (floor {there[0]}) above it"
    if there[0] == here[0] and there[1] != here[1] and (importer, imported) not in SIDEWAYS:
        return f"{one.importer} imports {one.imported} beside it, on floor {here[0]}"
    if importer in ROOMS_OF_STRANGERS and imported not in ROOMS_OF_STRANGERS and there[0] > OPEN_TO_ALL:
        return f"{one.importer} is a plugin and imports {one.imported} (floor {there[0]})"
    return None


def wrong_in_core(root: Path) -> list[str]:
    """Return every import of the core that goes up or sideways."""
    found = []
    for name, path in modules(root):
        if is_core(name):
            for one in imports(name, path, root):
                if is_core(one.imported) and (wrong := verdict(one)):
                    found.append(f"{path.relative_to(root)}:{one.line}: {wrong}")
    return found


def wrong_in_plugins(root: Path) -> list[str]:
    """Return every import of a plugin that is above floor 2 or another plugin's inside."""
    found = []
    for folder in sorted((root / "plugins").glob("*/")):
        own = {name.partition(".")[0] for name, _ in modules(folder)}
        for name, path in modules(folder):
            for one in imports(name, path, root):
                if wrong := plugin_verdict(one, own, "tests" in path.relative_to(folder).parts):
                    found.append(f"{path.relative_to(root)}:{one.line}: {wrong}")
    return found


def plugin_verdict(one: Import, own: set[str], in_tests: bool) -> str | None:
    """Return what is wrong with an import of a plugin, or None; its tests may also come in by `DOORS_FOR_TESTS`."""
    top = one.imported.partition(".")[0]
    if top.startswith(PLUGIN) and top not in own and one.imported not in PUBLIC_PLUGINS:
        return f"imports {one.imported}, another plugin's inside"
    if not is_core(one.imported):
        return None
    name = room(one.imported)
    there = place(name)
    if there is None:
        return f"imports {one.imported}, which stands on no floor"
    if there[0] > OPEN_TO_ALL and not (in_tests and name in DOORS_FOR_TESTS):
        return f"imports {one.imported} (floor {there[0]}); plugins know floors 0 to {OPEN_TO_ALL}"
    return None


def test_no_import_of_the_core_goes_up_or_sideways() -> None:
    assert wrong_in_core(ROOT) == []


def test_no_plugin_knows_more_than_the_lower_floors() -> None:
    assert wrong_in_plugins(ROOT) == []


def test_every_module_of_the_core_stands_on_a_floor() -> None:
    homeless = [name for name, _ in modules(ROOT) if is_core(name) and place(room(name)) is None]

    assert homeless == []


def test_every_room_exists() -> None:
    rooms = {name for floor in FLOORS for room in floor for name in room if name and name != "__main__"}

    missing = {name for name in rooms if not _is_module(f"{CORE}.{name}", ROOT)}

    assert set() == missing


class TestChecker:
    """The checker itself, on a small house with one planted import."""

    @staticmethod
    def house(folder: Path, files: Mapping[str, str]) -> Path:
        rooms = ("__init__", "errors", "model/call", "contracts", "flow/__init__", "codec", "tokens")
        upper = ("host/__init__", "engine/__init__", "engine/gate", "swarm", "builtin/__init__", "testing/__init__")
        for name in (*rooms, *upper):
            files = {f"{CORE}/{name}.py": "", f"{CORE}/model/__init__.py": "", **files}
        files[f"{CORE}/__init__.py"] = "from swarm_core.errors import SwarmError\nfrom swarm_core.swarm import Swarm"
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return folder

    @pytest.mark.parametrize(
        ("file", "text", "said"),
        [
            ("errors.py", "import swarm_core.engine.gate", "(floor 0) imports swarm_core.engine.gate (floor 3) above"),
            ("errors.py", "from swarm_core import engine", "(floor 0) imports swarm_core.engine (floor 3) above it"),
            ("contracts.py", "def f():\n    from swarm_core.host import Host", "contracts (floor 2) imports"),
            ("errors.py", "from swarm_core import Swarm", "imports swarm_core.swarm (floor 4) above it"),
            ("errors.py", "from swarm_core import unheard_of", "imports swarm_core (floor 5) above it"),
            ("flow/__init__.py", "from swarm_core.codec import structure", "imports swarm_core.codec beside it"),
            ("engine/gate.py", "from ..host import Host", "swarm_core.engine.gate imports swarm_core.host beside it"),
            ("engine/__init__.py", "from .. import host", "swarm_core.engine imports swarm_core.host beside it"),
            ("builtin/__init__.py", "from swarm_core.engine import gate", "is a plugin and imports"),
            ("builtin/__init__.py", "from swarm_core import swarm", "imports swarm_core.swarm beside it"),
            ("tokens.py", "import_module('swarm_core.engine')", "(floor 1) imports swarm_core.engine"),
            ("codec.py", "if TYPE_CHECKING:\n    from swarm_core.contracts import Spawner", "(floor 1) imports"),
            ("model/call.py", "from swarm_core.contracts import Spawner", "(floor 0) imports swarm_core.contracts"),
            ("attic.py", "import swarm_core.errors", "swarm_core.attic stands on no floor"),
        ],
    )
    def test_a_planted_import_is_found(self, file: str, text: str, said: str, tmp_path: Path) -> None:
        root = self.house(tmp_path, {f"{CORE}/{file}": text})

        (found,) = wrong_in_core(root)

        assert said in found
        assert found.startswith(f"{CORE}/{file}:")

    @pytest.mark.parametrize(
        ("file", "text"),
        [
            ("engine/gate.py", "import json\nfrom swarm_core.errors import SwarmError\nfrom . import gate"),
            ("model/call.py", "if TYPE_CHECKING:\n    from swarm_core.contracts import Spawner"),
            ("swarm.py", "from swarm_core import builtin, host"),
            ("engine/gate.py", "from swarm_core import SwarmError, __version__"),
        ],
    )
    def test_an_import_that_goes_down_is_fine(self, file: str, text: str, tmp_path: Path) -> None:
        assert wrong_in_core(self.house(tmp_path, {f"{CORE}/{file}": text})) == []

    @pytest.mark.parametrize(
        ("file", "text", "said"),
        [
            ("swarm_plugin_a.py", "from swarm_core.engine import gate", "imports swarm_core.engine.gate (floor 3)"),
            ("swarm_plugin_a.py", "import swarm_core.testing", "imports swarm_core.testing (floor 5)"),
            ("swarm_plugin_a.py", "def f():\n    import swarm_plugin_b.inside", "another plugin's inside"),
            ("swarm_plugin_a.py", "from swarm_core import Swarm", "imports swarm_core.swarm (floor 4)"),
            ("tests/test_a.py", "from swarm_core.host import Host", "imports swarm_core.host (floor 3)"),
        ],
    )
    def test_a_plugin_that_knows_too_much_is_found(self, file: str, text: str, said: str, tmp_path: Path) -> None:
        root = self.house(tmp_path, {f"plugins/a/{file}": text, "plugins/b/swarm_plugin_b/inside.py": ""})

        (found,) = wrong_in_plugins(root)

        assert said in found
        assert found.startswith(f"plugins/a/{file}:")

    @pytest.mark.parametrize(
        ("file", "text"),
        [
            ("swarm_plugin_a/__init__.py", "from swarm_core import SwarmError\nimport swarm_plugin_a.own"),
            ("tests/test_a.py", "from swarm_core.testing import check_spawner\nimport swarm_plugin_a"),
        ],
    )
    def test_a_plugin_that_keeps_to_the_rules_is_fine(self, file: str, text: str, tmp_path: Path) -> None:
        files = {"plugins/a/swarm_plugin_a/own.py": "", f"plugins/a/{file}": text}

        assert wrong_in_plugins(self.house(tmp_path, files)) == []

"""Which Blueprint a tool means: a document, its text, one that is kept, or a file of the project."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swarm_core.codec import load_json, load_yaml
from swarm_core.selecting import SCHEME
from swarm_plugin_mcp.backend import Source
from swarm_plugin_mcp.errors import ToolRefused

if TYPE_CHECKING:
    from swarm_plugin_mcp.home import Home

BLUEPRINT = (
    "The Blueprint: the document as an object (or its JSON or YAML text), `bp:NAME[@SELECTOR]` for one that is kept, "
    'or a reference {"kind": "id", "id": ...}. Give this or `file`.'
)
FILE = "A Blueprint's file in the project's folder, relative to it. Give this or `blueprint`."


def source_of(home: Home, blueprint: Mapping[str, Any] | str | None, file: str | None) -> Source:
    """Return the Blueprint that is meant; raises ToolRefused, DocumentError."""
    if (blueprint is None) == (file is None):
        raise ToolRefused("bad_arguments", "say which Blueprint: give either `blueprint` or `file`")
    if file is not None:
        return Source(value=_inside(home.folder, file))
    if isinstance(blueprint, str) and not blueprint.startswith(SCHEME):
        return Source(value=_parsed(blueprint))
    assert blueprint is not None
    return Source(value=blueprint)


def _inside(folder: Path, file: str) -> Path:
    """Return a file's path; a model that was talked into it must not read what is elsewhere."""
    try:
        path = (folder / file).resolve()
    except ValueError:
        raise ToolRefused("bad_path", "the path of `file` holds a NUL character") from None
    if not path.is_relative_to(folder.resolve()):
        hint = "put the file there, or give the Blueprint itself as `blueprint`"
        raise ToolRefused("outside", f"{file!r} is not in the project's folder", hint=hint)
    if not path.is_file():
        raise ToolRefused("not_found", f"there is no file {file!r} in the project's folder")
    return path


def _parsed(text: str) -> Mapping[str, Any]:
    """Return the document that a text is; raises DocumentError, ToolRefused."""
    data = text.encode("utf-8", "surrogateescape")
    read = load_json if text.lstrip().startswith("{") else load_yaml
    value = read(data, name="blueprint").value
    if not isinstance(value, Mapping):
        hint = f"a Blueprint is an object; one that is kept is named {SCHEME}NAME, one in a file by `file`"
        raise ToolRefused("bad_arguments", "`blueprint` is a text that is no Blueprint", hint=hint)
    return value

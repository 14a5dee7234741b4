"""Blueprint files: JSON, YAML, and the directive for texts in files of their own.

What reads them is imported when there is something to read: a Blueprint that comes as data needs no YAML.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from swarm_core.contracts import BlueprintReader, Source
from swarm_core.factories import DirectiveFactory, ReaderFactory

if TYPE_CHECKING:
    from pathlib import Path

FILE_KEY = "$file"


class JsonReader(BlueprintReader):
    """Reads JSON."""

    suffixes: ClassVar[tuple[str, ...]] = (".json",)

    def read(self, text: bytes, *, name: str, base: Path | None) -> Source:
        """Read one document. Raises: DocumentError."""
        from swarm_core.codec import load_json

        loaded = load_json(text, name=name)
        return Source(value=loaded.value, name=name, base=base, positions=loaded.positions)


class YamlReader(BlueprintReader):
    """Reads YAML 1.2, one document of JSON's types."""

    suffixes: ClassVar[tuple[str, ...]] = (".yaml", ".yml")

    def read(self, text: bytes, *, name: str, base: Path | None) -> Source:
        """Read one document. Raises: DocumentError."""
        from swarm_core.codec import load_yaml

        loaded = load_yaml(text, name=name)
        return Source(value=loaded.value, name=name, base=base, positions=loaded.positions)


def _file_text(value: Any, siblings: Mapping[str, Any], opener: Any) -> str:
    """Return the text of a file, byte for byte."""
    from swarm_core.builtin.files import refuse, shown

    if not isinstance(value, str):
        raise ValueError("its value is the path of a file below the Blueprint's folder, a string")
    data: bytes = opener(value)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        refuse("not_utf8", f"{shown(value)} is not UTF-8 at byte {error.start}", "save it as UTF-8")


JSON = ReaderFactory(name="json", suffixes=JsonReader.suffixes, build=JsonReader, summary="Blueprints as JSON")
YAML = ReaderFactory(name="yaml", suffixes=YamlReader.suffixes, build=YamlReader, summary="Blueprints as YAML 1.2")
FILE = DirectiveFactory(name=FILE_KEY, expand=_file_text, summary="the text of a file below the Blueprint's folder")

FACTORIES: tuple[ReaderFactory | DirectiveFactory, ...] = (JSON, YAML, FILE)

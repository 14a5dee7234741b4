"""The contract of Blueprint readers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from swarm_core.contracts import BlueprintReader, Source
from swarm_core.errors import DocumentError
from swarm_core.model.value import NotJson, json_copy
from swarm_core.testing.checks.contract import ContractBroken, require

_HOSTILE = (
    b"",
    b"\0",
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b"{" * 100_000,
    b'{"a": 1, "a": 2}',
    b'{"n": NaN}',
    b'{"n": 1e999}',
    b'{"s": "\\ud800"}',
    b"9" * 5000,
    b'"' + b"a" * 100,
    b"- - - -\n: : :\n\t%",
)


def check_reader(reader: BlueprintReader, text: bytes, value: Any) -> Source:
    """Run a reader through its contract: `text` reads as `value`, and nothing else than DocumentError refuses a text.

    Checked with `text`: the value is JSON and equal, the name and the base are kept, every position lies within the
    text. Checked with hostile texts: each is read as JSON or refused with problems that have a code. Returns the source
    of `text`. Raises: ContractBroken.
    """
    require(
        reader.suffixes and all(s.startswith(".") for s in reader.suffixes), "`suffixes` has one, each with its dot"
    )
    base = Path("somewhere")
    source = reader.read(text, name="checked", base=base)
    require(source.value == value, f"the text was read as {json.dumps(source.value)[:200]}")
    require((source.name, source.base) == ("checked", base), "the source does not keep its name and base")
    _check_positions(source, text)
    for hostile in _HOSTILE:
        _check_hostile(reader, hostile)
    return source


def _check_positions(source: Source, text: bytes) -> None:
    lines = text.decode("utf-8").splitlines() or [""]
    for path, (line, column) in source.positions.items():
        require(path.startswith("$"), f"the position {path!r} is no place of a document; places begin with $")
        within = 1 <= line <= len(lines) + 1 and column >= 1
        require(within, f"{path} is said to stand at {line}:{column}, outside of the text")


def _check_hostile(reader: BlueprintReader, text: bytes) -> None:
    shown = repr(text[:20])
    try:
        source = reader.read(text, name="hostile", base=None)
        json_copy(source.value, max_bytes=len(text) * 16 + 1024)
    except DocumentError as error:
        require(all(problem.code for problem in error.problems), f"a problem of {shown} has no code")
    except NotJson as error:
        raise ContractBroken(f"{shown} was read as what is no JSON: {error}") from None
    except Exception as error:
        raise ContractBroken(f"{shown} was refused with {type(error).__name__}, not DocumentError: {error}") from None

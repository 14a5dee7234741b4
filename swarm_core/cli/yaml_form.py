"""JSON values as YAML that reads back as the same values."""

from __future__ import annotations

import re
from typing import Any

import yaml

_ODD_BREAKS = re.compile("[\x85\u2028\u2029]")  # some readers end a line there, and ours refuses them unescaped
_PLAIN = r"(?![YyNn]\Z)[A-Za-z_][A-Za-z0-9_ ./-]*\Z"
_WIDE = 1_000_000


def as_yaml(value: Any) -> str:
    """Return a JSON value as YAML, one thing a line, keys in their order, texts of several lines as blocks."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=_WIDE
    )
    return text


class _Dumper(yaml.SafeDumper):
    """Writes no anchors, and quotes what some reader of YAML could take for something else than text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    block = "\n" in text and not _ODD_BREAKS.search(text)
    style = None if re.match(_PLAIN, text) else "|" if block else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)

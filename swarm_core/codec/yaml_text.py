"""YAML text to JSON values: one document, JSON's types, nothing resolved in a way that surprises.

The parser's events are counted as they come and nothing is built by recursion: libyaml's own composer overflows the
stack on deep documents.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml

from swarm_core.codec.findings import Findings
from swarm_core.codec.limits import LIMITS, Limits
from swarm_core.codec.places import Loaded, Positions
from swarm_core.codec.text import decode
from swarm_core.codec.yaml_build import Builder, Stop

# Characters that YAML does not allow, and the three that some parsers take for line breaks and others do not.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DIRECTIVE = re.compile(r"(?:[ \t]*(?:#[^\n]*+)?\n)*+%", re.DOTALL)
_REST = re.compile(r"(?:\s++|#[^\n]*+|\.\.\.(?=\s|\Z))*+")
_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_yaml(data: bytes, *, name: str, limits: Limits = LIMITS) -> Loaded:
    """Return the value of a YAML document; `name` is the file that problems refer to.

    Read as YAML 1.2 (see `yaml_words`). Anchors and aliases are followed within `limits`; merge keys, directives, tags
    other than those of JSON's types, keys that are no strings, and a second document are refused.
    Raises: DocumentError, with every problem up to the first error of syntax or limit.
    """
    text = decode(data, name, limits)
    findings = Findings(text, name)
    _look_over(text, findings)
    builder = Builder(findings, limits)
    try:
        end = _feed(builder, text)
        _refuse_rest(text, end, findings)
    except Stop:
        pass
    except yaml.YAMLError as error:
        _syntax(error, findings)
    findings.raise_any()
    value, tree = builder.result()
    return Loaded(value=value, positions=Positions(text, lambda: tree))


def _look_over(text: str, findings: Findings) -> None:
    """Refuse what the parser must not see: characters it misreads, and directives, which it compares pair by pair."""
    if bad := _UNPRINTABLE.search(text):
        message = f"the character U+{ord(bad.group()):04X} may not stand here as it is"
        findings.add("bad_unicode", message, bad.start(), hint='write an escape such as "\\u2028" in double quotes')
    if directive := _DIRECTIVE.match(text):
        message = "a line that begins with '%' is a directive, and none is accepted"
        findings.add("yaml_directive", message, directive.end() - 1, hint="remove the line; this is read as YAML 1.2")
    findings.raise_any()


def _feed(builder: Builder, text: str) -> int:
    """Pass the events of the first document on; return the offset of its end."""
    take: dict[type, Callable[[Any], None]] = {
        yaml.ScalarEvent: builder.scalar,
        yaml.AliasEvent: builder.alias,
        yaml.SequenceStartEvent: builder.open_array,
        yaml.MappingStartEvent: builder.open_object,
        yaml.SequenceEndEvent: builder.close,
        yaml.MappingEndEvent: builder.close,
    }
    for event in yaml.parse(text, Loader=_LOADER):
        kind = type(event)
        if kind is yaml.DocumentEndEvent:
            return int(event.end_mark.index) if event.end_mark else len(text)
        if kind in take:
            take[kind](event)
    findings = builder.findings
    findings.add("blueprint_empty", "the document holds nothing but comments", 0, hint="write a mapping of fields")
    raise Stop


def _refuse_rest(text: str, end: int, findings: Findings) -> None:
    rest = _REST.match(text, end)
    offset = rest.end() if rest else end
    if offset < len(text):
        findings.add("multiple_documents", "a second document begins here", offset, hint="put each into its own file")


def _syntax(error: yaml.YAMLError, findings: Findings) -> None:
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed"
    context = getattr(error, "context", None)
    mark = getattr(error, "problem_mark", None)
    offset = min(mark.index, len(findings.lines.text)) if mark else 0
    if "Unicode character escape" in problem:
        hint = "write the character itself"
        findings.add(
            "bad_unicode", "the escape stands for half of a surrogate pair or for no character", offset, hint=hint
        )
        return
    findings.add("yaml_syntax", f"not YAML: {problem}{f' {context}' if context else ''}", offset)

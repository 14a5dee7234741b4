"""What a patch agent says: operations of a JSON Patch (RFC 6902), why, and how much the version goes up."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from attrs import frozen

BUMPS = ("major", "minor", "patch")

_FENCED = r"```(?:json)?\s*\n(.*?)\n\s*```"
_MOST_OPERATIONS = 1000
_LONGEST_RATIONALE = 20_000


class BadPatch(ValueError):
    """What was said is no patch, or one that does not fit the document."""


@frozen(kw_only=True, eq=False)
class Patch:
    """A patch: `raises_bound` says that the new version may make more dispatches, or spend more, on purpose."""

    ops: tuple[Mapping[str, Any], ...]
    rationale: str
    bump: str = "patch"
    raises_bound: bool = False

    @property
    def hash(self) -> str:
        """The SHA-256 of the operations, 64 hex digits."""
        return sha256(json.dumps(self.ops, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """Return the patch as data."""
        told = {"ops": [dict(op) for op in self.ops], "rationale": self.rationale, "bump": self.bump}
        return {**told, "raises_bound": True} if self.raises_bound else told


def read_patch(said: Any) -> Patch:
    """Return the patch that an agent answered with: an object, or text that is one or has one in a code block.

    The operations stand under `ops`, or `patch`; a `bump` other than major and minor means patch. Raises: BadPatch.
    """
    value = _value(said)
    if not isinstance(value, Mapping):
        raise BadPatch('the answer is no object with "ops", "rationale" and "bump"')
    ops, rationale, bump = value.get("ops", value.get("patch")), value.get("rationale"), value.get("bump", "patch")
    if not isinstance(ops, list | tuple) or not all(isinstance(op, Mapping) for op in ops):
        raise BadPatch('"ops" is no array of JSON Patch operations')
    if len(ops) > _MOST_OPERATIONS:
        raise BadPatch(f'"ops" has {len(ops):,} operations; {_MOST_OPERATIONS:,} are the most')
    if not isinstance(rationale, str) or not rationale.strip() or len(rationale) > _LONGEST_RATIONALE:
        raise BadPatch(f'"rationale" is no text that says why, of {_LONGEST_RATIONALE:,} characters at most')
    return Patch(
        ops=tuple(ops),
        rationale=rationale.strip(),
        bump=bump if bump in BUMPS else "patch",
        raises_bound=value.get("raises_bound") is True,
    )


def patched(document: Any, patch: Patch) -> Any:
    """Return a document after all operations; the one that was given stays as it is.

    Raises: BadPatch, when one does not fit; then nothing of the patch counts.
    """
    from jsonpatch import JsonPatch, JsonPatchException
    from jsonpointer import JsonPointerException

    try:
        return JsonPatch([dict(op) for op in patch.ops]).apply(document)
    except (JsonPatchException, JsonPointerException) as error:
        raise BadPatch(f"it does not fit the Blueprint: {str(error) or type(error).__name__}"[:500]) from None
    except (TypeError, ValueError, KeyError, IndexError, RecursionError) as error:
        raise BadPatch(f"it is no JSON Patch: {type(error).__name__}: {error}"[:500]) from None


def _value(said: Any) -> Any:
    if not isinstance(said, str):
        return said
    fenced = re.search(_FENCED, said, re.DOTALL)
    for text in (said, fenced[1] if fenced else ""):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            continue
    raise BadPatch(f"the answer is no JSON: {said[:80]!r}")

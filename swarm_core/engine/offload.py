"""Large values stand outside the journal: kept by the hash of their text, with references in their place.

A string, an object or an array is large when its JSON text, after what is large inside it was replaced, has more bytes
than the threshold. It is replaced by `{"$output": "<sha256>", "bytes": n}`, and that text, which may hold references in
turn, is kept under its SHA-256. So of `{"verdict": "ok", "log": "<1 MB>"}` only the log is replaced, and a list of ten
thousand numbers as a whole. Numbers, true, false and null always stand, and so does the object with an event's facts.
An object of the data that has a key `$output` or `$literal` stands as `{"$literal": <the object>}`.

In a final ctx, what stands in several places is large from 512 bytes on where it comes again: the lanes of a fan-out
all have the ctx that it began with. The work grows with what there is in memory, however often a part is shared.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from math import inf
from typing import Any, TypeAlias

from attrs import evolve

from swarm_core.codec.compact import compact
from swarm_core.engine.rows import Entry, decode_row, encode_entries
from swarm_core.errors import OutputNotFound, StoreUnreadable
from swarm_core.model.event import Event
from swarm_core.model.run import JournalRow

Load: TypeAlias = Callable[[str], Awaitable[bytes]]
"""Returns what is kept under a digest, such as `OutputStore.load`."""

Blobs: TypeAlias = dict[str, bytes]
"""What is to be kept, by digest, such as `OutputStore.keep` takes it."""

_OUTPUT, _LITERAL = "$output", "$literal"
_ANY_MEMBER = 28  # the longest number with a comma, or a string's quotes and comma, and the marks of a key
_ANY_CHARACTER = 6  # \u001f
_SHORT_KINDS = frozenset({"task_created", "task_attempt_started"})  # nothing but names, numbers and a fingerprint
_TOGETHER = 32  # entries that are tried as they are: most rows need no packing, and to look whether they do takes time
_SHARED = 512  # more than any reference has: those stay as they are


# packing -----------------------------------------------------------------------------------------------------


def pack(value: Any, threshold: float) -> tuple[Any, Blobs]:
    """Return a value with its large parts replaced, itself when nothing is to be changed, and what is to be kept."""
    packer = _Packer(threshold)
    return packer.pack(value), packer.blobs


def pack_text(value: Any, threshold: float) -> tuple[str, Blobs]:
    """Return a packed value as JSON text, such as a run's final ctx, and what is to be kept."""
    packer = _Packer(threshold, shared=_SHARED)
    return compact(packer.pack(value)), packer.blobs


def pack_entries(entries: Sequence[Entry], threshold: float) -> tuple[str, Blobs]:
    """Return the body of the row that holds these events, and what is to be kept."""
    packer = _Packer(threshold)
    if len(entries) <= _TOGETHER:
        return _body(entries, threshold, packer), packer.blobs
    parts = (entries[at : at + _TOGETHER] for at in range(0, len(entries), _TOGETHER))
    bodies = [_body(some, threshold, packer) for some in parts]
    return f"[{','.join(body[1:-1] for body in bodies)}]", packer.blobs


def _body(entries: Sequence[Entry], threshold: float, packer: _Packer) -> str:
    if _may_be_short(entries, threshold):
        body = encode_entries(entries)
        if _size(body) <= threshold and not is_marked(body):
            return body
    packed = [(kind, time, task_id, attempt, packer.inside(data)[0]) for kind, time, task_id, attempt, data in entries]
    return encode_entries(packed)


def is_marked(text: str) -> bool:
    """Tell whether JSON text may hold references or escapes; what has none need not be unpacked."""
    return '"$output"' in text or '"$literal"' in text


def _may_be_short(entries: Sequence[Entry], threshold: float) -> bool:
    """Tell whether it is worth trying to print the entries as they are; a few shared lists can be terabytes printed."""
    left = threshold
    for kind, _, _, _, data in entries:
        if kind in _SHORT_KINDS:
            continue
        for member in data.values():
            kind_of = type(member)
            if kind_of is str:
                left -= len(member)
            elif kind_of is dict or kind_of is list:
                left = _left(member, left)
        if left < 0:
            return False
    return True


def _left(value: Any, left: float) -> float:
    """Return what of a length is left after a container was printed, at most; below 0 it may not be looked at whole."""
    left -= len(value) + 1
    for member in value.values() if isinstance(value, dict) else value:
        kind = type(member)
        if kind is str:
            left -= len(member)
        elif kind is dict or kind is list:
            if left < 0:
                return left
            left = _left(member, left)
    return left


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


class _Packer:
    """Replaces what is large, from the inside out; what it has seen is known by its id."""

    __slots__ = ("_known", "_shared", "_small", "_threshold", "blobs")

    def __init__(self, threshold: float, shared: float = inf) -> None:
        self._threshold, self._shared = threshold, shared
        self._small = min(threshold, shared, _SHARED)  # never replaced, so not worth knowing
        self._known: dict[int, tuple[Any, float]] = {}
        self.blobs: Blobs = {}

    def pack(self, value: Any) -> Any:
        """Return a value with its large parts replaced, the whole of it where it is large itself."""
        return self._part(value)[0] if type(value) in (str, dict, list) else value

    def inside(self, value: Any) -> tuple[Any, float]:
        """Return a container with its members packed, and how many bytes its text has at most."""
        made, most = value, 2.0 + _ANY_MEMBER * len(value)
        short = self._threshold / _ANY_CHARACTER - 1
        if is_object := isinstance(value, dict):
            most += _ANY_CHARACTER * len("".join(value))
        for place, member in value.items() if is_object else enumerate(value):
            kind = type(member)
            if kind is str and len(member) <= short:
                most += _ANY_CHARACTER * len(member)
            elif kind is str or kind is dict or kind is list:
                part, size = self._part(member)
                most += size
                if part is not member:
                    made = value.copy() if made is value else made
                    made[place] = part
        if is_object and (_OUTPUT in value or _LITERAL in value):
            return {_LITERAL: made}, most + _ANY_MEMBER
        return made, most

    def _part(self, value: Any) -> tuple[Any, float]:
        known = self._known.get(id(value))
        if known is None:
            made, most = (value, inf) if type(value) is str else self.inside(value)
            if most <= self._small and made is value:
                return made, most
            known = (made, most) if most <= self._threshold else self._settled(made, self._threshold)
            self._known[id(value)] = known
        elif known[1] > self._shared:
            known = self._known[id(value)] = self._settled(known[0], self._shared)
        return known

    def _settled(self, made: Any, threshold: float) -> tuple[Any, float]:
        """Return what stands for a string or a container that may be large, and the bytes of its text."""
        data = compact(made).encode()
        if len(data) <= threshold:
            return made, len(data)
        digest = sha256(data).hexdigest()
        self.blobs[digest] = data
        reference = {_OUTPUT: digest, "bytes": len(data)}
        return reference, len(compact(reference))


# unpacking ---------------------------------------------------------------------------------------------------


def references(packed: Any) -> set[str]:
    """Return the digests that a packed value refers to; what is kept under them may refer to more.

    It takes whatever was written here: a decoded row, the facts of an event, a result, what is kept under a digest.
    Raises: StoreUnreadable, when a reference is none.
    """
    found: set[str] = set()
    seen: set[int] = set()
    left = [packed]
    while left:
        value = left.pop()
        kind = type(value)
        if (kind is not dict and kind is not list) or id(value) in seen:
            continue
        seen.add(id(value))
        if kind is dict and _OUTPUT in value:
            found.add(_digest_of(value))
        else:
            left.extend(_members(value))
    return found


async def unpack(packed: Any, load: Load, memo: dict[str, Any] | None = None) -> Any:
    """Return a value with its references followed, itself when it has none.

    Every digest is loaded once; a `memo` that is given again makes that once for several calls. Raises: OutputNotFound
    and whatever `load` raises; StoreUnreadable, when what stands there was not written by `pack`.
    """
    values = {} if memo is None else memo
    stored: dict[str, Any] = {}
    left = references(packed)
    while left:
        digest = left.pop()
        if digest not in values and digest not in stored:
            stored[digest] = value = _parsed(digest, await load(digest))
            left |= references(value)
    return _Restorer(stored, values).restore(packed)


async def unpack_text(text: str, load: Load) -> Any:
    """Return the value of a text that `pack_text` made.

    Raises: what `unpack` raises.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StoreUnreadable(f"the text of a value is damaged: {error}", hint=_HINT) from None
    return await unpack(value, load) if is_marked(text) else value


async def unpack_events(events: Sequence[Event], load: Load, memo: dict[str, Any] | None = None) -> Sequence[Event]:
    """Return events of one run with the references in their facts followed, themselves when there are none.

    Raises: StoreUnreadable, naming the run and the events; whatever else `load` raises.
    """
    packed = [event.data for event in events]
    try:
        restored = await unpack(packed, load, memo)
    except (OutputNotFound, StoreUnreadable) as error:
        where = f"events {events[0].seq} to {events[-1].seq} of run {events[0].run_id}"
        raise StoreUnreadable(f"{where} cannot be read whole: {error.message}", hint=_HINT) from error
    if restored is packed:
        return events
    return [
        event if event.data is data else evolve(event, data=data) for event, data in zip(events, restored, strict=True)
    ]


async def read_rows(rows: Sequence[JournalRow], load: Load) -> list[Event]:
    """Return the events of rows of one run, references followed; each value is loaded once and shared by the events.

    Raises: StoreUnreadable, naming the run and the row; whatever else `load` raises.
    """
    events: list[Event] = []
    memo: dict[str, Any] = {}
    for row in rows:
        found = decode_row(row)
        events += await unpack_events(found, load, memo) if is_marked(row.body) else found
    return events


_HINT = "the other runs are not touched by it; see `swarm doctor`, or restore a backup of the store"


def _parsed(digest: str, data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise StoreUnreadable(f"what is kept under {digest} is no JSON text", hint=_HINT) from None


def _digest_of(reference: dict[str, Any]) -> str:
    digest = reference[_OUTPUT]
    if type(digest) is not str:
        raise StoreUnreadable(f"a reference holds {digest!r:.80} where a digest belongs", hint=_HINT)
    return digest


def _members(value: Any) -> Any:
    """Return the members of a container as it was before it was escaped."""
    if type(value) is list:
        return value
    if _LITERAL in value:
        value = value[_LITERAL]
        if type(value) is not dict:
            raise StoreUnreadable(f"an escape holds {value!r:.80} where an object belongs", hint=_HINT)
    return value.values()


class _Restorer:
    """Puts values in the place of their references; what is shared stays shared."""

    __slots__ = ("_known", "_stored", "_values")

    def __init__(self, stored: dict[str, Any], values: dict[str, Any]) -> None:
        self._stored, self._values = stored, values
        self._known: dict[int, Any] = {}

    def restore(self, packed: Any) -> Any:
        """Return a value with its references followed; one call for each level, two for each reference."""
        kind = type(packed)
        if kind is not dict and kind is not list:
            return packed
        known = self._known.get(id(packed))
        if known is not None:
            return known
        if kind is dict and _OUTPUT in packed:
            digest = packed[_OUTPUT]
            if digest not in self._values:
                self._values[digest] = self.restore(self._stored[digest])
            made = self._values[digest]
        else:
            made = bare = packed.get(_LITERAL, packed) if kind is dict else packed
            for place, member in bare.items() if kind is dict else enumerate(bare):
                value = self.restore(member)
                if value is not member:
                    made = bare.copy() if made is bare else made
                    made[place] = value
        self._known[id(packed)] = made
        return made

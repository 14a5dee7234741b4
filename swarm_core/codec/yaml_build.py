"""Parser events to values, within limits."""

from __future__ import annotations

from typing import Any

from attrs import define

from swarm_core.codec.findings import Findings
from swarm_core.codec.limits import Limits
from swarm_core.codec.numbers import BadNumber, shorten
from swarm_core.codec.places import Steps, Tree
from swarm_core.codec.yaml_words import plain_value

_CORE = "tag:yaml.org,2002:"
_TYPES: dict[str, tuple[type, ...]] = {
    f"{_CORE}null": (type(None),),
    f"{_CORE}bool": (bool,),
    f"{_CORE}int": (int,),
    f"{_CORE}float": (float, int),
}
_STRING, _ARRAY, _OBJECT = f"{_CORE}str", f"{_CORE}seq", f"{_CORE}map"
_KEY_HINT = "keys are strings: put it into quotes"


class Stop(Exception):
    """There is no use in reading on; the reason is among the findings."""


@define
class _Anchored:
    """What an anchor stands for; `weight` is its length written out, None while it is not yet closed."""

    value: Any
    below: Any
    weight: int | None = None
    values: int = 1
    height: int = 0


@define
class _Level:
    """An open array or object: what it holds, where that stands, and the step to what is read now."""

    made: Any
    below: Any
    step: str | int = 0
    start: int = 0
    at_key: bool = False
    anchored: _Anchored | None = None
    opened: int = 0
    values: int = 0
    height: int = 1


class Builder:
    """Makes one value out of events; what is wrong goes to `findings`."""

    def __init__(self, findings: Findings, limits: Limits) -> None:
        self.findings, self.limits = findings, limits
        self.levels: list[_Level] = [_Level([], [])]
        self.anchors: dict[str, _Anchored] = {}
        self.values = self.aliases = 0
        self.expanded = 0  # characters that aliases add to the text

    def result(self) -> tuple[Any, Tree]:
        """Return the value and the offsets of everything in it."""
        root = self.levels[0]
        return root.made[0], root.below[0]

    def scalar(self, event: Any) -> None:
        """Take a scalar: a key or a value."""
        offset = event.start_mark.index
        level = self.levels[-1]
        value = self._value(event, offset)
        if event.anchor is not None:
            self.anchors[event.anchor] = _Anchored(value, None, event.end_mark.index - offset)
        if level.at_key:
            self._key(value, event, offset)
        else:
            self._put(value, None, offset)

    def alias(self, event: Any) -> None:
        """Take an alias for what its anchor stands for."""
        offset = event.start_mark.index
        self.aliases += 1
        anchored = self.anchors.get(event.anchor)
        if anchored is None:
            self._stop("yaml_syntax", f"the alias *{shorten(event.anchor)} stands for no anchor", offset)
        elif anchored.weight is None:
            self._stop("cyclic", f"the alias *{shorten(event.anchor)} stands for what it is in", offset)
        else:
            self.expanded += anchored.weight
            self.values += anchored.values - 1
            self._limit(offset)
            self._grow(anchored.height, offset)
            self._reuse(anchored, event, offset)

    def _grow(self, height: int, offset: int) -> None:
        """Note that something of some height of its own comes next."""
        if len(self.levels) - 1 + height > self.limits.depth:
            self._stop("too_deep", f"arrays and objects nest at most {self.limits.depth} levels", offset)
        self.levels[-1].height = max(self.levels[-1].height, height + 1)

    def _limit(self, offset: int) -> None:
        limits = self.limits
        if self.aliases > limits.aliases:
            self._stop("alias_limit", f"a document has at most {limits.aliases:,} aliases", offset)
        if self.expanded > limits.size or self.values > limits.values:
            message = f"with its aliases written out the document has more than {limits.size:,} characters"
            self._stop("alias_limit", f"{message} or {limits.values:,} values", offset)

    def _reuse(self, anchored: _Anchored, event: Any, offset: int) -> None:
        if self.levels[-1].at_key:
            self._key(anchored.value, event, offset)
        else:
            self._put(anchored.value, anchored.below, offset)

    def open_array(self, event: Any) -> None:
        """Take the start of a sequence."""
        self._open(_Level([], []), event, _ARRAY)

    def open_object(self, event: Any) -> None:
        """Take the start of a mapping."""
        self._open(_Level({}, {}, at_key=True), event, _OBJECT)

    def close(self, event: Any) -> None:
        """Take the end of a sequence or mapping."""
        level = self.levels.pop()
        if level.anchored:
            level.anchored.weight = event.end_mark.index + self.expanded - level.opened
            level.anchored.values = self.values - level.values
            level.anchored.height = level.height
        self.levels[-1].height = max(self.levels[-1].height, level.height + 1)

    def _open(self, level: _Level, event: Any, own_tag: str) -> None:
        offset = event.start_mark.index
        self._grow(1, offset)
        if self.levels[-1].at_key:
            self._stop("bad_key", "an array or object cannot be a key", offset, hint=_KEY_HINT)
        if event.tag not in (None, "!", own_tag):
            self._refuse_tag(event.tag, offset)
        self._put(level.made, level.below, offset)
        if event.anchor is not None:
            level.anchored = self.anchors[event.anchor] = _Anchored(level.made, level.below)
            level.opened, level.values = offset + self.expanded, self.values - 1
        self.levels.append(level)

    def _put(self, value: Any, below: Any, offset: int) -> None:
        self.values += 1
        if self.values > self.limits.values:
            self._stop("too_large", f"the document has more than {self.limits.values:,} values", offset)
        level = self.levels[-1]
        if type(level.made) is list:
            level.step = len(level.made)
            level.made.append(value)
            level.below.append((offset, below))
        else:
            level.made[level.step] = value
            level.below[level.step] = (level.start, below)
            level.at_key = True

    def _key(self, key: Any, event: Any, offset: int) -> None:
        level = self.levels[-1]
        if type(key) is not str:
            shown = getattr(event, "value", f"*{event.anchor}") or "an empty key"
            self.findings.add(
                "bad_key", f"{shorten(shown)} is no string", offset, steps=self._steps_above, hint=_KEY_HINT
            )
            key = shown
        elif key == "<<" and getattr(event, "implicit", (False,))[0]:
            hint = "write the fields out, or reuse whole values with anchors"
            self.findings.add(
                "merge_key", "merge keys (<<) are not accepted", offset, steps=self._steps_above, hint=hint
            )
        elif key in level.below:
            level.step = key
            self.findings.duplicate(key, offset, level.below[key][0], self._steps)
        level.step, level.start, level.at_key = key, offset, False

    def _value(self, event: Any, offset: int) -> Any:
        tag, text = event.tag, event.value
        if tag is None and not event.implicit[0]:
            return text
        if tag in ("!", _STRING):
            return text
        if tag is not None and tag not in _TYPES:
            self._refuse_tag(tag, offset)
            return text
        try:
            value = plain_value(text)
        except BadNumber as error:
            self.findings.add(error.code, error.message, offset, steps=self._steps_of_next, hint=error.hint)
            return text
        if tag is not None and type(value) not in _TYPES[tag]:
            self.findings.add("bad_tag", f"{shorten(text)!r} is no {_shown(tag)}", offset, steps=self._steps_of_next)
        return value

    def _refuse_tag(self, tag: str, offset: int) -> None:
        message = f"the tag {_shown(tag)} is not accepted"
        hint = "only JSON's types are read: !!str, !!int, !!float, !!bool, !!null, !!seq, !!map"
        self.findings.add("bad_tag", message, offset, steps=self._steps_of_next, hint=hint)

    def _stop(self, code: str, message: str, offset: int, hint: str | None = None) -> None:
        self.findings.add(code, message, offset, steps=self._steps_of_next, hint=hint)
        raise Stop

    def _steps(self) -> Steps:
        return tuple(level.step for level in self.levels[1:])

    def _steps_above(self) -> Steps:
        return tuple(level.step for level in self.levels[1:-1])

    def _steps_of_next(self) -> Steps:
        """Return the steps to the value that comes next; to the object that it is in, when that is a key."""
        level = self.levels[-1]
        if level.at_key or len(self.levels) == 1:
            return self._steps_above()
        return (*self._steps_above(), len(level.made) if type(level.made) is list else level.step)


def _shown(tag: str) -> str:
    return f"!!{shorten(tag.removeprefix(_CORE))}" if tag.startswith(_CORE) else shorten(tag)

"""Fingerprints of values: the same for what is equal, different for what is not, no work for what is known."""

import json
import sys
from copy import deepcopy
from hashlib import blake2b

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from swarm_core.engine import digest
from swarm_core.engine.digest import Digests
from swarm_core.model.value import MAX_DEPTH

# Long strings and wide containers stand beside short ones: the rules for large parts meet those for small ones.
texts = st.text(max_size=20) | st.builds(lambda text, n: text * n, st.text(min_size=1, max_size=3), st.integers(1, 400))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
wide = st.builds(lambda item, n: [item] * n, scalars | st.just({"a": [1]}), st.integers(0, 80))
values = st.recursive(
    scalars | wide,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=12,
)


unhurried = settings(deadline=None)


def canonical(value):
    return json.dumps(value, sort_keys=True)


def of(value):
    return Digests().of(value)


def shuffled(value, random):
    """A copy with the keys of its objects in another order."""
    if isinstance(value, dict):
        keys = list(value)
        random.shuffle(keys)
        return {key: shuffled(value[key], random) for key in keys}
    return [shuffled(item, random) for item in value] if isinstance(value, list) else value


def with_other_leaf(value, random):
    """A copy in which one leaf, key or length differs, mostly as little as can be."""
    if isinstance(value, dict) and value:
        key = random.choice(list(value))
        if random.random() < 0.2:
            rest = {name: item for name, item in value.items() if name != key}
            return {**rest, key + "x": value[key]} if random.random() < 0.5 else rest
        return {**value, key: with_other_leaf(value[key], random)}
    if isinstance(value, list) and value:
        if random.random() < 0.2:
            return value[1:] if random.random() < 0.5 else [*value, None]
        at = random.randrange(len(value))
        return [*value[:at], with_other_leaf(value[at], random), *value[at + 1 :]]
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return float(value) if random.random() < 0.5 else value ^ 1
    if isinstance(value, float):
        return -value
    if isinstance(value, str):
        at = random.randrange(len(value) + 1)
        return value[:at] + random.choice("x\u00e9'\"\0") + value[at:]
    return {None: False}.get(value, 0) if not isinstance(value, (dict, list)) else None


class TestEquality:
    @unhurried
    @given(value=values, random=st.randoms(use_true_random=False))
    def test_p12_equal_values_have_equal_fingerprints(self, value, random):
        known = Digests()

        fingerprints = {
            of(value),
            of(json.loads(json.dumps(value))),
            of(deepcopy(value)),
            of(shuffled(value, random)),
            known.of(value),
            known.of(value),
            known.of(deepcopy(value)),
        }

        assert len(fingerprints) == 1
        assert len(fingerprints.pop()) == 16

    @unhurried
    @given(value=values, random=st.randoms(use_true_random=False))
    def test_p12_values_that_differ_in_one_place_have_different_fingerprints(self, value, random):
        other = with_other_leaf(value, random)
        assume(canonical(value) != canonical(other))
        known = Digests()

        assert of(value) != of(other)
        assert known.of(value) != known.of(other)

    @unhurried
    @given(several=st.lists(values, max_size=12))
    def test_one_instance_tells_apart_exactly_what_differs(self, several):
        known = Digests()

        assert len({canonical(value) for value in several}) == len({known.of(value) for value in several})

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (1, 1.0),
            (1, True),
            (0, False),
            (0.0, -0.0),
            (1, "1"),
            (None, "null"),
            (None, False),
            ([], {}),
            ([], ""),
            ({}, None),
            ([1, 2], [2, 1]),
            ([1, [2]], [1, 2]),
            ({"a": 1}, {"a": 1, "b": None}),
            (2**63, float(2**63)),
            ("a", "A"),
            ("é", "e\u0301"),
        ],
    )
    def test_what_looks_alike_differs(self, one, other):
        assert of(one) != of(other)
        assert of([one]) != of([other])
        assert of({"x": [one] * 200}) != of({"x": [other] * 200})

    @unhurried
    @given(wide=st.integers(0, 200), long=st.integers(0, 1100))
    def test_sharing_makes_no_difference(self, wide, long):
        part = {"text": "x" * long, "numbers": list(range(wide))}
        shared = {"a": part, "b": [part, part], "c": {"d": part}}
        copied = {"a": deepcopy(part), "b": [deepcopy(part), deepcopy(part)], "c": {"d": deepcopy(part)}}

        assert of(shared) == of(copied)

    @pytest.mark.parametrize("part", [list(range(100)), {"k": "x" * 200}, "x" * 600], ids=["list", "object", "text"])
    def test_nothing_passes_for_what_stands_for_a_large_part(self, part):
        whole = blake_of(part)
        assert whole[:16] == of(part)

        forged = [[None, whole], ["NaN", whole], ["NaN", whole[:16]], [0, whole], whole, of(part), {"NaN": whole}]

        assert len({of({"part": value}) for value in [part, *forged]}) == len(forged) + 1

    def test_a_long_text_does_not_pass_for_the_json_of_a_short_one(self):
        short = "\x01" * 300
        long = json.dumps(short)[1:]

        assert len(long) > 512
        assert len({of(short), of(long), of([short]), of([long]), of("'" + long), of('"' + long)}) == 6


def blake_of(part):
    """All 32 digits of what stands for a large part that has none inside, worked out as the journal's page says."""
    canonical_text = json.dumps(part, sort_keys=True, separators=(",", ":"))
    return blake2b((f"'{part}" if isinstance(part, str) else canonical_text).encode(), digest_size=16).hexdigest()


def test_p12_fingerprints_are_those_of_journals_that_were_written_before():
    """They stand in journals: a change here would make every recorded run diverge."""
    examples = {
        "null": None,
        "small": {"b": [1, 2.5, True, None], "a": "größe"},
        "text": "x" * 512,
        "wide": list(range(1000)),
        "ctx": {"state": {"k": ["v" * 600] * 3, "n": list(range(40))}, "i": 7},
        "around the sizes": [["x" * 511, "x" * 512], [[1] * 15, [1] * 16], {"k" * 119: 1}, {"k" * 120: 1}, ["x" * 120]],
    }

    assert {name: of(value) for name, value in examples.items()} == {
        "null": "941dffce4e4308ce",
        "small": "1beff74840d4c78f",
        "text": "d4e3b1bbeaaa4927",
        "wide": "b6f9f4e5bc04056f",
        "ctx": "b9a3fc6315ac1dce",
        "around the sizes": "a9a200bcdec6346c",
    }


class TestMemory:
    def test_a_large_part_that_was_seen_is_not_walked_again(self):
        """It is changed here, which nobody may do, to show that nobody looks."""
        known = Digests()
        state = {f"key {n}": [n] * 20 for n in range(100)}
        before = known.of({"state": state, "i": 1})

        state["key 7"] = "changed"

        assert known.of({"state": state, "i": 1}) == before
        assert Digests().of({"state": state, "i": 1}) != before

    def test_a_large_value_that_was_seen_is_not_walked_again(self):
        known = Digests()
        ctx = {f"key {n}": n for n in range(100)}
        before = known.of(ctx)

        ctx["key 7"] = "changed"

        assert known.of(ctx) == before

    def test_small_values_are_not_held(self):
        known, value = Digests(), {"i": 1, "ok": True, "names": ["a", "b"]}
        before = sys.getrefcount(value)

        known.of(value)

        assert sys.getrefcount(value) == before

    def test_large_values_are_held_so_that_their_ids_stay_theirs(self):
        known = Digests()

        fingerprints = [known.of({"numbers": [n] * 100}) for n in range(500)]

        assert len(set(fingerprints)) == 500

    def test_what_is_held_is_bounded(self, monkeypatch):
        monkeypatch.setattr(digest, "_KEPT_AT_MOST", 10_000)
        known, first = Digests(), ["first"] * 100
        expected, before = known.of(first), sys.getrefcount(first)

        for n in range(100):
            known.of([n] * 100)

        assert sys.getrefcount(first) < before
        assert known.of(first) == expected

    def test_the_same_part_many_times_is_walked_once(self):
        """Printed it would have 2^150 strings."""
        value = ["x" * 30]
        for _ in range(150):
            value = [value, value, "a text that makes every level worth keeping" * 4]

        assert of(value) == of(json_loads_like(value))


def json_loads_like(value):
    """The same value with every level made anew; sharing within a level stays, printing it would not end."""
    if isinstance(value[0], str):
        return list(value)
    below = json_loads_like(value[0])
    return [below, below, value[2]]


def test_values_are_nested_as_deep_as_values_may_be():
    deep = 1
    for _ in range(MAX_DEPTH // 2):
        deep = [{"k": deep}]

    assert of(deep) == of(json.loads(json.dumps(deep)))
    assert of(deep) != of([deep])

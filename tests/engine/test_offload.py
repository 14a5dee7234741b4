"""Large values outside the journal: what is unpacked is what was packed, and what stands in a row is bounded."""

import json
from copy import deepcopy
from hashlib import sha256
from itertools import chain
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm_core.engine.offload import (
    is_marked,
    pack,
    pack_entries,
    pack_text,
    read_rows,
    references,
    unpack,
    unpack_events,
    unpack_text,
)
from swarm_core.engine.rows import decode_row, encode_entries
from swarm_core.errors import OutputNotFound, StoreUnreadable
from swarm_core.model.event import Event
from swarm_core.model.run import JournalRow
from swarm_core.model.value import MAX_DEPTH

KIB, MIB = 1 << 10, 1 << 20
REFERENCE = {"$output": "0" * 64, "bytes": 1}

# Keys and texts that look like our own marks, characters that are escaped, texts and lists around the thresholds.
texts = st.text(max_size=12) | st.builds(lambda text, n: text * n, st.text(min_size=1, max_size=2), st.integers(1, 200))
keys = st.sampled_from(["$output", "$literal", "bytes"]) | texts
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | st.sampled_from(["$output", '"$output"', REFERENCE["$output"]])
)


wide = st.builds(lambda item, n: [item] * n, scalars | st.just({"a": [1]}), st.integers(0, 60))


def nested(inner):
    return st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(keys, inner, max_size=5),
        st.builds(lambda item: {"$output": item}, inner),
        st.builds(lambda item: {"$literal": item}, inner),
        st.just(REFERENCE),
    )


values = st.recursive(scalars | wide, nested, max_leaves=12)
thresholds = st.one_of(st.just(0), st.just(inf), st.integers(0, 40), st.integers(0, 2000), st.floats(0, 1000))


unhurried = settings(deadline=None)


class Shelf:
    """What was kept, and how often it was taken out."""

    def __init__(self, blobs):
        self.blobs, self.loads = dict(blobs), []

    async def load(self, digest):
        self.loads.append(digest)
        if digest not in self.blobs:
            raise OutputNotFound(digest)
        return self.blobs[digest]


def exact(value):
    """A value as text that tells 1 from 1.0 and True, 0.0 from -0.0, and the order of keys."""
    return json.dumps(value)


def printed(value):
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def standing(packed):
    """The strings, objects and arrays that stand in a packed value; an escaped object counts with its escape."""
    if isinstance(packed, str):
        yield packed
    elif isinstance(packed, list):
        yield packed
        for item in packed:
            yield from standing(item)
    elif isinstance(packed, dict) and "$output" not in packed:
        yield packed
        for item in packed.get("$literal", packed).values():
            yield from standing(item)


class TestRoundTrip:
    @unhurried
    @given(value=values, threshold=thresholds)
    async def test_any_value_comes_back_exactly_at_any_threshold(self, value, threshold):
        packed, blobs = pack(value, threshold)

        assert exact(value) == exact(await unpack(packed, Shelf(blobs).load))
        assert exact(value) == exact(await unpack(json.loads(json.dumps(packed)), Shelf(blobs).load))

    @unhurried
    @given(value=values, threshold=thresholds)
    async def test_any_final_ctx_comes_back_from_its_text(self, value, threshold):
        text, blobs = pack_text(value, threshold)

        assert exact(value) == exact(await unpack_text(text, Shelf(blobs).load))

    @pytest.mark.parametrize("number", [0, 1, 1.0, -0.0, 2**63, 2**64 - 1, -(2**63), 5e-324, 1.7976931348623157e308])
    @pytest.mark.parametrize("threshold", [0, 10, inf])
    async def test_numbers_keep_their_type_and_sign(self, number, threshold):
        text, blobs = pack_text({"n": [number] * 9}, threshold)

        assert exact({"n": [number] * 9}) == exact(await unpack_text(text, Shelf(blobs).load))

    @pytest.mark.parametrize("key", ["$output", "$literal"])
    async def test_data_that_looks_like_a_mark_is_data(self, key):
        value = {key: {key: [{key: "0" * 64, "bytes": 1}]}, "bytes": 2}

        packed, blobs = pack(value, 32 * KIB)

        assert references(packed) == set()
        assert blobs == {}
        assert await unpack(packed, Shelf({}).load) == value

    @pytest.mark.parametrize("threshold", [0, 100, inf])
    async def test_values_may_be_as_deep_as_values_may_be(self, threshold):
        deep = "at the bottom"
        for _ in range(MAX_DEPTH // 2):
            deep = [{"$output": deep}]

        text, blobs = pack_text(deep, threshold)

        assert await unpack_text(text, Shelf(blobs).load) == deep


class TestRule:
    @unhurried
    @given(value=values, threshold=thresholds)
    def test_nothing_that_stands_is_larger_than_the_threshold(self, value, threshold):
        packed, blobs = pack(value, threshold)

        assert [part for part in standing(packed) if printed(part) > threshold] == []
        for blob in blobs.values():
            _, *inside = standing(json.loads(blob))
            assert [part for part in inside if printed(part) > threshold] == []

    @unhurried
    @given(value=values, threshold=thresholds)
    def test_nothing_is_kept_outside_that_need_not_be(self, value, threshold):
        _, blobs = pack(value, threshold)

        assert [blob for blob in blobs.values() if len(blob) <= threshold] == []

    @unhurried
    @given(value=values, threshold=thresholds)
    def test_what_is_kept_is_what_is_referred_to_under_its_sha_256(self, value, threshold):
        packed, blobs = pack(value, threshold)

        told = references(packed).union(*(references(json.loads(blob)) for blob in blobs.values()))
        assert told == set(blobs)
        assert [digest for digest, blob in blobs.items() if sha256(blob).hexdigest() != digest] == []

    @unhurried
    @given(value=values, threshold=thresholds)
    def test_equal_values_are_packed_alike_whatever_they_share(self, value, threshold):
        shared, copied = [value, value], [value, deepcopy(value)]

        assert pack(shared, threshold) == pack(copied, threshold)

    def test_only_the_large_leaf_is_replaced(self):
        log = "x" * MIB

        packed, blobs = pack({"verdict": "ok", "log": log}, 32 * KIB)

        digest = sha256(json.dumps(log).encode()).hexdigest()
        assert packed == {"verdict": "ok", "log": {"$output": digest, "bytes": MIB + 2}}
        assert blobs == {digest: json.dumps(log).encode()}

    def test_many_small_leaves_are_replaced_as_a_whole(self):
        packed, blobs = pack({"verdict": "ok", "numbers": list(range(10_000))}, 32 * KIB)

        assert packed["verdict"] == "ok"
        assert [list(range(10_000))] == [json.loads(blob) for blob in blobs.values()]
        assert references(packed["numbers"]) == set(blobs)

    def test_a_part_exactly_as_large_as_the_threshold_stands(self):
        assert pack("x" * 98, 100)[1] == {}
        assert len(pack("x" * 99, 100)[1]) == 1
        assert pack([1] * 50, 101)[1] == {}
        assert len(pack([1] * 50, 100)[1]) == 1

    def test_long_names_count_as_well(self):
        packed, blobs = pack({"a": 1, "b": {"k" * 100: 1}}, 200)
        assert packed == {"a": 1, "b": {"k" * 100: 1}}

        packed, blobs = pack({"a": 1, "b": {"k" * 200: 1}}, 200)
        assert packed["a"] == 1
        assert [{"k" * 200: 1}] == [json.loads(blob) for blob in blobs.values()]

    def test_sizes_are_bytes_of_utf_8(self):
        assert pack("日" * 33, 101)[1] == {}
        assert len(pack("日" * 33, 100)[1]) == 1

    def test_at_threshold_0_all_but_numbers_and_names_is_outside(self):
        assert pack([1, 2.5, True, None, "", [], {}], 0)[0].keys() == {"$output", "bytes"}
        assert [pack(leaf, 0) for leaf in (1, 2.5, True, None)] == [(leaf, {}) for leaf in (1, 2.5, True, None)]

    def test_without_a_threshold_nothing_is_outside(self):
        value = {"log": "x" * MIB, "numbers": list(range(10_000))}

        packed, blobs = pack(value, inf)

        assert packed is value
        assert blobs == {}

    def test_a_value_with_nothing_large_is_itself(self):
        value = {"verdict": "ok", "notes": ["a", "b", {"c": None}]}

        packed, blobs = pack(value, 32 * KIB)

        assert packed is value
        assert blobs == {}

    def test_what_is_packed_is_not_changed(self):
        value = {"log": "x" * 1000, "deep": [{"$output": "y" * 1000}]}
        before = deepcopy(value)

        pack(value, 100)

        assert value == before

    async def test_parts_without_anything_large_are_shared_with_the_packed_value(self):
        small = {"k": [1, 2]}

        packed, blobs = pack({"small": small, "log": "x" * 1000}, 500)

        assert packed["small"] is small
        assert (await unpack(packed, Shelf(blobs).load))["small"] is small


class TestSharing:
    def test_the_same_large_list_many_times_is_kept_once(self):
        part = list(range(10_000))

        packed, blobs = pack([part] * 1000, 32 * KIB)

        assert len(blobs) == 2
        assert printed(packed) < 200

    @unhurried
    @given(value=values, times=st.integers(2, 5), threshold=thresholds)
    async def test_what_stands_in_several_places_of_a_final_ctx_comes_back_in_all(self, value, times, threshold):
        ctx = {"lanes": [{"of": value, "number": n} for n in range(times)]}

        text, blobs = pack_text(ctx, threshold)

        assert exact(ctx) == exact(await unpack_text(text, Shelf(blobs).load))

    def test_the_lanes_of_a_fan_out_do_not_print_what_they_share_again(self):
        items = list(range(1000))

        text, blobs = pack_text([{"items": items, "item": n} for n in items], 32 * KIB)

        assert items in [json.loads(blob) for blob in blobs.values()]
        assert len(text) + sum(map(len, blobs.values())) < 150 * len(items)

    async def test_a_value_that_could_not_be_printed_is_packed_and_comes_back(self):
        """Printed it would have 2^150 texts."""
        value = ["x" * 30]
        for _ in range(150):
            value = [value, value]

        text, blobs = pack_text(value, KIB)
        found = await unpack_text(text, Shelf(blobs).load)

        assert pack(found, KIB) == pack(value, KIB)
        for _ in range(150):
            found = found[0]
        assert found == ["x" * 30]

    async def test_such_a_value_may_stand_in_an_event(self):
        value = ["x" * 30]
        for _ in range(150):
            value = [value, value]

        body, blobs = pack_entries([("task_pass", 1.0, "T-1", 1, {"result": value})], KIB)

        assert len(body) < 2 * KIB
        assert sum(map(len, blobs.values())) < 150 * KIB

    async def test_such_a_value_without_references_is_looked_at_once(self):
        value = []
        for _ in range(150):
            value = [value, value]

        assert await unpack(value, Shelf({}).load) is value

    async def test_every_digest_is_loaded_once(self):
        log = "x" * 1000
        packed, blobs = pack({"a": log, "b": [log, {"c": log}]}, 100)
        shelf = Shelf(blobs)

        found = await unpack(json.loads(json.dumps(packed)), shelf.load)

        assert len(shelf.loads) == len(set(shelf.loads)) == len(blobs)
        assert found["a"] is found["b"][0]

    async def test_a_memo_makes_that_once_for_several_calls(self):
        packed, blobs = pack({"log": ["x" * 1000] * 9}, 100)
        shelf, memo = Shelf(blobs), {}

        first, second = [await unpack(packed, shelf.load, memo) for _ in range(2)]

        assert len(shelf.loads) == len(blobs)
        assert first["log"] is second["log"]

    async def test_a_value_without_references_is_itself(self):
        value, shelf = {"verdict": "ok", "notes": ["a", {"c": None}]}, Shelf({})

        assert await unpack(value, shelf.load) is value
        assert shelf.loads == []


def row_of(body, count, first=1):
    return JournalRow(run_id="RUN-7", first_seq=first, last_seq=first + count - 1, body=body)


def ended(result, task_id="T-1"):
    """The events of an attempt that ended well, as the engine notes them."""
    return [
        ("task_attempt_completed", 1.0, task_id, 1, {"ok": True, "result": result}),
        ("task_pass", 2.0, task_id, 1, {"result": result}),
    ]


facts = st.dictionaries(keys, values, max_size=3)
published = st.builds(lambda data: [("of_a_plugin", 1.5, "T-1", 1, data)], facts)
entry_lists = st.lists(published | values.map(ended), max_size=4).map(lambda groups: list(chain(*groups)))


class TestRows:
    @unhurried
    @given(entries=entry_lists, threshold=thresholds)
    async def test_any_events_come_back_exactly_at_any_threshold(self, entries, threshold):
        body, blobs = pack_entries(entries, threshold)

        events = await read_rows([row_of(body, len(entries))], Shelf(blobs).load)

        assert [exact(entry) for entry in entries] == [
            exact([e.kind, e.time, e.task_id, e.attempt, e.data]) for e in events
        ]

    @unhurried
    @given(entries=entry_lists, threshold=thresholds)
    def test_facts_that_stand_are_no_larger_than_the_threshold(self, entries, threshold):
        body, _ = pack_entries(entries, threshold)

        for event in decode_row(row_of(body, len(entries))):
            for fact in event.data.get("$literal", event.data).values():
                assert [part for part in standing(fact) if printed(part) > threshold] == []

    @unhurried
    @given(entries=entry_lists, threshold=thresholds)
    def test_a_row_does_not_depend_on_what_is_written_with_it(self, entries, threshold):
        """A row that is short enough to be printed at once says the same as its events one by one."""
        large = ("of_a_plugin", 0.5, None, None, {"log": "x" * 3000})

        alone, blobs = pack_entries(entries, threshold)
        together, more = pack_entries([large, *entries], threshold)

        assert json.loads(together)[1:] == json.loads(alone)
        assert blobs.keys() <= more.keys()

    @pytest.mark.parametrize("log", ["x" * 999, "日" * 333, "\n" * 500])
    def test_a_fact_is_measured_by_itself(self, log):
        assert pack_entries([("p", 1.0, None, None, {"a": log})], printed(log))[1] == {}
        assert len(pack_entries([("p", 1.0, None, None, {"a": log})], printed(log) - 1)[1]) == 1

    def test_a_row_with_nothing_large_is_its_text(self):
        entries = ended({"i": 1, "ok": True})

        assert pack_entries(entries, 32 * KIB) == (encode_entries(entries), {})

    def test_a_long_row_with_nothing_large_is_its_text(self):
        entries = [entry for n in range(1000) for entry in ended({"i": n, "ok": True}, f"T-{n}")]

        assert pack_entries(entries, KIB) == (encode_entries(entries), {})

    def test_a_large_result_stands_once_as_one_reference(self):
        for result in ("x" * MIB, ["x" * MIB, 1], list(range(10_000))):
            body, blobs = pack_entries(ended(result), 32 * KIB)

            assert len(blobs) == 1
            assert body.count("$output") == 1
            assert len(body) < 300

    def test_a_result_a_little_below_the_threshold_stands_once(self):
        """What an event holds beside its result does not push the result out."""
        body, blobs = pack_entries(ended("x" * (32 * KIB - 2)), 32 * KIB)

        assert blobs == {}
        assert len(body) < 33 * KIB

    def test_the_same_large_value_of_two_runs_is_kept_once(self):
        one, other = pack_entries(ended("x" * MIB), 32 * KIB)[1], pack_entries(ended("x" * MIB, "T-2"), 32 * KIB)[1]

        assert one == other

    async def test_reading_loads_each_value_once_for_all_rows(self):
        body, blobs = pack_entries(ended("x" * MIB), 32 * KIB)
        shelf = Shelf(blobs)

        events = await read_rows([row_of(body, 2, first) for first in (1, 3, 5)], shelf.load)

        assert len(shelf.loads) == 1
        assert [1, 2, 3, 4, 5, 6] == [event.seq for event in events]
        assert all(event.data["result"] is events[0].data["result"] for event in events)

    async def test_reading_rows_without_references_loads_nothing(self):
        shelf = Shelf({})

        events = await read_rows([row_of(encode_entries(ended({"i": 1})), 2)], shelf.load)

        assert [{"i": 1}, {"i": 1}] == [event.data["result"] for event in events]
        assert shelf.loads == []

    async def test_events_without_references_are_themselves(self):
        events = decode_row(row_of(encode_entries(ended({"i": 1})), 2))

        assert await unpack_events(events, Shelf({}).load) is events

    async def test_no_events_are_no_events(self):
        assert await unpack_events([], Shelf({}).load) == []

    async def test_an_event_keeps_all_but_its_references(self):
        packed, blobs = pack({"log": "x" * 1000, "n": 1}, 100)
        event = Event("worker_output", "RUN-7", 9, 2.5, "T-1", 3, packed)

        (found,) = await unpack_events([event], Shelf(blobs).load)

        assert Event("worker_output", "RUN-7", 9, 2.5, "T-1", 3, {"log": "x" * 1000, "n": 1}) == found

    def test_half_a_surrogate_pair_is_no_obstacle(self):
        """The text of an error may hold one."""
        body, blobs = pack_entries([("task_blocked", 1.0, "T-1", 1, {"error": "\udcfc" * 100})], 100)

        body.encode()
        assert [json.loads(blob) for blob in blobs.values()] == ["\udcfc" * 100]


class TestMarks:
    @pytest.mark.parametrize("value", ["$output", {"$output": 1}, ["$literal"], {"a": {"$literal": 1}}])
    def test_text_with_a_mark_may_have_to_be_unpacked(self, value):
        assert is_marked(json.dumps(value))

    @pytest.mark.parametrize("value", ["$.output", "$outputs", 'the "$output" of', {"output": 1}])
    def test_other_text_need_not(self, value):
        assert not is_marked(json.dumps(value))


class TestDamage:
    async def test_a_value_that_is_gone_is_told_with_run_and_events(self):
        body, blobs = pack_entries(ended("x" * MIB), 32 * KIB)

        with pytest.raises(StoreUnreadable, match="events 1 to 2 of run RUN-7 cannot be read whole") as caught:
            await read_rows([row_of(body, 2)], Shelf({}).load)

        assert next(iter(blobs)) in str(caught.value)

    async def test_a_value_of_a_result_that_is_gone_is_told(self):
        text, _ = pack_text("x" * MIB, 32 * KIB)

        with pytest.raises(OutputNotFound):
            await unpack_text(text, Shelf({}).load)

    async def test_a_value_that_is_no_json_is_told_with_its_digest(self):
        text, blobs = pack_text("x" * MIB, 32 * KIB)
        (digest,) = blobs

        with pytest.raises(StoreUnreadable, match=f"what is kept under {digest} is no JSON text"):
            await unpack_text(text, Shelf({digest: b'"cut of'}).load)

    @pytest.mark.parametrize("text", ['{"$output":7}', '[{"$output":null,"bytes":1}]', '{"a":{"$output":{}}}'])
    async def test_a_reference_that_is_none_is_told(self, text):
        with pytest.raises(StoreUnreadable, match="where a digest belongs"):
            await unpack_text(text, Shelf({}).load)

    @pytest.mark.parametrize("text", ['{"$literal":7}', '[{"$literal":["$output"]}]'])
    async def test_an_escape_that_is_none_is_told(self, text):
        with pytest.raises(StoreUnreadable, match="where an object belongs"):
            await unpack_text(text, Shelf({}).load)

    @pytest.mark.parametrize("text", ["", "{", '{"a":', "\0" * 20])
    async def test_a_text_that_is_no_json_is_told(self, text):
        with pytest.raises(StoreUnreadable, match="the text of a value is damaged"):
            await unpack_text(text, Shelf({}).load)

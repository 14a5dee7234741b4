"""Records are the same however the bytes arrive."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swarm_plugin_subprocess.framing import (
    FRAMINGS,
    MAX_LINE,
    BadLine,
    BrokenFrame,
    LengthPrefixed,
    LineTooLong,
    NdjsonLines,
    SseEvents,
)


def records_of(framing, *parts):
    return [record for part in parts for record in framing.feed(part)] + list(framing.end())


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(edges)]


@pytest.mark.parametrize("mode", ["ndjson_lines", "sse_events"])
@given(data=st.text("da:t \r\n{x", max_size=60).map(str.encode), cuts=st.lists(st.integers(0, 100), max_size=8))
def test_lines_do_not_depend_on_how_the_bytes_are_cut(mode, data, cuts):
    whole = records_of(FRAMINGS[mode](), data)

    cut = records_of(FRAMINGS[mode](), *pieces(data, cuts))

    assert cut == whole


@given(
    bodies=st.lists(st.binary(min_size=1, max_size=300), max_size=6), cuts=st.lists(st.integers(0, 2000), max_size=8)
)
def test_frames_come_out_as_they_went_in(bodies, cuts):
    data = b"".join(len(body).to_bytes(4, "big") + body for body in bodies)

    assert records_of(LengthPrefixed(), *pieces(data, cuts)) == bodies


@given(lines=st.lists(st.binary(max_size=50).map(lambda line: line.replace(b"\n", b"").strip()), max_size=10))
def test_lines_come_out_as_they_went_in_without_blank_ones(lines):
    data = b"".join(line + b"\n" for line in lines)

    assert records_of(NdjsonLines(), data) == [line for line in lines if line]


def test_the_longest_line_is_taken_and_a_longer_one_is_not():
    longest = b"x" * MAX_LINE

    assert records_of(NdjsonLines(), longest + b"\n" + longest) == [longest, longest]
    with pytest.raises(LineTooLong):
        records_of(NdjsonLines(), longest + b"x\n")


def test_what_precedes_a_broken_frame_comes_out():
    records = LengthPrefixed().feed(b"\0\0\0\1a" + bytes(4))

    first = next(records)

    assert first == b"a"
    with pytest.raises(BrokenFrame):
        next(records)


def test_a_line_of_another_kind_is_marked():
    assert records_of(SseEvents(), b"data: 1\noops\n\n") == [BadLine(b"oops"), b"1"]


def test_an_event_without_data_is_none():
    assert records_of(SseEvents(), b"event: ping\n\n:\n\ndata\n\n") == [b""]

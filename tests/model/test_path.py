"""The grammar of paths; rows 61 and 62 of the bad inputs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_core.model.path import MAX_SEGMENTS, BadPath, parse_path, place


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("$", ()),
        ("ctx", ()),
        ("$.a", ("a",)),
        ("ctx.a.b", ("a", "b")),
        ('$["a b"]', ("a b",)),
        ('$["a.b"]["c[d"].e', ("a.b", "c[d", "e")),
        ('$.["a"].b', ("a", "b")),
        ("$[0]", (0,)),
        ("$.a[10][-1].b", ("a", 10, -1, "b")),
        ("$.[2]", (2,)),
        ("$. sp ", (" sp ",)),
        ("$.a]", ("a]",)),
        ('$.a"b', ('a"b',)),
        ("$.🚀.été", ("🚀", "été")),
        ("$.0.1", ("0", "1")),
        ("$.ctx.$", ("ctx", "$")),
    ],
)
def test_a_path_has_segments(text, segments):
    assert segments == parse_path(text)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("", 1),
        ("foo.bar", 1),
        (".a", 1),
        (" $.a", 1),
        ("\ufeff$.a", 1),
        ("@.a", 1),
        ("$foo", 2),
        ("$$", 2),
        ("ctxa", 4),
        ("$.", 3),
        ("$..a", 3),
        ("$.a.", 5),
        ("$.a..b", 5),
        ("$[", 2),
        ("$.a[", 4),
        ("$.a[]", 4),
        ("$['a']", 2),
        ('$["a"', 2),
        ('$[""]', 2),
        ('$["a"]b', 7),
        ('$.a["b"].', 10),
        ('$["["k"]"]', 2),
        ("$[1e3]", 2),
        ("$[1.0]", 2),
        ("$[-0]", 2),
        ("$[01]", 2),
        ("$[+1]", 2),
        ("$[ 1]", 2),
        ("$[-]", 2),
        ("$[*]", 2),
        ("$[٣]", 2),
        ("$[9999999999999999]", 2),
        ("$.a\0b", 4),
    ],
)
def test_ex61_a_malformed_path_is_refused_with_the_column(text, column):
    with pytest.raises(BadPath) as caught:
        parse_path(text)

    assert column == caught.value.column
    assert f"at column {column}: {caught.value.reason}" in str(caught.value)


def test_ex62_a_path_has_a_limited_number_of_segments():
    assert MAX_SEGMENTS == len(parse_path("$" + ".a" * MAX_SEGMENTS))
    for path in ("$" + ".a" * (MAX_SEGMENTS + 1), "$" + "[0]" * 100_000):
        with pytest.raises(BadPath, match="at most 1,000 segments"):
            parse_path(path)


def test_the_text_of_a_long_path_is_cut_in_messages():
    with pytest.raises(BadPath) as caught:
        parse_path("$" + "x" * 100_000)

    assert 200 > len(str(caught.value))


@given(st.lists(st.integers(-999, 999) | st.text(min_size=1, max_size=5), max_size=6))
def test_segments_survive_being_written_in_brackets(segments):
    expected = tuple(segment for segment in segments if isinstance(segment, int) or not set(segment) & {'"', "\0"})
    text = "$" + "".join(f"[{segment}]" if isinstance(segment, int) else f'["{segment}"]' for segment in expected)

    assert expected == parse_path(text)


@given(st.text(max_size=12))
def test_any_text_is_a_path_or_a_bad_path(text):
    for path in (text, "$" + text, "$." + text, "ctx[" + text):
        try:
            segments = parse_path(path)
        except BadPath as error:
            assert 1 <= error.column <= len(path) + 1
        else:
            assert all(segments) or 0 in segments


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a", "$.a"),
        ("a-b_1", "$.a-b_1"),
        (2, "$[2]"),
        ("odd key", '$["odd key"]'),
        ("", '$[""]'),
        ("1", '$["1"]'),
        ('"\x1b\n', r'$["\"\u001b\n"]'),
    ],
)
def test_a_place_in_a_document_is_written_like_a_path(key, expected):
    assert expected == place("$", key)


def test_the_place_of_a_long_key_is_cut():
    assert 100 > len(place("$", "x y" * 1_000))
    assert 100 > len(place("$", "x" * 1_000))

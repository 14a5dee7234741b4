"""Links of rows: what they are made of, how they stand in a row, how they are shown."""

from base64 import b64encode
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_core.codec.compact import compact
from swarm_core.codec.row_text import (
    first_link,
    link_after,
    link_as_hex,
    link_from_hex,
    parted,
    with_link,
)

TEXT = '[["run_started",1.0,null,null,{"blueprint":"größe"}]]'
digests = st.binary(min_size=32, max_size=32)


def test_a_link_is_the_sha_256_of_the_one_before_the_numbers_and_the_text():
    before = first_link("RUN-1")

    link = link_after(before, 1, 4, TEXT)

    assert link == b64encode(sha256(f"{before} 1 4 {TEXT}".encode()).digest()).decode().rstrip("=")
    assert before == b64encode(sha256(b" 0 0 RUN-1").digest()).decode().rstrip("=")


def test_a_row_is_at_most_60_bytes_longer_with_its_link():
    assert len(with_link(TEXT, first_link("RUN-1"))) - len(TEXT) <= 60


@given(value=st.lists(st.dictionaries(st.text(), st.text()), min_size=1), digest=digests)
def test_text_and_link_are_told_apart(value, digest):
    text, link = compact(value), link_from_hex(digest.hex())

    assert (text, link) == parted(with_link(text, link))
    assert (text, None) == parted(text)


@pytest.mark.parametrize(
    "body", ["", "[]", '["x"]', '"x"', TEXT, TEXT[:-1] + ',"short"]', TEXT[:-1] + f',"{"?" * 43}"]']
)
def test_what_ends_otherwise_has_no_link(body):
    assert (body, None) == parted(body)


def test_half_a_surrogate_pair_does_not_keep_a_row_from_having_a_link():
    assert len(link_after("", 1, 1, "\udcff")) == 43


@given(digest=digests)
def test_people_are_shown_64_hex_digits(digest):
    assert digest.hex() == link_as_hex(link_from_hex(digest.hex()))


@pytest.mark.parametrize("digits", ["", "ab", "x" * 64, "ab" * 33, first_link("RUN-1")])
def test_what_is_no_link_is_refused(digits):
    with pytest.raises(ValueError, match=r"hex"):
        link_from_hex(digits)

"""Durations and sizes: what people may write, and what is refused with a reason."""

from __future__ import annotations

from typing import Any

import pytest

from swarm_core.model.duration import parse_duration, parse_size

TEN_YEARS = 10 * 365 * 86400


class TestDurations:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            (90, 90.0),
            (1.5, 1.5),
            ("500ms", 0.5),
            ("90s", 90.0),
            ("1.5m", 90.0),
            ("2h", 7200.0),
            ("7d", 604800.0),
            (" 5 m ", 300.0),
            (TEN_YEARS, float(TEN_YEARS)),
        ],
    )
    def test_cl150_numbers_are_seconds_and_texts_carry_a_unit(self, text: Any, seconds: float) -> None:
        assert seconds == parse_duration(text)

    @pytest.mark.parametrize("text", ["5", "-1s", "5 parsecs", "s", "", "1e9s", "1,5s", "5S", "5m30s", "٣s", "1_0s"])
    def test_cl150_a_text_of_another_form_is_refused_with_examples(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"is no duration: .* such as 90s"):
            parse_duration(text)

    @pytest.mark.parametrize(
        "text", [0, -1, -0.5, "0s", float("nan"), float("inf"), TEN_YEARS + 1, 10**400, -(10**400), "9" * 400 + "s"]
    )
    def test_cl150_nothing_and_more_than_ten_years_are_out_of_range(self, text: Any) -> None:
        with pytest.raises(ValueError, match="out of range: a duration is more than 0 and at most ten years"):
            parse_duration(text)

    @pytest.mark.parametrize("text", [True, False])
    def test_a_truth_value_is_no_number_of_seconds(self, text: bool) -> None:
        with pytest.raises(ValueError, match="no duration"):
            parse_duration(text)

    @pytest.mark.parametrize("text", ["x" * 10_000, "9" * 10_000 + "s", 10**4000])
    def test_the_message_shows_only_the_beginning_of_what_is_long(self, text: Any) -> None:
        with pytest.raises(ValueError) as caught:
            parse_duration(text)

        assert len(str(caught.value)) < 200


class TestSizes:
    @pytest.mark.parametrize(
        ("text", "size"),
        [
            (4096, 4096),
            ("4096", 4096),
            ("512B", 512),
            ("64KiB", 65536),
            ("16 MiB", 16 * 1024**2),
            ("10GB", 10 * 1000**3),
            ("1.5kb", 1500),
            ("1gib", 1024**3),
            (2**63 - 1, 2**63 - 1),
        ],
    )
    def test_cl150_sizes_are_bytes_or_carry_a_unit(self, text: Any, size: int) -> None:
        assert size == parse_size(text)

    @pytest.mark.parametrize(
        "text", ["ten", "-1", "1TB", "", "MB", "1 000", "1e3", "\N{KELVIN SIGN}B", "1\N{KELVIN SIGN}B"]
    )
    def test_cl150_a_text_of_another_form_is_refused_with_examples(self, text: str) -> None:
        with pytest.raises(ValueError, match="is no size: write bytes, or a number with KB"):
            parse_size(text)

    @pytest.mark.parametrize("text", [0, -5, "0", "0.5B", "9" * 400 + "GB", 2**63, 10**400])
    def test_cl150_less_than_a_byte_and_more_than_a_disk_are_out_of_range(self, text: Any) -> None:
        with pytest.raises(ValueError, match="out of range: a size is from 1 byte"):
            parse_size(text)

    def test_a_truth_value_is_no_size(self) -> None:
        with pytest.raises(ValueError, match="no size"):
            parse_size(True)

"""The bounded JSON loader: what it refuses, where, and that nothing makes it hang, crash or lose data."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from swarm_core.codec import Limits, load_json
from swarm_core.model.problem import Problem

MIB = 1024 * 1024


@pytest.fixture
def refuse(problems_of):
    def call(text: str | bytes, **more: Any) -> list[Problem]:
        return problems_of(load_json, text.encode() if isinstance(text, str) else text, name="bp.json", **more)

    return call


def facts(problems: list[Problem]) -> list[tuple[str, str, int | None, int | None]]:
    return [(problem.code, problem.path, problem.line, problem.column) for problem in problems]


class TestGoodDocuments:
    @pytest.mark.parametrize(
        "text",
        [
            '{"a": [1, -2.5, true, false, null, "x"], "b": {}, "c": []}',
            '{"emoji": "\\ud83d\\ude00", "quoted": "\\\\ud83d", "e": "\\u00e9", "nul": "\\u0000"}',
            "[1e10, 1E-5, -0.0, 0]",
            '"text"',
            "null",
        ],
    )
    def test_the_value_is_the_one_that_the_standard_library_reads(self, text: str) -> None:
        loaded = load_json(text.encode(), name="x")

        assert json.loads(text) == loaded.value

    @pytest.mark.parametrize("number", [-(2**63), 2**63 - 1, 2**63, 2**64 - 1, 9007199254740993])
    def test_bp19_integers_in_range_are_kept_exactly(self, number: int) -> None:
        loaded = load_json(f"[{number}]".encode(), name="x")

        assert [number] == loaded.value
        assert type(loaded.value[0]) is int

    def test_bp15_a_byte_order_mark_is_no_part_of_the_document(self) -> None:
        loaded = load_json(b'\xef\xbb\xbf{"a": 1}', name="x")

        assert {"a": 1} == loaded.value
        assert (1, 2) == loaded.positions["$.a"]

    def test_as_deep_as_the_limit_is_not_too_deep(self) -> None:
        text = "[" * 500 + "]" * 500

        assert load_json(text.encode(), name="x").value


class TestPositions:
    def test_a_member_stands_where_its_key_does_and_an_item_where_it_begins(self) -> None:
        text = b'{"a": [10,\n  {"b c": 2}],\r\n "\\u0078": "\\""}'

        positions = load_json(text, name="x").positions

        assert {
            "$": (1, 1),
            "$.a": (1, 2),
            "$.a[0]": (1, 8),
            "$.a[1]": (2, 3),
            '$.a[1]["b c"]': (2, 4),
            "$.x": (3, 2),
        } == dict(positions)

    def test_columns_count_characters(self) -> None:
        positions = load_json('{"größe😀": 1, "b": 2}'.encode(), name="x").positions

        assert (1, 15) == positions["$.b"]


class TestSyntax:
    @pytest.mark.parametrize("text", ["", "  \n\t ", "\ufeff"])
    def test_bp1_an_empty_file_is_called_empty(self, text: str, refuse) -> None:
        (problem,) = refuse(text)

        assert ("blueprint_empty", "bp.json") == (problem.code, problem.file)

    @pytest.mark.parametrize(
        ("text", "line", "column", "hint"),
        [
            ('{"a": 1,\n}', 2, 1, "a comma before a closing bracket is not JSON"),
            ("{'a': 1}", 1, 2, "JSON strings take double quotes"),
            ('{"a": 1} // x', 1, 10, "JSON has no comments"),
            ('{"a" 1}', 1, 6, None),
            ('{"a": "\n"}', 1, 8, None),
            ("[1", 1, 3, None),
            ("id: x", 1, 1, None),
            ('{"a": 01}', 1, 8, None),
        ],
    )
    def test_bp2_an_error_of_syntax_has_line_column_and_a_hint(
        self, text: str, line: int, column: int, hint: str | None, refuse
    ) -> None:
        (problem,) = refuse(text)

        assert ("json_syntax", line, column, hint) == (problem.code, problem.line, problem.column, problem.hint)

    def test_an_error_of_syntax_is_told_before_what_may_be_wrong_with_a_part(self, refuse) -> None:
        assert [("json_syntax", "$", 1, 20)] == facts(refuse('{"a": 1, "a": NaN, }'))


class TestLimits:
    def test_bp5_too_many_bytes_are_refused_before_they_are_looked_at(self, refuse) -> None:
        (problem,) = refuse(b"\xff" * (2 * MIB + 1))

        assert "too_large" == problem.code
        assert "2,097,152" in problem.message

    def test_bp5_as_many_bytes_as_the_limit_are_read(self) -> None:
        text = b'"' + b"x" * (2 * MIB - 2) + b'"'

        assert 2 * MIB - 2 == len(load_json(text, name="x").value)

    @pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
    @pytest.mark.parametrize("levels", [501, 100_000, 1_000_000])
    def test_bp6_too_deep_is_refused_whatever_the_depth(self, opening: str, levels: int, refuse) -> None:
        text = (opening * levels)[: 2 * MIB]

        (problem,) = refuse(text)

        assert "too_deep" == problem.code
        assert 1 == problem.line

    def test_bp6_brackets_in_strings_do_not_count(self) -> None:
        text = json.dumps(["[" * 2000, "\\" + "{" * 2000, '"' + "[" * 2000])

        assert 3 == len(load_json(text.encode(), name="x").value)

    @pytest.mark.skipif(sys.version_info >= (3, 12), reason="C code has a stack limit of its own since Python 3.12")
    def test_bp6_a_caller_that_is_deep_in_the_stack_itself_gets_the_same_refusal(self, refuse) -> None:
        def deeper(levels: int) -> list[Problem]:
            return deeper(levels - 1) if levels else refuse("[" * 480 + "]" * 480)

        room = sys.getrecursionlimit() - 450

        assert "too_deep" == deeper(room)[0].code

    @pytest.mark.parametrize("text", ["[" + "1," * 150_000 + "1]", "[" + "[]," * 150_000 + "[]]"])
    def test_too_many_values_are_refused(self, text: str, refuse) -> None:
        (problem,) = refuse(text)

        assert "too_large" == problem.code
        assert "100,000 values" in problem.message

    def test_limits_may_be_set(self, refuse) -> None:
        assert "too_deep" == refuse("[[[]]]", limits=Limits(depth=2))[0].code
        assert "too_large" == refuse("[1, 2]", limits=Limits(values=2))[0].code
        assert "too_large" == refuse("[1, 2]", limits=Limits(size=5))[0].code

    @pytest.mark.parametrize(
        "text",
        [
            '["' + '\\"' * (MIB - 2),
            '["' * 700_000,
            '"' * (2 * MIB),
            '\\"' * MIB,
            "," * (2 * MIB),
            "\\" * (2 * MIB),
            "é" * MIB,
            "1" * (2 * MIB),
            '{"a":1,' * 400,
        ],
        ids=["escapes", "unclosed", "quotes", "outside", "commas", "backslashes", "letters", "digits", "objects"],
    )
    def test_malformed_text_of_full_size_is_refused_and_does_not_hang(self, text: str, refuse) -> None:
        assert refuse(text)


class TestContents:
    def test_bp13_a_duplicate_key_is_named_with_both_places(self, refuse) -> None:
        (problem,) = refuse('{"role": "worker",\n "x": {"role": 1},\n "role": "operator"}')

        assert ("duplicate_key", "$.role", 3, 2) == facts([problem])[0]
        assert "line 1, column 2" in problem.message

    def test_bp13_an_escape_does_not_hide_a_duplicate_key(self, refuse) -> None:
        assert [("duplicate_key", "$.a", 1, 10)] == facts(refuse('{"a": 1, "\\u0061": 2}'))

    @pytest.mark.parametrize(
        ("data", "offset"),
        [
            (b'{"a": "\xe9"}', 7),
            (b'\xef\xbb\xbf{"a": "\xe9"}', 10),
            ('{"a": 1}'.encode("utf-16"), 0),
            ('{"a": 1}'.encode("utf-16-le"), 0),
            ('{"a": 1}'.encode("utf-32-be"), 0),
            (b'{"a":\n "\xf0\x9f\x98"}', 8),
            (b'"\xed\xa0\x80"', 1),
        ],
    )
    def test_bp15_bytes_that_are_not_utf8_are_named(self, data: bytes, offset: int, refuse) -> None:
        (problem,) = refuse(data)

        assert "not_utf8" == problem.code
        assert f"byte {offset} " in problem.message

    def test_bp16_a_raw_nul_is_refused(self, refuse) -> None:
        (problem,) = refuse(b'{"abc": "\0"}')

        assert ("bad_unicode", "byte 9 is a NUL character") == (problem.code, problem.message)

    @pytest.mark.parametrize("escape", ["\\ud800", "\\udfff", "\\ud800x", "\\udc00\\ud800"])
    def test_bp17_half_a_surrogate_pair_is_refused_in_values_and_keys(self, escape: str, refuse) -> None:
        problems = refuse(f'{{"a": ["{escape}"],\n "{escape}": 1}}')

        assert [("bad_unicode", 1, 8), ("bad_unicode", 2, 2)] == [(p.code, p.line, p.column) for p in problems]

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "-1E999", "9" * 400 + ".0"])
    def test_bp18_what_is_no_finite_number_is_refused(self, number: str, refuse) -> None:
        assert [("bad_number", "$.a[1]", 1, 11)] == facts(refuse(f'{{"a": [1, {number}]}}'))

    @pytest.mark.parametrize("number", ["1" * 5000, str(2**64), str(-(2**63) - 1), "-" + "9" * 30])
    def test_bp19_integers_out_of_range_are_refused_not_rounded(self, number: str, refuse) -> None:
        assert [("number_range", "$[1]", 1, 5)] == facts(refuse(f"[0, {number}]"))

    def test_all_problems_are_told_at_once_in_the_order_of_the_text(self, refuse) -> None:
        problems = refuse('{"a": NaN,\n "b": {"c": 1e400, "c": 2},\n "d": ["\\ud800", 99999999999999999999]}')

        assert [
            ("bad_number", "$.a", 1, 7),
            ("bad_number", "$.b.c", 2, 13),
            ("duplicate_key", "$.b.c", 2, 20),
            ("bad_unicode", "$.d[0]", 3, 8),
            ("number_range", "$.d[1]", 3, 18),
        ] == facts(problems)

    def test_of_very_many_problems_a_hundred_are_told_and_that_there_are_more(self, refuse) -> None:
        problems = refuse("[" + "NaN," * 50_000 + "NaN]")

        assert 101 == len(problems)
        assert ("too_many_problems", "there are more problems than these 100") == (
            problems[-1].code,
            problems[-1].message,
        )

    def test_very_long_keys_do_not_make_very_long_messages(self, refuse) -> None:
        key = "k" * 3000
        text = f'{{"{key}":' * 300 + "[" + "NaN," * 1000 + "NaN]" + "}" * 300

        problems = refuse(text)

        assert 101 == len(problems)
        assert max(len(str(problem)) for problem in problems) < 1000

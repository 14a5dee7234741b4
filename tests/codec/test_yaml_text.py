"""The bounded YAML loader: YAML 1.2, JSON's types only, nothing that hangs, crashes, explodes or has two readings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from swarm_core.codec import LIMITS, Limits, load_json, load_yaml
from swarm_core.model.problem import Problem

MIB = 1024 * 1024


@pytest.fixture
def refuse(problems_of):
    def call(text: str | bytes, **more: Any) -> list[Problem]:
        return problems_of(load_yaml, text.encode() if isinstance(text, str) else text, name="bp.yaml", **more)

    return call


def load(text: str) -> Any:
    return load_yaml(text.encode(), name="x").value


def facts(problems: list[Problem]) -> list[tuple[str, str, int | None, int | None]]:
    return [(problem.code, problem.path, problem.line, problem.column) for problem in problems]


class TestScalars:
    @pytest.mark.parametrize(
        "text",
        [
            *("no", "No", "on", "off", "yes", "y", "n", "--", "=", ".infx"),
            *("1:30", "1_000", "0b101", "0o8", "0x", ".e5", "1e", "1e5e", "1.2.3"),
            *("2001-12-14", "2001-12-14T21:59:43Z"),
        ],
    )
    def test_bp12_what_yaml_1_1_read_otherwise_is_a_string(self, text: str) -> None:
        assert {"a": text} == load(f"a: {text}")

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("true", True),
            ("FALSE", False),
            ("null", None),
            ("~", None),
            ("", None),
            ("12", 12),
            ("-0", 0),
            ("+5", 5),
            ("0x1F", 31),
            ("0o17", 15),
            ("1.5", 1.5),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e3", 1000.0),
            ("-1.5E-2", -0.015),
            ("01.5", 1.5),
            (str(2**64 - 1), 2**64 - 1),
            (str(-(2**63)), -(2**63)),
        ],
    )
    def test_bp12_the_core_schema_of_yaml_1_2_tells_the_rest(self, text: str, value: Any) -> None:
        read = load(f"a: {text}")["a"]

        assert (value, type(value)) == (read, type(read))

    @pytest.mark.parametrize("text", ["'12'", '"12"', "!!str 12", "! 12", "|\n 12\n", ">-\n 12"])
    def test_quoted_block_and_tagged_scalars_are_strings(self, text: str) -> None:
        assert "12" == load(f"a: {text}")["a"].strip()

    @pytest.mark.parametrize("text", ["017", "-017", "00", "+08"])
    def test_bp12_a_leading_zero_is_refused_with_all_readings(self, text: str, refuse) -> None:
        (problem,) = refuse(f"a:\n  - {text}")

        assert [("bad_number", "$.a[0]", 2, 5)] == facts([problem])
        assert f'"{text}" for a string' in (problem.hint or "")

    @pytest.mark.parametrize("text", [".inf", "-.INF", ".NaN", "1e400", "-1e999"])
    def test_bp18_what_is_no_finite_number_is_refused(self, text: str, refuse) -> None:
        assert [("bad_number", "$.a", 1, 4)] == facts(refuse(f"a: {text}"))

    @pytest.mark.parametrize("text", ["1" * 5000, str(2**64), str(-(2**63) - 1), "0x" + "f" * 17, "0o" + "7" * 30])
    def test_bp19_integers_out_of_range_are_refused_not_rounded(self, text: str, refuse) -> None:
        assert [("number_range", "$.a", 1, 4)] == facts(refuse(f"a: {text}"))


class TestKeys:
    @pytest.mark.parametrize("key", ["1", "1.5", "true", "null", "~", "0x1F", "!!int 7", ""])
    def test_bp12_a_key_that_is_no_string_is_refused(self, key: str, refuse) -> None:
        (problem,) = refuse(f"a:\n  ? {key}\n  : x")

        assert ("bad_key", "$.a", 2) == (problem.code, problem.path, problem.line)
        assert "put it into quotes" in (problem.hint or "")

    @pytest.mark.parametrize("key", ["no", "on", "1:30", "'1'", '"true"', "!!str 5", "2001-12-14"])
    def test_bp12_a_key_that_is_a_string_by_yaml_1_2_is_one(self, key: str) -> None:
        assert {key.removeprefix("!!str ").strip("'\""): 1} == load(f"{key}: 1")

    @pytest.mark.parametrize("key", ["[a]", "{a: b}", "\n  - a"])
    def test_bp12_an_array_or_object_is_no_key(self, key: str, refuse) -> None:
        assert "bad_key" == refuse(f"? {key}\n: x")[0].code

    def test_bp13_a_duplicate_key_is_named_with_both_places(self, refuse) -> None:
        (problem,) = refuse("role: worker\nx: {role: 1}\n'role': operator")

        assert [("duplicate_key", "$.role", 3, 1)] == facts([problem])
        assert "line 1, column 1" in problem.message

    @pytest.mark.parametrize("text", ["a: &a {x: 1}\nb:\n  <<: *a", "b: {<<: [{x: 1}]}", "b:\n  !!str <<: 1\n  <<: {}"])
    def test_bp10_merge_keys_are_refused(self, text: str, refuse) -> None:
        (problem,) = refuse(text)

        assert ("merge_key", "$.b") == (problem.code, problem.path)

    def test_bp10_a_quoted_merge_key_is_a_key(self) -> None:
        assert {"<<": 1} == load('"<<": 1')


class TestTags:
    @pytest.mark.parametrize(
        ("text", "tag"),
        [
            ("!!python/object/apply:os.system [ls]", "!!python/object/apply:os.system"),
            ("!!python/name:os.system", "!!python/name:os.system"),
            ("!!binary aGk=", "!!binary"),
            ("!!set {x, y}", "!!set"),
            ("!!omap [x: 1]", "!!omap"),
            ("!!timestamp 2001-12-14", "!!timestamp"),
            ("!mine x", "!mine"),
            ("!<tag:example.com,2000:x> y", "tag:example.com,2000:x"),
        ],
    )
    def test_bp11_only_the_types_of_json_are_read_and_the_tag_is_named(self, text: str, tag: str, refuse) -> None:
        (problem,) = refuse(f"a: {text}")

        assert [("bad_tag", "$.a", 1, 4)] == facts([problem])
        assert f"the tag {tag} is not accepted" == problem.message

    @pytest.mark.parametrize(
        ("text", "value"),
        [("!!int 5", 5), ("!!float 1.5", 1.5), ("!!float 1", 1), ("!!bool true", True), ("!!null ~", None)],
    )
    def test_bp11_tags_of_the_types_of_json_are_accepted(self, text: str, value: Any) -> None:
        assert {"a": value, "b": [1], "c": {}} == load(f"a: {text}\nb: !!seq [1]\nc: !!map {{}}")

    @pytest.mark.parametrize("text", ["!!int x", "!!bool no", "!!float abc", "!!null nil"])
    def test_bp11_a_tag_that_does_not_fit_its_scalar_is_refused(self, text: str, refuse) -> None:
        assert [("bad_tag", "$.a", 1, 4)] == facts(refuse(f"a: {text}"))


class TestAliases:
    def test_an_alias_stands_for_what_its_anchor_marks(self) -> None:
        assert {"a": [1, {"x": "y"}], "b": [1, {"x": "y"}], "k": 1} == load("a: &a [1, {x: y}]\nb: *a\n&k k: 1")

    def test_bp8_an_alias_bomb_is_refused_while_it_is_read(self, refuse) -> None:
        lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
        lines += [f"{c}: &{c} [{', '.join(['*' + chr(ord(c) - 1)] * 9)}]" for c in "bcdefghi"]

        (problem,) = refuse("\n".join(lines))

        assert "alias_limit" == problem.code

    def test_bp8_repeating_a_long_text_counts_as_writing_it_out(self, refuse) -> None:
        text = f"a: &a {'x' * MIB}\nb: [*a, *a, *a]"

        assert [("alias_limit", "$.b[1]")] == [(p.code, p.path) for p in refuse(text)]

    def test_bp8_repeating_many_values_counts_as_writing_them_out(self, refuse) -> None:
        text = f"a: &a [{'1,' * 30_000}]\nb: [*a, *a, *a]"

        assert [("alias_limit", "$.b[2]")] == [(p.code, p.path) for p in refuse(text)]

    def test_bp8_very_many_aliases_are_refused_however_small(self, refuse) -> None:
        text = "a: &a x\nb: [" + "*a, " * (LIMITS.aliases + 1) + "]"

        assert [("alias_limit", "$.b[1000]")] == [(p.code, p.path) for p in refuse(text)]

    def test_bp8_nesting_through_aliases_counts_as_nesting(self, refuse) -> None:
        chain = "- &a0 [[[[1]]]]\n" + "".join(f"- &a{i + 1} [[[[*a{i}]]]]\n" for i in range(200))

        assert "too_deep" == refuse(chain)[0].code

    @pytest.mark.parametrize("text", ["a: &a [*a]", "&a {x: {y: *a}}", "a: &a [&b [*a], *b]"])
    def test_bp9_what_holds_itself_is_refused(self, text: str, refuse) -> None:
        assert "cyclic" == refuse(text)[0].code

    def test_an_alias_without_anchor_is_refused(self, refuse) -> None:
        assert [("yaml_syntax", "$.a", 1, 4)] == facts(refuse("a: *nowhere"))


class TestDocuments:
    @pytest.mark.parametrize("text", ["", " \n\n", "# only a comment\n\n# another", "\ufeff"])
    def test_bp1_an_empty_file_is_called_empty(self, text: str, refuse) -> None:
        (problem,) = refuse(text)

        assert ("blueprint_empty", "bp.yaml") == (problem.code, problem.file)

    @pytest.mark.parametrize(
        ("text", "line", "column"),
        [
            ("a: b: c", 1, 5),
            ("a:\n  - b\n - c", 3, 2),
            ("a: 'x\n", 2, 1),
            ("\ta: 1", 1, 1),
            ("{a: 1", 1, 6),
            ("a: @x", 1, 4),
        ],
    )
    def test_bp2_an_error_of_syntax_has_line_and_column(self, text: str, line: int, column: int, refuse) -> None:
        assert [("yaml_syntax", "$", line, column)] == facts(refuse(text))

    def test_problems_before_an_error_of_syntax_are_told_with_it(self, refuse) -> None:
        problems = refuse("a: 1\na: .nan\nb: c: d")

        assert ["duplicate_key", "bad_number", "yaml_syntax"] == [problem.code for problem in problems]

    @pytest.mark.parametrize(
        "text", ["a: 1\n---\nb: 2", "--- a\n--- b", "a: 1\n...\nb: 2", "a: 1\n...\n%YAML 1.2\n---\nb: 2", "a: 1\n---\n"]
    )
    def test_bp14_a_second_document_is_refused(self, text: str, refuse) -> None:
        (problem,) = refuse(text)

        assert "multiple_documents" == problem.code
        assert (problem.line or 0) > 1

    @pytest.mark.parametrize("text", ["---\na: 1", "a: 1\n...", "a: 1\n...\n...\n# end\n", "# c\n---\n# d\na: 1\n"])
    def test_bp14_marks_and_comments_around_one_document_are_fine(self, text: str) -> None:
        assert {"a": 1} == load(text)

    @pytest.mark.parametrize("text", ["%YAML 1.1\n---\na: no", "# c\n\n%TAG ! tag:x,2000:\n---\na: 1", "%FOO\n---\na"])
    def test_directives_are_refused(self, text: str, refuse) -> None:
        assert "yaml_directive" == refuse(text)[0].code

    def test_bp15_a_byte_order_mark_is_no_part_of_the_document(self) -> None:
        assert {"a": 1} == load("\ufeffa: 1")

    @pytest.mark.parametrize("data", [b"a: \xe9", "a: 1".encode("utf-16"), "a: 1".encode("utf-16-be")])
    def test_bp15_bytes_that_are_not_utf8_are_named(self, data: bytes, refuse) -> None:
        (problem,) = refuse(data)

        assert "not_utf8" == problem.code
        assert "byte" in problem.message

    @pytest.mark.parametrize("character", ["\0", "\x01", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\uffff"])
    def test_bp16_control_characters_and_doubtful_line_breaks_are_refused(self, character: str, refuse) -> None:
        (problem,) = refuse(f"a: 1\nbcdef: x{character}y")

        assert ("bad_unicode", 2) == (problem.code, problem.line)

    @pytest.mark.parametrize("escape", ["\\ud800", "\\ud83d\\ude00", "\\udfff"])
    def test_bp17_surrogate_escapes_are_refused(self, escape: str, refuse) -> None:
        (problem,) = refuse(f'a: "x{escape}"')

        assert ("bad_unicode", 1) == (problem.code, problem.line)

    def test_escapes_of_ordinary_characters_are_read(self) -> None:
        assert "\0é\u2028😀" == load('"\\0\\xe9\\u2028\\U0001F600"')


class TestLimits:
    def test_bp5_too_many_bytes_are_refused_before_they_are_looked_at(self, refuse) -> None:
        (problem,) = refuse(b"\xff" * (2 * MIB + 1))

        assert "too_large" == problem.code

    @pytest.mark.parametrize("levels", [501, 100_000, 1_000_000])
    @pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "[{a: ", "? "])
    def test_bp7_too_deep_is_refused_whatever_the_depth(self, opening: str, levels: int, refuse) -> None:
        text = (opening * levels)[: 2 * MIB]

        (problem,) = refuse(text)

        assert problem.code == ("bad_key" if opening == "? " else "too_deep")

    @pytest.mark.parametrize("mark", ["a:", "-"])
    def test_bp7_too_deep_in_block_style_is_refused(self, mark: str, refuse) -> None:
        text = "".join(" " * level + mark + "\n" for level in range(1500))

        assert [("too_deep", 501, 501)] == [(p.code, p.line, p.column) for p in refuse(text)]

    def test_as_deep_as_the_limit_is_not_too_deep(self) -> None:
        assert load("[" * 500 + "]" * 500)

    @pytest.mark.parametrize("text", ["[" + "1," * 150_000 + "]", "- a\n" * 150_000, "[" + "&a 1," * 150_000 + "]"])
    def test_too_many_values_are_refused(self, text: str, refuse) -> None:
        (problem,) = refuse(text)

        assert "too_large" == problem.code
        assert "100,000 values" in problem.message

    def test_limits_may_be_set(self, refuse) -> None:
        assert "too_deep" == refuse("[[[]]]", limits=Limits(depth=2))[0].code
        assert "too_large" == refuse("[1, 2]", limits=Limits(values=2))[0].code
        assert "too_large" == refuse("[1, 2]", limits=Limits(size=5))[0].code
        assert "alias_limit" == refuse("[&a 1, *a, *a]", limits=Limits(aliases=1))[0].code

    @pytest.mark.parametrize(
        "text",
        [
            "%TAG !a x\n" * 100_000,
            "---\n" * 500_000,
            "[" * 499 + "{a: b}," * 290_000,
            ("{" + "a" * 1023 + ": 1,") * 2000,
            ":" * 2 * MIB,
            "a: " * 600_000,
            "a: 1\na: 1\n" * 200_000,
            "a: 1\n...\n" + "%TAG !a x\n" * 100_000,
        ],
        ids=[
            "directives",
            "documents",
            "deep-pairs",
            "long-keys",
            "colons",
            "pairs",
            "duplicates",
            "second-directives",
        ],
    )
    def test_odd_text_of_full_size_is_refused_and_does_not_hang(self, text: str, refuse) -> None:
        assert refuse(text[: 2 * MIB])

    @pytest.mark.parametrize(
        "text",
        [
            "\n" * MIB + "a: 1",
            "#\n" * 500_000 + "a: 1",
            'a: "' + "\\n" * (MIB - 8) + '"',
            "a: " + "x " * (MIB - 8),
            "a: |\n" + " x\n" * 500_000,
        ],
        ids=["lines", "comments", "escapes", "words", "block"],
    )
    def test_long_text_that_says_little_is_read(self, text: str) -> None:
        assert {"a"} == load(text).keys()


class TestPositions:
    def test_a_member_stands_where_its_key_does_and_an_item_where_it_begins(self) -> None:
        text = "größe😀: {x: 1}\nlist:\n  - a\n  -   b c: 2\n      d: &d [x]\n      e: *d\n"

        positions = load_yaml(text.encode(), name="x").positions

        assert {
            "$": (1, 1),
            '$["größe😀"]': (1, 1),
            '$["größe😀"].x': (1, 10),
            "$.list": (2, 1),
            "$.list[0]": (3, 5),
            "$.list[1]": (4, 7),
            '$.list[1]["b c"]': (4, 7),
            "$.list[1].d": (5, 7),
            "$.list[1].d[0]": (5, 14),
            "$.list[1].e": (6, 7),
            "$.list[1].e[0]": (5, 14),
        } == dict(positions)

    def test_windows_line_ends_count_once(self) -> None:
        positions = load_yaml(b"a: 1\r\nb:\r\n  c: 2\r\n", name="x").positions

        assert (3, 3) == positions["$.b.c"]


def test_json_is_read_as_json_reads_it() -> None:
    text = json.dumps({"a": [1, 2.5, None, True, "x: y # z"], "b": {"c": "ä\t\n\"'", "d": {}}, "e": []}, indent=2)

    assert load_json(text.encode(), name="x").value == load(text)


def test_all_problems_are_told_at_once_in_the_order_of_the_text(refuse) -> None:
    text = "a: .nan\nb:\n  - 017\n  - !!set {x}\n1: x\na: 2\n<<: {}\n"

    assert [
        ("bad_number", "$.a", 1, 4),
        ("bad_number", "$.b[0]", 3, 5),
        ("bad_tag", "$.b[1]", 4, 5),
        ("bad_key", "$", 5, 1),
        ("duplicate_key", "$.a", 6, 1),
        ("merge_key", "$", 7, 1),
    ] == facts(refuse(text))

"""A program that answers at its end (rows 63 and 64, SP 125, 128, 131)."""

import json

import pytest

from swarm_core.errors import WorkerFailed
from swarm_core.model.call import Result


class TestAnswer:
    async def test_row_63_json_and_exit_code_0_is_the_value(self, bench):
        result = await bench.shell("""echo '{"answer": [1, 2.5, null]}'""")

        assert result == Result({"answer": [1, 2.5, None]}, True, {"exit_code": 0})

    async def test_row_63_text_and_exit_code_1_is_blocked_with_both_outputs(self, bench):
        result = await bench.shell("echo half done; echo no disk >&2; exit 1")

        assert result == Result({"raw": "half done\n", "stderr": "no disk\n"}, False, {"exit_code": 1})

    async def test_json_and_exit_code_1_is_blocked_with_the_value(self, bench):
        result = await bench.shell("echo 5; echo why >&2; exit 1")

        assert result == Result(5, False, {"exit_code": 1, "stderr": "why\n"})

    async def test_a_failure_is_an_event_with_what_the_program_complained_of(self, bench):
        await bench.shell("echo 5; echo why >&2; exit 3")

        assert bench.context.published == [("subprocess_failed", {"exit_code": 3, "stderr": "why\n"})]

    @pytest.mark.parametrize(
        ("printed", "value"),
        [
            ("", {"raw": "", "stderr": ""}),
            (" \n\t ", {"raw": " \n\t ", "stderr": ""}),
            (' \n {"a": 1} \n ', {"a": 1}),
            ('{"a": 1} and more', {"raw": '{"a": 1} and more', "stderr": ""}),
            ('{"a": 1}\n{"a": 2}\n', {"raw": '{"a": 1}\n{"a": 2}\n', "stderr": ""}),
            ("null", None),
            ("true", True),
            ('"text"', "text"),
            ("NaN", {"raw": "NaN", "stderr": ""}),
            ("[1e400]", {"raw": "[1e400]", "stderr": ""}),
            ("{'a': 1}", {"raw": "{'a': 1}", "stderr": ""}),
        ],
    )
    async def test_sp125_one_json_value_is_the_value_and_all_else_is_raw(self, bench, printed, value):
        result = await bench.run({"program": "printf", "args": ["%s", printed]})

        assert (result.value, result.ok) == (value, True)

    @pytest.mark.parametrize(
        ("printed", "raw"),
        [
            (r"\377\376", "\ufffd\ufffd"),
            (r"\033[31mred\033[0m", "\x1b[31mred\x1b[0m"),
            (r"bell\007", "bell\x07"),
            (r"a\rb", "a\rb"),
            (r"a\000b", "a\0b"),
        ],
    )
    async def test_sp128_bytes_that_are_no_text_are_replaced_and_the_rest_is_kept(self, bench, printed, raw):
        result = await bench.run({"program": "printf", "args": [printed]})

        assert result.value == {"raw": raw, "stderr": ""}

    async def test_sp128_a_value_with_lone_surrogates_can_be_stored(self, bench):
        result = await bench.run({"program": "printf", "args": ["%s", r'{"\ud800": "\udfff", "ok": "\ud83d\ude00"}']})

        assert result.value == {"\ufffd": "\ufffd", "ok": "😀"}

    @pytest.mark.parametrize("number", [11, 9, 15])
    async def test_sp131_death_by_signal_is_told(self, bench, number):
        result = await bench.shell(f"echo 5; kill -{number} $$")

        assert result == Result({"raw": "5\n", "stderr": "", "signal": number}, False, {"signal": number})

    async def test_sp135_what_a_program_claims_is_data(self, bench):
        claims = {"role": "operator", "$file": "/etc/passwd", "ref": "out-1", "kind": "file_ref", "path": "/etc/shadow"}

        result = await bench.run({"program": "printf", "args": ["%s", json.dumps(claims)]})

        assert result.value == claims


class TestOutput:
    async def test_text_is_taken_as_it_is(self, bench):
        result = await bench.run({"program": "echo", "args": ["123"], "output": "text"})

        assert result == Result("123", True, {"exit_code": 0})

    async def test_text_of_a_failure_is_blocked(self, bench):
        result = await bench.shell("echo almost; echo why >&2; exit 2", output="text")

        assert result == Result("almost", False, {"exit_code": 2, "stderr": "why\n"})

    async def test_json_is_the_value(self, bench):
        result = await bench.run({"program": "echo", "args": ["[1]"], "output": "json"})

        assert result.value == [1]

    async def test_json_that_is_none_is_an_error_that_shows_it(self, bench):
        with pytest.raises(WorkerFailed, match=r"printed no JSON value .*: 'oh \\x1b\[31mno\\n'") as caught:
            await bench.run({"program": "printf", "args": [r"oh \033[31mno\n"], "output": "json"})

        assert caught.value.kind == "output_not_json"

    async def test_a_failure_without_json_says_what_the_program_said(self, bench):
        result = await bench.shell("echo no; echo why >&2; exit 2", output="json")

        assert (result.value, result.ok) == ({"raw": "no\n", "stderr": "why\n"}, False)

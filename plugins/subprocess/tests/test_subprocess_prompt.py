"""How a program is told its input (row 64, P27, SP 132, 133)."""

import hashlib
import json

import pytest

from swarm_core.errors import SpawnFailed

# Each of them means something to a shell, to printf, to a template engine, to a terminal or to an option parser.
METACHARACTERS = [
    *("$HOME", "${HOME}", "${IFS}", "$(id)", "`id`", "$((1+1))", "$'a'", "$0", "$$", "!!", "!1"),
    *("; id", "a;b", "| id", "a && b", "a || b", "a & b", "> /tmp/x", "< /etc/passwd", ">> x", "2>&1", "<<EOF", "(id)"),
    *("*", "?", "[a-z]", "~", "~root", "{a,b}", "{1..3}", "#c", "a#b", "=x", "\\", "\\n", "a\\ b"),
    *("'", '"', "''", '""', "'\"'", "a b", " lead", "trail ", "\t", "\n", "a\nb", "\r\n", "\x1b[31m", "\x07"),
    *("%s", "%n%n", "{0}", "{{ x }}", "{% y %}", "%(a)s", "日本語", "😀", "e\u0301", "\u202e", "\ufeff", ""),
]


class TestAsLastArgument:
    async def test_row_64_the_prompt_is_the_last_argument(self, bench):
        code = "import json, sys; print(json.dumps([sys.argv[1:], sys.stdin.read()]))"

        result = await bench.python(code, "the prompt", args=["one", "two"], use_stdin=False)

        assert result.value == [["one", "two", "the prompt"], ""]

    def test_p27_there_are_at_least_sixty_strings(self):
        assert len(set(METACHARACTERS)) >= 60

    @pytest.mark.parametrize("prompt", METACHARACTERS, ids=ascii)
    async def test_p27_metacharacters_arrive_byte_for_byte(self, bench, prompt):
        code = "import os, sys; print(os.fsencode(sys.argv[-1]).hex(), end='')"

        result = await bench.python(code, prompt, use_stdin=False, output="text")

        assert bytes.fromhex(result.value) == prompt.encode()

    @pytest.mark.parametrize("prompt", ["-rf", "--help", "-", "--", "-\n", "--output=/etc/passwd"])
    async def test_p27_a_prompt_cannot_become_an_option(self, bench, prompt):
        with pytest.raises(SpawnFailed, match="begins with '-'"):
            await bench.run({"program": "echo", "args": ["-n"], "use_stdin": False}, prompt)

    @pytest.mark.parametrize("prompt", ["-rf", "--help", "--"])
    async def test_p27_after_a_double_dash_a_prompt_may_begin_with_one(self, bench, prompt):
        code = "import json, sys; print(json.dumps(sys.argv[1:]))"

        result = await bench.python(code, prompt, args=["--"], use_stdin=False)

        assert result.value == ["--", prompt]

    async def test_p27_sp133_a_nul_character_is_refused(self, bench):
        with pytest.raises(SpawnFailed, match="NUL"):
            await bench.run({"program": "echo", "use_stdin": False}, "a\0b")

    async def test_sp133_a_prompt_that_is_too_long_is_refused_with_the_way_out(self, bench):
        with pytest.raises(SpawnFailed, match="stdin") as caught:
            await bench.run({"program": "echo", "use_stdin": False}, "x" * 3_000_000)

        assert caught.value.errno_name == "E2BIG"

    async def test_an_input_that_is_no_text_is_compact_json(self, bench):
        result = await bench.run({"program": "echo", "use_stdin": False, "output": "text"}, {"a": [1, "ü"]})

        assert result.value == '{"a":[1,"ü"]}'

    async def test_a_lone_surrogate_does_not_stop_the_attempt(self, bench):
        result = await bench.run({"program": "echo", "use_stdin": False, "output": "text"}, "a\ud800\udcffb")

        assert result.value == "a??b"


class TestOnStdin:
    async def test_the_prompt_is_all_of_stdin(self, bench):
        result = await bench.run({"program": "cat", "output": "text"}, "one\ntwo")

        assert result.value == "one\ntwo"

    async def test_p27_metacharacters_arrive_byte_for_byte(self, bench):
        prompt = "\0".join(METACHARACTERS)

        result = await bench.run({"program": "cat", "output": "text"}, prompt)

        assert result.value == prompt

    async def test_a_value_is_compact_json(self, bench):
        result = await bench.run({"program": "cat"}, {"a": [1, None]})

        assert result.value == {"a": [1, None]}

    async def test_sp132_a_program_need_not_read_its_input(self, bench):
        result = await bench.run({"program": "echo", "args": ["1"]}, "x" * 10_000_000)

        assert (result.value, result.ok) == (1, True)

    async def test_sp132_a_program_may_print_before_it_reads(self, bench):
        code = (
            "import sys, hashlib\n"
            "sys.stdout.write(' ' * 1000000); sys.stderr.write('x' * 1000000); sys.stdout.flush()\n"
            "print('\"%s\"' % hashlib.sha256(sys.stdin.buffer.read()).hexdigest())"
        )
        prompt = "y" * 10_000_000

        result = await bench.python(code, prompt)

        assert result.value == hashlib.sha256(prompt.encode()).hexdigest()

    async def test_sp132_a_program_may_answer_line_by_line(self, bench):
        prompt = "".join(f"line {number}\n" for number in range(200_000))

        result = await bench.run({"program": "cat", "output": "text"}, prompt)

        assert result.value == prompt.removesuffix("\n")


async def test_programs_that_cannot_be_started_say_why(bench):
    with pytest.raises(SpawnFailed, match="No such file or directory") as caught:
        await bench.run({"program": "no-such-program"})

    assert caught.value.errno_name == "ENOENT"


async def test_results_are_plain_json(bench):
    result = await bench.run({"program": "echo", "args": ['{"a": 1}']})

    assert json.loads(json.dumps(result.value)) == result.value

"""What a template's command printed, as a result (SP 125, P33)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swarm_plugin_subprocess.answers import Answer
from swarm_plugin_subprocess.conversation import Ending
from swarm_plugin_subprocess.pointer import NOWHERE, look_up

from swarm_core.codec import structure
from swarm_core.errors import WorkerFailed
from swarm_core.model.blueprint import SubprocessOutput

# The document and the pointers of RFC 6901, section 5.
RFC = {
    "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, 'k"l': 6, " ": 7, "m~n": 8,
}  # fmt: skip


def read(printed, code=0, stderr=b"", **output):
    answer = Answer(structure(output, SubprocessOutput))
    for part in (printed.encode()[:7], printed.encode()[7:]):
        answer.take(part)
    answer.end()
    return answer.result(Ending(code=code, stderr=stderr, stderr_dropped=0))


class TestPointer:
    @pytest.mark.parametrize(
        ("pointer", "value"),
        [
            ("", RFC), ("/foo", ["bar", "baz"]), ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1), ("/c%d", 2), ("/e^f", 3),
            ("/g|h", 4), ("/i\\j", 5), ('/k"l', 6), ("/ ", 7), ("/m~0n", 8),
        ],
    )  # fmt: skip
    def test_the_pointers_of_the_rfc_lead_where_it_says(self, pointer, value):
        assert look_up(RFC, pointer) == value

    @pytest.mark.parametrize("pointer", ["/bar", "/foo/2", "/foo/-", "/foo/00", "/foo/01", "/foo/x", "/foo/0/0", "//"])
    def test_others_lead_nowhere(self, pointer):
        assert look_up(RFC, pointer) is NOWHERE

    def test_null_is_somewhere(self):
        assert look_up({"a": None}, "/a") is None

    @given(st.dictionaries(st.text(), st.integers(), min_size=1), st.data())
    def test_every_key_can_be_pointed_at(self, value, data):
        key = data.draw(st.sampled_from(sorted(value)))

        assert look_up([value], "/0/" + key.replace("~", "~0").replace("/", "~1")) == value[key]


class TestJson:
    @pytest.mark.parametrize(
        "printed", ['{"a": 1}', ' \n{"a": 1}\n', '```json\n{"a": 1}\n```', '```\n{"a": 1}\n```\n', '"{\\"a\\": 1}"']
    )
    def test_a_document_is_the_value_bare_or_in_a_fence(self, printed):
        assert read(printed).value == {"a": 1}

    @pytest.mark.parametrize("text", ["5", "true", "```\nx = 1\n```", "see:\n```json\n{}\n```", "{a}", "[x]", "```"])
    def test_text_that_is_no_json_object_stays_text(self, text):
        import json

        assert read(json.dumps({"r": text}), result_ptr="/r").value == text

    @pytest.mark.parametrize("printed", ["", "hello", "{} {}", "NaN"])
    def test_no_json_is_an_error_that_shows_it(self, printed):
        with pytest.raises(WorkerFailed, match="printed no JSON") as caught:
            read(printed)

        assert caught.value.kind == "output_not_json"
        assert ascii(printed) in str(caught.value)

    def test_of_a_failed_command_no_json_is_told_as_it_is(self):
        result = read("oops", code=2, stderr=b"why")

        assert (result.value, result.ok, result.facts["exit_code"]) == ({"raw": "oops", "stderr": "why"}, False, 2)

    def test_a_pointer_that_leads_nowhere_shows_a_piece_of_the_output(self):
        with pytest.raises(WorkerFailed, match="leads nowhere") as caught:
            read('{"other": "%s"}' % ("x" * 5000), result_ptr="/result")

        assert caught.value.kind == "output_pointer"
        assert len(str(caught.value)) < 600

    def test_of_a_failed_command_all_is_told_where_the_pointer_leads_nowhere(self):
        assert read('{"error": "x"}', code=1, result_ptr="/result").value == {"error": "x"}


class TestOk:
    @pytest.mark.parametrize(("printed", "ok"), [('{"ok": true}', True), ('{"ok": false}', False)])
    def test_ok_from_decides(self, printed, ok):
        assert read(printed, ok_from="/ok").ok is ok

    @pytest.mark.parametrize("printed", ["{}", '{"ok": 1}', '{"ok": null}', '{"ok": "true"}'])
    def test_what_is_no_truth_value_is_an_error(self, printed):
        with pytest.raises(WorkerFailed, match="ok_from '/ok' leads"):
            read(printed, ok_from="/ok")

    @pytest.mark.parametrize(
        ("printed", "ok"),
        [("{}", True), ('{"e": null}', True), ('{"e": false}', True), ('{"e": true}', False), ('{"e": {}}', False)],
    )
    def test_with_a_mark_it_tells_a_failure(self, printed, ok):
        assert read(printed, ok_from="!/e").ok is ok

    def test_the_exit_code_counts_too(self):
        assert not read('{"ok": true}', code=1, ok_from="/ok").ok

    def test_a_signal_leaves_no_answer(self):
        result = read('{"ok": true, "r": 1}', code=-9, ok_from="/ok", result_ptr="/r")

        assert (result.ok, result.value["signal"]) == (False, 9)


class TestLines:
    def test_the_last_object_is_the_value(self):
        assert read('{"n": 1}\n{"n": 2}\n', format="ndjson").value == {"n": 2}

    def test_a_pointer_counts_in_the_last_object_that_has_it(self):
        assert read('{"r": 1}\n{"r": 2}\n{"usage": 9}', format="ndjson", result_ptr="/r").value == 2

    def test_other_lines_are_passed_over(self):
        assert read('starting\n[1]\n{"n": 1}\n{broken\n\nbye\n', format="ndjson").value == {"n": 1}

    def test_a_line_separator_inside_a_string_ends_no_line(self):
        assert read('{"t": "a\u2028b\x85c"}\n', format="ndjson", result_ptr="/t").value == "a\u2028b\x85c"

    def test_no_object_at_all_is_an_error(self):
        with pytest.raises(WorkerFailed, match="no line is a JSON object"):
            read("hello\n5\n", format="ndjson")


class TestText:
    def test_text_is_taken_as_it_is(self):
        assert read('```json\n{"a": 1}\n```\n', format="text").value == '```json\n{"a": 1}\n```'

    def test_a_non_zero_exit_blocks_it(self):
        assert not read("x", code=1, format="text").ok


async def test_p33_a_command_that_prints_without_end_is_ended(bench):
    templates = [{"name": "mine", "command": ["yes"], "output": {"format": "text"}}]

    with pytest.raises(WorkerFailed, match="printed more than 65536 bytes"):
        await bench.run({"template": "mine"}, section={"max_stdout": "64KiB"}, templates=templates)

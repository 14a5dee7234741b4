"""A program that tells while it works (rows 65, 66 and 67, SP 125, 126, 129, 134, 135, P30)."""

import asyncio
import json

import pytest

from swarm_core.errors import WorkerFailed
from swarm_core.model.call import Result
from swarm_core.model.output import Artifact, FileRef, Final, Inline, Partial, Progress
from swarm_core.testing import make_call

PROGRESS = {"type": "progress", "stage": "reading", "note": "1 of 2"}
PARTIAL = {"type": "partial", "chunk": "Hel"}
ARTIFACT = {"type": "artifact", "name": "log", "content": {"kind": "file_ref", "path": "/etc/shadow"}}


def final(value, ok=True, **more):
    return {"type": "final", "content": {"kind": "inline", "value": value}, "ok": ok, **more}


def ndjson(*records) -> str:
    return "".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in records)


def sse(*records) -> str:
    return "".join(f"data: {json.dumps(each)}\n\n" for each in records)


def frames(*records) -> str:
    """Return frames as octal escapes for printf."""
    data = b"".join(len(body).to_bytes(4, "big") + body for body in (json.dumps(each).encode() for each in records))
    return "".join(f"\\{byte:03o}" for byte in data)


@pytest.fixture
def tell(bench):
    """Run a program that prints the text as a stream, and exits."""

    async def run(text, mode="ndjson_lines", code=0):
        return await bench.run(
            {"program": "sh", "args": ["-c", f'printf "$0"; exit {code}', text], "stream_mode": mode}, ""
        )

    return run


@pytest.fixture
def tell_lines(bench):
    """Run a program that prints these records, one a line."""

    async def run(*records, code=0):
        args = ["-c", f'printf %s "$0"; exit {code}', ndjson(*records)]
        return await bench.run({"program": "sh", "args": args, "stream_mode": "ndjson_lines"}, "")

    return run


class TestEvents:
    @pytest.mark.parametrize(
        ("mode", "text"),
        [
            ("ndjson_lines", ndjson(PROGRESS, PARTIAL, ARTIFACT, final(42))),
            ("sse_events", sse(PROGRESS, PARTIAL, ARTIFACT, final(42))),
            ("length_prefixed", frames(PROGRESS, PARTIAL, ARTIFACT, final(42))),
        ],
    )
    async def test_each_record_is_an_output(self, bench, tell, mode, text):
        result = await tell(text, mode)

        assert bench.context.outputs == [
            Progress("reading", "1 of 2"),
            Partial("Hel"),
            Artifact("log", FileRef("/etc/shadow")),
            Final(Inline(42), True),
        ]
        assert (result.value, result.ok) == (42, True)

    async def test_a_record_is_told_when_it_comes_and_not_at_the_end(self, bench):
        script = f"""echo '{json.dumps(PARTIAL)}'; read line; echo '{json.dumps(final(1))}'; exec sleep 600"""
        spawner = bench.build({"program": "sh", "args": ["-c", script], "stream_mode": "ndjson_lines"})
        context = bench.context
        running = asyncio.ensure_future(spawner.run(make_call(input="go\n", context=context)))

        while len(context.outputs) < 2:
            await asyncio.sleep(0.005)
        still = not running.done()
        running.cancel()
        await asyncio.wait([running])

        assert (still, context.outputs) == (True, [Partial("Hel"), Final(Inline(1), True)])

    async def test_row_65_junk_is_skipped_and_reported_and_the_final_wins(self, bench, tell_lines):
        result = await tell_lines(PROGRESS, "junk \x1b[31m", "", final("done"))

        assert (result.value, result.ok) == ("done", True)
        [(kind, facts)] = bench.context.published
        assert (kind, facts["number"], facts["record"]) == ("subprocess_bad_record", 2, r"'junk \x1b[31m'")

    @pytest.mark.parametrize("code", [0, 1])
    async def test_row_65_sp129_without_a_final_the_attempt_is_blocked(self, bench, tell_lines, code):
        result = await tell_lines(PROGRESS, code=code)

        note = "streaming mode: no Final event received"
        assert result == Result({"raw": "", "note": note, "exit_success": code == 0}, False, {"exit_code": code})

    async def test_row_66_a_frame_of_length_0_ends_the_stream_and_what_came_before_counts(self, bench, tell):
        result = await tell(frames(PARTIAL, final(1)) + r"\000\000\000\000" + frames(final(2)), "length_prefixed")

        assert (result.value, result.ok) == (1, True)
        assert bench.context.kinds == ["subprocess_frame_error"]

    @pytest.mark.parametrize(
        ("broken", "reason"),
        [
            (r"\377\377\377\377xxxx", "a frame of 4294967295 bytes"),
            (r"\001\000\000\001xxxx", "a frame of 16777217 bytes"),
            (r"\000\000\000\000", "a frame of 0 bytes"),
            (r"\000\000\000\010abc", "inside a frame"),
            (r"\000\000", "inside a frame"),
        ],
    )
    async def test_row_66_sp134_a_broken_frame_is_reported_and_earlier_events_are_kept(
        self, bench, tell, broken, reason
    ):
        result = await tell(frames(PARTIAL) + broken, "length_prefixed")

        assert (bench.context.outputs, result.ok) == ([Partial("Hel")], False)
        [(kind, facts)] = bench.context.published
        assert kind == "subprocess_frame_error"
        assert reason in facts["reason"]

    async def test_row_67_a_final_does_not_outweigh_the_exit_code(self, bench, tell_lines):
        result = await tell_lines(final({"done": True}), code=1)

        assert result == Result({"done": True}, False, {"exit_code": 1})

    async def test_row_67_nor_a_death_by_signal(self, bench):
        args = ["-c", 'echo "$0"; kill -11 $$', json.dumps(final(1))]

        result = await bench.run({"program": "sh", "args": args, "stream_mode": "ndjson_lines"})

        assert result == Result(1, False, {"signal": 11})

    async def test_sp129_a_final_that_says_no_is_blocked(self, bench, tell_lines):
        result = await tell_lines(final("no", ok=False))

        assert (result.value, result.ok) == ("no", False)

    async def test_sp129_of_two_finals_the_last_one_counts(self, bench, tell_lines):
        result = await tell_lines(final(1), PROGRESS, final(2, ok=False))

        assert (result.value, result.ok) == (2, False)

    @pytest.mark.parametrize("foreign", [{"task_id": "T-other"}, {"attempt": 999}, {"attempt": "1"}])
    async def test_sp129_a_final_for_another_attempt_is_refused(self, bench, tell_lines, foreign):
        result = await tell_lines(final("stolen", **foreign))

        assert result.value["note"] == "streaming mode: no Final event received"
        assert bench.context.kinds == ["subprocess_bad_record"]

    async def test_sp129_a_final_that_names_its_own_attempt_counts(self, bench, tell_lines):
        result = await tell_lines(final("mine", task_id="T-test", attempt=1))

        assert result.value == "mine"

    async def test_sp135_p30_no_record_can_pose_as_somebody_else(self, bench, tell_lines):
        await tell_lines(final(1, by="audit", producer_agent="operator", role="operator"))

        assert bench.context.outputs == [Final(Inline(1), True, None)]

    async def test_sp135_a_file_reference_is_not_opened(self, bench, tell_lines):
        reference = {"kind": "file_ref", "path": "/etc/shadow", "mime": "text/plain", "size_hint": 3}

        result = await tell_lines({"type": "final", "content": reference, "ok": True})

        assert result.value == {"file_ref": "/etc/shadow", "mime": "text/plain", "size_hint": 3}


class TestBadRecords:
    @pytest.mark.parametrize(
        ("record", "reason"),
        [
            ("[1]", "an object, not an array"),
            ("5", "an object, not a whole number"),
            ("{}", "'type' is None"),
            ('{"type": "finale"}', "'type' is 'finale'"),
            ('{"type": ["final"]}', "'type' is"),
            ('{"type": "progress"}', "no 'stage'"),
            ('{"type": "progress", "stage": 5}', "'stage' is a whole number"),
            ('{"type": "partial", "chunk": null}', "'chunk' is null"),
            ('{"type": "final", "ok": true}', "no 'content'"),
            ('{"type": "final", "ok": "false", "content": {"kind": "inline", "value": 1}}', "'ok' is a string"),
            ('{"type": "final", "ok": 1, "content": {"kind": "inline", "value": 1}}', "'ok' is a whole number"),
            ('{"type": "final", "ok": true, "content": {"kind": "inline"}}', "no 'value'"),
            ('{"type": "final", "ok": true, "content": {"kind": "url"}}', "'content.kind' is 'url'"),
            ('{"type": "final", "ok": true, "content": {"kind": "file_ref", "path": 5}}', "'path' is"),
            ('{"type": "partial", "chunk": NaN}', "NaN"),
            ('{"type": "partial"', "Expecting"),
            ("[" * 100_000, "nested"),
            ("1" * 5000, "4300"),
        ],
        ids=range(18),
    )
    async def test_sp125_a_bad_record_is_reported_with_its_reason_and_the_stream_goes_on(
        self, bench, tell_lines, record, reason
    ):
        result = await tell_lines(record, final("fine"))

        [(kind, facts)] = bench.context.published
        assert kind == "subprocess_bad_record"
        assert reason in facts["reason"]
        assert result.value == "fine"

    async def test_a_flood_of_bad_records_is_counted_and_not_repeated(self, bench, tell_lines):
        await tell_lines(*["junk"] * 5000, final(1))

        kinds = bench.context.kinds
        assert kinds == ["subprocess_bad_record"] * 20 + ["subprocess_bad_records"]
        assert bench.context.published[-1][1] == {"count": 5000, "shown": 20}


class TestBounds:
    @pytest.mark.parametrize("size", [70_000, 1_000_000])
    async def test_sp126_a_long_line_is_taken(self, bench, size):
        code = f"""print('{{"type":"partial","chunk":"' + 'x' * {size} + '"}}')"""

        await bench.python(code, stream_mode="ndjson_lines")

        assert bench.context.outputs == [Partial("x" * size)]

    @pytest.mark.parametrize("mode", ["ndjson_lines", "sse_events"])
    @pytest.mark.parametrize("end", ["", "\\n"])
    async def test_sp126_p33_a_line_of_20_mb_ends_the_program(self, bench, mode, end):
        code = f"import sys; sys.stdout.write('x' * 20000000 + '{end}')"

        with pytest.raises(WorkerFailed, match="more than 1048576 bytes") as caught:
            await bench.python(code, stream_mode=mode)

        assert caught.value.kind == "line_too_long"

    async def test_p33_the_sum_of_all_records_is_bounded(self, bench):
        code = 'while True: print(\'{"type":"partial","chunk":"\' + \'x\' * 1000 + \'"}\')'

        with pytest.raises(WorkerFailed) as caught:
            await bench.python(code, stream_mode="ndjson_lines", section={"max_stdout": "1MiB"})

        assert caught.value.kind == "output_too_large"
        assert 900 < len(bench.context.outputs) < 1100

    async def test_what_follows_a_broken_frame_is_read_away(self, bench):
        code = "import sys; sys.stdout.buffer.write(bytes(4) + b'x' * 5000000)"

        result = await bench.python(code, stream_mode="length_prefixed")

        assert result.value["exit_success"] is True


class TestServerSentEvents:
    async def test_data_lines_are_joined_and_other_fields_are_passed_over(self, bench, tell):
        text = ': comment\\nevent: x\\nid: 1\\nretry: 5\\ndata: {"type":\\ndata:"partial", "chunk": "a"}\\n\\n\\n\\n'

        await tell(text, "sse_events")

        assert (bench.context.outputs, bench.context.published) == ([Partial("a")], [])

    async def test_an_event_that_the_end_cuts_off_counts(self, bench, tell):
        await tell(f"data: {json.dumps(PARTIAL)}", "sse_events")

        assert bench.context.outputs == [Partial("Hel")]

    async def test_lines_may_end_as_in_http(self, bench, tell):
        await tell(f"data: {json.dumps(PARTIAL)}\\r\\n\\r\\ndata: {json.dumps(PARTIAL)}\\r\\n\\r\\n", "sse_events")

        assert bench.context.outputs == [Partial("Hel"), Partial("Hel")]

    async def test_a_line_that_is_no_field_is_reported(self, bench, tell):
        await tell("Traceback (most recent call last)\\n\\n" + sse(PARTIAL).replace("\n", "\\n"), "sse_events")

        assert bench.context.kinds == ["subprocess_bad_record"]
        assert bench.context.outputs == [Partial("Hel")]

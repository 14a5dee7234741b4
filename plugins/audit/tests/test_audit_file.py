"""The file of a run's events: what is written is read back, and whatever is changed in it is found."""

import json
from hashlib import sha256
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swarm_plugin_audit.file import check_file
from swarm_plugin_audit.lines import end_line, event_lines, header_line, read_event, row_of

from swarm_core.codec.compact import compact
from swarm_core.codec.row_text import first_link, link_after, link_as_hex, parted, with_link
from swarm_core.errors import DocumentError
from swarm_core.model.run import JournalRow, StoredRun
from swarm_core.model.task import RunStatus

RUN = "RUN-00000000000000aa"
HASH = "ab" * 32

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
events = st.tuples(
    st.sampled_from(["task_created", "task_pass", "audit", "sha256"]),
    st.floats(0, 4e9),
    st.none() | st.text(max_size=6),
    st.none() | st.integers(1, 9),
    st.dictionaries(st.text(max_size=6), values, max_size=3),
).map(list)
runs = st.lists(st.lists(events, min_size=1, max_size=3), max_size=4)


def rows_of(*groups, run=RUN):
    """Return the rows of a run that has ended, with these events between its first and its last."""
    started = ["run_started", 1.0, None, None, {"blueprint": "größe", "blueprint_hash": HASH}]
    ended = ["run_ended", 9.0, None, None, {"status": "done"}]
    made, before, seq = [], first_link(run), 0
    for entries in ([started], *groups, [ended]):
        text, first, seq = compact(entries), seq + 1, seq + len(entries)
        before = link_after(before, first, seq, text)
        made.append(JournalRow(run_id=run, first_seq=first, last_seq=seq, body=with_link(text, before)))
    return made


def file_of(rows, *, run=RUN):
    """Return the lines of the rows' file."""
    stored = StoredRun(
        id=run, blueprint_id="größe", blueprint_hash=HASH, launch={}, status=RunStatus.DONE, created_at=1.0,
        updated_at=9.0, ended_at=9.0, last_seq=rows[-1].last_seq,
    )  # fmt: skip
    lines = [header_line(stored, 10.5), *(line for row in rows for line in event_lines(row))]
    data = [f"{line}\n".encode() for line in lines]
    return [*data, f"{end_line(sha256(b''.join(data)).hexdigest())}\n".encode()]


PLAIN = file_of(
    rows_of([["task_pass", 2.0, "T-1", 1, {"result": {"n": n}}] for n in range(3)], [["x", 3.0, None, None, {}]])
)


def codes(chain):
    return [(finding.seq, finding.code) for finding in chain.findings]


@given(groups=runs)
def test_a_row_is_made_again_from_its_lines_text_for_text(groups):
    for row in rows_of(*groups):
        assert row == row_of(RUN, [read_event(line) for line in event_lines(row)])


@given(groups=runs)
def test_a_file_that_is_as_it_was_written_is_whole(groups):
    rows = rows_of(*groups)

    chain = check_file(file_of(rows), "run.jsonl", head=parted(rows[-1].body)[1])

    assert (chain.whole, chain.seq, chain.rows) == (True, rows[-1].last_seq, len(rows))


def test_a_line_is_what_a_reader_expects_of_an_event():
    row = rows_of([["task_pass", 2.0, "T-1", 1, {"result": "größe"}]])[1]

    (line,) = event_lines(row)

    assert json.loads(line) == {
        "seq": 2, "kind": "task_pass", "time": 2.0, "task_id": "T-1", "attempt": 1, "data": {"result": "größe"},
        "row": [2, 2], "link": link_as_hex(parted(row.body)[1]),
    }  # fmt: skip


def is_found(lines):
    try:
        return not check_file(lines, "run.jsonl").whole
    except DocumentError as error:
        return error.problems[0].line == 1


class TestAltered:
    @given(data=st.data())
    def test_each_single_byte_counts(self, data):
        whole = b"".join(PLAIN)
        place = data.draw(st.integers(0, len(whole) - 1))
        how = data.draw(st.sampled_from(["change", "remove", "insert"]))
        byte = data.draw(st.integers(0, 255).filter(lambda byte: how != "change" or byte != whole[place]))
        extra = b"" if how == "remove" else bytes([byte])
        changed = whole[:place] + extra + whole[place + (how != "insert") :]

        assert changed == whole or is_found(BytesIO(changed).readlines())

    @pytest.mark.parametrize("at", range(len(PLAIN)))
    def test_a_line_that_is_gone(self, at):
        assert is_found([*PLAIN[:at], *PLAIN[at + 1 :]])

    @pytest.mark.parametrize("at", range(len(PLAIN)))
    def test_a_line_that_stands_twice(self, at):
        assert is_found([*PLAIN[: at + 1], *PLAIN[at:]])

    @given(order=st.permutations(range(len(PLAIN))))
    def test_lines_in_another_order(self, order):
        lines = [PLAIN[at] for at in order]

        assert is_found(lines) == (lines != PLAIN)

    @pytest.mark.parametrize("at", range(1, len(PLAIN) - 1))
    def test_a_line_of_another_run(self, at):
        other = file_of(rows_of(
            [["task_pass", 2.0, "T-1", 1, {"result": {"n": n}}] for n in range(3)], [["x", 3.0, None, None, {}]],
            run="RUN-00000000000000bb",
        ))  # fmt: skip

        assert is_found([*PLAIN[:at], other[at], *PLAIN[at + 1 :]])

    def test_a_change_with_a_checksum_of_its_own_is_found_by_the_chain_and_told_where(self):
        lines = [line.replace(b'"n":1', b'"n":7') for line in PLAIN[:-1]]
        lines.append(f"{end_line(sha256(b''.join(lines)).hexdigest())}\n".encode())

        assert (2, "altered") == codes(check_file(lines, "run.jsonl"))[0]

    def test_what_the_chain_does_not_speak_of_is_found_by_the_checksum(self):
        lines = [PLAIN[0].replace(b"10.5", b"11.5"), *PLAIN[1:]]

        assert [(0, "file")] == codes(check_file(lines, "run.jsonl"))

    def test_an_end_that_is_missing(self):
        assert (7, "file") in codes(check_file(PLAIN[:-1], "run.jsonl"))

    @pytest.mark.parametrize(
        "line",
        [
            b'{"seq":2}\n',
            b'{"seq":2,"kind":"x","time":1,"task_id":null,"attempt":null,"data":{},"row":[2,2],"link":7}\n',
            b'{"seq":"2","kind":"x","time":1,"task_id":null,"attempt":null,"data":{},"row":[2,2],"link":null}\n',
            b'{"seq":2,"kind":"x","time":1,"task_id":null,"attempt":null,"data":{},"row":[2,2],"link":null} \n',
            b"[" * 99999 + b"\n",
            b"\xff\n",
            b"no line break",
        ],
    )
    def test_a_line_that_is_none(self, line):
        chain = check_file([PLAIN[0], PLAIN[1], line, *PLAIN[2:]], "run.jsonl")

        assert (2, "file") == codes(chain)[0]


class TestRows:
    @pytest.mark.parametrize(
        "text", ["", "[]", "[[1,2,3,4]]", "[[1,2,3,4,5]", "[[1,2,3,4,5]]x", '[["a",1,null,null,{\n}]]']
    )
    def test_what_is_no_row_is_not_written_down(self, text):
        with pytest.raises(ValueError):
            list(event_lines(JournalRow(run_id=RUN, first_seq=1, last_seq=1, body=text)))

    def test_a_row_of_before_there_were_links_has_none(self):
        (line,) = event_lines(JournalRow(run_id=RUN, first_seq=1, last_seq=1, body='[["x",1,null,null,{}]]'))

        assert json.loads(line)["link"] is None
        assert None is read_event(line).link

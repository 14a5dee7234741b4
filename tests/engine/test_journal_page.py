"""The reference page of the journal shows what is written: its row decodes, its kinds are all, its code runs."""

import json
import re
from contextlib import redirect_stdout
from doctest import ELLIPSIS, OutputChecker
from hashlib import sha256
from io import StringIO
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from swarm_core.engine.offload import pack
from swarm_core.engine.rows import decode_row, encode_entries
from swarm_core.model.event import EVENT_KINDS
from swarm_core.model.run import JournalRow

PAGE = (Path(__file__).parents[2] / "docs/reference/journal.md").read_text(encoding="utf-8")
FENCES = [(token.info, token.content) for token in MarkdownIt().parse(PAGE) if token.type == "fence"]
PROGRAMS = [(code, shown) for (language, code), (_, shown) in pairwise(FENCES) if language == "python"]
ROW, REFERENCE, ESCAPE = (json.loads(text) for language, text in FENCES if language == "json")


def test_the_row_that_it_shows_is_the_one_that_a_step_leaves():
    body = json.dumps(ROW, separators=(",", ":"))
    row = JournalRow(run_id="RUN-1", first_seq=2, last_seq=5, body=body)

    events = decode_row(row)

    assert [event.kind for event in events][2:] == ["task_attempt_completed", "task_pass"]
    assert events[2].data == {"ok": True, "result": {"verdict": "ok"}}
    assert encode_entries([(e.kind, e.time, e.task_id, e.attempt, e.data) for e in events]) == body


def test_the_kinds_that_it_lists_are_all_that_stand_in_journals():
    listed = re.findall(r"^\| `([a-z_]+)` \| .*\|$", PAGE.partition("## Kinds")[2].partition("\n## ")[0], re.MULTILINE)

    without_run = {"session_attached", "session_detached", "session_reattached", "gap"}
    assert sorted(listed) == sorted(set(EVENT_KINDS) - without_run)


def test_the_reference_that_it_shows_is_that_of_a_text_of_1_mib():
    packed, blobs = pack("x" * 2**20, 32 * 1024)

    assert packed == REFERENCE
    assert [sha256(data).hexdigest() for data in blobs.values()] == [REFERENCE["$output"]]


def test_the_escape_that_it_shows_is_that_of_what_stands_in_it():
    assert pack(ESCAPE["$literal"], 32 * 1024) == (ESCAPE, {})


@pytest.mark.parametrize(("code", "shown"), PROGRAMS, ids=range(len(PROGRAMS)))
def test_its_code_prints_what_it_shows(code, shown):
    with redirect_stdout(StringIO()) as printed:
        exec(compile(code, "journal.md", "exec"), {})

    assert OutputChecker().check_output(shown, printed.getvalue(), ELLIPSIS), printed.getvalue()


def test_it_shows_code():
    assert len(PROGRAMS) == 3

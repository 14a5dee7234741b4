"""The chain over a run's rows: whatever is changed in them is found, at the first event that is wrong."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from swarm_core.codec.chain import ChainCheck
from swarm_core.codec.compact import compact
from swarm_core.codec.row_text import first_link, link_after, link_as_hex, link_from_hex, parted, with_link
from swarm_core.model.run import JournalRow
from swarm_core.model.task import RunStatus

HASH = "ab" * 32
STARTED = ["run_started", 1.0, None, None, {"blueprint": "b", "blueprint_hash": HASH}]
ENDED = ["run_ended", 9.0, None, None, {"status": "done"}]


def event(n):
    return ["task_pass", float(n), f"T-{n}", 1, {"result": n}]


def chained(*rows, run="RUN-1"):
    """Return linked rows of a run; each is a list of entries."""
    made, before, seq = [], first_link(run), 0
    for entries in rows:
        text, first, seq = compact(entries), seq + 1, seq + len(entries)
        before = link_after(before, first, seq, text)
        made.append(JournalRow(run_id=run, first_seq=first, last_seq=seq, body=with_link(text, before)))
    return made


def run_of(*sizes, run="RUN-1"):
    """Return the rows of a run that has ended, of so many events each, besides the first and the last event."""
    numbers = iter(range(1000))
    middle = [[event(next(numbers)) for _ in range(size)] for size in sizes]
    return chained([STARTED], *middle, [ENDED], run=run)


def look(rows, *, status=RunStatus.DONE, last=None, digest=HASH, head=None):
    check = ChainCheck("RUN-1", head=head)
    for row in rows:
        check.take(row)
    return check.finish(status, rows[-1].last_seq if last is None and rows else last or 0, digest)


def codes(chain):
    return [(finding.seq, finding.code) for finding in chain.findings]


sizes = st.lists(st.integers(1, 4), min_size=1, max_size=5)


@given(sizes=sizes)
def test_a_run_that_is_as_it_was_written_is_whole(sizes):
    rows = run_of(*sizes)

    chain = look(rows)

    assert chain.whole
    assert (chain.seq, chain.rows) == (sum(sizes) + 2, len(sizes) + 2)
    assert chain.link == link_as_hex(parted(rows[-1].body)[1])


class TestAltered:
    @given(sizes=sizes, data=st.data())
    def test_each_single_character(self, sizes, data):
        rows = run_of(*sizes)
        at = data.draw(st.integers(0, len(rows) - 1))
        body = rows[at].body
        place = data.draw(st.integers(0, len(body) - 1))
        how = data.draw(st.sampled_from(["change", "remove", "insert"]))
        letter = data.draw(st.characters(exclude_characters=body[place] if how == "change" else "", codec="utf-8"))
        text = "" if how == "remove" else letter
        changed = body[:place] + text + body[place + (how != "insert") :]

        chain = look([*rows[:at], evolve(rows[at], body=changed), *rows[at + 1 :]])

        assert rows[at].first_seq == chain.findings[0].seq or changed == body

    @given(sizes=sizes, data=st.data())
    def test_the_numbers_of_a_row(self, sizes, data):
        rows = run_of(*sizes)
        at = data.draw(st.integers(0, len(rows) - 1))
        first = data.draw(st.integers(-5, 40).filter(lambda n: n != rows[at].first_seq))

        chain = look([*rows[:at], evolve(rows[at], first_seq=first), *rows[at + 1 :]])

        assert not chain.whole

    @given(sizes=sizes, data=st.data())
    def test_rows_that_are_removed_doubled_or_in_another_order(self, sizes, data):
        rows = run_of(*sizes)
        at = data.draw(st.integers(0, len(rows) - 1))
        to = data.draw(st.integers(0, len(rows) - 1).filter(lambda n: n != at))
        swapped = list(rows)
        swapped[at], swapped[to] = rows[to], rows[at]
        again = [*rows[:to], rows[at], *rows[to:]]

        assert codes(look([*rows[:at], *rows[at + 1 :]], last=rows[-1].last_seq))[0] == (rows[at].first_seq, "missing")
        assert not look(swapped, last=rows[-1].last_seq).whole
        assert not look(again, last=rows[-1].last_seq).whole

    @given(sizes=sizes, data=st.data())
    def test_a_row_of_another_run(self, sizes, data):
        rows, others = run_of(*sizes), run_of(*sizes, run="RUN-2")
        at = data.draw(st.integers(0, len(rows) - 1))

        chain = look([*rows[:at], evolve(others[at], run_id="RUN-1"), *rows[at + 1 :]])

        assert codes(chain)[0] == (rows[at].first_seq, "altered")

    def test_a_row_that_was_rewritten_with_a_link_of_its_own_breaks_the_next_one(self):
        rows = run_of(2, 2)
        text = parted(rows[1].body)[0].replace('"result":0', '"result":7')
        link = link_after(parted(rows[0].body)[1], rows[1].first_seq, rows[1].last_seq, text)

        chain = look([rows[0], evolve(rows[1], body=with_link(text, link)), *rows[2:]])

        assert codes(chain) == [(4, "altered")]

    def test_one_change_is_one_finding(self):
        rows = run_of(2, 2, 2)
        changed = evolve(rows[2], body=rows[2].body.replace('"result":2', '"result":9'))

        chain = look([*rows[:2], changed, *rows[3:]])

        assert [finding.message for finding in chain.findings] == [
            "events 4 to 5 are not what was written after event 3"
        ]


class TestUnlinked:
    def test_rows_from_before_there_were_links_are_told_once(self):
        rows = [evolve(row, body=parted(row.body)[0]) for row in run_of(1, 1)]

        chain = look(rows)

        assert (codes(chain), chain.link) == ([(1, "unlinked")], "")

    def test_the_first_link_says_what_the_rows_before_it_are(self):
        old = [evolve(row, body=parted(row.body)[0]) for row in run_of(1, 1)[:2]]
        rows = [*old, *run_of(1, 1)[2:]]
        changed = evolve(old[1], body=old[1].body.replace("T-0", "T-1"))

        assert codes(look(rows)) == [(1, "unlinked")]
        assert codes(look([old[0], changed, *rows[2:]])) == [(1, "unlinked"), (3, "altered")]


class TestEvents:
    def test_what_comes_after_the_end(self):
        assert codes(look(chained([STARTED], [ENDED], [event(1)]))) == [(3, "after_end")]

    @pytest.mark.parametrize(("rows", "seq"), [([[event(1)], [ENDED]], 1), ([[STARTED], [STARTED, ENDED]], 2)])
    def test_a_run_begins_once_and_with_its_beginning(self, rows, seq):
        assert codes(look(chained(*rows))) == [(seq, "no_beginning")]


class TestRecord:
    def test_a_number_of_events_that_are_not_there(self):
        assert codes(look(run_of(1), last=9)) == [(4, "missing")]

    def test_an_end_that_is_not_there(self):
        assert codes(look(run_of(1)[:-1])) == [(3, "missing")]

    def test_no_events_at_all(self):
        assert codes(look([], status=RunStatus.INTERRUPTED)) == [(1, "missing")]

    @pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.RUNNING, RunStatus.WAITING])
    def test_another_status_than_that_of_the_end(self, status):
        assert codes(look(run_of(1), status=status)) == [(0, "record")]

    def test_another_blueprint(self):
        assert codes(look(run_of(1), digest="cd" * 32)) == [(0, "record")]

    def test_a_migrated_run_has_the_blueprint_that_it_was_migrated_to(self):
        migrated = ["run_migrated", 5.0, None, None, {"from": HASH, "to": "cd" * 32, "dropped": []}]

        assert look(chained([STARTED], [migrated], [ENDED]), digest="cd" * 32).whole


class TestHead:
    @given(sizes=sizes, data=st.data())
    def test_a_link_that_the_run_had_is_found(self, sizes, data):
        rows = run_of(*sizes)

        head = parted(data.draw(st.sampled_from(rows)).body)[1]

        assert look(rows, head=head).whole

    def test_a_run_that_was_rewritten_with_all_its_links_has_another_head(self):
        head, rewritten = parted(run_of(1, 2)[-1].body)[1], run_of(2, 1)

        assert look(rewritten).whole
        assert codes(look(rewritten, head=head)) == [(0, "head")]

    def test_a_run_that_was_cut_off_is_found_with_the_head_alone(self):
        rows = run_of(1, 1)[:-1]
        head = parted(rows[-1].body)[1]

        cut = look(rows[:-1], status=RunStatus.INTERRUPTED)

        assert cut.whole
        assert codes(look(rows[:-1], status=RunStatus.INTERRUPTED, head=head)) == [(0, "head")]


def test_findings_are_100_at_most():
    rows = [evolve(row, body=parted(row.body)[0][:-1] + "!") for row in run_of(*[1] * 200)]

    assert len(look(rows).findings) == 100


def test_what_was_found_out_is_data():
    chain = look(run_of(1), head=link_from_hex("00" * 32))

    assert chain.as_json() == {
        "run_id": "RUN-1",
        "status": "done",
        "seq": 3,
        "rows": 3,
        "link": chain.link,
        "whole": False,
        "findings": [{"seq": 0, "code": "head", "message": f"no row up to event 3 has the link {'00' * 32}"}],
    }

"""Issues, settings and log entries as values, and the forms that they have as data."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_core.codec import structure
from swarm_core.errors import DocumentError, InvalidId
from swarm_core.model.enhance import (
    Applied,
    AxisVerdict,
    EnhanceLogEntry,
    EnhanceLogStatus,
    EnhanceSetting,
    InFlight,
    IssuePayload,
    Pending,
    Rejected,
    VerdictStatus,
    parse_status,
    status_json,
)
from swarm_core.model.ids import check_id, check_setting_id, new_id
from swarm_core.model.version import Fixed, Latest, SemverReq

WORDS = st.text(max_size=5)
STATUSES = st.one_of(
    st.just(Pending()),
    st.just(InFlight()),
    st.builds(Applied, new_version=WORDS),
    st.builds(Rejected, reason=WORDS),
)
SETTINGS = st.builds(
    EnhanceSetting,
    id=WORDS,
    blueprint_id=WORDS,
    ttl_secs=st.integers(),
    version=st.one_of(st.builds(Latest), st.builds(Fixed, value=WORDS), st.builds(SemverReq, req=WORDS)),
    verifier_axes=st.lists(WORDS).map(tuple),
    meta=st.dictionaries(WORDS, st.none() | st.integers() | WORDS),
)
VERDICTS = st.builds(AxisVerdict, axis=WORDS, status=st.sampled_from(VerdictStatus), detail=st.none() | WORDS)
ENTRIES = st.builds(
    EnhanceLogEntry,
    **dict.fromkeys(("issue_id", "blueprint_id", "prev_hash", "new_hash", "intent", "rationale"), WORDS),
    verdicts=st.lists(VERDICTS, max_size=3).map(tuple),
    status=st.sampled_from(EnhanceLogStatus),
    reasons=st.lists(WORDS, max_size=3).map(tuple),
    ts_ms=st.integers(),
)


class TestStatus:
    @pytest.mark.parametrize(
        ("status", "form", "kind"),
        [
            (Pending(), "Pending", "pending"),
            (InFlight(), "InFlight", "in_flight"),
            (Applied(new_version="ab12"), {"Applied": {"new_version": "ab12"}}, "applied"),
            (Rejected(reason="verifier deny: noop"), {"Rejected": {"reason": "verifier deny: noop"}}, "rejected"),
        ],
    )
    def test_it_has_the_seeds_form_and_a_name_in_snake_case(self, status, form, kind):
        assert (form, kind) == (status_json(status), status.kind)
        assert status == parse_status(form)

    @given(STATUSES)
    def test_what_is_written_is_read_as_the_same(self, status):
        assert status == parse_status(status_json(status))

    @pytest.mark.parametrize(
        "value",
        [
            *("pending", "Applied", "", None, 1, [], {}, {"Pending": {}}, {"Applied": None}, {"Applied": {}}),
            *({"Applied": {"new_version": 1}}, {"Applied": {"reason": "x"}}, {"Rejected": "x"}, {1: {"reason": "x"}}),
            {"Applied": {"new_version": "x"}, "Rejected": {"reason": "x"}},
            {"Applied": {"new_version": "x", "reason": "x"}},
        ],
        ids=repr,
    )
    def test_anything_else_is_told_with_the_forms_that_there_are(self, value):
        with pytest.raises(DocumentError, match='this is no status of an issue; write "Pending"'):
            parse_status(value)


class TestDocuments:
    def test_a_setting_has_the_defaults_of_the_seeds(self):
        setting = structure({"id": "default", "blueprint_id": "orbit", "ttl_secs": 600}, EnhanceSetting)

        assert {
            "id": "default",
            "blueprint_id": "orbit",
            "ttl_secs": 600,
            "version": {"kind": "latest"},
            "verifier_axes": ["des", "canonical", "noop", "agent-ref"],
            "meta": {},
        } == setting.as_json()

    def test_every_problem_of_a_setting_is_told(self):
        with pytest.raises(DocumentError) as raised:
            structure({"id": 1, "blueprint_id": "b", "ttl_secs": "60", "verison": {}}, EnhanceSetting)

        assert ["$.id", "$.ttl_secs", "$.verison"] == [problem.path for problem in raised.value.problems]

    @given(SETTINGS)
    def test_a_setting_is_read_as_it_was_written(self, setting):
        assert setting == structure(setting.as_json(), EnhanceSetting)

    @given(ENTRIES)
    def test_an_entry_is_read_as_it_was_written(self, entry):
        assert entry == structure(entry.as_json(), EnhanceLogEntry)

    def test_an_issue_is_its_three_fields(self):
        issue = IssuePayload(issue_id="h-1", blueprint_id="review", intent="shorter")

        assert {"issue_id": "h-1", "blueprint_id": "review", "intent": "shorter"} == issue.as_json()
        assert issue == structure(issue.as_json(), IssuePayload)


class TestIds:
    def test_an_issues_id_begins_with_h(self):
        made = new_id("h-", random.Random(1).getrandbits)

        assert made == check_id("h-", made)
        assert (18, "h-") == (len(made), made[:2])

    @pytest.mark.parametrize("text", ["", "a/b", "..", " a", "a@b", "a\0", "x" * 201])
    def test_a_settings_id_is_what_a_blueprints_may_be(self, text):
        assert "default" == check_setting_id("default")
        with pytest.raises(InvalidId, match="is not an enhance setting's id: 1 to 200 printable characters"):
            check_setting_id(text)

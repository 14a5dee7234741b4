"""Ids of any text have branches that git and all file systems take, and that no other id has."""

import subprocess
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swarm_plugin_git.names import branch_of, id_of, is_cut

IDS = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp", "Cn"), exclude_characters="/\\@"),
    min_size=1,
    max_size=200,
).filter(lambda text: text[0] not in ".-" and text == text.strip())


@pytest.mark.parametrize(
    ("blueprint_id", "branch"),
    [
        ("review", "review"),
        ("code-review_2", "code-review_2"),
        ("team.review", "team.review"),
        ("Review", "%52eview"),
        ("a..b", "a%2E%2Eb"),
        ("a.", "a%2E"),
        ("a.lock", "a%2Elock"),
        ("a.lock.b", "a.lock.b"),
        ("a b", "a%20b"),
        ("100%", "100%25"),
        ("café", "caf%C3%A9"),
    ],
)
def test_a_branch_is_readable_where_it_can_be(blueprint_id, branch):
    assert branch == branch_of(blueprint_id)
    assert blueprint_id == id_of(branch)


@given(IDS)
def test_a_branch_tells_its_id_or_is_cut(blueprint_id):
    branch = branch_of(blueprint_id)

    assert id_of(branch) == (None if is_cut(branch) else blueprint_id)
    assert len(f"{branch}.lock") < 255
    assert branch.isascii()


@given(IDS, IDS)
def test_two_ids_are_apart_on_a_file_system_that_folds_case_and_accents(one, other):
    def folded(text):
        return unicodedata.normalize("NFC", branch_of(text)).casefold()

    assert (one == other) == (folded(one) == folded(other))


@pytest.mark.parametrize("blueprint_id", ["Review", "REVIEW", "Straße", "STRASSE", "\u00e9", "e\u0301", "\u212a", "k"])
def test_look_alikes_are_apart(blueprint_id):
    others = {"review", "ReVieW", "strasse", "E\u0301", "K"} - {blueprint_id}

    assert branch_of(blueprint_id).casefold() not in {branch_of(other).casefold() for other in others}


@given(IDS)
def test_git_takes_the_name(blueprint_id):
    command = ["git", "check-ref-format", "--branch", branch_of(blueprint_id)]

    assert 0 == subprocess.run(command, capture_output=True, check=False).returncode


@pytest.mark.parametrize("branch", ["Review", "a%2e", "a..b", "%ff", "%41%", "a%2Db"])
def test_a_name_that_no_id_has_is_none_of_ours(branch):
    assert id_of(branch) is None

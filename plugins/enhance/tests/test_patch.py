"""What a patch agent may answer, and what a patch does to a document."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonpatch import JsonPatch
from swarm_plugin_enhance.patch import BadPatch, patched, read_patch

OPS = [{"op": "replace", "path": "/a", "value": 2}]
SAID = {"ops": OPS, "rationale": "because", "bump": "minor"}
TEXT = json.dumps(SAID)


@pytest.mark.parametrize(
    "said",
    [
        SAID,
        {**SAID, "patch": None},
        {"patch": OPS, "rationale": " because ", "bump": "minor"},
        TEXT,
        f"Here you are:\n```json\n{TEXT}\n```\nDone.",
        f"```\n{TEXT}\n```",
    ],
)
def test_a_patch_is_read_as_an_object_as_text_and_from_a_code_block(said):
    patch = read_patch(said)

    assert (OPS, "because", "minor", False) == (list(patch.ops), patch.rationale, patch.bump, patch.raises_bound)


@pytest.mark.parametrize(("bump", "means"), [("major", "major"), ("minor", "minor"), ("x", "patch"), (None, "patch")])
def test_a_bump_that_is_none_of_the_three_means_patch(bump, means):
    assert means == read_patch({**SAID, "bump": bump}).bump


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (None, "no object"),
        ([], "no object"),
        ("sorry, I cannot", "no JSON"),
        ({"ops": OPS}, "rationale"),
        ({**SAID, "rationale": "  "}, "rationale"),
        ({**SAID, "rationale": "x" * 20_001}, "rationale"),
        ({"rationale": "because"}, "ops"),
        ({**SAID, "ops": {}}, "ops"),
        ({**SAID, "ops": ["add"]}, "ops"),
        ({**SAID, "ops": OPS * 1001}, "1,001 operations"),
    ],
)
def test_what_is_no_patch_says_why(said, reason):
    with pytest.raises(BadPatch, match=reason):
        read_patch(said)


def apply(document, *ops):
    return patched(document, read_patch({**SAID, "ops": list(ops)}))


@pytest.mark.parametrize(
    ("document", "op", "after"),
    [
        ({"a": [1]}, {"op": "add", "path": "/a/-", "value": 2}, {"a": [1, 2]}),
        ({"a": []}, {"op": "add", "path": "/a/0", "value": 2}, {"a": [2]}),
        ({"a": 1, "b": 2}, {"op": "remove", "path": "/a"}, {"b": 2}),
        ({"a": 1}, {"op": "move", "from": "/a", "path": "/b"}, {"b": 1}),
        ({"a": 1}, {"op": "copy", "from": "/a", "path": "/b"}, {"a": 1, "b": 1}),
        ({"a/b": {"~": 1}}, {"op": "replace", "path": "/a~1b/~0", "value": 2}, {"a/b": {"~": 2}}),
        ({"a": {"b": [1]}}, {"op": "test", "path": "/a", "value": {"b": [1]}}, {"a": {"b": [1]}}),
    ],
)
def test_operations_do_what_rfc_6902_says(document, op, after):
    assert after == apply(document, op)


@pytest.mark.parametrize(
    "op",
    [
        {"op": "replace", "path": "/missing", "value": 1},
        {"op": "remove", "path": "/a/1"},
        {"op": "add", "path": "/a/01", "value": 1},
        {"op": "add", "path": "/a/-1", "value": 1},
        {"op": "add", "path": "/s/x", "value": 1},
        {"op": "add", "path": "a", "value": 1},
        {"op": "test", "path": "/a", "value": [True]},
        {"op": "copy", "from": "/missing", "path": "/b"},
        {"op": "move", "from": "/a", "path": "/a/0"},
        {"op": "merge", "path": "/a"},
        {"op": "add", "path": 5, "value": 1},
        {"op": "add", "path": "/a"},
        {"path": "/a"},
    ],
)
def test_an_operation_that_does_not_fit_is_a_bad_patch_and_leaves_the_document_alone(op):
    document = {"a": [1], "s": "text"}

    with pytest.raises(BadPatch):
        apply(document, {"op": "add", "path": "/new", "value": 1}, op)

    assert {"a": [1], "s": "text"} == document


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=10,
)


@given(before=st.dictionaries(st.text(max_size=4), values), after=st.dictionaries(st.text(max_size=4), values))
def test_the_difference_of_two_documents_makes_one_of_the_other(before, after):
    ops = JsonPatch.from_diff(before, after).patch

    assert after == apply(before, *ops)


@given(said=values)
def test_whatever_is_said_is_a_patch_or_a_bad_patch(said):
    try:
        patch = read_patch(said)
    except BadPatch:
        return
    assert patch.rationale

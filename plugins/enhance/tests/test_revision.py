"""The next version of a Blueprint: its hash, its label, the hashes of its prompts."""

from hashlib import sha256

import pytest
from swarm_plugin_enhance.patch import BadPatch, read_patch
from swarm_plugin_enhance.revision import bumped, hash_of, revise

from swarm_core.codec import blueprint_json, structure_blueprint

FALSE = "0" * 64


def document(**metadata):
    return blueprint_json(
        structure_blueprint(
            {
                "id": "greet",
                "flow": {"kind": "seq", "children": []},
                "agents": [
                    {"name": "a", "kind": "fake", "profile": {"system_prompt": "one", "version_hash": FALSE}},
                    {"name": "b", "kind": "fake"},
                ],
                "metadata": metadata,
            }
        )
    )


def revised(before, *ops, bump="patch"):
    return revise(before, read_patch({"ops": list(ops), "rationale": "because", "bump": bump}))


def profile(revision):
    return revision.document["agents"][0]["profile"]


def test_a_changed_prompt_has_a_true_hash():
    revision = revised(document(), {"op": "replace", "path": "/agents/0/profile/system_prompt", "value": "two"})

    assert sha256(b"two").hexdigest() == profile(revision)["version_hash"]
    assert revision.changed


def test_a_hash_that_the_patch_made_up_does_not_count():
    ops = [
        {"op": "replace", "path": "/agents/0/profile/system_prompt", "value": "two"},
        {"op": "replace", "path": "/agents/0/profile/version_hash", "value": "f" * 64},
    ]

    assert sha256(b"two").hexdigest() == profile(revised(document(), *ops))["version_hash"]


def test_where_the_prompt_stays_its_hash_stays():
    revision = revised(document(), {"op": "replace", "path": "/agents/0/profile/version_hash", "value": "f" * 64})

    assert FALSE == profile(revision)["version_hash"]
    assert not revision.changed


def test_an_agent_that_moved_keeps_its_hash_and_a_new_one_gets_its_own():
    new = {"name": "c", "kind": "fake", "profile": {"system_prompt": "three"}}
    revision = revised(document(), {"op": "add", "path": "/agents/0", "value": new})

    hashes = [(agent.get("profile") or {}).get("version_hash") for agent in revision.document["agents"]]
    assert [sha256(b"three").hexdigest(), FALSE, None] == hashes


@pytest.mark.parametrize(
    ("label", "bump", "after"),
    [
        ("1.2.3", "major", "2.0.0"),
        ("1.2.3", "minor", "1.3.0"),
        ("1.2.3", "patch", "1.2.4"),
        ("2.0.0-rc.1", "patch", "2.0.0"),
        ("next", "patch", "0.0.1"),
        (None, "minor", "0.1.0"),
        (7, "major", "1.0.0"),
        ("1" * 300, "patch", "0.0.1"),
    ],
)
def test_a_label_goes_up_and_one_that_is_no_version_counts_as_zero(label, bump, after):
    assert after == bumped(label, bump)


def test_the_label_follows_the_bump_whatever_the_patch_makes_of_it():
    ops = [
        {"op": "replace", "path": "/metadata/version_label", "value": "9.9.9"},
        {"op": "replace", "path": "/agents/0/profile/system_prompt", "value": "two"},
    ]

    revision = revised(document(version_label="1.0.0"), *ops, bump="minor")

    assert "1.1.0" == revision.document["metadata"]["version_label"]


def test_what_changes_nothing_keeps_the_label_and_the_hash():
    before = document(version_label="1.0.0")

    revision = revised(before, {"op": "replace", "path": "/metadata/version_label", "value": "9.9.9"})

    assert not revision.changed
    assert hash_of(before) == revision.hash


def test_the_hash_is_that_of_the_document():
    revision = revised(document(), {"op": "replace", "path": "/agents/0/profile/system_prompt", "value": "two"})

    assert hash_of(revision.document) == revision.hash


@pytest.mark.parametrize(
    ("op", "reason"),
    [
        ({"op": "remove", "path": "/flow"}, "no Blueprint"),
        ({"op": "add", "path": "/flow/kind", "value": "stp"}, "did you mean"),
        ({"op": "add", "path": "/surprise", "value": 1}, "surprise"),
        ({"op": "replace", "path": "/agents", "value": 5}, "agents"),
        ({"op": "replace", "path": "/metadata", "value": []}, "metadata"),
        ({"op": "replace", "path": "", "value": []}, "leaves no Blueprint"),
    ],
)
def test_what_is_no_blueprint_any_more_says_why(op, reason):
    with pytest.raises(BadPatch, match=reason):
        revised(document(), op)

"""Which version is meant: selectors as people and documents write them, and what a store answers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_core.builtin.memory_blueprints import MemoryBlueprintStore
from swarm_core.errors import (
    BlueprintArchived,
    BlueprintNotFound,
    DocumentError,
    InvalidId,
    InvalidSemver,
    NoMatchingVersion,
)
from swarm_core.model.version import CommitMetadata, Fixed, IdRef, InlineRef, Latest, SemverReq
from swarm_core.selecting import choose, parse_ref, parse_selector, parse_source, ref_json


def text_of(label, mark=0):
    metadata = {} if label is None else {"metadata": {"version_label": label}}
    return json.dumps({"id": "review", **metadata, "n": mark}, sort_keys=True, separators=(",", ":"))


async def kept(*labels):
    """Return a store with a Blueprint of these labels, the oldest first, and its entries."""
    store, entries = MemoryBlueprintStore(), []
    for mark, label in enumerate(labels):
        parent = entries[-1].version if entries else None
        said = CommitMetadata()
        entries.append(await store.write_new("review", text_of(label, mark), parent=parent, metadata=said))
    return store, entries


async def label_for(requirement, *labels):
    store, _ = await kept(*labels)
    text, entry = await choose(store, IdRef(id="review", version=SemverReq(req=requirement)))
    assert json.loads(text)["metadata"]["version_label"] == entry.label
    return entry.label


class TestRequirement:
    @pytest.mark.parametrize(
        ("requirement", "label"),
        [
            ("^1", "1.2.0"),
            ("^1.0.0", "1.2.0"),
            ("~1.0", "1.0.3"),
            ("1.0", "1.2.0"),
            ("=1.0.0", "1.0.0"),
            (">=1, <2", "1.2.0"),
            (">= 1.0.0 , < 1.2.0", "1.0.3"),
            (">1.0.0 <1.2", "1.0.3"),
            ("1.0.*", "1.0.3"),
            ("1.0.0 - 1.1.0", "1.0.3"),
            ("^0.2", "0.2.9"),
            ("*", "2.0.0"),
            ("^1 || ^2", "2.0.0"),
            ("=2.1.0-rc.2", "2.1.0-rc.2"),
            (">=2.1.0-rc.1", "2.1.0-rc.2"),
        ],
    )
    async def test_row_82_the_highest_label_that_meets_it_is_chosen(self, requirement, label):
        labels = ["2.0.0", "0.2.9", "1.0.0", "1.2.0", None, "1.0.3", "0.3.0", "2.1.0-rc.2", "2.1.0-rc.1"]

        assert label == await label_for(requirement, *labels)

    async def test_row_82_the_original_three(self):
        assert "1.2.0" == await label_for("^1", "1.0.0", "1.2.0", "2.0.0")

    async def test_row_82_nothing_that_meets_it_is_told_with_the_labels_there_are(self):
        with pytest.raises(
            NoMatchingVersion, match=r"no version of blueprint 'review' meets '\^9'; its labels: 2\.0\.0, 1"
        ):
            await label_for("^9", "1.0.0", "2.0.0")

    async def test_row_82_a_label_that_is_no_version_is_told(self):
        with pytest.raises(InvalidSemver, match="'abc' of blueprint 'review' is no semantic version"):
            await label_for("^1", "1.0.0", "abc", "1.2.0")

    @pytest.mark.parametrize("label", ["", "1", "1.2", "01.0.0", "1.0.0-", "x" * 300, "1.0.0\u0661"])
    async def test_row_82_so_are_labels_that_are_nearly_one(self, label):
        with pytest.raises(InvalidSemver):
            await label_for("^1", label)

    async def test_row_82_entries_without_a_label_are_skipped(self):
        with pytest.raises(NoMatchingVersion, match="none of its versions has a metadata"):
            await label_for("*", None, None)

    async def test_of_equal_labels_the_newest_counts(self):
        store, entries = await kept("1.0.0", "1.0.0+b", "1.0.0+a")

        _, entry = await choose(store, IdRef(id="review", version=SemverReq(req="^1")))

        assert entries[2] == entry

    async def test_only_the_newest_entries_are_looked_at(self):
        store, entries = await kept("9.0.0", "abc", *["1.0.0"] * 1024)

        _, entry = await choose(store, IdRef(id="review", version=SemverReq(req="*")))

        assert entries[-1] == entry

    async def test_what_is_archived_is_not_chosen(self):
        store, entries = await kept("1.0.0")
        await store.archive_id("review", by="alice")

        for selector in (SemverReq(req="^1"), Latest()):
            with pytest.raises(BlueprintArchived):
                await choose(store, IdRef(id="review", version=selector))
        _, entry = await choose(store, IdRef(id="review", version=Fixed(value=entries[0].version)))
        assert entries[0] == entry


class TestDigits:
    async def test_a_prefix_that_only_one_version_has_is_enough(self):
        store, entries = await kept(*[None] * 40)

        for entry in entries:
            length = next(n for n in range(4, 64) if sum(e.version.startswith(entry.version[:n]) for e in entries) == 1)
            found = await choose(store, parse_source(f"bp:review@{entry.version[:length]}"))
            assert entry == found[1]

    async def test_one_that_several_versions_have_is_refused_and_they_are_told(self):
        store, entries = await kept(*[None] * 600)
        heads = [entry.version[:4] for entry in entries]
        shared = next(head for head in heads if heads.count(head) > 1)

        with pytest.raises(BlueprintNotFound, match=rf"2 versions begin so: {shared}[0-9a-f]+, {shared}.*more digits"):
            await choose(store, parse_source(f"bp:review@{shared}"))

    async def test_a_version_that_is_there_twice_is_one(self):
        store, entries = await kept("1.0.0", "2.0.0")
        await store.write_new("review", text_of("1.0.0", 0), parent=entries[1].version, metadata=CommitMetadata())

        _, entry = await choose(store, parse_source(f"bp:review@{entries[0].version[:8].upper()}"))

        assert (entries[0].version, 3) == (entry.version, entry.number)

    async def test_one_that_no_version_has_says_where_to_look(self):
        store, entries = await kept("1.0.0")
        digits = f"{int(entries[0].version[:4], 16) ^ 1:04x}"

        with pytest.raises(BlueprintNotFound, match=f"has no version {digits}; see them with: swarm bp log review"):
            await choose(store, parse_source(f"bp:review@{digits}"))


class TestText:
    @pytest.mark.parametrize(
        ("text", "selector"),
        [
            ("bp:review", Latest()),
            ("bp:review@latest", Latest()),
            ("bp:review@1A2b", Fixed(value="1a2b")),
            ("bp:review@" + "0" * 64, Fixed(value="0" * 64)),
            ("bp:review@^1.2", SemverReq(req="^1.2")),
            ("bp:review@>=1, <2", SemverReq(req=">=1, <2")),
            ("bp:review@123", SemverReq(req="123")),
        ],
    )
    def test_a_source_says_id_and_selector(self, text, selector):
        assert IdRef(id="review", version=selector) == parse_source(text)

    @pytest.mark.parametrize(
        "text", ["", "abc", "Latest", "^", ">=1,,<2", "1.2.3.4", "y@z", "^1\n", "9" * 300, "^\u0661"]
    )
    def test_a_selector_that_is_none_is_told(self, text):
        with pytest.raises(InvalidSemver, match="is no semantic version; versions are like"):
            parse_source(f"bp:review@{text}")

    @pytest.mark.parametrize("text", ["", "../x", "a/b", "-x", ".x", "a\nb", "x" * 201])
    def test_an_id_that_is_none_is_told(self, text):
        with pytest.raises(InvalidId, match="is not a Blueprint's id: 1 to 200 printable characters"):
            parse_source(f"bp:{text}")

    @given(st.text(max_size=40) | st.from_regex(r"[\^~<>=*|,. xX0-9a-z+-]{0,20}", fullmatch=True))
    def test_any_text_is_a_selector_or_told_to_be_none(self, text):
        try:
            selector = parse_selector(text)
        except InvalidSemver:
            return
        assert isinstance(selector, Latest | Fixed | SemverReq)


class TestDocument:
    @pytest.mark.parametrize(
        ("document", "ref"),
        [
            ({"kind": "id", "id": "review"}, IdRef(id="review")),
            ({"kind": "id", "id": "review", "version": {"kind": "latest"}}, IdRef(id="review", version=Latest())),
            (
                {"kind": "id", "id": "review", "version": {"kind": "fixed", "value": "a" * 64}},
                IdRef(id="review", version=Fixed(value="a" * 64)),
            ),
            (
                {"kind": "id", "id": "review", "version": {"kind": "semver_req", "req": "^1"}},
                IdRef(id="review", version=SemverReq(req="^1")),
            ),
            ({"kind": "inline", "value": {"id": "x"}}, InlineRef(value={"id": "x"})),
        ],
    )
    def test_a_reference_is_read_and_written_as_the_original_has_it(self, document, ref):
        assert ref == parse_ref(document)
        if isinstance(ref, IdRef):
            assert {"version": {"kind": "latest"}, **document} == ref_json(ref)

    @pytest.mark.parametrize(
        ("document", "said"),
        [
            ({"kind": "file"}, r"\$\.kind: unknown kind 'file'"),
            ({"kind": "id"}, "lacks the field 'id'"),
            ({"kind": "id", "id": "x", "verison": 1}, "did you mean 'version'"),
            ({"kind": "id", "id": "x", "version": "latest"}, r"\$\.version: expected an object"),
            ({"kind": "id", "id": "x", "version": {"kind": "fixed", "value": "ab12"}}, r"\$\.version\.value: .*64 hex"),
            ({"kind": "id", "id": "x", "version": {"kind": "fixed", "value": "A" * 64}}, "lower case"),
            ({"kind": "id", "id": "x", "version": {"kind": "semver_req"}}, "lacks the field 'req'"),
        ],
    )
    def test_one_that_is_wrong_is_told_with_its_place(self, document, said):
        with pytest.raises(DocumentError, match=said):
            parse_ref(document)

    def test_its_requirement_and_id_are_checked_too(self):
        with pytest.raises(InvalidSemver):
            parse_ref({"kind": "id", "id": "x", "version": {"kind": "semver_req", "req": "new"}})
        with pytest.raises(InvalidId):
            parse_ref({"kind": "id", "id": "../x"})

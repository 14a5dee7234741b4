"""What plain git sees of the store, and what it may do to it."""

import json
from hashlib import sha256

import pytest
from swarm_plugin_git import open_git_blueprints

from swarm_core.errors import BlueprintArchived, StoreUnavailable, VersionConflict
from swarm_core.model.version import CommitMetadata


def commit_by_hand(git, folder, message, **document):
    """Commit a Blueprint as a person would, in a clone."""
    (folder / "blueprint.json").write_text(json.dumps(document, indent=4))
    git("add", "blueprint.json", at=folder)
    git("commit", "-q", "-m", message, at=folder)


@pytest.fixture
def clone(git, path, tmp_path):
    def make():
        git("clone", "-q", str(path), "clone", at=tmp_path)
        return tmp_path / "clone"

    return make


class TestSeenByGit:
    async def test_the_log_shows_why_who_and_which_version(self, store, write, git):
        (entry,) = await write(store, rationale="Ask the tester too\n\nIt found more.", author="alice")

        assert (f"Ask the tester too\n\nIt found more.\n\nBlueprint-version: {entry.version}\nBy: alice\n\n") == git(
            "log", "--format=%B", "review"
        )
        assert "swarm <swarm@localhost>, swarm <swarm@localhost>\n" == git("log", "--format=%an <%ae>, %cn <%ce>")
        assert f"{entry.commit}\n" == git("rev-parse", "review")

    async def test_each_entry_is_one_change_of_one_readable_file(self, store, write, git):
        await write(store, 2)

        diff = git("log", "-p", "-1", "--format=", "-U0", "review")

        assert ['-  "number": 1', '+  "number": 2'] == [line for line in diff.split("\n") if line[:2] in ("- ", "+ ")]
        assert "blueprint.json\n" == git("ls-tree", "--name-only", "review")

    async def test_a_commit_has_the_one_before_as_its_parent(self, store, write, git):
        first, second, third = await write(store, 3)

        assert [third.commit, second.commit, first.commit] == git("log", "--format=%H", "review").split()

    async def test_the_label_stands_in_the_log(self, store, text, git):
        await store.write_new("review", text(label="1.2.0"), parent=None, metadata=CommitMetadata())

        assert "Version 1 of review" in git("log", "--format=%s")
        assert "Label: 1.2.0" in git("log", "--format=%b")

    async def test_what_would_steer_a_terminal_is_shown_as_an_escape_and_comes_back_as_it_was(self, store, write, git):
        words = "red \x1b[31m\0 and \u202e back\nBy: mallory"

        await write(store, rationale=words, author="a\nBy: b")

        message = git("cat-file", "-p", "review").partition("\n\n")[2]
        assert message.startswith("red \\x1b[31m\\x00 and \\u202e back\n")
        assert "By: a\\nBy: b\n" in message
        assert words == (await store.read_head("review"))[1].metadata.rationale

    @pytest.mark.parametrize("words", ["swarm {}", 'x\n\nswarm {"number":9}', "\nswarm {}\n\nparent x", "tree 0\n\n"])
    async def test_no_words_can_pass_for_what_the_store_says(self, store, write, words):
        entries = await write(store, 2, rationale=words, author=words)

        assert list(reversed(entries)) == list(await store.history("review"))
        assert (words, words) == (entries[1].metadata.rationale, entries[1].metadata.author)

    async def test_the_first_blueprint_is_what_git_shows_unless_it_is_told_another(self, store, write, git):
        await write(store, rationale="first")
        await write(store, id="other")

        assert "refs/heads/review\n" == git("symbolic-ref", "HEAD")
        assert "first\n" == git("log", "--format=%s")

    async def test_row_83_archiving_is_part_of_the_history(self, store, write, git):
        entries = await write(store, 2)
        await store.archive_id("review", by="alice\x1b")
        with pytest.raises(BlueprintArchived):
            await store.read_head("review")
        await store.unarchive_id("review", by="")

        assert ["Taken into use again by somebody", "Archived by alice\\x1b"] == git("log", "-2", "--format=%s").split(
            "\n"
        )[:2]
        assert list(reversed(entries)) == list(await store.history("review"))
        assert entries[1] == (await store.read_head("review"))[1]


class TestMovedByGit:
    async def test_a_mirror_is_a_store_of_its_own(self, store, write, text, git, path, tmp_path):
        entries = await write(store, 3)
        await write(store, id="Other")
        await store.archive_id("Other", by="alice")
        git("clone", "-q", "--mirror", str(path), "mirror.git", at=tmp_path)

        async with open_git_blueprints(f"git:///{tmp_path}/mirror.git") as mirror:
            assert list(reversed(entries)) == list(await mirror.history("review"))
            assert (["review"], ["Other"]) == (
                list(await mirror.list_ids()),
                list(await mirror.list_ids(archived=True)),
            )
            await mirror.write_new("review", text(4), parent=entries[2].version, metadata=CommitMetadata())

    async def test_what_was_written_elsewhere_is_pushed_and_seen(self, store, write, text, git, path, tmp_path):
        entries = await write(store, 2)
        git("clone", "-q", "--mirror", str(path), "mirror.git", at=tmp_path)
        async with open_git_blueprints(f"git:///{tmp_path}/mirror.git") as mirror:
            third = await mirror.write_new("review", text(3), parent=entries[1].version, metadata=CommitMetadata())

        git("push", "-q", str(path), "review", at=tmp_path / "mirror.git")

        assert (text(3), third) == await store.read_head("review")
        with pytest.raises(VersionConflict):
            await store.write_new("review", text(4), parent=entries[1].version, metadata=CommitMetadata())

    async def test_a_commit_made_by_hand_is_an_entry(self, store, write, text, git, clone):
        await write(store, 2)
        folder = clone()
        commit_by_hand(git, folder, "By hand\n\nwith care", id="review", number=3, metadata={"version_label": "3.0.0"})
        git("push", "-q", "origin", "review", at=folder)

        found, entry = await store.read_head("review")

        assert json.loads(found) == {"id": "review", "number": 3, "metadata": {"version_label": "3.0.0"}}
        assert sha256(found.encode()).hexdigest() == entry.version
        assert (3, "3.0.0") == (entry.number, entry.label)
        assert ("By hand\n\nwith care", "Alice <alice@example.org>") == (
            entry.metadata.rationale,
            entry.metadata.author,
        )
        fourth = await store.write_new("review", text(4), parent=entry.version, metadata=CommitMetadata())
        assert (4, (entry.version,)) == (fourth.number, fourth.parents)
        assert [4, 3, 2, 1] == [each.number for each in await store.history("review")]
        assert (found, entry) == await store.read_version("review", entry.version)

    async def test_other_files_on_a_branch_stay_and_are_no_entries(self, store, write, text, git, clone):
        entries = await write(store, 2)
        folder = clone()
        (folder / "README").write_text("how to\n")
        git("add", "README", at=folder)
        git("commit", "-q", "-m", "Say how", at=folder)
        git("push", "-q", "origin", "review", at=folder)

        assert list(reversed(entries)) == list(await store.history("review"))
        await store.write_new("review", text(3), parent=entries[1].version, metadata=CommitMetadata())
        assert "how to\n" == git("show", "review:README")
        assert [3, 2, 1] == [entry.number for entry in await store.history("review")]

    async def test_an_amended_commit_does_not_say_what_it_said_before(self, store, write, git, clone):
        await write(store, 2, rationale="ours")
        folder = clone()
        (folder / "blueprint.json").write_text('{"id": "review", "number": 99}')
        git("commit", "-q", "--amend", "-a", "-m", "theirs", at=folder)
        git("push", "-q", "--force", "origin", "review", at=folder)

        found, entry = await store.read_head("review")

        assert {"id": "review", "number": 99} == json.loads(found)
        assert (2, "theirs") == (entry.number, entry.metadata.rationale)

    async def test_a_copied_branch_is_a_blueprint_of_its_own(self, store, write, text, git):
        entries = await write(store, 2)
        git("branch", "fork", "review")

        found, entry = await store.read_head("fork")
        third = await store.write_new("fork", text(3), parent=entry.version, metadata=CommitMetadata())

        assert (text(2), "fork", entries[1].version) == (found, entry.blueprint_id, entry.version)
        assert ["fork"] * 3 == [each.blueprint_id for each in await store.history("fork")]
        assert 3 == third.number
        assert entries[1] == (await store.read_head("review"))[1]

    async def test_a_branch_without_a_blueprint_is_told_and_no_more(self, store, write, git, clone):
        await write(store)
        folder = clone()
        git("checkout", "-q", "--orphan", "docs", at=folder)
        git("rm", "-q", "--cached", "blueprint.json", at=folder)
        (folder / "README").write_text("how to\n")
        git("add", "README", at=folder)
        git("commit", "-q", "-m", "Docs", at=folder)
        git("push", "-q", "origin", "docs", "docs:a/b", "review:Review", at=folder)

        assert ["review"] == list(await store.list_ids())
        assert [
            "branch 'Review' is no Blueprint's; that of 'review' is 'review'",
            "branch 'docs' has no blueprint.json",
        ] == list(await store.problems())

    async def test_packed_refs_and_packed_objects_are_read_and_written(self, store, write, text, git, path):
        entries = await write(store, 2)
        await write(store, id="other")
        git("pack-refs", "--all")
        git("gc", "-q", "--prune=now")

        assert (text(2), entries[1]) == await store.read_head("review")
        third = await store.write_new("review", text(3), parent=entries[1].version, metadata=CommitMetadata())
        git("pack-refs", "--all")
        await write(store, id="new")
        assert [third, *reversed(entries)] == list(await store.history("review"))
        assert ["new", "other", "review"] == list(await store.list_ids())

    async def test_a_repository_that_was_repacked_while_it_was_open_is_read_on(self, store, write, git):
        entries = await write(store, 5)
        for _ in range(3):
            git("repack", "-q", "-a", "-d", "-f")
            assert list(reversed(entries)) == list(await store.history("review"))
            assert 1 == (await store.read_version("review", entries[0].version))[1].number
            entries.append(
                await store.write_new(
                    "review", f'{{"n":{len(entries)}}}', parent=entries[-1].version, metadata=CommitMetadata()
                )
            )

    @pytest.mark.parametrize("packed", [False, True])
    async def test_a_branch_below_the_wanted_one_is_told(self, store, write, git, packed):
        await write(store)
        git("branch", "team/one", "review")
        if packed:
            git("pack-refs", "--all")

        with pytest.raises(StoreUnavailable, match="branches below it"):
            await write(store, id="team")

        assert ["review"] == list(await store.list_ids())

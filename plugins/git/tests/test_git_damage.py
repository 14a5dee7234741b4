"""A damaged repository is told with a sentence, and what is not damaged can be used."""

import os

import pytest
from swarm_plugin_git import open_git_blueprints

from swarm_core.errors import StoreError, StoreUnreadable
from swarm_core.model.version import CommitMetadata


def object_file(path, name):
    return path / "objects" / name[:2] / name[2:]


def overwrite(file, data):
    file.chmod(0o644)
    file.write_bytes(data)


def blob_of(git, branch):
    return git("rev-parse", f"{branch}:blueprint.json").strip()


def remove_commit(path, git):
    object_file(path, git("rev-parse", "review").strip()).unlink()


def remove_tree(path, git):
    object_file(path, git("rev-parse", "review^{tree}").strip()).unlink()


def remove_blob(path, git):
    object_file(path, blob_of(git, "review")).unlink()


def truncate_blob(path, git):
    file = object_file(path, blob_of(git, "review"))
    overwrite(file, file.read_bytes()[:20])


def empty_commit(path, git):
    overwrite(object_file(path, git("rev-parse", "review").strip()), b"")


def scribble_commit(path, git):
    overwrite(object_file(path, git("rev-parse", "review").strip()), os.urandom(200))


def exchange_blobs(path, git):
    other = object_file(path, blob_of(git, "other")).read_bytes()
    overwrite(object_file(path, blob_of(git, "review")), other)


def commit_is_a_blob(path, git):
    (path / "refs/heads/review").write_text(git("rev-parse", "review:blueprint.json"))


def ref_to_nothing(path, git):
    (path / "refs/heads/review").write_text("0" * 39 + "1\n")


def empty_ref(path, git):
    (path / "refs/heads/review").write_text("")


def garbage_ref(path, git):
    (path / "refs/heads/review").write_bytes(b"\xff\0garbage")


def symbolic_ref(path, git):
    git("symbolic-ref", "refs/heads/review", "refs/heads/other")


DAMAGES = [
    (remove_commit, "is missing"),
    (remove_tree, "is missing"),
    (remove_blob, "is missing"),
    (truncate_blob, "is damaged"),
    (empty_commit, "is damaged"),
    (scribble_commit, "is damaged"),
    (exchange_blobs, "is damaged"),
    (commit_is_a_blob, "is damaged"),
    (ref_to_nothing, "is missing"),
    (empty_ref, "is the name of no commit"),
    (garbage_ref, "is the name of no commit"),
    (symbolic_ref, "is the name of no commit"),
]


@pytest.mark.parametrize(("damage", "said"), DAMAGES, ids=lambda each: getattr(each, "__name__", None))
async def test_a_damaged_blueprint_is_told_and_the_others_can_be_used(url, path, git, write, text, damage, said):
    async with open_git_blueprints(url) as store:
        await write(store, 2)
        (kept,) = await write(store, id="other")
    damage(path, git)

    async with open_git_blueprints(url) as store:
        with pytest.raises(StoreUnreadable, match=said) as caught:
            await store.read_head("review")
        assert url == caught.value.where
        with pytest.raises(StoreUnreadable, match=said):
            await store.read_head("review")
        assert (text(1, id="other"), kept) == await store.read_head("other")
        assert ["other", "review"] == list(await store.list_ids())
        await store.write_new("other", text(9), parent=kept.version, metadata=CommitMetadata())
        await write(store, id="third")
        (problem,) = await store.problems()
        assert "branch 'review'" in problem
        assert said in problem


async def test_a_damaged_old_version_leaves_the_head_usable(url, path, git, write, text):
    async with open_git_blueprints(url) as store:
        entries = await write(store, 3)
    object_file(path, entries[0].commit).unlink()

    async with open_git_blueprints(url) as store:
        assert (text(3), entries[2]) == await store.read_head("review")
        assert entries[:0:-1] == list(await store.history("review", 2))
        with pytest.raises(StoreUnreadable, match="is missing"):
            await store.history("review")
        await store.write_new("review", text(4), parent=entries[2].version, metadata=CommitMetadata())
        with pytest.raises(StoreUnreadable, match="is missing"):
            await store.read_version("review", entries[0].version)


@pytest.mark.parametrize("garbage", [b"", b"garbage\n", b"\0" * 100, b"# pack-refs with: peeled\nxyz refs/heads/a\n"])
async def test_damaged_packed_refs_are_told_and_loose_branches_can_be_used(url, path, write, text, garbage):
    async with open_git_blueprints(url) as store:
        (entry,) = await write(store)
        (path / "packed-refs").write_bytes(garbage)

        assert (text(1), entry) == await store.read_head("review")
        await store.write_new("review", text(2), parent=entry.version, metadata=CommitMetadata())
        for ask in (store.list_ids(), store.read_head("other"), write(store, id="other")):
            with pytest.raises(StoreUnreadable, match="packed-refs is damaged"):
                await ask
        assert ["packed-refs is damaged"] == [each.partition(":")[0] for each in await store.problems()]


async def test_a_damaged_pack_hides_only_what_is_in_it(url, path, git, write, text):
    async with open_git_blueprints(url) as store:
        await write(store, 2)
        git("gc", "-q")
        (kept,) = await write(store, id="other")
    for pack in (path / "objects/pack").glob("*.pack"):
        overwrite(pack, pack.read_bytes()[:40])
    for index in (path / "objects/pack").glob("*.idx"):
        overwrite(index, b"garbage")

    async with open_git_blueprints(url) as store:
        with pytest.raises(StoreUnreadable):
            await store.read_head("review")
        assert (text(1, id="other"), kept) == await store.read_head("other")
        await store.write_new("other", text(9), parent=kept.version, metadata=CommitMetadata())


async def test_what_is_written_again_is_whole_again(url, path, git, write, text):
    """The same text has the same object, so writing it again is what repairs a damaged one."""
    async with open_git_blueprints(url) as store:
        await write(store)
    truncate_blob(path, git)

    async with open_git_blueprints(url) as store:
        await store.write_new("other", text(1), parent=None, metadata=CommitMetadata())

        assert text(1) == (await store.read_head("review"))[0]


@pytest.mark.parametrize("part", ["HEAD", "objects", "refs"])
async def test_a_repository_that_lacks_a_part_is_told(url, path, write, part):
    async with open_git_blueprints(url) as store:
        await write(store)
    (path / part).rename(path.parent / "gone")

    with pytest.raises(StoreUnreadable, match=f"its {part} is gone") as caught:
        async with open_git_blueprints(url):
            pass

    (path.parent / "gone").rename(path / part)
    assert url == caught.value.where
    async with open_git_blueprints(url) as store:
        assert ["review"] == list(await store.list_ids())


async def test_a_commit_that_says_a_version_which_it_does_not_hold_is_told(url, git, write):
    async with open_git_blueprints(url) as store:
        first, second = await write(store, 2)
        lie = git("cat-file", "-p", "review").replace(second.version, first.version)
        git("update-ref", "refs/heads/review", git("hash-object", "-w", "-t", "commit", "--stdin", input=lie).strip())

        with pytest.raises(StoreUnreadable, match=f"does not hold version {first.version}"):
            await store.read_head("review")


async def test_a_config_that_cannot_be_read_is_told(url, path, write):
    async with open_git_blueprints(url) as store:
        await write(store)
    (path / "config").write_text("[core\nrepositoryformatversion = 99\n")

    with pytest.raises(StoreUnreadable, match="cannot be opened"):
        async with open_git_blueprints(url):
            pass


async def test_a_blueprint_by_hand_that_is_none_is_told(store, write, git, path, tmp_path):
    await write(store)
    git("clone", "-q", str(path), "clone", at=tmp_path)
    (tmp_path / "clone/blueprint.json").write_text("[1, NaN]")
    git("commit", "-qam", "Oops", at=tmp_path / "clone")
    git("push", "-q", "origin", "review", at=tmp_path / "clone")

    with pytest.raises(StoreUnreadable, match="made by hand"):
        await store.read_head("review")


@pytest.mark.parametrize("wrote", [False, True])
async def test_a_repository_that_is_gone_is_told_and_not_made_again(url, write, path, wrote):
    async with open_git_blueprints(url) as store:
        await write(store)
    async with open_git_blueprints(url) as store:
        if wrote:
            await write(store, id="second")
        path.rename(path.with_name("moved"))

        for ask in (store.list_ids, lambda: store.read_head("review"), lambda: write(store, id="other")):
            with pytest.raises(StoreError, match=r"is gone|No such file"):
                await ask()

    assert not path.exists()

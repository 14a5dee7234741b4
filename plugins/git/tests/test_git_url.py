"""Where the repository is, and how it is made."""

import asyncio
import stat

import pytest
from swarm_plugin_git import open_git_blueprints

from swarm_core.errors import BlueprintNotFound, SettingsError, StoreUnavailable, StoreUnreadable


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("git://", "does not name a folder"),
        ("git:///", "does not name a folder"),
        ("git://example.org/blueprints.git", "git:///relative/path.git"),
        ("git:///x.git?lock_timeot=1", "did you mean 'lock_timeout'?"),
        ("git:///x.git?lock_timeout=soon", "lock_timeout"),
        ("git:///x%00.git", "does not name a folder"),
    ],
)
async def test_a_wrong_url_says_what_to_write(url, said):
    with pytest.raises(SettingsError) as caught:
        async with open_git_blueprints(url):
            pass

    assert said in str(caught.value)


async def test_a_relative_path_is_relative_to_where_the_store_was_opened(tmp_path, monkeypatch, write):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)

    async with open_git_blueprints("git:///deep/er/x%3Fy.git") as store:
        monkeypatch.chdir(tmp_path / "elsewhere")
        await write(store)

    assert (tmp_path / "deep/er/x?y.git/refs/heads/review").is_file()


async def test_a_new_repository_is_nobody_elses_business(url, path, write):
    async with open_git_blueprints(url) as store:
        await write(store)

    assert 0o700 == stat.S_IMODE(path.stat().st_mode)


async def test_asking_makes_nothing(url, path):
    async with open_git_blueprints(url) as store:
        for ask in (store.read_head, store.history, store.is_archived):
            with pytest.raises(BlueprintNotFound, match="holds no Blueprint"):
                await ask("review")
        assert ([], []) == (list(await store.list_ids()), list(await store.problems()))

    assert not path.exists()


async def test_what_somebody_else_makes_meanwhile_is_seen(url, write):
    async with open_git_blueprints(url) as early:
        assert [] == list(await early.list_ids())
        async with open_git_blueprints(url) as store:
            await write(store)

        assert ["review"] == list(await early.list_ids())


async def test_an_empty_folder_becomes_a_repository(url, path, git, write):
    path.mkdir()

    async with open_git_blueprints(url) as store:
        assert [] == list(await store.list_ids())
        await write(store)

    assert "true\n" == git("rev-parse", "--is-bare-repository")


async def test_a_repository_that_git_made_is_used_as_it_is(url, path, git, write):
    git("init", "--bare", "--shared=group", str(path), at=path.parent)

    async with open_git_blueprints(url) as store:
        await write(store)

    assert stat.S_IMODE((path / "refs/heads/review").stat().st_mode) & 0o060 == 0o060
    assert "review\n" == git("branch", "--format=%(refname:short)")


async def test_many_who_open_it_first_find_the_same_one(url, path, write):
    async def use(number):
        async with open_git_blueprints(url) as store:
            await write(store, id=f"bp{number}")

    await asyncio.gather(*map(use, range(8)))

    async with open_git_blueprints(url) as store:
        assert [f"bp{number}" for number in range(8)] == list(await store.list_ids())
    assert [path.name] == [each.name for each in path.parent.iterdir()]


async def test_a_new_folder_of_ours_is_kept_out_of_the_project(tmp_path, write):
    async with open_git_blueprints(f"git:///{tmp_path}/.swarm/blueprints.git") as store:
        await write(store)

    assert "*\n" == (tmp_path / ".swarm/.gitignore").read_text()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(lambda path: path.write_text("x"), "is a file, not a folder", id="a-file"),
        pytest.param(lambda path: (path / "docs").mkdir(parents=True), "is no git repository", id="a-folder"),
    ],
)
async def test_what_is_no_repository_is_left_alone(url, path, make, said):
    make(path)
    before = sorted(path.parent.rglob("*"))

    with pytest.raises(StoreUnreadable, match=said) as caught:
        async with open_git_blueprints(url):
            pass

    assert url == caught.value.where
    assert before == sorted(path.parent.rglob("*"))


async def test_a_repository_with_a_work_tree_is_left_alone(url, path, git):
    git("init", str(path), at=path.parent)

    for place in (url, f"{url}/.git"):
        with pytest.raises(StoreUnreadable, match="work tree"):
            async with open_git_blueprints(place):
                pass


async def test_a_repository_of_another_kind_is_left_alone(url, path, git):
    git("init", "--bare", "--object-format=sha256", str(path), at=path.parent)

    with pytest.raises(StoreUnreadable, match="SHA-256"):
        async with open_git_blueprints(url):
            pass


async def test_a_closed_store_says_so(url, write):
    async with open_git_blueprints(url) as store:
        await write(store)

    with pytest.raises(StoreUnavailable, match="is closed"):
        await store.read_head("review")
    with pytest.raises(StoreUnavailable, match="is closed"):
        await write(store, id="other")

"""Long histories: what is asked costs what is asked for, and loose objects are packed."""

import itertools
import threading

import pytest
from dulwich.objects import ShaFile
from swarm_plugin_git import open_git_blueprints
from swarm_plugin_git.commits import entry_commit
from swarm_plugin_git.packing import MANY
from swarm_plugin_git.place import parse_url
from swarm_plugin_git.reading import Reading
from swarm_plugin_git.repository import Repository, make_ready
from swarm_plugin_git.texts import laid_out
from swarm_plugin_git.writing import Writing

from swarm_core.errors import BlueprintNotFound
from swarm_core.model.version import CommitMetadata
from swarm_core.versions import entry_of

LENGTH = 10_000


@pytest.fixture(scope="module")
def long_history(tmp_path_factory):
    """A repository with a long history, made in one go as a push would bring it."""
    place = parse_url(f"git:///{tmp_path_factory.mktemp('long')}/blueprints.git")
    make_ready(place)
    repository = Repository(place)
    objects, entry, commit = [], None, None
    for number in range(LENGTH):
        text = f'{{"number":{number}}}'
        entry = entry_of("review", text, head=entry, metadata=CommitMetadata(), committed_at=float(number))
        blob, tree = repository.objects.tree_with(laid_out(text), None)
        made = entry_commit(entry, tree=tree.id.decode(), parent=commit)
        objects += [(blob, None), (tree, None), (made, None)]
        commit = made.id.decode()
    repository.objects.store.add_objects(objects)
    repository.branches.begin("review", commit)
    repository.close()
    return place


@pytest.fixture
def reading(long_history):
    """What reads, and the names of the objects that it has read."""
    repository = Repository(long_history)
    store, read = repository.objects.store, []
    get = store.get_raw
    store.get_raw = lambda name: read.append(name) or get(name)
    yield Reading(repository), read
    repository.close()


@pytest.mark.parametrize("limit", [0, 1, 20, 1024])
def test_a_limited_history_reads_as_many_commits(reading, limit):
    asked, read = reading

    found = asked.entries("review", limit)

    assert list(range(LENGTH, LENGTH - limit, -1)) == [entry.number for entry in found]
    assert len(read) <= limit + 1


def test_a_head_is_read_once(reading):
    asked, read = reading

    asked.head("review")
    first = len(read)
    asked.head("review")

    assert (3, 3) == (first, len(read))


def test_a_commit_is_read_once(reading):
    asked, read = reading

    assert LENGTH == len(asked.entries("review", None)) == len(asked.entries("review", None))
    assert LENGTH == len(read)


def test_the_oldest_and_the_unknown_version_are_looked_for_everywhere(reading):
    asked, _ = reading
    oldest = asked.entries("review", None)[-1]

    assert ('{"number":0}', oldest) == asked.version("review", oldest.version)
    with pytest.raises(BlueprintNotFound):
        asked.version("review", "f" * 64)


async def test_loose_objects_are_packed_when_there_are_many(memory_path, git):
    path = memory_path / "blueprints.git"
    async with open_git_blueprints(f"git:///{path}") as store:
        head, packs = None, path / "objects/pack"
        for number in itertools.count(1):
            entry = await store.write_new(
                "review", f'{{"number":{number}}}', parent=head, metadata=CommitMetadata(rationale="x" * 10)
            )
            head = entry.version
            if list(packs.glob("*.idx")):
                break
            assert number < MANY, "nothing was packed"
        await store.write_new("review", "{}", parent=head, metadata=CommitMetadata())
        assert number + 1 == len(await store.history("review"))
        assert [] == list(await store.problems())

    assert sum(1 for _ in path.glob("objects/[0-9a-f][0-9a-f]/*")) < 100
    assert "" == git("fsck", "--strict", at=path)


def test_a_reader_goes_on_where_another_process_packs(url, path, text):
    place = parse_url(url)
    make_ready(place)
    one, other = Repository(place), Repository(place)
    writing, reading = Writing(one, threading.Event()), Reading(other)
    try:
        head = None
        for number in range(20):
            entry = writing.write("review", text(number), parent=head, metadata=CommitMetadata())
            head = entry.version
            if number % 5 == 4:
                one.objects.pack()
            assert (text(number), entry) == reading.head("review")
        assert 20 == len(reading.entries("review", None))
    finally:
        one.close()
        other.close()


def test_an_object_that_is_packed_while_it_is_looked_for_is_found(url, text, monkeypatch):
    place = parse_url(url)
    make_ready(place)
    one, other = Repository(place), Repository(place)
    from_path = ShaFile.from_path

    def late(*arguments, **options):
        monkeypatch.setattr(ShaFile, "from_path", from_path)
        one.objects.pack()
        return from_path(*arguments, **options)

    try:
        entry = Writing(one, threading.Event()).write("review", text(1), parent=None, metadata=CommitMetadata())
        monkeypatch.setattr(ShaFile, "from_path", late)
        assert (text(1), entry) == Reading(other).head("review")
        assert from_path == ShaFile.from_path
    finally:
        one.close()
        other.close()


def test_a_damaged_loose_object_does_not_keep_the_others_from_being_packed(url, path, text, git):
    place = parse_url(url)
    make_ready(place)
    repository = Repository(place)
    writing = Writing(repository, threading.Event())
    try:
        writing.write("review", text(1), parent=None, metadata=CommitMetadata())
        entry = writing.write("other", text(2), parent=None, metadata=CommitMetadata())
        broken = git("rev-parse", "review:blueprint.json").strip()
        file = path / "objects" / broken[:2] / broken[2:]
        file.chmod(0o644)
        file.write_bytes(b"garbage")

        repository.objects.pack()

        assert [file] == list(path.glob("objects/[0-9a-f][0-9a-f]/*"))
        assert (text(2), entry) == Reading(repository).head("other")
    finally:
        repository.close()

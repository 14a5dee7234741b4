"""What the tests of the git store run in processes of their own, to be many or to be killed.

`write URL NAME COUNT` adds COUNT versions to `review`, each on top of whatever is the head, and says `ack VERSION`
after each. `forever URL NAME` does so until it is killed. `hold URL` says `held` while it holds the lock of `review`,
until it is killed. `kills FOLDER` kills one writer after another, each one file operation later than the one before,
and says what each has left. `limited URL` writes what is larger than its files may get, between two others.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import resource
import signal
import sys
import threading
from contextlib import contextmanager

from swarm_plugin_git import open_git_blueprints
from swarm_plugin_git.checkup import problems_of
from swarm_plugin_git.locks import Patience
from swarm_plugin_git.place import parse_url
from swarm_plugin_git.reading import Reading
from swarm_plugin_git.repository import Repository, make_ready
from swarm_plugin_git.writing import Writing

from swarm_core.errors import BlueprintNotFound, StoreError, VersionConflict
from swarm_core.model.version import CommitMetadata


def say(text):
    print(text, flush=True)


async def write(url, name, numbers):
    async with open_git_blueprints(url) as store:
        for number in numbers:
            text = json.dumps({"by": name, "number": number}, sort_keys=True, separators=(",", ":"))
            say(f"ack {(await add(store, text, name)).version}")


async def add(store, text, name):
    while True:
        try:
            head = (await store.read_head("review"))[1].version
        except BlueprintNotFound:
            head = None
        try:
            return await store.write_new("review", text, parent=head, metadata=CommitMetadata(author=name))
        except VersionConflict:
            continue


def hold(url):
    repository = Repository(parse_url(url))
    patience = Patience(url=url, seconds=10, closing=threading.Event())
    repository.make_scratch()
    with repository.branches.locked("review", patience):
        say("held")
        threading.Event().wait()


async def limited(url):
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    async with open_git_blueprints(url) as store:
        for text in ('{"number":1}', json.dumps({"noise": os.urandom(40_000).hex()}), '{"number":2}'):
            try:
                say(f"ack {(await add(store, text, 'x')).number}")
            except StoreError as error:
                say(f"{type(error).__name__}: {error.message}")


# kills ---------------------------------------------------------------------------------------------------------


def kills(folder):
    """Kill a writer at its n-th file operation, for n = 1, 2, 3 ... until one lives to its end; say what is left."""
    for number in range(1, 1000):
        place = parse_url(f"git:///{folder}/{number}.git")
        acked, killed = one_kill(place, number)
        say(json.dumps({"operation": number, "acked": acked, **what_is_left(place)}))
        if not killed:
            return
    raise AssertionError("no end")


def one_kill(place, number):
    """Return how many entries were acknowledged, and whether the writer was killed."""
    reading, acks = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        kill_at(number)
        make_ready(place)
        with writing(place) as one:
            write_two(one, acks)
        os._exit(0)
    os.close(acks)
    with os.fdopen(reading, "rb") as pipe:
        acked = len(pipe.read())
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, status
    return acked, os.WIFSIGNALED(status)


def kill_at(number):
    left = [number]

    def count(event, _):
        if event == "open" or event.startswith("os."):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


@contextmanager
def writing(place):
    repository = Repository(place)
    try:
        yield Writing(repository, threading.Event())
    finally:
        repository.close()


def write_two(one, acks=None):
    head = None
    for number in range(2):
        head = one.write("review", json.dumps({"number": number}), parent=head, metadata=CommitMetadata()).version
        if acks is not None:
            os.write(acks, b".")
    one.archive("review", archived=True, by="x")
    if acks is not None:
        os.write(acks, b".")


def what_is_left(place):
    make_ready(place)
    repository = Repository(place)
    try:
        reading, one = Reading(repository), Writing(repository, threading.Event())
        known = "review" in [*reading.ids(archived=False), *reading.ids(archived=True)]
        kept = [entry.number for entry in reading.entries("review", None)] if known else []
        kept += ["archived"] if known and reading.is_archived("review") else []
        problems = problems_of(repository)
        if "archived" in kept:
            one.archive("review", archived=False, by="x")
        parent = reading.head("review")[1].version if known else None
        added = one.write("review", '{"more":true}', parent=parent, metadata=CommitMetadata()).number
        locks = [lock.name for lock in repository.branches.locks()]
    finally:
        repository.close()
    return {"kept": kept, "problems": problems, "added": added, "locks": locks}


if __name__ == "__main__":
    command, url, *rest = sys.argv[1:]
    if command == "write":
        asyncio.run(write(url, rest[0], range(int(rest[1]))))
    elif command == "forever":
        asyncio.run(write(url, rest[0], itertools.count()))
    elif command == "hold":
        hold(url)
    elif command == "limited":
        asyncio.run(limited(url))
    elif command == "kills":
        kills(url)

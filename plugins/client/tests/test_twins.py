"""A command asks a server and prints what it prints where the runs are kept here."""

import json

import pytest

# commands in a row; {run} and {key} are those of the first run and of its question
CONVERSATIONS = {
    "run": [("run", "doubling.yaml")],
    "run quietly as data": [("run", "doubling.yaml", "--json", "--quiet")],
    "run with options": [
        ("run", "doubling.yaml", "--set", "number=21", "--bind", "doubled=function", "--budget", "dispatches=5")
    ],
    "a flow that fails": [("run", "failing.yaml"), ("runs",), ("show", "{run}"), ("watch", "{run}")],
    "a failed run as data": [("run", "failing.yaml", "--json"), ("show", "{run}", "--json"), ("runs", "--json")],
    "a budget that is used up": [("run", "failing.yaml", "--budget", "dispatches=1")],
    "show with all there is": [("run", "doubling.yaml"), ("show", "{run}", "--steps", "--events")],
    "watch as data": [("run", "doubling.yaml", "--quiet"), ("watch", "{run}", "--json")],
    "a run by the beginning of its id": [("run", "doubling.yaml", "--quiet"), ("show", "{short}")],
    "lists with filters": [
        ("run", "doubling.yaml", "--quiet"),
        ("runs", "--status", "done", "--limit", "1"),
        ("runs", "--status", "waiting"),
    ],
    "a list from a run on": [
        ("run", "doubling.yaml", "--quiet"),
        ("run", "doubling.yaml", "--quiet"),
        ("runs", "--before", "{run}", "--json"),
    ],
    "rerun": [("run", "failing.yaml"), ("rerun", "{run}", "--failed"), ("rerun", "{run}", "--from", "/0", "--json")],
    "rerun from nowhere": [("run", "failing.yaml"), ("rerun", "{run}", "--from", "/7")],
    "rerun of what is done": [("run", "doubling.yaml"), ("rerun", "{run}", "--failed")],
    "resume what has ended": [("run", "doubling.yaml"), ("resume", "{run}"), ("resume", "--all")],
    "cancel what has ended": [("run", "doubling.yaml"), ("cancel", "{run}"), ("cancel", "{run}", "--json")],
    "a question": [
        ("run", "asking.yaml"),
        ("questions", "--json"),
        ("questions", "{run}"),
        ("runs",),
        ("show", "{run}"),
    ],
    "an answer that does not fit": [("run", "asking.yaml"), ("answer", "{run}", "maybe"), ("answer", "{key}", "3")],
    "cancel what waits": [("run", "asking.yaml"), ("cancel", "{run}")],
    "nobody": [
        ("show", "RUN-0000000000000000"),
        ("watch", "RUN-000000"),
        ("cancel", "RUN-000000"),
        ("questions", "RUN-000000"),
    ],
    "no such question": [("answer", "R-00000000000000000000000000000000", "1")],
    "no id at all": [("show", "../x"), ("show", ""), ("cancel", "a/b?c#d")],
    "check what is fine": [("check", "doubling.yaml"), ("check", "doubling.yaml", "--json")],
    "check what is wrong": [
        ("check", "wrong.yaml"),
        ("check", "wrong.yaml", "--format", "github"),
        ("check", "nowhere.yaml"),
    ],
    "check what is broken": [("check", "broken.yaml"), ("check", "broken.yaml", "--json")],
    "check what is doubtful": [("check", "doubtful.yaml", "--deny-warnings"), ("run", "doubtful.yaml")],
    "run what is wrong": [("run", "wrong.yaml"), ("run", "broken.yaml"), ("run", "nowhere.yaml")],
    "bad options": [
        ("run", "doubling.yaml", "--bind", "nobody=function"),
        ("run", "doubling.yaml", "--layers", "none"),
    ],
}
# what a server does by itself is told otherwise
OTHERWISE = (
    "then go on with: ",
    "held by ",
    "then it goes on: ",
    "nobody waits for an answer; ",
    "run not found: ",
    "resume key not found",
)


class Talk:
    """Says commands in a folder, one after the other."""

    def __init__(self, folder, naming):
        self.folder, self.naming, self.names = folder, naming, {}

    def say(self, command):
        ended = self.folder.say(*(part.format(**self.names) if part[:1] == "{" else part for part in command))
        if self.naming and "run" not in self.names and command[0] == "run":
            newest = self.folder.say("runs", "--json", "--limit", "1").json
            if newest:
                self.names = {
                    "run": newest[0]["id"],
                    "short": newest[0]["id"][4:14],
                    "key": "".join(newest[0]["questions"][:1]),
                }
        return ended


def lines(text):
    return [line for line in text.splitlines() if not line.removeprefix("error: ").strip().startswith(OTHERWISE)]


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_command_says_the_same_of_a_server_as_of_a_store(name, places, tmp_path, folder_at, evened, evened_json):
    here, server = places(name)
    conversation = CONVERSATIONS[name]
    naming = any(part[:1] == "{" for command in conversation for part in command)
    at_home, abroad = Talk(here, naming), Talk(folder_at(tmp_path / "away", server), naming)
    folders = (here.path, abroad.folder.path)

    for command in conversation:
        ours, theirs = at_home.say(command), abroad.say(command)

        assert ours.code == theirs.code, (command, ours.err, theirs.err)
        assert lines(evened(ours.err, *folders)) == lines(evened(theirs.err, *folders)), command
        if ours.out[:1] in ("{", "[") and ours.out != theirs.out:
            assert json_of(ours.out, evened_json) == json_of(theirs.out, evened_json), command
        else:
            assert lines(evened(ours.out, *folders)) == lines(evened(theirs.out, *folders)), command


def json_of(text, evened_json):
    try:
        return evened_json(json.loads(text))
    except ValueError:
        return [evened_json(json.loads(line)) for line in text.splitlines()]


@pytest.fixture
def places(request, shared_here, server):
    """Return a folder and a server for a conversation: those in which the same was said before, or new ones.

    All conversations that share them were held in both; only what goes on with every run has to have them alone.
    """

    def pick(name):
        if any("--all" in command for command in CONVERSATIONS[name]):
            return request.getfixturevalue("here"), request.getfixturevalue("own_server")
        return shared_here, server

    return pick

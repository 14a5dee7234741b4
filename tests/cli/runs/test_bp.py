"""`swarm bp`: keep Blueprints with all their versions, look at them, go back, and run them from the store."""

import json
import re
import sqlite3

import pytest

from swarm_core.codec import load_yaml


def document(value="hello", label=None, fn="identity", **more):
    flow = {"kind": "step", "ref": "a", "in": {"op": "lit", "value": value}, "out": {"op": "path", "at": "$.out"}}
    agents = [{"name": "a", "kind": "function", "spec": {"fn_id": fn}}]
    metadata = {} if label is None else {"metadata": {"version_label": label}}
    return {"id": "review", "flow": flow, "agents": agents, **metadata, **more}


@pytest.fixture
def add(here, write):
    """Keep a Blueprint of a value and a label; return its entry as data."""

    def added(value="hello", label=None, *args, name="b.json", **more):
        write(name, document(value, label, **more))
        ended = here("bp", "add", name, "--json", *args)
        assert ended.code == 0, ended.err
        return ended.json

    return added


class TestAdd:
    def test_the_first_and_the_next_version_are_told(self, here, write):
        write("b.json", document(label="1.0.0"))
        first = here("bp", "add", "b.json", "-m", "why not", "--by", "alice")
        write("b.json", document("other"))
        second = here("bp", "add", "b.json")

        assert (0, 0) == (first.code, second.code)
        assert re.fullmatch(r"added review 1 [0-9a-f]{12} 1\.0\.0\n", first.out)
        assert "run it with: swarm run bp:review" in first.err
        assert second.out.startswith("added review 2 ")

    def test_what_is_the_newest_already_gives_no_version(self, here, add, write):
        entry = add()
        write("other.json", json.dumps(document(), indent=4))

        ended = here("bp", "add", "other.json", "-m", "again")

        assert (0, f"unchanged review 1 {entry['version'][:12]}\n") == (ended.code, ended.out)

    def test_the_entry_says_who_and_why(self, add, here):
        entry = add("hello", "1.0.0", "-m", "two\nlines: \N{SNOWMAN}", "--by", "alice")

        assert ("two\nlines: \N{SNOWMAN}", "alice", "1.0.0", 1, True) == tuple(
            entry[key] for key in ("rationale", "author", "label", "number", "added")
        )
        assert [{key: value for key, value in entry.items() if key != "added"}] == here(
            "bp", "log", "review", "--json"
        ).json

    def test_without_a_name_it_is_the_users(self, add):
        import getpass

        assert getpass.getuser() == add()["author"]

    def test_another_id_is_the_blueprints_own_then(self, add, here):
        entry = add("hello", None, "--id", "second look")

        assert "second look" == entry["blueprint_id"]
        assert "second look" == here("bp", "show", "second look").json["id"]
        assert (
            "swarm run 'bp:second look'"
            in here("bp", "add", "b.json", "--id", "second look", "--store", "sqlite:///x.db").err
        )

    def test_texts_from_other_files_become_part_of_it(self, here, write):
        write("prompt.md", "Be kind.")
        agents = [
            {
                "name": "a",
                "kind": "function",
                "spec": {"fn_id": "identity"},
                "profile": {"system_prompt": {"$file": "prompt.md"}},
            }
        ]
        write("b.json", document(agents=agents))
        here("bp", "add", "b.json")
        write("prompt.md", "Be short.")

        assert "Be kind." == here("bp", "show", "review").json["agents"][0]["profile"]["system_prompt"]
        assert "added review 2" in here("bp", "add", "b.json").out

    def test_one_with_errors_is_refused_with_all_of_them(self, here, write):
        broken = document(fn="nobody", agnets=[])
        broken["flow"]["ref"] = "b"
        write("b.json", broken)

        ended = here("bp", "add", "b.json")

        assert (3, "") == (ended.code, ended.out)
        for said in ("b.json:1:", "agnets", "did you mean 'agents'?", "nobody", "'b'"):
            assert said in ended.err
        assert [] == here("bp", "list", "--json").json

    def test_it_is_checked_with_the_functions_that_it_will_have(self, here, write, cwd):
        function = "from swarm_core import function\n@function\ndef shout(text):\n    return text.upper()\n"
        write("sub/b.json", document(fn="shout"))
        write("sub/swarmfile.py", function)

        refused = here("bp", "add", "sub/b.json")
        write("swarmfile.py", function)
        taken = here("bp", "add", "sub/b.json")

        assert (3, 0) == (refused.code, taken.code)
        assert f"with the functions of {cwd}/swarmfile.py" in refused.err
        assert {"out": "HELLO"} == here("run", "bp:review", "-q").json

    def test_warnings_are_told_and_do_not_hinder(self, here, write):
        write("b.json", document(spawner_hints={"layers": ["nosuch"]}))

        ended = here("bp", "add", "b.json")

        assert 0 == ended.code
        assert "warning: " in ended.err
        assert "nosuch" in ended.err

    @pytest.mark.parametrize(
        ("args", "code", "said"),
        [
            (["none.json"], 4, "none.json: "),
            (["b.json", "--id", "../x"], 3, "'../x' is not a Blueprint's id"),
            (["b.json", "--id", "a@b"], 3, "is not a Blueprint's id"),
            (["b.json", "--by", " x"], 2, "a name has 1 to 200 printable characters"),
            (["b.json", "-m", "\udcff"], 2, "it is not UTF-8"),
            (["b.json", "--store", "gti:///x"], 3, "no blueprint store for gti://"),
            (["b.json", "--store", "sqlite:///b.json"], 6, "is no SQLite database"),
            ([], 2, "Missing argument 'FILE'"),
        ],
    )
    def test_what_is_wrong_is_told(self, args, code, said, here, write):
        write("b.json", document())

        ended = here("bp", "add", *args)

        assert (code, "") == (ended.code, ended.out)
        assert said in ended.err

    def test_stdin_and_yaml_are_read_too(self, swarm, here, write):
        write("c.yaml", "id: yaml\nflow: {kind: seq, children: []}\n")

        assert 0 == swarm("bp", "add", "-", stdin=json.dumps(document())).code
        assert 0 == here("bp", "add", "c.yaml").code
        assert ["review", "yaml"] == [entry["blueprint_id"] for entry in here("bp", "list", "--json").json]


class TestParent:
    def test_only_on_top_of_the_version_that_is_named(self, add, here, write):
        first, second = add("one"), add("two")
        write("b.json", document("three"))

        refused = here("bp", "add", "b.json", "--parent", first["version"][:8])
        taken = here("bp", "add", "b.json", "--parent", second["version"][:8])

        assert (3, 0) == (refused.code, taken.code)
        assert f"the head of blueprint 'review' is {second['version'][:12]}, not {first['version'][:12]}" in refused.err
        assert 3 == len(here("bp", "log", "review", "--json").json)

    def test_none_is_for_what_must_not_be_there(self, add, here, write):
        add("one", None, "--parent", "none")
        write("b.json", document("two"))

        ended = here("bp", "add", "b.json", "--parent", "none")

        assert 3 == ended.code
        assert "not none: it is not there" in ended.err

    @pytest.mark.parametrize(
        ("parent", "code", "said"),
        [
            ("f" * 12, 4, "has no version ffffffffffff"),
            ("^1", 2, "4 at least, or none"),
            ("abc", 2, "4 at least, or none"),
        ],
    )
    def test_one_that_is_none_is_told(self, parent, code, said, add, here, write):
        add("one")
        write("b.json", document("two"))

        ended = here("bp", "add", "b.json", "--parent", parent)

        assert code == ended.code
        assert said in ended.err


class TestList:
    def test_without_a_store_nothing_is_made(self, here, cwd):
        ended = here("bp", "list")

        assert 0 == ended.code
        assert f"no Blueprints are kept here yet: there is no {cwd}/.swarm/swarm.db" in ended.out
        assert [] == list(cwd.iterdir())

    def test_in_a_store_of_runs_alone_it_says_how_to_begin(self, here, write):
        write("b.json", document())
        here("run", "b.json", "-q")

        assert "keep one with: swarm bp add FILE" in here("bp", "list").out

    def test_the_newest_version_of_each_is_listed(self, add, here):
        add("one", "1.0.0")
        add("two", "1.1.0", "-m", "because\nof that", "--by", "alice")
        add(name="c.json", id="other")

        ended = here("bp", "list")

        rows = [line.split() for line in ended.out.splitlines()[1:]]
        assert ["other", "review"] == [row[0] for row in rows]
        assert rows[1][2:4] == ["1.1.0", "2"]
        assert "alice  because\\nof that" in ended.out

    def test_archived_ones_are_listed_apart(self, add, here):
        add()
        here("bp", "archive", "review")

        assert [] == here("bp", "list", "--json").json
        (entry,) = here("bp", "list", "--archived", "--json").json
        assert ("review", True) == (entry["blueprint_id"], entry["archived"])

    def test_a_store_may_be_named_or_set(self, add, here, write, monkeypatch):
        add("one", None, "--store", "sqlite:///kept.db")

        assert [] == here("bp", "list", "--json").json
        assert 1 == len(here("bp", "list", "--json", "--store", "sqlite:///kept.db").json)
        monkeypatch.setenv("SWARM_BLUEPRINTS", "sqlite:///kept.db")
        assert 1 == len(here("bp", "list", "--json").json)
        assert {"out"} == here("run", "bp:review", "-q").json.keys()


class TestLog:
    def test_the_newest_comes_first_and_the_rest_is_counted(self, add, here):
        for number in range(5):
            add(number, f"1.{number}.0", "-m", f"number {number}")

        ended = here("bp", "log", "review", "--limit", "3")

        lines = ended.out.splitlines()
        assert [["5", "1.4.0"], ["4", "1.3.0"], ["3", "1.2.0"]] == [line.split()[0:3:2] for line in lines[1:]]
        assert "2 more before these; --limit shows more" in ended.err

    def test_what_people_write_cannot_steer_the_terminal(self, add, here):
        add("hello", None, "-m", "\x1b[31mred\nnext")

        assert "\\x1b[31mred\\nnext" in here("bp", "log", "review").out

    @pytest.mark.parametrize("command", [["log"], ["show"], ["diff"], ["archive"], ["unarchive"]])
    def test_an_unknown_name_is_told_with_the_nearest(self, command, add, here):
        add()

        ended = here("bp", *command, "revew")

        assert (4, "") == (ended.code, ended.out)
        assert "blueprint 'revew' not found; did you mean 'review'?" in ended.err

    @pytest.mark.parametrize("command", [["log"], ["show"], ["diff"], ["archive"], ["unarchive"]])
    def test_without_a_store_it_says_so_and_makes_none(self, command, here, cwd):
        ended = here("bp", *command, "review")

        assert 4 == ended.code
        assert "no Blueprints are kept here yet: there is no" in ended.err
        assert [] == list(cwd.iterdir())


class TestShow:
    def test_what_is_printed_can_be_kept_again(self, add, here, write):
        add("one\ntwo\n", "1.0.0")

        for name, args in (("again.json", []), ("again.yaml", ["--yaml"])):
            write(name, here("bp", "show", "review", *args).out)
            assert "unchanged review 1" in here("bp", "add", name).out

    def test_yaml_and_json_say_the_same(self, add, here):
        entry = add("one", "1.0.0")

        shown, yaml, whole = (here("bp", "show", "review", *args) for args in ([], ["--yaml"], ["--json"]))

        assert shown.json == load_yaml(yaml.out.encode(), name="x").value == whole.json["blueprint"]
        assert (entry["version"], 1) == (whole.json["version"], whole.json["number"])
        assert f"review 1 {entry['version'][:12]} 1.0.0" in shown.err

    @pytest.mark.parametrize(("selector", "value"), [("", "c"), ("@^1", "b"), ("@=1.0.0", "a"), ("@latest", "c")])
    def test_a_version_may_be_named(self, selector, value, add, here):
        for each, label in (("a", "1.0.0"), ("b", "1.1.0"), ("c", "2.0.0")):
            add(each, label)

        assert value == here("bp", "show", f"review{selector}").json["flow"]["in"]["value"]

    @pytest.mark.parametrize(
        ("name", "code", "said"),
        [
            ("review@^9", 4, "no version of blueprint 'review' meets '^9'; its labels: 1.0.0"),
            ("review@0000", 4, "has no version 0000; see them with: swarm bp log review"),
            ("review@new", 3, "'new' is no semantic version"),
            ("a/b", 3, "is not a Blueprint's id"),
        ],
    )
    def test_one_that_is_none_is_told(self, name, code, said, add, here):
        add("a", "1.0.0")

        ended = here("bp", "show", name)

        assert code == ended.code
        assert said in ended.err

    def test_row_82_a_label_that_is_no_version_is_told(self, add, here):
        add("a", "abc")

        ended = here("bp", "show", "review@^1")

        assert 3 == ended.code
        assert "'abc' of blueprint 'review' is no semantic version" in ended.err

    def test_two_forms_at_once_are_refused(self, add, here):
        add()

        assert 2 == here("bp", "show", "review", "--yaml", "--json").code


class TestDiff:
    @pytest.fixture
    def three(self, add):
        return [add(value, label)["version"] for value, label in (("a", "1.0.0"), ("b", "1.1.0"), ("c", "2.0.0"))]

    @pytest.mark.parametrize(
        ("args", "gone", "new"),
        [
            (["review"], "b", "c"),
            (["review@=1.0.0"], "a", "c"),
            (["review@=1.0.0", "@^1"], "a", "b"),
            (["review@latest", "@=1.0.0"], "c", "a"),
        ],
    )
    def test_what_changed_between_two_versions_is_printed(self, args, gone, new, three, here):
        ended = here("bp", "diff", *args)

        assert 0 == ended.code
        assert f"-    value: {gone}\n+    value: {new}\n" in ended.out
        assert re.match(r"--- review@[0-9a-f]{12}\n\+\+\+ review@[0-9a-f]{12}\n@@ ", ended.out)

    def test_json_has_both_entries_and_the_text(self, three, here):
        told = here("bp", "diff", "review", "--json").json

        assert ("review", three[1], three[2]) == (told["id"], told["from"]["version"], told["to"]["version"])
        assert told["diff"] == here("bp", "diff", "review").out

    def test_the_first_version_comes_from_nothing(self, add, here):
        add("a")

        ended = here("bp", "diff", "review")

        assert ended.out.startswith("--- nothing\n+++ review@")
        assert not [line for line in ended.out.splitlines()[2:] if not line.startswith(("+", "@@"))]
        assert here("bp", "diff", "review", "--json").json["from"] is None

    def test_of_a_version_and_itself_there_is_none(self, three, here):
        ended = here("bp", "diff", "review@latest", "@latest")

        assert (0, "") == (ended.code, ended.out)

    @pytest.mark.parametrize(
        ("args", "said"),
        [
            (["review@^1", "^2"], "the second version is written @SELECTOR"),
            (["review", "@^2"], "say which version to begin with: review@SELECTOR @^2"),
        ],
    )
    def test_it_is_told_how_versions_are_written(self, args, said, three, here):
        ended = here("bp", "diff", *args)

        assert 2 == ended.code
        assert said in ended.err


class TestRevert:
    def test_an_earlier_version_is_the_newest_again(self, add, here):
        first, _ = add("a"), add("b")

        ended = here("bp", "revert", f"review@{first['version'][:8]}", "--by", "alice", "--json")

        assert (3, first["version"], True) == tuple(ended.json[key] for key in ("number", "version", "added"))
        assert f"back to version {first['version'][:12]}" == ended.json["rationale"]
        assert "a" == here("bp", "show", "review").json["flow"]["in"]["value"]

    def test_the_newest_one_stays_what_it_is(self, add, here):
        add("a")

        assert here("bp", "revert", "review@latest").out.startswith("unchanged review 1 ")

    def test_a_version_must_be_named(self, add, here):
        add("a")

        ended = here("bp", "revert", "review")

        assert 2 == ended.code
        assert "say which version it shall be: NAME@SELECTOR" in ended.err


class TestArchive:
    def test_row_83_what_is_archived_is_out_of_use(self, add, here, write):
        entry = add("a")
        told = here("bp", "archive", "review")
        write("b.json", document("b"))

        codes = {
            " ".join(args): here(*args).code
            for args in (
                ["run", "bp:review"],
                ["check", "bp:review"],
                ["bp", "show", "review"],
                ["bp", "add", "b.json"],
                ["bp", "revert", f"review@{entry['version']}"],
                ["bp", "log", "review"],
                ["bp", "show", f"review@{entry['version']}"],
                ["run", f"bp:review@{entry['version']}", "-q"],
                ["bp", "archive", "review"],
            )
        }

        assert (0, "review is archived\n") == (told.code, told.out)
        assert [3, 3, 3, 3, 3, 0, 0, 0, 0] == list(codes.values()), codes

    def test_row_83_and_comes_into_use_again(self, add, here):
        add("a")
        here("bp", "archive", "review")

        told = here("bp", "unarchive", "review", "--json")

        assert {"id": "review", "archived": False} == told.json
        assert 0 == here("run", "bp:review", "-q").code

    def test_it_says_how_to_take_it_into_use(self, add, here):
        add("a")
        here("bp", "archive", "review")

        assert "is archived; take it into use again with: swarm bp unarchive review" in here("run", "bp:review").err


class TestSources:
    def test_run_check_and_explain_take_what_is_kept(self, add, here):
        add("a", "1.0.0")
        add("b", "2.0.0")

        assert "a" == here("run", "bp:review@^1", "-q").json["out"]["echoed"]
        assert "bp:review@^1: can be run" in here("check", "bp:review@^1").out
        assert "review" == here("explain", "bp:review", "--json").json["blueprint"]

    def test_a_run_shows_which_version_it_is_of(self, add, here):
        entry = add("a", "1.0.0")

        run_id = here("run", "bp:review@^1", "-q", "--json").json["run_id"]

        assert f"kept as    bp:review@{entry['version'][:12]}, by ^1\n" in here("show", run_id).out
        kept = here("show", run_id, "--json").json["run"]["launch"]["kept"]
        assert ("review", entry["version"], {"kind": "semver_req", "req": "^1"}) == tuple(kept.values())

    def test_a_run_is_migrated_to_a_version(self, add, here):
        ask = [{"name": "a", "kind": "ask"}]
        add("a", "1.0.0", agents=ask)
        run_id = here("run", "bp:review", "-q", "--json").json["run_id"]
        entry = add("b", "2.0.0")

        migrated = here("migrate", run_id, "--to", "bp:review@^2", "--yes", "--json")

        assert (0, entry["version"]) == (migrated.code, migrated.json["to"])
        assert "b" == here("resume", run_id, "-q").json["out"]["echoed"]

    @pytest.mark.parametrize("command", [["run"], ["check"], ["explain"], ["migrate", "RUN-1", "--to"]])
    def test_without_a_store_it_says_so_and_makes_none(self, command, here, cwd):
        ended = here(*command, "bp:review")

        assert 4 == ended.code
        assert [] == list(cwd.iterdir())
        if command != ["migrate", "RUN-1", "--to"]:
            assert "blueprint 'review' not found; no Blueprints are kept here yet" in ended.err

    @pytest.mark.parametrize("command", ["run", "check", "explain"])
    def test_what_is_not_there_is_told_with_the_nearest(self, command, add, here):
        add()

        ended = here(command, "bp:revew")

        assert 4 == ended.code
        assert "did you mean 'review'?" in ended.err

    def test_a_file_of_such_a_name_is_reached_by_its_path(self, here, write):
        write("bp:x.json", document())

        assert 0 == here("run", "./bp:x.json", "-q").code
        assert 4 == here("run", "bp:x.json", "-q").code

    def test_a_damaged_store_gives_a_sentence(self, add, here, cwd):
        add()
        with sqlite3.connect(cwd / ".swarm/swarm.db") as database:
            database.execute("UPDATE blueprint_texts SET body = '{}'")

        for command in (["run", "bp:review"], ["bp", "show", "review"]):
            ended = here(*command)
            assert 6 == ended.code
            assert "is not the text that was kept" in ended.err

    def test_a_store_of_blueprints_that_is_broken_hinders_no_run_of_a_file(self, here, write, monkeypatch):
        write("b.json", document())
        monkeypatch.setenv("SWARM_BLUEPRINTS", "sqlite:///b.json")

        assert 0 == here("run", "b.json", "-q").code
        assert 6 == here("run", "bp:review", "-q").code


class TestCompletion:
    @pytest.fixture
    def complete(self, swarm):
        def completed(*words):
            line = " ".join(["swarm", *words])
            env = {"_SWARM_COMPLETE": "zsh_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words))}
            return swarm(env=env).out.splitlines()[1::3]

        return completed

    def test_names_versions_and_sources_are_offered(self, add, complete, here):
        entry = add("a", "1.0.0")
        add(name="c.json", id="other")
        add(name="d.json", id="old")
        here("bp", "archive", "old")

        assert ["review"] == complete("bp", "show", "re")
        assert ["old"] == complete("bp", "unarchive", "o")
        assert [f"review@{entry['version'][:12]}"] == complete("bp", "show", f"review@{entry['version'][:2]}")
        assert ["bp:other", "bp:review"] == complete("run", "bp:")
        assert ["bp:review@latest"] == complete("migrate", "RUN-1", "--to", "bp:review@la")

    def test_where_nothing_is_kept_nothing_is_offered_and_nothing_made(self, complete, cwd):
        assert [] == complete("bp", "show", "re")
        assert [] == list(cwd.iterdir())


class TestGroup:
    def test_its_help_lists_what_can_be_done(self, here):
        ended = here("bp", "--help")

        assert 0 == ended.code
        for name in ("add", "list", "log", "show", "diff", "archive", "unarchive", "revert"):
            assert f"\n  {name} " in ended.out

    def test_an_unknown_one_is_told(self, here):
        ended = here("bp", "remove")

        assert 2 == ended.code
        assert "No such command 'remove'" in ended.err

"""`swarm runs` and `swarm show`: what is kept, where it stands, what to do next."""

import json
import sqlite3

import pytest


class TestRuns:
    def test_runs_are_told_the_newest_first_with_what_to_do_next(self, here, killed, swarm, steps):
        interrupted = killed()
        done = swarm("run", steps("ok.json", one="quick"), "--json").json["run_id"]
        failed = swarm("run", steps("bad.json", one="picky"), "--json").json["run_id"]

        listed = here("runs", "--json").json
        table = here("runs").out

        assert [(failed, "failed"), (done, "done"), (interrupted, "interrupted")] == [
            (run["id"], run["status"]) for run in listed
        ]
        assert [f"swarm rerun {failed} --failed", "", f"swarm resume {interrupted}"] == [run["next"] for run in listed]
        assert [
            [failed, "bad", "failed", "0/1"],
            [done, "ok", "done", "1/1"],
            [interrupted, "three", "interrupted", "1/2"],
        ] == [line.split()[:4] for line in table.splitlines()[1:]]

    def test_a_run_that_is_under_way_tells_how_far_it_is_and_how_to_watch_it(self, here, under_way):
        run_id = under_way().run_id

        (run,) = here("runs", "--json").json

        assert ("running", f"swarm watch {run_id}", {"tasks": 2, "pass": 1}) == (
            run["status"], run["next"], {name: run["counts"][name] for name in ("tasks", "pass")},
        )  # fmt: skip

    def test_they_can_be_told_by_status_and_page_by_page(self, here, swarm, steps):
        ok, bad = steps("ok.json", one="quick"), steps("bad.json", one="picky")
        ids = [swarm("run", file, "--json").json["run_id"] for file in (ok, bad, ok)]

        def listed(*args):
            return [run["id"] for run in here("runs", "--json", *args).json]

        assert [ids[2], ids[0]] == listed("--status", "done")
        assert [ids[1]] == listed("--status", "failed", "--status", "running")
        assert [ids[2]] == listed("--limit", "1")
        assert [ids[1], ids[0]] == listed("--before", ids[2])
        assert 4 == here("runs", "--before", "RUN-none").code

    def test_where_none_are_kept_that_is_said_and_nothing_is_made(self, here, cwd):
        told, data = here("runs"), here("runs", "--json")

        assert (0, 0, []) == (told.code, data.code, data.json)
        assert f"no runs are kept here yet: there is no {cwd}/.swarm/swarm.db" in told.out
        assert [] == list(cwd.iterdir())

    @pytest.mark.parametrize("args", [["--limit", "0"], ["--limit", "x"], ["--status", "odd"], ["--statsu", "done"]])
    def test_cl145_wrong_options_are_named(self, here, args):
        assert 2 == here("runs", *args).code


class TestStores:
    def test_the_store_is_that_of_the_folder_of_the_settings(self, swarm, steps, write, cwd):
        write("swarm.toml", "")
        (cwd / "below").mkdir()
        run_id = swarm("run", steps("ok.json", one="quick"), "--json").json["run_id"]

        import subprocess
        import sys

        below = subprocess.run(
            [sys.executable, "-m", "swarm_core", "runs", "--json"],
            cwd=cwd / "below", capture_output=True, text=True, check=True,
        )  # fmt: skip

        assert [run_id] == [run["id"] for run in json.loads(below.stdout)]
        assert (cwd / ".swarm" / "swarm.db").exists()

    def test_a_store_can_be_named_and_is_named_again_in_what_is_proposed(self, here, swarm, steps):
        store = ("--store", "sqlite:///kept/runs.db")
        run_id = swarm("run", steps("bad.json", one="picky"), "--json", *store).json["run_id"]

        listed = here("runs", *store)
        elsewhere = here("show", run_id)

        assert f"swarm rerun {run_id} --failed --store sqlite:///kept/runs.db" in listed.out
        assert (4, True) == (elsewhere.code, "no runs are kept here yet" in elsewhere.err)

    def test_the_environment_and_the_settings_name_it_too_and_the_option_wins(self, swarm, steps, write):
        file = steps("ok.json", one="quick")
        write("swarm.toml", '[store]\nurl = "sqlite:///a.db"\n')
        by_file = swarm("run", file, "--json").json["run_id"]
        by_variable = swarm("run", file, "--json", env={"SWARM_STORE": "sqlite:///b.db"}).json["run_id"]

        def listed(*args, **env):
            return [run["id"] for run in swarm("runs", "--json", *args, env=env).json]

        assert [by_file] == listed()
        assert [by_variable] == listed(SWARM_STORE="sqlite:///b.db")
        assert [by_file] == listed("--store", "sqlite:///a.db", SWARM_STORE="sqlite:///b.db")

    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("sqlit:///x.db", "did you mean 'sqlite'"),
            ("x.db", "did you mean"),
            ("sqlite://x.db", "sqlite:///relative/path.db"),
            ("sqlite:///x.db?durabilty=full", "did you mean 'durability'"),
        ],
    )
    def test_a_wrong_url_is_told(self, here, url, said):
        ended = here("runs", "--store", url)

        assert (3, "") == (ended.code, ended.out)
        assert said in ended.err or "installed" in ended.err


class TestShow:
    def test_a_run_is_told_with_its_steps_and_their_addresses(self, here, swarm, steps):
        run_id = swarm("run", steps("bad.json", one="quick", two="picky"), "--json").json["run_id"]

        told, data = here("show", run_id).out, here("show", run_id, "--json").json

        assert [("/0", "one", "pass", "ONE"), ("/1", "two", "blocked", None)] == [
            (step["address"], step["agent"], step["status"], step["result"]) for step in data["steps"]
        ]
        assert "ValueError: not good" == data["steps"][1]["error"]
        assert ("failed", "DispatcherError") == (data["run"]["status"], data["run"]["error"]["kind"])
        for part in (f"{run_id}  failed", "/1", "ValueError: not good", f"swarm rerun {run_id} --failed"):
            assert part in told

    def test_a_result_is_shortened_for_people_only(self, here, swarm, steps, write):
        file = steps("much.json", one="much")
        write("swarmfile.py", "from swarm_core import function\n\n@function\ndef much(_):\n    return 'x' * 100_000\n")
        run_id = swarm("run", file, "--json").json["run_id"]

        told, data = here("show", run_id).out, here("show", run_id, "--json").json

        assert {"one": "x" * 100_000} == data["result"]
        assert "x" * 100_000 == data["steps"][0]["result"]
        assert len(told) < 3000

    def test_reused_steps_and_events_are_told(self, here, killed, swarm):
        run_id = killed()
        swarm("resume", run_id)

        data = here("show", run_id, "--events", "--json").json
        told = here("show", run_id, "--events").out

        assert [(1, 1)] == [(facts["reused"], facts["again"]) for facts in data["resumed"]]
        assert list(range(1, len(data["events"]) + 1)) == [event["seq"] for event in data["events"]]
        assert ["run_started", "run_ended"] == [data["events"][at]["kind"] for at in (0, -1)]
        assert [1, 2, 1] == [step["attempts"] for step in data["steps"]]
        assert "1 step reused, 1 run again" in told
        assert "run_resumed" in told

    def test_who_holds_a_run_is_told(self, here, under_way):
        begun = under_way()

        data = here("show", begun.run_id, "--json").json

        assert begun.process.pid == data["owner"]["pid"]
        assert f"process {begun.process.pid} on" in here("show", begun.run_id).out
        assert ["pass", "running"] == [step["status"] for step in data["steps"]]

    def test_only_the_newest_steps_are_shown_unless_all_are_asked_for(self, here, swarm, steps):
        run_id = swarm("run", steps("many.json", **{f"s{n}": "quick" for n in range(50)}), "--json").json["run_id"]

        short, long = here("show", run_id).out, here("show", run_id, "--steps").out

        assert "... 10 more before these; --steps shows all" in short
        assert (40, 50) == (short.count("  pass "), long.count("  pass "))

    def test_cl154_an_ambiguous_beginning_lists_the_runs(self, here, swarm, steps):
        file = steps("ok.json", one="quick")
        ids = [swarm("run", file, "--json").json["run_id"] for _ in range(2)]

        ended = here("show", "RUN-")

        assert 4 == ended.code
        assert all(run_id in ended.err for run_id in ids)

    @pytest.mark.parametrize("name", ["RUN-5d0c", "x", "", "RUN-\x1b[2J", "RUN-a b", "' OR 1=1 --"])
    def test_cl154_an_unknown_run_is_told_with_where_was_looked(self, here, swarm, steps, name):
        swarm("run", steps("ok.json", one="quick"), "--key", "a")
        swarm("run", steps("ok.json", one="quick"), "--key", "b")

        ended = here("show", name)

        assert (4, "") == (ended.code, ended.out)
        assert "run not found" in ended.err
        assert "\x1b" not in ended.err

    def test_a_journal_that_does_not_decode_is_told_after_the_record_and_other_runs_are_not_touched(
        self, here, swarm, steps, cwd
    ):
        file = steps("ok.json", one="quick")
        other, run_id = (swarm("run", file, "--json").json["run_id"] for _ in range(2))
        with sqlite3.connect(cwd / ".swarm" / "swarm.db") as database:
            database.execute("UPDATE journal SET body = '[[1]]' WHERE id = (SELECT max(id) FROM journal)")
        database.close()

        ended = here("show", run_id)

        assert 6 == ended.code
        assert run_id in ended.out
        assert f"of run {run_id} do not decode" in ended.err
        assert 0 == here("show", other).code
        assert 0 == here("runs").code

    def test_p30_control_characters_do_not_reach_the_terminal(self, here, swarm, write):
        write(
            "swarmfile.py",
            "from swarm_core import function\n@function\ndef one(_):\n    raise OSError('\\x1b[2Jgone')\n",
        )
        step = {
            "kind": "step",
            "ref": "one",
            "in": {"op": "lit", "value": "\x1b[3J"},
            "out": {"op": "path", "at": "$.x"},
        }
        agents = [{"name": "one", "kind": "function", "spec": {"fn_id": "one"}}]
        run_id = swarm("run", write("b.json", {"id": "b", "flow": step, "agents": agents}), "--json").json["run_id"]

        for args in (["show", run_id, "--events"], ["runs"], ["watch", run_id]):
            ended = here(*args)
            assert "\x1b" not in ended.out + ended.err
        assert "\\x1b[2Jgone" in here("show", run_id).out


class TestCompletion:
    def completed(self, swarm, words, **env):
        cursor = len(words.split()) if words.endswith(" ") else len(words.split()) - 1
        env = {"_SWARM_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(cursor), **env}
        ended = swarm(env=env)
        return [line.split(",", 1)[1] for line in ended.out.split()], ended

    def test_run_ids_complete_in_the_shell(self, swarm, steps):
        file = steps("ok.json", one="quick")
        ids = [swarm("run", file, "--json").json["run_id"] for _ in range(2)]

        assert ids[::-1] == self.completed(swarm, "swarm show RUN-")[0]
        assert [ids[0]] == self.completed(swarm, f"swarm resume {ids[0][:8]}")[0]
        assert [ids[0]] == self.completed(swarm, f"swarm cancel {ids[1]} ")[0]

    @pytest.mark.parametrize("trouble", ["none", "damaged", "settings"])
    def test_it_is_silent_when_anything_is_wrong(self, swarm, cwd, write, trouble):
        if trouble == "damaged":
            write(".swarm/swarm.db", "no database" * 100)
        if trouble == "settings":
            write("swarm.toml", "[engine]\nodd = 1\n")

        found, ended = self.completed(swarm, "swarm show RUN-")

        assert ([], "") == (found, ended.err)
        assert (cwd / ".swarm").exists() == (trouble == "damaged")

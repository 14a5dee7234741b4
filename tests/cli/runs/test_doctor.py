"""`swarm doctor`, and what every command says of a store that cannot be used."""

import os
import platform
import sqlite3
import subprocess

import pytest

COMMANDS = [
    ["runs"],
    ["show", "RUN-a"],
    ["watch", "RUN-a"],
    ["resume", "RUN-a"],
    ["resume", "--all"],
    ["cancel", "RUN-a"],
    ["gc", "--older-than", "1d"],
    ["export", "RUN-a"],
    ["doctor"],
]


class TestDoctor:
    def test_it_tells_versions_the_store_and_where_its_runs_stand(self, here, swarm, steps, killed, cwd):
        import swarm_core

        interrupted = killed()
        swarm("run", steps("ok.json", one="quick"))

        data, told = here("doctor", "--json"), here("doctor")

        store = data.json["store"]
        assert (0, 0) == (data.code, told.code)
        assert {
            "swarm": swarm_core.__version__,
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
        } == (data.json["versions"])
        assert (f"sqlite:///{cwd}/.swarm/swarm.db", str(cwd / ".swarm/swarm.db"), "full", []) == (
            store["url"], store["path"], store["durability"], store["problems"],
        )  # fmt: skip
        assert {"done": 1, "interrupted": 1} == {status: count for status, count in store["runs"].items() if count}
        assert store["size"] > 4096
        assert store["schema"] >= 1
        assert [interrupted] == store["interrupted"]
        for part in (f"interrupted: swarm resume {interrupted}", "integrity    whole", "1 interrupted, 1 done"):
            assert part in told.out

    def test_p2_a_store_that_may_lose_what_was_acknowledged_is_told(self, here, swarm, steps):
        store = ("--store", "sqlite:///r.db?durability=relaxed")
        swarm("run", steps("ok.json", one="quick"), *store)

        assert "relaxed" == here("doctor", "--json", *store).json["store"]["durability"]
        assert "survives the death of the process, not of the machine" in here("doctor", *store).out

    def test_who_holds_runs_is_told_and_whether_they_live(self, here, under_way):
        run = under_way()
        alive = here("doctor", "--json").json["store"]["owners"]
        run.kill()
        dead = here("doctor", "--json").json["store"]["owners"]

        assert [(run.process.pid, True)] == [(owner["pid"], owner["alive"]) for owner in alive]
        assert [(run.process.pid, False)] == [(owner["pid"], owner["alive"]) for owner in dead]
        assert f"process {run.process.pid} on" in here("doctor").out

    def test_where_no_runs_are_kept_it_says_so_and_makes_nothing(self, here, cwd):
        ended = here("doctor")

        assert 0 == ended.code
        assert f"{cwd}/.swarm/swarm.db, not there yet" in ended.out
        assert [] == list(cwd.iterdir())

    def test_it_comes_up_with_wrong_settings_and_refused_plugins(self, here, write, swarm, cwd):
        write("swarm.toml", "[engine]\nmax_spawn_deth = 3\n")
        info = cwd / "site" / "odd-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[swarm_core.plugins]\nodd = odd_plugin\n")
        (cwd / "site" / "odd_plugin.py").write_text("print('noise')\nraise SystemExit(3)")

        ended = swarm("doctor", "--json", env={"PYTHONPATH": str(cwd / "site")})

        assert 3 == ended.code
        assert "did you mean 'max_spawn_depth'?" in str(ended.json["settings_error"])
        assert ["odd"] == [plugin["name"] for plugin in ended.json["plugins"]["refused"]]

    def test_damage_inside_the_file_is_told(self, here, swarm, steps, cwd):
        swarm("run", steps("ok.json", one="quick"))
        with sqlite3.connect(cwd / ".swarm" / "swarm.db") as database:
            database.execute("DELETE FROM blueprints")
        database.close()

        ended = here("doctor", "--json")

        assert 6 == ended.code
        assert any("Blueprint" in problem for problem in ended.json["store"]["problems"])


class TestPlugins:
    def test_p34_a_plugin_that_is_wrong_does_not_keep_runs_from_being_looked_after(self, swarm, killed, cwd):
        run_id = killed()
        info = cwd / "site" / "odd-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[swarm_core.plugins]\nodd = odd_plugin\n")
        (cwd / "site" / "odd_plugin.py").write_text("print('noise')\n1 / 0")
        env = {"PYTHONPATH": str(cwd / "site")}

        listed, shown, written = (
            swarm(*args, env=env) for args in (["runs", "--json"], ["show", run_id, "--json"], ["export", run_id])
        )
        cancelled = swarm("cancel", run_id, "--json", env=env)

        assert [0, 0, 0, 0] == [listed.code, shown.code, written.code, cancelled.code]
        assert [run_id] == [run["id"] for run in listed.json]
        assert "cancelled" == cancelled.json[0]["status"]


class TestBadStores:
    """Each command says what is wrong, exits with 6, and leaves the file as it is."""

    @pytest.fixture(params=["foreign", "zero", "text", "newer", "folder", "cut"])
    def bad(self, request, cwd, swarm, steps):
        """Put something that is no store of ours where the store should be, and return what to compare."""
        path = cwd / ".swarm" / "swarm.db"
        swarm("run", steps("ok.json", one="quick"))
        if request.param == "newer":
            with sqlite3.connect(path) as database:
                database.execute("PRAGMA user_version = 99")
            database.close()
        elif request.param == "cut":
            path.write_bytes(path.read_bytes()[:5000])
        else:
            for old in (cwd / ".swarm").glob("swarm.db*"):
                old.unlink()
        if request.param == "foreign":
            with sqlite3.connect(path) as database:
                database.execute("CREATE TABLE mine (x)")
            database.close()
        elif request.param in ("zero", "text"):
            path.write_bytes(b"" if request.param == "zero" else b"dear diary " * 1000)
        elif request.param == "folder":
            path.mkdir()
        return lambda: path.read_bytes() if path.is_file() else sorted(path.iterdir())

    def test_cl152_a_file_that_is_no_store_is_told_and_left_alone(self, here, bad):
        before = bad()

        ends = {" ".join(args): here(*args) for args in COMMANDS}

        assert {6} == {end.code for end in ends.values()}, {name: (end.code, end.err) for name, end in ends.items()}
        assert all(".swarm/swarm.db" in end.err + end.out for end in ends.values())
        assert before == bad()

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_cl151_a_store_that_cannot_be_written_is_told(self, here, swarm, steps, cwd):
        swarm("run", steps("ok.json", one="quick"))
        (cwd / ".swarm").chmod(0o500)
        try:
            ended = here("runs")
        finally:
            (cwd / ".swarm").chmod(0o700)

        assert 6 == ended.code

    def test_cl151_a_folder_that_is_a_file_is_told(self, here, write, swarm, steps):
        write(".swarm", "a file")

        listed, ran = here("runs"), swarm("run", steps("ok.json", one="quick"))

        assert [0, 6] == [listed.code, ran.code]

    def test_cl151_a_full_disk_is_told(self, swarm, steps, cwd):
        """The limit on the size of files stands for a disk that is full."""
        import sys

        file = steps("ok.json", one="quick")
        swarm("run", file)
        line = f"ulimit -f 1; trap '' XFSZ; exec {sys.executable} -B -m swarm_core run {file} --quiet"
        done = subprocess.run(["bash", "-c", line], cwd=cwd, capture_output=True, text=True, timeout=60, check=False)

        assert 6 == done.returncode, done.stderr
        assert "Traceback" not in done.stderr
        assert 0 == swarm("doctor").code

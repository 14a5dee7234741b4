"""Arguments, streams, signals and terminals as `swarm` meets them in the wild (CL 145, 146, 153, 156)."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest

PURE = {"id": "x", "flow": {"kind": "let", "at": "$.word", "value": {"op": "lit", "value": "größe 🚀"}}}
SWARM = (sys.executable, "-m", "swarm_core")


def one_step(fn_id):
    step = {"kind": "step", "ref": "a", "in": {"op": "path", "at": "$"}, "out": {"op": "path", "at": "$.out"}}
    return {"id": "x", "flow": step, "agents": [{"name": "a", "kind": "function", "spec": {"fn_id": fn_id}}]}


WORKERS = """
import asyncio, pathlib, time
from swarm_core import function

@function
async def hang(_):
    pathlib.Path("began").touch()
    try:
        await asyncio.Event().wait()
    finally:
        pathlib.Path("ended").touch()

@function
async def deaf(_):
    pathlib.Path("began").touch()
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass

@function
def sleeps(_):
    pathlib.Path("began").touch()
    time.sleep(600)
"""


@pytest.fixture
def shell(cwd):
    """Run a line of bash in the folder, SWARM standing for the command; return its exit code, stdout and stderr."""

    def run(line, **env):
        command = line.replace("SWARM", " ".join(SWARM))
        done = subprocess.run(
            ["bash", "-c", command], cwd=cwd, env={**os.environ, **env}, capture_output=True, timeout=60, check=False
        )
        assert b"Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout, done.stderr

    return run


def wait_for(path):
    end = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} did not come"
        time.sleep(0.01)


class TestNames:
    @pytest.mark.parametrize("args", [["--confg", "x", "run", "a"], ["run", "--quite"], ["chek"], ["plugins", "--jsn"]])
    def test_cl145_what_is_misspelt_is_told_with_the_nearest(self, swarm, args):
        ended = swarm(*args)

        assert (2, "") == (ended.code, ended.out)
        assert "did you mean" in ended.err.lower()

    @pytest.mark.parametrize("command", ["run", "check", "explain"])
    def test_cl146_a_dash_is_stdin(self, swarm, command):
        assert 0 == swarm(command, "-", stdin=json.dumps(PURE)).code

    def test_cl146_a_file_may_be_named_like_an_option(self, swarm, write):
        write("-x.json", PURE)

        assert [2, 0, 0] == [swarm("check", *args).code for args in (["-x.json"], ["--", "-x.json"], ["./-x.json"])]

    @pytest.mark.needs("audit")
    def test_cl146_a_name_cannot_steer_the_terminal_or_forge_a_line(self, swarm, write):
        names = ["a\x1b[2J\nok.json: can be run", "gone\n\x1b[2J.json"]
        write(names[0] + ".json", PURE)

        checked, missing = swarm("check", names[0] + ".json"), swarm("check", names[1])

        assert ["a\\x1b[2J\\nok.json: can be run.json: can be run"] == checked.out.splitlines()
        assert 4 == missing.code
        assert "\x1b" not in missing.out + missing.err

    @pytest.mark.needs("audit")
    def test_cl146_a_name_of_odd_bytes_is_a_name(self, shell):
        """Names are bytes to the system; these are no UTF-8."""
        code, out, _ = shell(r"""echo '{"id": "x", "flow": {"kind": "seq", "children": []}}' > $'\xff.json'
            SWARM check $'\xff.json' && SWARM run $'\xff.json'""")

        assert (0, b"\xff.json: can be run\n{}\n") == (code, out)

    @pytest.mark.parametrize("source", ["run -", "check -", "run a.json --ctx -", "run a.json --ctx @/dev/zero"])
    def test_cl146_input_without_an_end_is_read_to_the_limit(self, shell, write, source):
        write("a.json", PURE)

        code, out, err = shell(f"yes '[' | SWARM {source}")

        assert 3 == code
        assert b"2,097,152 bytes" in out + err


class TestStreams:
    @pytest.mark.parametrize("command", ["run a.json --quiet", "check a.json --json", "plugins --json", "schema"])
    def test_cl153_a_full_disk_is_told_in_a_line(self, shell, write, command):
        write("a.json", PURE)

        code, _, err = shell(f"SWARM {command} > /dev/full")

        assert (6, b"error: the output cannot be written: No space left on device\n") == (code, err)

    @pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
    def test_cl153_closed_streams_are_no_error(self, shell, write, closed):
        write("a.json", PURE)

        code, out, _ = shell(f"SWARM run a.json {closed}")

        assert (0, ">&-" not in closed.replace("2>&-", "")) == (code, b"word" in out)

    @pytest.mark.parametrize("args", ["run -", "run a.json --ctx -", "check -"])
    def test_cl153_what_reads_a_closed_stdin_says_so(self, shell, write, args):
        write("a.json", PURE)

        code, _, err = shell(f"SWARM {args} <&-")

        assert 2 == code
        assert b"stdin is closed" in err

    def test_cl153_a_reader_of_the_progress_may_leave(self, shell, write):
        blueprint = one_step("identity")
        step = {**blueprint["flow"], "in": {"op": "lit", "value": 1}}
        counter, cond = {"op": "path", "at": "$.n"}, {"op": "lit", "value": True}
        loop = {"kind": "loop", "counter": counter, "cond": cond, "max": 2_000, "body": step}
        write("a.json", {**blueprint, "flow": loop})

        code, out, _ = shell("SWARM run a.json 2> >(head -c 1 > /dev/null) | tail -c 200; exit ${PIPESTATUS[0]}")

        assert (0, 2_000) == (code, json.loads(out)["n"])

    @pytest.mark.parametrize(
        "env", [{"LANG": "C"}, {"LC_ALL": "C"}, {"LC_ALL": "POSIX"}, {"PYTHONIOENCODING": "ascii"}]
    )
    def test_cl153_json_is_utf8_in_every_locale(self, shell, write, env):
        write("a.json", PURE)

        code, out, _ = shell("SWARM run a.json", **env)

        assert (0, "größe 🚀") == (code, json.loads(out)["word"])


class TestSignals:
    @pytest.fixture
    def begin(self, cwd, write):
        """Begin a run of one of the workers and return its process once the worker works."""
        write("swarmfile.py", WORKERS)
        processes = []

        def begin(fn_id, *args, **streams):
            write("b.json", one_step(fn_id))
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
            processes.append(subprocess.Popen([*SWARM, "run", "b.json", *args], cwd=cwd, **pipes))
            wait_for(cwd / "began")
            return processes[-1]

        yield begin
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.communicate()

    @pytest.mark.parametrize(("store", "status"), [([], "interrupted"), (["--store", "memory://"], "cancelled")])
    def test_cl153_sighup_interrupts_the_run_and_cancels_it_where_nothing_is_kept(self, begin, cwd, store, status):
        process = begin("hang", "--json", *store)

        process.send_signal(signal.SIGHUP)
        out, err = process.communicate(timeout=30)

        assert (130, status) == (process.returncode, json.loads(out)["status"])
        assert (cwd / "ended").exists()
        assert b"Traceback" not in err

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_cl153_p14_a_worker_that_is_deaf_is_left_after_the_grace(self, begin, write, number):
        write("swarm.toml", '[engine]\ncancel_grace = "100ms"\n')
        process = begin("deaf", "--json", "--store", "memory://")

        process.send_signal(number)
        out, err = process.communicate(timeout=30)

        assert (130, "cancelled") == (process.returncode, json.loads(out)["status"])
        assert b"worker_abandoned" in err

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_cl153_p37_a_run_whose_worker_is_deaf_can_be_resumed_all_the_same(self, begin, write, swarm, number):
        write("swarm.toml", '[engine]\ncancel_grace = "100ms"\n')
        process = begin("deaf", "--json")

        process.send_signal(number)
        out, _ = process.communicate(timeout=30)
        write("swarmfile.py", "from swarm_core import function\n\n@function\ndef deaf(_):\n    return 'heard'\n")
        resumed = swarm("resume", "--all", "--json")

        assert (130, "interrupted") == (process.returncode, json.loads(out)["status"])
        assert [(json.loads(out)["run_id"], "done", {"out": "heard"})] == [
            (run["run_id"], run["status"], run["final_ctx"]) for run in resumed.json
        ]

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -15), (signal.SIGHUP, -1)])
    def test_cl153_a_second_signal_ends_the_program_at_once(self, begin, write, number, code):
        write("swarm.toml", '[engine]\ncancel_grace = "10m"\n')
        process = begin("deaf")

        process.send_signal(number)
        while b"interrupting" not in (line := process.stderr.readline()):
            assert line
        process.send_signal(number)
        process.communicate(timeout=30)

        assert code == process.returncode

    def test_cl153_a_thread_that_sleeps_does_not_keep_an_interrupted_program(self, begin):
        process = begin("sleeps")

        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)

        assert 130 == process.returncode

    @pytest.mark.parametrize("term", ["xterm", "dumb"])
    def test_cl153_a_terminal_that_goes_away_interrupts_the_run(self, begin, cwd, term):
        leader, follower = pty.openpty()
        process = begin(
            "hang",
            stderr=follower,
            stdin=follower,
            env={**os.environ, "TERM": term},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(follower)

        os.close(leader)
        process.communicate(timeout=30)

        assert 130 == process.returncode
        assert (cwd / "ended").exists()


class TestTerminals:
    @pytest.fixture
    def on_a_terminal(self, cwd, write):
        """Run a Blueprint with stderr on a terminal; return the exit code, stdout, and what the terminal was sent."""

        def run(blueprint, *, columns=80, **env):
            leader, follower = pty.openpty()
            fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            clean = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
            command = [*SWARM, "run", write("t.json", blueprint)]
            process = subprocess.Popen(
                command, cwd=cwd, stdout=subprocess.PIPE, stderr=follower, env={**clean, "TERM": "xterm", **env}
            )
            os.close(follower)
            sent = _all_of(leader)
            out = process.communicate(timeout=30)[0]
            return process.returncode, out, sent

        return run

    def blueprint(self, **script):
        spec = {"answers": ["fine"], "delay": "200ms", **script}
        return {**one_step("x"), "agents": [{"name": "critic", "kind": "fake", "spec": spec}]}

    def colours(self, sent):
        codes = {code for group in re.findall(r"\x1b\[([0-9;]*)m", sent) for code in group.split(";")}
        return {code for code in codes if re.fullmatch(r"(3|4|9|10)[0-9]", code)}

    def test_cl153_no_color_is_respected(self, on_a_terminal):
        node = self.blueprint()
        node["flow"]["ref"] = "critic"

        coloured, plain = on_a_terminal(node), on_a_terminal(node, NO_COLOR="1")

        assert self.colours(coloured[2])
        assert not self.colours(plain[2])
        assert "critic" in plain[2]

    @pytest.mark.parametrize("columns", [20, 8, 1])
    def test_cl153_a_narrow_terminal_is_not_overflown(self, on_a_terminal, columns):
        node = self.blueprint()
        node["flow"]["ref"] = "critic"

        code, out, sent = on_a_terminal(node, columns=columns)

        bare = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", sent)
        assert (0, "fine") == (code, json.loads(out)["out"])
        assert max(len(line) for line in re.split(r"[\r\n]+", bare)) <= columns

    def test_p30_cl153_what_a_worker_says_does_not_steer_a_terminal(self, on_a_terminal):
        node = self.blueprint(fail="\x1b[2Jgone\n\x1b]0;owned\x07[bold red]markup[/]")
        node["flow"]["ref"] = "critic"

        code, _, sent = on_a_terminal(node, columns=200)

        assert 1 == code
        assert "\\x1b[2Jgone\\n\\x1b]0;owned\\x07[bold red]markup[/]" in sent
        assert "\x1b[2J" not in sent
        assert "\x1b]0" not in sent


def _all_of(leader):
    sent = b""
    while True:
        try:
            piece = os.read(leader, 65_536)
        except OSError:
            break
        if not piece:
            break
        sent += piece
    os.close(leader)
    return sent.decode(errors="replace")


class TestClock:
    @pytest.mark.parametrize("now", [-1e9, 5e9, 1e12])
    def test_cl156_a_clock_that_is_far_off_is_doubted_and_the_run_goes_on(self, cwd, write, now):
        """The worker's token is minted and used under that clock."""
        write("swarmfile.py", "\n".join((
            "from swarm_core import function",
            "@function",
            "def worker(call):",
            "    return len(call.context.handle())",
        )))  # fmt: skip
        write("a.json", one_step("worker"))
        shift = f"import sys, time; real = time.time; off = {now} - real(); time.time = lambda: real() + off"
        program = f"{shift}; sys.argv = ['swarm', 'run', 'a.json']; from swarm_core.cli import main; main()"

        done = subprocess.run([sys.executable, "-c", program], cwd=cwd, capture_output=True, timeout=60, check=False)

        assert (0, {"out": 35}) == (done.returncode, json.loads(done.stdout))
        assert b"set its clock" in done.stderr

    def test_cl156_a_clock_within_reason_is_not_doubted(self, swarm, write):
        assert "clock" not in swarm("run", write("a.json", PURE)).err

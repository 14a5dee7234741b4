"""The audited refunds: whole as they were written, altered after one digit was changed, whole after a kill."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "audited"


@pytest.fixture
def folder(tmp_path):
    return Path(
        shutil.copytree(EXAMPLE, tmp_path / "audited", ignore=shutil.ignore_patterns("__pycache__", "runs.db*"))
    )


def swarm(*args, cwd):
    command = [sys.executable, "-m", "swarm_core", *map(str, args)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


def run(folder, *args):
    done = swarm("run", "refund.yaml", *args, "--quiet", cwd=folder)
    assert 0 == done.returncode, done.stderr
    (newest,) = json.loads(swarm("runs", "--limit", "1", "--json", cwd=folder).stdout)
    return newest["id"], json.loads(done.stdout)


def test_it_ends_as_its_readme_says_and_the_change_of_one_digit_is_found(folder):
    (small, paid), (large, refused) = run(folder), run(folder, "--set", "amount=500")
    head = json.loads(swarm("audit", "head", small, "--json", cwd=folder).stdout)
    swarm("audit", "export", small, "-o", "refund.jsonl", cwd=folder)
    before = swarm("audit", "verify", "--all", cwd=folder)

    subprocess.run([sys.executable, "forge.py", "runs.db"], cwd=folder, check=True, timeout=60)

    after = swarm("audit", "verify", "--all", "--json", cwd=folder)
    file = swarm("audit", "verify", "--file", "refund.jsonl", "--head", head["link"], cwd=folder)
    found = {chain["run_id"]: [each["code"] for each in chain["findings"]] for chain in json.loads(after.stdout)}
    assert (40, 0) == (paid["paid"], refused["paid"])
    assert (0, 2) == (before.returncode, before.stdout.count("whole")), before.stderr
    assert (1, {small: ["altered"], large: ["altered"]}) == (after.returncode, found)
    assert 0 == file.returncode, file.stderr


def test_each_attempt_has_the_fingerprints_of_what_it_got_and_gave(folder):
    run_id, _ = run(folder)

    events = json.loads(swarm("show", run_id, "--events", "--json", cwd=folder).stdout)["events"]

    given = [event["input_sha256"] for event in events if event["kind"] == "attempt_started"]
    gave = [event["result_sha256"] for event in events if event["kind"] == "attempt_ended"]
    assert (2, 2) == (len(given), len(gave))
    assert given[1] == gave[1], "what is paid is the amount that was asked for"


def test_p1_the_chain_of_a_run_that_was_killed_and_resumed_is_whole(folder):
    slow = "import time\n\n\n@function\ndef pay(amount):\n    open('here', 'w').close()\n    time.sleep(60)\n"
    workers = (folder / "swarmfile.py").read_text()
    (folder / "swarmfile.py").write_text(workers.partition("@function\ndef pay")[0] + slow)
    command = [sys.executable, "-m", "swarm_core", "run", "refund.yaml", "--quiet"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not (folder / "here").exists():
        assert process.poll() is None, "it has ended before"
        assert time.monotonic() < until
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    (killed,) = json.loads(swarm("runs", "--json", cwd=folder).stdout)
    between = swarm("audit", "verify", killed["id"], cwd=folder)
    head = json.loads(swarm("audit", "head", killed["id"], "--json", cwd=folder).stdout)
    (folder / "swarmfile.py").write_text(workers)

    resumed = swarm("resume", killed["id"], cwd=folder)
    after = swarm("audit", "verify", killed["id"], "--head", head["link"], "--json", cwd=folder)

    assert (0, 0) == (between.returncode, resumed.returncode), resumed.stderr
    assert (0, "done") == (after.returncode, json.loads(after.stdout)[0]["status"]), after.stderr

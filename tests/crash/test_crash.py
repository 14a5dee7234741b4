"""The crash test itself, as CI runs it: 200 kills, and a kill at every commit point."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def run(program, *args):
    """Run a program of the crash test; what it printed is part of the failure."""
    command = [sys.executable, str(HERE / program), *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=590, check=False)
    print(done.stdout, done.stderr)
    return done


def test_p1_p3_p5_p7_p10_p13_p16_p37_nothing_is_lost_or_doubled_in_200_kills(tmp_path):
    """P1, P3, P4, P5, P7, P10, P13, P14, P15, P16, P18, P37: the invariants hold in every mode."""
    done = run("driver.py", "--kills", 200, "--seed", 1, "--folder", tmp_path)

    assert 0 == done.returncode


def test_p6_an_engine_that_dies_at_any_statement_leaves_a_whole_run(tmp_path):
    """P6 and P7: before every statement and after every commit, result, event and status are all there or none is."""
    done = run("sweep_program.py", tmp_path, "--kind", "die")

    assert 0 == done.returncode


def test_p8_any_call_of_the_store_may_fail(tmp_path):
    """P8: once or for ever, before it was carried out or after; the engine says so and ends, and nothing is lost."""
    done = run("sweep_program.py", tmp_path, "--kind", "fail")

    assert 0 == done.returncode

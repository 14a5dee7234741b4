"""What the crash test says adds up, and a violation is told with the command that repeats it."""

import pytest
from crash.driver import Drive, drives
from crash.report import Cell, Report, show, table

ONE = Report("start", "python driver --repeat 1", cells={"loop": Cell(2, 3, 10, 4, 1), "try": Cell(1, 1, 5, 0, 0)})
TWO = Report("start", "python driver --repeat 2", cells={"loop": Cell(1, 1, 5, 1, 1)}, violations=("I1: gone",))


def rows(*reports):
    return [line.split() for line in table(reports).splitlines()]


def test_the_table_has_a_line_per_mode_and_flow_and_the_sums():
    assert [
        ["mode", "flow", "kills", "runs", "steps", "reused", "repeated", "violated"],
        ["start", "loop", "3", "4", "15", "5", "2"],
        ["start", "try", "1", "1", "5", "0", "0"],
        ["start", "all", "4", "5", "20", "5", "2", "1"],
        ["all", "all", "4", "5", "20", "5", "2", "1"],
    ] == rows(ONE, TWO)


@pytest.mark.parametrize(("reports", "code"), [([ONE], 0), ([ONE, TWO], 1)])
def test_the_exit_code_says_whether_anything_was_violated(reports, code, capsys):
    assert code == show(reports, of=9)

    said = capsys.readouterr()
    assert ("python driver --repeat 2" in said.out) is bool(code)
    assert "1 of 9 projects, 3 kills: start" == said.err.splitlines()[0]


def test_what_was_skipped_is_told_with_the_reason(capsys):
    assert 0 == show([Report("disk", "", skipped="strace is not installed")], of=1)

    assert "skipped disk: strace is not installed" in capsys.readouterr().out


@pytest.mark.parametrize("kills", [1, 7, 200, 2000])
def test_kills_are_shared_out_and_none_is_lost(kills):
    shares = drives(kills, 1, ["soon", "start", "worker"], ["sequence", "loop"])

    assert kills == sum(drive.kills for drive in shares)
    assert len(shares) == len({drive.seed for drive in shares})


def test_the_same_seed_gives_the_same_drives_and_a_drive_says_how_to_repeat_it():
    first, again = (drives(50, 7, ["worker"], ["loop", "sequence", "mix"]) for _ in range(2))

    assert first == again
    assert ("sequence", "mix") == first[0].flows
    assert first[0].command.endswith(f"--repeat worker:{first[0].seed}:25:sequence,mix")
    assert Drive("worker", first[0].seed, 25, ("sequence", "mix")) == first[0]

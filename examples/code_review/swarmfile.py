"""The Python workers of the code review: collect files, sum up the lanes, write the report."""

import shutil
from collections import Counter
from pathlib import Path

from swarm_core import function

OWN_SOURCE = Path(__file__).resolve().parents[2] / "swarm_core"
SKIPPED = shutil.ignore_patterns("__pycache__", ".*", "*.pyc")


@function
def collect(ctx):
    """Copy the tree and return its Python files: the name, and where the copy is."""
    source = Path(ctx["path"]) if ctx["path"] else OWN_SOURCE
    if not source.exists():
        raise FileNotFoundError(f"{source}: no such file or folder; say another one with --set path=...")
    copy = Path(ctx["work_dir"]).resolve() / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    if source.is_file():
        copy.mkdir(parents=True)
        shutil.copy(source, copy)
    else:
        shutil.copytree(source, copy, ignore=SKIPPED)
    files = sorted(copy.rglob("*.py"))[: ctx["max_files"]]
    return [{"name": str(file.relative_to(copy)), "copy": str(file)} for file in files]


@function
def summarise(lanes):
    """Return one row per file, and how many passed, were repaired or are blocked."""
    rows = [_row(lane) for lane in lanes]
    counts = Counter(row["verdict"] for row in rows)
    return {
        "rows": rows,
        "files": len(rows),
        "passed": counts["PASS"],
        "repaired": sum(row["rounds"] > 1 and row["verdict"] == "PASS" for row in rows),
        "blocked": len(rows) - counts["PASS"],
        "advice": sum(len(row["left"]) for row in rows),
    }


@function
def report(ctx):
    """Write the report of a tree that passed."""
    return _written(ctx, "passed", "Every file passes.")


@function
def escalate(ctx):
    """Write the report of a tree that a person has to look at."""
    return _written(ctx, "escalated", f"{ctx['review']['blocked']} files need a person: see the table.")


def _row(lane):
    if lane["status"] == "rejected":
        return {"name": "?", "verdict": "FAILED", "rounds": 0, "left": [lane["reason"]]}
    ctx = lane["value"]
    left = [f"{finding['code']} line {finding['location']['row']}: {finding['message']}" for finding in ctx["findings"]]
    return {"name": ctx["file"]["name"], "verdict": ctx["verdict"], "rounds": ctx["rounds"], "left": left}


def _written(ctx, outcome, headline):
    review, path = ctx["review"], Path(ctx["work_dir"]) / "report.md"
    lines = [
        "# Code review",
        "",
        headline,
        "",
        "| files | passed | repaired | blocked | advice left |",
        "|---:|---:|---:|---:|---:|",
        f"| {review['files']} | {review['passed']} | {review['repaired']} | {review['blocked']} | {review['advice']} |",
        "",
        "## Files",
        "",
        "| file | verdict | rounds | left |",
        "|---|---|---:|---:|",
        *(f"| {row['name']} | {row['verdict']} | {row['rounds']} | {len(row['left'])} |" for row in review["rows"]),
        "",
        "## Left to people",
        "",
        *(f"- `{row['name']}`: {note}" for row in review["rows"] for note in row["left"]),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    counts = {key: value for key, value in review.items() if key != "rows"}
    return {"outcome": outcome, "report": str(path), "review": counts}

"""The Python workers of the review: collect files, sum up the lanes, write the report."""

from pathlib import Path

from swarm_core import function


@function
def collect(ctx):
    """Return the Python files below a path, each with its name and text."""
    source = Path(ctx["path"])
    if not source.exists():
        raise FileNotFoundError(f"{source}: no such file or folder; say another one with --set path=...")
    files = [source] if source.is_file() else sorted(source.rglob("*.py"))[: ctx["max_files"]]
    texts = [(file, file.read_text(encoding="utf-8", errors="replace")) for file in files]
    return [{"name": file.name, "text": text} for file, text in texts if len(text) <= ctx["max_chars"]]


@function
def summarise(ctx):
    """Return one row per file; a lane that failed is a file that a person has to look at."""
    rows = [_row(file, lane) for file, lane in zip(ctx["files"], ctx["lanes"], strict=True)]
    return {"rows": rows, "left": sum(row["verdict"] != "PASS" for row in rows)}


@function
def report(ctx):
    """Write the report."""
    folder = Path(ctx["work_dir"])
    folder.mkdir(parents=True, exist_ok=True)
    rows = ctx["summary"]["rows"]
    lines = [
        "# Review",
        "",
        f"The review {ctx['outcome']}.",
        "",
        "| file | verdict |",
        "|---|---|",
        *(f"| {row['name']} | {row['verdict']} |" for row in rows),
        "",
        *(f"- `{row['name']}`, line {each['line']}: {each['text']}" for row in rows for each in row["findings"]),
    ]
    path = folder / "report.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"outcome": ctx["outcome"], "report": str(path), "files": len(rows), "left": ctx["summary"]["left"]}


def _row(file, lane):
    if lane["status"] == "rejected":
        return {"name": file["name"], "verdict": "FAILED", "findings": [{"line": 0, "text": str(lane["reason"])}]}
    return {"name": file["name"], **lane["value"]["review"]}

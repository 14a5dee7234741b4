"""The workers of the approval example."""

from pathlib import Path

from swarm_core import function


@function
def draft(ctx):
    """Write a draft of the announcement."""
    return f"{ctx['product']} is here: {ctx['news']}."


@function
def publish(ctx):
    """Write the announcement where it is published."""
    return {"published": _written(ctx, "published.txt")}


@function
def archive(ctx):
    """Keep the draft, and why it was not published."""
    return {"archived": _written(ctx, "archived.txt")}


def _written(ctx, name):
    folder = Path(ctx["work_dir"])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    note = ctx["decision"].get("note", "")
    path.write_text("\n".join(filter(None, [ctx["draft"], note])) + "\n", encoding="utf-8")
    return str(path)

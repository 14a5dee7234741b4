"""`swarm new`: a project that runs."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

from swarm_core.cli import outcome

# what is written -> the template it is made of
_FILES = {
    "blueprint.yaml": "blueprint.yaml",
    "swarmfile.py": "swarmfile.py.txt",
    "swarm.toml": "swarm.toml.txt",
    "README.md": "README.md",
    ".gitignore": "gitignore.txt",
}


@click.command("new")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--force", is_flag=True, help="Write into a folder that is not empty; existing files are left alone.")
def command(*, directory: Path, force: bool) -> int:
    """Make a project in DIRECTORY: a Blueprint, its functions, settings, and a README that says how to go on."""
    if directory.exists() and any(directory.iterdir()) and not force:
        raise click.UsageError(f"{directory} is not empty; use another folder, or --force to add what is missing")
    directory.mkdir(parents=True, exist_ok=True)
    name = directory.resolve().name
    templates = files("swarm_core.cli") / "templates"
    for target, template in _FILES.items():
        path = directory / target
        if path.exists():
            outcome.say(f"kept {path}")
            continue
        path.write_text((templates / template).read_text(encoding="utf-8").replace("{{name}}", name), encoding="utf-8")
        click.echo(f"made {path}")
    click.echo(f"\nRun it:  swarm run {directory / 'blueprint.yaml'} --set name=Ada")
    return outcome.OK

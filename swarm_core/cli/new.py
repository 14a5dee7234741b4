"""`swarm new`: a project that runs, or a package that holds a plugin."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import click

from swarm_core.cli import new_plugin, outcome

# what is written -> the template it is made of
_FILES = {
    "blueprint.yaml": "blueprint.yaml",
    "swarmfile.py": "swarmfile.py.txt",
    "swarm.toml": "swarm.toml.txt",
    "README.md": "README.md",
    ".gitignore": "gitignore.txt",
}


@click.command("new")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), required=False)
@click.option("--plugin", metavar="NAME", help="Make a package with a plugin of this name; default folder: its own.")
@click.option(
    "--kind",
    type=click.Choice(new_plugin.KINDS),
    help=f"What the plugin provides; default: {new_plugin.DEFAULT_KIND}.",
)
@click.option("--force", is_flag=True, help="Write into a folder that is not empty; existing files are left alone.")
@click.pass_context
def command(ctx: click.Context, /, *, directory: Path | None, plugin: str | None, kind: str | None, force: bool) -> int:
    """Make a project in DIRECTORY: a Blueprint, its functions, settings, and a README that says how to go on.

    With --plugin, make a package with a plugin: a module that works, tests, and what a CI needs.
    """
    if plugin is not None:
        new_plugin.check_name(plugin, kind or new_plugin.DEFAULT_KIND, _commands(ctx))
        return _new_plugin(plugin, kind or new_plugin.DEFAULT_KIND, directory, force=force)
    if kind is not None:
        raise click.UsageError("--kind says what a plugin provides; name the plugin with --plugin NAME")
    if directory is None:
        raise click.UsageError("missing argument 'DIRECTORY'")
    _write(directory, _FILES, {"name": directory.resolve().name}, force=force)
    click.echo(f"\nRun it:  swarm run {directory / 'blueprint.yaml'} --set name=Ada")
    return outcome.OK


def _new_plugin(name: str, kind: str, directory: Path | None, *, force: bool) -> int:
    words = new_plugin.words_of(name, kind)
    folder = directory or Path(words["distribution"])
    _write(folder, new_plugin.files_of(name, kind), words, force=force)
    click.echo(f"\nTry it:  cd {folder} && make test\nUse it:  pip install -e {folder} && swarm plugins")
    return outcome.OK


def _commands(ctx: click.Context) -> list[str]:
    root = ctx.find_root()
    return root.command.list_commands(root) if isinstance(root.command, click.Group) else []


def _write(folder: Path, made_of: Mapping[str, str], words: Mapping[str, str], *, force: bool) -> None:
    """Write each file from its template, in which `{{word}}` stands for what `words` says."""
    if folder.exists() and any(folder.iterdir()) and not force:
        raise click.UsageError(f"{folder} is not empty; use another folder, or --force to add what is missing")
    templates = files("swarm_core.cli") / "templates"
    for target, template in made_of.items():
        path = folder / target
        if path.exists():
            outcome.say(f"kept {path}")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_filled((templates / template).read_text(encoding="utf-8"), words), encoding="utf-8")
        click.echo(f"made {path}")


def _filled(text: str, words: Mapping[str, str]) -> str:
    for word, value in words.items():
        text = text.replace("{{" + word + "}}", value)
    return text

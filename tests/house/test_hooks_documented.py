"""Nothing that people meet exists undocumented or untested: hooks, errors, events, settings, commands.

Each reference page has a heading for each thing of its kind, and none for a thing that is gone.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import pytest
from attrs import fields

from swarm_core import errors, hookspecs
from swarm_core.compile.lints import LINTS
from swarm_core.errors import SwarmError
from swarm_core.model.event import EVENT_KINDS
from swarm_core.settings import PluginSettings, engine_fields, load_settings

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs/reference"
HEADING = re.compile(r"^#{2,4} (.+?)\s*$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
TEST = re.compile(r"^\s*(?:async )?(?:def|class) (test_?\w+)", re.MULTILINE | re.IGNORECASE)
OWN = Path(__file__).name

HOOKS = [name for name, item in vars(hookspecs).items() if hasattr(item, f"{hookspecs.PROJECT}_spec")]
ERRORS = [item for item in vars(errors).values() if inspect.isclass(item) and issubclass(item, SwarmError)]
ERROR_NAMES = [error.__name__ for error in ERRORS]
SETTINGS = [
    "store.url",
    "store.blueprints",
    "client.server",
    "client.token_file",
    "store.issues",
    *(f"engine.{name}" for name in engine_fields()),
    *(f"plugins.{attribute.name}" for attribute in fields(PluginSettings)),
    "plugin.<name>",
    "layers.<set>.use",
    "lints.<code>",
]
VARIABLES = [
    "SWARM_SERVER",
    "SWARM_SERVER_TOKEN",
    "SWARM_SERVER_TOKEN_FILE",
    "SWARM_CONFIG",
    "SWARM_DISABLE_PLUGINS",
    "SWARM_STORE",
    "SWARM_BLUEPRINTS",
    "SWARM_ISSUES",
    "SWARM_ENGINE_<FIELD>",
]


def sections(page: str) -> dict[str, str]:
    """Return a reference page's headings, without backquotes, each with the text below it."""
    text = (REFERENCE / page).read_text(encoding="utf-8")
    code = FENCE.sub(lambda match: re.sub(r"^#", " ", match[0], flags=re.MULTILINE), text)
    _, *parts = HEADING.split(code)
    return {title.replace("`", ""): body for title, body in zip(parts[::2], parts[1::2], strict=True)}


def missing(names: Iterable[str], page: str) -> list[str]:
    there = sections(page)
    return [name for name in names if name not in there]


def stale(names: Iterable[str], page: str, form: str) -> list[str]:
    """Return the headings that look like a thing's name, by the pattern `form`, and name nothing that exists."""
    known = set(names)
    return [title for title in sections(page) if re.fullmatch(form, title) and title not in known]


def files_of_tests() -> Iterator[Path]:
    for folder in (ROOT / "tests", ROOT / "plugins"):
        yield from (path for path in folder.rglob("test_*.py") if path.name != OWN)


@pytest.fixture(scope="module")
def tested() -> str:
    """The text of all tests."""
    return "\n".join(path.read_text(encoding="utf-8") for path in files_of_tests())


def commands(command: click.Command, context: click.Context) -> Iterator[str]:
    """Yield the full name of every command below a command, as it is typed."""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            inner = click.Context(below, info_name=name, parent=context)
            yield inner.command_path
            yield from commands(below, inner)


class TestHooks:
    def test_every_hook_has_a_heading_and_no_heading_is_stale(self) -> None:
        assert missing(HOOKS, "hooks.md") == []
        assert stale(HOOKS, "hooks.md", r"swarm_\w+") == []

    def test_headings_stand_in_the_order_the_host_calls_the_hooks(self) -> None:
        assert [title for title in sections("hooks.md") if title in HOOKS] == HOOKS

    def test_every_hook_has_a_test_named_after_it(self, tested: str) -> None:
        names = [name.lower() for name in TEST.findall(tested)]

        assert [hook for hook in HOOKS if not any(f"_{hook}" in name for name in names)] == []

    @pytest.mark.parametrize("hook", HOOKS)
    def test_its_page_says_when_what_and_what_if_and_shows_an_example(self, hook: str) -> None:
        body = sections("hooks.md")[hook]

        for part in ("**Called**", "**Returns**", "**When it is wrong:**", "```python"):
            assert part in body
        for argument in inspect.signature(getattr(hookspecs, hook)).parameters:
            assert argument in body


class TestErrors:
    def test_every_error_has_a_heading_and_no_heading_is_stale(self) -> None:
        assert missing(ERROR_NAMES, "errors.md") == []
        assert stale(ERROR_NAMES, "errors.md", r"[A-Z][a-z]+[A-Z]\w+") == []

    @pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
    def test_its_section_names_its_code(self, error: type[SwarmError]) -> None:
        assert f"`{error.code}`" in sections("errors.md")[error.__name__]

    def test_codes_are_unique(self) -> None:
        codes = [error.code for error in ERRORS]

        assert sorted(codes) == sorted(set(codes))

    def test_every_error_stands_in_the_tree_at_the_top_of_its_module(self) -> None:
        assert [name for name in ERROR_NAMES if not re.search(rf"\b{name}\b", errors.__doc__ or "")] == []

    def test_every_error_is_named_by_a_test(self, tested: str) -> None:
        assert [name for name in ERROR_NAMES if not re.search(rf"\b{name}\b", tested)] == []


class TestEvents:
    def test_every_event_kind_has_a_heading_and_no_heading_is_stale(self) -> None:
        assert missing(EVENT_KINDS, "events.md") == []
        assert stale(EVENT_KINDS, "events.md", r"[a-z]+(_[a-z]+)+") == []

    def test_every_event_kind_is_named_by_a_test(self, tested: str) -> None:
        assert [kind for kind in EVENT_KINDS if f'"{kind}"' not in tested] == []


class TestSettings:
    def test_every_setting_and_variable_has_a_heading_and_no_heading_is_stale(self) -> None:
        assert missing([*SETTINGS, *VARIABLES], "settings.md") == []
        assert stale(SETTINGS, "settings.md", r"\w+\.[\w.<>]+") == []

    @pytest.mark.parametrize("name", engine_fields())
    def test_the_page_tells_the_default_and_what_the_setting_is_for(self, name: str) -> None:
        attribute = engine_fields()[name]
        body = sections("settings.md")[f"engine.{name}"]

        told = re.search(r"Default: `([^`]+)`", body)

        assert told is not None
        settings = load_settings(overrides={f"engine.{name}": told[1]}, environ={}, cwd=ROOT)
        assert getattr(settings.engine, name) == attribute.default
        assert attribute.metadata["summary"].lower() in body.lower()

    def test_every_setting_is_read_somewhere(self) -> None:
        sources = [path for path in (ROOT / "swarm_core").rglob("*.py") if "settings" not in path.name]
        code = "\n".join(path.read_text(encoding="utf-8") for path in sources)

        assert [name for name in engine_fields() if not re.search(rf"\.{name}\b", code)] == []


class TestLints:
    def test_every_lint_has_a_heading_and_no_heading_is_stale(self) -> None:
        assert missing(LINTS, "lints.md") == []
        assert stale(LINTS, "lints.md", r"[a-z]+(_[a-z]+)+") == []

    @pytest.mark.parametrize("code", LINTS)
    def test_its_section_tells_the_default_level(self, code: str) -> None:
        assert f"Default: `{LINTS[code].level}`" in sections("lints.md")[code]

    def test_every_lint_is_named_by_a_test(self, tested: str) -> None:
        assert [code for code in LINTS if f'"{code}"' not in tested] == []


class TestCommands:
    def test_every_command_has_a_heading_and_no_heading_is_stale(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from swarm_core.cli.group import cli

        monkeypatch.setenv("SWARM_DISABLE_PLUGINS", "1")
        names = ["swarm", *commands(cli, click.Context(cli, info_name="swarm"))]

        assert missing(names, "cli.md") == []
        assert stale(names, "cli.md", r"swarm( [a-z-]+)*") == []


class TestChecker:
    """The checks themselves find what they are there to find."""

    @pytest.fixture(autouse=True)
    def page(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setitem(globals(), "REFERENCE", tmp_path)
        text = "# Page\n\n## `swarm_one`\n\nBody.\n\n```sh\n## swarm_code\n```\n\n### swarm_gone\n"
        (tmp_path / "page.md").write_text(text, encoding="utf-8")

    def test_a_missing_heading_is_found(self) -> None:
        assert missing(["swarm_one", "swarm_two", "swarm_code"], "page.md") == ["swarm_two", "swarm_code"]

    def test_a_stale_heading_is_found(self) -> None:
        assert stale(["swarm_one"], "page.md", r"swarm_\w+") == ["swarm_gone"]

    def test_commands_are_found_below_groups(self) -> None:
        below = click.Group("plugins", commands={"list": click.Command("list")})
        group = click.Group("swarm", commands={"run": click.Command("run"), "plugins": below})

        names = list(commands(group, click.Context(group, info_name="swarm")))

        assert names == ["swarm plugins", "swarm plugins list", "swarm run"]

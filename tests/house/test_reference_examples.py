"""The examples of the reference pages are true: plugins are admitted, settings load."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from markdown_it import MarkdownIt

from swarm_core.host import Host, PluginState
from swarm_core.known import PROVIDERS
from swarm_core.settings import Settings, load_settings

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs/reference"


def blocks(page: str, language: str) -> list[str]:
    tokens = MarkdownIt().parse((REFERENCE / page).read_text(encoding="utf-8"))
    return [token.content for token in tokens if token.type == "fence" and token.info.strip() == language]


HOOK_EXAMPLES = blocks("hooks.md", "python")
SETTINGS_EXAMPLES = blocks("settings.md", "toml")


@pytest.mark.parametrize("source", HOOK_EXAMPLES, ids=range(len(HOOK_EXAMPLES)))
def test_an_example_of_the_hooks_page_is_a_plugin_that_is_admitted(source: str) -> None:
    plugin = ModuleType("swarm_plugin_example")
    exec(compile(source, "hooks.md", "exec"), vars(plugin))

    host = Host.load([plugin], Settings(), strict=True)

    (status,) = host.plugins
    assert status.state == PluginState.ACTIVE
    assert status.hooks != ()


@pytest.mark.parametrize("source", SETTINGS_EXAMPLES, ids=range(len(SETTINGS_EXAMPLES)))
def test_an_example_of_the_settings_page_loads(source: str, tmp_path: Path) -> None:
    (tmp_path / "swarm.toml").write_text(source, encoding="utf-8")

    settings = load_settings(cwd=tmp_path, environ={})

    assert settings.origins != {}


def test_every_distribution_that_hints_name_is_one_of_ours() -> None:
    folders = {name.removeprefix("swarm-plugin-").replace("-", "_") for name in PROVIDERS.values()}

    assert [folder for folder in folders if not (ROOT / "plugins" / folder / "pyproject.toml").is_file()] == []

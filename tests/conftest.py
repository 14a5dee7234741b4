"""Tests that need a plugin say which; where the core stands alone they are skipped."""

from __future__ import annotations

from importlib.util import find_spec

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(plugin, ...): runs only where these bundled plugins are installed")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        for plugin in mark.args:
            if find_spec(f"swarm_plugin_{plugin}") is None:
                pytest.skip(f"needs swarm-plugin-{plugin.replace('_', '-')}")

"""Fixtures for tests of plugins; nothing of the core is imported before a test asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from swarm_core.contracts import OutputStore
    from swarm_core.model.call import Call
    from swarm_core.testing.recording import RecordingContext


@pytest.fixture
def attempt_context() -> RecordingContext:
    """Give a context that writes down what it is asked."""
    from swarm_core.testing.recording import RecordingContext

    return RecordingContext()


@pytest.fixture
def call(attempt_context: RecordingContext) -> Call:
    """Give one attempt's Call, whose context is `attempt_context`."""
    from swarm_core.testing.recording import make_call

    return make_call(context=attempt_context)


@pytest.fixture
def output_store() -> OutputStore:
    """Give an empty output store."""
    from swarm_core.builtin.memory import MemoryOutputStore

    return MemoryOutputStore()

"""Fixtures for tests of plugins; nothing of the core is imported before a test asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from swarm_core.contracts import OutputStore
    from swarm_core.model.call import Call
    from swarm_core.testing.commands import CommandEnded, Commands
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


@pytest.fixture(scope="session")
def swarm_commands() -> Iterator[Commands]:
    """Give what runs `swarm` commands without Python's start; it ends with the session."""
    from swarm_core.testing.commands import Commands

    commands = Commands()
    yield commands
    commands.close()


@pytest.fixture
def swarm_command(swarm_commands: Commands, tmp_path: Path) -> Callable[..., CommandEnded]:
    """Give a function that runs `swarm ARGS` in the test's folder; it takes what `Commands.run` takes."""

    def run(*args: object, **options: Any) -> CommandEnded:
        ended = swarm_commands.run(*args, **{"cwd": tmp_path, **options})
        assert "Traceback" not in ended.err, ended.err
        return ended

    return run

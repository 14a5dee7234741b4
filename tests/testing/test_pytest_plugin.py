"""The fixtures, and what they cost a test run that does not use them."""

import subprocess
import sys

import pytest

from swarm_core import testing
from swarm_core.model.call import Result
from swarm_core.testing import RecordingContext

SHOW_MODULES = "import sys; before = set(sys.modules); import {}; print(*sorted(set(sys.modules) - before))"


def modules_of(module, after="sys"):
    script = f"import {after}; {SHOW_MODULES.format(module)}"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return shown.stdout.split()


class TestFixtures:
    def test_a_call_has_the_recording_context(self, call, attempt_context):
        call.context.publish("seen")

        assert isinstance(attempt_context, RecordingContext)
        assert attempt_context.published == [("seen", {})]

    async def test_an_output_store_is_empty_and_works(self, output_store, call):
        assert list(await output_store.list_for_attempt(call.task_id, 1)) == []

    def test_contexts_are_not_shared_between_tests(self, attempt_context):
        assert (attempt_context.published, attempt_context.latest) == ([], None)


class TestCost:
    def test_loading_the_plugin_imports_no_room_of_the_core(self):
        ours = [name for name in modules_of("swarm_core.testing.pytest_plugin", "pytest") if name.startswith("swarm")]

        assert ours == ["swarm_core", "swarm_core.lazy", "swarm_core.testing", "swarm_core.testing.pytest_plugin"]

    def test_loading_the_plugin_imports_no_library(self):
        loaded = {name.partition(".")[0] for name in modules_of("swarm_core.testing.pytest_plugin", "pytest")}

        assert loaded - set(sys.stdlib_module_names) == {"swarm_core"}

    def test_the_fake_kind_is_loaded_without_the_engine(self):
        loaded = modules_of("swarm_core.testing.plugin")

        assert [name for name in loaded if name.startswith(("swarm_core.engine", "swarm_core.host"))] == []


class TestNames:
    def test_every_public_name_can_be_loaded(self):
        assert [name for name in dir(testing) if getattr(testing, name) is None] == []
        assert "check_layer" in dir(testing)

    def test_an_unknown_name_is_an_attribute_error(self):
        with pytest.raises(AttributeError, match="no attribute 'check_everything'"):
            _ = testing.check_everything


async def test_a_recorded_result_is_the_latest(call):
    call.context.record_final(Result(1))

    assert call.context.latest == Result(1)

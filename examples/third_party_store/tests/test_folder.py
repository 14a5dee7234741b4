"""The folder keeps the contract of output stores, survives being closed, and a swarm uses it."""

from itertools import count

import pytest
import swarm_folder
from swarm_folder import open_folder

from swarm_core import Swarm
from swarm_core.errors import OutputNotFound, StoreUnavailable
from swarm_core.testing import check_output_store, check_plugin

BLUEPRINT = {
    "id": "trial",
    "flow": {"kind": "step", "ref": "clerk", "in": {"op": "lit", "value": "hello"}, "out": {"op": "path", "at": "$.x"}},
    "agents": [{"name": "clerk", "kind": "function", "spec": {"fn_id": "identity"}}],
}


async def test_it_keeps_the_contract_of_output_stores(tmp_path):
    numbers = count()

    await check_output_store(lambda: open_folder(f"folder:///{tmp_path / str(next(numbers))}"))


async def test_what_a_run_said_is_there_when_it_is_opened_again(tmp_path):
    url = f"folder:///{tmp_path}/outputs"
    async with Swarm.open(plugins=[swarm_folder], outputs=url) as swarm:
        launched = await swarm.launch(BLUEPRINT)
        await launched.wait()

    async with open_folder(url) as store:
        record = await store.get_latest_by_name("clerk")
        await store.forget_run(record.run_id)
        with pytest.raises(OutputNotFound):
            await store.get(record.id)

    assert record.run_id == launched.id
    assert record.event.content.value["echoed"] == "hello"


async def test_a_folder_that_cannot_be_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StoreUnavailable, match="cannot be used"):
        async with open_folder(f"folder:///{tmp_path}/file"):
            pass


def test_a_host_admits_it():
    assert list(check_plugin(swarm_folder).stores) == [("output", "folder")]

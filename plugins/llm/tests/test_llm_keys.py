"""P40: keys come from variables or a keyring, go out in one header, and stand in no text."""

import json
import logging
import sys

import pytest
from model_server import calls, cuts, fails, says, sends

from swarm_core import Swarm
from swarm_core.errors import SwarmError
from swarm_core.settings import load_settings

CANARY = "sk-canary-0123456789abcdef"


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("THE_KEY", CANARY)


def blueprint(**spec):
    return {
        "id": "keys",
        "flow": {"kind": "step", "ref": "a", "in": {"op": "lit", "value": "go"}, "out": {"op": "path", "at": "$.out"}},
        "agents": [{"name": "a", "kind": "llm", "spec": spec, "profile": {"tools": ["emit_output"]}}],
    }


@pytest.mark.parametrize(
    "reply",
    [
        says("ok"),
        fails(401, f"Incorrect API key provided: {CANARY}."),
        fails(500, f"cannot log in with {CANARY}", retry_after="0.01"),
        sends(f'data: ["{CANARY}"]\n\n'),
        sends(f'data: {{"error": {{"message": "{CANARY}"}}}}\n\n'),
        sends(f"<html>{CANARY}", content_type="application/json"),
        cuts("half"),
        calls(("emit_output", {"name": "x", "content": "y"})),
    ],
)
async def test_p40_a_key_is_in_no_event_result_error_log_or_file(reply, server, tmp_path, caplog, monkeypatch):
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.DEBUG)
    server.script(reply)
    (tmp_path / "swarm.toml").write_text(
        f'[plugin.llm]\nmax_turns = 3\n[plugin.llm.providers.local]\nbase_url = "{server.url}"\nmodel = "tiny"\n'
        'api_key_env = "THE_KEY"\n'
    )

    async with Swarm.open(load_settings(file=tmp_path / "swarm.toml"), store=f"sqlite:///{tmp_path}/runs.db") as swarm:
        run = await swarm.launch(blueprint())
        result = await run.wait()
        told = [json.dumps(result.as_json(), default=str), repr(swarm.settings), repr(swarm.services), str(result)]
        told += [repr(event) for event in await swarm.history.events(run.id)]

    assert f"Bearer {CANARY}" == server.asked[0].headers["authorization"]
    assert CANARY not in json.dumps([asked.body for asked in server.asked])
    files = [file.read_bytes() for file in tmp_path.iterdir() if file.is_file()]
    texts = [*told, caplog.text, *(file.decode("latin-1") for file in files)]
    assert not [text for text in texts if CANARY in text]


async def test_a_key_of_somebody_else_is_not_sent(bench, server, monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, CANARY)
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"X-Mine: {CANARY}")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1")
    server.script(says("ok"))

    await bench.run()

    (asked,) = server.asked
    assert CANARY not in json.dumps(asked.headers)
    assert "authorization" not in asked.headers
    assert not [name for name in asked.headers if name.startswith("x-")], "nothing is told of this machine"


async def test_a_key_that_is_not_there_is_named_not_guessed(bench):
    with pytest.raises(SwarmError, match=r"needs a key, and NO_KEY is not set; export NO_KEY=\.\.\."):
        await bench.run(provider={"api_key_env": "NO_KEY"})


async def test_a_key_that_cannot_stand_in_a_header_is_refused_unseen(bench, monkeypatch):
    monkeypatch.setenv("THE_KEY", f"{CANARY}\nX-Other: é")

    with pytest.raises(SwarmError, match="what THE_KEY has is no key") as caught:
        await bench.run(provider={"api_key_env": "THE_KEY"})

    assert CANARY not in str(caught.value)


async def test_a_key_of_the_keyring_is_used(bench, server, tmp_path, monkeypatch):
    keyring = pytest.importorskip("keyring")
    backend = pytest.importorskip("keyring.backend")

    class Kept(backend.KeyringBackend):
        priority = 1

        def get_password(self, service, username):
            return CANARY if (service, username) == ("llm", "ann") else None

        def set_password(self, service, username, password):
            raise keyring.errors.PasswordSetError("this keyring is only read")

    before = keyring.get_keyring()
    keyring.set_keyring(Kept())
    server.script(says("ok"))
    try:
        await bench.run(provider={"api_key_keyring": "llm/ann"})
        with pytest.raises(SwarmError, match="nothing for llm/bob; keyring set llm bob"):
            await bench.run(provider={"api_key_keyring": "llm/bob"})
    finally:
        keyring.set_keyring(before)

    assert f"Bearer {CANARY}" == server.asked[0].headers["authorization"]


async def test_without_a_keyring_the_package_is_named(bench, monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)

    with pytest.raises(SwarmError, match=r"pip install 'swarm-plugin-llm\[keyring\]'"):
        await bench.run(provider={"api_key_keyring": "llm/ann"})

"""A conversation of the seeds' operator protocol, written down as data, ends here as it does there.

`data/*.jsonl`: one step a line. `${+name}` in what is expected notes what is there, `${name}` anywhere stands for it;
`$more` allows further keys, `$holds` wants texts in a text, `$json` a text that is this JSON value.
"""

import asyncio
import json
import re
from pathlib import Path

import httpx2
import pytest
import websockets

PATIENCE = 30
CONVERSATIONS = sorted((Path(__file__).parent / "data").glob("*.jsonl"))

_NAME = re.compile(r"\$\{(\w+)\}")


class Replay:
    """Plays the clients' part of a conversation, and compares what the server says."""

    def __init__(self, served):
        self.served, self.known, self.later = served, {}, {}
        self.socket = None

    async def step(self, step):
        (verb,) = {"say", "http", "connect", "receive", "send", "answer_of", "closed"} & set(step)
        await getattr(self, verb)(step)

    async def say(self, step):
        """Say something to the reader."""

    async def http(self, step):
        calling = asyncio.ensure_future(self._call(step))
        if "later" in step:
            self.later[step["later"]] = calling
        else:
            self._compare(await calling, step)

    async def answer_of(self, step):
        self._compare(await self.later.pop(step["answer_of"]), step)

    async def connect(self, step):
        url = self.served.base_url.replace("http", "ws", 1) + self._filled(step["connect"])
        headers = {"authorization": f"Bearer {self._filled(step['bearer'])}"}
        self.socket = await websockets.connect(url, additional_headers=headers)

    async def receive(self, step):
        async with asyncio.timeout(PATIENCE):
            self._match(step["receive"], json.loads(await self.socket.recv()), "$")

    async def send(self, step):
        await self.socket.send(json.dumps(self._filled(step["send"])))

    async def closed(self, step):
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(websockets.ConnectionClosed):
                await self.socket.recv()

    async def _call(self, step):
        method, path = self._filled(step["http"]).split(" ")
        token = self._filled(step["bearer"]) if "bearer" in step else self.served.token
        body = {"json": self._filled(step["body"])} if "body" in step else {}
        raw = {"content": step["raw"].encode()} if "raw" in step else {}
        async with self.served.client(token or None) as client:
            return await client.request(method, path, **body, **raw)

    def _compare(self, reply, step):
        assert step["status"] == reply.status_code, (step, reply.text)
        if "answer" in step:
            self._match(step["answer"], reply.json(), "$")

    # expectations ------------------------------------------------------------------------------------------------

    def _match(self, expected, found, at):
        if isinstance(expected, str) and expected.startswith("${+"):
            self.known[expected[3:-1]] = found
        elif isinstance(expected, dict) and "$holds" in expected:
            assert [] == [text for text in self._filled(expected["$holds"]) if text not in found], at
        elif isinstance(expected, dict) and "$json" in expected:
            assert expected["$json"] == json.loads(found), at
        elif isinstance(expected, dict):
            wanted = {key for key in expected if key != "$more"}
            assert wanted == (set(found) & wanted if "$more" in expected else set(found)), at
            for key in expected:
                if key != "$more":
                    self._match(expected[key], found[key], f"{at}.{key}")
        else:
            assert self._filled(expected) == found, at

    def _filled(self, value):
        if isinstance(value, str):
            return _NAME.sub(lambda name: str(self.known[name[1]]), value)
        if isinstance(value, list):
            return [self._filled(each) for each in value]
        return {key: self._filled(each) for key, each in value.items()} if isinstance(value, dict) else value


def test_there_are_conversations():
    assert CONVERSATIONS


@pytest.mark.parametrize("auth", [True, False], ids=["with-a-token", "as-the-seeds-clients"])
@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda path: path.stem)
async def test_row_93_row_94_a_conversation_of_the_seeds_ends_as_described(serve, conversation, auth):
    served = await serve(auth=auth)
    replay = Replay(served)

    for line in conversation.read_text(encoding="utf-8").splitlines():
        await replay.step(json.loads(line))

    assert {} == replay.later


async def test_row_93_a_handle_of_another_task_is_400(served, join):
    one = await (await join(served, "main-ai")).connect()
    async with served.client(served.token) as http:
        for _ in range(2):
            await http.post(
                "/v1/tasks", json={"blueprint": {"kind": "inline", "value": SEAT}, "init_ctx": {}, "detach": True}
            )
    first, second = await one.next("spawn"), await one.next("spawn")

    async with httpx2.AsyncClient(base_url=served.base_url, verify=False, trust_env=False) as http:
        reply = await http.get(
            "/v1/worker/prompt",
            params={"task_id": second["task_id"]},
            headers={"authorization": f"Bearer {first['worker_handle']}"},
        )

    assert 400 == reply.status_code and "error" in reply.json()


SEAT = {
    "id": "seat",
    "operators": [{"name": "main-ai"}],
    "agents": [{"name": "worker", "kind": "operator", "spec": {"operator_ref": "main-ai"}}],
    "flow": {
        "kind": "step",
        "ref": "worker",
        "in": {"op": "lit", "value": "go"},
        "out": {"op": "path", "at": "$.done"},
    },
}

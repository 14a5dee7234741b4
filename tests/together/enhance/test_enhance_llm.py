"""The loop as it is shipped: a model writes the patch."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

pytestmark = pytest.mark.needs("enhance", "llm")

PATCH = {
    "ops": [{"op": "replace", "path": "/flow/children/1/cond/rhs/value", "value": 1}],
    "rationale": "one failed test is one too many",
    "bump": "minor",
}


@pytest.fixture
def model(monkeypatch):
    """A stand-in for a model at an endpoint of its own; returns what it was asked."""
    asked = []

    class Model(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            message = {"role": "assistant", "content": json.dumps(PATCH)}
            usage = {"prompt_tokens": 10, "completion_tokens": 5}
            body = json.dumps({"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Model) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield asked, f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


def test_the_default_setting_lets_a_model_write_the_patch(kept_example, swarm, model, monkeypatch):
    asked, url = model
    assert 0 == swarm("enhance", "settings", "delete").code
    swarm("issue", "add", "release", "A failed test must hold a build back")
    monkeypatch.setenv("SWARM_LLM_BASE_URL", url)
    monkeypatch.setenv("SWARM_LLM_MODEL", "stand-in")

    ticked = swarm("enhance", "tick", "--json")

    assert (0, "applied") == (ticked.code, ticked.json["status"]), ticked.err
    system, user = (asked[0]["messages"][at]["content"] for at in (0, 1))
    assert "JSON Patch (RFC 6902)" in system
    assert "A failed test must hold a build back" in user
    assert "prev_bp_yaml" in user
    assert "1.1.0" == swarm("bp", "log", "release", "--json").json[0]["label"]

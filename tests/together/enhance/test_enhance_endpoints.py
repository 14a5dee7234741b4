"""Issues, settings and the log over HTTP, against the real server."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from attrs import frozen

pytestmark = pytest.mark.needs("server", "enhance")

ORBIT = {
    "id": "orbit",
    "flow": {"kind": "let", "at": "$.commit", "value": {"op": "lit", "value": {"committed": False, "reasons": ["no"]}}},
}


@frozen
class Reply:
    """A status, and the body as JSON."""

    status: int
    value: object
    headers: object


@pytest.fixture(scope="module")
def server(kept_once, tmp_path_factory):
    """`swarm serve` on the example; returns what calls it."""
    folder = Path(shutil.copytree(kept_once, tmp_path_factory.mktemp("served") / "example"))
    clean = {key: value for key, value in os.environ.items() if not key.startswith("SWARM_")}
    command = [sys.executable, "-m", "swarm_core", "serve", "--json", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, env=clean, stdout=subprocess.PIPE, text=True) as process:
        started = json.loads(process.stdout.readline())
        token = Path(started["token_file"]).read_text().strip()

        def call(method, path, body=None, *, credential=token):
            headers = {"content-type": "application/json"}
            if credential:
                headers["authorization"] = f"Bearer {credential}"
            data = None if body is None else json.dumps(body).encode()
            request = Request(started["url"] + path, data, headers, method=method)
            try:
                with urlopen(request, timeout=30) as answer:
                    return _reply(answer.status, answer.read(), answer.headers)
            except HTTPError as error:
                return _reply(error.code, error.read(), error.headers)

        yield call
        process.terminate()


def _reply(status, text, headers):
    return Reply(status, json.loads(text) if text else None, headers)


def test_an_issue_goes_in_is_worked_on_and_comes_out(server):
    added = server("POST", "/v1/issues", {"blueprint_id": "release", "intent": "Hold back what fails"})
    issue_id = added.value["issue_id"]
    assert (201, {"issue_id": issue_id, "status": "pending"}) == (added.status, added.value)
    assert added.headers["location"].endswith(f"/v1/issues/{issue_id}")
    pending = {
        "issue_id": issue_id,
        "status": "pending",
        "blueprint_id": "release",
        "intent": "Hold back what fails",
        "reason": None,
        "new_version": None,
    }
    assert pending == server("GET", f"/v1/issues/{issue_id}").value

    ticked = server("POST", "/v1/enhance/tick")

    assert (200, "applied", issue_id) == (ticked.status, ticked.value["status"], ticked.value["issue_id"])
    version = ticked.value["new_version"]
    assert {**pending, "status": "applied", "new_version": version} == server("GET", f"/v1/issues/{issue_id}").value
    entry = server("GET", f"/v1/enhance/log/{issue_id}").value
    assert ("applied", version, issue_id) == (entry["status"], entry["new_hash"], entry["issue_id"])
    assert [entry] == server("GET", "/v1/enhance/log?blueprint_id=release").value
    assert [] == server("GET", "/v1/enhance/log?blueprint_id=other").value
    assert issue_id in [each["issue_id"] for each in server("GET", "/v1/issues?status=applied").value["issues"]]
    assert version == server("GET", "/v1/blueprints/release/head").value["version"]


@pytest.mark.parametrize("intent", ["", " \n"])
def test_row_96_a_blank_intent_is_400(server, intent):
    refused = server("POST", "/v1/issues", {"blueprint_id": "release", "intent": intent})

    assert 400 == refused.status
    assert "error" in refused.value


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/issues/h-nothing", 404),
        ("GET", "/v1/enhance/log/h-nothing", 404),
        ("GET", "/v1/enhance-settings/nope", 404),
        ("DELETE", "/v1/enhance-settings/nope", 404),
    ],
)
def test_row_96_what_is_not_there_is_404(server, method, path, status):
    refused = server(method, path)

    assert status == refused.status
    assert {"type", "title", "status", "detail", "code", "error"} <= set(refused.value)


@pytest.mark.parametrize(
    ("body", "status"),
    [({"blueprint_id": "release"}, 400), ({"blueprint_id": "a/b", "intent": "x"}, 422), ([], 400)],
)
def test_an_issue_of_the_wrong_form_is_refused(server, body, status):
    assert status == server("POST", "/v1/issues", body).status


def test_a_setting_with_its_orbit_iskept_once_and_used_as_the_seeds_do(server):
    posted = server("POST", "/v1/enhance-settings", {"id": "own", "blueprint": ORBIT, "ttl_secs": 60})

    assert (201, "orbit", {"kind": "latest"}) == (posted.status, posted.value["blueprint_id"], posted.value["version"])
    assert ["des", "canonical", "noop", "agent-ref"] == posted.value["verifier_axes"]
    head = server("GET", "/v1/blueprints/orbit/head").value
    assert 201 == server("POST", "/v1/enhance-settings", {"id": "own", "blueprint": ORBIT, "ttl_secs": 90}).status
    assert head == server("GET", "/v1/blueprints/orbit/head").value
    assert ["default", "own"] == server("GET", "/v1/enhance-settings").value
    assert 90 == server("GET", "/v1/enhance-settings/own").value["ttl_secs"]

    put = server("PUT", "/v1/enhance-settings/own", {**posted.value, "approval": True})
    assert (200, True) == (put.status, put.value["approval"])
    assert 400 == server("PUT", "/v1/enhance-settings/other", put.value).status

    assert 204 == server("DELETE", "/v1/enhance-settings/own").status
    assert ["default"] == server("GET", "/v1/enhance-settings").value


@pytest.mark.parametrize(
    "body",
    [
        {"id": "x"},
        {"id": "x", "blueprint_id": "a", "ttl_secs": 0},
        {"id": "x", "blueprint_id": "a", "ttl_secs": 1, "blueprint": ORBIT},
        {"id": "x", "blueprint": {**ORBIT, "surprise": 1}, "ttl_secs": 1},
        {"id": "x", "blueprint": 5, "ttl_secs": 1},
        {"id": "x", "blueprint_id": "a", "ttl_secs": 1, "aproval": True},
    ],
)
def test_a_wrong_setting_is_refused_with_its_problems(server, body):
    refused = server("POST", "/v1/enhance-settings", body)

    assert 422 == refused.status
    assert refused.value["problems"]


def test_nothing_is_told_without_a_credential(server):
    assert 401 == server("GET", "/v1/enhance/log", credential=None).status
    assert 401 == server("POST", "/v1/issues", {"blueprint_id": "release", "intent": "x"}, credential="wrong").status

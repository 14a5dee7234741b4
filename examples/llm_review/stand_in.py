"""Stands in for a language model, so that the example runs where there is none: it knows one mistake only.

`python stand_in.py COMMAND ...` runs a command with SWARM_LLM_BASE_URL set to this server. It compiles what it is to
review; what does not compile is BLOCKED.
"""

import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread


class Model(BaseHTTPRequestHandler):
    """Speaks as much of the chat dialect as it takes."""

    def do_GET(self):
        self.answer({"data": [{"id": "stand-in"}]})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        file = json.loads(next(one["content"] for one in asked["messages"] if one["role"] == "user"))
        message = {"role": "assistant", "content": json.dumps(review(file))}
        usage = {"prompt_tokens": len(file["text"]) // 4, "completion_tokens": 20}
        self.answer({"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage})

    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Say nothing."""


def review(file):
    """Return what the model would answer."""
    try:
        compile(file["text"], file["name"], "exec", dont_inherit=True)
    except SyntaxError as error:
        return {"verdict": "BLOCKED", "findings": [{"line": error.lineno or 0, "text": error.msg}]}
    return {"verdict": "PASS", "findings": []}


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    Thread(target=server.serve_forever, daemon=True).start()
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    url = f"http://127.0.0.1:{server.server_port}/v1"
    told = {"SWARM_LLM_BASE_URL": url, "SWARM_LLM_MODEL": "stand-in", "PATH": programs}
    sys.exit(subprocess.run(sys.argv[1:], env={**os.environ, **told}, check=False).returncode)


if __name__ == "__main__":
    main()

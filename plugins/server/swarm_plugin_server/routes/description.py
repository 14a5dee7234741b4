"""What the server answers, told by itself: an OpenAPI document, and a page that shows it."""

from __future__ import annotations

import base64
import re
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files

from swarm_core.endpoints import Access, Answer, Endpoint, HttpReply, HttpRequest
from swarm_core.model.access import Verb
from swarm_plugin_server.openapi import openapi
from swarm_plugin_server.replies import json_bytes
from swarm_plugin_server.state import serving_of

_HTML = "text/html; charset=utf-8"


async def describe(request: HttpRequest) -> HttpReply:
    """Return the OpenAPI document of everything that is served, plugins' endpoints included."""
    serving = serving_of(request.swarm)
    if not serving.description:
        number = version("swarm-plugin-server")
        document = openapi(serving.endpoints.values(), version=number, url=serving.base_url)
        serving.description = json_bytes(document)
    return HttpReply(value=serving.description)


async def docs(request: HttpRequest) -> HttpReply:
    """Return a page that shows the document; it loads nothing from anywhere else."""
    page, policy = _page()
    headers = {
        "content-type": _HTML,
        "content-security-policy": policy,
        "referrer-policy": "no-referrer",
        "x-frame-options": "DENY",
    }
    return HttpReply(value=page, headers=headers)


@cache
def _page() -> tuple[str, str]:
    """Return the page, and a policy that lets nothing run but what stands in it."""
    page = files("swarm_plugin_server").joinpath("docs.html").read_text(encoding="utf-8")
    hashes = {
        tag: base64.b64encode(sha256(found[1].encode()).digest()).decode()
        for tag in ("script", "style")
        if (found := re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL))
    }
    policy = (
        f"default-src 'none'; script-src 'sha256-{hashes['script']}'; style-src 'sha256-{hashes['style']}'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page, policy


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/openapi.json",
        name="openapi",
        summary="Describe everything that is served",
        handler=describe,
        tag="server",
        verb=Verb.READ_TRACE,
        answers={200: Answer(model={"type": "object"}, summary="An OpenAPI 3.1 document.")},
    ),
    Endpoint(
        method="GET",
        path="/v1/docs",
        name="docs",
        summary="Show what is served, on a page",
        handler=docs,
        tag="server",
        access=Access.PUBLIC,
        answers={200: Answer(media_type=_HTML, summary="A page; it asks for the token to show the rest.")},
    ),
)

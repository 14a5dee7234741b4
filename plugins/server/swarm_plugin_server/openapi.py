"""The OpenAPI document (3.1) of a server, made from its endpoints and the shapes that read their bodies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from swarm_core.codec.shape import Definitions
from swarm_core.codec.shapes import shape_of
from swarm_core.endpoints import Access, Answer, Endpoint, Parameter
from swarm_plugin_server.problems import MEDIA_TYPE

_DEFS, _COMPONENTS = "#/$defs/", "#/components/schemas/"
_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}
_ANYBODY = (400, 403, 421, 429, 431, 503)
_SECURITY = {
    Access.TOKEN: "the server's token, or a capability token that grants the verb",
    Access.WORKER: "a worker's handle (`wh-...`) or capability token",
    Access.SESSION: "the secret that the session was opened with",
}
_PROBLEM = {
    "title": "Problem",
    "description": "Why a call was refused (RFC 9457); `error` has all of it in one sentence.",
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "error": {"type": "string"},
        "hint": {"type": "string"},
        "problems": {"type": "array", "items": {"type": "object"}},
    },
    "required": ["type", "title", "status", "detail", "code", "error"],
}


def openapi(endpoints: Iterable[Endpoint], *, version: str, url: str) -> dict[str, Any]:
    """Return the description of endpoints; `version` is the server's, `url` where it is reached."""
    defs = Definitions()
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in sorted(endpoints, key=lambda each: (each.path, each.method)):
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, defs)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "swarm",
            "version": version,
            "description": "Runs of Blueprints: launched, watched, answered, cancelled and resumed.",
        },
        "servers": [{"url": url}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Problem": _PROBLEM, **defs.found},
        },
    }
    moved: dict[str, Any] = _moved(document)
    return moved


def _operation(endpoint: Endpoint, defs: Definitions) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
        "security": [] if endpoint.access is Access.PUBLIC else [{"bearer": []}],
        "parameters": [
            *(_path_parameter(name) for name in re.findall(r"{(\w+)}", endpoint.path)),
            *(_parameter(each, "query") for each in endpoint.query),
            *(_parameter(each, "header") for each in endpoint.headers),
        ],
        "responses": _responses(endpoint, defs),
    }
    if endpoint.access is not Access.PUBLIC:
        verb = f" (`{endpoint.verb}`)" if endpoint.verb else ""
        operation["description"] = f"Needs {_SECURITY[endpoint.access]}{verb}."
    if endpoint.body is not None:
        operation["requestBody"] = _body(endpoint, defs)
    return operation


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _parameter(parameter: Parameter, place: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": _TYPES[parameter.type]}
    if parameter.choices:
        schema["enum"] = list(parameter.choices)
    for name, bound in (("minimum", parameter.least), ("maximum", parameter.most)):
        if bound is not None:
            schema[name] = bound
    if parameter.many:
        schema = {"type": "array", "items": schema}
    elif parameter.default is not None:
        schema["default"] = parameter.default
    about = {"description": parameter.summary} if parameter.summary else {}
    return {"name": parameter.name, "in": place, "required": parameter.required, **about, "schema": schema}


def _body(endpoint: Endpoint, defs: Definitions) -> dict[str, Any]:
    if endpoint.body is bytes:
        content: dict[str, Any] = {"*/*": {"schema": {}}}
    else:
        content = {"application/json": {"schema": _schema(endpoint.body, endpoint.name, defs)}}
    return {"required": not endpoint.optional_body and endpoint.body is not bytes, "content": content}


def _responses(endpoint: Endpoint, defs: Definitions) -> dict[str, Any]:
    found = {status: _answer(answer, endpoint.name, status, defs) for status, answer in endpoint.answers.items()}
    for status in sorted(refusals_of(endpoint) - found.keys()):
        content = {MEDIA_TYPE: {"schema": {"$ref": f"{_COMPONENTS}Problem"}}}
        found[status] = {"description": HTTPStatus(status).phrase, "content": content}
    return {str(status): found[status] for status in sorted(found)}


def refusals_of(endpoint: Endpoint) -> set[int]:
    """Return every status that a call of an endpoint may be refused with."""
    found = {*_ANYBODY, *endpoint.refusals}
    if "{" in endpoint.path:
        found.add(404)
    if endpoint.access is not Access.PUBLIC:
        found |= {401, endpoint.without_credential}
    if endpoint.body is not None:
        found |= {408, 413, 415}
    if endpoint.body not in (None, bytes):
        found.add(422)
    return found


def _answer(answer: Answer, name: str, status: int, defs: Definitions) -> dict[str, Any]:
    described: dict[str, Any] = {"description": answer.summary or HTTPStatus(status).phrase}
    if answer.media_type is not None:
        is_json = answer.media_type.startswith("application/json")
        schema = _schema(answer.model, f"{name}_{status}", defs) if is_json or answer.model else {"type": "string"}
        described["content"] = {answer.media_type.partition(";")[0]: {"schema": schema}}
    return described


def _schema(model: type | Mapping[str, Any] | None, name: str, defs: Definitions) -> dict[str, Any]:
    """Return a schema whose definitions stand with those of the whole document."""
    if model is None:
        return {}
    if isinstance(model, type):
        return shape_of(model).schema(defs)
    own = model.get("$defs", {})
    places = {f"{_DEFS}{each}": f"{_COMPONENTS}{name}_{each}" for each in own}
    for each, schema in own.items():
        defs.found[f"{name}_{each}"] = _referred(schema, places)
    body = {key: value for key, value in model.items() if key not in ("$defs", "$schema", "$id")}
    schema_: dict[str, Any] = _referred(body, places)
    return schema_


def _referred(value: Any, places: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {
            key: places.get(each, each) if key == "$ref" and isinstance(each, str) else _referred(each, places)
            for key, each in value.items()
        }
    return [_referred(each, places) for each in value] if isinstance(value, list | tuple) else value


def _moved(value: Any) -> Any:
    """Return the document with its references where OpenAPI has them."""
    if isinstance(value, Mapping):
        return {
            key: each.replace(_DEFS, _COMPONENTS) if key == "$ref" and isinstance(each, str) else _moved(each)
            for key, each in value.items()
        }
    return [_moved(each) for each in value] if isinstance(value, list | tuple) else value

"""From a reference to a Blueprint to what can be launched; what was launched just before is not compiled again."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from attrs import field, frozen

from swarm_core.errors import DocumentError
from swarm_core.model.problem import Problem
from swarm_core.model.version import IdRef, InlineRef
from swarm_core.selecting import choose, parse_ref, ref_json
from swarm_core.serving import LiveSwarm
from swarm_core.settings import STANDARD_SET, project_folder
from swarm_plugin_server.problems import Refused
from swarm_plugin_server.state import serving_of

_KEPT = 256


@frozen(kw_only=True)
class Wanted:
    """Which Blueprint is wanted, and how it is to be compiled."""

    blueprint: InlineRef | IdRef
    bind: Mapping[str, str] = field(factory=dict)
    layer_set: str = STANDARD_SET


class Programs:
    """The Blueprints that were compiled last, by what they were compiled from."""

    def __init__(self) -> None:
        self._by_key: OrderedDict[Hashable, Any] = OrderedDict()

    def find(self, key: Hashable | None) -> Any:
        """Return what is kept under a key, None when nothing is."""
        if key in self._by_key:
            self._by_key.move_to_end(key)
        return self._by_key.get(key)

    def keep(self, key: Hashable, prepared: Any) -> None:
        """Keep what was compiled, and forget what was not used for long."""
        self._by_key[key] = prepared
        if len(self._by_key) > _KEPT:
            self._by_key.popitem(last=False)


async def prepare(swarm: LiveSwarm, wanted: Wanted) -> Any:
    """Return a Blueprint checked, compiled and linked, with the functions of the project's folder.

    Raises: DocumentError; BlueprintNotFound, BlueprintArchived, NoMatchingVersion, InvalidSemver, InvalidId.
    """
    programs = swarm.services.setdefault(Programs, Programs())
    key = await _key_of(swarm, wanted)
    known = programs.find(key)
    if known is None:
        document = await document_of(swarm, wanted.blueprint)
        known = swarm.prepare(document, bind=wanted.bind or None, layer_set=wanted.layer_set)
        if key is not None:
            programs.keep(key, known)
    return known


async def document_of(swarm: LiveSwarm, ref: InlineRef | IdRef, *, lenient: bool = False) -> Any:
    """Return the document that a reference means; raises as `prepare`.

    Files that an inline one refers to are read where the server's settings say, else refused.
    """
    if isinstance(ref, IdRef):
        return await swarm.fetch(ref_json(ref))
    return swarm.receive(_object(ref.value), files=files_of(swarm), lenient=lenient)


def files_of(swarm: LiveSwarm) -> Path | None:
    """Return the folder of the files that Blueprints may refer to which come over HTTP, if there is one."""
    return serving_of(swarm).settings.blueprint_ref_base


def digest_of(value: Any) -> str:
    """Return the SHA-256 of a JSON value, whatever the order of its keys."""
    return sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


async def _key_of(swarm: LiveSwarm, wanted: Wanted) -> Hashable | None:
    """Return what two equal launches have in common, None when that cannot be told from the request."""
    how = (wanted.layer_set, tuple(sorted(wanted.bind.items())), _swarmfile(swarm))
    if isinstance(wanted.blueprint, InlineRef):
        text = json.dumps(_object(wanted.blueprint.value), sort_keys=True)
        if any(f'"{name}"' in text for name in swarm.catalog.directives):
            return None
        return sha256(text.encode()).digest(), how
    if swarm.blueprints is None:
        return None
    selector = ref_json(wanted.blueprint)
    _, entry = await choose(swarm.blueprints, cast(IdRef, parse_ref(selector)))
    return wanted.blueprint.id, entry.version, json.dumps(selector), how


def _swarmfile(swarm: LiveSwarm) -> Hashable:
    """Return what tells one text of the project's functions from another."""
    try:
        found = (project_folder(swarm.settings) / "swarmfile.py").stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _object(value: Any) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    message = "a Blueprint is an object"
    raise DocumentError([Problem(code="wrong_type", message=message, path="$.blueprint.value")])


def check_room(swarm: LiveSwarm) -> None:
    """Make sure that one more run may be begun; raises Refused (503)."""
    most = serving_of(swarm).settings.max_runs
    runs = swarm.engine.state.runs
    if len(runs) < most or sum(1 for run in runs.values() if not run.over) < most:
        return
    hint = "try again in 1 s; the limit is [plugin.server] max_runs"
    raise Refused(503, "too_many_runs", f"{most} runs are under way", hint=hint, headers={"retry-after": "1"})

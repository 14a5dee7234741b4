"""The orbit: the Blueprint that improves others, shipped, seeded, and made ready for one issue."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import yaml
from attrs import evolve

from swarm_core.codec import load_yaml, structure_blueprint
from swarm_core.contracts import BlueprintStore, EnhanceSettingStore
from swarm_core.errors import (
    BlueprintArchived,
    BlueprintNotFound,
    EnhanceSettingNotFound,
    SettingsError,
    VersionConflict,
)
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.enhance import EnhanceSetting, PatchAgent
from swarm_core.model.version import CommitMetadata, IdRef
from swarm_core.selecting import ref_json
from swarm_core.versions import canonical_text, version_of
from swarm_plugin_enhance.axes import AXES
from swarm_plugin_enhance.commits import CommitShape
from swarm_plugin_enhance.names import ORBIT, SETTING, SPAWNER

if TYPE_CHECKING:
    from swarm_core.serving import LiveSwarm

_AUTHOR = "swarm-plugin-enhance"
_TTL = 1800


@cache
def shipped() -> Blueprint:
    """Return the orbit that comes with this plugin."""
    text = files(__package__).joinpath(f"{ORBIT}.yaml").read_bytes()
    return structure_blueprint(load_yaml(text, name=f"{ORBIT}.yaml").value, name=f"{ORBIT}.yaml")


def default_setting() -> EnhanceSetting:
    """Return the setting that is seeded: the shipped orbit, half an hour, and every axis of this plugin."""
    return EnhanceSetting(id=SETTING, blueprint_id=ORBIT, ttl_secs=_TTL, verifier_axes=AXES)


async def seed(blueprints: BlueprintStore, settings: EnhanceSettingStore) -> None:
    """Put the shipped orbit and the default setting where they are not; what people changed stays."""
    await _seed_orbit(blueprints)
    try:
        await settings.get(SETTING)
    except EnhanceSettingNotFound:
        await settings.put(default_setting())


async def _seed_orbit(blueprints: BlueprintStore) -> None:
    text = canonical_text(shipped())
    parent = None
    try:
        _, head = await blueprints.read_head(ORBIT)
    except BlueprintNotFound:
        pass
    except BlueprintArchived:
        return
    else:
        if head.metadata.author != _AUTHOR or head.version == version_of(text):
            return
        parent = head.version
    said = CommitMetadata(rationale="seed", author=_AUTHOR)
    with suppress(VersionConflict):  # somebody else seeded it just now
        await blueprints.write_new(ORBIT, text, parent=parent, metadata=said)


def blueprints_of(swarm: LiveSwarm) -> BlueprintStore:
    """Return the swarm's store of Blueprints; raises SettingsError, when it has none."""
    if swarm.blueprints is None:
        hint = 'open the swarm with blueprints="sqlite:///...", or set `[store] blueprints`'
        raise SettingsError("the enhance loop needs a store of Blueprints", hint=hint)
    return swarm.blueprints


async def orbit_of(swarm: LiveSwarm, setting: EnhanceSetting) -> Any:
    """Return the orbit of a setting, with the patch agent that the setting names.

    Raises: as `Swarm.fetch`; CommitShape, when there is no agent to replace.
    """
    document = await swarm.fetch(ref_json(IdRef(id=setting.blueprint_id, version=setting.version)))
    if setting.spawner is None:
        return document
    return evolve(document, blueprint=_with_spawner(document.blueprint, setting.spawner), kept=None)


def _with_spawner(orbit: Blueprint, spawner: PatchAgent) -> Blueprint:
    if all(agent.name != SPAWNER for agent in orbit.agents):
        raise CommitShape(f"the orbit {orbit.id!r} has no agent {SPAWNER!r} that the setting could replace")
    agents = (
        evolve(agent, kind=spawner.kind, spec=spawner.spec, profile=spawner.profile or agent.profile)
        if agent.name == SPAWNER
        else agent
        for agent in orbit.agents
    )
    return evolve(orbit, agents=tuple(agents))


def first_ctx(issue: Mapping[str, Any], text: str, epoch: Mapping[str, Any], setting: EnhanceSetting) -> dict[str, Any]:
    """Return what the orbit is launched with; `text` is the target as canonical JSON, `epoch` what is begun with it."""
    return {
        "issue": dict(issue),
        "prev_bp_yaml": yaml.safe_dump(json.loads(text), allow_unicode=True, sort_keys=False, width=120),
        "prev_hash": epoch["start_version"],
        "epoch_id": dict(epoch),
        "verifiers": list(setting.verifier_axes),
        "approval": setting.approval,
    }

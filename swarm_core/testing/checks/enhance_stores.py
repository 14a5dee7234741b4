"""The contracts of stores of enhance settings and of the enhance log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from attrs import evolve

from swarm_core.contracts import EnhanceLogStore, EnhanceSettingStore
from swarm_core.errors import (
    DocumentError,
    EnhanceLogConflict,
    EnhanceLogNotFound,
    EnhanceSettingNotFound,
    InvalidId,
)
from swarm_core.model.blueprint import AgentProfile
from swarm_core.model.enhance import EnhanceLogEntry, EnhanceLogStatus, PatchAgent
from swarm_core.model.version import Fixed, SemverReq
from swarm_core.testing.checks.contract import require
from swarm_core.testing.checks.enhance_samples import (
    BAD_ISSUE_IDS,
    BAD_NAMES,
    NOT_TEXT,
    TEXTS,
    UNKNOWN,
    a_setting,
    an_entry,
    raises,
    run_parts,
    same,
)

OpenSettingStore = Callable[[], AbstractAsyncContextManager[EnhanceSettingStore]]
OpenLogStore = Callable[[], AbstractAsyncContextManager[EnhanceLogStore]]

_RIVALS = 8
_PROFILE = AgentProfile(system_prompt="be brief", tools=("search",))
_OURS: dict[str, Any] = {
    "spawner": PatchAgent(kind="llm", spec={"max_turns": 3}, profile=_PROFILE),
    "approval": True,
}
_SETTINGS = (
    a_setting(),
    a_setting("fixed", version=Fixed(value="c" * 64), ttl_secs=1),
    a_setting("semver", version=SemverReq(req=">=1.2, <2"), verifier_axes=(), ttl_secs=2**53 - 1, **_OURS),
    a_setting(
        "Default", verifier_axes=("des", *TEXTS), meta={"a": [1, 2.5, None, True], "": {text: text for text in TEXTS}}
    ),
)
"""Settings that must all be kept, and none taken for another one."""


async def check_enhance_setting_store(open_store: OpenSettingStore) -> None:
    """Run a store of enhance settings through its contract; each part is checked on a store of its own, an empty one.

    `open_store()` returns an async context manager that gives an empty store. Raises: ContractBroken.
    """
    await run_parts(_SETTING_PARTS, open_store)


async def check_enhance_log_store(open_store: OpenLogStore) -> None:
    """Run a store of the enhance log through its contract; each part is checked on a store of its own, an empty one.

    `open_store()` returns an async context manager that gives an empty store. Raises: ContractBroken.
    """
    await run_parts(_LOG_PARTS, open_store)


# settings ----------------------------------------------------------------------------------------------------


async def _keeps_settings(store: EnhanceSettingStore) -> None:
    same(list(await store.list()), [], "list of an empty store returned")
    for setting in _SETTINGS:
        await store.put(setting)
    for setting in _SETTINGS:
        same(await store.get(setting.id), setting, "get returned")
    same(list(await store.list()), ["Default", "default", "fixed", "semver"], "list, which is sorted, returned")


async def _replaces_settings(store: EnhanceSettingStore) -> None:
    meta: dict[str, Any] = {"kept": [1]}
    await store.put(a_setting(meta=meta))
    meta["kept"].append(2)
    same((await store.get("default")).meta, {"kept": [1]}, "after what was put had changed, get returned meta")
    for setting in (a_setting(ttl_secs=7), a_setting(ttl_secs=7), a_setting(verifier_axes=("noop",))):
        await store.put(setting)
        same(await store.get("default"), setting, "after put of an id that is there get returned")
    same(list(await store.list()), ["default"], "after it list returned")


async def _deletes_settings(store: EnhanceSettingStore) -> None:
    for setting in _SETTINGS:
        await store.put(setting)
    await store.delete("fixed")
    same(list(await store.list()), ["Default", "default", "semver"], "after delete list returned")
    for name in ("fixed", *UNKNOWN, *BAD_NAMES):
        await raises(store.get(name), EnhanceSettingNotFound, f"get({name!r})")
        await raises(store.delete(name), EnhanceSettingNotFound, f"delete({name!r})")
    error = await raises(store.get("defualt"), EnhanceSettingNotFound, "get of an unknown id")
    require("'default'" in str(error.hint), f"EnhanceSettingNotFound gives the hint {error.hint}, not the nearest id")
    await store.put(_SETTINGS[1])
    same(await store.get("fixed"), _SETTINGS[1], "after put of what was deleted get returned")


async def _refuses_bad_settings(store: EnhanceSettingStore) -> None:
    await store.put(a_setting())
    for name in BAD_NAMES:
        await raises(store.put(a_setting(name)), InvalidId, f"put of {name!r}")
        await raises(store.put(a_setting(blueprint_id=name)), InvalidId, f"put with the Blueprint {name!r}")
    wrong: tuple[dict[str, Any], ...] = (
        *({"ttl_secs": seconds} for seconds in (0, -1, 2**53, "60", 1.5, True)),
        *({"meta": meta} for meta in ({"a": float("nan")}, {1: 2}, {"a": object()}, {"a": NOT_TEXT})),
        *({"verifier_axes": axes} for axes in ((1,), (None,))),
    )
    for facts in wrong:
        await raises(store.put(a_setting(**facts)), DocumentError, f"put with {facts!r}")
    same(await store.get("default"), a_setting(), "after settings that were refused get returned")


_SETTING_PARTS = (_keeps_settings, _replaces_settings, _deletes_settings, _refuses_bad_settings)


# log ---------------------------------------------------------------------------------------------------------


async def _keeps_entries(store: EnhanceLogStore) -> None:
    same(list(await store.list_all()), [], "list_all of an empty store returned")
    bare = EnhanceLogEntry(issue_id="h-0", blueprint_id="b", prev_hash="", status=EnhanceLogStatus.REJECTED, ts_ms=0)
    worded = [
        an_entry(number, rationale=text, reasons=(text, text)) for number, text in enumerate((NOT_TEXT, *TEXTS), 2)
    ]
    entries = [bare, an_entry(1), *worded]
    for entry in entries:
        await store.append(entry)
    for entry in entries:
        same(await store.get(entry.issue_id), entry, "get returned")
    same(list(await store.list_all()), entries, "list_all returned")


async def _appends_once(store: EnhanceLogStore) -> None:
    await store.append(an_entry())
    for again in (an_entry(), an_entry(rationale="another"), an_entry(blueprint_id="other", ts_ms=1)):
        await raises(store.append(again), EnhanceLogConflict, "append for an issue that has an entry")
    same(list(await store.list_all()), [an_entry()], "after appends that were refused list_all returned")
    same(list(await store.list_by_blueprint("other")), [], "after them list_by_blueprint returned")
    rivals = [store.append(an_entry(2, rationale=f"{number}")) for number in range(_RIVALS)]
    ends = await asyncio.gather(*rivals, return_exceptions=True)
    refused = [end for end in ends if isinstance(end, EnhanceLogConflict)]
    require(
        len(refused) == _RIVALS - 1, f"of {_RIVALS} entries for one issue at once one counts; they ended as {ends!r}"
    )


async def _orders_by_time(store: EnhanceLogStore) -> None:
    times = (50, 10, 30, 10, 2**53 - 1, 40, 10)
    names = ("a", "b", "a", "a", "b", "A", "b")
    entries = [
        an_entry(number, ts_ms=time, blueprint_id=name)
        for number, (time, name) in enumerate(zip(times, names, strict=True))
    ]
    for entry in entries:
        await store.append(entry)
    expected = sorted(entries, key=lambda entry: entry.ts_ms)
    same(list(await store.list_all()), expected, "list_all, which is ascending by ts_ms, returned")
    for name in ("a", "b", "A"):
        of_one = [entry for entry in expected if entry.blueprint_id == name]
        same(list(await store.list_by_blueprint(name)), of_one, f"list_by_blueprint({name!r}) returned")
    for name in ("c", "%", "", *BAD_NAMES):
        same(list(await store.list_by_blueprint(name)), [], f"list_by_blueprint({name!r}) returned")


async def _refuses_unknown_entries(store: EnhanceLogStore) -> None:
    await store.append(an_entry())
    for issue_id in UNKNOWN:
        await raises(store.get(issue_id), EnhanceLogNotFound, f"get({issue_id!r})")


async def _refuses_bad_entries(store: EnhanceLogStore) -> None:
    for issue_id in BAD_ISSUE_IDS:
        await raises(store.append(an_entry(issue_id=issue_id)), InvalidId, f"append for {issue_id!r}")
    for name in BAD_NAMES:
        await raises(store.append(an_entry(blueprint_id=name)), InvalidId, f"append with the Blueprint {name!r}")
    verdict = an_entry().verdicts[0]
    wrong: tuple[dict[str, Any], ...] = (
        *({"ts_ms": time} for time in (-1, 2**53, 1.5, "1", True)),
        *({"status": status} for status in ("appplied", "Applied", None)),
        *({"verdicts": (evolve(verdict, **facts),)} for facts in ({"status": "maybe"}, {"detail": object()})),
        {"reasons": (1,)},
    )
    for facts in wrong:
        await raises(store.append(an_entry(**facts)), DocumentError, f"append with {facts!r}")
    same(list(await store.list_all()), [], "after entries that were refused list_all returned")


_LOG_PARTS = (_keeps_entries, _appends_once, _orders_by_time, _refuses_unknown_entries, _refuses_bad_entries)

"""The rules a plugin must keep to be admitted; each is checked before anything of the plugin is registered."""

from __future__ import annotations

import inspect
import traceback
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import pluggy

from swarm_core import __version__, hookspecs
from swarm_core.errors import (
    PluginConflict,
    PluginError,
    PluginImportFailed,
    PluginIncompatible,
    PluginInvalid,
    PluginMissing,
    did_you_mean,
)
from swarm_core.host.candidate import Candidate
from swarm_core.host.discovery import normalized
from swarm_core.host.plugin import Plugin
from swarm_core.known import pip_name
from swarm_core.settings import PluginSettings

# The functions marked with `hookimpl`, by the hook they are for: their names and their options.
_Marked = dict[str, list[tuple[str, pluggy.HookimplOpts]]]


@cache
def hook_arguments() -> Mapping[str, tuple[str, ...]]:
    """Return every hook's arguments by the hook's name, in the order of the hookspecs."""
    mark = f"{hookspecs.PROJECT}_spec"
    specs = [item for item in vars(hookspecs).values() if hasattr(item, mark)]
    return {spec.__name__: tuple(inspect.signature(spec).parameters) for spec in specs}


# before the import -------------------------------------------------------------------------------------------


def is_disabled(candidate: Candidate, settings: PluginSettings) -> bool:
    """Tell whether the settings switch a plugin off, by its name or by its distribution's; never the core's own."""
    if candidate.core:
        return False
    names = {normalized(name) for name in settings.disable}
    by_distribution = candidate.distribution is not None and normalized(candidate.distribution) in names
    return settings.disable_all or candidate.name in settings.disable or by_distribution


def name_clashes(candidates: Sequence[Candidate]) -> Iterator[tuple[Candidate, PluginConflict]]:
    """Yield the plugins that claim a name that another one claims too, with the reason.

    Of two strangers neither is admitted: which of them is the right one, the user must say. The core's own stay.
    """
    claims: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        claims[candidate.name].append(candidate)
    for claimants in claims.values():
        for candidate in claimants if len(claimants) > 1 else ():
            if not candidate.core:
                yield candidate, _clash(candidate, claimants)


def _clash(candidate: Candidate, claimants: Sequence[Candidate]) -> PluginConflict:
    origins = [claimant.origin for claimant in claimants]
    others = sorted({claimant.distribution or claimant.module for claimant in claimants if not claimant.core})
    message = f"the name {candidate.name!r} is claimed by {' and by '.join(origins)}"
    hint = f'uninstall one of them, or switch one off by its distribution: [plugins] disable = ["{others[0]}"]'
    return candidate.refusal(PluginConflict, message, hint=hint)


# import and form ---------------------------------------------------------------------------------------------


def admit(candidate: Candidate) -> Plugin:
    """Import a plugin and check its API number and its hooks.

    Raises: PluginImportFailed, PluginIncompatible, PluginInvalid.
    """
    source = _load(candidate)
    try:
        _check_api(candidate, source)
        return _plugin(candidate, source)
    except (PluginError, KeyboardInterrupt):
        raise
    except BaseException as error:
        message = f"looking for its hooks raised {type(error).__name__}: {error}"
        raise candidate.refusal(PluginInvalid, message, hint="update the plugin") from error


def _load(candidate: Candidate) -> Any:
    try:
        return candidate.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        message = f"importing {candidate.module} raised {type(error).__name__}: {error}"
        hint = f'install it again with what it needs, or switch it off: [plugins] disable = ["{candidate.name}"]'
        failed = candidate.refusal(PluginImportFailed, message, hint=hint)
        failed.traceback = "".join(traceback.format_exception(error))
        raise failed from error


def _check_api(candidate: Candidate, source: Any) -> None:
    number = getattr(source, "SWARM_API", None)
    if number is None:
        hint = f"if it was written for this version, add the line SWARM_API = {hookspecs.SWARM_API} to it"
        raise candidate.refusal(PluginIncompatible, "it does not say which API it was written for", hint=hint)
    if number != hookspecs.SWARM_API or isinstance(number, bool):
        older = isinstance(number, int) and number < hookspecs.SWARM_API
        hint = "update the plugin" if older else "update swarm-core"
        core = f"swarm-core {__version__} has API {hookspecs.SWARM_API}"
        message = f"it was written for API {number!r}, {core}"
        raise candidate.refusal(PluginIncompatible, message, hint=f"{hint}, or switch the plugin off")


def _plugin(candidate: Candidate, source: Any) -> Plugin:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    marked = _marked(manager, source)
    sentences = [f"{name} is not marked: put @hookimpl above it" for name in _forgotten(source, marked)]
    for hook, functions in marked.items():
        sentences += [sentence for name, options in functions for sentence in _misfits(source, hook, name, options)]
        if len(functions) > 1:
            sentences.append(f"{hook} is implemented by {' and '.join(name for name, _ in functions)}: keep one")
    if sentences:
        raise candidate.refusal(PluginInvalid, "; ".join(sentences))
    manager.register(source, candidate.name)
    return Plugin(
        candidate=candidate, manager=manager, hooks=tuple(hook for hook in hook_arguments() if hook in marked)
    )


def _marked(manager: pluggy.PluginManager, source: Any) -> _Marked:
    marked: _Marked = defaultdict(list)
    for name in dir(source):
        if options := manager.parse_hookimpl_opts(source, name):
            marked[options.get("specname") or name].append((name, options))
    return marked


def _forgotten(source: Any, marked: _Marked) -> list[str]:
    names = [name for name in hook_arguments() if name not in marked]
    return [name for name in names if inspect.isroutine(inspect.getattr_static(source, name, None))]


def _misfits(source: Any, hook: str, name: str, options: pluggy.HookimplOpts) -> Iterator[str]:
    arguments = hook_arguments().get(hook)
    if arguments is None:
        if not options.get("optionalhook"):
            yield f"there is no hook {hook!r}, {did_you_mean(hook, hook_arguments(), otherwise='hooks')}"
        return
    function = getattr(source, name)
    if options.get("wrapper") or options.get("hookwrapper"):
        yield f"{hook} is a wrapper: hooks of other plugins cannot be wrapped"
    if inspect.isasyncgenfunction(function):
        yield f"{hook} is an async generator: put @asynccontextmanager below @hookimpl"
    elif inspect.iscoroutinefunction(function):
        yield f"{hook} is async: hooks are plain functions"
    for wanted in _wanted(function):
        if wanted not in arguments:
            yield f"{hook} has no argument {wanted!r}, {did_you_mean(wanted, arguments, otherwise='its arguments')}"


def _wanted(function: Any) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [item.name for item in parameters if item.kind in kinds and item.default is item.empty]


# after all are in --------------------------------------------------------------------------------------------


def missing(settings: PluginSettings, candidates: Iterable[Candidate]) -> Iterator[PluginMissing]:
    """Yield an error for every required plugin that is not installed or is switched off."""
    by_name = {candidate.name: candidate for candidate in candidates}
    for name in dict.fromkeys(settings.require):
        if name not in by_name:
            close = did_you_mean(name, by_name)
            hint = f"pip install {pip_name(name)}" + (f", or {close}" if close.startswith("did") else "")
            yield PluginMissing("is required by the settings but is not installed", plugin=name, hint=hint)
        elif is_disabled(by_name[name], settings):
            hint = "take it out of [plugins] require, or out of [plugins] disable and SWARM_DISABLE_PLUGINS"
            message = "is required by the settings but is also switched off by them"
            yield by_name[name].refusal(PluginMissing, message, hint=hint)

"""What to say about things that no plugin provides, and about plugins that fail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from swarm_core.errors import SwarmError
from swarm_core.factories import Catalog
from swarm_core.known import PROVIDERS
from swarm_core.model.problem import Problem


def advice(thing: str, name: str, installed: Iterable[str], absent: Mapping[tuple[str, str], str]) -> str:
    """Return what to do about a `thing` (`spawner`, `layer`) of a name that no active plugin provides."""
    from difflib import get_close_matches

    here = sorted(installed)
    elsewhere = {other: distribution for (what, other), distribution in PROVIDERS.items() if what == thing}
    listing = f"installed: {', '.join(here) or 'none'}"
    if (thing, name) in absent:
        return f"{absent[thing, name]}; {listing}"
    if name in elsewhere:
        return f"pip install {elsewhere[name]} brings it; {listing}"
    near = get_close_matches(name, {*here, *elsewhere}, n=1)
    if not near:
        return listing
    source = "" if near[0] in here else f" (pip install {elsewhere[near[0]]})"
    return f"did you mean {near[0]!r}?{source} {listing}"


def build_failed(what: str, thing: tuple[str, str], catalog: Catalog, path: str, error: BaseException) -> Problem:
    """Return the problem that a factory raised what it must not; an error of ours keeps its code and its hint."""
    provider = catalog.provider.get(thing, "an unnamed plugin")
    message = f"{what} cannot be built by {provider}"
    if isinstance(error, SwarmError):
        return Problem(code=error.code, message=f"{message}: {error.message}", path=path, hint=error.hint)
    hint = f"this is a fault in {provider}"
    return Problem(code="plugin_failed", message=f"{message}: {failure(error)}", path=path, hint=hint)


def failure(error: BaseException) -> str:
    """Return one line about an error: its type, and the first line of its text."""
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__

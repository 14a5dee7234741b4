"""Find installed plugins by their metadata alone; nothing of them is imported."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from attrs import frozen

from swarm_core.hookspecs import ENTRY_POINT_GROUP as GROUP
from swarm_core.model.problem import Problem, Severity

if TYPE_CHECKING:
    from pathlib import Path

    from importlib_metadata import IDistribution

_FACT = r"(?m)^(Name|Version):[ \t]*(\S+)[ \t]*$"


@frozen(kw_only=True, eq=False, repr=False)
class Found:
    """One entry point of an installed distribution: a plugin that could be loaded.

    `module` is the entry point's value, `package.module` or `package.module:attribute`.
    """

    name: str
    module: str
    distribution: str
    version: str

    def load(self) -> Any:
        """Import the plugin.

        Raises: whatever the import raises.
        """
        from importlib_metadata import EntryPoint

        return EntryPoint(name=self.name, value=self.module, group=GROUP).load()


@frozen(kw_only=True, eq=False, repr=False)
class Discovery:
    """The plugins that were found, sorted by distribution and name, and the metadata that could not be read."""

    found: tuple[Found, ...]
    problems: tuple[Problem, ...]


def discover() -> Discovery:
    """Look through every installed distribution for entry points of the group `swarm_core.plugins`."""
    from importlib_metadata import distributions

    found: list[Found] = []
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    for distribution in distributions():
        try:
            if _has_plugins(distribution):
                found += _read(distribution, seen, problems)
        except Exception as error:  # whatever a foreign file makes its parser raise
            problems.append(_unreadable(distribution, error))
    return Discovery(found=tuple(sorted(found, key=_order)), problems=tuple(problems))


def _order(found: Found) -> tuple[str, str]:
    return normalized(found.distribution), found.name


def _has_plugins(distribution: IDistribution) -> bool:
    return f"[{GROUP}]" in (distribution.read_text("entry_points.txt") or "")


def _read(distribution: IDistribution, seen: dict[str, str], problems: list[Problem]) -> list[Found]:
    """Return the distribution's plugins, none when another copy of it comes first on `sys.path`."""
    from importlib_metadata import distribution as first_of

    name, version = _name_and_version(distribution)
    first = first_of(name)
    hidden_by = seen.get(normalized(name))
    if str(first.locate_file("")) != str(distribution.locate_file("")):
        hidden_by = _name_and_version(first)[1]
    if hidden_by is not None:
        message = f"{name} {version} is hidden by another copy of it, {hidden_by}, that comes first; it is skipped"
        hint = f"run `pip uninstall {name}` until none is left, then install it once"
        problems.append(_warning("duplicate_distribution", message, hint, distribution))
        return []
    seen[normalized(name)] = version
    points = [(point.name, point.value, point.module) for point in distribution.entry_points.select(group=GROUP)]
    return [Found(name=key, module=value, distribution=name, version=version) for key, value, _ in points]


def _name_and_version(distribution: IDistribution) -> tuple[str, str]:
    """Read the two facts of the core metadata, without the email package, whose import takes 20 ms of a cold start."""
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    facts = dict(re.findall(_FACT, text.partition("\n\n")[0]))
    if missing := [fact for fact in ("Name", "Version") if fact not in facts]:
        raise ValueError(f"METADATA has no {' and no '.join(missing)}")
    return facts["Name"], facts["Version"]


def _unreadable(distribution: IDistribution, error: Exception) -> Problem:
    reason = f"{type(error).__name__}: {error}"
    message = f"the metadata of a distribution cannot be read, its plugins are skipped ({reason})"
    return _warning("broken_metadata", message, "install the distribution again", distribution)


def _warning(code: str, message: str, hint: str, distribution: IDistribution) -> Problem:
    place = getattr(distribution, "_path", None) or distribution.locate_file("")
    return Problem(code=code, message=message, hint=hint, severity=Severity.WARNING, file=str(place), path="plugins")


def normalized(distribution: str) -> str:
    """Return a distribution's name in the one form that PEP 503 compares."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def fingerprint(module: str) -> str | None:
    """Return the SHA-256 over the files of the plugin's top-level package as they are now, or None without files.

    Nothing is imported. Editable installs and changed files show, which the hashes of `RECORD` would hide.
    """
    import hashlib
    from importlib.util import find_spec

    top = module.partition(":")[0].partition(".")[0].strip()
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return None
    folders = list(spec.submodule_search_locations or ()) if spec else []
    digest = hashlib.sha256()
    for name, path in _files(folders, spec.origin if spec else None):
        digest.update(f"{name}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest() if spec and (folders or spec.has_location) else None


def _files(folders: list[str], origin: str | None) -> Iterator[tuple[str, Path]]:
    from pathlib import Path

    if not folders and origin and Path(origin).is_file():
        yield Path(origin).name, Path(origin)
    for folder in map(Path, folders):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(folder).as_posix(), path

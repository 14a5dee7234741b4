"""Where a repository is, as its URL says."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, unquote

from attrs import frozen

from swarm_core.errors import SettingsError, did_you_mean
from swarm_core.model.duration import parse_duration
from swarm_core.model.shown import shown

LOCK_TIMEOUT = 30.0

_FORMS = "write git:///relative/path.git or git:////absolute/path.git"
_OPTIONS = ("lock_timeout",)


@frozen(kw_only=True)
class Place:
    """A repository's folder; the path is absolute, so a change of the working directory changes nothing.

    `lock_timeout` is how many seconds a write waits for other processes' writes of the same Blueprint.
    """

    __repr__ = shown

    url: str
    path: Path
    lock_timeout: float = LOCK_TIMEOUT


def parse_url(url: str) -> Place:
    """Return the place that a URL names.

    Raises: SettingsError.
    """
    rest, _, query = url.partition("://")[2].partition("?")
    path = unquote(rest[1:])
    if not rest.startswith("/") or not path or "\0" in path:
        raise SettingsError(f"{url!r} does not name a folder", hint=_FORMS)
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name in options:
        if name not in _OPTIONS:
            raise SettingsError(f"{url!r} has an unknown option {name!r}", hint=did_you_mean(name, _OPTIONS))
    return Place(url=url, path=Path(path).absolute(), lock_timeout=_seconds(url, options.get("lock_timeout")))


def _seconds(url: str, text: str | None) -> float:
    if text is None:
        return LOCK_TIMEOUT
    try:
        return parse_duration(float(text) if text.replace(".", "", 1).isdecimal() else text)
    except ValueError as error:
        raise SettingsError(f"{url!r}: lock_timeout: {error}") from None

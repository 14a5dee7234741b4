"""URLs of models and tools: what is wrong with one, and its origin."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

_PORTS = {"http": 80, "https": 443}


def url_fault(url: str) -> str | None:
    """Return what is wrong with the URL of an endpoint, without repeating what may be a password in it."""
    parts = _parts(url)
    if parts is None or parts.scheme not in _PORTS or not parts.hostname:
        return "this is no http or https URL with a host"
    if parts.username is not None or parts.password is not None:
        return "a URL holds no user and no password; say the variable that has the key"
    return "the URL of an endpoint has no query and no fragment" if parts.query or parts.fragment else None


def origin_fault(text: str) -> str | None:
    """Return what is wrong with an origin such as `https://tools.example`."""
    if (fault := url_fault(text)) is not None:
        return fault
    return "an origin has no path" if urlsplit(text).path not in ("", "/") else None


def origin_of(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of a URL, None for what is none."""
    parts = _parts(url)
    if parts is None or parts.scheme not in _PORTS or not parts.hostname:
        return None
    return parts.scheme, parts.hostname.lower(), parts.port or _PORTS[parts.scheme]


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts

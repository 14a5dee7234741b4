"""The token that a client shows to its server, and where it is found. It is in no repr, URL or error."""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from swarm_core.errors import SettingsError

TOKEN_VARIABLE = "SWARM_SERVER_TOKEN"
FILE_VARIABLE = "SWARM_SERVER_TOKEN_FILE"

_LARGEST = 64 * 1024


def server_url(text: str) -> str:
    """Return a server's address as it is used, without a slash at its end; raises SettingsError."""
    try:
        parts = urlsplit(text)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        raise _no_url("it cannot be read as a URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_fine:
        raise _no_url("it is not of the form http://HOST:PORT")
    if parts.username is not None or parts.password is not None:
        raise _no_url("it holds a user or a password; the token goes into a file")
    if parts.query or parts.fragment:
        raise _no_url("it has a query or a fragment, which a server's address has not")
    return text.rstrip("/")


def is_loopback(url: str) -> bool:
    """Tell whether a server's address is on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def find_token(
    url: str, *, file: str | Path | None = None, beside: Path | None = None, environ: Mapping[str, str] = os.environ
) -> str | None:
    """Return the token for a server: from the environment, from the file that is named, or from the one `beside`.

    The file `beside` is the one that a server of this machine leaves for its own project; it is read only for such a
    server. None means that none was found: a server without access control needs none. Raises: SettingsError.
    """
    if environ.get(TOKEN_VARIABLE):
        return checked(environ[TOKEN_VARIABLE], TOKEN_VARIABLE)
    named = file or environ.get(FILE_VARIABLE)
    if named:
        return _read(Path(named).expanduser())
    if beside is not None and is_loopback(url) and beside.is_file():
        return _read(beside)
    return None


def checked(token: str, where: str) -> str:
    """Return a token that can stand in a header; raises SettingsError, which does not show it."""
    text = token.strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise SettingsError("this is no token: it is empty, or has blanks or letters that a token has not", where=where)
    return text


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        hint = "the server writes it when it first starts; copy it from there"
        raise SettingsError(f"the token cannot be read: {error.strerror}", where=str(path), hint=hint) from None
    if len(data) > _LARGEST:
        raise SettingsError("this is no file with a token: it is too large", where=str(path))
    return checked(data.decode("utf-8", "replace"), str(path))


def _no_url(why: str) -> SettingsError:
    return SettingsError(f"this is no address of a server: {why}", hint="write http://127.0.0.1:7777 or https://HOST")

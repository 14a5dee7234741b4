"""Who calls: the server's token, capability tokens, workers' and sessions' own credentials."""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import field, frozen

from swarm_core.endpoints import Access, Caller, Endpoint
from swarm_core.errors import AccessDenied, RoleViolation, ScopeViolation, SettingsError, TokenDecodeError, TokenRevoked
from swarm_core.model.access import Role
from swarm_plugin_server.problems import Refused

if TYPE_CHECKING:
    from swarm_core.serving import LiveSwarm

SERVER = "server"
ANYONE = "anyone"

_LONGEST_BEARER = 8 * 1024
_LEAST_SECRET = 32
_IN_QUERY = ("token", "access_token", "bearer", "capability_token", "worker_handle")


@frozen(kw_only=True)
class ServerToken:
    """The secret that opens everything but what belongs to workers and sessions; `file` is where it is kept."""

    secret: str = field(repr=False)
    file: Path | None = None

    @classmethod
    def at(cls, file: Path) -> ServerToken:
        """Return the token that a file has, made there when it is absent.

        Raises: SettingsError, when others may read the file, or when it holds no token.
        """
        with suppress(FileExistsError):
            _make(file)
        return cls(secret=_secret_in(file), file=file)

    def is_(self, bearer: str) -> bool:
        """Tell whether a bearer is this token, in the same time whatever it is."""
        return hmac.compare_digest(bearer.encode(), self.secret.encode())


def bearer_of(headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    """Return the bearer that a request brings, None without one.

    Raises: Refused (401), for two `Authorization` headers, another scheme, or what is no token.
    """
    found = [value for name, value in headers if name == b"authorization"]
    if not found:
        return None
    scheme, _, bearer = found[0].decode("latin-1").partition(" ")
    bearer = bearer.strip(" ")
    well_formed = 0 < len(bearer) <= _LONGEST_BEARER and bearer.isascii() and bearer.isprintable() and " " not in bearer
    if len(found) > 1 or scheme.lower() != "bearer" or not well_formed:
        raise unauthenticated()
    return bearer


def refuse_tokens_in_query(names: Sequence[str]) -> None:
    """Refuse a credential in the address, which ends in logs and histories; raises Refused (400)."""
    if any(name.lower() in _IN_QUERY for name in names):
        hint = "send it as the header Authorization: Bearer ..., and take it for known: make a new one"
        raise Refused(400, "token_in_query", "a credential does not belong into the address", hint=hint)


def admit(
    endpoint: Endpoint, bearer: str | None, path: Mapping[str, str], token: ServerToken | None, swarm: LiveSwarm
) -> Caller:
    """Return who calls an endpoint; `token` is the server's, None where access is switched off.

    Raises: Refused, 401 or 403 with the same words whatever was wrong.
    """
    if endpoint.access is Access.PUBLIC:
        return Caller(name=ANYONE, token=bearer)
    if bearer is not None and token is not None and token.is_(bearer):
        return Caller(name=SERVER)
    if endpoint.access is not Access.TOKEN:
        if bearer is None:
            raise unauthenticated(endpoint.without_credential)
        return Caller(name=str(endpoint.access), token=bearer)
    if token is None and (bearer is None or not endpoint.workers or not bearer.startswith("wh-")):
        return Caller(name=SERVER)
    if bearer is None:
        raise unauthenticated(endpoint.without_credential)
    return _capable(endpoint, bearer, path, swarm)


def unauthenticated(status: int = 401) -> Refused:
    """Return the refusal of whoever has no credential, or a wrong one."""
    hint = "send the header Authorization: Bearer TOKEN; the server's own token is in the file that `swarm serve` names"
    headers = {"www-authenticate": "Bearer"} if status == 401 else {}
    return Refused(status, "unauthenticated", "this needs a credential that is good here", hint=hint, headers=headers)


def forbidden() -> Refused:
    """Return the refusal of whoever has a good credential that does not allow the call."""
    return Refused(403, "forbidden", "the credential does not allow this call")


def _capable(endpoint: Endpoint, bearer: str, path: Mapping[str, str], swarm: LiveSwarm) -> Caller:
    """Return who holds a capability token, as far as it allows the endpoint."""
    if endpoint.verb is None:
        raise _no_verb(bearer, swarm)
    try:
        record = swarm.engine.door.admit(bearer, endpoint.verb)
    except (RoleViolation, ScopeViolation):
        raise forbidden() from None
    except (AccessDenied, TokenDecodeError) as error:
        if isinstance(error, TokenRevoked) and endpoint.workers:  # a worker shall know that its attempt is over
            raise Refused(410, "gone", "what this credential was for is over") from None
        raise unauthenticated() from None
    if record.role is Role.WORKER and not endpoint.workers:
        raise forbidden()
    if record.run_id is not None and record.role is not Role.WORKER and path.get("run_id") != record.run_id:
        raise forbidden()
    return Caller(name=record.agent_id, role=record.role, token=bearer)


def _no_verb(bearer: str, swarm: LiveSwarm) -> Refused:
    """Return 403 for a living credential at an endpoint that only the server's token opens, else 401."""
    return forbidden() if swarm.engine.door.is_living(bearer) else unauthenticated()


# the file ----------------------------------------------------------------------------------------------------


def _make(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except FileExistsError:
        raise
    except OSError as error:
        raise SettingsError(f"the server's token cannot be kept in {file}: {error.strerror}") from None
    with os.fdopen(handle, "w") as opened:
        opened.write(secrets.token_urlsafe(32) + "\n")
        opened.flush()
        os.fsync(opened.fileno())


def _secret_in(file: Path) -> str:
    try:
        with file.open(encoding="ascii") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            text = opened.read(_LONGEST_BEARER).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingsError(f"the server's token cannot be read from {file}: {reason}") from None
    if not stat.S_ISREG(mode):
        raise SettingsError(f"{file} is no file that could keep the server's token")
    if os.name == "posix" and mode & 0o077:
        raise SettingsError(f"others may read the server's token in {file}", hint=f"chmod 600 {file}")
    if len(text) < _LEAST_SECRET or " " in text or not text.isprintable():
        hint = "remove the file: a new token is made at the next start"
        raise SettingsError(f"{file} holds no token of at least {_LEAST_SECRET} characters in one line", hint=hint)
    return text

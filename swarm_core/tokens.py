"""Capability tokens: mint, attenuate, verify, encode and decode; which of them are alive is the engine's matter."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import math
import os
import re
import time
from collections.abc import Callable, Iterable
from typing import Any

import attrs
from attrs import define, field

from swarm_core.errors import BadSignature, ScopeViolation, TokenDecodeError, TokenExpired, did_you_mean
from swarm_core.model.access import CapToken, Role, Verb

ALL_SCOPES = ("*",)
MIN_SECRET_BYTES = 16
MAX_TOKEN_CHARS = 8192

# The version stands inside what is signed: a token of another layout can never pass for one of this.
_VERSION = "swarm-token-1"
_MAX_SIGNED_BYTES = 6000
_MAX_INTEGER = 2**53 - 1
_MAX_TTL = 10 * 366 * 86400.0
_ALPHABET = r"[A-Za-z0-9_-]*\Z"
_FIELDS = frozenset(attribute.name for attribute in attrs.fields(CapToken))
_ROLES = frozenset(role.value for role in Role)
_VERBS = frozenset(verb.value for verb in Verb)

# Escaped surrogate pairs and the characters they stand for would read alike, so nothing is escaped and UTF-8 decides.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


# scopes ------------------------------------------------------------------------------------------------------


def check_scope(scope: str) -> str:
    """Return the scope when it is `*`, `verb:<name>` or `data:<key>`.

    Raises: ValueError.
    """
    kind, _, rest = scope.partition(":")
    if scope == "*" or (kind == "data" and rest):
        return scope
    if kind == "verb" and rest in _VERBS:
        return scope
    if kind == "verb":
        raise ValueError(f"scope {scope!r} names no verb; {did_you_mean(rest, _VERBS)}")
    raise ValueError(f"{scope!r} is no scope; write '*', 'verb:<name>' or 'data:<key>'")


def scope_covers(scopes: Iterable[str], wanted: str) -> bool:
    """Tell whether scopes grant `verb:<name>`, `data:<key>`, or another scope as a whole.

    `*` grants everything; a `data:` scope that ends in `*` grants all keys that begin like it. What no scope names is
    not granted.
    """
    return any(_covers(scope, wanted) for scope in scopes)


def _covers(scope: str, wanted: str) -> bool:
    if scope in ("*", wanted):
        return True
    return scope.startswith("data:") and scope.endswith("*") and wanted.startswith(scope[:-1])


# signing -----------------------------------------------------------------------------------------------------


def _random_secret() -> bytes:
    return os.urandom(32)


def _check_secret(_: CapTokenSigner, __: Any, secret: bytes) -> None:
    if len(secret) < MIN_SECRET_BYTES:
        raise ValueError(f"a token secret has at least {MIN_SECRET_BYTES} bytes, this one {len(secret)}")


@define(eq=False, repr=False)
class CapTokenSigner:
    """Signs capability tokens with HMAC-SHA256 and tells its own from others.

    `secret` has at least 16 bytes and never leaves the signer. `clock` gives Unix seconds, `random_bytes(n)` n bytes
    that nobody can guess.
    """

    _secret: bytes = field(repr=False, validator=_check_secret)
    _clock: Callable[[], float] = field(default=time.time, kw_only=True, repr=False)
    _random_bytes: Callable[[int], bytes] = field(default=os.urandom, kw_only=True, repr=False)

    @classmethod
    def generate(cls, *, clock: Callable[[], float] = time.time) -> CapTokenSigner:
        """Return a signer with a fresh secret of 256 bits."""
        return cls(_random_secret(), clock=clock)

    def mint(
        self,
        agent_id: str,
        role: Role,
        scopes: Iterable[str] = ALL_SCOPES,
        *,
        ttl: float,
        max_uses: int | None = None,
        now: float | None = None,
    ) -> CapToken:
        """Make a token that is good for `ttl` seconds, rounded up to whole ones, and for `max_uses` uses.

        `max_uses` None means any number. `now` is the Unix time of issue, read from the signer's clock when None.
        Raises: ValueError, when a value is out of range or a scope is none.
        """
        issued = self._clock() if now is None else now
        if not 0 < ttl <= _MAX_TTL:
            raise ValueError(f"a token's time to live is more than 0 and at most ten years, not {ttl!r} seconds")
        return self._issue(
            agent_id=agent_id,
            role=role,
            scopes=tuple(check_scope(scope) for scope in scopes),
            issued_at=int(issued),
            expire_at=math.ceil(issued + ttl),
            max_uses=max_uses,
        )

    def one_time(self, agent_id: str, role: Role, scopes: Iterable[str] = ALL_SCOPES, *, ttl: float) -> CapToken:
        """Make a token for a single use."""
        return self.mint(agent_id, role, scopes, ttl=ttl, max_uses=1)

    def session(self, agent_id: str, role: Role, scopes: Iterable[str] = ALL_SCOPES, *, ttl: float) -> CapToken:
        """Make a token for any number of uses."""
        return self.mint(agent_id, role, scopes, ttl=ttl)

    def limited(self, n: int, agent_id: str, role: Role, scopes: Iterable[str] = ALL_SCOPES, *, ttl: float) -> CapToken:
        """Make a token for `n` uses."""
        return self.mint(agent_id, role, scopes, ttl=ttl, max_uses=n)

    def attenuate(
        self,
        parent: CapToken,
        *,
        agent_id: str | None = None,
        role: Role | None = None,
        scopes: Iterable[str] | None = None,
        ttl: float | None = None,
        max_uses: int | None = None,
        now: float | None = None,
    ) -> CapToken:
        """Make a token from another that grants the same or less; what is None stays as it is.

        Raises: BadSignature, TokenExpired: the parent is not good. ScopeViolation: a scope that the parent does not
        cover. ValueError: another role, more time or more uses than the parent has.
        """
        if not self.verify(parent):
            raise BadSignature
        issued = self._clock() if now is None else now
        if issued >= parent.expire_at:
            raise TokenExpired
        return self._issue(
            agent_id=parent.agent_id if agent_id is None else agent_id,
            role=_same_role(parent, role),
            scopes=_narrower_scopes(parent, scopes),
            issued_at=int(issued),
            expire_at=_earlier_end(parent, issued, ttl),
            max_uses=_fewer_uses(parent, max_uses),
        )

    def verify(self, token: CapToken) -> bool:
        """Tell whether this signer made the token as it stands; takes the same time for every wrong signature."""
        try:
            expected = self._sign(_signing_input(token))
            given = token.sig_hex.encode("ascii")
        except (TypeError, ValueError):
            return False
        return hmac.compare_digest(expected.encode("ascii"), given)

    def _issue(self, **facts: Any) -> CapToken:
        if facts["max_uses"] is not None and not 1 <= facts["max_uses"] <= _MAX_INTEGER:
            raise ValueError(f"a token has at least one use, not {facts['max_uses']}")
        unsigned = CapToken(**facts, nonce=self._random_bytes(16).hex(), sig_hex="")
        signed = _signing_input(unsigned)
        if len(signed) > _MAX_SIGNED_BYTES:
            raise ValueError(f"agent id and scopes take {len(signed)} bytes; a token holds {_MAX_SIGNED_BYTES}")
        return attrs.evolve(unsigned, sig_hex=self._sign(signed))

    def _sign(self, data: bytes) -> str:
        return hmac.digest(self._secret, data, "sha256").hex()


def _same_role(parent: CapToken, role: Role | None) -> Role:
    if role is not None and role != parent.role:
        raise ValueError(f"a token made from another keeps its role {str(parent.role)!r}, not {str(role)!r}")
    return parent.role


def _narrower_scopes(parent: CapToken, scopes: Iterable[str] | None) -> tuple[str, ...]:
    if scopes is None:
        return parent.scopes
    wanted = tuple(check_scope(scope) for scope in scopes)
    for scope in wanted:
        if not scope_covers(parent.scopes, scope):
            raise ScopeViolation(scope)
    return wanted


def _earlier_end(parent: CapToken, now: float, ttl: float | None) -> int:
    if ttl is None:
        return parent.expire_at
    if not 0 < ttl <= parent.expire_at - now:
        raise ValueError(f"{ttl!r} seconds are not within the {parent.expire_at - now:g} that the token has left")
    return math.ceil(now + ttl)


def _fewer_uses(parent: CapToken, max_uses: int | None) -> int | None:
    if max_uses is None:
        return parent.max_uses
    if parent.max_uses is not None and max_uses > parent.max_uses:
        raise ValueError(f"{max_uses} uses are more than the {parent.max_uses} that the token was made for")
    return max_uses


def _signing_input(token: CapToken) -> bytes:
    facts = _facts(token)
    del facts["sig_hex"]
    return _canonical({"version": _VERSION, **facts})


# transport ---------------------------------------------------------------------------------------------------


def encode_token(token: CapToken) -> str:
    """Return the token as text: URL-safe base64, without padding, of its canonical JSON."""
    return base64.urlsafe_b64encode(_canonical(_facts(token))).rstrip(b"=").decode("ascii")


def decode_token(text: str) -> CapToken:
    """Return the token that `encode_token` made the text from; nothing else is read, however close it looks.

    The signature is not looked at. Raises: TokenDecodeError, with the stage `base64` or `json`.
    """
    raw = _from_base64(text)
    token = _from_facts(_from_json(raw))
    if not _is_canonical(token, raw):
        raise TokenDecodeError("json", "the fields are not in their canonical form")
    return token


def _is_canonical(token: CapToken, raw: bytes) -> bool:
    try:
        return _canonical(_facts(token)) == raw
    except UnicodeEncodeError:  # a lone surrogate, written as an escape
        return False


def _from_base64(text: str) -> bytes:
    if len(text) > MAX_TOKEN_CHARS:
        raise TokenDecodeError("base64", f"more than {MAX_TOKEN_CHARS} characters")
    if not re.match(_ALPHABET, text):
        raise TokenDecodeError("base64", "a character is not of the URL-safe alphabet (padding is not written)")
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise TokenDecodeError("base64", str(error)) from None
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != text.encode("ascii"):
        raise TokenDecodeError("base64", "the last character has stray bits")
    return raw


def _from_json(raw: bytes) -> dict[str, Any]:
    try:
        facts = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique)
    except RecursionError:
        raise TokenDecodeError("json", "nested too deeply") from None
    except ValueError as error:
        raise TokenDecodeError("json", str(error)) from None
    if not isinstance(facts, dict):
        raise TokenDecodeError("json", "not an object")
    if facts.keys() != _FIELDS:
        raise TokenDecodeError("json", f"a token has exactly the fields {', '.join(sorted(_FIELDS))}")
    return facts


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    facts = dict(pairs)
    if len(facts) != len(pairs):
        raise ValueError("a field stands there twice")
    return facts


def _from_facts(facts: dict[str, Any]) -> CapToken:
    for name in ("agent_id", "nonce", "sig_hex"):
        _expect(isinstance(facts[name], str), name, "text")
    for name in ("issued_at", "expire_at"):
        _expect(_is_integer(facts[name]), name, "an integer from 0 to 2^53 - 1")
    _expect(facts["max_uses"] is None or _is_integer(facts["max_uses"]), "max_uses", "an integer or null")
    scopes = facts["scopes"]
    _expect(isinstance(scopes, list) and all(isinstance(scope, str) for scope in scopes), "scopes", "a list of texts")
    role = facts["role"]
    _expect(isinstance(role, str) and role in _ROLES, "role", f"one of {', '.join(sorted(_ROLES))}")
    return CapToken(**{**facts, "role": Role(role), "scopes": tuple(scopes)})


def _expect(ok: bool, name: str, expected: str) -> None:
    if not ok:
        raise TokenDecodeError("json", f"{name} is not {expected}")


def _is_integer(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _MAX_INTEGER


def _facts(token: CapToken) -> dict[str, Any]:
    return {
        "agent_id": token.agent_id,
        "role": token.role,
        "scopes": token.scopes,
        "issued_at": token.issued_at,
        "expire_at": token.expire_at,
        "max_uses": token.max_uses,
        "nonce": token.nonce,
        "sig_hex": token.sig_hex,
    }


def _canonical(facts: dict[str, Any]) -> bytes:
    return _ENCODER.encode(facts).encode("utf-8")

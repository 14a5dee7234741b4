"""Keys: where they are read, and how they are kept out of texts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping

from swarm_core.errors import SpawnFailed
from swarm_plugin_llm.settings import Provider

HIDDEN = "[key]"
_SHORTEST = 6  # shorter ones would be found in any text


async def key_of(provider: Provider, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the key of a provider, None when it has none; raises SpawnFailed when it cannot be had."""
    if provider.api_key_env is not None:
        return key_in(provider.api_key_env, f"provider {provider.name!r}", environ)
    if provider.api_key_keyring is not None:
        return await asyncio.to_thread(_from_keyring, provider)
    return None


def key_in(variable: str, whose: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return the key that a variable holds; raises SpawnFailed, for one that cannot stand in a header, too."""
    key = environ.get(variable, "").strip()
    if not key:
        raise SpawnFailed(f"{whose} needs a key, and {variable} is not set", hint=f"export {variable}=...")
    return _usable(key, variable)


def hide(text: str, key: str | None) -> str:
    """Return a text without the key, wherever it stands in it."""
    return text if key is None or len(key) < _SHORTEST else text.replace(key, HIDDEN)


def _from_keyring(provider: Provider) -> str:
    assert provider.api_key_keyring is not None
    try:
        import keyring
    except ImportError:
        raise SpawnFailed("no keyring is installed", hint="pip install 'swarm-plugin-llm[keyring]'") from None
    service, _, user = provider.api_key_keyring.partition("/")
    try:
        key = keyring.get_password(service, user)
    except Exception as error:  # each keyring has errors of its own
        raise SpawnFailed(f"the keyring of provider {provider.name!r} cannot be read: {type(error).__name__}") from None
    if not key:
        hint = f"keyring set {service} {user}"
        raise SpawnFailed(f"provider {provider.name!r}: the keyring has nothing for {service}/{user}", hint=hint)
    return _usable(key, f"the keyring's {service}/{user}")


def _usable(key: str, place: str) -> str:
    if not key.isascii() or not key.isprintable():
        raise SpawnFailed(f"what {place} has is no key: a key has printable ASCII characters only")
    return key

"""What goes wrong between here and a model, told as errors of workers."""

from __future__ import annotations

from typing import Any

from swarm_core.errors import WorkerError, WorkerFailed
from swarm_plugin_llm.chat import Cut, Malformed
from swarm_plugin_llm.clients import TooLarge
from swarm_plugin_llm.keys import hide
from swarm_plugin_llm.settings import Provider

CAME_BACK = frozenset({"llm_connection", "llm_timeout", "llm_rate_limited", "llm_unavailable"})
"""Kinds of failures that say nothing about the conversation: another attempt may go on with it."""

_LONGEST = 500
_CONTEXT_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error", "string_above_max_length"})
_CONTEXT_TEXTS = ("context length", "context size", "context window", "maximum context", "too many tokens", "too long")


class LlmFailed(WorkerFailed):
    """A model gave no answer that can be used; `kind` says why."""

    code = "llm_failed"

    def __init__(self, message: str, kind: str, hint: str | None = None) -> None:
        super().__init__(message, kind=kind, hint=hint)


def fault_of(error: Exception, provider: Provider, key: str | None, *, most: int) -> WorkerError | None:
    """Return what an error means for the attempt, None for one that is no matter of this plugin."""
    import openai

    if isinstance(error, WorkerError):
        return error
    if isinstance(error, openai.APIStatusError):
        return _status(error, provider, key)
    if isinstance(error, openai.APITimeoutError):
        hint = f"more time: [plugin.llm.providers.{provider.name}] timeout"
        return LlmFailed(f"provider {provider.name!r} said nothing for {provider.timeout:g} s", "llm_timeout", hint)
    if isinstance(error, openai.APIError) and not isinstance(error, openai.APIConnectionError):
        return _told(error, f"provider {provider.name!r}", key)
    return _broken(error, f"provider {provider.name!r}", key, most)


def _broken(error: Exception, whose: str, key: str | None, most: int) -> LlmFailed | None:
    """Return what an error means that is no answer of the server."""
    import openai

    if isinstance(error, Malformed):
        return LlmFailed(f"{whose} gave an answer that cannot be read: {hide(str(error), key)}", "llm_malformed")
    if isinstance(error, TooLarge):
        text = f"{whose} gave an answer of more than {most:,} characters, which was ended"
        return LlmFailed(text, "llm_too_large", "[plugin.llm] max_answer, or spec.max_tokens")
    if isinstance(error, Cut):
        return LlmFailed(f"{whose} ended its answer in the middle", "llm_connection")
    if isinstance(error, openai.APIConnectionError):
        reason = type(error.__cause__).__name__ if error.__cause__ else "no connection"
        return LlmFailed(f"{whose} cannot be reached ({reason})", "llm_connection", "is its base_url right?")
    return None


def _status(error: Any, provider: Provider, key: str | None) -> LlmFailed:
    status, whose = error.status_code, f"provider {provider.name!r}"
    said = _said(error, key)
    if _is_context(error, said):
        return _too_long(whose, said)
    kind, hint = "llm_refused", None
    if status in (401, 403):
        kind, hint = "llm_denied", _key_hint(provider)
    elif status == 404:
        kind, hint = "llm_not_found", "is the model's name right, and does base_url end as the server wants it (/v1)?"
    elif status == 429:
        kind, hint = "llm_rate_limited", "hints.per_agent.<agent>.retry makes further attempts, later"
    elif status >= 500:
        kind = "llm_unavailable"
    elif 300 <= status < 400:
        hint = "redirects are not followed; set base_url to where it leads"
    return LlmFailed(f"{whose} answers {status}: {said}", kind=kind, hint=hint)


def _told(error: Any, whose: str, key: str | None) -> LlmFailed:
    """Return what an error means that came in the middle of an answer."""
    said = _said(error, key)
    return _too_long(whose, said) if _is_context(error, said) else LlmFailed(f"{whose}: {said}", kind="llm_refused")


def _too_long(whose: str, said: str) -> LlmFailed:
    hint = "give the agent less input, fewer tools or shorter results, or a model that takes more"
    return LlmFailed(f"the conversation is longer than {whose} takes: {said}", kind="llm_context_too_long", hint=hint)


def _is_context(error: Any, said: str) -> bool:
    body = error.body if isinstance(error.body, dict) else {}
    if {str(body.get("code")), str(body.get("type"))} & _CONTEXT_CODES:
        return True
    return getattr(error, "status_code", 400) in (400, 413, 422) and any(
        text in said.lower() for text in _CONTEXT_TEXTS
    )


def _said(error: Any, key: str | None) -> str:
    """Return the server's own words: in one line, short, and without the key."""
    body = error.body
    text = body.get("message") if isinstance(body, dict) else body
    words = " ".join(hide(text if isinstance(text, str) else str(error.message), key).split())
    shown = "".join(each if each.isprintable() else "?" for each in words)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}..."


def _key_hint(provider: Provider) -> str:
    if provider.api_key_env is not None:
        return f"is the key in {provider.api_key_env} right?"
    if provider.api_key_keyring is not None:
        return "is the key in the keyring right?"
    return f"say the variable that has the key: [plugin.llm.providers.{provider.name}] api_key_env"

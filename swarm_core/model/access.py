"""Who may do what: roles, verbs, the default table, and the capability token."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from attrs import field, frozen


class Role(StrEnum):
    """What a token's holder is to the engine."""

    OPERATOR = "operator"
    WORKER = "worker"
    OBSERVER = "observer"
    SENIOR = "senior"


class Verb(StrEnum):
    """What can be asked of the engine; the first 24 are the seeds', `set_resource` is ours."""

    START_TASK = "start_task"
    DISPATCH_ATTEMPT = "dispatch_attempt"
    MINT_WORKER_TOKEN = "mint_worker_token"
    READ_TASK_STATE = "read_task_state"
    CANCEL_TASK = "cancel_task"
    QUERY_SENIOR = "query_senior"
    MARK_PASS = "mark_pass"
    MARK_BLOCKED = "mark_blocked"
    ATTACH_SESSION = "attach_session"
    DETACH_SESSION = "detach_session"
    HEARTBEAT = "heartbeat"
    POLL_TASK = "poll_task"
    FETCH_PROMPT = "fetch_prompt"
    FETCH_DATA = "fetch_data"
    POST_RESULT = "post_result"
    VERIFY_TOKEN = "verify_token"
    EMIT_OUTPUT = "emit_output"
    SUBSCRIBE_EVENTS = "subscribe_events"
    READ_TRACE = "read_trace"
    ANSWER_QUERY = "answer_query"
    OVERRIDE_VERDICT = "override_verdict"
    PAUSE_LOOP = "pause_loop"
    RESUME_LOOP = "resume_loop"
    INJECT_DIRECTIVE = "inject_directive"
    SET_RESOURCE = "set_resource"


_V = Verb

DEFAULT_ROLE_VERBS: Mapping[Role, frozenset[Verb]] = {
    Role.OPERATOR: frozenset(
        {
            _V.START_TASK,
            _V.DISPATCH_ATTEMPT,
            _V.MINT_WORKER_TOKEN,
            _V.READ_TASK_STATE,
            _V.CANCEL_TASK,
            _V.QUERY_SENIOR,
            _V.MARK_PASS,
            _V.MARK_BLOCKED,
            _V.ATTACH_SESSION,
            _V.DETACH_SESSION,
            _V.HEARTBEAT,
            _V.POLL_TASK,
            _V.SET_RESOURCE,
        }
    ),
    Role.WORKER: frozenset(
        {
            _V.FETCH_PROMPT,
            _V.FETCH_DATA,
            _V.POST_RESULT,
            _V.VERIFY_TOKEN,
            _V.EMIT_OUTPUT,
            _V.START_TASK,
            _V.DISPATCH_ATTEMPT,
            _V.READ_TASK_STATE,
            _V.POLL_TASK,
            _V.CANCEL_TASK,
        }
    ),
    Role.OBSERVER: frozenset({_V.SUBSCRIBE_EVENTS, _V.READ_TRACE, _V.READ_TASK_STATE}),
    Role.SENIOR: frozenset({_V.ANSWER_QUERY, _V.OVERRIDE_VERDICT, _V.PAUSE_LOOP, _V.RESUME_LOOP, _V.INJECT_DIRECTIVE}),
}


@frozen(kw_only=True)
class CapToken:
    """A signed grant: who, as what, for which scopes, until when, how often.

    `scopes` are `*`, `verb:<name>` or `data:<key>` (a trailing `*` in the key matches any rest). Times are Unix
    seconds. `max_uses` None means any number. `nonce` is 128 random bits; the engine keeps only its digest.
    """

    agent_id: str
    role: Role
    scopes: tuple[str, ...]
    issued_at: int
    expire_at: int
    max_uses: int | None
    nonce: str = field(repr=False)
    sig_hex: str = field(repr=False)

"""Every error says what, where and what to do next, keeps its facts, and is found under its parent."""

from __future__ import annotations

import inspect

import pytest

from swarm_core import errors
from swarm_core.errors import (
    AccessDenied,
    AlreadyAnswered,
    AnswerDenied,
    AnswerInvalid,
    BadSignature,
    BlueprintArchived,
    BlueprintNotFound,
    BudgetExceeded,
    DispatchFailed,
    DocumentError,
    EngineClosed,
    EngineError,
    EnhanceLogConflict,
    EnhanceLogNotFound,
    EnhanceSettingNotFound,
    FlowError,
    InvalidBlueprint,
    InvalidId,
    InvalidSemver,
    InvalidTransition,
    IssueEnded,
    IssueExists,
    IssueLost,
    IssueNotFound,
    NoMatchingVersion,
    NotFound,
    NotRegistered,
    OutputNotFound,
    PluginConflict,
    PluginError,
    PluginImportFailed,
    PluginIncompatible,
    PluginInvalid,
    PluginMissing,
    PluginUnavailable,
    PollTimeout,
    RejectedByMiddleware,
    ResourceNotFound,
    ResultConflict,
    ResumeKeyNotFound,
    RoleViolation,
    RunDiverged,
    RunEnded,
    RunLost,
    RunNotFound,
    RunOwned,
    ScopeViolation,
    SessionNotFound,
    SettingsError,
    SpawnDepthExceeded,
    SpawnFailed,
    StaleAttempt,
    StepBlocked,
    StepNotFound,
    StoreError,
    StoreUnavailable,
    StoreUnreadable,
    SwarmError,
    TaskNotFound,
    TokenDecodeError,
    TokenExpired,
    TokenNotFound,
    TokenRevoked,
    TokenTaskMismatch,
    TokenUsesExhausted,
    VerdictRejected,
    VersionConflict,
    WorkerError,
    WorkerFailed,
    WorkerTimeout,
)
from swarm_core.model.problem import Problem

PROBLEM = Problem(code="unknown_kind", message="no kind 'lau'", path="$.agents[0].kind", hint="did you mean 'lua'?")

SPOKEN: list[tuple[SwarmError, type[Exception], str]] = [
    (SwarmError("it broke", where="here", hint="mend it"), Exception, "here: it broke; mend it"),
    (DocumentError([PROBLEM]), SwarmError, "$.agents[0].kind: no kind 'lau'; did you mean 'lua'?"),
    (InvalidBlueprint([PROBLEM] * 3, source="b.yaml"), DocumentError, "b.yaml: $.agents[0].kind: no kind 'lau'"),
    (FlowError("PathNotFound", "nothing at $.x"), SwarmError, "nothing at $.x"),
    (EngineError("no"), SwarmError, "no"),
    (AccessDenied("no"), EngineError, "no"),
    (BadSignature(), AccessDenied, "token signature invalid"),
    (TokenExpired(), AccessDenied, "token expired"),
    (TokenRevoked(), AccessDenied, "token revoked"),
    (TokenUsesExhausted(), AccessDenied, "token uses exhausted"),
    (TokenNotFound(), AccessDenied, "token not found in store"),
    (RoleViolation("worker", "attach"), AccessDenied, "role violation: role=worker verb=attach"),
    (ScopeViolation("data:key"), AccessDenied, "do not cover 'data:key'"),
    (TokenTaskMismatch("T-1", "T-2"), AccessDenied, "token bound to T-1, arg was T-2"),
    (NotFound("x"), EngineError, "id not found: x"),
    (TaskNotFound("T-1"), NotFound, "task not found: T-1"),
    (RunNotFound("RUN-1"), NotFound, "run not found: RUN-1"),
    (SessionNotFound("S-1"), NotFound, "session not found: S-1"),
    (ResumeKeyNotFound("R-1"), NotFound, "resume key not found: R-1"),
    (ResourceNotFound("key"), NotFound, "resource not found: key"),
    (SpawnDepthExceeded(4, 4), EngineError, "4 >= 4; max_spawn_depth = 4 allows depths 0 to 3"),
    (InvalidTransition("it has ended"), EngineError, "it has ended"),
    (StaleAttempt("T-1", 2), InvalidTransition, "attempt 2 of task T-1 is over; what comes late changes nothing"),
    (ResultConflict("T-1", 1), InvalidTransition, "attempt 1 of task T-1 has given a result that is not this one"),
    (AlreadyAnswered("R-1"), EngineError, "already answered: R-1; the first answer counts"),
    (
        AlreadyAnswered("R-1", by="ann", at=1e9),
        EngineError,
        "already answered by ann at 2001-09-09 01:46:40 UTC: R-1; the first answer counts",
    ),
    (StepNotFound("/9"), NotFound, "step not found: /9"),
    (AnswerInvalid("R-1", "$.n: no number"), EngineError, "the answer to R-1 is refused: $.n: no number"),
    (AnswerDenied("R-1", "eve", ["ann", "bob"]), EngineError, "'eve' may not answer R-1; it is for: ann, bob"),
    (RunEnded("RUN-1", "done"), EngineError, "run RUN-1 has ended (done); begin a new one from any step with"),
    (RunOwned("RUN-1", "process 7 on host"), EngineError, "run RUN-1 is held by process 7 on host; follow it with"),
    (RunDiverged("RUN-1", "/0", "other input"), EngineError, "run RUN-1 cannot be replayed: step /0: other input"),
    (RunLost("RUN-1"), EngineError, "run RUN-1 was taken over by another engine"),
    (BudgetExceeded("dispatches", 3), EngineError, "the run has spent its budget of dispatches (3)"),
    (BudgetExceeded("tokens", 3.5, agent="w"), EngineError, "agent 'w' has spent its budget of tokens (3.5)"),
    (DispatchFailed("it died"), EngineError, "dispatch failed: it died"),
    (StepBlocked({"why": 1}, '{"why":1}'), EngineError, 'blocked: {"why":1}'),
    (PollTimeout(), EngineError, "poll timeout"),
    (EngineClosed(), EngineError, "the engine is closed"),
    (TokenDecodeError("json", "no object"), SwarmError, "json parse failed: no object"),
    (TokenDecodeError("base64", "padding"), SwarmError, "base64 decode failed: padding"),
    (InvalidId("x" * 999, expected="a run's id"), SwarmError, f"'{'x' * 80}' is not a run's id"),
    (WorkerError("no"), SwarmError, "no"),
    (SpawnFailed("no program", hint="install it", errno_name="ENOENT"), WorkerError, "no program; install it"),
    (NotRegistered("wrtier", ["writer"]), SpawnFailed, "worker not registered: wrtier; did you mean 'writer'?"),
    (RejectedByMiddleware("not today"), SpawnFailed, "spawn rejected by middleware: not today"),
    (WorkerFailed("it died", kind="no_final"), WorkerError, "it died"),
    (VerdictRejected("judge", "no verdict"), WorkerFailed, "the answer of agent 'judge' is refused: no verdict"),
    (WorkerTimeout(1.5), WorkerError, "no result after 1.5 s; raise hints.per_agent.<name>.timeout"),
    (WorkerTimeout(9, by="long_hold"), WorkerError, "no result after 9 s; the layer 'long_hold' sets this limit"),
    (StoreError("full"), SwarmError, "full"),
    (StoreUnavailable("locked"), StoreError, "locked"),
    (StoreUnreadable("no store", hint="look"), StoreError, "no store; look"),
    (OutputNotFound("out-1"), StoreError, "output not found: out-1"),
    (BlueprintNotFound("bp"), StoreError, "blueprint 'bp' not found"),
    (BlueprintNotFound("bp", "ab12"), StoreError, "blueprint 'bp' has no version ab12"),
    (
        BlueprintArchived("bp"),
        StoreError,
        "is archived; take it into use again with: swarm bp unarchive bp",
    ),
    (
        VersionConflict("bp", expected=None, actual="a" * 64),
        StoreError,
        f"is {'a' * 12}, not none",
    ),
    (
        NoMatchingVersion("bp", "^9", labels=["1.0.0"]),
        StoreError,
        "no version of blueprint 'bp' meets '^9'",
    ),
    (InvalidSemver("abc", blueprint_id="bp"), StoreError, "'abc' of blueprint 'bp' is no semantic version"),
    (IssueNotFound("h-9"), StoreError, "issue not found: h-9"),
    (IssueExists("h-1"), StoreError, "issue already exists: h-1; give a new issue an id of its own"),
    (IssueEnded("h-1", "applied"), StoreError, "issue h-1 has ended (applied); open a new issue to try again"),
    (IssueLost("h-1", "E-1"), StoreError, "issue h-1 is no longer in the hands of 'E-1'; drop the work"),
    (
        EnhanceSettingNotFound("defualt", ["default"]),
        StoreError,
        "enhance setting not found: defualt; did you mean 'default'?",
    ),
    (EnhanceLogNotFound("h-1"), StoreError, "enhance log has no entry for issue h-1"),
    (EnhanceLogConflict("h-1"), StoreError, "the entry for issue h-1 was already appended (append-only)"),
    (PluginError("it is wrong", plugin="p"), SwarmError, "plugin 'p': it is wrong"),
    (PluginImportFailed("no", plugin="p", distribution="d", version="1"), PluginError, "plugin 'p' (d 1): no"),
    (PluginIncompatible("no", plugin="p", distribution="d"), PluginError, "plugin 'p' (d): no"),
    (PluginConflict("no", plugin="p", hint="choose"), PluginError, "plugin 'p': no; choose"),
    (PluginInvalid("no", plugin="p"), PluginError, "plugin 'p': no"),
    (PluginMissing("no", plugin="p"), PluginError, "plugin 'p': no"),
    (PluginUnavailable("no", plugin="p"), PluginError, "plugin 'p': no"),
    (SettingsError.of([PROBLEM]), SwarmError, str(PROBLEM)),
    (SettingsError.of([PROBLEM, PROBLEM]), SwarmError, f"2 settings are wrong:\n  - {PROBLEM}\n  - {PROBLEM}"),
]


@pytest.mark.parametrize(("error", "parent", "text"), SPOKEN, ids=lambda value: type(value).__name__)
def test_an_error_says_its_facts_and_is_caught_as_its_parent(
    error: SwarmError, parent: type[Exception], text: str
) -> None:
    assert text in str(error)
    assert type(error).__mro__[1] is parent
    assert error.as_json()["code"] == error.code


def test_no_error_is_left_out() -> None:
    classes = [item for item in vars(errors).values() if inspect.isclass(item) and issubclass(item, SwarmError)]

    assert {type(error) for error, _, _ in SPOKEN} == set(classes)


def test_a_flow_error_as_data_leaves_out_what_is_not_known() -> None:
    error = FlowError("DispatcherError", "it failed", ref="writer", at="$.children[0]")

    assert error.as_json() == {
        "code": "flow_error",
        "kind": "DispatcherError",
        "message": "it failed",
        "ref": "writer",
        "where": "$.children[0]",
    }


@pytest.mark.parametrize(
    ("word", "hint"),
    [("lau", "did you mean 'lua'?"), ("quantum", "known: lua, subprocess")],
    ids=["a near word", "no near word"],
)
def test_a_hint_names_the_nearest_word_or_all_of_them(word: str, hint: str) -> None:
    assert errors.did_you_mean(word, ["subprocess", "lua"]) == hint


def test_a_hint_without_any_word_says_none() -> None:
    assert errors.did_you_mean("lua", [], otherwise="installed") == "installed: none"

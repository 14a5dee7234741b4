"""The tree of all errors that a caller can act on.

SwarmError                     everything below; carries code, message, where, hint
├── DocumentError              a Blueprint, agent or settings document is wrong; carries all its problems
│   └── InvalidBlueprint       the document reads well but cannot be compiled
├── FlowError                  the flow failed; `.kind` is one of FLOW_ERROR_KINDS
├── EngineError                the engine refuses or cannot do what it was asked
│   ├── AccessDenied           the token does not allow it
│   │   ├── BadSignature  TokenExpired  TokenRevoked  TokenUsesExhausted  TokenNotFound
│   │   └── RoleViolation  ScopeViolation  TokenTaskMismatch
│   ├── NotFound               TaskNotFound  RunNotFound  StepNotFound  SessionNotFound
│   │   └── ResumeKeyNotFound  ResourceNotFound
│   ├── SpawnDepthExceeded  DispatchFailed  StepBlocked  PollTimeout  EngineClosed  BudgetExceeded
│   ├── InvalidTransition      StaleAttempt  ResultConflict
│   ├── AlreadyAnswered  AnswerInvalid  AnswerDenied
│   ├── RunEnded  RunOwned  RunDiverged  RunLost
├── TokenDecodeError           text that is no token (`.stage` says whether base64 or json failed)
├── InvalidId                  an identifier of the wrong form
├── WorkerError                an attempt could not be carried out
│   ├── SpawnFailed            the worker never started: NotRegistered, RejectedByMiddleware
│   ├── WorkerFailed           the worker raised, died or answered garbage; VerdictRejected: it broke its contract
│   └── WorkerTimeout          the worker was given more time than its agent allows
├── StoreError                 OutputNotFound  BlueprintNotFound  BlueprintArchived  VersionConflict
│   ├── NoMatchingVersion      no version of a Blueprint meets the requirement; InvalidSemver: a label is no version
│   ├── IssueNotFound  IssueExists  IssueEnded  IssueLost
│   ├── EnhanceSettingNotFound  EnhanceLogNotFound  EnhanceLogConflict
│   ├── StoreUnavailable       the store cannot write or read just now: locked, full, failing
│   └── StoreUnreadable        what is there cannot be used: no store of ours, too new, damaged
├── PluginError                one plugin is wrong; carries its name, distribution and version
│   └── PluginImportFailed  PluginIncompatible  PluginConflict  PluginInvalid  PluginMissing  PluginUnavailable
└── SettingsError              swarm.toml, SWARM_* or a flag is wrong
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from swarm_core.model.problem import Problem

FLOW_ERROR_KINDS = (
    "ParseError",
    "PathNotFound",
    "InvalidPath",
    "NonBoolCond",
    "DispatcherError",
    "ExternError",
    "TypeError",
    "ArithError",
    "LimitError",
)

_SHOWN = 80  # characters of an id that is not there, which may be anything


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str = "known") -> str:
    """Return a hint that names the nearest known word, or all of them when none is near."""
    from difflib import get_close_matches

    names = sorted(known)
    close = get_close_matches(word, names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"{otherwise}: {', '.join(names) or 'none'}"


class SwarmError(Exception):
    """The root of all errors: a sentence that says what, where and what to do next."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        self.message, self.where, self.hint = message, where, hint
        super().__init__(message)

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}; {self.hint}" if self.hint else text

    def as_json(self) -> dict[str, Any]:
        """Return the error as data: code, message, where, hint."""
        return {"code": self.code, "message": self.message, "where": self.where, "hint": self.hint}


# documents ---------------------------------------------------------------------------------------------------


class DocumentError(SwarmError):
    """A document is wrong; `problems` has every one of them, in the order of the text."""

    code = "invalid_document"

    def __init__(self, problems: Sequence[Problem], *, source: str | None = None) -> None:
        self.problems, self.source = tuple(problems), source
        first = self.problems[0]
        more = len(self.problems) - 1
        text = str(first) if not more else f"{first} (and {more} more problem{'s' if more > 1 else ''})"
        super().__init__(text, where=source)


class InvalidBlueprint(DocumentError):
    """A Blueprint asks for something that cannot be compiled here."""

    code = "invalid_blueprint"


class FlowError(SwarmError):
    """A flow failed; errors are data: kind, message, ref or op, place in the document, step address.

    `kind` is one of FLOW_ERROR_KINDS (rules of flow.ir, "Error kinds"; LimitError is ours). `at` is the node's place in
    the document (`$.children[2].body`), `address` the step address; both are None until the evaluator has filled them
    in.
    """

    code = "flow_error"

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        ref: str | None = None,
        op: str | None = None,
        at: str | None = None,
        address: str | None = None,
        problems: Sequence[Problem] = (),
    ) -> None:
        self.kind, self.ref, self.op, self.at, self.address = kind, ref, op, at, address
        self.problems = tuple(problems)
        super().__init__(message)

    def __str__(self) -> str:
        return self.message

    def as_json(self) -> dict[str, Any]:
        """Return the error as data; absent facts are left out."""
        facts = {
            "code": self.code,
            "kind": self.kind,
            "message": self.message,
            "ref": self.ref,
            "op": self.op,
            "where": self.at,
            "address": self.address,
        }
        return {key: value for key, value in facts.items() if value is not None}


# engine ------------------------------------------------------------------------------------------------------


class EngineError(SwarmError):
    """The engine refuses or cannot do what it was asked."""

    code = "engine_error"


class AccessDenied(EngineError):
    """The token does not allow the call."""

    code = "access_denied"


class BadSignature(AccessDenied):
    """The token was not signed by this engine, or was changed since."""

    code = "bad_signature"

    def __init__(self) -> None:
        super().__init__("token signature invalid")


class TokenExpired(AccessDenied):
    """The token's time is over (`now >= expire_at`)."""

    code = "token_expired"

    def __init__(self) -> None:
        super().__init__("token expired")


class TokenRevoked(AccessDenied):
    """The token was withdrawn, or the attempt it was made for has ended."""

    code = "token_revoked"

    def __init__(self) -> None:
        super().__init__("token revoked")


class TokenUsesExhausted(AccessDenied):
    """The token was used as often as it may be."""

    code = "token_uses_exhausted"

    def __init__(self) -> None:
        super().__init__("token uses exhausted")


class TokenNotFound(AccessDenied):
    """The token is well signed but this engine keeps no record of it."""

    code = "token_not_found"

    def __init__(self) -> None:
        super().__init__("token not found in store")


class RoleViolation(AccessDenied):
    """The token's role is not granted the verb."""

    code = "role_violation"

    def __init__(self, role: str, verb: str) -> None:
        self.role, self.verb = role, verb
        super().__init__(f"role violation: role={role} verb={verb}")


class ScopeViolation(AccessDenied):
    """The token's scopes do not cover the verb or the data key."""

    code = "scope_violation"

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted
        super().__init__(f"scope violation: the token's scopes do not cover {wanted!r}")


class TokenTaskMismatch(AccessDenied):
    """A worker's token was used on a task other than its own."""

    code = "token_task_mismatch"

    def __init__(self, bound: str, arg: str) -> None:
        self.bound, self.arg = bound, arg
        super().__init__(f"token task mismatch: token bound to {bound}, arg was {arg}")


class NotFound(EngineError):
    """Nothing has this id."""

    code = "not_found"
    thing: ClassVar[str] = "id"

    def __init__(self, key: str, *, hint: str | None = None) -> None:
        self.key = key
        super().__init__(f"{self.thing} not found: {key}", hint=hint)


class TaskNotFound(NotFound):
    """No task has this id."""

    code, thing = "task_not_found", "task"


class RunNotFound(NotFound):
    """No run has this id."""

    code, thing = "run_not_found", "run"


class StepNotFound(NotFound):
    """No step of the run has this address."""

    code, thing = "step_not_found", "step"


class SessionNotFound(NotFound):
    """No session has this id or token."""

    code, thing = "session_not_found", "session"


class ResumeKeyNotFound(NotFound):
    """No question waits under this key."""

    code, thing = "resume_key_not_found", "resume key"


class ResourceNotFound(NotFound):
    """No resource of the run has this key."""

    code, thing = "resource_not_found", "resource"


class SpawnDepthExceeded(EngineError):
    """A task would stand deeper than `max_spawn_depth` allows (4 means depths 0 to 3)."""

    code = "spawn_depth_exceeded"

    def __init__(self, current: int, maximum: int) -> None:
        self.current, self.max = current, maximum
        super().__init__(
            f"spawn depth exceeded: {current} >= {maximum}",
            hint=f"max_spawn_depth = {maximum} allows depths 0 to {maximum - 1}",
        )


class InvalidTransition(EngineError):
    """The task's status does not allow the change; terminal states are final."""

    code = "invalid_transition"


class StaleAttempt(InvalidTransition):
    """What a worker says or asks comes after its attempt; nothing is changed by it."""

    code = "stale_attempt"

    def __init__(self, task_id: str, attempt: int | None) -> None:
        self.task_id, self.attempt = task_id, attempt
        super().__init__(
            f"attempt {attempt} of task {task_id} is over; what comes late changes nothing",
            hint="end this work: the task has ended, or another attempt has taken its place",
        )


class ResultConflict(InvalidTransition):
    """A worker gives a result, or a part of one, that it has given otherwise before."""

    code = "result_conflict"

    def __init__(self, task_id: str, attempt: int, what: str = "a result") -> None:
        self.task_id, self.attempt = task_id, attempt
        super().__init__(
            f"attempt {attempt} of task {task_id} has given {what} that is not this one",
            hint="the first one counts; sending the same again is no mistake",
        )


class AlreadyAnswered(EngineError):
    """The question has its answer; the first one counts.

    `by` and `at` (Unix seconds) are None where nobody gave one.
    """

    code = "already_answered"

    def __init__(self, key: str, *, by: str | None = None, at: float | None = None) -> None:
        from datetime import UTC, datetime

        self.key, self.by, self.at = key, by, at
        told = (
            "" if by is None or at is None else f" by {by} at {datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
        )
        super().__init__(f"already answered{told}: {key}", hint="the first answer counts")


class AnswerInvalid(EngineError):
    """An answer does not fit the question's JSON Schema; the question stays open."""

    code = "answer_invalid"

    def __init__(self, key: str, reason: str) -> None:
        self.key, self.reason = key, reason
        super().__init__(f"the answer to {key} is refused: {reason}", hint="the question stays open")


class AnswerDenied(EngineError):
    """The question is for others to answer."""

    code = "answer_denied"

    def __init__(self, key: str, by: str, who: Sequence[str]) -> None:
        self.key, self.by, self.who = key, by, tuple(who)
        super().__init__(f"{by!r} may not answer {key}", hint=f"it is for: {', '.join(who)}")


class RunEnded(EngineError):
    """The run has ended and cannot be resumed; `status` says how."""

    code = "run_ended"

    def __init__(self, run_id: str, status: str) -> None:
        self.run_id, self.status = run_id, status
        hint = f"begin a new one from any step with: swarm rerun {run_id} --from ADDRESS"
        super().__init__(f"run {run_id} has ended ({status})", hint=hint)


class RunOwned(EngineError):
    """Another living engine holds the run."""

    code = "run_owned"

    def __init__(self, run_id: str, owner: str) -> None:
        self.run_id, self.owner = run_id, owner
        hint = f"follow it with: swarm watch {run_id}"
        super().__init__(f"run {run_id} is held by {owner}", hint=hint)


class RunDiverged(EngineError):
    """A replay asks for something else than was recorded; `address` is the step's."""

    code = "run_diverged"

    def __init__(self, run_id: str, address: str, reason: str) -> None:
        self.run_id, self.address, self.reason = run_id, address, reason
        hint = f"nothing was run; see what can be kept with: swarm migrate {run_id} --to FILE"
        super().__init__(f"run {run_id} cannot be replayed: step {address}: {reason}", hint=hint)


class RunLost(EngineError):
    """Another engine took the run over; what this one still has of it counts no more."""

    code = "run_lost"

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        super().__init__(f"run {run_id} was taken over by another engine", hint=f"swarm watch {run_id}")


class BudgetExceeded(EngineError):
    """The run, or an agent of it, has spent what it was given; `name` is the budget's, such as `dispatches`."""

    code = "budget_exceeded"

    def __init__(self, name: str, limit: float, *, agent: str | None = None) -> None:
        self.name, self.limit, self.agent = name, limit, agent
        whose = "the run" if agent is None else f"agent {agent!r}"
        place = "`budget`" if agent is None else "hints.per_agent.<name>.budget"
        super().__init__(f"{whose} has spent its budget of {name} ({limit:,})", hint=f"it is set in {place}")


class DispatchFailed(EngineError):
    """An attempt ended without a result; `cause` says how: failed, timeout, refused, no_final or cancelled."""

    code = "dispatch_failed"

    def __init__(self, reason: str, *, cause: str = "failed") -> None:
        self.reason, self.cause = reason, cause
        super().__init__(f"dispatch failed: {reason}")


class StepBlocked(EngineError):
    """A step's worker says that it failed; `value` is what it said."""

    code = "blocked"

    def __init__(self, value: Any, text: str) -> None:
        self.value = value
        super().__init__(f"blocked: {text}")


class PollTimeout(EngineError):
    """What was waited for did not come in time."""

    code = "poll_timeout"

    def __init__(self) -> None:
        super().__init__("poll timeout")


class EngineClosed(EngineError):
    """The engine is shutting down and takes no more work."""

    code = "engine_closed"

    def __init__(self) -> None:
        super().__init__("the engine is closed")


class TokenDecodeError(SwarmError):
    """A text is no token; `stage` is `base64` or `json`."""

    code = "token_decode"

    def __init__(self, stage: str, reason: str) -> None:
        self.stage = stage
        what = "base64 decode failed" if stage == "base64" else "json parse failed"
        super().__init__(f"{what}: {reason}")


class InvalidId(SwarmError):
    """A text is not an identifier of the wanted kind."""

    code = "invalid_id"

    def __init__(self, text: str, *, expected: str) -> None:
        self.text = text[:80]
        super().__init__(f"{self.text!r} is not {expected}")


# workers -----------------------------------------------------------------------------------------------------


class WorkerError(SwarmError):
    """An attempt could not be carried out."""

    code = "worker_error"


class SpawnFailed(WorkerError):
    """The worker never started; `errno_name` is set where the system said why (ENOENT, EACCES ...)."""

    code = "spawn_failed"

    def __init__(self, message: str, *, hint: str | None = None, errno_name: str | None = None) -> None:
        self.errno_name = errno_name
        super().__init__(message, hint=hint)


class NotRegistered(SpawnFailed):
    """No worker stands behind the agent's name."""

    code = "not_registered"

    def __init__(self, agent: str, known: Iterable[str] = ()) -> None:
        self.agent = agent
        super().__init__(f"worker not registered: {agent}", hint=did_you_mean(agent, known, otherwise="registered"))


class RejectedByMiddleware(SpawnFailed):
    """A layer refused the attempt before its worker started."""

    code = "rejected_by_middleware"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"spawn rejected by middleware: {reason}")


class WorkerFailed(WorkerError):
    """The worker raised, died, or answered what is no result; `kind` is a snake_case reason a retry policy can name."""

    code = "worker_failed"

    def __init__(self, message: str, *, kind: str = "worker_failed", hint: str | None = None) -> None:
        self.kind = kind
        super().__init__(message, hint=hint)


class VerdictRejected(WorkerFailed):
    """An agent's answer breaks its verdict contract; the engine makes one further attempt, which is told `reason`."""

    code = "verdict_rejected"

    def __init__(self, agent: str, reason: str) -> None:
        self.agent, self.reason = agent, reason
        super().__init__(f"the answer of agent {agent!r} is refused: {reason}", kind="verdict_rejected")


class WorkerTimeout(WorkerError):
    """The worker was given more time than its agent, or the layer `by`, allows."""

    code = "worker_timeout"

    def __init__(self, seconds: float, *, by: str | None = None) -> None:
        self.seconds, self.by = seconds, by
        hint = "raise hints.per_agent.<name>.timeout" if by is None else f"the layer {by!r} sets this limit"
        super().__init__(f"no result after {seconds:g} s", hint=hint)


# stores ------------------------------------------------------------------------------------------------------


class StoreError(SwarmError):
    """A store cannot do what it was asked."""

    code = "store_error"


class OutputNotFound(StoreError):
    """No output has this reference or producer."""

    code = "output_not_found"

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"output not found: {key}")


class StoreUnavailable(StoreError):
    """The store cannot do it now: locked by another process, disk full, an I/O error. Nothing was acknowledged."""

    code = "store_unavailable"


class StoreUnreadable(StoreError):
    """What is there cannot be used: no store of ours, of a newer schema, damaged, or a row that does not decode."""

    code = "store_unreadable"


class BlueprintNotFound(StoreError):
    """The store has no Blueprint of this id, or not this version of it."""

    code = "blueprint_not_found"

    def __init__(self, blueprint_id: str, version: str | None = None, *, hint: str | None = None) -> None:
        self.blueprint_id, self.version = blueprint_id, version
        what = f"blueprint {blueprint_id!r}"
        super().__init__(f"{what} not found" if version is None else f"{what} has no version {version}", hint=hint)


class BlueprintArchived(StoreError):
    """The Blueprint was taken out of use; its versions can still be read one by one."""

    code = "blueprint_archived"

    def __init__(self, blueprint_id: str) -> None:
        self.blueprint_id = blueprint_id
        hint = f"take it into use again with: swarm bp unarchive {blueprint_id}"
        super().__init__(f"blueprint {blueprint_id!r} is archived", hint=hint)


class VersionConflict(StoreError):
    """The head of a Blueprint is not the version that a writer took for it, so nothing was written."""

    code = "version_conflict"

    def __init__(self, blueprint_id: str, *, expected: str | None, actual: str | None) -> None:
        self.blueprint_id, self.expected, self.actual = blueprint_id, expected, actual
        super().__init__(
            f"the head of blueprint {blueprint_id!r} is {_version(actual)}, not {_version(expected)}",
            hint="somebody else wrote it meanwhile; read the head again, and write on top of that",
        )


class NoMatchingVersion(StoreError):
    """No version of a Blueprint has a label that meets a requirement."""

    code = "no_matching_version"

    def __init__(self, blueprint_id: str, requirement: str, *, labels: Sequence[str] = ()) -> None:
        self.blueprint_id, self.requirement, self.labels = blueprint_id, requirement, tuple(labels)
        known = f"its labels: {', '.join(labels)}" if labels else "none of its versions has a metadata.version_label"
        super().__init__(f"no version of blueprint {blueprint_id!r} meets {requirement!r}", hint=known)


class InvalidSemver(StoreError):
    """A label that a requirement is to be compared with is no semantic version, or the requirement is none."""

    code = "invalid_semver"

    def __init__(self, text: str, *, blueprint_id: str | None = None) -> None:
        self.text, self.blueprint_id = text, blueprint_id
        of = "" if blueprint_id is None else f" of blueprint {blueprint_id!r}"
        super().__init__(f"{text[:80]!r}{of} is no semantic version", hint="versions are like 1.2.0, requirements ^1.2")


class IssueNotFound(StoreError):
    """No issue has this id."""

    code = "issue_not_found"

    def __init__(self, issue_id: str) -> None:
        self.issue_id = issue_id
        super().__init__(f"issue not found: {issue_id[:_SHOWN]}")


class IssueExists(StoreError):
    """An issue of this id is there already; nothing was written."""

    code = "issue_exists"

    def __init__(self, issue_id: str) -> None:
        self.issue_id = issue_id
        super().__init__(f"issue already exists: {issue_id}", hint="give a new issue an id of its own")


class IssueEnded(StoreError):
    """The issue is applied or rejected, which is final."""

    code = "issue_ended"

    def __init__(self, issue_id: str, status: str) -> None:
        self.issue_id, self.status = issue_id, status
        super().__init__(f"issue {issue_id} has ended ({status})", hint="open a new issue to try again")


class IssueLost(StoreError):
    """The issue is not in the hands of this owner any more: its lease ran out, or somebody gave it back."""

    code = "issue_lost"

    def __init__(self, issue_id: str, owner: str) -> None:
        self.issue_id, self.owner = issue_id, owner
        hint = "drop the work; whoever takes the issue next goes on with it"
        super().__init__(f"issue {issue_id} is no longer in the hands of {owner!r}", hint=hint)


class EnhanceSettingNotFound(StoreError):
    """No enhance setting has this id."""

    code = "enhance_setting_not_found"

    def __init__(self, setting_id: str, known: Iterable[str] = ()) -> None:
        self.setting_id = setting_id
        hint = did_you_mean(setting_id[:_SHOWN], known, otherwise="there are")
        super().__init__(f"enhance setting not found: {setting_id[:_SHOWN]}", hint=hint)


class EnhanceLogNotFound(StoreError):
    """The enhance log has no entry for this issue."""

    code = "enhance_log_not_found"

    def __init__(self, issue_id: str) -> None:
        self.issue_id = issue_id
        super().__init__(f"enhance log has no entry for issue {issue_id[:_SHOWN]}")


class EnhanceLogConflict(StoreError):
    """The enhance log has an entry for this issue already, and none is ever replaced."""

    code = "enhance_log_conflict"

    def __init__(self, issue_id: str) -> None:
        self.issue_id = issue_id
        super().__init__(f"the entry for issue {issue_id} was already appended (append-only)")


def _version(version: str | None) -> str:
    return "none: it is not there" if version is None else version[:12]


# plugins -----------------------------------------------------------------------------------------------------


class PluginError(SwarmError):
    """One plugin is wrong; the others and the core are not touched by it."""

    code = "plugin_error"

    def __init__(
        self,
        message: str,
        *,
        plugin: str,
        distribution: str | None = None,
        version: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.plugin, self.distribution, self.version = plugin, distribution, version
        where = f"plugin {plugin!r}"
        if distribution:
            where += f" ({distribution} {version})" if version else f" ({distribution})"
        super().__init__(message, where=where, hint=hint)


class PluginImportFailed(PluginError):
    """Importing the plugin raised; `traceback` has the text."""

    code = "plugin_import_failed"
    traceback: str = ""


class PluginIncompatible(PluginError):
    """The plugin was written for another API number, or another version of the core."""

    code = "plugin_incompatible"


class PluginConflict(PluginError):
    """Two plugins claim one name: their own, or that of a kind, layer, set, store, resolver, function or suffix."""

    code = "plugin_conflict"


class PluginInvalid(PluginError):
    """A hook of the plugin is unknown, has a wrong signature, raised, or returned what it must not."""

    code = "plugin_invalid"


class PluginMissing(PluginError):
    """Settings require a plugin that is not installed."""

    code = "plugin_missing"


class PluginUnavailable(PluginError):
    """A run needs what a refused or disabled plugin would provide."""

    code = "plugin_unavailable"


class SettingsError(SwarmError):
    """swarm.toml, a SWARM_* variable or a flag is wrong; `problems` has every wrong key."""

    code = "settings_error"
    problems: tuple[Problem, ...] = ()

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> SettingsError:
        """Return one error that tells all the problems, a line each."""
        lines = [str(problem) for problem in problems]
        one = len(lines) == 1
        error = cls(lines[0] if one else "\n  - ".join([f"{len(lines)} settings are wrong:", *lines]))
        error.problems = tuple(problems)
        return error

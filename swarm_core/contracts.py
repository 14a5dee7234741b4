"""What a stranger may implement, and what the core promises in return."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from attrs import frozen

from swarm_core.model.call import Call, Result
from swarm_core.model.output import OutputEvent, OutputRecord
from swarm_core.model.run import (
    Asked,
    Durability,
    JournalRow,
    Owner,
    Question,
    Refusal,
    RunFilter,
    RunWrite,
    StoredRun,
)
from swarm_core.model.shown import shown
from swarm_core.model.task import RunStatus
from swarm_core.model.version import BlueprintVersion, CommitMetadata

if TYPE_CHECKING:
    from pathlib import Path

    from swarm_core.model.blueprint import VerdictContract
    from swarm_core.model.enhance import (
        Applied,
        EnhanceLogEntry,
        EnhanceSetting,
        IssuePayload,
        IssueStatus,
        Pending,
        Rejected,
        TakenIssue,
    )
    from swarm_core.model.event import Event
    from swarm_core.model.problem import Problem

Run = Callable[[Call], Awaitable[Result]]


class _NoDefault:
    """The type of NO_DEFAULT."""

    def __repr__(self) -> str:
        return "NO_DEFAULT"


NO_DEFAULT: Any = _NoDefault()
"""Stands for a default that was not given, where None is one."""


class Spawner(ABC):
    """Carries out the attempts of one agent."""

    parks: ClassVar[bool] = False
    """Whether the engine may let go of an attempt that waits for an answer, and begin it anew when the answer is there.

    Only for a kind whose attempts do nothing before they ask that must not be done twice.
    """

    @abstractmethod
    async def run(self, call: Call) -> Result | None:
        """Carry out one attempt and return its result.

        Returning None means: the last `Final` that was emitted through `call.context` is the result. Cancelling the
        coroutine ends the work, whatever it is; nothing may outlive it. Raises: any exception, which blocks the task
        (`WorkerFailed` and `SpawnFailed` are the ones with a reason a person can read).
        """


class SpawnerLayer(ABC):
    """Wraps the attempts of every agent of a launch."""

    @abstractmethod
    async def run(self, call: Call, inner: Run) -> Result:
        """Do something before, instead of, or after `await inner(call)`, and return the result that shall count.

        Returning another Result than `inner` gave is recorded under the layer's key. Exceptions and cancellation of
        `inner` are let through unless the layer exists to handle them; cancellation always is.
        """


class AgentResolver(ABC):
    """Maps the agent a step names to the agent that shall run."""

    @abstractmethod
    def resolve(self, agent: str, call: Call) -> str:
        """Return the concrete agent's name; the same name when nothing is to be changed."""


class Operator(ABC):
    """Someone or something that takes whole attempts: a person, an AI at the other end of a connection."""

    @abstractmethod
    async def execute(self, call: Call, system: str | None) -> Result:
        """Carry out one attempt, with the rendered system prompt where the agent has one."""


class SeniorBridge(ABC):
    """Someone who can be asked when a worker is stuck."""

    @abstractmethod
    async def ask(self, task_id: str, question: Any) -> Any:
        """Return the answer, a JSON value; raise when there is none."""


class SpawnHook(ABC):
    """Looks at attempts of a main AI before and after."""

    @abstractmethod
    async def before(self, call: Call) -> None:
        """Return to let the attempt start; raise to refuse it."""

    @abstractmethod
    async def after(self, call: Call, result: Result | BaseException) -> None:
        """Take note of the end; what this returns or raises changes nothing."""


class EventListener(ABC):
    """Hears every event of every run of a swarm, in their order; see `Attachments.listeners`."""

    @abstractmethod
    def hear(self, event: Event) -> None:
        """Take note of an event as it happens, before it is on disk.

        It holds up the engine for as long as it takes. What it raises is reported to the event loop, and changes
        nothing else.
        """


class AttemptContext(ABC):
    """What one attempt may ask of the engine.

    Authority is checked when the context is made and bound to this task and attempt; after the attempt's end every
    method raises `TokenRevoked`.
    """

    latest: Result | None
    """The final recorded last, whoever gave it."""

    @abstractmethod
    def emit(self, event: OutputEvent) -> None:
        """Append an output to the attempt's tail; a `Final` counts as the result unless another one follows."""

    @abstractmethod
    def record_final(self, result: Result, *, by: str | None = None) -> None:
        """Append a result to the tail; `by` is the key of the layer that gave it, None for the worker's own."""

    @abstractmethod
    def publish(self, kind: str, **facts: Any) -> None:
        """Put an event of the plugin's own kind on the run's event stream.

        Raises: ValueError, when the kind is one of the engine's own or is no snake_case name.
        """

    @abstractmethod
    async def start_child(self, agent: str, input: Any) -> Result:
        """Run another agent of the same Blueprint below this task and return its result.

        Raises: SpawnDepthExceeded, DispatchFailed.
        """

    @abstractmethod
    async def ask(
        self,
        question: Any,
        *,
        timeout: float | None = None,
        schema: Any = None,
        who: Sequence[str] = (),
        default: Any = NO_DEFAULT,
    ) -> Any:
        """Suspend the task until somebody answers, and return the answer.

        `schema` is the JSON Schema that the answer must fit, `who` the names that may answer (empty: anyone). After
        `timeout` seconds the answer is `default`. With a run store the question outlives the process: what a task that
        is run again asks again gets the answer that it got before. Raises: PollTimeout, when the time is over and
        there is no default; ValueError, when `schema` is no JSON Schema.
        """

    @property
    @abstractmethod
    def waited(self) -> float:
        """The seconds that the attempt has waited for answers to `ask` so far."""

    @abstractmethod
    async def remember(self, key: str, value: Any) -> None:
        """Keep a JSON value for this task under a key of the caller's own; it is as durable as the run on return.

        An attempt that is begun anew after a restart, or as a retry, finds it with `recall`. A plugin's key begins with
        its name. A value of None forgets. Raises: ValueError, when the key is no text of 1 to 200 characters; NotJson.
        """

    @abstractmethod
    def recall(self, key: str) -> Any:
        """Return what this task remembers under a key, None when it remembers nothing."""

    @abstractmethod
    def beat(self) -> None:
        """Give the session that the task belongs to a sign of life, unless it is detached."""

    @abstractmethod
    def time_out(self, seconds: float, *, by: str) -> None:
        """Let the attempt's time be over now: its worker is told to end, and the attempt fails with WorkerTimeout.

        `seconds` is how much time it was given, `by` the key of the layer that says so.
        """

    @abstractmethod
    def spend(self, **amounts: float) -> None:
        """Report what was used of the budget's counters, such as `tokens=1200, cost=0.03`; amounts add up.

        Raises: ValueError, for an amount that is negative or no number.
        """

    @abstractmethod
    def fetch_data(self, key: str) -> Any:
        """Return a resource of this run.

        Raises: ResourceNotFound.
        """

    @property
    @abstractmethod
    def deadline(self) -> float | None:
        """The monotonic time at which the attempt will be timed out, or None."""

    @abstractmethod
    def bake(self, call: Call, *, system: str | None = None, verdict: VerdictContract | None = None) -> None:
        """Say what a worker outside the process is given when it fetches its work: the call as it has come by now.

        `system` is the agent's system prompt as it is to be read, `verdict` the contract that the answer must keep.
        Who hands an attempt over does this first; without it the worker is given the task's input and nothing else.
        """

    @abstractmethod
    def token(self) -> str:
        """Return the attempt's capability token, minted at first use, for a worker outside the process."""

    @abstractmethod
    def handle(self) -> str:
        """Return the short handle that stands for the token."""


# stores ------------------------------------------------------------------------------------------------------


class OutputStore(ABC):
    """Keeps what workers said, by run, task and attempt."""

    @abstractmethod
    async def append(
        self,
        *,
        run_id: str,
        task_id: str,
        attempt: int,
        producer_agent: str,
        event: OutputEvent,
        parent_refs: Sequence[str] = (),
    ) -> str:
        """Keep one output and return its reference (`out-...`)."""

    @abstractmethod
    async def get(self, ref: str) -> OutputRecord:
        """Return one output.

        Raises: OutputNotFound.
        """

    @abstractmethod
    async def get_latest_by_name(self, producer_agent: str) -> OutputRecord:
        """Return the newest output of a producer, over all tasks.

        Raises: OutputNotFound.
        """

    @abstractmethod
    async def list_for_attempt(self, task_id: str, attempt: int) -> Sequence[OutputRecord]:
        """Return an attempt's outputs in the order they came."""

    @abstractmethod
    async def keep(self, run_id: str, blobs: Mapping[str, bytes]) -> None:
        """Keep large values by the SHA-256 of their bytes (64 hex digits), for as long as a run refers to them.

        What is known already is not written again. When this returns, they are as durable as the store makes things.
        """

    @abstractmethod
    async def load(self, digest: str) -> bytes:
        """Return a value that was kept.

        Raises: OutputNotFound; StoreUnreadable, when what is there no longer has that digest.
        """

    @abstractmethod
    async def forget_run(self, run_id: str) -> None:
        """Drop all outputs of a run, and the large values that no other run refers to."""


class RunStore(ABC):
    """Keeps runs, their journals and their questions.

    Every write is atomic and, when it returns, as durable as `durability` says. Writers of one store may be several
    processes. Raises, from every method: StoreUnavailable, when it cannot be done now and nothing was written;
    StoreUnreadable, when what is there cannot be used.
    """

    durability: Durability
    url: str
    """Where the store is, as people may read it: no secrets."""
    outputs: OutputStore | None = None
    """Where outputs are kept in the same place and the same transactions, None when that is elsewhere."""

    # owners

    @abstractmethod
    async def enlist(self, owner: Owner) -> None:
        """Keep an engine as an owner, or renew its sign of life."""

    @abstractmethod
    async def leave(self, owner_id: str) -> None:
        """Forget an owner; runs that it still holds have none then."""

    @abstractmethod
    async def owners(self) -> Sequence[Owner]:
        """Return all owners."""

    # writing

    @abstractmethod
    async def commit(self, writes: Sequence[RunWrite]) -> Mapping[str, Refusal]:
        """Write what belongs to several runs in one transaction; return the runs that were refused, and why.

        A refused run is not changed at all; the others are written.
        """

    @abstractmethod
    async def claim(self, run_id: str, owner_id: str, epoch: int) -> StoredRun:
        """Give a run that is at `epoch` to an owner and return it; its epoch is then one higher.

        Raises: RunNotFound; RunLost, when the run is at another epoch.
        """

    @abstractmethod
    async def ask_cancel(self, run_id: str, by: str, at: float) -> StoredRun:
        """Note that a cancel is wanted, unless the run has ended or it was noted before; return the run.

        Raises: RunNotFound.
        """

    @abstractmethod
    async def answer(self, key: str, answer: Any, *, by: str, at: float) -> Question:
        """Give an open question its answer and return it; the first answer counts.

        Whether the answer fits is checked before. Raises: ResumeKeyNotFound; AlreadyAnswered, when it is not open.
        """

    @abstractmethod
    async def delete(self, run_id: str) -> None:
        """Remove a run with its journal and questions, and its Blueprint unless other runs have it.

        Raises: RunNotFound.
        """

    # reading

    @abstractmethod
    async def get(self, run_id: str) -> StoredRun:
        """Return a run's record.

        Raises: RunNotFound, with the nearest id as hint.
        """

    @abstractmethod
    async def find(self, key: str) -> StoredRun | None:
        """Return the run that was launched under an idempotency key."""

    @abstractmethod
    async def runs(self, wanted: RunFilter) -> Sequence[StoredRun]:
        """Return the runs that the filter lets through, the newest first."""

    @abstractmethod
    async def count(self) -> Mapping[RunStatus, int]:
        """Return how many runs stand where."""

    @abstractmethod
    async def blueprint(self, digest: str) -> str:
        """Return a Blueprint as canonical JSON text.

        Raises: StoreError, when there is none.
        """

    @abstractmethod
    async def result(self, run_id: str) -> str | None:
        """Return the final ctx of a run as JSON text (see the journal), None when it has none.

        Raises: RunNotFound.
        """

    @abstractmethod
    async def rows(self, run_id: str, after: int = 0, limit: int | None = None) -> Sequence[JournalRow]:
        """Return the rows of a run's journal whose last event comes after number `after`, in order.

        Raises: RunNotFound.
        """

    @abstractmethod
    async def questions(self, run_id: str | None = None, *, open_only: bool = False) -> Sequence[Question]:
        """Return questions, of one run or of all, in the order in which they were asked."""

    @abstractmethod
    async def question(self, key: str) -> Question:
        """Return one question.

        Raises: ResumeKeyNotFound.
        """

    @abstractmethod
    async def asked(self, owner_id: str, now: float) -> Asked | None:
        """Return what was asked of an owner's runs, None when nothing changed since the last call.

        Cheap: an engine calls it ten times a second. The same things are told again as long as they hold: a cancel
        until the run has ended, an answer until it was taken (`RunWrite.taken`), a due question until it is no longer
        open. A question falls due without a change; it is told at the latest a second after its time.
        """

    @abstractmethod
    async def version(self) -> object:
        """Return a value that differs from the one before when another process may have written; cheap."""

    @abstractmethod
    async def problems(self) -> Sequence[str]:
        """Check the store as a whole and return what is wrong with it, a sentence each."""


class BlueprintStore(ABC):
    """Keeps Blueprints by id, each with the history of its versions.

    A Blueprint is given and returned as canonical JSON text (sorted keys, no blanks), and its version is the SHA-256 of
    that text. Writers of one store may be several processes; each write is atomic. Ids are checked by the store on the
    way in. Raises, from every method: StoreUnavailable, when it cannot be done now and nothing was written;
    StoreUnreadable, when what is there cannot be used.
    """

    url: str
    """Where the store is, as people may read it: no secrets."""

    @abstractmethod
    async def write_new(
        self, blueprint_id: str, text: str, *, parent: str | None, metadata: CommitMetadata
    ) -> BlueprintVersion:
        """Add a version whose parent is the head, and return it; the head itself when its text is the same.

        `parent` is the version that the writer takes for the head, None for a Blueprint that is not there yet. Raises:
        VersionConflict, when the head is another one; BlueprintArchived; InvalidId.
        """

    @abstractmethod
    async def read_head(self, blueprint_id: str) -> tuple[str, BlueprintVersion]:
        """Return the text of the head, and its entry.

        Raises: BlueprintNotFound, with the nearest id as hint; BlueprintArchived.
        """

    @abstractmethod
    async def read_version(self, blueprint_id: str, version: str) -> tuple[str, BlueprintVersion]:
        """Return the text of a version, archived or not, and the newest entry that has it.

        Raises: BlueprintNotFound.
        """

    @abstractmethod
    async def history(self, blueprint_id: str, limit: int | None = None) -> Sequence[BlueprintVersion]:
        """Return the entries of a Blueprint, archived or not, the newest first.

        Raises: BlueprintNotFound.
        """

    @abstractmethod
    async def list_ids(self, *, archived: bool = False) -> Sequence[str]:
        """Return the ids that are in use, sorted, or those that are archived."""

    @abstractmethod
    async def archive_id(self, blueprint_id: str, *, by: str) -> None:
        """Take a Blueprint out of use; doing it twice changes nothing.

        Raises: BlueprintNotFound.
        """

    @abstractmethod
    async def unarchive_id(self, blueprint_id: str, *, by: str) -> None:
        """Take a Blueprint into use again; doing it twice changes nothing.

        Raises: BlueprintNotFound.
        """

    @abstractmethod
    async def is_archived(self, blueprint_id: str) -> bool:
        """Tell whether a Blueprint is archived.

        Raises: BlueprintNotFound.
        """

    @abstractmethod
    async def problems(self) -> Sequence[str]:
        """Check the store as a whole and return what is wrong with it, a sentence each."""


class IssueStore(ABC):
    """Keeps issues in the order in which they came, and who works on each, until it is applied or rejected.

    Writers of one store may be several processes; each write is atomic. The store knows no time but what it is told
    (Unix seconds). Raises, from every method: StoreUnavailable, when it cannot be done now and nothing was written;
    StoreUnreadable, when what is there cannot be used.
    """

    url: str
    """Where the store is, as people may read it: no secrets."""

    @abstractmethod
    async def create(self, issue: IssuePayload) -> None:
        """Keep a new issue, which is pending.

        Raises: IssueExists, when the id is there, and then nothing changes; InvalidId; DocumentError, when the intent
        is empty or no Unicode.
        """

    @abstractmethod
    async def get(self, issue_id: str) -> IssuePayload:
        """Return an issue.

        Raises: IssueNotFound.
        """

    @abstractmethod
    async def status(self, issue_id: str) -> IssueStatus:
        """Return where an issue stands.

        Raises: IssueNotFound.
        """

    @abstractmethod
    async def list(self) -> Sequence[tuple[str, IssueStatus]]:
        """Return the ids of all issues and where they stand, in the order in which they came."""

    @abstractmethod
    async def pop_pending(self, owner: str, *, now: float, until: float) -> TakenIssue | None:
        """Put the oldest issue that nobody has in flight and return it, None when there is none.

        Nobody has what is pending, and what is in flight under a lease that ran out: `until` of it is `now` or before.
        `owner` holds the issue until `until`.
        """

    @abstractmethod
    async def renew(self, taken: TakenIssue, *, until: float) -> TakenIssue:
        """Let the owner of an issue hold it until another time; also after the lease ran out, while nobody took it.

        Raises: IssueNotFound; IssueLost, when the issue is no longer in flight, or was taken again.
        """

    @abstractmethod
    async def holder(self, issue_id: str) -> TakenIssue | None:
        """Return who holds an issue that is in flight, None when it is in another status.

        Raises: IssueNotFound.
        """

    @abstractmethod
    async def update_status(
        self, issue_id: str, status: Pending | Applied | Rejected, *, taken: TakenIssue | None = None
    ) -> None:
        """Give an issue another status; one that is pending again has its old place in the line.

        With `taken`, only when the issue was not taken again or given back since. Applied and rejected are final;
        saying the same again changes nothing. Raises: IssueNotFound; IssueLost; IssueEnded.
        """


class EnhanceSettingStore(ABC):
    """Keeps enhance settings by id.

    Raises, from every method: StoreUnavailable, when it cannot be done now and nothing was written; StoreUnreadable,
    when what is there cannot be used.
    """

    url: str
    """Where the store is, as people may read it: no secrets."""

    @abstractmethod
    async def put(self, setting: EnhanceSetting) -> None:
        """Keep a setting in place of the one that has its id.

        Raises: InvalidId; DocumentError, when a field holds what it must not.
        """

    @abstractmethod
    async def get(self, setting_id: str) -> EnhanceSetting:
        """Return a setting.

        Raises: EnhanceSettingNotFound, with the nearest id as hint.
        """

    @abstractmethod
    async def delete(self, setting_id: str) -> None:
        """Remove a setting.

        Raises: EnhanceSettingNotFound, with the nearest id as hint.
        """

    @abstractmethod
    async def list(self) -> Sequence[str]:
        """Return the ids of all settings, sorted."""


class EnhanceLogStore(ABC):
    """Keeps what became of issues, one entry each; what was appended is never changed or removed.

    Raises, from every method: StoreUnavailable, when it cannot be done now and nothing was written; StoreUnreadable,
    when what is there cannot be used.
    """

    url: str
    """Where the store is, as people may read it: no secrets."""

    @abstractmethod
    async def append(self, entry: EnhanceLogEntry) -> None:
        """Keep the entry of an issue.

        Raises: EnhanceLogConflict, when there is one, whatever it says; InvalidId; DocumentError, when a field holds
        what it must not.
        """

    @abstractmethod
    async def get(self, issue_id: str) -> EnhanceLogEntry:
        """Return the entry of an issue.

        Raises: EnhanceLogNotFound.
        """

    @abstractmethod
    async def list_all(self) -> Sequence[EnhanceLogEntry]:
        """Return all entries, the oldest first by `ts_ms`; those of one time in the order in which they came."""

    @abstractmethod
    async def list_by_blueprint(self, blueprint_id: str) -> Sequence[EnhanceLogEntry]:
        """Return the entries of one Blueprint, in the same order; nothing for one that there is none of."""


@frozen(kw_only=True, eq=False)
class EnhanceStores:
    """What the enhance loop keeps: issues, the settings that it works by, and the log of what became of each issue."""

    __repr__ = shown

    issues: IssueStore
    settings: EnhanceSettingStore
    log: EnhanceLogStore


# documents ---------------------------------------------------------------------------------------------------


@frozen(kw_only=True, eq=False)
class Source:
    """A Blueprint document as a reader gives it: the JSON value, and where its parts stand in the text.

    `positions` maps a place (`$.agents[0].kind`) to its line and column, both from 1. `base` is the folder that file
    references are relative to. `notes` are what is worth a look and refuses nothing, in its place.
    """

    __repr__ = shown

    value: Any
    name: str
    base: Path | None
    positions: Mapping[str, tuple[int, int]]
    notes: tuple[Problem, ...] = ()


class BlueprintReader(ABC):
    """Turns the text of a Blueprint into a document."""

    suffixes: ClassVar[tuple[str, ...]]

    @abstractmethod
    def read(self, text: bytes, *, name: str, base: Path | None) -> Source:
        """Read one document.

        Raises: DocumentError, with every problem's place.
        """


# processes ---------------------------------------------------------------------------------------------------


class Process(Protocol):
    """One worker process and everything it started. The streams are bytes; nothing is buffered without bound."""

    @property
    def pid(self) -> int:
        """The process id."""

    async def write(self, data: bytes) -> None:
        """Write to the process's stdin and wait until it was taken.

        Raises: BrokenPipeError, when the process no longer reads.
        """

    def close_stdin(self) -> None:
        """Close the process's stdin."""

    async def read_stdout(self, limit: int) -> bytes:
        """Return 1 to `limit` bytes of stdout, or nothing at its end."""

    async def read_stderr(self, limit: int) -> bytes:
        """Return 1 to `limit` bytes of stderr, or nothing at its end."""

    async def wait(self) -> int:
        """Return the exit code when the process has ended: 0 to 255, or minus the signal's number."""

    async def kill(self, *, grace: float = 0.0) -> None:
        """End the process and every descendant, `setsid` or not: SIGTERM, then after `grace` seconds SIGKILL.

        Returns when none is left.
        """


class Processes(Protocol):
    """Starts worker processes and answers for them: none outlives the engine, even when that is killed."""

    async def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> Process:
        """Start a program in a session of its own with stdin, stdout and stderr on pipes and no other descriptor.

        `env` is the whole environment. `limits` maps resource names (`as`, `cpu`, `fsize`, `nofile`, `nproc`, `core`)
        to values. Raises: SpawnFailed.
        """


# time and chance ---------------------------------------------------------------------------------------------


class Clock(Protocol):
    """Where the engine reads the time."""

    def time(self) -> float:
        """Return Unix seconds; may jump."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""

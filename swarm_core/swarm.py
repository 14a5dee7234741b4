"""The composition root: the one room that knows all others and puts them together."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, MutableMapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import evolve, field, frozen

from swarm_core.attachments import Attached, Attachments, Registry
from swarm_core.codec import structure
from swarm_core.collector import let_imports_age
from swarm_core.compile import (
    LinkedLayer,
    ResolvedAgent,
    check,
    compile_blueprint,
    link,
    resolve_layers,
    with_fix,
)
from swarm_core.contracts import (
    BlueprintStore,
    Clock,
    EnhanceStores,
    Operator,
    OutputStore,
    Processes,
    RunStore,
    SeniorBridge,
    SpawnHook,
)
from swarm_core.documents import Document, in_order, read_document, received_document
from swarm_core.engine.engine import Engine, latest
from swarm_core.engine.migration import Migration
from swarm_core.engine.program import Pinned, Program
from swarm_core.engine.state import RunRecord
from swarm_core.errors import DocumentError, RunLost
from swarm_core.factories import Environment, Function
from swarm_core.flow import compile_flow
from swarm_core.functions import functions_in
from swarm_core.host import Host
from swarm_core.kept import EnhanceOnDemand, StoreOnDemand, kept_document, ref_of, without_issues
from swarm_core.model.access import CapToken
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.budget import Budget, tighter
from swarm_core.model.event import Event
from swarm_core.model.operator import OperatorKind, SessionRequest
from swarm_core.model.output import OutputRecord
from swarm_core.model.problem import Problem
from swarm_core.model.run import Owner, Question, RunResult, StoredRun
from swarm_core.model.task import RunStatus, TaskState
from swarm_core.model.version import IdRef
from swarm_core.pinning import canonical, launch_facts, pinned_document, stored_request
from swarm_core.resuming import Resuming, without_store
from swarm_core.settings import STANDARD_SET, Settings, blueprints_url, issues_url, project_folder

if TYPE_CHECKING:
    from pathlib import Path

    from swarm_core.contracts import Process
    from swarm_core.factories import Catalog
    from swarm_core.flow.bound import Bound
    from swarm_core.history import History

__all__ = ["Launched", "Prepared", "RunResult", "Swarm", "run"]

Source: TypeAlias = "str | Path | Mapping[str, Any] | Blueprint | Document"
"""What a Blueprint may be given as: a file's path, the document, the Blueprint, or what `Swarm.read` returned.

Where it may be waited for, also as a reference to a Blueprint in a store: `bp:NAME[@SELECTOR]`, or a BlueprintRef as a
document.
"""


@frozen(kw_only=True, eq=False, repr=False)
class Prepared:
    """A Blueprint that was checked, compiled and linked: it can be launched any number of times.

    `agents` says what each agent resolved to, `chain` the layers from the outside in, `problems` what is doubtful.
    """

    blueprint: Blueprint
    document: Document
    program: Program
    agents: tuple[ResolvedAgent, ...]
    chain: tuple[LinkedLayer, ...]
    problems: tuple[Problem, ...]
    bind: Mapping[str, str] | None = None
    layer_set: str = STANDARD_SET
    _canonical: list[tuple[str, str]] = field(factory=list, init=False)

    def canonical(self) -> tuple[str, str]:
        """Return the Blueprint as canonical JSON text, and the SHA-256 of that."""
        if not self._canonical:
            self._canonical.append(canonical(self.blueprint))
        return self._canonical[0]

    @property
    def bound(self) -> Bound:
        """Return the most dispatches that a run can make."""
        from swarm_core.flow.bound import dispatch_bound

        return dispatch_bound(self.blueprint.flow)


class Launched:
    """A run that was launched."""

    def __init__(self, engine: Engine, record: RunRecord) -> None:
        self._engine, self._record = engine, record

    @property
    def id(self) -> str:
        """Return the run's id."""
        return self._record.id

    @property
    def status(self) -> RunStatus:
        """Return where the run stands."""
        return self._engine.standing(self._record).status

    @property
    def reused(self) -> int:
        """Return how many steps were answered from the run's record so far."""
        return self._engine.standing(self._record).reused

    @property
    def again(self) -> int:
        """Return how many steps had been under way when the run was stopped, and run again."""
        return self._record.again

    async def wait(self, *, or_waiting: bool = False) -> RunResult:
        """Wait for the end and return how the run ended. Cancelling the wait does not cancel the run.

        With `or_waiting` it also returns when all that is left waits for answers; the status is then WAITING.
        """
        return await self._engine.wait_for(self._record, or_waiting=or_waiting)

    def events(self, first: int = 1) -> AsyncIterator[Event]:
        """Return the run's events from number `first` on, as they come; it ends with the run."""
        return self._engine.follow(self.id, first)

    def tasks(self) -> list[TaskState]:
        """Return the run's tasks as they stand, in the order they were begun."""
        return self._engine.tasks_of(self.id)

    def attach(self, *, ttl: float | None = None) -> CapToken:
        """Return a token of the run's own session, for an operator elsewhere; one that was given out before ends.

        It dies with the run; `ttl` is seconds. Raises: SessionNotFound, when the run has ended, or waits in its store.
        """
        return self._engine.reattach(latest(self._record).session.id, ttl=ttl)

    def request_cancel(self) -> None:
        """Cancel the run and everything below it, without waiting for its end."""
        self._engine.cancel_run(self.id)

    def request_interrupt(self, reason: str) -> None:
        """Stop the run so that it can be resumed, without waiting for it; without a run store it is cancelled."""
        self._engine.interrupt_run(self.id, reason)

    async def interrupt(self, reason: str) -> RunResult:
        """Stop the run so that it can be resumed, and wait until its workers are gone and that is on record."""
        return await self._engine.stop(self._record, reason)

    async def cancel(self) -> RunResult:
        """Cancel the run and everything below it, and wait until it has ended."""
        self.request_cancel()
        return await self.wait()


class Swarm:
    """An open swarm: plugins admitted, stores open, an engine that takes work. Made by `Swarm.open`."""

    def __init__(
        self,
        *,
        host: Host,
        settings: Settings,
        engine: Engine,
        processes: Processes,
        functions: Mapping[str, Function],
        services: MutableMapping[type, Any],
        store: RunStore | None = None,
        outputs: OutputStore,
        blueprints: BlueprintStore | None = None,
        issues: EnhanceOnDemand | None = None,
    ) -> None:
        self.host, self.settings, self.engine = host, settings, engine
        self.services, self.store, self.outputs, self.blueprints = services, store, outputs, blueprints
        self._processes, self._functions, self._issues = processes, functions, issues
        self._programs: dict[tuple[Any, ...], Prepared] = {}
        self._resuming = None if store is None else Resuming(engine, store, outputs, self._program_of)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: Settings | None = None,
        *,
        plugins: Iterable[object] | None = None,
        functions: Mapping[str, Any] | Iterable[Any] = (),
        store: str | RunStore | None = None,
        outputs: str | None = None,
        blueprints: str | BlueprintStore | None = None,
        issues: str | EnhanceStores | None = None,
        owner: Owner | None = None,
        processes: Processes | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        strict: bool = True,
    ) -> AsyncIterator[Swarm]:
        """Open a swarm, for use as `async with Swarm.open() as swarm`; leaving cancels what still runs.

        `plugins` are modules or objects with hooks; None means all that are installed, an empty tuple none but the
        core's own. `functions` are callables by name, `Function` values, or functions marked with `@function`. `store`
        is the URL of the run store (or an open one, which stays open); None means what the settings say, and where they
        say nothing no run outlives this swarm. `outputs` is the URL of another store for outputs than the run store.
        `blueprints` is the URL of the store of Blueprints (or an open one), opened when it is first used; None means
        what the settings say, else the run store's file, if it is one. `issues`, likewise, is where issues, enhance
        settings and the enhance log are.
        `owner`, `processes`, `clock` and `rng` take the place of the real ones. Runs whose engine is gone are marked as
        interrupted. Raises: ExceptionGroup of PluginError when `strict`; SettingsError; StoreError.
        """
        settings = settings or Settings()
        given = _functions(functions)
        host = Host.load(plugins, settings, builtin=_builtin(), strict=strict)
        async with AsyncExitStack() as stack:
            runs_at = store if store is not None else settings.store.url
            runs, kept = await _open_stores(stack, host, runs_at, outputs)
            where = await stack.enter_async_context(AsyncExitStack())
            engine = Engine(
                outputs=kept,
                runs=runs,
                owner=owner,
                settings=settings.engine,
                clock=clock,
                rng=rng,
                signer=host.signer(settings),
            )
            swarm = cls(
                host=host,
                settings=settings,
                engine=engine,
                processes=processes or _ProcessesOnDemand(stack),
                functions={**host.catalog.functions, **given},
                services={Attachments: engine.sessions.attachments},
                store=runs,
                outputs=kept,
                blueprints=_blueprints(host, settings, blueprints, runs_at, where),
                issues=_issues(host, settings, issues, runs_at, where),
            )
            await stack.enter_async_context(host.lifespans(swarm))
            await stack.enter_async_context(engine)
            if engine.holding is not None:
                await engine.holding.sweep()
            let_imports_age()
            yield swarm

    def read(self, source: Source, *, text: bytes | None = None) -> Document:
        """Read a Blueprint, and the functions of the `swarmfile.py` beside its file.

        With `text`, `source` only names it (its suffix says the format). What a store keeps is read by `fetch`. Raises:
        DocumentError, with all problems.
        """
        if isinstance(source, Document):
            return source
        return read_document(_at_hand(source, text), self.host.catalog, text=text)

    async def fetch(self, source: Source, *, text: bytes | None = None) -> Document:
        """Read a Blueprint wherever it is: what `read` takes, or a reference to one that a store keeps.

        The functions of one from a store are those of the `swarmfile.py` in the project's folder: that of `swarm.toml`,
        without one the working directory. Raises: DocumentError; SettingsError, without a store; BlueprintNotFound,
        BlueprintArchived, NoMatchingVersion, InvalidSemver, InvalidId, StoreError.
        """
        ref = ref_of(source) if text is None else None
        if isinstance(ref, IdRef):
            return await kept_document(self.blueprints, ref, project_folder(self.settings))
        return self.read(source, text=text)

    def receive(self, value: Mapping[str, Any], *, files: Path | None = None, lenient: bool = False) -> Document:
        """Read a Blueprint that came from elsewhere as data; its functions are those of the project's folder.

        Directives such as `$file` read below the folder `files`; without one they are refused. A lenient reading is
        for `check`: it takes what is left of a document with errors. Raises: DocumentError, with all problems.
        """
        folder = project_folder(self.settings)
        return received_document(value, self.catalog, folder, files=files, lenient=lenient)

    def check(
        self,
        source: Source,
        *,
        text: bytes | None = None,
        bind: Mapping[str, str] | None = None,
        layer_set: str = STANDARD_SET,
    ) -> list[Problem]:
        """Return everything that is wrong with a Blueprint, and what is doubtful; it can be launched without errors.

        Raises: DocumentError, when the document cannot be read as a Blueprint at all.
        """
        if isinstance(source, Document):
            document = source
        else:
            document = read_document(_at_hand(source, text), self.host.catalog, text=text, lenient=True)
        environment = self._environment(document)
        known = [with_fix(problem) for problem in (*document.problems, *document.notes)]
        partial = bool(document.problems)
        found = check(
            document.blueprint, self.host.catalog, environment, bind=bind, layer_set=layer_set, partial=partial
        )
        return in_order([*known, *document.located(found)])

    def prepare(
        self, source: Source, *, bind: Mapping[str, str] | None = None, layer_set: str = STANDARD_SET
    ) -> Prepared:
        """Check, compile and link a Blueprint; `bind` runs agents on other kinds.

        Raises: DocumentError, InvalidBlueprint (with every problem that is an error).
        """
        document = self.read(source)
        blueprint, catalog = document.blueprint, self.host.catalog
        environment = self._environment(document)
        with document.locating():
            routes = compile_blueprint(blueprint, catalog, environment, bind=bind, layer_set=layer_set)
            layers = resolve_layers(blueprint, catalog, self.settings, layer_set)
            linked = link(routes, layers.use, catalog, environment, why=layers.why)
        return Prepared(
            blueprint=blueprint,
            document=document,
            bind=bind,
            layer_set=layer_set,
            program=Program(
                blueprint_id=blueprint.id,
                flow=compile_flow(blueprint.flow),
                run=linked.run,
                policies=routes.policies,
                agent_kinds=_agent_kinds(blueprint),
                global_kind=blueprint.default_operator_kind,
                externs={name: known.call for name, known in environment.functions.items() if known.pure},
                parks=routes.parks,
            ),
            agents=routes.resolved,
            chain=linked.chain,
            problems=(*document.notes, *document.located(routes.problems)),
        )

    async def launch(
        self,
        source: Source | Prepared,
        *,
        init_ctx: Any = None,
        bind: Mapping[str, str] | None = None,
        layer_set: str = STANDARD_SET,
        operator_id: str = "api",
        request: SessionRequest | None = None,
        key: str | None = None,
        budget: Mapping[str, Any] | None = None,
        fingerprint: str | None = None,
    ) -> Launched:
        """Begin a run and return it; `init_ctx` goes over the Blueprint's `default_init_ctx`, key by key.

        With a run store the run is in it when this returns. `key` makes the launch idempotent: a run that was launched
        under it before is returned in place of a new one, resumed when nobody holds it. `budget` bounds the run beside
        what its Blueprint says; `fingerprint` is kept in the record of the run, so that whoever repeats a launch can
        see whether it is the same. Raises: as `fetch`; InvalidBlueprint; NotJson, when `init_ctx` is no JSON value;
        RunEnded, RunOwned, for a `key` whose run has ended or is held elsewhere; StoreError.
        """
        if key is not None and (known := await self._known(key)) is not None:
            return known
        prepared = source if isinstance(source, Prepared) else await self._fetched(source, bind, layer_set)
        self.attach_functions(request, prepared.document)
        ctx = _initial_ctx(prepared.blueprint.default_init_ctx, init_ctx)
        pinned = self._pinned(
            prepared, operator_id=operator_id, request=request, key=key, budget=budget, fingerprint=fingerprint
        )
        program = _bounded(prepared.program, prepared.blueprint, budget)
        record = self.engine.launch(program, ctx, operator_id=operator_id, request=request, pinned=pinned)
        try:
            await self.engine.committed(record)
        except RunLost:
            known = None if key is None else await self._known(key)
            if known is None:
                raise
            return known
        return Launched(self.engine, record)

    @property
    def catalog(self) -> Catalog:
        """Return what the plugins provide."""
        return self.host.catalog

    @property
    def history(self) -> History:
        """Return the runs of the store, as they stand and as they went; raises SettingsError without a store."""
        from swarm_core.history import History

        lease, clock = self.settings.engine.lease, self.engine.clock
        return History(self._kept("a look at runs"), self.outputs, lease=lease, clock=clock)

    async def enhance_stores(self) -> EnhanceStores:
        """Return where issues, enhance settings and the enhance log are kept; opened when this is first called.

        Raises: SettingsError, without such a store; StoreUnavailable, StoreUnreadable.
        """
        if self._issues is None:
            raise without_issues()
        return await self._issues.stores()

    async def _fetched(
        self, source: Source, bind: Mapping[str, str] | None = None, layer_set: str = STANDARD_SET
    ) -> Prepared:
        return self.prepare(await self.fetch(source), bind=bind, layer_set=layer_set)

    async def _known(self, key: str) -> Launched | None:
        """Return the run that was launched under an idempotency key, resumed when nobody holds it."""
        stored = await self._kept("an idempotent launch").find(key)
        if stored is None:
            return None
        record = self.engine.state.runs.get(stored.id)
        if record is not None and self.engine.standing(record).status is not RunStatus.INTERRUPTED:
            return Launched(self.engine, record)
        return await self.resume(stored.id)

    def _pinned(self, prepared: Prepared, **facts: Any) -> Pinned | None:
        if self.store is None:
            return None
        text, digest = prepared.canonical()
        key, fingerprint = facts.pop("key", None), facts.pop("fingerprint", None)
        launch = launch_facts(
            prepared.document,
            bind=prepared.bind,
            layer_set=prepared.layer_set,
            plugins={status.name: f"{status.distribution} {status.version}" for status in self.host.plugins},
            **facts,
        )
        if fingerprint is not None:
            launch["fingerprint"] = fingerprint
        return Pinned(blueprint=text, digest=digest, launch=launch, key=key)

    # operators, seniors, hooks -----------------------------------------------------------------------------------

    def attach_operator(self, id: str, operator: Operator) -> Attached[Operator]:
        """Let an operator sit down at the seat `id`, or stand behind the sessions that name this id.

        Who sat there before leaves. An attempt that its operator left begins anew with the next one, and so does one
        that waits for somebody. Call it on the swarm's event loop. Raises: ValueError, when it is no id.
        """
        attached = self._attachments.operators.attach(id, operator)
        parked = self.engine.state.parked
        named = [run_id for run_id, run in parked.items() if run.request.operator_backend_id == id]
        for run_id in dict.fromkeys((*named, *self._attachments.seat(id).take_awaited())):
            self._wake(run_id)
        return attached

    def _wake(self, run_id: str) -> None:
        """Let a run go on that waits in its store, or is about to."""
        holding, record = self.engine.holding, self.engine.state.runs.get(run_id)
        if holding is None:
            return
        if record is not None and record.stop is not None:
            record.done.add_done_callback(lambda _: holding.wake(run_id))
        elif record is not None and run_id not in self.engine.state.parked:
            record.roused = True  # it may be about to wait in its store, though what it waits for has come
        else:
            holding.wake(run_id)

    def attach_senior(self, id: str, bridge: SeniorBridge) -> Attached[SeniorBridge]:
        """Let a senior answer for the sessions that name this id, from the next attempt on; raises ValueError."""
        return self._attachments.seniors.attach(id, bridge)

    def attach_hook(self, id: str, hook: SpawnHook) -> Attached[SpawnHook]:
        """Let a hook see the attempts of the sessions that name this id, from the next on; raises ValueError."""
        return self._attachments.hooks.attach(id, hook)

    def attach_functions(self, request: SessionRequest | None, source: Document) -> tuple[str, ...]:
        """Attach the functions that a request names by their names, where nothing else is attached so.

        Returns the ids that name nothing. `launch` and `resume` do this for what they are given.
        """
        if request is None:
            return ()
        from swarm_core.builtin.faces import FunctionHook, FunctionOperator, FunctionSenior

        functions, there = self._environment(source).functions, self._attachments
        unknown = [
            _attach_function(request.operator_backend_id, there.operators, functions, FunctionOperator),
            _attach_function(request.bridge_id, there.seniors, functions, FunctionSenior),
            _attach_function(request.hook_id, there.hooks, functions, FunctionHook),
        ]
        return tuple(id for id in unknown if id is not None)

    @property
    def _attachments(self) -> Attachments:
        return self.engine.sessions.attachments

    # runs in the store -----------------------------------------------------------------------------------------

    async def resume(self, run_id: str) -> Launched:
        """Go on with a run where it was stopped, however that came; it is on record when this returns.

        Steps whose results are recorded are not run again; what was under way is, with the same idempotency key. A run
        for which a cancel was asked ends as cancelled. Raises: RunNotFound; RunEnded; RunOwned, when a living engine
        holds it; DocumentError, InvalidBlueprint, when its Blueprint cannot be compiled here; StoreError.
        """
        return Launched(self.engine, await self._past("resuming a run").resume(run_id))

    async def rerun(self, run_id: str, start: Iterable[str] = ()) -> Launched:
        """Begin a new run that shares the steps of a recorded one that do not depend on those at `start`.

        `start` are step addresses; without any, the steps that failed. The recorded run stays as it is. Raises:
        RunNotFound, StepNotFound; InvalidTransition, when no step failed; DocumentError, StoreError.
        """
        return Launched(self.engine, await self._past("a rerun").rerun(run_id, start))

    async def plan_migration(self, run_id: str, source: Source | Prepared) -> Migration:
        """Tell which recorded steps of a run stay valid with another Blueprint; nothing is changed.

        Raises: RunNotFound, RunEnded; InvalidBlueprint; as `fetch`.
        """
        return await self._plan(run_id, source)

    async def compare(self, run_id: str, source: Source | Prepared) -> Migration:
        """Tell how a recorded run goes with another Blueprint, also one that has ended; nothing is run or changed.

        The flow is evaluated on what the steps answered then: what it says is as `plan_migration` says it, and whether
        it comes to its end (`ended`), or fails (`failure`). Raises: RunNotFound; InvalidBlueprint; as `fetch`.
        """
        return await self._plan(run_id, source, ended=True)

    async def _plan(self, run_id: str, source: Source | Prepared, **how: bool) -> Migration:
        past = self._past("a migration")
        prepared = source if isinstance(source, Prepared) else await self._fetched(source)
        pinned = self._pinned(prepared, operator_id="api", request=None, budget=None)
        assert pinned is not None
        return await past.plan(run_id, prepared.program, pinned, **how)

    async def migrate(self, plan: Migration) -> StoredRun:
        """Bind a run that nobody holds to another Blueprint as planned; it goes on with it when it is resumed.

        Raises: RunNotFound, RunEnded, RunOwned; RunLost, when the run went on since it was planned; StoreError.
        """
        return await self._past("a migration").migrate(plan)

    async def cancel(self, run_id: str, *, by: str = "api") -> None:
        """Cancel a run of this swarm, or ask for that in the store: its owner hears of it, or whoever resumes it.

        Raises: RunNotFound, StoreError.
        """
        if run_id in self.engine.state.runs or run_id in self.engine.state.parked:
            self.engine.cancel_run(run_id)
        else:
            await self._kept("a cancel").ask_cancel(run_id, by, self.engine.clock.time())

    async def answer(self, key: str, answer: Any, *, by: str = "api") -> Question:
        """Answer a question; it is as durable as its run when this returns, and the first answer counts.

        Raises: ResumeKeyNotFound, AlreadyAnswered, AnswerDenied, AnswerInvalid, StoreError.
        """
        return await self.engine.answer(key, answer, by=by)

    async def output(self, key: str) -> OutputRecord:
        """Return an output by its reference (`out-...`), or the newest one of an agent by its name, over all runs.

        Raises: OutputNotFound, StoreError.
        """
        return await self.engine.output(key)

    def _program_of(self, stored: StoredRun, text: str) -> Program:
        """Make the program of a run ready again; the runs of one Blueprint share it."""
        launch = stored.launch
        bind, layer_set = launch.get("bind") or {}, launch.get("layer_set") or STANDARD_SET
        shared = (stored.blueprint_hash, launch.get("directory"), layer_set, *sorted(bind.items()))
        if shared not in self._programs:
            self._programs[shared] = self.prepare(pinned_document(stored, text), bind=bind, layer_set=layer_set)
        prepared = self._programs[shared]
        self.attach_functions(stored_request(stored), prepared.document)
        return _bounded(prepared.program, prepared.blueprint, launch.get("budget"))

    def _kept(self, what: str) -> RunStore:
        if self.store is None:
            raise without_store(what)
        return self.store

    def _past(self, what: str) -> Resuming:
        if self._resuming is None:
            raise without_store(what)
        return self._resuming

    def _environment(self, document: Document) -> Environment:
        return Environment(
            blueprint=document.blueprint,
            settings=self.settings,
            processes=self._processes,
            clock=self.engine.clock,
            functions={**self._functions, **{function.name: function for function in document.functions}},
            resolvers=self.host.catalog.resolvers,
            spawners=self.host.catalog.spawners,
            tools=self.host.catalog.tools,
            services=self.services,
            directory=document.base,
        )


def run(source: Source, *, init_ctx: Any = None, bind: Mapping[str, str] | None = None, **opening: Any) -> RunResult:
    """Run a Blueprint to its end, without an event loop of one's own; `opening` goes to `Swarm.open`."""

    async def whole() -> RunResult:
        async with Swarm.open(**opening) as swarm:
            return await (await swarm.launch(source, init_ctx=init_ctx, bind=bind)).wait()

    return asyncio.run(whole())


def _at_hand(source: Any, text: bytes | None) -> Any:
    """Return what can be read without a store; raises DocumentError for what is kept in one."""
    ref = ref_of(source) if text is None else None
    if isinstance(ref, IdRef):
        message = f"blueprint {ref.id!r} is kept in a store, which has to be waited for"
        raise DocumentError([Problem(code="kept", message=message, hint="read it with `await swarm.fetch(...)`")])
    return source if ref is None else ref.value


def _bounded(program: Program, blueprint: Blueprint, budget: Mapping[str, Any] | None) -> Program:
    """Return the program within its Blueprint's budget and the launch's; raises DocumentError."""
    given = None if budget is None else structure(dict(budget), Budget, path="$.budget")
    if given is None and blueprint.budget is None:
        return program
    return evolve(program, budget=tighter(blueprint.budget, given))


def _initial_ctx(default: Any, given: Any) -> Any:
    if given is None:
        return {} if default is None else default
    if isinstance(default, Mapping) and isinstance(given, Mapping):
        return {**default, **given}
    return given


def _agent_kinds(blueprint: Blueprint) -> dict[str, OperatorKind]:
    """Return the operator kind of each agent whose spec names a seat that has one."""
    seats = {seat.name: seat.kind for seat in blueprint.operators}
    named = {agent.name: _seat_of(agent.spec) for agent in blueprint.agents}
    return {name: kind for name, seat in named.items() if seat is not None and (kind := seats.get(seat)) is not None}


def _seat_of(spec: Any) -> str | None:
    seat = spec.get("operator_ref") if isinstance(spec, Mapping) else None
    return seat if isinstance(seat, str) else None


def _attach_function(
    id: str | None, registry: Registry[Any], functions: Mapping[str, Function], face: Callable[[Function], Any]
) -> str | None:
    """Attach the function that an id names; return the id when nothing is attached under it in the end."""
    there = registry.find(id)
    function = None if id is None else functions.get(id)
    if function is not None and (there is None or getattr(there, "function", function) is not function):
        registry.attach(function.name, face(function))
        return None
    return id if there is None else None


def _functions(given: Mapping[str, Any] | Iterable[Any]) -> dict[str, Function]:
    if isinstance(given, Mapping):
        return {name: _function(name, value) for name, value in given.items()}
    values = list(given)
    ready = [value for value in values if isinstance(value, Function)]
    marked = functions_in({str(place): value for place, value in enumerate(values) if value not in ready})
    return {function.name: function for function in (*ready, *marked)}


def _function(name: str, value: Any) -> Function:
    return value if isinstance(value, Function) else Function(name, value)


def _builtin() -> tuple[object, ...]:
    from swarm_core import builtin

    return (builtin,)


async def _open_stores(
    stack: AsyncExitStack, host: Host, runs: str | RunStore | None, outputs: str | None
) -> tuple[RunStore | None, OutputStore]:
    """Open the run store, and the one for outputs: the run store itself where it keeps outputs too."""
    store = await _open_store(stack, host, "run", runs) if isinstance(runs, str) else runs
    if outputs is None and store is not None and store.outputs is not None:
        return store, store.outputs
    return store, await _open_store(stack, host, "output", outputs or "memory://")


def _blueprints(
    host: Host, settings: Settings, named: str | BlueprintStore | None, runs: object, stack: AsyncExitStack
) -> BlueprintStore | None:
    """Return the store of Blueprints; None when none is named and runs are not in a file that could have them."""
    if isinstance(named, BlueprintStore):
        return named
    file = runs if isinstance(runs, str) and runs.startswith("sqlite://") else None
    if named is None and settings.store.blueprints is None and file is None:
        return None
    return StoreOnDemand(host.catalog, blueprints_url(settings, named, runs=file), stack)


def _issues(
    host: Host, settings: Settings, named: str | EnhanceStores | None, runs: object, stack: AsyncExitStack
) -> EnhanceOnDemand | None:
    """Return the stores of the enhance loop; None where `_blueprints` would return none."""
    if isinstance(named, EnhanceStores):
        return EnhanceOnDemand(host.catalog, "", stack, opened=named)
    file = runs if isinstance(runs, str) and runs.startswith("sqlite://") else None
    if named is None and settings.store.issues is None and file is None:
        return None
    return EnhanceOnDemand(host.catalog, issues_url(settings, named, runs=file), stack)


async def _open_store(stack: AsyncExitStack, host: Host, role: str, url: str) -> Any:
    return await stack.enter_async_context(host.catalog.store(role, url).open(url))


class _ProcessesOnDemand:
    """Opens the room of worker processes with the first of them; many swarms never need one."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._opened: Processes | None = None

    async def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> Process:
        if self._opened is None:
            from swarm_core.processes import open_processes

            # entering it waits for nothing, so two first starts cannot both come by here
            self._opened = await self._stack.enter_async_context(open_processes())
        return await self._opened.start(argv, env=env, cwd=cwd, limits=limits)

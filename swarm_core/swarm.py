"""The composition root: the one room that knows all others and puts them together."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Mapping, MutableMapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import frozen

from swarm_core.compile import (
    LinkedLayer,
    ResolvedAgent,
    check,
    compile_blueprint,
    link,
    resolve_layers,
)
from swarm_core.contracts import Clock, OutputStore, Processes
from swarm_core.documents import Document, in_order, read_document
from swarm_core.engine.engine import Engine
from swarm_core.engine.program import Program
from swarm_core.engine.runs import RunResult
from swarm_core.engine.sessions import SessionRequest
from swarm_core.engine.state import RunRecord
from swarm_core.errors import SettingsError, did_you_mean
from swarm_core.factories import Environment, Function
from swarm_core.flow import compile_flow
from swarm_core.functions import functions_in
from swarm_core.host import Host
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.event import Event
from swarm_core.model.operator import OperatorKind
from swarm_core.model.problem import Problem
from swarm_core.model.task import RunStatus, TaskState
from swarm_core.settings import STANDARD_SET, Settings

if TYPE_CHECKING:
    from pathlib import Path

    from swarm_core.contracts import Process
    from swarm_core.flow.bound import Bound

__all__ = ["Launched", "Prepared", "RunResult", "Swarm", "run"]

Source: TypeAlias = "str | Path | Mapping[str, Any] | Blueprint | Document"
"""What a Blueprint may be given as: a file's path, the document, the Blueprint, or what `Swarm.read` returned."""


@frozen(kw_only=True, eq=False, repr=False)
class Prepared:
    """A Blueprint that was checked, compiled and linked: it can be launched any number of times.

    `agents` says what each agent resolved to, `chain` the layers from the outside in, `problems` what is doubtful.
    """

    blueprint: Blueprint
    program: Program
    agents: tuple[ResolvedAgent, ...]
    chain: tuple[LinkedLayer, ...]
    problems: tuple[Problem, ...]

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
        return self._record.status

    async def wait(self) -> RunResult:
        """Wait for the end and return how the run ended. Cancelling the wait does not cancel the run."""
        return await self._engine.wait(self.id)

    def events(self, first: int = 1) -> AsyncIterator[Event]:
        """Return the run's events from number `first` on, as they come; it ends with the run."""
        return self._engine.follow(self.id, first)

    def tasks(self) -> list[TaskState]:
        """Return the run's tasks as they stand, in the order they were begun."""
        return self._engine.tasks_of(self.id)

    def request_cancel(self) -> None:
        """Cancel the run and everything below it, without waiting for its end."""
        self._engine.cancel_run(self.id)

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
    ) -> None:
        self.host, self.settings, self.engine = host, settings, engine
        self.services = services
        self._processes, self._functions = processes, functions

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: Settings | None = None,
        *,
        plugins: Iterable[object] | None = None,
        functions: Mapping[str, Any] | Iterable[Any] = (),
        outputs: str = "memory://",
        processes: Processes | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        strict: bool = True,
    ) -> AsyncIterator[Swarm]:
        """Open a swarm, for use as `async with Swarm.open() as swarm`; leaving cancels what still runs.

        `plugins` are modules or objects with hooks; None means all that are installed, an empty tuple none but the
        core's own. `functions` are callables by name, `Function` values, or functions marked with `@function`.
        `processes`, `clock` and `rng` take the place of the real ones. Raises: ExceptionGroup of PluginError when
        `strict`; SettingsError.
        """
        settings = settings or Settings()
        given = _functions(functions)
        host = Host.load(plugins, settings, builtin=_builtin(), strict=strict)
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(_open_outputs(host, outputs))
            engine = Engine(outputs=store, settings=settings.engine, clock=clock, rng=rng, signer=host.signer(settings))
            swarm = cls(
                host=host,
                settings=settings,
                engine=engine,
                processes=processes or _ProcessesOnDemand(stack),
                functions={**host.catalog.functions, **given},
                services={},
            )
            await stack.enter_async_context(host.lifespans(swarm))
            await stack.enter_async_context(engine)
            yield swarm

    def read(self, source: Source, *, text: bytes | None = None) -> Document:
        """Read a Blueprint, and the functions of the `swarmfile.py` beside its file.

        With `text`, `source` only names it (its suffix says the format). Raises: DocumentError, with all problems.
        """
        if isinstance(source, Document):
            return source
        return read_document(source, self.host.catalog, text=text)

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
            document = read_document(source, self.host.catalog, text=text, lenient=True)
        environment = self._environment(document)
        found = check(document.blueprint, self.host.catalog, environment, bind=bind, layer_set=layer_set)
        return in_order([*document.problems, *document.located(found)])

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
            program=Program(
                blueprint_id=blueprint.id,
                flow=compile_flow(blueprint.flow),
                run=linked.run,
                policies=routes.policies,
                agent_kinds=_agent_kinds(blueprint),
                global_kind=blueprint.default_operator_kind,
                externs={name: known.call for name, known in environment.functions.items() if known.pure},
            ),
            agents=routes.resolved,
            chain=linked.chain,
            problems=tuple(document.located(routes.problems)),
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
    ) -> Launched:
        """Begin a run and return it; `init_ctx` goes over the Blueprint's `default_init_ctx`, key by key.

        Raises: DocumentError, InvalidBlueprint; NotJson, when `init_ctx` is no JSON value.
        """
        prepared = source if isinstance(source, Prepared) else self.prepare(source, bind=bind, layer_set=layer_set)
        ctx = _initial_ctx(prepared.blueprint.default_init_ctx, init_ctx)
        record = self.engine.launch(prepared.program, ctx, operator_id=operator_id, request=request)
        return Launched(self.engine, record)

    def _environment(self, document: Document) -> Environment:
        return Environment(
            blueprint=document.blueprint,
            settings=self.settings,
            processes=self._processes,
            clock=self.engine.clock,
            functions={**self._functions, **{function.name: function for function in document.functions}},
            resolvers=self.host.catalog.resolvers,
            services=self.services,
            directory=document.base,
        )


def run(source: Source, *, init_ctx: Any = None, bind: Mapping[str, str] | None = None, **opening: Any) -> RunResult:
    """Run a Blueprint to its end, without an event loop of one's own; `opening` goes to `Swarm.open`."""

    async def whole() -> RunResult:
        async with Swarm.open(**opening) as swarm:
            return await (await swarm.launch(source, init_ctx=init_ctx, bind=bind)).wait()

    return asyncio.run(whole())


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


@asynccontextmanager
async def _open_outputs(host: Host, url: str) -> AsyncIterator[OutputStore]:
    scheme = url.partition("://")[0]
    factory = host.catalog.stores.get(("output", scheme))
    if factory is None:
        known = [name for role, name in host.catalog.stores if role == "output"]
        hint = did_you_mean(scheme, known, otherwise="installed")
        raise SettingsError(f"no output store for {url!r}", hint=hint)
    async with factory.open(url) as store:
        yield store


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

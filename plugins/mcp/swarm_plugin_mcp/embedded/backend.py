"""The tools' work on a swarm that is open in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen

from swarm_core.attachments import Attachments
from swarm_core.errors import RunEnded, RunOwned
from swarm_core.model.operator import OperatorKind, SessionRequest
from swarm_plugin_mcp.backend import Json, Offered, Order, SeatHeld, Source
from swarm_plugin_mcp.embedded import endpoints, explaining, keeping, work
from swarm_plugin_mcp.embedded.reading import document_of
from swarm_plugin_mcp.embedded.seat import EmbeddedSeat, sit_down
from swarm_plugin_mcp.errors import ToolRefused

if TYPE_CHECKING:
    from swarm_core.model.run import RunFilter
    from swarm_core.serving import LiveSwarm


@frozen(eq=False)
class Embedded:
    """Keeps the promises of `Backend`."""

    swarm: LiveSwarm

    @property
    def place(self) -> Json:
        store = self.swarm.store
        return {"mode": "embedded", "store": None if store is None else store.url}

    # runs ------------------------------------------------------------------------------------------------------

    async def launch(self, order: Order) -> str:
        request = self._request(order)
        document = await document_of(self.swarm, order.source.value)
        prepared = self.swarm.prepare(document, bind=dict(order.bind) or None, layer_set=order.layers)
        try:
            launched = await self.swarm.launch(
                prepared,
                init_ctx=order.init_ctx,
                operator_id=order.operator_id,
                request=request,
                key=order.key,
                budget=order.budget,
            )
        except (RunEnded, RunOwned) as error:
            return error.run_id  # it was launched under this key before
        return launched.id

    def _request(self, order: Order) -> SessionRequest:
        sid = order.operator_sid
        seats = self.swarm.services[Attachments].operators
        if sid is not None and sid not in seats:
            known = ", ".join(sorted(seats)) or "none"
            hint = f"join first with mse_operator_join; seats that are taken: {known}"
            raise ToolRefused("unknown_operator", f"no operator session {sid!r}", hint=hint)
        return SessionRequest(
            operator_kind=None if order.operator_kind is None else OperatorKind(order.operator_kind),
            agent_kinds={agent: OperatorKind(kind) for agent, kind in order.agent_kinds.items()},
            operator_backend_id=sid,
            bridge_id=order.senior_id,
            hook_id=order.hook_id,
        )

    async def resume(self, run_id: str) -> None:
        await self.swarm.resume(run_id)

    async def rerun(self, run_id: str, steps: Sequence[str]) -> str:
        return (await self.swarm.rerun(run_id, steps)).id

    async def cancel(self, run_id: str, by: str) -> Json:
        return (await self.swarm.history.ask_cancel(run_id, by)).as_json()

    async def run(self, name: str) -> Json:
        history = self.swarm.history
        return (await history.counted(await history.run(name))).as_json()

    async def runs(self, wanted: RunFilter) -> list[Json]:
        return [run.as_json() for run in await self.swarm.history.runs(wanted)]

    async def steps(self, run_id: str) -> list[Json]:
        return [step.as_json() for step in await self.swarm.history.steps(run_id)]

    def carries(self, run_id: str) -> bool:
        state = self.swarm.engine.state
        return run_id in state.runs or run_id in state.parked

    async def result(self, run_id: str) -> Any:
        return await self.swarm.history.result(run_id)

    async def events(self, run_id: str, after: int, limit: int) -> list[Json]:
        return [event.as_json() for event in await self.swarm.history.events(run_id, after, limit)]

    async def follow(self, run_id: str, after: int) -> AsyncIterator[Json]:
        async for event in self.swarm.history.follow(run_id, after):
            yield event.as_json()

    # questions -------------------------------------------------------------------------------------------------

    async def questions(self, run_id: str | None, *, open_only: bool) -> list[Json]:
        found = await self.swarm.history.store.questions(run_id, open_only=open_only)
        return [question.as_json() for question in found]

    async def answer(self, key: str, answer: Any, by: str) -> Json:
        return (await self.swarm.answer(key, answer, by=by)).as_json()

    # Blueprints ------------------------------------------------------------------------------------------------

    async def check(self, source: Source, bind: Mapping[str, str], layers: str) -> list[Json]:
        return await explaining.problems(self.swarm, source.value, bind, layers)

    async def explain(self, source: Source, bind: Mapping[str, str], layers: str) -> Json:
        return await explaining.facts(self.swarm, source.value, bind, layers)

    async def blueprints(self, *, archived: bool) -> list[Json]:
        return await keeping.newest(self.swarm, archived=archived)

    async def blueprint(self, id: str, selector: str | None) -> Json:
        return await keeping.version(self.swarm, id, selector)

    async def history(self, id: str, limit: int) -> list[Json]:
        return [entry.as_json() for entry in await keeping.store_of(self.swarm).history(id, limit)]

    async def add(self, source: Source, *, message: str, by: str) -> Json:
        return await keeping.add(self.swarm, source.value, message=message, by=by)

    async def archive(self, id: str, *, archived: bool, by: str) -> None:
        store = keeping.store_of(self.swarm)
        await (store.archive_id(id, by=by) if archived else store.unarchive_id(id, by=by))

    # others ----------------------------------------------------------------------------------------------------

    async def call(self, offered: Offered) -> Any:
        return await endpoints.call(self.swarm, offered)

    async def doctor(self) -> Json:
        kept = self.swarm.blueprints
        ids = [] if kept is None else list(await kept.list_ids())
        health = None if self.swarm.store is None else (await self.swarm.history.health()).as_json()
        return {
            **self.place,
            "plugins": {status.name: str(status.state) for status in self.swarm.host.plugins},
            "blueprint_store": None if kept is None else kept.url,
            "registered_blueprint_ids": ids,
            "registered_blueprint_count": len(ids),
            "health": health,
        }

    async def join(self, roles: Sequence[str], *, take: bool) -> SeatHeld:
        seat: EmbeddedSeat = sit_down(self.swarm, roles, take=take)
        return seat

    async def worker_prompt(self, handle: str, task_id: str | None) -> Json:
        return work.prompt(self.swarm, handle, task_id)

    async def worker_submit(self, handle: str, value: Any, *, ok: bool, part: str | None) -> None:
        work.submit(self.swarm, handle, value, ok=ok, part=part)

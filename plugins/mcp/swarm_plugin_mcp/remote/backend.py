"""The tools' work on a swarm that a server serves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from swarm_core.codec import blueprint_json, unstructure
from swarm_core.model.operator import OperatorKind, SessionRequest
from swarm_plugin_mcp.backend import Json, Offered, Order, SeatHeld, Source
from swarm_plugin_mcp.errors import ToolRefused, not_offered
from swarm_plugin_mcp.remote.seat import RemoteSeat

if TYPE_CHECKING:
    from swarm_plugin_client import AsyncClient

    from swarm_core.model.run import RunFilter
    from swarm_core.serving import LiveSwarm


@frozen(eq=False)
class Remote:
    """Keeps the promises of `Backend`; `reader` is a swarm of this process that reads files of the project."""

    client: AsyncClient
    reader: LiveSwarm

    @property
    def place(self) -> Json:
        return {"mode": "server", "url": self.client.url}

    def _source(self, source: Source) -> Any:
        """Return a Blueprint as the client takes it: a file is read here and sent whole."""
        if isinstance(source.value, Path):
            return blueprint_json(self.reader.read(source.value).blueprint)
        return source.value

    # runs ------------------------------------------------------------------------------------------------------

    async def launch(self, order: Order) -> str:
        launched = await self.client.tasks.launch(
            self._source(order.source),
            init_ctx=order.init_ctx,
            bind=order.bind,
            layer_set=order.layers,
            budget=order.budget,
            key=order.key,
            operator_id=order.operator_id,
            operator_sid=order.operator_sid,
            request=SessionRequest(
                operator_kind=None if order.operator_kind is None else OperatorKind(order.operator_kind),
                agent_kinds={agent: OperatorKind(kind) for agent, kind in order.agent_kinds.items()},
                bridge_id=order.senior_id,
                hook_id=order.hook_id,
            ),
        )
        return launched.run_id

    async def resume(self, run_id: str) -> None:
        await self.client.runs.resume(run_id)

    async def rerun(self, run_id: str, steps: Sequence[str]) -> str:
        return (await self.client.runs.rerun(run_id, steps)).run_id

    async def cancel(self, run_id: str, by: str) -> Json:
        await self.client.runs.cancel(run_id)
        async for _ in self.client.runs.events(run_id):
            pass  # until it has ended
        return await self.run(run_id)

    async def run(self, name: str) -> Json:
        return (await self.client.runs.get(name)).as_json()

    async def runs(self, wanted: RunFilter) -> list[Json]:
        page = await self.client.runs.list(
            statuses=wanted.statuses, blueprint_id=wanted.blueprint_id, before=wanted.before, limit=wanted.limit
        )
        return [run.as_json() for run in page.runs]

    async def steps(self, run_id: str) -> list[Json]:
        return [unstructure(step) for step in await self.client.runs.steps(run_id)]

    def carries(self, run_id: str) -> bool:
        return True

    async def result(self, run_id: str) -> Any:
        return (await self.client.runs.result(run_id)).final_ctx

    async def events(self, run_id: str, after: int, limit: int) -> list[Json]:
        return [event.as_json() for event in await self.client.runs.recorded(run_id, after=after, limit=limit)]

    async def follow(self, run_id: str, after: int) -> AsyncIterator[Json]:
        async for event in self.client.runs.events(run_id, after=after):
            yield event.as_json()

    # questions -------------------------------------------------------------------------------------------------

    async def questions(self, run_id: str | None, *, open_only: bool) -> list[Json]:
        return [question.as_json() for question in await self.client.questions.list(run_id, open_only=open_only)]

    async def answer(self, key: str, answer: Any, by: str) -> Json:
        return (await self.client.questions.answer(key, answer, by=by)).as_json()

    # Blueprints ------------------------------------------------------------------------------------------------

    async def check(self, source: Source, bind: Mapping[str, str], layers: str) -> list[Json]:
        found = await self.client.check(self._source(source), bind=bind, layer_set=layers)
        return [problem.as_json() for problem in found]

    async def explain(self, source: Source, bind: Mapping[str, str], layers: str) -> Json:
        return dict(await self.client.explain(self._source(source), bind=bind, layer_set=layers))

    async def blueprints(self, *, archived: bool) -> list[Json]:
        return [dict(entry) for entry in await self.client.blueprints.list(archived=archived)]

    async def blueprint(self, id: str, selector: str | None) -> Json:
        if selector is None:
            return dict(await self.client.blueprints.head(id))
        return dict(await self.client.blueprints.version(id, selector))

    async def history(self, id: str, limit: int) -> list[Json]:
        return [dict(entry) for entry in await self.client.blueprints.history(id, limit=limit)]

    async def add(self, source: Source, *, message: str, by: str) -> Json:
        document = self._source(source)
        if not isinstance(document, Mapping) or not isinstance(document.get("id"), str):
            raise ToolRefused("bad_arguments", "what is to be kept is a Blueprint as a document, with its id")
        kept = dict(await self.client.blueprints.add(document["id"], document, message=message, by=by))
        return {**kept, "added": kept.pop("seeded")}

    async def archive(self, id: str, *, archived: bool, by: str) -> None:
        await (self.client.blueprints.archive(id) if archived else self.client.blueprints.unarchive(id))

    # others ----------------------------------------------------------------------------------------------------

    async def call(self, offered: Offered) -> Any:
        from swarm_plugin_client import ServerRefused

        try:
            return await self.client.call(
                offered.method,
                offered.route,
                path=offered.path,
                query=offered.query,
                body=offered.body,
                held=True,
            )
        except ServerRefused as error:
            if error.code != "no_route":
                raise
            odd = [text for text in offered.path.values() if "/" in text]  # it makes another address
            said = ToolRefused("not_found", f"nothing has the id {odd[0]!r}") if odd else not_offered(offered.route)
            raise said from None

    async def doctor(self) -> Json:
        return {**self.place, **await self.client.doctor()}

    async def join(self, roles: Sequence[str], *, take: bool) -> SeatHeld:
        session = await self.client.operators.join(() if take else roles)
        if take and roles:
            await session.acquire(roles)
        return RemoteSeat(session)

    async def worker_prompt(self, handle: str, task_id: str | None) -> Json:
        return dict(await self.client.worker(handle).prompt(task_id))

    async def worker_submit(self, handle: str, value: Any, *, ok: bool, part: str | None) -> None:
        await self.client.worker(handle).submit(value, ok=ok, part=part)

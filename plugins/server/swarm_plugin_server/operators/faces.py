"""An operator's three faces to the engine: who takes attempts, who is asked, who looks at attempts."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from attrs import field, frozen

from swarm_core.attachments import Attachments, Registry
from swarm_core.contracts import Operator, SeniorBridge, SpawnHook
from swarm_core.errors import WorkerFailed
from swarm_core.model.call import Call, Result
from swarm_plugin_server.operators.directive import directive_of
from swarm_plugin_server.operators.frames import LARGEST_FRAME, Answer, HookAck, Reply, SpawnAck, written
from swarm_plugin_server.operators.parked import OperatorGone
from swarm_plugin_server.operators.session import Session

T = TypeVar("T")

_OWN = 4096  # bytes of a frame beside what somebody gave


class HookRefused(Exception):
    """A main AI's hook refuses an attempt."""


@frozen(eq=False)
class Faces(Operator, SeniorBridge, SpawnHook):
    """A session as it is known under one id, its own or that of a role.

    What it is asked as a senior or hook when the role goes to somebody else is asked of that one instead; attempts are
    begun anew by the seat.
    """

    _session: Session
    _seat: str
    _there: Attachments = field(repr=False)

    async def execute(self, call: Call, system: str | None) -> Result:
        """Let the operator have an attempt; what its worker has posted counts before an error that it replies."""
        before = call.context.latest
        credentials = _Credentials(call)

        def spawn(req_id: str, base_url: str) -> dict[str, Any]:
            token, handle = credentials.now()
            return {
                "type": "spawn",
                "req_id": req_id,
                "task_id": call.task_id,
                "agent": call.agent,
                "attempt": call.attempt,
                "capability_token": token,
                "worker_handle": handle,
                "directive": directive_of(call, handle, base_url),
            }

        try:
            reply = await self._session.ask("spawn", self._seat, call.task_id, spawn, SpawnAck)
            return _result_of(cast(SpawnAck, reply))
        except WorkerFailed:
            if call.context.latest is None or call.context.latest is before:
                raise
            return call.context.latest

    async def ask(self, task_id: str, question: Any) -> Any:
        """Let the operator answer a question."""
        _check_size("the question", question)
        frame = {"type": "ask", "task_id": task_id, "question": question}
        try:
            reply = await self._put("ask", frame, Answer)
        except OperatorGone:
            return await (await self._next(self._there.seniors)).ask(task_id, question)
        return cast(Answer, reply).value

    async def before(self, call: Call) -> None:
        """Let the operator look at an attempt before it begins; raises HookRefused."""
        frame = {"type": "hook_before", "task_id": call.task_id, "agent": call.agent, "attempt": call.attempt}
        try:
            reply = cast(HookAck, await self._put("hb", frame, HookAck))
        except OperatorGone:
            await (await self._next(self._there.hooks)).before(call)
            return
        if not reply.ok:
            raise HookRefused(reply.reason or "the operator refused it")

    async def after(self, call: Call, result: Result | BaseException) -> None:
        """Tell the operator how an attempt ended."""
        ended = result.value if isinstance(result, Result) else str(result) or type(result).__name__
        _check_size("the result", ended)
        frame = {"type": "hook_after", "task_id": call.task_id, "agent": call.agent, "attempt": call.attempt}
        frame |= {"result": ended}
        self._session.tell("ha", self._seat, call.task_id, lambda req_id, _: _framed(req_id, frame))

    async def _put(self, kind: str, frame: dict[str, Any], wants: type[Reply]) -> Reply:
        return await self._session.ask(
            kind, self._seat, frame["task_id"], lambda req_id, _: _framed(req_id, frame), wants
        )

    async def _next(self, registry: Registry[T]) -> T:
        """Return who has the role now, once somebody has; raises OperatorGone, when it was the session that ended."""
        if self._session.ended:
            raise OperatorGone(self._session.sid)
        await registry.wait(self._seat)
        return registry[self._seat]


def _result_of(reply: SpawnAck) -> Result:
    if reply.error is not None:
        raise WorkerFailed(f"the operator could not do it: {reply.error[:4000]}", kind="operator_failed")
    return Result(reply.value, reply.ok)


class _Credentials:
    """The attempt's token and the handle that stands for it, new ones when the attempt's token is a new one."""

    def __init__(self, call: Call) -> None:
        self._context = call.context
        self._made: tuple[str, str] | None = None

    def now(self) -> tuple[str, str]:
        """Return token and handle; raises TokenRevoked, when the attempt is over."""
        token = self._context.token()
        if self._made is None or self._made[0] != token:
            self._made = token, self._context.handle()
        return self._made


def _framed(req_id: str, frame: dict[str, Any]) -> dict[str, Any]:
    return {"type": frame["type"], "req_id": req_id, **frame}


def _check_size(what: str, value: Any) -> None:
    """Raise WorkerFailed for what no message can hold."""
    size = len(written({"value": value}).encode())
    if size > LARGEST_FRAME - _OWN:
        message = f"{what} has {size:,} bytes, and a message to an operator {LARGEST_FRAME:,} at most"
        raise WorkerFailed(message, kind="too_large", hint="keep large values in files and name those")

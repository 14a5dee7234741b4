"""A worker kind that answers in capitals."""

from attrs import frozen

from swarm_core import Result, Spawner, SpawnerFactory, hookimpl

SWARM_API = 1


@frozen(kw_only=True)
class ShoutSpec:
    """How the agent shouts: `marks` exclamation marks behind the text."""

    marks: int = 1


@frozen
class Shouter(Spawner):
    """Gives back the step's input in capitals."""

    marks: int

    async def run(self, call):
        return Result(call.directive.upper() + "!" * self.marks)


@hookimpl
def swarm_register_spawners():
    def build(agent, spec, hint, environment):
        return Shouter(spec.marks)

    return [SpawnerFactory("shout", build, spec=ShoutSpec, summary="answers in capitals")]

"""A resolver that chooses the agent by the language of the input."""

from attrs import frozen

from swarm_core.contracts import AgentResolver
from swarm_core.factories import Environment, ResolverFactory
from swarm_core.hookspecs import hookimpl
from swarm_core.model.call import Call
from swarm_core.settings import Settings

SWARM_API = 1


@frozen(kw_only=True)
class LanguageSettings:
    """`[plugin.language]`: the key of the input that says the language, and which one goes without saying."""

    key: str = "language"
    default: str = "en"


class LanguageResolver(AgentResolver):
    """Maps `translator` to `translator.de` when the input's language is `de` and there is such an agent."""

    def __init__(self, settings: LanguageSettings, agents: frozenset[str]) -> None:
        self._settings, self._agents = settings, agents

    def resolve(self, agent: str, call: Call) -> str:
        """Return the agent for the language, else the one for the default language, else the agent itself."""
        given = call.input.get(self._settings.key) if isinstance(call.input, dict) else None
        for language in (given, self._settings.default):
            if f"{agent}.{language}" in self._agents:
                return f"{agent}.{language}"
        return agent


@hookimpl
def swarm_configure(settings: Settings) -> None:
    """Look at the plugin's own settings at the start, so that a mistake is told then."""
    settings.section("language", LanguageSettings)


@hookimpl
def swarm_register_resolvers() -> list[ResolverFactory]:
    """Provide the resolver; it is built once per launch."""

    def build(environment: Environment) -> AgentResolver:
        settings = environment.settings.section("language", LanguageSettings)
        return LanguageResolver(settings, frozenset(agent.name for agent in environment.blueprint.agents))

    return [ResolverFactory("language", build, summary="chooses the agent by the language of the input")]

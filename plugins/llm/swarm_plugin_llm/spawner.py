"""The kind `llm`: agents that are language models, asked until they answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve, frozen

from swarm_core.contracts import Spawner
from swarm_core.errors import SpawnFailed
from swarm_core.factories import Environment
from swarm_core.model.blueprint import AgentDef, AgentHint, AgentProfile, VerdictContract
from swarm_core.model.call import Call, Result, to_text
from swarm_core.prompts import SystemPrompt
from swarm_plugin_llm.answers import Reader, unrepaired
from swarm_plugin_llm.clients import Clients
from swarm_plugin_llm.conversation import Conversation
from swarm_plugin_llm.faults import CAME_BACK, LlmFailed
from swarm_plugin_llm.mcp_servers import Servers, folder_of, passed_on, servers_of
from swarm_plugin_llm.models import model_of
from swarm_plugin_llm.settings import BASE_URL, LlmSettings, Provider, read_settings
from swarm_plugin_llm.spec import LlmSpec, faults_of
from swarm_plugin_llm.talk import Talk
from swarm_plugin_llm.toolbox import Toolbox, Wanted, wanted_tools
from swarm_plugin_llm.usage import Usage


@frozen(kw_only=True)
class LlmSpawner(Spawner):
    """Asks a model, calls the tools that it wants, and so on, until it answers.

    What was said and done is remembered, so an attempt after a restart goes on where the last one was. The answer is
    remembered where the `verdict` layer may refuse it.
    """

    name: str
    spec: LlmSpec
    profile: AgentProfile
    settings: LlmSettings
    prompt: SystemPrompt
    reader: Reader
    wanted: Wanted
    servers: Servers
    clients: Clients
    verdict: VerdictContract | None

    async def run(self, call: Call) -> Result:
        """Return the model's answer; raises SpawnFailed, LlmFailed, BudgetExceeded."""
        provider, model = self.settings.target(self.profile.model)
        if provider is None:
            hint = f"export {BASE_URL}=http://..., or define one in [plugin.llm.providers]"
            raise SpawnFailed(f"agent {self.name!r}: no endpoint of a model is configured", hint=hint)
        conversation = await self._conversation(call, provider)
        talk = await self._talk(call, provider, model, conversation)
        async with self.servers.open() as tools:
            talk.toolbox.add([*self.wanted.own, *tools])
            outcome = await _outcome(talk)
        if isinstance(outcome, Result):
            return outcome
        if not isinstance(outcome, LlmFailed) or outcome.kind not in CAME_BACK:
            await conversation.forget()
        raise outcome

    async def _talk(self, call: Call, provider: Provider, model: str | None, conversation: Conversation) -> Talk:
        settings = self.settings
        connection = await self.clients.connection(provider, most=settings.max_answer)
        return Talk(
            spec=self.spec,
            effort=self.profile.effort,
            provider=provider,
            model=model or await model_of(connection, provider, most=settings.max_answer),
            connection=connection,
            context=call.context,
            conversation=conversation,
            toolbox=Toolbox(call.context, settings.tools_at_once, settings.max_tool_result),
            reader=self.reader,
            usage=Usage(provider),
            most_turns=self.spec.max_turns or settings.max_turns,
            most=settings.max_answer,
            keeps_answers=self.verdict is not None and self.verdict.on_invalid == "repair",
        )

    async def _conversation(self, call: Call, provider: Provider) -> Conversation:
        """Return the conversation that the task has had so far, or a new one.

        What the `verdict` layer says of an answer that it refused comes last in it, not in the input.
        """
        note = call.meta.get("repair")
        given = evolve(call, input=unrepaired(call.input, note)) if isinstance(note, Mapping) else call
        told = [await self.prompt.render(given.input), self._instructions(provider)]
        system = "\n\n".join(text for text in told if text)
        opening: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
        opening.append({"role": "user", "content": given.directive})
        conversation = Conversation.take_up(tuple(opening), call.context, call.attempt)
        await conversation.reopen(str(note["text"]) if isinstance(note, Mapping) else None)
        return conversation

    def _instructions(self, provider: Provider) -> str:
        """Return what the model is told of its answer's form, as far as the server does not hold it to that."""
        held = self.reader.schema is not None and provider.json_schema and not self.profile.tools
        told = [None if held else self.reader.instructions(), None if self.verdict is None else _promised(self.verdict)]
        return " ".join(text for text in told if text)


def _promised(verdict: VerdictContract) -> str:
    values = ", ".join(to_text(value) for value in verdict.values)
    if verdict.path == "$":
        return f"Your whole answer is exactly one of these words: {', '.join(verdict.values)}"
    return f"In the JSON value of your answer, what stands at {verdict.path} is one of these: {values}."


async def _outcome(talk: Talk) -> Result | Exception:
    """Return how a talk ends: the task groups around it would wrap what is raised inside of them."""
    try:
        return await talk.whole()
    except Exception as error:
        return error


def build_llm(agent: AgentDef, spec: LlmSpec, hint: AgentHint, environment: Environment) -> Spawner:
    """Build the spawner of an agent.

    Raises: ValueError with everything that is wrong with its spec and tools; DocumentError, for its system prompt.
    """
    settings, profile = read_settings(environment.settings), agent.profile or AgentProfile()
    faults = list(faults_of(spec))

    def tried(build: Any, *args: Any) -> Any:
        try:
            return build(*args)
        except ValueError as error:
            faults.append(str(error))
            return None

    sections = tried(servers_of, spec, settings)
    cwd = tried(folder_of, spec.project_root, environment.directory)
    wanted = tried(wanted_tools, profile.tools, environment.tools, sections or {})
    if faults:
        raise ValueError("; ".join(faults))
    return LlmSpawner(
        name=agent.name,
        spec=spec,
        profile=profile,
        settings=settings,
        prompt=SystemPrompt.of_agent(agent, environment.blueprint, environment.processes),
        reader=Reader.of(spec),
        wanted=wanted,
        servers=Servers(
            sections=sections,
            wanted=wanted.mcp,
            processes=environment.processes,
            passed=passed_on(settings.pass_env),
            cwd=cwd,
            timeout=spec.mcp_rpc_timeout_ms / 1000,
        ),
        clients=environment.services.setdefault(Clients, Clients()),
        verdict=agent.verdict,
    )

"""The section `[plugin.llm]` of the settings, and the variables `SWARM_LLM_*`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

from attrs import evolve, field, frozen

from swarm_core.errors import SettingsError, did_you_mean
from swarm_core.model.duration import parse_duration, parse_size
from swarm_core.model.problem import Problem
from swarm_core.model.shown import shown
from swarm_core.settings import Settings, parse_count
from swarm_plugin_llm.places import origin_fault, url_fault

BASE_URL, API_KEY, MODEL = "SWARM_LLM_BASE_URL", "SWARM_LLM_API_KEY", "SWARM_LLM_MODEL"
FROM_ENVIRONMENT = "env"
"""The name of the provider that the variables make."""

TokensField = Literal["max_tokens", "max_completion_tokens"]


@frozen(kw_only=True)
class Prices:
    """What a million tokens cost, in whatever money the budgets count."""

    __repr__ = shown

    input: float = 0.0
    output: float = 0.0


@frozen(kw_only=True)
class ProviderSection:
    """One endpoint that speaks the chat dialect of OpenAI.

    `api_key_env` names the variable that has the key, `api_key_keyring` is `service/user` of a keyring; without either
    no key is sent. `timeout` is how long the server may say nothing. `max_retries` bounds how often one request is made
    again, `concurrency` how many are under way at once. `json_schema` says whether the server takes a schema for its
    answers. `prices` are by model.
    """

    __repr__ = shown

    base_url: str
    model: str | None = None
    api_key_env: str | None = None
    api_key_keyring: str | None = None
    timeout: str | float = "2m"
    max_retries: int = 2
    concurrency: int = 16
    json_schema: bool = True
    max_tokens_field: TokensField = "max_tokens"
    prices: Mapping[str, Prices] = field(factory=dict)


@frozen(kw_only=True)
class McpServerSection:
    """An MCP server that agents may name: a program, or the URL of one.

    `env` are variables of the program. `headers_env` maps names of headers to the variables that have their values.
    """

    __repr__ = shown

    command: str | None = None
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(factory=dict)
    url: str | None = None
    headers_env: Mapping[str, str] = field(factory=dict)


@frozen(kw_only=True)
class LlmSection:
    """The section as it is written.

    `default` names the provider of models that name none. `mcp_origins` are the origins, such as
    `https://tools.example`, of the MCP servers whose URLs a Blueprint may bring itself. `pass_env` names variables that
    the programs of MCP servers also get.
    """

    __repr__ = shown

    default: str | None = None
    providers: Mapping[str, ProviderSection] = field(factory=dict)
    max_turns: int = 32
    max_answer: str | int = "1MiB"
    max_tool_result: str | int = "64KiB"
    tools_at_once: int = 8
    mcp_servers: Mapping[str, McpServerSection] = field(factory=dict)
    mcp_origins: tuple[str, ...] = ()
    pass_env: tuple[str, ...] = ()


@frozen(kw_only=True)
class Provider:
    """An endpoint; `timeout` is in seconds."""

    __repr__ = shown

    name: str
    base_url: str
    model: str | None = None
    api_key_env: str | None = None
    api_key_keyring: str | None = None
    timeout: float = 120.0
    max_retries: int = 2
    concurrency: int = 16
    json_schema: bool = True
    max_tokens_field: TokensField = "max_tokens"
    prices: Mapping[str, Prices] = field(factory=dict)


@frozen(kw_only=True)
class LlmSettings:
    """The section, read; sizes are characters."""

    __repr__ = shown

    default: str | None
    providers: Mapping[str, Provider]
    max_turns: int
    max_answer: int
    max_tool_result: int
    tools_at_once: int
    mcp_servers: Mapping[str, McpServerSection]
    mcp_origins: tuple[str, ...]
    pass_env: tuple[str, ...]

    def target(self, model: str | None) -> tuple[Provider | None, str | None]:
        """Return whom a profile's `model` is asked of, and the model; None for what nothing says.

        `provider/name` where there is such a provider, else the name of a model of the default one.
        """
        first, slash, rest = (model or "").partition("/")
        if slash and first in self.providers:
            return self.providers[first], rest
        provider = self.providers.get(self.default or "")
        return provider, model or (provider.model if provider else None)


def read_settings(settings: Settings, environ: Mapping[str, str] = os.environ) -> LlmSettings:
    """Return the section `[plugin.llm]`, with the provider that the environment describes, if it does.

    Raises: SettingsError, with every key that is wrong.
    """
    section = settings.section("llm", LlmSection)
    reading = _Reading(settings)
    providers = {name: reading.provider(name, each) for name, each in section.providers.items()}
    default = section.default or (next(iter(providers)) if len(providers) == 1 else None)
    if section.default is not None and section.default not in providers:
        reading.wrong(
            "default", f"there is no provider {section.default!r}; {did_you_mean(section.default, providers)}"
        )
    found = LlmSettings(
        default=default,
        providers=providers,
        max_turns=reading.of("max_turns", parse_count, section.max_turns),
        max_answer=reading.of("max_answer", parse_size, section.max_answer),
        max_tool_result=reading.of("max_tool_result", parse_size, section.max_tool_result),
        tools_at_once=reading.of("tools_at_once", parse_count, section.tools_at_once),
        mcp_servers={name: reading.server(name, each) for name, each in section.mcp_servers.items()},
        mcp_origins=tuple(reading.origin(each) for each in section.mcp_origins),
        pass_env=section.pass_env,
    )
    if reading.problems:
        raise SettingsError.of(reading.problems)
    return _with_environment(found, environ)


class _Reading:
    """Reads values and collects what is wrong with them."""

    def __init__(self, settings: Settings) -> None:
        self._file = str(settings.file) if settings.file else None
        self.problems: list[Problem] = []

    def wrong(self, key: str, message: str) -> None:
        path = f"plugin.llm.{key}"
        self.problems.append(Problem(code="invalid_setting", message=message, path=path, file=self._file))

    def of(self, key: str, parse: Callable[[Any], float], value: Any) -> Any:
        try:
            return parse(value)
        except ValueError as error:
            self.wrong(key, str(error))
            return 1

    def provider(self, name: str, section: ProviderSection) -> Provider:
        key = f"providers.{name}"
        if "/" in name or name == FROM_ENVIRONMENT:
            self.wrong(key, f"{name!r} cannot name a provider: no '/', and {FROM_ENVIRONMENT!r} is the environment's")
        if (fault := url_fault(section.base_url)) is not None:
            self.wrong(f"{key}.base_url", fault)
        if section.api_key_keyring is not None and len(section.api_key_keyring.split("/")) != 2:
            self.wrong(f"{key}.api_key_keyring", "a key in the keyring is named `service/user`")
        for model, prices in section.prices.items():
            if min(prices.input, prices.output) < 0:
                self.wrong(f"{key}.prices.{model}", "a price is no number below 0")
        return Provider(
            name=name,
            base_url=section.base_url,
            model=section.model,
            api_key_env=section.api_key_env,
            api_key_keyring=section.api_key_keyring,
            timeout=self.of(f"{key}.timeout", parse_duration, section.timeout),
            max_retries=self.of(f"{key}.max_retries", partial(parse_count, least=0), section.max_retries),
            concurrency=self.of(f"{key}.concurrency", parse_count, section.concurrency),
            json_schema=section.json_schema,
            max_tokens_field=section.max_tokens_field,
            prices=section.prices,
        )

    def server(self, name: str, section: McpServerSection) -> McpServerSection:
        key = f"mcp_servers.{name}"
        if (section.command is None) == (section.url is None):
            self.wrong(key, "an MCP server has a `command` or a `url`, and one of them only")
        if section.url is not None and (fault := url_fault(section.url)) is not None:
            self.wrong(f"{key}.url", fault)
        return section

    def origin(self, text: str) -> str:
        if (fault := origin_fault(text)) is not None:
            self.wrong("mcp_origins", fault)
        return text


def _with_environment(settings: LlmSettings, environ: Mapping[str, str]) -> LlmSettings:
    url, model = environ.get(BASE_URL), environ.get(MODEL) or None
    if url:
        if (fault := url_fault(url)) is not None:
            raise SettingsError(fault, where=BASE_URL)
        key = API_KEY if environ.get(API_KEY) else None
        own = Provider(name=FROM_ENVIRONMENT, base_url=url, model=model, api_key_env=key)
        return evolve(settings, default=own.name, providers={**settings.providers, own.name: own})
    if model and settings.default:
        provider = evolve(settings.providers[settings.default], model=model)
        return evolve(settings, providers={**settings.providers, settings.default: provider})
    return settings

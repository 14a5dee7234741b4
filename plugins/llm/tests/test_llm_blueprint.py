"""What `build` refuses, in specs, profiles and settings."""

import pytest
from model_server import says
from swarm_plugin_llm.settings import read_settings

from swarm_core.errors import DocumentError, SettingsError, SpawnFailed
from swarm_core.settings import Settings
from swarm_core.tools import Tool


async def nothing(arguments, context):
    return None


@pytest.mark.parametrize(
    ("spec", "profile", "text"),
    [
        ({"script_path": "a.lua"}, {}, "'script_path' is not supported"),
        ({"output": "text", "output_schema": {}}, {}, "leave one of them out"),
        ({"output_schema": {"type": "nonsense"}}, {}, "'output_schema' "),
        ({"output_schema": {"$ref": "http://127.0.0.1/x"}}, {}, "'output_schema' "),
        ({"max_turns": 0}, {}, "'max_turns' is 0, which is out of range: 1 to 1000"),
        ({"temperature": 3}, {}, "'temperature' is 3"),
        ({"project_root": "../up"}, {}, "leaves the Blueprint's folder"),
        ({"mcp_servers": [{"name": "a__b", "command": "x"}]}, {}, "is no name"),
        ({"mcp_servers": [{"name": "a"}]}, {}, "'command' or a 'url'"),
        ({"mcp_servers": [{"name": "a", "command": "x"}] * 2}, {}, "stands there twice"),
        ({"mcp_servers": [{"name": "a", "command": "x", "env": {"SWARM_X": "1"}}]}, {}, "is no variable"),
        ({"mcp_servers": [{"name": "a", "url": "http://10.0.0.1/mcp"}]}, {}, "no request may go to the URL of 'a'"),
        ({}, {"tools": ["reed_data"]}, "no plugin provides the tool 'reed_data'; did you mean 'read_data'?"),
        ({}, {"tools": ["mcp__files__read"]}, "no such MCP server; servers: none"),
        ({"mcp_servers": [{"name": "files", "command": "x"}]}, {"tools": ["mcp__file__read"]}, "did you mean 'files'?"),
        ({}, {"tools": ["bad name"]}, "cannot be offered to a model"),
        ({}, {"tools": ["bad_schema"]}, "its parameters are no JSON Schema"),
    ],
)
async def test_a_wrong_agent_is_refused_with_what_to_do(bench, spec, profile, text):
    tools = [
        Tool(name="bad name", summary="", parameters={}, call=nothing),
        Tool(name="bad_schema", summary="", parameters={"type": 5}, call=nothing),
    ]

    with pytest.raises(ValueError) as caught:
        bench.build(spec=spec, profile=profile, tools=tools)

    assert text in str(caught.value)


async def test_all_that_is_wrong_is_told_at_once(bench):
    with pytest.raises(ValueError, match=r"script_path.*project_root.*reed_data"):
        bench.build(spec={"script_path": "x", "project_root": ".."}, profile={"tools": ["reed_data"]})


async def test_a_wrong_prompt_is_told_with_its_line(bench):
    with pytest.raises(DocumentError, match="system_prompt, line 2: "):
        bench.build(profile={"system_prompt": "a\n{% if %}"})


@pytest.mark.parametrize("prompt", ["{% include 'x' %}", "{% import 'x' as y %}", "{{ a|nofilter }}"])
async def test_a_prompt_cannot_take_in_files_or_use_what_is_not_there(bench, prompt):
    with pytest.raises(DocumentError):
        bench.build(profile={"system_prompt": prompt})


async def test_a_slot_that_the_input_has_not_refuses_the_attempt(bench):
    with pytest.raises(SpawnFailed, match="render system_prompt: 'name' is undefined; slots of this input: other"):
        await bench.run({"other": 1}, profile={"system_prompt": "{{ name }}"})


async def test_a_prompt_that_never_ends_is_ended(bench):
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"

    with pytest.raises(SpawnFailed, match=r"render system_prompt: it takes more than 3 s|more memory or time"):
        await bench.run(profile={"system_prompt": endless})


async def test_a_prompt_with_a_loop_is_rendered(bench, server):
    server.script(says("ok"))

    await bench.run({"names": ["a", "b"]}, profile={"system_prompt": "{% for n in names %}<{{ n }}>{% endfor %}"})

    assert "<a><b>" == server.asked[0].messages[0]["content"]


# settings --------------------------------------------------------------------------------------------------------


def read(environ=None, **section):
    return read_settings(Settings(sections={"llm": section}), environ or {})


LOCAL = {"base_url": "http://localhost:1/v1", "model": "small"}


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ({"default": "opnai", "providers": {"openai": LOCAL}}, "did you mean 'openai'?"),
        ({"providers": {"x": {"base_url": "ftp://x"}}}, "no http or https URL"),
        ({"providers": {"x": {"base_url": "http://user:pw@x/v1"}}}, "holds no user and no password"),
        ({"providers": {"x": {"base_url": "http://x/v1?key=abc"}}}, "no query"),
        ({"providers": {"env": LOCAL}}, "cannot name a provider"),
        ({"providers": {"x": {**LOCAL, "timeout": "soon"}}}, "providers.x.timeout"),
        ({"providers": {"x": {**LOCAL, "max_retries": -1}}}, "out of range"),
        ({"providers": {"x": {**LOCAL, "api_key": "sk-1"}}}, "api_key"),
        ({"providers": {"x": {**LOCAL, "api_key_keyring": "x"}}}, "service/user"),
        ({"providers": {"x": {**LOCAL, "prices": {"m": {"input": -1}}}}}, "below 0"),
        ({"mcp_servers": {"x": {}}}, "`command` or a `url`"),
        ({"mcp_origins": ["https://x/path"]}, "an origin has no path"),
        ({"max_turns": 0}, "out of range"),
        ({"max_answer": "much"}, "max_answer"),
    ],
)
def test_wrong_settings_are_refused_with_their_key(section, text):
    with pytest.raises(SettingsError) as caught:
        read(**section)

    assert text in str(caught.value)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "provider", "name"),
    [
        (None, "one", "small"),
        ("large", "one", "large"),
        ("two/large", "two", "large"),
        ("two/org/large", "two", "org/large"),
        ("org/large", "one", "org/large"),
    ],
)
def test_a_model_names_its_provider_or_is_the_default_ones(model, provider, name):
    settings = read(default="one", providers={"one": LOCAL, "two": LOCAL})

    target, asked = settings.target(model)

    assert (provider, name) == (target.name, asked)


def test_two_variables_make_the_provider_that_is_asked():
    told = {"SWARM_LLM_BASE_URL": "http://here/v1", "SWARM_LLM_API_KEY": "k"}

    provider, model = read(told, providers={"one": LOCAL}).target(None)

    assert ("http://here/v1", "SWARM_LLM_API_KEY", None) == (provider.base_url, provider.api_key_env, model)


def test_a_variable_names_the_model_of_the_default_provider():
    assert "other" == read({"SWARM_LLM_MODEL": "other"}, providers={"one": LOCAL}).target(None)[1]


def test_without_an_endpoint_nothing_is_guessed():
    assert (None, None) == read({"OPENAI_API_KEY": "sk-1"}).target(None)


async def test_a_run_without_an_endpoint_says_what_to_set(bench):
    with pytest.raises(SpawnFailed, match=r"no endpoint of a model is configured; export SWARM_LLM_BASE_URL"):
        await bench.run(section={"providers": {}})

"""The language decides, the default steps in, unknown agents stay, and the contract of resolvers is kept."""

import pytest
import swarm_language
from swarm_language import LanguageResolver, LanguageSettings

import swarm_core
from swarm_core.testing import check_plugin, check_resolver, make_call

AGENTS = frozenset({"translator.de", "translator.en", "judge"})


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        ({"language": "de"}, "translator.de"),
        ({"language": "en"}, "translator.en"),
        ({"language": "fr"}, "translator.en"),
        ({"language": ["de"]}, "translator.en"),
        ({}, "translator.en"),
        ("just a text", "translator.en"),
    ],
)
def test_the_language_decides(given, chosen):
    resolver = LanguageResolver(LanguageSettings(), AGENTS)

    check_resolver(resolver, make_call(input=given), maps={"translator": chosen, "judge": "judge"})


def test_the_key_can_be_set():
    resolver = LanguageResolver(LanguageSettings(key="lang"), AGENTS)

    assert resolver.resolve("translator", make_call(input={"lang": "de"})) == "translator.de"


def test_a_host_admits_it():
    assert list(check_plugin(swarm_language).resolvers) == ["language"]


def test_a_run_goes_to_the_agent_of_the_language():
    names = ["greeter.de", "greeter.en", "greeter"]
    blueprint = {
        "id": "trial",
        "flow": {"kind": "step", "ref": "greeter", "in": {"op": "path", "at": "$"}, "out": {"op": "path", "at": "$.x"}},
        "agents": [{"name": name, "kind": "function", "spec": {"fn_id": "identity"}} for name in names],
        "spawner_hints": {"layers": [{"resolver": {"use": "language"}}]},
    }

    result = swarm_core.run(blueprint, init_ctx={"language": "de"}, plugins=[swarm_language])

    assert result.final_ctx["x"]["agent"] == "greeter.de"

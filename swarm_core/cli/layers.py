"""`swarm layers`: what may stand around the attempts of a run, and what a set of a team comes to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import click
from attrs import NOTHING

from swarm_core import builtin
from swarm_core.cli import inputs, outcome
from swarm_core.cli.tables import print_table
from swarm_core.codec import unstructure
from swarm_core.codec.shapes import record_of
from swarm_core.compile import LayerSelection, LinkedLayer, SetSource, described, resolve_set, set_sources
from swarm_core.factories import Catalog, LayerFactory
from swarm_core.host import Host
from swarm_core.model.blueprint import LayerUse
from swarm_core.model.problem import Severity
from swarm_core.settings import Settings, SetUse


def complete_sets(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the layer sets that begin with what is there; nothing when anything goes wrong."""
    try:
        settings = inputs.settings_of(ctx)
        with outcome.kept_stdout():
            return [each.name for each in set_sources(_catalog(settings), settings) if each.name.startswith(incomplete)]
    except Exception:
        return []


@click.command("layers")
@click.argument("set_name", metavar="[SET]", required=False, shell_complete=complete_sets)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one object: layers, sets; with SET: set, provider, covers, chain, problems.",
)
@click.pass_context
def command(ctx: click.Context, *, set_name: str | None, as_json: bool) -> int:
    """List the layers that are installed and the layer sets; or what the layer set SET comes to.

    For SET: its layers, the outermost first, who provides each, who asked for it, with which options, and what is
    wrong or not installed. Exit codes: 0 the set can be used, 3 something in it is wrong, 4 no such set.
    """
    settings = inputs.settings_of(ctx)
    with outcome.kept_stdout():
        catalog = _catalog(settings)
    sources = set_sources(catalog, settings)
    if set_name is None:
        _print_all(catalog, sources, as_json=as_json)
        return outcome.OK
    source = next((each for each in sources if each.name == set_name), None)
    selection = resolve_set(set_name, catalog, settings)
    if source is None:
        outcome.say(f"error: {selection.problems[0].message}; {selection.problems[0].hint}")
        return outcome.NOT_FOUND
    _print_set(source, selection, described(selection.use, catalog, selection.why), as_json=as_json)
    wrong = any(problem.severity is Severity.ERROR for problem in selection.problems)
    return outcome.INVALID if wrong else outcome.OK


def chain_facts(chain: Iterable[LinkedLayer]) -> list[dict[str, Any]]:
    """Return the layers of a chain as data, the outermost first."""
    return [
        {
            "key": layer.key,
            "stage": layer.stage.name,
            "provider": layer.provider,
            "why": layer.why,
            "options": dict(layer.options),
        }
        for layer in chain
    ]


def print_chain(chain: Iterable[LinkedLayer]) -> None:
    """Print the layers of a chain, the outermost first."""
    rows = [
        (layer.key, layer.stage.name, layer.provider or "", layer.why, _options_text(layer.options)) for layer in chain
    ]
    print_table(("layer", "stage", "provided by", "asked for by", "options"), rows, empty="none")


def _catalog(settings: Settings) -> Catalog:
    return Host.load(None, settings, builtin=(builtin,), strict=False).catalog


# all layers, all sets ----------------------------------------------------------------------------------------


def _print_all(catalog: Catalog, sources: Iterable[SetSource], *, as_json: bool) -> None:
    factories = sorted(catalog.layers.values(), key=lambda factory: (factory.stage, factory.key))
    layers = [_layer_facts(factory, catalog) for factory in factories]
    sets = [_set_facts(source) for source in sources]
    if as_json:
        outcome.print_json({"layers": layers, "sets": sets})
        return
    click.echo("Layers, the outermost first")
    rows = [
        (fact["key"], fact["stage"], fact["provider"] or "", fact["summary"], _models_text(fact["options"]))
        for fact in layers
    ]
    print_table(("layer", "stage", "provided by", "", "options"), rows, empty="none")
    click.echo("\nLayer sets")
    names = [(fact["name"], _from(fact), ", ".join(map(_use_text, fact["use"])), fact["summary"]) for fact in sets]
    print_table(("set", "from", "layers", ""), names, empty="none")


def _layer_facts(factory: LayerFactory, catalog: Catalog) -> dict[str, Any]:
    return {
        "key": factory.key,
        "stage": factory.stage.name,
        "provider": catalog.provider.get(("layer", factory.key)),
        "summary": factory.summary,
        "options": _model_facts(factory.options),
    }


def _model_facts(model: type | None) -> dict[str, dict[str, Any]]:
    """Return what options a model has: what each takes, and its default, which a required one has not."""
    if model is None:
        return {}
    return {
        name: {"takes": member.shape.expected}
        | ({} if member.default is NOTHING else {"default": unstructure(member.default)})
        for name, member in record_of(model).members.items()
    }


def _models_text(options: Mapping[str, Mapping[str, Any]]) -> str:
    return ", ".join(
        f"{name}={json.dumps(fact['default'], ensure_ascii=False)}" if "default" in fact else f"{name} (required)"
        for name, fact in options.items()
    )


def _set_facts(source: SetSource) -> dict[str, Any]:
    return {
        "name": source.name,
        "provider": source.provider,
        "covers": source.covers,
        "summary": source.summary,
        "use": [_use_facts(item) for item in source.use],
    }


def _use_facts(item: LayerUse | SetUse) -> dict[str, Any]:
    if isinstance(item, SetUse):
        return {"set": item.name}
    return {"key": item.key} | ({} if item.options is None else {"options": item.options})


def _use_text(fact: Mapping[str, Any]) -> str:
    return f"set {fact['set']}" if "set" in fact else str(fact["key"])


def _from(fact: Mapping[str, Any]) -> str:
    return f"{fact['provider']}, in place of {fact['covers']}'s" if fact["covers"] else str(fact["provider"])


# one set -----------------------------------------------------------------------------------------------------


def _print_set(source: SetSource, selection: LayerSelection, chain: tuple[LinkedLayer, ...], *, as_json: bool) -> None:
    facts = _set_facts(source)
    if as_json:
        about = {"set": source.name, "provider": source.provider, "covers": source.covers}
        problems = [problem.as_json() for problem in selection.problems]
        outcome.print_json({**about, "chain": chain_facts(chain), "problems": problems})
        return
    click.echo(outcome.printable(f"Layer set {source.name}, from {_from(facts)}: the outermost first"))
    print_chain(chain)
    for problem in selection.problems:
        outcome.say(f"{problem.severity}: {problem}")


def _options_text(options: Mapping[str, Any]) -> str:
    told = {name: value for name, value in options.items() if value is not None}
    return ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in told.items())

"""Any Blueprint survives its document, and the codec and the JSON Schema agree on what a document may be."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarm_core.codec import blueprint_json, blueprint_schema, document_problems, load_json, structure_blueprint
from swarm_core.model import budget as budgets
from swarm_core.model.blueprint import (
    RETRY_CAUSES,
    AgentDef,
    AgentHint,
    AgentMeta,
    AgentProfile,
    AlgoOrigin,
    Blueprint,
    BlueprintMetadata,
    CompilerHints,
    CompilerStrategy,
    FileOrigin,
    InlineOrigin,
    LayerUse,
    OperatorDef,
    RetryHint,
    SpawnerHints,
)
from swarm_core.model.nodes import (
    MAX_LOOP,
    Arith,
    Branch,
    CallExtern,
    Compare,
    Exists,
    Fanout,
    In,
    Join,
    Len,
    Let,
    Lit,
    Logic,
    Loop,
    Not,
    Path,
    Seq,
    Step,
    Try,
)
from swarm_core.model.operator import OperatorKind

SCHEMA = jsonschema.Draft202012Validator(blueprint_schema())

# What the schema cannot see, by the code of the problem.
BEYOND_SCHEMA = {"duplicate_agent", "duplicate_operator", "too_deep", "too_many_nodes"}

# models ------------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,8}", fullmatch=True)
WORDS = st.sampled_from(["plan", "review", "a b", "x.y", "Größe"])
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
DURATIONS = st.sampled_from(["90s", "5m", "1.5h", "500ms", 2, 0.25])
PATHS = st.builds(Path, at=st.sampled_from(["$", "ctx", "$.plan", '$["any key"].x', "ctx.steps[-1]", "$.a[0].b"]))


def _expressions(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    many = st.lists(inner, max_size=2).map(tuple)
    return st.one_of(
        st.builds(Compare, op=st.sampled_from(["eq", "ne", "lt", "gt", "lte", "gte"]), lhs=inner, rhs=inner),
        st.builds(Arith, op=st.sampled_from(["add", "sub", "mul", "div", "mod"]), lhs=inner, rhs=inner),
        st.builds(Logic, op=st.sampled_from(["and", "or"]), args=many),
        st.builds(Not, arg=inner),
        st.builds(Exists, arg=inner),
        st.builds(Len, arg=inner),
        st.builds(In, needle=inner, haystack=inner),
        st.builds(CallExtern, ref=TEXT, args=many),
    )


EXPRESSIONS = st.recursive(PATHS | st.builds(Lit, value=JSON), _expressions, max_leaves=4)


def _nodes(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.builds(Seq, children=st.lists(inner, max_size=3).map(tuple)),
        st.builds(Branch, cond=EXPRESSIONS, then=inner, else_=inner),
        st.builds(
            Fanout,
            items=EXPRESSIONS,
            bind=PATHS,
            body=inner,
            join=st.sampled_from(Join),
            out=PATHS,
            max_concurrency=st.none() | st.integers(1, MAX_LOOP),
        ),
        st.builds(Loop, counter=PATHS, cond=EXPRESSIONS, body=inner, max=st.integers(0, MAX_LOOP)),
        st.builds(Try, body=inner, catch=inner, err_at=st.none() | PATHS),
    )


NODES = st.recursive(
    st.builds(Step, ref=NAMES, in_=EXPRESSIONS, out=PATHS) | st.builds(Let, at=PATHS, value=EXPRESSIONS),
    _nodes,
    max_leaves=5,
)
TAGS = st.lists(TEXT, max_size=2).map(tuple)
META = st.builds(AgentMeta, description=st.none() | TEXT, version=st.none() | TEXT, tags=TAGS)
PROFILES = st.builds(
    AgentProfile,
    system_prompt=TEXT,
    model=st.none() | TEXT,
    effort=st.none() | TEXT,
    tools=TAGS,
    description=st.none() | TEXT,
    extras=JSON,
    version_hash=st.none() | TEXT,
)
KINDS = st.none() | st.sampled_from(OperatorKind)
LIMITS = st.none() | st.integers(1, 10**12)
COUNTERS = st.dictionaries(NAMES.filter(lambda name: name not in budgets.LIMITS), st.integers(0, 10**18) | st.just(0.5))
AGENT_BUDGETS = st.builds(budgets.AgentBudget, dispatches=LIMITS, attempts=LIMITS, counters=COUNTERS)
BUDGETS = st.builds(
    budgets.Budget,
    dispatches=LIMITS,
    attempts=LIMITS,
    depth=LIMITS,
    wall_time=st.none() | DURATIONS,
    concurrency=LIMITS,
    breaker=LIMITS,
    counters=COUNTERS,
)
HINTS = st.builds(
    AgentHint,
    timeout=st.none() | DURATIONS,
    retry=st.none()
    | st.builds(
        RetryHint,
        max_attempts=st.integers(1, 9),
        backoff=DURATIONS | st.just(0),
        max_backoff=DURATIONS,
        on=st.lists(st.sampled_from(RETRY_CAUSES), max_size=2).map(tuple),
    ),
    concurrency=st.none() | st.integers(1, 9),
    budget=st.none() | AGENT_BUDGETS,
    bind=st.none() | NAMES,
    extra=st.dictionaries(st.sampled_from(["temperature", "odd key"]), JSON, max_size=2),
)
BLUEPRINTS = st.builds(
    Blueprint,
    id=WORDS,
    flow=NODES,
    schema_version=st.sampled_from(["0.1.0", "0.1.12", "0.1.3-rc.1+build.5"]),
    agents=st.lists(
        st.builds(AgentDef, name=NAMES, kind=TEXT, spec=JSON, profile=st.none() | PROFILES, meta=st.none() | META),
        max_size=2,
        unique_by=lambda agent: agent.name.casefold(),
    ).map(tuple),
    operators=st.lists(
        st.builds(OperatorDef, name=WORDS, display_name=st.none() | TEXT, kind=KINDS, spec=JSON),
        max_size=2,
        unique_by=lambda operator: operator.name,
    ).map(tuple),
    hints=st.builds(CompilerHints, per_agent=st.dictionaries(TEXT, HINTS, max_size=2), global_=st.none() | HINTS),
    strategy=st.builds(CompilerStrategy),
    metadata=st.builds(
        BlueprintMetadata,
        description=st.none() | TEXT,
        origin=st.one_of(
            st.builds(InlineOrigin), st.builds(FileOrigin, path=WORDS), st.builds(AlgoOrigin, session_id=TEXT)
        ),
        tags=TAGS,
        version_label=st.none() | TEXT,
        project_name_alias=st.none() | TEXT,
        default_run_ttl_secs=st.none() | st.integers(1, 10**6),
    ),
    spawner_hints=st.builds(
        SpawnerHints, layers=st.lists(st.builds(LayerUse, key=WORDS, options=JSON), max_size=2).map(tuple)
    ),
    budget=st.none() | BUDGETS,
    default_agent_kind=NAMES,
    default_operator_kind=KINDS,
    default_init_ctx=JSON,
)


class TestRoundTrip:
    @settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
    @given(BLUEPRINTS)
    def test_any_model_comes_back_equal_from_its_document(self, blueprint: Blueprint) -> None:
        text = json.dumps(blueprint_json(blueprint)).encode()

        read = structure_blueprint(load_json(text, name="x.json").value)

        assert blueprint == read

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(BLUEPRINTS)
    def test_the_document_of_any_model_is_valid_by_the_schema(self, blueprint: Blueprint) -> None:
        errors = [error.message for error in SCHEMA.iter_errors(blueprint_json(blueprint))]

        assert [] == errors


# mutations ---------------------------------------------------------------------------------------------------

ODD_VALUES = [
    None,
    True,
    0,
    -1,
    1.5,
    2**40,
    "",
    "x",
    "a b",
    "$.x",
    "$..x",
    "5m",
    "5 parsecs",
    "0.2.0",
    "abc",
    "operator",
    "main_ai",
    "all",
    10**12 + 1,
    [],
    ["x"],
    [1],
    {},
    {"kind": "step"},
    {"kind": "stp"},
    {"op": "path", "at": "$.x"},
    {"op": "path", "at": "x"},
    {"x": 1},
]
ODD_KEYS = ["childern", "name", "kind", "op", "at", "arg", "args", "operand", "of", "$schema", "value", ""]


def _places(value: Any, steps: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [steps, *(place for step, member in members for place in _places(member, (*steps, step)))]


@st.composite
def mutated_documents(draw: st.DrawFn) -> Any:
    document = copy.deepcopy(blueprint_json(draw(BLUEPRINTS)))
    for _ in range(draw(st.integers(1, 2))):
        document = _mutated(draw, document)
    return document


def _mutated(draw: st.DrawFn, document: Any) -> Any:
    steps = draw(st.sampled_from(_places(document)))
    if not steps:
        return document
    holder = document
    for step in steps[:-1]:
        holder = holder[step]
    change = draw(st.sampled_from(["replace", "drop", "add"]))
    if change == "replace":
        holder[steps[-1]] = copy.deepcopy(draw(st.sampled_from(ODD_VALUES)))
    elif change == "drop":
        del holder[steps[-1]]
    elif isinstance(holder, dict):
        holder[draw(st.sampled_from(ODD_KEYS))] = copy.deepcopy(draw(st.sampled_from(ODD_VALUES)))
    return document


class TestAgreement:
    @settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
    @given(mutated_documents())
    def test_the_schema_refuses_what_the_codec_refuses_and_nothing_else(self, document: Any) -> None:
        problems = [problem for problem in document_problems(document) if problem.code not in BEYOND_SCHEMA]

        errors = [error.json_path for error in SCHEMA.iter_errors(document)]

        assert bool(problems) == bool(errors), (problems, errors)


@pytest.mark.parametrize("value", [2.0, 0.0])
def test_a_whole_float_is_the_one_number_on_which_they_differ(value: float) -> None:
    loop = {
        "kind": "loop",
        "counter": {"op": "path", "at": "$.i"},
        "cond": {"op": "lit", "value": True},
        "body": {"kind": "seq", "children": []},
        "max": value,
    }

    assert SCHEMA.is_valid({"id": "x", "flow": loop})
    assert ["wrong_type"] == [problem.code for problem in document_problems({"id": "x", "flow": loop})]

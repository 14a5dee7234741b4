"""What lints claim of a flow holds in every evaluation of it: random flows, and the golden cases of the language."""

from __future__ import annotations

import asyncio
import json
from copy import deepcopy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm_core.codec.places import steps_of
from swarm_core.compile.lints import DEFAULTS, Levels, lint
from swarm_core.errors import FlowError
from swarm_core.flow import compile_flow
from swarm_core.model.blueprint import AgentDef, Blueprint, VerdictContract
from swarm_core.model.parse import parse_node
from swarm_core.model.walk import steps

CASES = Path(__file__).parents[1] / "flow" / "cases"
WORDS = ("x", "y", "z")
JUDGES = {"judge": ("x", "y"), "jury": ("y", "z")}
ALL = Levels(of=dict.fromkeys(DEFAULTS, "warn"))


# random flows ------------------------------------------------------------------------------------------------

KEYS = [".a", ".b", ".a.p", ".a.v", ".b.v", ".c", ".i"]
paths = st.sampled_from(["$", *(f"${key}" for key in KEYS), "$.a[0]"])
targets = st.sampled_from([f"${key}" for key in KEYS] * 3 + ["$", "$.a[0]"]).map(lambda at: {"op": "path", "at": at})
words = st.sampled_from(WORDS).map(lambda word: {"op": "lit", "value": word})
literals = st.sampled_from([None, True, False, 0, 1, "x", [], [1, 2], {"p": "x"}]).map(
    lambda value: {"op": "lit", "value": value}
)
reads = paths.map(lambda at: {"op": "path", "at": at})


def shaped(op, **fields):
    return st.fixed_dictionaries({"op": st.sampled_from(op.split()), **fields})


looks = shaped("eq ne", lhs=reads, rhs=words) | shaped(
    "in", needle=reads, haystack=st.lists(st.sampled_from(WORDS), max_size=2).map(lambda v: {"op": "lit", "value": v})
)
conds = st.recursive(
    looks | shaped("exists", arg=reads) | shaped("eq lt", lhs=reads | literals, rhs=literals) | literals,
    lambda inner: shaped("not", arg=inner) | shaped("and or", args=st.lists(inner, max_size=2)),
    max_leaves=3,
)


def node(kind, **fields):
    return st.fixed_dictionaries({"kind": st.just(kind), **fields})


leaves = st.one_of(
    node("step", ref=st.sampled_from(["s", *JUDGES]), out=targets, **{"in": reads | literals}),
    node("step", ref=st.sampled_from(["s", *JUDGES]), out=targets, **{"in": literals}),
    node("let", at=targets.map(lambda path: path["at"]), value=reads | words | literals),
)


def compounds(inner):
    many = st.lists(inner, min_size=1, max_size=4)
    return st.one_of(
        node("seq", children=many),
        node("seq", children=st.lists(inner, min_size=2, max_size=5)),
        node("branch", cond=conds, then=inner, **{"else": inner}),
        node("loop", counter=targets, cond=conds, body=inner, max=st.integers(0, 3)),
        node("try", body=inner | st.just({"kind": "seq", "children": []}), catch=inner, err_at=targets),
        node("try", body=inner, catch=inner),
        node(
            "fanout",
            items=st.sampled_from([[], [1], ["x", "y"]]).map(lambda value: {"op": "lit", "value": value}) | reads,
            bind=targets,
            body=inner,
            join=st.sampled_from(["all", "any", "race", "all_settled"]),
            out=targets,
        ),
    )


flows = st.recursive(leaves, compounds, max_leaves=12)

# Flows that do little but give verdicts and look at them.
few = st.sampled_from(["$.a", "$.a.v", "$.b"])
seats = few.map(lambda path: {"op": "path", "at": path})
verdicts = st.one_of(
    node("step", ref=st.sampled_from(sorted(JUDGES)), out=seats, **{"in": literals}),
    node("step", ref=st.sampled_from(sorted(JUDGES)), out=seats, **{"in": literals}),
    node("let", at=few, value=seats | words),
    node("branch", cond=shaped("eq ne", lhs=seats, rhs=words), then=leaves, **{"else": leaves}),
    node(
        "branch", cond=shaped("in", needle=seats, haystack=st.just({"op": "lit", "value": ["x", "z"]})), then=leaves
    ).map(lambda branch: {**branch, "else": {"kind": "seq", "children": []}}),
)
trials = st.recursive(
    verdicts,
    lambda inner: compounds(inner) | node("seq", children=st.lists(inner, min_size=3, max_size=6)),
    max_leaves=12,
)
starts = st.sampled_from(
    [{}, {"a": {}}, {"a": {"p": "x", "v": "y"}, "b": {"v": "z"}, "c": ["x"]}, {"a": "x", "c": [1]}]
)


# evaluating and judging --------------------------------------------------------------------------------------


def numbered(flow):
    """Give every step a ref of its own, after its number: `s7`, `judge7`; no two parts are one object."""
    flow = json.loads(json.dumps(flow))
    for count, (path, step) in enumerate(steps(parse_node(flow))):
        at(flow, path)["ref"] = f"{step.ref}{count}"
    return flow


def at(document, path):
    for step in steps_of(path):
        document = document[step]
    return document


def contract_of(ref):
    values = JUDGES.get(ref.rstrip("0123456789"))
    return None if values is None else VerdictContract(values=values, path="$.v" if ref.startswith("jury") else "$")


def claims(flow):
    """Return what the lints say of a flow: places below the flow, by code."""
    node = parse_node(flow)
    agents = tuple(AgentDef(name=step.ref, kind="k", verdict=contract_of(step.ref)) for _, step in steps(node))
    found = {}
    for problem in lint(Blueprint(id="b", flow=node, agents=agents), ALL):
        if problem.path.startswith("$.flow"):
            found.setdefault(problem.code, []).append("$" + problem.path.removeprefix("$.flow"))
    return found


def outcome(flow, start, seed, other=()):
    """Run a flow; return its end and all that was asked for. Steps in `other` answer something else."""
    asked = []

    async def dispatch(ref, value, address):
        asked.append((ref, address, json.dumps(value, sort_keys=True)))
        contract = contract_of(ref)
        if contract is not None:
            word = contract.values[(seed + len(asked)) % 2]
            return {"v": word} if contract.path == "$.v" else word
        if (seed * 7 + len(asked)) % 9 == 0:
            raise ValueError("no")
        answer = [{"p": "x", "v": "x"}, "z", {}, None][(seed + len(asked)) % 4]
        return {"else": ["other"]} if ref in other else answer

    try:
        end = asyncio.run(compile_flow(flow).run(deepcopy(start), dispatch))
    except FlowError as error:
        end = str(error)
    return end, asked


def loop_counts(flow, path):
    """Return the flow with a step after a loop that is given the loop's counter."""
    changed = json.loads(json.dumps(flow))
    loop = at(changed, path)
    probe = {"kind": "step", "ref": "probe", "in": loop["counter"], "out": {"op": "path", "at": "$.probe"}}
    whole = {"kind": "seq", "children": [deepcopy(loop), probe]}
    loop.clear()
    loop.update(whole)
    return changed


def without_look(flow, path):
    """Return the flow with a comparison that finds nothing in the place of the one whose literal stands at `path`."""
    changed = json.loads(json.dumps(flow))
    place, field, _ = path.partition(".haystack.value[")
    if field:
        at(changed, place)["haystack"]["value"][int(path[:-1].rpartition("[")[2])] = {"never": "equal"}
        return changed
    look = at(changed, path.rpartition(".")[0].rpartition(".")[0])
    answer = look["op"] == "ne"
    look.clear()
    look.update({"op": "lit", "value": answer})
    return changed


def judge(flow, start, seed):
    said = claims(flow)
    end, asked = outcome(flow, start, seed)
    called = {ref for ref, _, _ in asked}
    for path in said.get("unreachable_step", ()):
        assert at(flow, path)["ref"] not in called
    lost = {at(flow, path.removesuffix(".out"))["ref"] for path in said.get("output_never_read", ())}
    if lost:
        assert (end, asked) == outcome(flow, start, seed, other=lost)
    for path in said.get("loop_condition_fixed", ()):
        loop = path.removesuffix(".cond")
        counts = [value for ref, _, value in outcome(loop_counts(flow, loop), start, seed)[1] if ref == "probe"]
        assert set(counts) <= {"0", str(at(flow, loop)["max"])}
    for path in said.get("verdict_value_not_in_contract", ()):
        assert (end, asked) == outcome(without_look(flow, path), start, seed)
    return said


class TestRandomFlows:
    @settings(max_examples=300, deadline=None)
    @given(flow=flows | trials, start=starts, seed=st.integers(0, 50))
    def test_what_is_claimed_holds(self, flow, start, seed):
        judge(numbered(flow), start, seed)

    @pytest.mark.parametrize(
        "code", ["unreachable_step", "output_never_read", "loop_condition_fixed", "verdict_value_not_in_contract"]
    )
    def test_something_is_claimed_often_enough_to_be_judged(self, code):
        """The generator makes what the lints look for: without that the test above would say nothing."""
        seen = []

        @settings(max_examples=400, deadline=None, database=None, derandomize=True)
        @given(flow=flows | trials)
        def look(flow):
            seen.append(code in claims(numbered(flow)))

        look()

        assert sum(seen) >= 3


def golden():
    for file in sorted(CASES.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            case = json.loads(line)
            if isinstance(case.get("node"), dict):
                yield case


def test_the_golden_flows_bear_out_what_is_claimed_of_them():
    judged = 0
    for case in golden():
        try:
            flow = numbered(case["node"])
        except (FlowError, LookupError):
            continue
        judge(flow, case.get("ctx"), 1)
        judged += 1

    assert judged > 500

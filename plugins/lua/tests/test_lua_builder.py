"""The library `swarm` of Lua Blueprints: each function makes the node of its name, or says what is missing."""

from __future__ import annotations

from typing import Any

import pytest
from swarm_plugin_lua.reader import LuaReader

from swarm_core.errors import DocumentError

USE = "local s = require 'swarm'\n"
X = {"op": "path", "at": "$.x"}
Y = {"op": "path", "at": "$.y"}
ONE = {"op": "lit", "value": 1}
NOTHING = {"kind": "seq", "children": []}
LET = {"kind": "let", "at": "$.x", "value": ONE}


def node(text: str) -> Any:
    return LuaReader().read(f"{USE}local made = {text}\nreturn made".encode(), name="x.lua", base=None).value["flow"]


def expression(text: str) -> Any:
    return node(f"s.let('$.x', {text})")["value"]


def complaint(text: str) -> str:
    with pytest.raises(DocumentError) as caught:
        node(text)
    (problem,) = caught.value.problems
    assert ("x.lua", 2) == (problem.file, problem.line)
    return problem.message


class TestExpressions:
    @pytest.mark.parametrize(
        ("text", "made"),
        [
            ("'$.x'", X),
            ("'$'", {"op": "path", "at": "$"}),
            ("s.path '$.x'", X),
            ("1", ONE),
            ("'text'", {"op": "lit", "value": "text"}),
            ("true", {"op": "lit", "value": True}),
            ("s.null", {"op": "lit", "value": None}),
            ("s.lit '$.x'", {"op": "lit", "value": "$.x"}),
            ("s.lit()", {"op": "lit", "value": None}),
            ("s.lit { op = 'odd' }", {"op": "lit", "value": {"op": "odd"}}),
            ("{ a = 1 }", {"op": "lit", "value": {"a": 1}}),
            ("{ 1, 2 }", {"op": "lit", "value": [1, 2]}),
            ("s.object()", {"op": "lit", "value": {}}),
            ("s.array()", {"op": "lit", "value": []}),
            ("s.not_('$.x')", {"op": "not", "arg": X}),
            ("s.exists('$.x')", {"op": "exists", "arg": X}),
            ("s.len('$.x')", {"op": "len", "arg": X}),
            ("s.and_('$.x', '$.y')", {"op": "and", "args": [X, Y]}),
            ("s.or_ { '$.x', '$.y' }", {"op": "or", "args": [X, Y]}),
            ("s['and']()", {"op": "and", "args": []}),
            ("s.in_(1, '$.x')", {"op": "in", "needle": ONE, "haystack": X}),
            ("s.call('f', '$.x', 1)", {"op": "call_extern", "ref": "f", "args": [X, ONE]}),
            ("s.call('f')", {"op": "call_extern", "ref": "f", "args": []}),
        ],
    )
    def test_a_value_is_written_as_it_is_meant(self, text: str, made: Any) -> None:
        assert made == expression(text)

    @pytest.mark.parametrize("op", ["eq", "ne", "lt", "lte", "gt", "gte", "add", "sub", "mul", "div", "mod"])
    def test_two_sided_expressions_have_the_name_of_their_op(self, op: str) -> None:
        assert {"op": op, "lhs": X, "rhs": ONE} == expression(f"s.{op}('$.x', 1)")

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("s.eq('$.x')", "swarm.eq: the right side is missing, not a value"),
            ("s.not_(s.seq{})", "swarm.not: the argument is a node, not a value"),
            ("s.add(print, 1)", "swarm.add: the left side is a function, not a value"),
            ("s.path 'x'", "swarm.path: the path is a string, not a path such as '$.draft'"),
            ("s.call()", "swarm.call: the function is missing, not a text"),
            ("s.eqq(1, 2)", "swarm.eqq: there is nothing of this name"),
            ("s.object { 1 }", "swarm.object: a table with names as keys is wanted"),
        ],
    )
    def test_what_is_wrong_is_told_in_its_line(self, text: str, said: str) -> None:
        assert said == complaint(text)


class TestNodes:
    @pytest.mark.parametrize(
        "text",
        [
            "s.step('w', '$.x', '$.y')",
            "s.step { 'w', '$.x', '$.y' }",
            "s.step { 'w', in_ = '$.x', out = '$.y' }",
            "s.step { ref = 'w', ['in'] = '$.x', out = s.path '$.y' }",
        ],
    )
    def test_step(self, text: str) -> None:
        assert {"kind": "step", "ref": "w", "in": X, "out": Y} == node(text)

    @pytest.mark.parametrize("text", ["s.seq(a, b)", "s.seq { a, b }"])
    def test_seq(self, text: str) -> None:
        made = node(f"(function() local a, b = s.let('$.x', 1), s.seq() local it = {text} return it end)()")

        assert {"kind": "seq", "children": [LET, NOTHING]} == made

    @pytest.mark.parametrize("text", ["s.seq()", "s.seq{}", "s.seq({})"])
    def test_seq_of_nothing(self, text: str) -> None:
        assert NOTHING == node(text)

    @pytest.mark.parametrize("text", ["s.let('$.x', 1)", "s.let { at = '$.x', value = 1 }", "s.assign('$.x', 1)"])
    def test_let(self, text: str) -> None:
        assert LET == node(text)

    def test_branch(self) -> None:
        both = {"kind": "branch", "cond": X, "then": LET, "else": NOTHING}

        assert both == node("s.branch('$.x', s.let('$.x', 1))")
        assert both == node("s.branch { cond = '$.x', then_ = s.let('$.x', 1), else_ = {} }")
        assert {**both, "then": {"kind": "seq", "children": [LET]}} == node("s.branch('$.x', { s.let('$.x', 1) })")

    def test_loop(self) -> None:
        made = node("s.loop { counter = '$.x', cond = '$.y', body = s.let('$.x', 1), max = 3 }")

        assert {"kind": "loop", "counter": X, "cond": Y, "body": LET, "max": 3} == made

    def test_fanout(self) -> None:
        made = node("s.fanout { items = '$.x', bind = '$.y', body = s.let('$.x', 1), out = '$.y' }")

        assert {"kind": "fanout", "items": X, "bind": Y, "body": LET, "join": "all", "out": Y} == made
        more = node("s.fanout { items = {1}, bind = '$.y', body = {}, out = '$.y', join = 'any', max_concurrency = 2 }")
        assert ("any", 2, {"op": "lit", "value": [1]}) == (more["join"], more["max_concurrency"], more["items"])

    def test_try(self) -> None:
        assert {"kind": "try", "body": LET, "catch": NOTHING} == node("s.try(s.let('$.x', 1), {})")
        assert {"kind": "try", "body": LET, "catch": NOTHING, "err_at": Y} == node(
            "s.try { body = s.let('$.x', 1), catch = s.seq{}, err_at = '$.y' }"
        )

    def test_retry_asks_only_after_the_first_time(self) -> None:
        made = node("s.retry { body = s.let('$.x', 1), until_ = '$.y', max = 3 }")
        tries = {"op": "path", "at": "$.tries"}
        first = {"op": "eq", "lhs": tries, "rhs": {"op": "lit", "value": 0}}

        assert {
            "kind": "loop", "counter": tries, "max": 3, "body": LET,
            "cond": {"op": "or", "args": [first, {"op": "not", "arg": Y}]},
        } == made  # fmt: skip

    def test_retry_may_do_something_else_in_the_end(self) -> None:
        made = node("s.retry { body = {}, until_ = '$.y', max = 3, counter = '$.x', otherwise = s.let('$.x', 1) }")

        loop, branch = made["children"]
        assert X == loop["counter"]
        assert {"kind": "branch", "cond": {"op": "not", "arg": Y}, "then": LET, "else": NOTHING} == branch

    def test_what_follows_a_gate_stands_behind_it(self) -> None:
        made = node("s.seq { s.seq{}, s.gate('$.x', s.let('$.x', 1)), s.step('w', '$.x', '$.y'), s.gate('$.y') }")

        step = {"kind": "step", "ref": "w", "in": X, "out": Y}
        inner = {"kind": "branch", "cond": Y, "then": NOTHING, "else": NOTHING}
        assert made["children"] == [
            NOTHING,
            {"kind": "branch", "cond": X, "then": {"kind": "seq", "children": [step, inner]}, "else": LET},
        ]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("s.step('w', '$.x')", "swarm.step: out is missing, not a path such as '$.draft'"),
            ("s.step('w', '$.x', 'y')", "swarm.step: out is a string, not a path such as '$.draft'"),
            ("s.step { 'w', inn = '$.x' }", "swarm.step: has no field inn; it has ref, in, out"),
            ("s.step('w', 1, '$.y', 4)", "swarm.step: takes 3 arguments at most"),
            ("s.step(5, 1, '$.y')", "swarm.step: ref is a number, not a text"),
            ("s.seq { s.seq(), nil, s.seq() }", "swarm.seq: an item of the list is nil"),
            ("s.seq(nil, s.seq())", "swarm.seq: item 1 is missing"),
            ("s.seq { '$.x' }", "swarm.seq: item 1 is a string, not a node such as swarm.step(...)"),
            ("s.seq { s.eq(1, 1) }", "swarm.seq: item 1 is an expression, not a node such as swarm.step(...)"),
            ("s.seq { s.seq(), x = 1 }", "swarm.seq: a list of nodes has no field x"),
            ("s.branch('$.x')", "swarm.branch: then_ is missing, not a node such as swarm.step(...)"),
            ("s.branch('$.x', s.gate('$.y'))", "swarm.branch: then_ is a table, not a node such as swarm.step(...)"),
            ("s.loop { counter = '$.x', cond = 1, body = {} }", "swarm.loop: max is no whole number from 0"),
            ("s.loop { counter = '$.x', cond = 1, body = {}, max = 1.5 }", "swarm.loop: max is no whole number from 0"),
            ("s.try(s.seq())", "swarm.try: catch is missing, not a node such as swarm.step(...)"),
            ("s.retry { body = {}, max = 1 }", "swarm.retry: until_ is missing, not a value"),
            ("s.gate()", "swarm.gate: cond is missing, not a value"),
        ],
    )
    def test_what_is_wrong_is_told_in_its_line(self, text: str, said: str) -> None:
        assert said == complaint(text)


class TestBlueprint:
    def test_the_rest_of_a_blueprint(self) -> None:
        text = f"""{USE}return s.blueprint {{
          id = "whole",
          flow = {{ s.let("$.x", 1) }},
          agents = {{
            s.agent("a", {{ kind = "function", spec = {{ fn_id = "identity" }} }}),
            s.agent {{ name = "b", kind = "lua", spec = {{ source = s.file "b.lua" }} }},
            s.agent_md("agents/c.md", {{ kind = "llm" }}),
            s.agents_md "more",
          }},
        }}"""

        assert {
            "id": "whole",
            "flow": {"kind": "seq", "children": [LET]},
            "agents": [
                {"name": "a", "kind": "function", "spec": {"fn_id": "identity"}},
                {"name": "b", "kind": "lua", "spec": {"source": {"$file": "b.lua"}}},
                {"$agent_md": "agents/c.md", "kind": "llm"},
                {"$agents_md": "more"},
            ],
        } == LuaReader().read(text.encode(), name="x.lua", base=None).value

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("s.blueprint(5)", "swarm.blueprint: a table with id, flow and agents is wanted"),
            ("s.blueprint { flow = {} }", "swarm.blueprint: id is missing, not a text"),
            ("s.blueprint { id = 'x' }", "swarm.blueprint: flow is missing, not a node such as swarm.step(...)"),
            ("s.agent('a')", "swarm.agent: kind is missing, not a text"),
            ("s.agent(5)", "swarm.agent: name is a number, not a text"),
            ("s.agent('a', 5)", "swarm.agent: its fields are a number, not a table"),
            ("s.file()", "swarm.file: the path is missing, not a text"),
            ("s.file('a', {})", "swarm.file: takes a path only"),
        ],
    )
    def test_what_is_wrong_is_told_in_its_line(self, text: str, said: str) -> None:
        assert said == complaint(text)

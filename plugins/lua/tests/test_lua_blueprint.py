"""Blueprints in Lua: what a file may return, where its parts stand, and what is said of one that cannot be read."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import swarm_plugin_lua
from swarm_plugin_lua import once, reader
from swarm_plugin_lua.reader import LuaReader

from swarm_core.contracts import Source
from swarm_core.errors import DocumentError
from swarm_core.model.problem import Problem
from swarm_core.testing import CommandEnded, check_plugin, check_reader

Swarm: TypeAlias = "Callable[..., CommandEnded]"

LET = "{kind = 'let', at = '$.x', value = {op = 'lit', value = %s}}"


def read(text: str, name: str = "work/my flow.lua") -> Source:
    return LuaReader().read(text.encode(), name=name, base=None)


def value_of(expression: str, before: str = "") -> Any:
    """Return what a Lua expression is as a value in a Blueprint."""
    return read(f"{before}\nreturn {LET % expression}").value["flow"]["value"]["value"]


def refusal(text: str | bytes) -> Problem:
    with pytest.raises(DocumentError) as caught:
        LuaReader().read(text if isinstance(text, bytes) else text.encode(), name="bp.lua", base=None)
    (problem,) = caught.value.problems
    assert "bp.lua" == problem.file
    return problem


class TestReturns:
    def test_a_flow_alone_gets_its_files_name(self) -> None:
        assert {"id": "my-flow", "flow": {"kind": "seq", "children": []}} == read(
            "return {kind = 'seq', children = {}}"
        ).value

    def test_a_whole_blueprint_is_taken_as_it_is(self) -> None:
        made = read("return {id = 'own', flow = {kind = 'seq', children = {}}, agents = {}, metadata = {}}").value

        assert {"id": "own", "flow": {"kind": "seq", "children": []}, "agents": [], "metadata": {}} == made

    @pytest.mark.parametrize(
        ("bp", "blueprint_id"), [("{kind = 'seq', children = {}}", "x"), ("{id = 'own', flow = {kind = 'seq'}}", "own")]
    )
    def test_a_flow_may_come_with_its_initial_ctx(self, bp: str, blueprint_id: str) -> None:
        made = read(f"return {{bp = {bp}, ctx = {{n = 1, none = null, list = json.array()}}}}", "x.lua").value

        assert (blueprint_id, {"n": 1, "none": None, "list": []}) == (made["id"], made["default_init_ctx"])

    def test_a_flow_written_for_mlua_swarm_is_read(self) -> None:
        """There, fields whose names Lua reserves may end with a dash below."""
        made = read(
            "return {kind = 'branch', cond = {op = 'lit', value = true}, else_ = {kind = 'seq', children = {}},\n"
            "['then'] = {kind = 'step', ref = 'a', in_ = {op = 'path', at = '$.in'}, out = {op = 'path', at = '$.o'}}}"
        ).value["flow"]

        assert {"op": "path", "at": "$.in"} == made["then"]["in"]
        assert {"kind": "seq", "children": []} == made["else"]
        assert {"kind", "cond", "then", "else"} == set(made)

    @pytest.mark.parametrize(
        ("text", "what"),
        [
            ("local x = 1", "the file returned nothing"),
            ("return 5", "the file returned a number"),
            ("return {bp = 5}", "bp is a number"),
            ("return {hello = 1}", "the table that the file returned is neither a node nor has it a flow"),
            ("return null", "the file returned a table"),
        ],
    )
    def test_anything_else_is_refused(self, text: str, what: str) -> None:
        problem = refusal(text)

        assert "lua_error" == problem.code
        assert problem.message.startswith(what)


class TestValues:
    def test_numbers_texts_and_null_are_what_they_are(self) -> None:
        assert [1, 1.0, 2**63 - 1, 0.5, "é", True, None] == value_of("{1, 1.0, math.maxinteger, 1/2, 'é', true, null}")
        assert [int, float, float] == [type(value) for value in value_of("{3, 3.0, 6 / 2}")]

    def test_empty_tables_are_objects_unless_they_are_marked(self) -> None:
        assert {"a": {}, "b": [], "c": []} == value_of(
            "{a = {}, b = json.array(), c = s.array()}", "s = require 'swarm'"
        )

    @pytest.mark.parametrize(
        ("expression", "code", "path"),
        [
            ("{1, nil, 3}", "sparse_array", "$.flow.value.value"),
            ("{1, a = 2}", "mixed_table", "$.flow.value.value"),
            ("{[1.5] = 2}", "bad_key", "$.flow.value.value"),
            ("{[{}] = 2}", "bad_key", "$.flow.value.value"),
            ("{a = {b = print}}", "unsupported_type", "$.flow.value.value.a.b"),
            ("{a = 0/0}", "not_a_number", "$.flow.value.value.a"),
            ("'\\xff'", "not_utf8", "$.flow.value.value"),
            ("('x'):rep(3e6)", "too_large", "$.flow.value.value"),
        ],
    )
    def test_lu120_what_has_no_form_in_json_is_refused_with_its_place(
        self, expression: str, code: str, path: str
    ) -> None:
        problem = refusal(f"return {LET % expression}")

        assert (code, path) == (problem.code, problem.path)

    def test_lu120_and_with_the_line_of_the_part_that_the_builder_made(self) -> None:
        problem = refusal("local s = require 'swarm'\nlocal odd = s.let('$.x', {1, nil, 3})\nreturn s.seq(odd)")

        assert ("sparse_array", 2) == (problem.code, problem.line)

    @pytest.mark.parametrize(
        "text", ["local t = {kind = 'seq'}\nt.children = {t}\nreturn t", f"local t = {{}}; t.t = t\nreturn {LET % 't'}"]
    )
    def test_lu120_circles_are_refused_with_their_place(self, text: str) -> None:
        problem = refusal(text)

        assert ("cyclic", "$.flow.") == (problem.code, problem.path[:7])

    def test_one_table_in_two_places_is_no_circle(self) -> None:
        assert [[1], [1]] == value_of("{one, one}", "local one = {1}")

    def test_documents_are_as_deep_as_any_other_and_no_deeper(self) -> None:
        nested = "local v = 1 for i = 1, %d do v = {v} end"

        assert value_of("v", nested % 490)
        assert ("too_deep", "more than 500 levels") == (
            refusal(f"{nested % 600} return {LET % 'v'}").code,
            refusal(f"{nested % 600} return {LET % 'v'}").message,
        )
        assert "too_deep" == refusal(f"{nested % 498} return {LET % 'v'}").code

    @pytest.mark.parametrize(
        "text",
        [
            "local t = {1} for i = 1, 40 do t = {t, t} end return " + LET % "t",
            "local t = {kind = 'seq'} for i = 1, 40 do t = {kind = 'seq', children = {t, t}} end return t",
            "local t = {} for i = 1, 150000 do t[i] = 1 end return " + LET % "t",
        ],
    )
    def test_what_repeats_itself_without_end_is_too_large(self, text: str) -> None:
        assert "too_large" == refusal(text).code


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "code", "line", "message"),
        [
            ("local x =\n= 3", "lua_error", 2, "unexpected symbol near '='"),
            ("\n\nerror('why')", "lua_error", 3, "why"),
            ("\nerror({})", "lua_error", None, "a table was raised as the error"),
            ("\nlocal f = io.open('/etc/passwd')", "lua_error", 2, "io.open is not available in Lua Blueprints"),
            ("require 'os'", "lua_error", 1, 'require: only "swarm" is here; os is not available in Lua Blueprints'),
            ("os.exit(1)", "lua_error", 1, "os.exit is not available in Lua Blueprints"),
            ("host.identity(1)", "lua_error", 1, "attempt to index a nil value (global 'host')"),
            ("", "blueprint_empty", None, "the document is empty"),
            (b"\x1bLua", "lua_error", 1, "the script is compiled (bytecode); give its text"),
            (b"return '\xff'", "lua_error", 1, "the script is not UTF-8 at byte 8"),
            ("-" * 300_000, "too_large", 1, "the script is larger than 256 KiB"),
            ("error(('x'):rep(5000), 0)", "lua_error", None, "x" * 500),
        ],
    )
    def test_lu119_lu121_lu123_what_is_wrong_is_told_with_its_line(
        self, text: str | bytes, code: str, line: int | None, message: str
    ) -> None:
        problem = refusal(text)

        assert (code, line, message) == (problem.code, problem.line, problem.message)

    def test_p25_a_file_that_does_not_end_is_ended(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reader, "TIME_LIMIT", 0.3)

        assert ("lua_timeout", 2) == (refusal("\nwhile true do end").code, refusal("\nwhile true do end").line)

    def test_p25_a_file_that_cannot_be_interrupted_is_killed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reader, "TIME_LIMIT", 0.3)

        problem = refusal("return ('a'):rep(30000):find(('.-'):rep(20) .. 'b')")

        assert ("lua_timeout", "no end after 0.3 s") == (problem.code, problem.message)

    @pytest.mark.parametrize(
        ("program", "code"),
        [
            ("import os; os.write(1, b'\\0\\0\\0\\2{}')", "lua_crashed"),
            ("import os; os.write(1, b'\\0\\0\\0\\2{}' + b'\\xff' * 9)", "lua_crashed"),
            ("import os; os.write(1, b'\\0\\0\\0\\2{}' * 2)", "lua_crashed"),
            ("pass", "lua_unavailable"),
            ("import os; os.abort()", "lua_unavailable"),
        ],
    )
    def test_p25_a_process_that_dies_or_writes_nonsense_is_told(
        self, program: str, code: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(once, "BOOT", program)

        with pytest.raises(DocumentError) as caught:
            read("return 1")

        assert [code] == [problem.code for problem in caught.value.problems]

    def test_p25_a_file_that_wants_all_memory_gets_none(self) -> None:
        problem = refusal("local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end")

        assert ("lua_memory", "more than 64 MiB of memory") == (problem.code, problem.message)

    @pytest.mark.parametrize(
        "text",
        [
            "debug = nil; setmetatable(_G, {__index = function() error 'x' end}) return 1",
            "_G.error = nil; pairs = nil; string = nil; return {}",
            "setmetatable(_G, {__newindex = function() error 'x' end}); y = 1",
            "return setmetatable({}, {__index = function() error 'x' end, __pairs = 5})",
            "local t = {} for i = 1, 1e5 do t = {t} end return t",
            "return coroutine.wrap(function() coroutine.yield({kind = 'seq'}) end)()",
            "coroutine.yield(1)",
            "require('swarm').seq = nil; return require('swarm').seq()",
        ],
    )
    def test_p25_tampering_ends_in_a_problem_or_a_document(self, text: str) -> None:
        try:
            assert isinstance(read(text).value, dict)
        except DocumentError as error:
            assert all(problem.code.startswith(("lua_", "too_")) for problem in error.problems)

    def test_a_process_that_does_not_start_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "executable", "/nowhere/python")

        with pytest.raises(DocumentError) as caught:
            read("return 1")

        assert ["lua_unavailable"] == [problem.code for problem in caught.value.problems]


class TestTheSameEachTime:
    def test_keys_come_sorted(self) -> None:
        keys = "local o = json.array() for k in pairs(t) do o[#o + 1] = k end"

        assert [1, 2.5, "a", "b", "c"] == value_of("o", f"local t = {{c = 1, [2.5] = 1, b = 1, a = 1, 1}} {keys}")

    def test_next_goes_through_the_same_order(self) -> None:
        step = "local o, k = json.array(), next(t) while k do o[#o + 1] = k; k = next(t, k) end"

        assert [1, "a", "b"] == value_of("o", f"local t = {{b = 1, a = 1, 1}} {step}")
        assert value_of("next({}) == nil")

    def test_a_table_may_lose_keys_while_it_is_gone_through(self) -> None:
        assert {} == value_of("t", "local t = {a = 1, b = 2} for k in pairs(t) do t.a = nil; t.b = nil end")

    def test_equals_keep_their_order_when_they_are_sorted(self) -> None:
        before = """
          local t = {}
          for i = 1, 999 do t[i] = {i % 7, i} end
          table.sort(t, function(one, other) return one[1] < other[1] end)
          local ok = true
          for i = 2, #t do
            ok = ok and (t[i - 1][1] < t[i][1] or (t[i - 1][1] == t[i][1] and t[i - 1][2] < t[i][2]))
          end
        """

        assert [True, 999] == value_of("{ok, #t}", before)

    @pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 7, 8, 9, 100])
    def test_sorting_sorts(self, count: int) -> None:
        before = f"local t = json.array() for i = 1, {count} do t[i] = (i * 37) % 101 end table.sort(t)"

        assert sorted((number * 37) % 101 for number in range(1, count + 1)) == value_of("t", before)

    def test_no_address_is_seen(self) -> None:
        assert ["table", "function", "table|thread|3"] == value_of(
            "{tostring({}), tostring(print), ('%s|%s|%d'):format({}, coroutine.create(print), 3)}"
        )

    @pytest.mark.parametrize("call", ["math.random()", "math.randomseed(1)", "('%p'):format({})", "collectgarbage()"])
    def test_chance_and_addresses_are_not_there(self, call: str) -> None:
        assert "is not available in Lua Blueprints" in refusal(f"local x = {call}").message

    def test_keys_without_an_order_are_refused(self) -> None:
        assert "keys that are a table have no order" in refusal("for k in pairs{[{}] = 1, [{}] = 2} do end").message


class TestPositions:
    def test_parts_of_the_builder_stand_on_their_lines(self) -> None:
        source = read(
            "local s = require 'swarm'\n"
            "local one = s.step('a', '$.x', '$.y')\n"
            "local two = s.branch(\n"
            "  s.eq('$.y', 1),\n"
            "  s.step('b', '$.x', '$.z'))\n"
            "local flow = s.seq(one, two)\n"
            "return {id = 'x', flow = flow, agents = {\n"
            "  s.agent('a', {kind = 'function'}),\n"
            "}}\n"
        )

        assert (2, 1) == source.positions["$.flow.children[0]"]
        assert (5, 1) == source.positions["$.flow.children[1].then"]
        assert (6, 1) == source.positions["$.flow"]
        assert (8, 1) == source.positions["$.agents[0]"]

    def test_without_the_builder_there_are_none(self) -> None:
        assert {} == dict(read("return {kind = 'seq', children = {}}").positions)


class TestCommandLine:
    """Black box: `swarm` on files."""

    BLUEPRINT = """local s = require "swarm"
local greet = s.step("greeter", "$.name", "$.said")
local flow = s.seq(greet, s.let("$.n", s.len("$.name")))
return s.blueprint {
  id = "greeting",
  flow = flow,
  agents = { s.agent("greeter", { kind = "lua", spec = { source = s.file "greet.lua" } }) },
}
"""

    @pytest.fixture
    def swarm(self, swarm_command: Swarm, tmp_path: Path) -> Swarm:
        (tmp_path / "greet.lua").write_text("return 'Hello, ' .. _PROMPT")
        return swarm_command

    def test_it_is_checked_explained_and_run(self, tmp_path: Path, swarm: Swarm) -> None:
        (tmp_path / "bp.lua").write_text(self.BLUEPRINT)

        checked, explained, ran = (
            swarm("check", "bp.lua"),
            swarm("explain", "bp.lua", "--json"),
            swarm("run", "bp.lua", "--set", "name=Ada", "--quiet"),
        )

        assert (0, "bp.lua: can be run") == (checked.code, checked.out.splitlines()[-1].partition(" (")[0])
        assert "greeting" == json.loads(explained.out)["blueprint"]
        assert {"name": "Ada", "said": "Hello, Ada", "n": 3} == json.loads(ran.out)

    def test_problems_stand_in_the_lines_of_the_file(self, tmp_path: Path, swarm: Swarm) -> None:
        (tmp_path / "bp.lua").write_text(self.BLUEPRINT.replace('"greeter", "$.name"', '"greetr", "$.name"'))

        told = swarm("check", "bp.lua")

        assert 3 == told.code
        assert "bp.lua:2:1: $.flow.children[0].ref: error:" in told.out

    def test_what_keeps_it_from_being_read_is_told_like_any_problem(self, tmp_path: Path, swarm: Swarm) -> None:
        (tmp_path / "bp.lua").write_text("local s = require 'swarm'\nlocal x = s.step('a')\n")

        told = swarm("run", "bp.lua")

        assert 3 == told.code
        assert "bp.lua:2: $: swarm.step: in_ is missing, not a value" in told.err

    def test_it_reads_the_same_each_time(self, tmp_path: Path, swarm: Swarm) -> None:
        (tmp_path / "bp.lua").write_text(
            "local s = require 'swarm'\nlocal made = s.seq{}\nlocal n = 0\n"
            "for key in pairs{a=1, b=2, c=3, d=4, e=5} do n = n + 1; made.children[n] = s.let('$.' .. key, n) end\n"
            "return made\n"
        )

        first, second = (swarm("run", "bp.lua", "--quiet").out for _ in range(2))

        assert first == second
        assert ["a", "b", "c", "d", "e"] == list(json.loads(first))


class TestContract:
    def test_it_keeps_the_contract_of_readers(self) -> None:
        text = b"local s = require 'swarm'\nlocal flow = s.seq{}\nreturn flow\n"

        check_reader(LuaReader(), text, {"id": "checked", "flow": {"kind": "seq", "children": []}})

    def test_the_plugin_provides_it_for_its_suffix(self) -> None:
        assert [".lua"] == list(check_plugin(swarm_plugin_lua).readers)

    def test_p24_the_process_has_no_environment_and_its_limits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What the process is started with is what the pool's processes get from the engine."""
        started: dict[str, Any] = {}
        popen = subprocess.Popen

        def noting(argv: list[str], **facts: Any) -> Any:
            started.update(facts, code=argv[5])
            return popen(argv, **facts)

        monkeypatch.setattr(subprocess, "Popen", noting)
        read("return {kind = 'seq', children = {}}")

        assert ({}, "/", True) == (started["env"], started["cwd"], started["start_new_session"])
        assert all(limit in started["code"] for limit in ("RLIMIT_AS", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_CORE"))

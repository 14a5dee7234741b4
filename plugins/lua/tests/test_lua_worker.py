"""Lua workers as a Blueprint sees them: specs, globals, results, errors, what is printed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import swarm_plugin_lua

from swarm_core.contracts import Spawner
from swarm_core.errors import SpawnFailed, WorkerFailed
from swarm_core.factories import Environment, Function
from swarm_core.model.blueprint import AgentHint
from swarm_core.model.call import Result
from swarm_core.model.output import Progress
from swarm_core.testing import RecordingContext, check_plugin, check_spawner, make_call

Build = Callable[..., Spawner]


async def failure_of(spawner: Spawner, **call: Any) -> WorkerFailed:
    with pytest.raises(WorkerFailed) as caught:
        await spawner.run(make_call(**call))
    return caught.value


class TestSpec:
    def test_row_60_neither_fn_id_nor_source_is_refused(self, build: Build) -> None:
        with pytest.raises(ValueError, match=r"^lua spec: 'fn_id' \(string\) required, or 'source'"):
            build()

    def test_row_60_fn_id_of_another_type_is_refused(self, build: Build) -> None:
        with pytest.raises(ValueError, match=r"^lua spec: 'fn_id' \(string\) required"):
            build(fn_id=5)

    def test_row_60_unknown_fn_id_is_refused_with_the_nearest_name(
        self, build: Build, environment: Callable[..., Environment]
    ) -> None:
        registered = environment({"scripts": {"classify": "classify.lua"}})

        with pytest.raises(ValueError) as caught:
            build(fn_id="clasify", environ=registered)

        assert str(caught.value) == "fn_id 'clasify' not registered in factory; did you mean 'classify'?"

    def test_both_fn_id_and_source_are_refused(self, build: Build) -> None:
        with pytest.raises(ValueError, match="'fn_id' and 'source' exclude each other"):
            build(fn_id="x", source="return 1")

    def test_source_of_another_type_is_refused(self, build: Build) -> None:
        with pytest.raises(ValueError, match=r"'source' \(string\) required"):
            build(source=["return 1"])

    def test_all_that_is_wrong_is_told_at_once(self, build: Build) -> None:
        with pytest.raises(ValueError) as caught:
            build(source="\x1bLua", time_limit="soon", memory_limit="1GiB")

        assert str(caught.value) == (
            "the script is compiled (bytecode); give its text; "
            "time_limit: 'soon' is no duration: write seconds as a number, or a text such as 90s or 5m; "
            "memory_limit: '1GiB' is more than this swarm allows; raise memory_limit in [plugin.lua], or ask for less"
        )

    def test_lu123_source_larger_than_256_kib_is_refused(self, build: Build) -> None:
        with pytest.raises(ValueError, match="larger than 256 KiB"):
            build(source="-- " + "x" * (256 * 1024))

    def test_lu123_source_of_256_kib_is_taken(self, build: Build) -> None:
        build(source="return 1 --" + "x" * (256 * 1024 - 11))

    def test_lu123_bytecode_is_refused(self, build: Build) -> None:
        with pytest.raises(ValueError, match="bytecode"):
            build(source="\x1bLuaT\x00")

    def test_source_with_a_lone_surrogate_is_refused(self, build: Build) -> None:
        with pytest.raises(ValueError, match="not UTF-8 at byte 8"):
            build(source="return '\ud800'")


class TestScriptFiles:
    @pytest.fixture
    def registered(self, tmp_path: Path, environment: Callable[..., Environment]) -> Callable[[bytes], Environment]:
        def register(content: bytes) -> Environment:
            (tmp_path / "scripts").mkdir()
            (tmp_path / "scripts/one.lua").write_bytes(content)
            return environment({"scripts": {"one": "scripts/one.lua"}}, file=tmp_path / "swarm.toml")

        return register

    async def test_script_registered_by_name_runs(
        self, build: Build, registered: Callable[[bytes], Environment]
    ) -> None:
        spawner = build(fn_id="one", environ=registered(b"\xef\xbb\xbfreturn 'from a file'"))

        result = await spawner.run(make_call())

        assert result == Result("from a file")

    async def test_error_carries_the_name_and_no_path(
        self, build: Build, registered: Callable[[bytes], Environment]
    ) -> None:
        spawner = build(fn_id="one", environ=registered(b"\nerror('boom')"))

        failed = await failure_of(spawner)

        assert failed.message == "lua eval [one]: one:2: boom"

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (b"x" * (256 * 1024 + 1), "larger than 256 KiB"),
            (b"\x1bLua", "bytecode"),
            (b"return '\xff'", "not UTF-8 at byte 8"),
        ],
    )
    def test_lu123_file_that_is_no_script_is_refused(
        self, build: Build, registered: Callable[[bytes], Environment], content: bytes, why: str
    ) -> None:
        with pytest.raises(ValueError, match=rf"^fn_id 'one': one.lua: .*{why}"):
            build(fn_id="one", environ=registered(content))

    def test_file_that_is_not_there_is_refused_without_its_folder(
        self, build: Build, tmp_path: Path, environment: Callable[..., Environment]
    ) -> None:
        missing = environment({"scripts": {"one": "scripts/one.lua"}}, file=tmp_path / "swarm.toml")

        with pytest.raises(ValueError) as caught:
            build(fn_id="one", environ=missing)

        assert str(caught.value) == "fn_id 'one': one.lua: No such file or directory"

    def test_file_that_blocks_is_refused_at_once(
        self, build: Build, tmp_path: Path, environment: Callable[..., Environment]
    ) -> None:
        os.mkfifo(tmp_path / "pipe.lua")
        blocking = environment({"scripts": {"one": "pipe.lua"}}, file=tmp_path / "swarm.toml")

        with pytest.raises(ValueError, match="not a regular file"):
            build(fn_id="one", environ=blocking)


class TestLimits:
    async def test_spec_asks_for_less_time(self, build: Build) -> None:
        failed = await failure_of(build(source="while true do end", time_limit="100ms"))

        assert failed.kind == "lua_timeout"
        assert failed.message.startswith("lua eval [tester]: no end after 0.1 s")

    async def test_hint_goes_over_the_spec(self, build: Build) -> None:
        spawner = build(source="while true do end", time_limit=5, hint=AgentHint(extra={"time_limit": 0.1}))

        failed = await failure_of(spawner)

        assert "no end after 0.1 s" in failed.message

    async def test_spec_asks_for_less_memory(self, build: Build) -> None:
        failed = await failure_of(build(source="return ('x'):rep(8000000):len()", memory_limit="4MiB"))

        assert (failed.kind, failed.message) == ("lua_memory", "lua eval [tester]: more than 4 MiB of memory")

    @pytest.mark.parametrize(("key", "value"), [("time_limit", "6s"), ("memory_limit", "65MiB")])
    def test_blueprint_cannot_ask_for_more_than_the_settings_allow(self, build: Build, key: str, value: str) -> None:
        with pytest.raises(ValueError) as caught:
            build(source="return 1", **{key: value})

        assert str(caught.value) == (
            f"{key}: {value!r} is more than this swarm allows; raise {key} in [plugin.lua], or ask for less"
        )

    @pytest.mark.parametrize("value", ["0", "1KiB", "much", [64], True])
    def test_memory_that_is_no_size_is_refused(self, build: Build, value: Any) -> None:
        with pytest.raises(ValueError, match=r"^memory_limit: "):
            build(source="return 1", hint=AgentHint(extra={"memory_limit": value}))


class TestGlobals:
    async def test_attempt_is_described(self, build: Build) -> None:
        spawner = build(source="return { _PROMPT, _AGENT, _TASK_ID, _ATTEMPT, _KEY }")
        call = make_call(input="say hi", agent="tester", task_id="T-9", attempt=2, run_id="RUN-1", address="$[3]")

        result = await spawner.run(call)

        assert result == Result(["say hi", "tester", "T-9", 2, "RUN-1:$[3]"])

    async def test_what_layers_tell_is_a_table(self, build: Build) -> None:
        spawner = build(source="_META.seen = #_META.input_refs return _META")
        told = {"project_name_alias": "blue", "input_refs": ["out-1", "out-2"], "engine": object()}

        result = await spawner.run(make_call(meta=told))

        assert result == Result({"project_name_alias": "blue", "input_refs": ["out-1", "out-2"], "seen": 2})

    async def test_without_layers_that_tell_anything_it_is_empty(self, build: Build) -> None:
        assert await build(source="return next(_META) == nil").run(make_call()) == Result(True)

    @pytest.mark.parametrize(
        ("input", "prompt", "kind", "context"),
        [
            ({"a": [1, None]}, '{"a":[1,null]}', "table", {"a": [1, None]}),
            ([1, 2], "[1,2]", "table", [1, 2]),
            ("plain text", "plain text", "nil", None),
            ('{"x": [true]}', '{"x": [true]}', "table", {"x": [True]}),
            ("5", "5", "number", 5),
            (5, "5", "number", 5),
            ("{broken", "{broken", "nil", None),
            ('{"a": NaN}', '{"a": NaN}', "nil", None),
            ("[" * 5000, "[" * 5000, "nil", None),
            ('"\\ud800"', '"\\ud800"', "nil", None),
            (str(2**70), str(2**70), "nil", None),
            (None, "null", "nil", None),
            ("", "", "nil", None),
        ],
    )
    async def test_row_62_ctx_is_the_input_or_its_text_as_json(
        self, build: Build, input: Any, prompt: str, kind: str, context: Any
    ) -> None:
        spawner = build(source="return { _PROMPT, type(_CTX), _CTX == nil and null or _CTX }")

        result = await spawner.run(make_call(input=input))

        assert result == Result([prompt, kind, context])

    @pytest.mark.parametrize(
        ("input", "why"),
        [
            ({"n": 2**63}, "an integer does not fit into the 64 bits that Lua has"),
            ({"n": float("nan")}, "Out of range float values are not JSON compliant"),
            ({"t": "\ud800"}, "a text holds a lone surrogate"),
            ({"t": "x" * 5_000_000}, "and 4194304 are allowed"),
        ],
    )
    async def test_input_that_lua_cannot_hold_is_told(self, build: Build, input: Any, why: str) -> None:
        failed = await failure_of(build(source="return 1"), input=input)

        assert failed.kind == "lua_error"
        assert failed.message.startswith("lua eval [tester]: input: ")
        assert why in failed.message


class TestResults:
    @pytest.mark.parametrize(
        ("source", "result"),
        [
            ("return 5", Result(5)),
            ("return {value=1, ok=false}", Result(1, False)),
            ("return {value=1}", Result(1)),
            ("return {value=null, ok=false}", Result(None, False)),
            ("return {ok=true}", Result({"ok": True})),
            ("return {ok=false, why='x'}", Result({"ok": False, "why": "x"}, False)),
            ("return {other=1}", Result({"other": 1})),
            ("return nil", Result(None)),
            ("return null", Result(None)),
            ("return 1, 2, 3", Result(1)),
            ("return 'text'", Result("text")),
            ("return false", Result(False)),
            ("return {}", Result({})),
            ("return json.array{}", Result([])),
            ("return {1, 'x', null}", Result([1, "x", None])),
            ("return json.array{{value=1}}", Result([{"value": 1}])),
        ],
    )
    async def test_row_61_result_rules(self, build: Build, source: str, result: Result) -> None:
        assert await build(source=source).run(make_call()) == result

    async def test_row_61_error_is_a_worker_error_with_lua_eval(self, build: Build) -> None:
        failed = await failure_of(build(source="local x = 1\nerror('went wrong')"))

        assert (failed.kind, failed.message) == ("lua_error", "lua eval [tester]: tester:2: went wrong")

    @pytest.mark.parametrize(
        ("source", "name"),
        [
            ("local x = 1", "no_result at $: the script ended without return"),
            ("return print", "unsupported_type at $: a function has no form in JSON"),
            ("return {f = coroutine.create(print)}", "unsupported_type at $.f: a thread has no form in JSON"),
            ("return {1, 2, a = 3}", "mixed_table at $: it has both positions and names as keys"),
            ("return {list = {1, nil, 3}}", "sparse_array at $.list: 2 of the positions 1 to 3 are filled; use null"),
            ("return {[2] = 'x'}", "sparse_array at $: 1 of the positions 1 to 2 are filled"),
            ("return {[0] = 'x'}", "bad_key at $: a key is 0"),
            ("return {[1.5] = 'x'}", "bad_key at $: a key is 1.5"),
            ("return {[true] = 'x'}", "bad_key at $: a key is a boolean"),
            ("return {a = {0/0}}", "not_a_number at $.a[0]: nan has no form in JSON"),
            ("return -1/0", "not_a_number at $: infinity has no form in JSON"),
            ("local t = {} t.t = t return t", "cyclic at $.t: the table holds itself"),
            ("local t = {} for _ = 1, 100 do t = {t} end return t", "too_deep at $"),
            (r"return {a = '\xff'}", "not_utf8 at $.a: the text is not valid UTF-8"),
            (r"return {['\xff'] = 1}", "not_utf8 at $: the text is not valid UTF-8"),
            (r"return '\u{D800}'", "not_utf8 at $"),
            ("return ('x'):rep(1100000)", "too_large at $: more than 1048576 bytes of JSON"),
            ("return {value = 1, ok = 'false'}", "bad_ok at $.ok: it is neither true nor false"),
        ],
    )
    async def test_lu120_what_is_no_result_has_a_named_error(self, build: Build, source: str, name: str) -> None:
        failed = await failure_of(build(source=source))

        assert failed.kind == "lua_error"
        assert failed.message.startswith(f"lua eval [tester]: result: {name}")

    async def test_lu120_a_table_in_two_places_is_no_circle(self, build: Build) -> None:
        result = await build(source="local t = {1} return {a = t, b = t}").run(make_call())

        assert result == Result({"a": [1], "b": [1]})

    async def test_lu120_64_levels_are_allowed(self, build: Build) -> None:
        result = await build(source="local t = 1 for _ = 1, 64 do t = {t} end return t").run(make_call())

        assert str(result.value) == "[" * 64 + "1" + "]" * 64


class TestErrors:
    async def test_lu119_syntax_error_has_name_and_line(self, build: Build) -> None:
        failed = await failure_of(build(source="local x = 1\nlocal y = = 2"))

        assert failed.message == "lua eval [tester]: tester:2: unexpected symbol near '='"

    @pytest.mark.parametrize(
        ("raised", "text"),
        [
            ("nil", "error(nil)"),
            ("{}", "a table was raised as the error"),
            ("{message = 'from a field'}", "from a field"),
            ("setmetatable({}, {__tostring = function() while true do end end})", "a table was raised as the error"),
            ("print", "a function was raised as the error"),
            ("true", "error(true)"),
            ("42", "error(42)"),
            ("'no place', 0", "no place"),
        ],
    )
    async def test_lu121_whatever_is_raised_has_a_text(self, build: Build, raised: str, text: str) -> None:
        failed = await failure_of(build(source=f"error({raised})"))

        assert failed.message == f"lua eval [tester]: {text}"

    async def test_lu121_text_of_a_megabyte_is_cut(self, build: Build) -> None:
        failed = await failure_of(build(source="error(('x'):rep(1000000))"))

        assert len(failed.message) == 500
        assert failed.message.endswith("xxx...")

    async def test_lu121_text_that_is_no_utf8_is_kept_readable(self, build: Build) -> None:
        failed = await failure_of(build(source=r"error('a\xffb', 0)"))

        assert failed.message == "lua eval [tester]: a\ufffdb"

    @pytest.mark.parametrize(
        ("source", "text"),
        [
            ("local f = io.open('x')", "tester:1: io.open is not available in Lua workers"),
            ("local t = os.time()", "tester:1: os.time is not available in Lua workers"),
            ("local x = require('x')", "tester:1: require is not available in Lua workers"),
            ("local x = dofile('x')", "tester:1: dofile is not available in Lua workers"),
            ("local x = debug.traceback()", "tester:1: debug.traceback is not available in Lua workers"),
            ("package.path = 'x'", "tester:1: package.path is not available in Lua workers"),
            ("local x = string.dump(print)", "tester:1: string.dump is not available in Lua workers"),
            ("collectgarbage()", "tester:1: collectgarbage is not available in Lua workers"),
        ],
    )
    async def test_lu124_what_is_missing_says_so(self, build: Build, source: str, text: str) -> None:
        failed = await failure_of(build(source=source))

        assert failed.message == f"lua eval [tester]: {text}"

    async def test_timeout_names_the_line_and_the_cure(self, build: Build) -> None:
        failed = await failure_of(build(source="local x\nwhile true do end", time_limit=0.2))

        assert failed.message == "lua eval [tester]: no end after 0.2 s, at tester:2"
        assert failed.hint is not None
        assert "time_limit" in failed.hint

    async def test_without_a_pool_it_says_what_to_do(
        self, build: Build, environment: Callable[..., Environment]
    ) -> None:
        spawner = build(source="return 1", environ=environment(services={}))

        with pytest.raises(SpawnFailed, match=r"nobody opened a pool for them; use `async with Swarm.open"):
            await spawner.run(make_call())


class TestPrint:
    async def test_p30_lu122_prints_become_one_progress(self, build: Build) -> None:
        context = RecordingContext()
        spawner = build(source="print('a', 1, nil, 2.0, true)\nprint()\nprint('b')\nreturn 1")

        await spawner.run(make_call(context=context))

        assert context.outputs == [Progress("print", "a\t1\tnil\t2.0\ttrue\n\nb\n")]

    async def test_p30_a_script_that_prints_nothing_emits_nothing(self, build: Build) -> None:
        context = RecordingContext()

        await build(source="return 1").run(make_call(context=context))

        assert context.outputs == []

    async def test_p30_lu122_print_is_kept_up_to_64_kib(self, build: Build) -> None:
        context = RecordingContext()

        await build(source="for i = 1, 100000 do print('line', i) end return 1").run(make_call(context=context))

        [progress] = context.outputs
        assert isinstance(progress, Progress)
        assert len(progress.note or "") == 64 * 1024

    async def test_p30_control_characters_and_bytes_arrive_as_text(self, build: Build) -> None:
        context = RecordingContext()

        await build(source=r"print('\27[31m\0\xff')return 1").run(make_call(context=context))

        assert context.outputs == [Progress("print", "\x1b[31m\x00\ufffd\n")]

    @pytest.mark.parametrize("end", ["error('x')", "while true do end", "return print", "local s = ('x'):rep(1 << 30)"])
    async def test_p30_what_was_printed_before_a_bad_end_is_kept(self, build: Build, end: str) -> None:
        context = RecordingContext()
        spawner = build(source=f"print('so far')\n{end}", time_limit=2)

        await failure_of(spawner, context=context)

        assert context.outputs == [Progress("print", "so far\n")]


class TestContract:
    async def test_keeps_the_contract_of_workers(self, build: Build) -> None:
        spawner = build(source="print('x') _CTX.more = 1 return {value = _CTX, ok = true}")

        result = await check_spawner(spawner)

        assert result == Result({"topic": "tea", "n": 3, "more": 1})

    async def test_keeps_the_contract_while_it_is_busy(self, build: Build) -> None:
        spawner = build(source="for i = 1, 3000000 do local x = i end return host.echo(_TASK_ID)[1]")

        await check_spawner(spawner)

    def test_plugin_is_admitted_and_provides_the_kind(self) -> None:
        catalog = check_plugin(swarm_plugin_lua)

        assert set(catalog.spawners) == {"lua"}

    async def test_functions_that_are_not_pure_are_out_of_reach(
        self, build: Build, environment: Callable[..., Environment]
    ) -> None:
        functions = {"pure": Function("pure", str, pure=True), "impure": Function("impure", str)}
        spawner = build(source="return {host.impure == nil, host.pure(5)}", environ=environment(functions=functions))

        assert await spawner.run(make_call()) == Result([True, "5"])

"""One runtime for one script: values across the border, the standard library that is left, the json library."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from swarm_plugin_lua import wire
from swarm_plugin_lua.sandbox import Sandbox

INTEGERS = st.integers(min_value=-(2**63), max_value=2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=("Cs",)))
SCALARS = st.none() | st.booleans() | INTEGERS | FLOATS | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5), max_leaves=20
)


def refuse(name: str, arguments: bytes) -> tuple[bool, Any]:
    return False, f"{name} was not expected"


def run(source: str, value: Any = "text", **overrides: Any) -> Mapping[str, Any]:
    job = {
        "label": "s", "source": source, "seconds": 10.0, "memory": 64 * 1024 * 1024, "functions": [], "input": value,
        "agent": "a", "task_id": "T-1", "attempt": 1, "key": "k", "meta": {},
    }  # fmt: skip
    sandbox = Sandbox(refuse)
    try:
        reply: Mapping[str, Any] = wire.loads(sandbox.run({**job, **overrides}))
        return reply
    finally:
        sandbox.close()


def value_of(source: str, value: Any = "text") -> Any:
    reply = run(source, value)
    assert reply["status"] == "done", reply
    return reply["value"]


def types(value: Any) -> Any:
    """Return the shape of a value with its types, so that 1 and 1.0 and true differ."""
    match value:
        case dict():
            return {key: types(item) for key, item in value.items()}
        case list():
            return [types(item) for item in value]
        case _:
            return type(value).__name__, repr(value)


class TestValues:
    @settings(max_examples=150, deadline=None)
    @given(VALUES)
    def test_every_json_value_comes_back_as_it_went_in(self, value: Any) -> None:
        returned = value_of("return {value = {_CTX == nil and null or _CTX}}", [value])

        assert types(returned) == types([[value]])

    @settings(max_examples=50, deadline=None)
    @given(VALUES)
    def test_json_of_a_text_is_the_same_value(self, value: Any) -> None:
        returned = value_of("return {value = {json.decode(_PROMPT)}}", json.dumps([value]))

        assert types(returned) == types([[value]])

    @settings(max_examples=50, deadline=None)
    @given(VALUES)
    def test_encode_is_what_a_result_would_be(self, value: Any) -> None:
        encoded = value_of("return json.encode(_CTX)", [value])

        assert types(json.loads(encoded)) == types([value])

    @pytest.mark.parametrize("number", [0.1, 1e300, 5e-324, -0.0, 1e16, 123456789.123456789, 2.0**63])
    def test_floats_stay_exact_and_floats(self, number: float) -> None:
        assert types(value_of("return {value = _CTX}", number)) == types(number)

    def test_keys_are_written_in_order(self) -> None:
        keys = list(value_of("return {b = 1, a = 2, c = 3, aa = 4}"))

        assert keys == ["a", "aa", "b", "c"]

    def test_an_array_of_the_input_stays_one_when_it_is_emptied(self) -> None:
        assert value_of("_CTX.list[1] = nil return _CTX", {"list": [1]}) == {"list": []}

    def test_null_is_truthy_and_tells_its_name(self) -> None:
        source = "return {_CTX.x == null, _CTX.x == json.null, tostring(_CTX.x), _CTX.x and 1}"

        assert value_of(source, {"x": None}) == [True, True, "null", 1]

    def test_null_cannot_be_indexed(self) -> None:
        reply = run("return _CTX.x.y", {"x": None})

        assert reply["text"] == "s:1: attempt to index null"


class TestLibrary:
    @pytest.mark.parametrize(
        ("source", "value"),
        [
            ("return ('a,b'):gsub(',', ';')", "a;b"),
            ("return {math.maxinteger // 1, 7 // 2, 7 / 2, 2^53}", [2**63 - 1, 3, 3.5, 2.0**53]),
            ("return table.concat({1, 2, 3}, '-')", "1-2-3"),
            ("return utf8.len('äö')", 2),
            ("return select('#', table.unpack({1, nil, 3}, 1, 3))", 3),
            ("return {pcall(error, 'x')}", [False, "x"]),
            ("return {pcall(error, 'x', 0)}", [False, "x"]),
            ("return {xpcall(error, function(m) return m .. '!' end, 'x')}", [False, "x!"]),
            ("return {xpcall(math.max, print, 1, 2)}", [True, 2]),
            ("return {select(2, xpcall(error, error, 'x'))}", ["x"]),
            ("return {pcall(function() return 1, 2 end)}", [True, 1, 2]),
            (
                "local w = coroutine.wrap(function(a) local b = coroutine.yield(a) return b end) return {w(1), w(2)}",
                [1, 2],
            ),
            ("local ok, e = pcall(coroutine.wrap(function() error('in', 0) end)) return {ok, e}", [False, "in"]),
            ("return {pcall(coroutine.wrap(function() return pcall(coroutine.yield, 1) end))}", [True, 1]),
            ("return {coroutine.isyieldable(), coroutine.status(coroutine.create(print))}", [True, "suspended"]),
            ("local t = setmetatable({}, {__index = {x = 1}}) return t.x", 1),
            ("return {getmetatable(json.array()), getmetatable(null), getmetatable('')}", ["array", "null", "string"]),
            ("return {load('return ...')(5), (load('x ='))}", [5]),
            ("return load('return y', 'n', 't', {y = 3})()", 3),
            ("return tostring(_VERSION)", "Lua 5.4"),
            ("goto out do return 1 end ::out:: return 2", 2),
            ("local x <const> = 1 return x << 4 | 1", 17),
            ("return {rawlen({1, 2}), rawequal('a', 'a'), next({})}", [2, True]),
        ],
    )
    def test_what_is_left_of_lua_works(self, source: str, value: Any) -> None:
        assert value_of(source) == value

    @pytest.mark.parametrize(
        ("source", "text"),
        [
            ("setmetatable(1, {})", "s:1: bad argument #1 to '?' (table expected, got number)"),
            ("coroutine.create(1)", "s:1: coroutine.create: a function is wanted"),
            ("coroutine.wrap(1)", "s:1: coroutine.wrap: a function is wanted"),
            ("json.array(1)", "s:1: json.array: a table is wanted"),
            ("json.array(setmetatable({}, {}))", "s:1: json.array: the table has a metatable already"),
            ("json.encode(print)", "s:1: json.encode: unsupported_type at $: a function has no form in JSON"),
            ("json.decode(1)", "s:1: json.decode: a string is wanted"),
            ("json.decode('[')", "s:1: json.decode: the text is no JSON that Lua can hold"),
            ("load(print)", "s:1: load: a string is wanted in Lua workers"),
            ("null.x = 1", "s:1: attempt to set a field of null"),
            ("setmetatable({}, {__gc = print})", "s:1: metatables with __gc are not available in Lua workers"),
            ("local x = ('x'):rep(1, 2, 3) .. nil", "s:1: attempt to concatenate a nil value"),
        ],
    )
    def test_misuse_is_told_with_the_line_of_the_script(self, source: str, text: str) -> None:
        assert run(source)["text"] == text


class TestRuntimes:
    def test_runtime_is_given_back_without_the_garbage_collector(self) -> None:
        import gc
        import weakref

        gc.collect()
        gc.disable()
        try:
            sandbox = Sandbox(refuse)
            gone = weakref.ref(sandbox)
            sandbox.close()
            del sandbox
            assert gone() is None
        finally:
            gc.enable()

    def test_chunk_names_up_to_the_limit_keep_their_lines(self) -> None:
        reply = run("while true do end", label="n" * 48, seconds=0.05)

        assert (reply["status"], reply["text"]) == ("timeout", "n" * 48 + ":1")

    def test_host_that_fails_is_told_by_class_only(self) -> None:
        def broken(name: str, arguments: bytes) -> tuple[bool, Any]:
            raise ConnectionError("secret")

        sandbox = Sandbox(broken)
        job = {
            "label": "s", "source": "local x = host.f(1)", "seconds": 5.0, "memory": 2**26, "functions": ["f"],
            "input": None, "agent": "a", "task_id": "T-1", "attempt": 1, "key": "k", "meta": {},
        }  # fmt: skip

        reply = wire.loads(sandbox.run(job))
        sandbox.close()

        assert reply["text"] == "s:1: host.f failed (ConnectionError)"


@pytest.fixture(autouse=True)
def no_leftover_hooks() -> Iterator[None]:
    yield
    assert value_of("return 1") == 1


class TestWire:
    @pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), "\ud800", {1: object()}])
    def test_what_is_no_json_is_refused(self, value: Any) -> None:
        with pytest.raises(ValueError):
            wire.dumps(value)

    def test_what_holds_itself_is_refused(self) -> None:
        circle: list[Any] = []
        circle.append(circle)

        with pytest.raises(ValueError):
            wire.dumps(circle)

    @pytest.mark.parametrize("text", ["NaN", "[Infinity]", "-Infinity", "[", "", "[" * 100_000, b"\xff", "1" * 5000])
    def test_text_that_is_no_json_is_refused(self, text: str | bytes) -> None:
        with pytest.raises(ValueError):
            wire.loads(text)

    def test_frame_stands_behind_its_length(self) -> None:
        assert wire.frame(b"abc") == b"\0\0\0\3abc"
        assert wire.length_of(b"\0\0\1\0") == 256

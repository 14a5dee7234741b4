"""What the operations of expressions promise, for all values; rows 63, 64, 67-70, 73 and 74 of the bad inputs."""

import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm_core.errors import FlowError
from swarm_core.flow import equality, evaluate
from swarm_core.flow.expr import compile_expr
from swarm_core.flow.state import Evaluation, Lane, Limits
from swarm_core.model.parse import parse_node

numbers = st.one_of(
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, -0.0, 1, 1.0, 2**53, 2**53 + 1]),
)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=5,
)
unhurried = settings(deadline=None)


def lit(value):
    return {"op": "lit", "value": value}


def read(path):
    return {"op": "path", "at": path}


def binary(op, a, b):
    return {"op": op, "lhs": lit(a), "rhs": lit(b)}


def value_of(expr, ctx=None):
    """Evaluate one expression on a ctx."""
    node = parse_node({"kind": "let", "at": "$", "value": expr})
    return compile_expr(node.value)(Lane(ctx, Evaluation(None, None, Limits()), "", None))


def kind_of(expr, ctx=None):
    with pytest.raises(FlowError) as caught:
        value_of(expr, ctx)
    return caught.value.kind, caught.value.op


def bits(number):
    return struct.pack(">d", number)


class TestEquality:
    @unhurried
    @given(values)
    def test_every_value_equals_itself(self, value):
        assert value_of(binary("eq", value, value)) is True

    @unhurried
    @given(values, values)
    def test_it_is_symmetric_and_ne_is_its_opposite(self, a, b):
        equal = value_of(binary("eq", a, b))

        assert equal is value_of(binary("eq", b, a))
        assert (not equal) is value_of(binary("ne", a, b))

    @unhurried
    @given(numbers, numbers)
    def test_numbers_are_equal_as_binary64(self, a, b):
        expected = float(a) == float(b)

        assert expected is value_of(binary("eq", a, b))
        assert expected is value_of(binary("eq", [{"k": a}], [{"k": b}]))

    @unhurried
    @given(values, st.lists(values, max_size=4))
    def test_in_is_equality_with_some_member(self, needle, haystack):
        expected = any(value_of(binary("eq", needle, member)) for member in haystack)

        assert expected is value_of({"op": "in", "needle": lit(needle), "haystack": lit(haystack)})

    def test_ex68_neighbours_beyond_2_to_the_53_are_one_number(self):
        assert value_of(binary("eq", 2**53 + 1, 2**53)) is True
        assert value_of(binary("lt", 2**53, 2**53 + 1)) is False

    @pytest.mark.parametrize(
        ("a", "b"), [(True, 1), (False, 0), (None, False), (None, 0), ("1", 1), ([], {}), ([1], [True]), ({"a": 0}, {})]
    )
    def test_values_of_different_types_are_different(self, a, b):
        assert value_of(binary("eq", a, b)) is False
        assert value_of(binary("eq", [a], [b])) is False

    def test_the_order_of_keys_does_not_matter(self):
        assert value_of(binary("eq", {"a": 1, "b": [2]}, {"b": [2.0], "a": 1.0})) is True

    def test_values_that_are_only_large_when_printed_are_compared_quickly(self):
        a, b = [1], [1.0]
        for _ in range(500):
            a, b = [a, a], [b, b]

        assert equality.json_equal(a, b) is True

    def test_comparing_has_a_limit(self, monkeypatch):
        monkeypatch.setattr(equality, "MAX_COMPARED", 10)

        assert kind_of(binary("eq", list(range(11)), [float(n) for n in range(11)])) == ("LimitError", "max_compared")


class TestOrder:
    @unhurried
    @given(numbers, numbers)
    def test_numbers_are_ordered_as_binary64(self, a, b):
        x, y = float(a), float(b)

        assert [x < y, x > y, x <= y, x >= y] == [value_of(binary(op, a, b)) for op in ("lt", "gt", "lte", "gte")]

    @unhurried
    @given(st.text(), st.text())
    def test_strings_are_ordered_by_code_point(self, a, b):
        expected = [ord(c) for c in a] < [ord(c) for c in b]

        assert expected is value_of(binary("lt", a, b))

    @pytest.mark.parametrize(("a", "b"), [("1", 2), (None, 1), ([1], [2]), (True, 1), ({}, {}), (1, True)])
    def test_ex69_other_values_have_no_order(self, a, b):
        assert kind_of(binary("lt", a, b)) == ("TypeError", "cmp")


class TestArithmetic:
    @unhurried
    @given(st.sampled_from(["add", "sub", "mul", "div", "mod"]), numbers, numbers)
    def test_a_result_is_a_finite_float_or_an_error(self, op, a, b):
        try:
            result = value_of(binary(op, a, b))
        except FlowError as error:
            assert error.kind == "ArithError"
        else:
            assert type(result) is float
            assert math.isfinite(result)

    @unhurried
    @given(st.sampled_from(["add", "mul"]), numbers, numbers)
    def test_add_and_mul_commute_to_the_bit(self, op, a, b):
        def outcome(x, y):
            try:
                return bits(value_of(binary(op, x, y)))
            except FlowError as error:
                return error.kind

        assert outcome(a, b) == outcome(b, a)

    @unhurried
    @given(st.floats(-1e6, 1e6), st.floats(-1e3, 1e3).filter(lambda b: abs(b) > 1e-3))
    def test_mod_is_a_minus_floor_of_the_quotient_times_b(self, a, b):
        expected = a - float(math.floor(a / b)) * b

        assert expected == value_of(binary("mod", a, b))

    def test_the_zero_of_mod_is_the_one_of_binary64(self):
        assert bits(0.0) == bits(value_of(binary("mod", -0.0, 3)))

    @pytest.mark.parametrize(
        ("op", "a", "b"), [("div", 1, 0), ("div", 0, 0.0), ("mod", 1, 0), ("mul", 1e308, 10), ("mod", 1e308, 1e-300)]
    )
    def test_ex67_division_by_zero_and_overflow_are_arith_errors(self, op, a, b):
        assert kind_of(binary(op, a, b)) == ("ArithError", op)

    @pytest.mark.parametrize(("a", "b"), [(True, 1), ("1", 1), (None, 1), ([], 1), (1, {})])
    def test_ex69_arithmetic_takes_numbers_only(self, a, b):
        assert kind_of(binary("add", a, b)) == ("TypeError", "add")


class TestTruth:
    @unhurried
    @given(values)
    def test_only_null_and_false_are_falsy(self, value):
        assert (value is None or value is False) is value_of({"op": "not", "arg": lit(value)})

    @unhurried
    @given(st.lists(values, max_size=4))
    def test_and_and_or_follow_de_morgan(self, members):
        both = value_of({"op": "and", "args": [lit(member) for member in members]})
        neither = value_of({"op": "or", "args": [{"op": "not", "arg": lit(member)} for member in members]})

        assert both is (not neither)

    def test_what_decides_keeps_the_rest_from_being_evaluated(self):
        missing = read("$.nope")

        assert value_of({"op": "and", "args": [lit(False), missing]}, {}) is False
        assert value_of({"op": "or", "args": [lit(0), missing]}, {}) is True

    @pytest.mark.parametrize("cond", [0, 1, "true", None, [], {}])
    async def test_ex73_a_branch_condition_is_a_real_boolean(self, cond):
        nothing = {"kind": "seq", "children": []}

        with pytest.raises(FlowError) as caught:
            await evaluate({"kind": "branch", "cond": lit(cond), "then": nothing, "else": nothing}, {}, None)

        assert caught.value.kind == "NonBoolCond"


class TestReading:
    @pytest.mark.parametrize("path", ["$.__proto__", "$.__class__", "$.a.__globals__", "$.a.__class__", "$.a.keys"])
    def test_ex63_names_of_attributes_are_plain_keys(self, path):
        assert kind_of(read(path), {"a": {}}) == ("PathNotFound", None)

    def test_ex63_such_keys_are_found_when_they_are_there(self):
        assert value_of(read("$.__proto__.__class__"), {"__proto__": {"__class__": 1}}) == 1

    @pytest.mark.parametrize(
        "path", ["$.b", "$.a.b", "$.s.length", "$.n.x", "$.l.x", "$.a[0]", "$.s[0]", "$.l[2]", "$.l[-3]"]
    )
    def test_ex64_what_is_not_there_is_not_found_and_does_not_exist(self, path):
        ctx = {"a": {}, "s": "text", "n": None, "l": [1, 2]}

        assert kind_of(read(path), ctx) == ("PathNotFound", None)
        assert value_of({"op": "exists", "arg": read(path)}, ctx) is False

    @pytest.mark.parametrize(
        ("path", "expected"), [("$.l[0]", 1), ("$.l[-1].k", 3), ('$.l[1]["k"]', 3), ("ctx", "all"), ("$.n", None)]
    )
    def test_what_is_there_is_found(self, path, expected):
        ctx = {"l": [1, {"k": 3}], "n": None}

        assert (ctx if expected == "all" else expected) == value_of(read(path), ctx)

    def test_other_errors_within_exists_come_through(self):
        assert kind_of({"op": "exists", "arg": binary("div", 1, 0)}) == ("ArithError", "div")


class TestLenAndIn:
    @pytest.mark.parametrize(("text", "expected"), [("", 0), ("🚀", 1), ("e\u0301", 2), ("👩‍🚀", 3), ("名前", 2)])
    def test_ex70_the_length_of_a_string_is_in_code_points(self, text, expected):
        assert expected == value_of({"op": "len", "arg": lit(text)})

    @pytest.mark.parametrize("value", [5, 1.5, None, True])
    def test_ex70_scalars_have_no_length(self, value):
        assert kind_of({"op": "len", "arg": lit(value)}) == ("TypeError", "expr.len")

    @pytest.mark.parametrize("haystack", [{"a": 1}, "abc", None, 3])
    def test_ex74_only_arrays_have_members(self, haystack):
        assert kind_of({"op": "in", "needle": lit("a"), "haystack": lit(haystack)}) == ("TypeError", "expr.in")

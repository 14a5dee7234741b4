"""From documents to nodes: all spellings, all problems at once; rows 20-22, 29 and 31 and EX 71 of the bad inputs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm_core.errors import FlowError
from swarm_core.model.nodes import (
    Branch,
    Compare,
    Exists,
    Fanout,
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
from swarm_core.model.parse import MAX_EXPRS, MAX_NESTING, MAX_NODES, MAX_PROBLEMS, node_json, parse_node

ONE, A = {"op": "lit", "value": 1}, {"op": "path", "at": "$.a"}
LET = {"kind": "let", "at": "$.x", "value": ONE}
STEP = {"kind": "step", "ref": "work", "in": A, "out": A}
NOTHING = {"kind": "seq", "children": []}
LOOP = {"kind": "loop", "counter": A, "cond": ONE, "body": NOTHING, "max": 3}
FANOUT = {"kind": "fanout", "items": A, "bind": A, "body": NOTHING, "join": "all", "out": A}
TRY = {"kind": "try", "body": NOTHING, "catch": NOTHING}


def problems(document, path="$"):
    with pytest.raises(FlowError) as caught:
        parse_node(document, path)
    assert "ParseError" == caught.value.kind
    return [(problem.code, problem.path) for problem in caught.value.problems]


def problem(document):
    with pytest.raises(FlowError) as caught:
        parse_node(document)
    (only,) = caught.value.problems
    return only


def value(expr):
    return {"kind": "let", "at": "$.x", "value": expr}


class TestNodes:
    @pytest.mark.parametrize(
        ("document", "node"),
        [
            (STEP, Step(ref="work", in_=Path(at="$.a"), out=Path(at="$.a"))),
            (NOTHING, Seq(children=())),
            (LET, Let(at=Path(at="$.x"), value=Lit(value=1))),
            (LOOP, Loop(counter=Path(at="$.a"), cond=Lit(value=1), body=Seq(children=()), max=3)),
            (TRY, Try(body=Seq(children=()), catch=Seq(children=()))),
            ({**TRY, "err_at": A}, Try(body=Seq(children=()), catch=Seq(children=()), err_at=Path(at="$.a"))),
            (
                {"kind": "branch", "cond": ONE, "then": NOTHING, "else": LET},
                Branch(cond=Lit(value=1), then=Seq(children=()), else_=Let(at=Path(at="$.x"), value=Lit(value=1))),
            ),
            (
                {**FANOUT, "join": "race", "max_concurrency": 2},
                Fanout(
                    items=Path(at="$.a"),
                    bind=Path(at="$.a"),
                    body=Seq(children=()),
                    join=Join.RACE,
                    out=Path(at="$.a"),
                    max_concurrency=2,
                ),
            ),
        ],
    )
    def test_a_document_becomes_its_node_and_back(self, document, node):
        assert node == parse_node(document)
        assert document == node_json(node)

    def test_null_as_err_at_means_absent(self):
        assert parse_node(TRY) == parse_node({**TRY, "err_at": None})

    def test_a_literal_is_never_interpreted_and_not_shared_with_the_document(self):
        data = {"op": "path", "at": "not a path", "kind": "step", "deep": [{"op": "nope"}]}

        node = parse_node(value({"op": "lit", "value": data}))

        assert data == node.value.value
        assert node.value.value is not data
        assert node.value.value["deep"] is not data["deep"]

    def test_integers_beyond_64_bits_are_read_as_floats(self):
        node = parse_node(value({"op": "lit", "value": [2**64, 2**64 - 1]}))

        assert [float, int] == [type(member) for member in node.value.value]


class TestOlderSpellings:
    @pytest.mark.parametrize(
        ("older", "newest"),
        [
            ({"op": "not", "operand": A}, Not(arg=Path(at="$.a"))),
            ({"op": "and", "operands": [A]}, Logic(op="and", args=(Path(at="$.a"),))),
            ({"op": "or", "operands": []}, Logic(op="or", args=())),
            ({"op": "len", "of": A}, Len(arg=Path(at="$.a"))),
            ({"op": "exists", "at": "$.a"}, Exists(arg=Path(at="$.a"))),
            ({"op": "le", "lhs": A, "rhs": ONE}, Compare(op="lte", lhs=Path(at="$.a"), rhs=Lit(value=1))),
            ({"op": "ge", "lhs": A, "rhs": ONE}, Compare(op="gte", lhs=Path(at="$.a"), rhs=Lit(value=1))),
        ],
    )
    def test_an_older_expression_is_read_and_written_in_the_newest_spelling(self, older, newest):
        node = parse_node(value(older))

        assert newest == node.value
        assert parse_node(node_json(node)) == node
        assert not {"operand", "operands", "of", "at"} & node_json(newest).keys()

    def test_an_assign_to_a_path_is_a_let(self):
        assert LET == node_json(parse_node({"kind": "assign", "at": {"op": "path", "at": "$.x"}, "value": ONE}))

    def test_an_assign_to_something_else_stays_one(self):
        document = {"kind": "assign", "at": ONE, "value": A}

        node = parse_node(document)

        assert Let(at=Lit(value=1), value=Path(at="$.a")) == node
        assert document == node_json(node)

    def test_spellings_may_be_mixed_in_one_document(self):
        both = {"op": "and", "operands": [{"op": "not", "arg": A}, {"op": "ge", "lhs": A, "rhs": ONE}]}

        assert (
            "lte"
            == parse_node(value({"op": "and", "args": [both, {"op": "lte", "lhs": A, "rhs": A}]})).value.args[1].op
        )

    def test_two_names_of_one_field_are_refused(self):
        assert [("duplicate_field", "$.value")] == problems(value({"op": "not", "arg": A, "operand": A}))

    @pytest.mark.parametrize(
        "expr",
        [{"op": "exists", "at": A}, {"op": "exists", "arg": "$.a"}, {"op": "not", "args": [A]}, {"op": "len", "at": A}],
    )
    def test_a_name_means_what_it_meant(self, expr):
        assert problems(value(expr))


class TestProblems:
    def test_bp20_an_unknown_field_is_named_with_the_nearest_known_one(self):
        found = problem({"kind": "seq", "children": [], "childern": []})

        assert ("unknown_field", "$.childern") == (found.code, found.path)
        assert "did you mean 'children'?" == found.hint

    def test_bp22_an_unknown_kind_lists_the_kinds(self):
        found = problem({"kind": "stp", "ref": 1})

        assert ("unknown_node_kind", "$.kind") == (found.code, found.path)
        assert "did you mean 'step'? kinds: step, seq, branch, fanout, loop, try, let" == found.hint

    def test_bp22_an_unknown_op_lists_the_ops(self):
        found = problem(value({"op": "equals", "lhs": ONE}))

        assert ("unknown_op", "$.value.op") == (found.code, found.path)
        assert found.hint.endswith(
            "ops: path, lit, eq, ne, lt, gt, lte, gte, not, and, or, exists, "
            "add, sub, mul, div, mod, len, in, call_extern"
        )

    @pytest.mark.parametrize("tag", ["Seq", "seq ", "", "SEQ", "node"])
    def test_tags_are_taken_by_the_letter(self, tag):
        assert [("unknown_node_kind", "$.kind")] == problems({"kind": tag, "children": []})

    @pytest.mark.parametrize(
        ("document", "place", "text"),
        [
            (None, "$", "expected an object with 'kind', got null"),
            ("seq", "$", "expected an object with 'kind', got the string 'seq'"),
            ({"kind": 5}, "$.kind", "expected a string, got the number 5"),
            ({"kind": ["seq"]}, "$.kind", "expected a string, got an array"),
            ({"kind": "seq", "children": {}}, "$.children", "expected an array of nodes, got an object"),
            ({"kind": "seq", "children": None}, "$.children", "expected an array of nodes, got null"),
            ({**STEP, "ref": None}, "$.ref", "expected a string, got null"),
            ({**STEP, "out": None}, "$.out", "expected an object with 'op', got null"),
            ({**LET, "at": A}, "$.at", "expected a path string, got an object"),
            ({**LET, "at": True}, "$.at", "expected a path string, got true"),
            (value({"op": "and", "args": A}), "$.value.args", "expected an array of expressions, got an object"),
            ({**FANOUT, "join": 3}, "$.join", "expected a string, got the number 3"),
            (
                {**FANOUT, "max_concurrency": None},
                "$.max_concurrency",
                "expected an integer from 1 to 4294967295, got null",
            ),
        ],
    )
    def test_bp21_a_wrong_type_says_what_was_expected_and_what_was_there(self, document, place, text):
        found = problem(document)

        assert ("wrong_type", place, text) == (found.code, found.path, found.message)

    @pytest.mark.parametrize("most", [-1, 2**40, 2**32])
    def test_bp31_a_maximum_out_of_range_is_refused(self, most):
        assert [("out_of_range", "$.max")] == problems({**LOOP, "max": most})

    @pytest.mark.parametrize("most", [1.5, 2.0, "3", True, None, [3]])
    def test_bp31_a_maximum_is_an_integer(self, most):
        assert [("wrong_type", "$.max")] == problems({**LOOP, "max": most})

    def test_bp31_the_ends_of_the_range_are_in_it(self):
        assert (0, 2**32 - 1) == (parse_node({**LOOP, "max": 0}).max, parse_node({**LOOP, "max": 2**32 - 1}).max)

    def test_a_cap_is_at_least_one(self):
        assert [("out_of_range", "$.max_concurrency")] == problems({**FANOUT, "max_concurrency": 0})

    def test_an_unknown_join_is_named(self):
        found = problem({**FANOUT, "join": "al"})

        assert ("unknown_join", "$.join", "did you mean 'all'?") == (found.code, found.path, found.hint)

    def test_ex61_a_malformed_path_is_refused_also_in_dead_code(self):
        dead = {
            "kind": "branch",
            "cond": {"op": "lit", "value": True},
            "then": NOTHING,
            "else": {**LET, "at": "$.a..b"},
        }
        found = problem({**LOOP, "max": 0, "body": dead})

        assert ("bad_path", "$.body.else.at") == (found.code, found.path)
        assert "malformed path '$.a..b' at column 5: a name is missing after '.'" == found.message

    @pytest.mark.parametrize("data", [float("nan"), [float("inf")], {1: 2}, {"a": {1}}, 10**400, b"x"])
    def test_a_literal_that_is_no_json_is_refused(self, data):
        assert [("bad_value", "$.value.value")] == problems(value({"op": "lit", "value": data}))

    def test_all_problems_are_told_at_once_with_their_places(self):
        document = {
            "kind": "seq",
            "children": [
                {"kind": "stp"},
                {**STEP, "ref": 1, "in": {"op": "add", "lhs": {"op": "path"}}, "oot": 1},
                {**LOOP, "max": "3", "body": {"kind": "try", "body": NOTHING}},
                {"kind": "branch"},
            ],
        }

        assert [
            ("unknown_node_kind", "$.flow.children[0].kind"),
            ("wrong_type", "$.flow.children[1].ref"),
            ("unknown_field", "$.flow.children[1].oot"),
            ("missing_field", "$.flow.children[1].in"),
            ("missing_field", "$.flow.children[1].in.lhs"),
            ("wrong_type", "$.flow.children[2].max"),
            ("missing_field", "$.flow.children[2].body"),
            ("missing_field", "$.flow.children[3]"),
            ("missing_field", "$.flow.children[3]"),
            ("missing_field", "$.flow.children[3]"),
        ] == problems(document, "$.flow")

    def test_the_error_itself_names_the_first_problem_and_counts_the_rest(self):
        with pytest.raises(FlowError) as caught:
            parse_node({"kind": "branch"})

        assert "$: 'branch' lacks the field 'cond' (and 2 more problems)" == str(caught.value)
        assert "$" == caught.value.at

    def test_a_missing_tag_is_a_missing_field(self):
        assert [("missing_field", "$")] == problems({})
        assert [("missing_field", "$.value")] == problems(value({"at": "$"}))

    def test_long_names_and_values_are_cut_in_messages(self):
        for document in ({"kind": "x" * 100_000}, {**NOTHING, "y" * 100_000: 1}, {**LOOP, "max": 10**5000}):
            assert 600 > len(str(problem(document)))

    def test_no_more_than_a_hundred_problems_are_told(self):
        document = {"kind": "seq", "children": [{"kind": "nope"}] * 5_000}

        assert MAX_PROBLEMS == len(problems(document))


class TestSizes:
    def nested(self, levels, node=True):
        document = NOTHING if node else A
        for _ in range(levels - 1):
            document = {"kind": "seq", "children": [document]} if node else {"op": "not", "arg": document}
        return document if node else value(document)

    @pytest.mark.parametrize("node", [True, False])
    def test_bp29_nesting_is_limited(self, node):
        deepest = MAX_NESTING if node else MAX_NESTING - 1

        parse_node(self.nested(deepest, node))

        assert ["too_deep"] == [code for code, _ in problems(self.nested(deepest + 1, node))]

    @pytest.mark.parametrize("node", [True, False])
    def test_a_hostile_depth_is_a_problem_like_any_other(self, node):
        assert ["too_deep"] == [code for code, _ in problems(self.nested(100_000, node))]

    def test_a_deep_literal_is_a_problem_like_any_other(self):
        data = []
        for _ in range(100_000):
            data = [data]

        assert [("too_deep", "$.value.value")] == problems(value({"op": "lit", "value": data}))

    def test_a_cyclic_literal_is_a_problem_like_any_other(self):
        data = {}
        data["self"] = data

        assert [("too_deep", "$.value.value")] == problems(value({"op": "lit", "value": data}))

    def test_a_document_that_holds_itself_is_refused(self):
        document = {"kind": "seq", "children": []}
        document["children"].append(document)

        assert ["too_deep"] == [code for code, _ in problems(document)]

    def test_bp29_the_number_of_nodes_is_limited(self):
        children = [LET] * (MAX_NODES - 1)

        parse_node({"kind": "seq", "children": children})

        assert [("too_many_nodes", "$.children[9999]")] == problems({"kind": "seq", "children": [*children, LET]})

    def test_ex71_the_number_of_expressions_is_limited(self):
        assert [("too_many_expressions", "$.value.args")] == problems(value({"op": "and", "args": [A] * 10**6}))
        assert MAX_EXPRS == 100_000

    def test_a_small_document_that_shares_its_parts_a_million_times_is_limited(self):
        document = LET
        for _ in range(100):
            document = {"kind": "seq", "children": [document, document]}

        assert ["too_many_nodes"] == [code for code, _ in problems(document)]

    def test_a_literal_that_shares_its_parts_is_read_once(self):
        data = [1]
        for _ in range(150):
            data = [data, data]

        read = parse_node(value({"op": "lit", "value": data})).value.value

        assert read[0] is read[1]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["seq", "path", "$.a", "all", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["kind", "op", "at", "value", "children", "in", "args", "arg", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(json_values)
def test_any_document_is_a_node_or_a_parse_error(document):
    try:
        node = parse_node(document)
    except FlowError as error:
        assert "ParseError" == error.kind
        assert error.problems
    else:
        assert node == parse_node(node_json(node))

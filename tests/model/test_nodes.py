"""The table of spellings and the node classes."""

import inspect
from typing import get_args

import pytest
from attrs import NOTHING, fields, has
from attrs.exceptions import FrozenInstanceError

from swarm_core.model import nodes
from swarm_core.model.nodes import (
    EXPR_OPS,
    EXPR_SHAPES,
    NEWEST,
    NODE_KINDS,
    NODE_SHAPES,
    Arith,
    Compare,
    Expr,
    Holds,
    Join,
    Let,
    Lit,
    Node,
    Path,
    Seq,
    Step,
)


def shape(shapes, tag):
    return {field.json: field for field in shapes[tag]}


def test_every_class_stands_in_the_table_and_in_its_union():
    assert set(get_args(Node)) == set(NODE_KINDS.values())
    assert set(get_args(Expr)) == set(EXPR_OPS.values())


def test_every_tag_has_its_fields():
    assert (list(NODE_KINDS), list(EXPR_OPS)) == (list(NODE_SHAPES), list(EXPR_SHAPES))


def test_every_attribute_but_the_op_of_a_family_stands_in_documents():
    for cls in {*NODE_KINDS.values(), *EXPR_OPS.values()}:
        assert {a.name for a in fields(cls) if "form" not in a.metadata} <= {"op"}


def test_older_tags_have_a_newest_spelling_of_the_same_class():
    tags = {**NODE_KINDS, **EXPR_OPS}

    assert {"assign": "let", "le": "lte", "ge": "gte"} == NEWEST
    assert [tags[old] for old in NEWEST] == [tags[new] for new in NEWEST.values()]


@pytest.mark.parametrize(
    ("op", "names"),
    [
        ("not", {"arg": Holds.EXPR, "operand": Holds.EXPR}),
        ("and", {"args": Holds.EXPRS, "operands": Holds.EXPRS}),
        ("or", {"args": Holds.EXPRS, "operands": Holds.EXPRS}),
        ("exists", {"arg": Holds.EXPR, "at": Holds.PATH}),
        ("len", {"arg": Holds.EXPR, "of": Holds.EXPR}),
    ],
)
def test_older_names_of_fields_are_in_the_table(op, names):
    (field,) = EXPR_SHAPES[op]

    assert names == field.names


def test_the_target_of_let_is_a_path_and_that_of_assign_any_expression():
    assert Holds.PATH == shape(NODE_SHAPES, "let")["at"].names["at"]
    assert Holds.EXPR == shape(NODE_SHAPES, "assign")["at"].names["at"]


def test_reserved_words_of_python_have_their_own_names_in_documents():
    assert {"ref", "in", "out"} == shape(NODE_SHAPES, "step").keys()
    assert {"cond", "then", "else"} == shape(NODE_SHAPES, "branch").keys()


def test_only_two_fields_are_optional():
    optional = {(tag, field.json) for tag, shapes in NODE_SHAPES.items() for field in shapes if not field.required}

    assert {("try", "err_at"), ("fanout", "max_concurrency")} == optional
    assert shape(NODE_SHAPES, "try")["err_at"].nullable
    assert not shape(NODE_SHAPES, "fanout")["max_concurrency"].nullable


def test_required_fields_have_no_default():
    for tag, cls in NODE_KINDS.items():
        required = {field.attribute for field in NODE_SHAPES[tag] if field.required}
        assert {a.name for a in fields(cls) if a.default is NOTHING} == required


def test_nodes_know_their_kind_and_expressions_their_op():
    assert ("step", "let", "seq") == (Step.kind, Let.kind, Seq.kind)
    assert ("path", "lte", "mod") == (
        Path(at="$").op,
        Compare(op="lte", lhs=Path(at="$"), rhs=Path(at="$")).op,
        Arith(op="mod", lhs=Path(at="$"), rhs=Path(at="$")).op,
    )


def test_nodes_are_values():
    node = Let(at=Path(at="$.a"), value=Lit(value=[1]))

    assert node == Let(at=Path(at="$.a"), value=Lit(value=[1]))
    with pytest.raises(FrozenInstanceError):
        node.at = Path(at="$.b")


def test_joins_are_their_names():
    assert ["all", "any", "race", "all_settled"] == [str(join) for join in Join]


def test_every_class_of_the_module_says_what_it_is():
    classes = [cls for _, cls in inspect.getmembers(nodes, has)]

    assert all(inspect.getdoc(cls) for cls in classes)

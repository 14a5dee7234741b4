"""Walking nodes and expressions with their places."""

from swarm_core.model.nodes import Let, Path, Seq, Step
from swarm_core.model.parse import expressions, parse_node, steps, walk

A, ONE = {"op": "path", "at": "$.a"}, {"op": "lit", "value": 1}
LET = {"kind": "let", "at": "$.x", "value": {"op": "add", "lhs": A, "rhs": {"op": "len", "arg": A}}}
STEP = {"kind": "step", "ref": "work", "in": A, "out": A}
DOCUMENT = {
    "kind": "seq",
    "children": [
        {"kind": "branch", "cond": ONE, "then": STEP, "else": LET},
        {"kind": "try", "body": {"kind": "seq", "children": [STEP]}, "catch": LET, "err_at": A},
        {
            "kind": "loop",
            "counter": A,
            "cond": ONE,
            "body": {"kind": "fanout", "items": A, "bind": A, "body": STEP},
            "max": 1,
        },
    ],
}
DOCUMENT["children"][2]["body"] |= {"join": "all", "out": A}


def at(path, document=DOCUMENT):
    """Return the part of a document at a place such as `$.children[1].body`."""
    for name in path.replace("[", ".[").split(".")[1:]:
        document = document[int(name[1:-1])] if name.startswith("[") else document[name]
    return document


def test_nodes_come_parents_first_in_the_order_of_the_document():
    found = list(walk(parse_node(DOCUMENT)))

    assert [
        ("$", "seq"),
        ("$.children[0]", "branch"),
        ("$.children[0].then", "step"),
        ("$.children[0].else", "let"),
        ("$.children[1]", "try"),
        ("$.children[1].body", "seq"),
        ("$.children[1].body.children[0]", "step"),
        ("$.children[1].catch", "let"),
        ("$.children[2]", "loop"),
        ("$.children[2].body", "fanout"),
        ("$.children[2].body.body", "step"),
    ] == [(path, node.kind) for path, node in found]
    assert [parse_node(at(path)) for path, _ in found] == [node for _, node in found]


def test_steps_come_with_their_places_below_a_given_one():
    found = list(steps(parse_node(DOCUMENT), "$.flow"))

    assert ["$.flow.children[0].then", "$.flow.children[1].body.children[0]", "$.flow.children[2].body.body"] == [
        path for path, _ in found
    ]
    assert all(isinstance(step, Step) for _, step in found)


def test_expressions_of_one_node_come_with_their_places_but_not_those_of_nodes_below():
    assert [
        ("$.at", "path"),
        ("$.value", "add"),
        ("$.value.lhs", "path"),
        ("$.value.rhs", "len"),
        ("$.value.rhs.arg", "path"),
    ] == [(path, expr.op) for path, expr in expressions(parse_node(LET))]
    assert ["$.err_at"] == [path for path, _ in expressions(parse_node(DOCUMENT["children"][1]))]


def test_any_depth_can_be_walked():
    node = Let(at=Path(at="$.x"), value=Path(at="$"))
    for _ in range(5_000):
        node = Seq(children=(node,))

    assert 5_001 == sum(1 for _ in walk(node))

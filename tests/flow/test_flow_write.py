"""Writing at paths: what comes into being, what is refused, what is copied; rows 65 and 66 of the bad inputs."""

import pytest

from swarm_core.errors import FlowError
from swarm_core.flow import evaluate


async def nobody(ref, value, address):
    raise AssertionError("no step here")


def let(path, value):
    return {"kind": "let", "at": path, "value": {"op": "lit", "value": value}}


async def written(ctx, *lets):
    return await evaluate({"kind": "seq", "children": [let(path, value) for path, value in lets]}, ctx, nobody)


@pytest.mark.parametrize(
    ("ctx", "path", "expected"),
    [
        ({}, "$.a", {"a": 9}),
        (None, "$.a.b", {"a": {"b": 9}}),
        ({"a": None}, "$.a.b.c", {"a": {"b": {"c": 9}}}),
        ({"a": 1}, "$", 9),
        ([1, 2], "$[0]", [9, 2]),
        ({"l": [1, 2]}, "$.l[-1]", {"l": [1, 9]}),
        ({"l": [None]}, "$.l[0].x", {"l": [{"x": 9}]}),
        ({"l": [{"m": [[1]]}]}, "$.l[0].m[0][0]", {"l": [{"m": [[9]]}]}),
    ],
)
async def test_a_value_is_written_where_the_path_leads(ctx, path, expected):
    assert expected == await written(ctx, (path, 9))


@pytest.mark.parametrize(
    ("ctx", "path"),
    [
        ({"a": 1}, "$.a.b"),
        ({"a": "s"}, "$.a[0]"),
        ({"a": {}}, "$.a[0]"),
        ({"a": []}, "$.a.b"),
        (5, "$.a"),
        (True, "$.a.b"),
    ],
)
async def test_ex65_nothing_is_written_through_what_is_no_container(ctx, path):
    with pytest.raises(FlowError) as caught:
        await written(ctx, (path, 9))

    assert ("TypeError", "path.write") == (caught.value.kind, caught.value.op)


@pytest.mark.parametrize("path", ["$.l[1000000000]", "$.l[2]", "$.l[-3]", "$.none[0]", "$.null[0]"])
async def test_ex66_writing_at_an_index_needs_an_existing_element(path):
    with pytest.raises(FlowError) as caught:
        await written({"l": [1, 2], "null": None}, (path, 9))

    assert caught.value.kind == "PathNotFound"


@pytest.mark.parametrize("path", ["$.new.deep[0]", "$.new.deep.a[5]", "$.l.x", "$.l[0].x"])
async def test_a_write_that_fails_leaves_nothing_behind(path):
    ctx = {"l": [1]}
    document = {"kind": "try", "body": let(path, 9), "catch": {"kind": "seq", "children": []}}

    assert ctx == await evaluate(document, ctx, nobody)


async def test_what_is_not_on_the_way_is_shared_not_copied():
    ctx = {"big": [[1]] * 100, "small": {"other": {}, "n": {"m": 1}}}

    final = await written(ctx, ("$.small.n.m", 2), ("$.small.n.k", 3), ("$.x", 4))

    assert final["big"] is ctx["big"]
    assert final["small"]["other"] is ctx["small"]["other"]
    assert {"m": 2, "k": 3} == final["small"]["n"]
    assert {"m": 1} == ctx["small"]["n"]


async def test_a_flow_that_writes_nothing_returns_the_ctx_itself():
    ctx = {"a": [1]}

    assert await evaluate({"kind": "seq", "children": []}, ctx, nobody) is ctx


async def test_bignum_integers_in_the_ctx_are_read_as_floats():
    ctx = {"a": 2**64, "b": [-(2**63) - 1, 2**64 - 1, -(2**63)], "c": {}}

    final = await evaluate({"kind": "seq", "children": []}, ctx, nobody)

    assert {"a": float(2**64), "b": [float(-(2**63) - 1), 2**64 - 1, -(2**63)], "c": {}} == final
    assert [float, float, int] == [type(final["a"]), type(final["b"][0]), type(final["b"][1])]
    assert type(ctx["a"]) is int


@pytest.mark.parametrize("ctx", [{1: 2}, {"a": {1, 2}}, [float("nan")], {"a": [float("inf")]}, 10**400, object()])
async def test_a_ctx_that_is_no_json_is_refused(ctx):
    with pytest.raises(FlowError) as caught:
        await evaluate({"kind": "seq", "children": []}, ctx, nobody)

    assert ("TypeError", "ctx", "$", "/") == (
        caught.value.kind,
        caught.value.op,
        caught.value.at,
        caught.value.address,
    )

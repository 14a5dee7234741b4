"""The evaluator against a naive one that copies everything, on random flows; and what must hold for any flow."""

import asyncio
import json
from copy import deepcopy
from math import floor, isfinite

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm_core.errors import FlowError
from swarm_core.flow import compile_flow

# the naive evaluator: interprets documents, copies at every read and write -----------------------------------------


class Fails(Exception):
    def __init__(self, kind):
        self.kind = kind


def segments(text):
    """Paths of the tests are `$`, then `.key` or `[index]`."""
    parts = text[1:].replace("[", ".[").split(".")[1:]
    return [int(part[1:-1]) if part.startswith("[") else part for part in parts]


def naive_read(ctx, text):
    for segment in segments(text):
        fits = isinstance(ctx, list) if isinstance(segment, int) else isinstance(ctx, dict)
        if not fits:
            raise Fails("PathNotFound")
        try:
            ctx = ctx[segment]
        except LookupError:
            raise Fails("PathNotFound") from None
    return deepcopy(ctx)


def naive_write(ctx, text, value):
    return naive_put(deepcopy(ctx), segments(text), deepcopy(value))


def naive_put(node, path, value):
    if not path:
        return value
    head, *rest = path
    if isinstance(head, int):
        if isinstance(node, list) and -len(node) <= head < len(node):
            node[head] = naive_put(node[head], rest, value)
            return node
        raise Fails("PathNotFound" if node is None or isinstance(node, list) else "TypeError")
    node = {} if node is None else node
    if not isinstance(node, dict):
        raise Fails("TypeError")
    node[head] = naive_put(node.get(head), rest, value)
    return node


def canonical(value):
    """Make equal values equal texts: numbers as floats, keys sorted."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, int | float):
        return repr(float(value) + 0.0)
    if isinstance(value, list):
        return f"[{','.join(canonical(member) for member in value)}]"
    return f"{{{','.join(sorted(json.dumps(key) + canonical(member) for key, member in value.items()))}}}"


def falsy(value):
    return value is None or value is False


def naive_expr(expr, ctx):
    op = expr["op"]
    if op == "path":
        return naive_read(ctx, expr["at"])
    if op == "lit":
        return deepcopy(expr["value"])
    if op == "exists":
        try:
            return naive_expr(expr["arg"], ctx) is not None
        except Fails as error:
            if error.kind == "PathNotFound":
                return False
            raise
    if op in ("and", "or"):
        for arg in expr["args"]:
            if falsy(naive_expr(arg, ctx)) is (op == "and"):
                return op == "or"
        return op == "and"
    if op == "call_extern":
        return [naive_expr(arg, ctx) for arg in expr["args"]]
    if op == "not":
        return falsy(naive_expr(expr["arg"], ctx))
    if op == "len":
        value = naive_expr(expr["arg"], ctx)
        if isinstance(value, list | dict | str):
            return len(value)
        raise Fails("TypeError")
    if op == "in":
        needle, haystack = naive_expr(expr["needle"], ctx), naive_expr(expr["haystack"], ctx)
        if isinstance(haystack, list):
            return canonical(needle) in [canonical(member) for member in haystack]
        raise Fails("TypeError")
    return naive_binary(op, naive_expr(expr["lhs"], ctx), naive_expr(expr["rhs"], ctx))


def naive_binary(op, a, b):
    if op in ("eq", "ne"):
        return (canonical(a) == canonical(b)) is (op == "eq")
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (a, b))
    if op in ("lt", "gte"):
        if numbers or (isinstance(a, str) and isinstance(b, str)):
            return (a < b) is (op == "lt")
        raise Fails("TypeError")
    if not numbers:
        raise Fails("TypeError")
    a, b = float(a), float(b)
    try:
        result = {
            "add": lambda: a + b,
            "mul": lambda: a * b,
            "div": lambda: a / b,
            "mod": lambda: a - floor(a / b) * b,
        }[op]()
    except (ZeroDivisionError, OverflowError):
        raise Fails("ArithError") from None
    if not isfinite(result):
        raise Fails("ArithError")
    return result


class Naive:
    """Runs a document one lane after the other; `answer` does the steps."""

    def __init__(self, answer):
        self.answer = answer

    def run(self, node, ctx):
        return getattr(self, node["kind"])(node, ctx)

    def step(self, node, ctx):
        value = naive_expr(node["in"], ctx)
        return naive_write(ctx, node["out"]["at"], self.answer(node["ref"], value))

    def let(self, node, ctx):
        return naive_write(ctx, node["at"], naive_expr(node["value"], ctx))

    def seq(self, node, ctx):
        for child in node["children"]:
            ctx = self.run(child, ctx)
        return ctx

    def branch(self, node, ctx):
        cond = naive_expr(node["cond"], ctx)
        if not isinstance(cond, bool):
            raise Fails("NonBoolCond")
        return self.run(node["then"] if cond else node["else"], ctx)

    def loop(self, node, ctx):
        ctx = naive_write(ctx, node["counter"]["at"], 0)
        done = 0
        while done < node["max"] and not falsy(naive_expr(node["cond"], ctx)):
            ctx = self.run(node["body"], ctx)
            done += 1
            ctx = naive_write(ctx, node["counter"]["at"], done)
        return ctx

    def try_(self, node, ctx):
        try:
            return self.run(node["body"], deepcopy(ctx))
        except Fails as error:
            if "err_at" in node:
                ctx = naive_write(ctx, node["err_at"]["at"], error.kind)
            return self.run(node["catch"], ctx)

    def fanout(self, node, ctx):
        items = naive_expr(node["items"], ctx)
        if not isinstance(items, list) or (not items and node["join"] in ("any", "race")):
            raise Fails("TypeError")
        lanes = [naive_write(ctx, node["bind"]["at"], item) for item in items]
        joined, failed = [], None
        for lane in lanes:
            outcome, error = None, None
            try:
                outcome = self.run(node["body"], lane)
            except Fails as failure:
                error = failed = failure
            if node["join"] == "all_settled":
                joined.append({"status": "rejected", "reason": error.kind} if error else settled(outcome))
            elif error and node["join"] != "any":
                raise error
            elif not error and node["join"] == "all":
                joined.append(outcome)
            elif not error:
                return naive_write(ctx, node["out"]["at"], outcome)
        if node["join"] == "any" and failed:
            raise failed
        return naive_write(ctx, node["out"]["at"], joined)


setattr(Naive, "try", Naive.try_)


def settled(ctx):
    return {"status": "fulfilled", "value": ctx}


# random flows ------------------------------------------------------------------------------------------------------

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 3), st.sampled_from([0.5, 2.0, -1.5]), st.sampled_from("xyz")
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
contexts = st.dictionaries(st.sampled_from("abcd"), values, max_size=4)
paths = st.lists(st.sampled_from([".a", ".b", ".c", ".d", ".a.a", ".b.c", "[0]", "[-1]"]), min_size=0, max_size=2).map(
    lambda parts: "$" + "".join(parts)
)
below_root = paths.filter(lambda path: path != "$") | st.sampled_from(["$.a", "$.b", "$.c"])


def read(path):
    return {"op": "path", "at": path}


def shaped(op, **fields):
    return st.fixed_dictionaries({"op": st.sampled_from(op.split()), **fields})


leaves = st.one_of(paths.map(read), values.map(lambda value: {"op": "lit", "value": value}))
exprs = st.recursive(
    leaves,
    lambda inner: st.one_of(
        shaped("eq ne lt gte add mul div mod", lhs=inner, rhs=inner),
        shaped("not exists len", arg=inner),
        shaped("and or", args=st.lists(inner, max_size=3)),
        shaped("in", needle=inner, haystack=inner),
        shaped("call_extern", ref=st.just("list"), args=st.lists(inner, max_size=2)),
    ),
    max_leaves=4,
)
conds = shaped("eq ne", lhs=leaves, rhs=leaves) | shaped("exists not", arg=leaves) | exprs
targets = below_root.map(read)


def node(kind, **fields):
    return st.fixed_dictionaries({"kind": st.just(kind), **fields})


plain_nodes = node("let", at=below_root | st.just("$"), value=leaves | exprs)
step_nodes = node("step", **{"ref": st.sampled_from(["echo", "pair", "wrap", "fail"]), "in": leaves, "out": targets})


def flows(joins="all any race all_settled"):
    return st.recursive(
        plain_nodes | step_nodes,
        lambda inner: st.one_of(
            node("seq", children=st.lists(inner, max_size=5)),
            node("seq", children=st.lists(inner, min_size=2, max_size=5)),
            node("branch", cond=conds, then=inner, **{"else": inner}),
            node("loop", counter=targets, cond=conds, body=inner, max=st.integers(0, 3)),
            node("try", body=inner, catch=inner, err_at=targets),
            node("try", body=inner, catch=inner),
            node(
                "fanout",
                items=st.sampled_from("abc").map(lambda key: read(f"$.{key}")) | leaves,
                bind=targets,
                body=inner,
                join=st.sampled_from(joins.split()),
                out=targets,
            ),
        ),
        max_leaves=10,
    )


NOTHING = {"kind": "seq", "children": []}
FAIL = {"kind": "step", "ref": "fail", "in": read("$"), "out": read("$.a")}


@st.composite
def captures(draw):
    """Draw a node that writes below `$.a`, `$.b` or `$.c`, or one that gets hold of something written before.

    All of them succeed on a ctx where these are objects with the keys p and q, and leave it so.
    """
    whole, leaf = st.sampled_from(["$.a", "$.b", "$.c"]), st.sampled_from(["$.a.p", "$.a.q", "$.b.p", "$.c.q"])
    write = {"kind": "let", "at": draw(leaf), "value": {"op": "lit", "value": draw(st.integers(0, 9))}}
    kept = {"op": "call_extern", "ref": "list", "args": [read(draw(whole)), read(draw(leaf))]}
    lanes = {"kind": "fanout", "items": {"op": "lit", "value": [1, 2]}, "bind": read("$.a.p"), "body": write}
    return draw(
        st.sampled_from(
            [
                write,
                write,
                write,
                {"kind": "let", "at": draw(whole), "value": read(draw(whole))},
                {"kind": "let", "at": draw(leaf), "value": read(draw(whole))},
                {"kind": "let", "at": draw(leaf), "value": kept},
                {"kind": "step", "ref": draw(st.sampled_from(["echo", "pair"])), "in": kept, "out": read(draw(leaf))},
                {"kind": "step", "ref": "pair", "in": read(draw(whole)), "out": read(draw(leaf))},
                {"kind": "try", "body": {"kind": "seq", "children": [write, FAIL]}, "catch": NOTHING},
                {"kind": "try", "body": {"kind": "seq", "children": [write, FAIL]}, "catch": write},
                {"kind": "try", "body": write, "catch": NOTHING},
                {
                    **lanes,
                    "join": draw(st.sampled_from(["all", "any", "race", "all_settled"])),
                    "out": read(draw(leaf)),
                },
                {**lanes, "body": NOTHING, "join": "all", "out": read(draw(leaf))},
            ]
        )
    )


def answer(ref, value):
    if ref == "echo":
        return value
    if ref == "pair":
        return [value, value]
    if ref == "wrap":
        return {"a": value}
    raise Fails("DispatcherError")


def naively(document, ctx):
    try:
        return "ok", Naive(answer).run(document, deepcopy(ctx))
    except Fails as error:
        return "err", error.kind


EXTERNS = {"list": lambda *args: list(args)}


def really(flow, ctx, dispatch):
    try:
        return "ok", asyncio.run(flow.run(ctx, dispatch, EXTERNS))
    except FlowError as error:
        return "err", error.kind


async def at_once(ref, value, address):
    return answer(ref, value)


def texts_gone(value):
    """Replace what an error's text may be, so that both evaluators say the same."""
    if isinstance(value, list):
        return [texts_gone(member) for member in value]
    if isinstance(value, dict):
        return {key: texts_gone(member) for key, member in value.items()}
    return "text" if isinstance(value, str) and len(value) > 1 else value


def comparable(outcome):
    """Texts of errors differ between the two evaluators, so their lengths and places in order do too."""
    return (outcome[0], canonical(texts_gone(outcome[1])) if outcome[0] == "ok" else outcome[1])


def reads_texts(document):
    """Tell whether a flow computes with the text of an error, which is free."""
    found = json.dumps(document)
    return ('"err_at"' in found or "all_settled" in found) and any(
        f'"{op}"' in found for op in ("len", "lt", "gte", "eq", "ne", "in")
    )


unhurried = settings(deadline=None)


class TestAgainstTheNaiveEvaluator:
    @unhurried
    @given(flows().filter(lambda document: not reads_texts(document)), contexts)
    def test_a_flow_gives_what_copying_everything_gives(self, document, ctx):
        expected = naively(document, ctx)

        got = really(compile_flow(document), ctx, at_once)

        assert comparable(expected) == comparable(got)

    @unhurried
    @given(st.lists(captures(), min_size=3, max_size=25))
    def test_no_write_reaches_what_was_captured_before(self, children):
        document, ctx = {"kind": "seq", "children": children}, {key: {"p": 0, "q": {"p": 1}} for key in "abc"}
        expected = naively(document, ctx)

        got = really(compile_flow(document), ctx, at_once)

        assert "ok" == got[0]
        assert comparable(expected) == comparable(got)

    @unhurried
    @given(
        flows("all all_settled").filter(lambda document: not reads_texts(document)),
        contexts,
        st.randoms(use_true_random=False),
    )
    def test_steps_that_take_different_times_change_no_settled_result(self, document, ctx, random):
        async def dispatch(ref, value, address):
            for _ in range(random.randrange(3)):
                await asyncio.sleep(0)
            return answer(ref, value)

        expected = naively(document, ctx)

        got = really(compile_flow(document), ctx, dispatch)

        assert expected[0] == got[0]
        if expected[0] == "ok":
            assert comparable(expected) == comparable(got)


class Recorder:
    """Answers at once and keeps what it was given and what it gave, as objects and as text."""

    def __init__(self):
        self.addresses, self.kept = [], []

    async def dispatch(self, ref, value, address):
        self.addresses.append((address, ref, canonical(value)))
        self.kept.append((value, json.dumps(value)))
        given = answer(ref, value)
        self.kept.append((given, json.dumps(given)))
        return given


class TestAnyFlow:
    @unhurried
    @given(flows(), contexts)
    def test_nothing_that_was_handed_in_or_out_is_ever_changed(self, document, ctx):
        recorder = Recorder()
        before, text = json.dumps(ctx), json.dumps(document)
        flow = compile_flow(document)
        literals = repr(flow.node)

        really(flow, ctx, recorder.dispatch)

        assert before == json.dumps(ctx)
        assert text == json.dumps(document)
        assert literals == repr(flow.node)
        assert [was for _, was in recorder.kept] == [json.dumps(value) for value, _ in recorder.kept]

    @unhurried
    @given(flows(), contexts)
    def test_the_same_flow_and_answers_give_the_same_steps_and_the_same_ctx(self, document, ctx):
        flow, first, second = compile_flow(document), Recorder(), Recorder()

        outcomes = [really(flow, ctx, first.dispatch), really(flow, deepcopy(ctx), second.dispatch)]

        assert outcomes[0] == outcomes[1]
        assert first.addresses == second.addresses

    @unhurried
    @given(flows(), contexts)
    def test_no_address_is_given_twice(self, document, ctx):
        recorder = Recorder()

        really(compile_flow(document), ctx, recorder.dispatch)

        assert len(recorder.addresses) == len({address for address, _, _ in recorder.addresses})

    @unhurried
    @given(flows(), contexts)
    def test_every_error_says_where_it_happened(self, document, ctx):
        async def failing(ref, value, address):
            raise ValueError(address)

        try:
            asyncio.run(compile_flow(document).run(ctx, failing, EXTERNS))
        except FlowError as error:
            assert error.at.startswith("$")
            assert error.address.startswith("/")
            if error.kind == "DispatcherError":
                assert str(error).endswith(error.address)

    @unhurried
    @given(flows(), contexts, st.integers(1, 30))
    def test_a_cancelled_flow_ends_and_leaves_no_task(self, document, ctx, turns):
        async def dispatch(ref, value, address):
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return answer(ref, value)

        async def run():
            task = asyncio.create_task(compile_flow(document).run(ctx, dispatch, EXTERNS))
            for _ in range(turns):
                await asyncio.sleep(0)
            under_way = not task.done()
            task.cancel()
            await asyncio.wait([task])
            return under_way, task.cancelled(), asyncio.all_tasks() - {asyncio.current_task()}

        under_way, cancelled, left = asyncio.run(run())

        assert under_way == cancelled
        assert left == set()


@pytest.mark.parametrize("ctx", [5, "s", None, True, 1.5, [], {}, [{"a": 1}]])
async def test_any_json_value_may_be_the_ctx(ctx):
    flow = compile_flow({"kind": "let", "at": "$", "value": {"op": "path", "at": "$"}})

    assert await flow.run(ctx, at_once) is ctx

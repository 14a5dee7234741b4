"""The golden cases: every one of both files, strictly, dispatches counted (see cases/README.md)."""

import json
from pathlib import Path

import pytest

from swarm_core.errors import FlowError
from swarm_core.flow import evaluate
from swarm_core.model.parse import node_json, parse_node

CASES = [
    json.loads(line)
    for name in ("cases.jsonl", "cases-legacy.jsonl")
    for line in (Path(__file__).parent / "cases" / name).read_text(encoding="utf-8").splitlines()
]


class Failure(Exception):
    pass


def is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


class Worker:
    """Does the steps of one case."""

    def __init__(self):
        self.calls = self.counted = self.flaked = 0

    async def dispatch(self, ref, value, address):
        self.calls += 1
        step = getattr(self, f"do_{ref}", None)
        if step is None:
            raise Failure("unknown ref")
        return step(value)

    def do_echo(self, value):
        return value

    do_sleep = do_echo

    def do_upper(self, value):
        if not isinstance(value, str):
            raise Failure("upper: expected string")
        return value.upper()

    def do_add1(self, value):
        if not is_number(value):
            raise Failure("add1: expected number")
        return value + 1

    def do_wrap(self, value):
        return {"v": value}

    def do_null(self, value):
        return None

    def do_even(self, value):
        if not is_number(value):
            raise Failure("even: expected number")
        if value % 2:
            raise Failure("odd")
        return value

    def do_count(self, value):
        self.counted += 1
        return self.counted

    def do_flaky(self, value):
        self.flaked += 1
        if self.flaked % 3:
            raise Failure(f"flaky {self.flaked}")
        return self.flaked

    def do_concat(self, value):
        if not isinstance(value, list) or not all(isinstance(member, str) for member in value):
            raise Failure("concat: expected array of strings")
        return "".join(value)

    def do_keys(self, value):
        if not isinstance(value, dict):
            raise Failure("keys: expected object")
        return sorted(value)

    def do_first(self, value):
        if not isinstance(value, list):
            raise Failure("first: expected array")
        return value[0] if value else None

    def do_fail(self, value):
        raise Failure("boom")

    def do_fail_with(self, value):
        raise Failure(value if isinstance(value, str) else "fail_with")


def first_argument(*args):
    if not args:
        raise Failure("expected 1 argument")
    return args[0]


def total(*args):
    if not all(is_number(arg) for arg in args):
        raise Failure("expected numbers")
    return sum(args, 0.0)


def element(*args):
    if len(args) != 2 or not isinstance(args[0], list) or type(args[1]) is not int or args[1] < 0:
        raise Failure("expected (array, non-negative integer)")
    return args[0][args[1]] if args[1] < len(args[0]) else None


def refuse(*args):
    raise Failure("boom")


EXTERNS = {
    "id": first_argument,
    "nargs": lambda *args: len(args),
    "list": lambda *args: list(args),
    "null": lambda *args: None,
    "sum": total,
    "index": element,
    "raise": refuse,
}


def same(want, got, texts, at=""):
    if at in texts:
        return isinstance(got, str) and got != ""
    if type(want) is not type(got):
        return False
    if isinstance(want, list):
        return len(want) == len(got) and all(
            same(w, g, texts, f"{at}/{i}") for i, (w, g) in enumerate(zip(want, got, strict=True))
        )
    if isinstance(want, dict):
        return want.keys() == got.keys() and all(
            same(want[key], got[key], texts, f"{at}/{key.replace('~', '~0').replace('/', '~1')}") for key in want
        )
    return want == got


async def outcome(case, worker):
    try:
        return {
            "ok": await evaluate(case["node"], case["ctx"], worker.dispatch, EXTERNS if "externs" in case else None)
        }
    except FlowError as error:
        return {"err": error}


def test_all_cases_are_here():
    assert 1_181 == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
async def test_golden_case(case):
    worker = Worker()

    got = await outcome(case, worker)

    assert case["calls"] == worker.calls
    if "ok" in case["expect"]:
        assert same(case["expect"]["ok"], got.get("ok"), {text["at"] for text in case.get("texts", ())}), got
    else:
        assert case["expect"]["err"]["kind"] == got["err"].kind


@pytest.mark.parametrize("key", ["ref", "op"])
async def test_golden_errors_name_the_ref_and_the_op_as_the_cases_do(key):
    cases = [case for case in CASES if key in case["expect"].get("err", {})]

    got = [getattr((await outcome(case, Worker()))["err"], key) for case in cases]

    assert [case["expect"]["err"][key] for case in cases] == got


def test_golden_documents_survive_the_way_to_nodes_and_back():
    documents = [case["node"] for case in CASES if case["expect"].get("err", {}).get("kind") != "ParseError"]

    nodes = [parse_node(document) for document in documents]

    assert nodes == [parse_node(node_json(node)) for node in nodes]


def test_golden_documents_in_the_newest_spelling_come_out_as_they_are():
    newest = [case for case in CASES[:435] if "bignum" not in case.get("tags", ())]
    documents = [case["node"] for case in newest if case["expect"].get("err", {}).get("kind") != "ParseError"]

    written = [node_json(parse_node(document)) for document in documents]

    assert [without_null_err_at(document) for document in documents] == written


def without_null_err_at(document):
    if isinstance(document, list):
        return [without_null_err_at(member) for member in document]
    if not isinstance(document, dict):
        return document
    return {
        key: without_null_err_at(member) if key != "value" or document.get("op") != "lit" else member
        for key, member in document.items()
        if not (key == "err_at" and member is None)
    }

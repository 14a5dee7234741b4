"""Every row, promise and kind of bad input that is due has a test that carries its number.

A number stands in the name of the test (`test_row_16_...`), in its docstring (`BP 13`), or in the id of one of its
parameters (`id="cl145-unknown-flag"`).
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Kind of number -> the numbers that are due.
DUE = {
    # Rows of the conformance table. 43 to 58 are superseded by the golden cases of the language and by the rows FR;
    # 86 to 96 speak of enhance and the server.
    "row": [*range(1, 43), *range(59, 97)],
    # Promises. P29 needs webhooks; P25 is proven by the attacks on Lua workers.
    "p": [*range(1, 29), *range(30, 41)],
    # Blueprints and loader.
    "bp": [*range(1, 38)],
    # File references, and agent files.
    "fr": [*range(38, 50)],
    "af": [*range(50, 61)],
    # Paths and expressions.
    "ex": [*range(61, 79)],
    # Tokens and handles.
    "tk": [*range(79, 95)],
    # HTTP bodies.
    "hb": [*range(95, 109)],
    # Lua workers.
    "lu": [*range(119, 125)],
    # Output of programs.
    "sp": [*range(125, 137)],
    # Frames of operators' WebSockets.
    "ws": [*range(109, 119)],
    # Plugin packages.
    "pl": [*range(137, 145)],
    # Command line and settings.
    "cl": [*range(145, 157)],
}

_NUMBER = re.compile(rf"(?<![a-z0-9])({'|'.join(DUE)})[_ -]?([0-9]{{1,3}})(?![0-9])")


def numbers_in(text: str) -> set[tuple[str, int]]:
    return {(kind, int(number)) for kind, number in _NUMBER.findall(text.lower())}


def carried(source: str) -> Iterator[tuple[str, int]]:
    """Yield the numbers that the tests of a module carry."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            yield from numbers_in(node.name)
            yield from numbers_in(ast.get_docstring(node) or "")
        elif isinstance(node, ast.keyword) and node.arg == "id" and isinstance(node.value, ast.Constant):
            yield from numbers_in(str(node.value.value))


@pytest.fixture(scope="module")
def covered() -> set[tuple[str, int]]:
    files = [*ROOT.glob("tests/**/test_*.py"), *ROOT.glob("plugins/*/tests/test_*.py")]
    return {number for file in files if file != Path(__file__) for number in carried(file.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("kind", DUE)
def test_every_number_that_is_due_is_carried_by_a_test(kind, covered):
    missing = [number for number in DUE[kind] if (kind, number) not in covered]

    assert [] == missing


def test_a_number_is_found_in_names_docstrings_and_ids_of_parameters():
    source = '''
@pytest.mark.parametrize("x", [pytest.param(1, id="cl145-flag"), pytest.param(2, id="other")])
def test_row_16_p22_of_two_finals(x):
    """BP 13 and EX61: not p1234, bp13x or snap7."""
    assert "tk99"

def helper_row_17():
    """FR 40"""
'''

    assert {("row", 16), ("p", 22), ("bp", 13), ("ex", 61), ("cl", 145)} == set(carried(source))

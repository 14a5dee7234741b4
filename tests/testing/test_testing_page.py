"""The reference page of the testing kit names everything in it, and its code runs."""

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from swarm_core import testing

PAGE = (Path(__file__).parents[2] / "docs/reference/testing.md").read_text(encoding="utf-8")
BLOCKS = [token.content for token in MarkdownIt().parse(PAGE) if token.type == "fence" and token.info == "python"]


def test_every_name_has_a_heading_and_no_heading_is_stale():
    assert sorted(re.findall(r"^### (\w+)$", PAGE, re.MULTILINE)) == sorted(dir(testing))


@pytest.mark.parametrize("source", BLOCKS, ids=range(len(BLOCKS)))
def test_its_code_runs(source):
    exec(compile(source, "testing.md", "exec"), {})


def test_it_shows_code():
    assert len(BLOCKS) == 3

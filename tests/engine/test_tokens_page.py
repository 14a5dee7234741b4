"""The reference page of tokens shows the default table as it is, and its code runs."""

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from swarm_core.model.access import DEFAULT_ROLE_VERBS, Role, Verb

PAGE = (Path(__file__).parents[2] / "docs/reference/tokens.md").read_text(encoding="utf-8")
BLOCKS = [token.content for token in MarkdownIt().parse(PAGE) if token.type == "fence" and token.info == "python"]


def test_the_table_of_roles_and_verbs_is_the_default_one():
    (header,) = re.findall(r"^\| verb \|(.*)\|$", PAGE, re.MULTILINE)
    roles = [Role(name.strip()) for name in header.split("|")]
    shown = {role: set() for role in roles}
    verbs = []
    for verb, cells in re.findall(r"^\| `(\w+)` \|((?:[^|\n]*\|){4})$", PAGE, re.MULTILINE):
        verbs.append(verb)
        for role, cell in zip(roles, cells.split("|"), strict=False):
            if cell.strip() == "yes":
                shown[role].add(Verb(verb))

    assert verbs == list(Verb)
    assert shown == DEFAULT_ROLE_VERBS


@pytest.mark.parametrize("source", BLOCKS, ids=range(len(BLOCKS)))
def test_its_code_runs(source):
    exec(compile(source, "tokens.md", "exec"), {})


def test_it_shows_code():
    assert len(BLOCKS) == 1

"""A relative link in a Markdown file of this repository leads to a file or folder that is there.

mkdocs checks the pages below docs/ among themselves; this also holds for those that only the repository shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
FOLDERS = ("docs", "plugins", "examples", "benchmarks")
PAGES = [*sorted(ROOT.glob("*.md")), *(page for folder in FOLDERS for page in sorted((ROOT / folder).rglob("*.md")))]


def targets(tokens: list[Token]) -> Iterator[str]:
    """Yield where links and images lead, without addresses of the web and anchors of the same page."""
    for token in tokens:
        yield from targets(token.children or [])
        target = str(token.attrs.get("href") or token.attrs.get("src") or "")
        if target and "://" not in target and not target.startswith(("#", "mailto:")):
            yield target.partition("#")[0]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))

    missing = [target for target in targets(tokens) if not (page.parent / target).exists()]

    assert missing == []


def test_targets_are_found_wherever_they_stand() -> None:
    text = "See [a](one.md#top), ![b](two.png), [c][d], [e](#here), [f](https://example.org).\n\n[d]: three/\n"

    assert list(targets(MarkdownIt().parse(text))) == ["one.md", "two.png", "three/"]

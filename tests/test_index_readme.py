"""The README of a package index has no link that depends on the place of the file."""

from __future__ import annotations

import re
from pathlib import Path

from scripts.index_readme import index_readme

README = (Path(__file__).parents[1] / "README.md").read_text()
REPOSITORY = "https://example.org/us/agentsight-rx"
LINKS = re.compile(r"!?\[[^\]]*\]\(([^)]*)\)")


def prose(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def test_with_a_repository_every_picture_and_link_leads_to_the_commit_of_the_build() -> None:
    shown = index_readme(README, repository=f"{REPOSITORY}/", commit="0123abc")
    ours, theirs = LINKS.findall(prose(README)), LINKS.findall(prose(shown))
    assert len(ours) == len(theirs)
    for before, after in zip(ours, theirs, strict=True):
        place = "raw" if before.endswith(".png") else "blob"
        assert after == (before if before.startswith("https:") else f"{REPOSITORY}/{place}/0123abc/{before}")


def test_a_link_keeps_its_anchor_and_an_unknown_commit_is_the_newest() -> None:
    assert index_readme("See [a](docs/a.md#b).", repository=REPOSITORY) == f"See [a]({REPOSITORY}/blob/HEAD/docs/a.md#b)."


def test_without_a_repository_no_link_is_left_that_leads_nowhere() -> None:
    shown = index_readme(README)
    assert [] == [link for link in LINKS.findall(prose(shown)) if not link.startswith("https:")]
    assert "![" not in shown
    assert "source distribution contains the pictures" in shown


def test_code_stays_as_it_is() -> None:
    text = "# a\n\n```python\nmap[key](value)\n```\n\n[b](c.md)\n"
    assert "map[key](value)" in index_readme(text)
    assert "map[key](value)" in index_readme(text, repository=REPOSITORY)

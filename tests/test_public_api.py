"""The public names and their signatures are the ones in tests/public_api.txt: none changes by accident."""

from __future__ import annotations

import re
from difflib import unified_diff
from pathlib import Path

from scripts.public_api import MODULES, public_api

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "tests" / "public_api.txt"


def test_the_public_names_and_signatures_are_as_they_are_written_down() -> None:
    made = list(public_api())
    changes = list(unified_diff(KEPT.read_text().splitlines(), made, "tests/public_api.txt", "the code", n=0, lineterm=""))
    assert [] == changes, (
        "a public name changed. If that is meant: say it in docs/changelog.md, and run\n"
        "    python -m scripts.public_api > tests/public_api.txt"
    )


def test_a_name_is_there_with_its_signature() -> None:
    made = list(public_api())
    assert "agentsight_rx.explain(graph: Stream[Output]) -> str" in made
    assert "agentsight_rx.view.CallRow.status: str = 'pending'" in made
    assert "agentsight_rx.Part['limit']: int | None" in made
    assert "agentsight_rx.Reason.BUG = 'bug'" in made
    assert "agentsight_rx.operators.normalize(*, offset: Callable[[], int] = wall_offset) -> Operator[E, E]" in made
    assert len(set(made)) == len(made)


def test_the_page_names_each_public_module() -> None:
    table = (ROOT / "docs" / "library.md").read_text().partition("## What is public")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.*?) \|", table, re.MULTILINE)
    assert list(MODULES) == sorted(name for row in rows for name in re.findall(r"`([\w.]+)`", row))

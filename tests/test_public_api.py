"""The public names and their signatures are the ones in tests/public_api.txt: none changes by accident."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from difflib import unified_diff
from importlib import import_module
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


def test_examples_import_public_names_alone() -> None:
    """Also the programs in pages; a block that is a file of the project belongs to it."""
    pages = [ROOT / "README.md", ROOT / "docs" / "adding.md", ROOT / "docs" / "library.md"]
    blocks = [block for page in pages for block in re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.M | re.S)]
    programs = [block for block in blocks if re.match(r"# (agentsight_rx|tests|property_tests)/", block) is None]
    programs += [path.read_text() for path in (ROOT / "examples").rglob("*.py")]
    trees = map(ast.walk, map(ast.parse, programs))
    imported = [each for tree in trees for each in tree if isinstance(each, ast.ImportFrom) and not each.level]
    ours = [(each.module or "", name.name) for each in imported for name in each.names]
    public = {name: {*import_module(name).__all__} for name in MODULES}
    found = {(place, name) for place, name in ours if place.split(".")[0] == "agentsight_rx"}
    assert len(found) > 30
    assert set() == {(place, name) for place, name in found if name not in public.get(place, ())}


def test_dir_lists_the_public_names() -> None:
    code = f"import {', '.join(MODULES)}\nfor name in {MODULES!r}: print(set(eval(name).__all__) - set(dir(eval(name))))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ["set()"] * len(MODULES) == done.stdout.splitlines()


def test_the_page_names_each_public_module() -> None:
    table = (ROOT / "docs" / "library.md").read_text().partition("## What is public")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.*?) \|", table, re.MULTILINE)
    assert list(MODULES) == sorted(name for row in rows for name in re.findall(r"`([\w.]+)`", row))

"""A command that is shown to a person can be typed: it names the program as this person typed it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import agentsight_rx

ROOT = Path(agentsight_rx.__file__).parent
COMMAND = re.compile(r"agentsight-rx (report|record|serve|doctor|trace|replay|cluster|demo|top)\b")
BY_CODE = {"store/reasons.py"}  # its table is shown by a function that names the program
PUBLIC = {"llm/agents/known.py"}  # in files that others read, elsewhere


def fixed(path: Path) -> Iterator[tuple[str, str]]:
    """Texts of a file that name a command of ours by a fixed name; docstrings are for developers."""
    tree = ast.parse(path.read_text("utf-8"))
    documents = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) and id(node) not in documents else None
        if isinstance(text, str) and COMMAND.search(text):
            yield str(path.relative_to(ROOT)), text


def test_no_hint_has_a_fixed_name_of_the_program() -> None:
    found = [each for path in ROOT.rglob("*.py") for each in fixed(path) if each[0] not in BY_CODE | PUBLIC]
    assert found == []


def test_the_files_that_may_name_it_still_do() -> None:
    assert {name for name in BY_CODE | PUBLIC if not any(fixed(ROOT / name))} == set()

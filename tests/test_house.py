"""The rules of the house that can be checked by reading the code: values by name, files of one idea, plain words."""

from __future__ import annotations

import ast
from pathlib import Path

import agentsight_rx

PACKAGE = Path(agentsight_rx.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

POSITIONAL_MOST = 5


def is_foreign(function: ast.expr) -> bool:
    """A C function, which has no names for its arguments."""
    return "lib" in ast.unparse(function).split(".")


def test_many_arguments_are_passed_by_name() -> None:
    """Two swapped numbers pass every type checker. A keyword costs 2 ns, so the hot path has them too."""
    found = [
        f"{file.relative_to(PACKAGE)}:{node.lineno}: {ast.unparse(node.func)}"
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and len(node.args) > POSITIONAL_MOST and not is_foreign(node.func)
    ]
    assert [] == found

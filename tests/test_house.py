"""The rules of the house that can be checked by reading the code: values by name, files of one idea, plain words."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

import agentsight_rx

PACKAGE = Path(agentsight_rx.__file__).parent
ROOT = PACKAGE.parent
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


LINES_MOST = 300


def test_a_long_file_says_why() -> None:
    long = [file for file in FILES if len(file.read_text().splitlines()) > LINES_MOST]
    silent = [str(file.relative_to(PACKAGE)) for file in long if "Longer than 300 lines because" not in (doc_of(file) or "")]
    assert [] == silent


def doc_of(file: Path) -> str | None:
    return ast.get_docstring(ast.parse(file.read_text()))


RIDDLES = re.compile(r"\b(?:told|nobody|somebody|anybody)\b", re.IGNORECASE)


def test_sentences_are_plain() -> None:
    """These words hide who does what: say emit, report, log, unknown, skip, evict."""
    pages = [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.[ch]"), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    found = [f"{page.name}: {line.strip()}" for page in pages for line in page.read_text().splitlines() if RIDDLES.search(line)]
    assert [] == found


def test_a_public_name_at_the_top_only_names_a_part_of_a_room() -> None:
    """It has no code of its own, and the package itself imports the room."""
    from scripts.counts import imports_of

    names = {PACKAGE / f"{each}.py" for each in ("errors", "plugins", "testing")}
    for name in names:
        kinds = {type(node) for node in ast.parse(name.read_text()).body}
        assert kinds <= {ast.Expr, ast.ImportFrom, ast.Assign, ast.If}
    assert not [file for file in FILES if imports_of(file) & names]


def test_every_room_is_in_the_architecture() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    rooms = [each for each in PACKAGE.iterdir() if (each / "__init__.py").exists()]
    files = [each for each in PACKAGE.glob("*.py") if not each.name.startswith("__")]
    assert [] == [each.name for each in rooms if f"`{each.name}/`" not in text]
    assert [] == [each.name for each in files if f"`{each.name}`" not in text]


CELL_WORDS_MOST = 25


def test_no_cell_of_the_architecture_is_long() -> None:
    """The docstrings of the folders have the rest. Code counts as one word."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    rows = [re.sub(r"`[^`]*`", "CODE", line) for line in text.splitlines() if line.startswith("|")]
    cells = [cell.strip() for row in rows for cell in row.split("|")]
    assert any(cells), "the tables are found"
    assert [] == [cell for cell in cells if len(cell.split()) > CELL_WORDS_MOST]


def test_a_class_of_the_page_has_one_rule_of_its_own() -> None:
    """A second one, for another tab, changes the first tab too: it belongs below the class of its tab."""
    rules = re.findall(r"^(\.[\w-]+) \{", (ROOT / "frontend" / "src" / "styles.css").read_text(), re.MULTILINE)
    assert [] == [name for name in set(rules) if rules.count(name) > 1]


def test_what_threads_decode_has_its_decoder_beforehand() -> None:
    """
    Two threads that use a type of msgspec first at the same time end the process. Sources are opened by threads, tables are
    read by those of sinks and of the page.
    """
    by_type = re.compile(r"msgspec\.(?:json|msgpack)\.(?:decode\([^)]*type=|Decoder\()|msgspec\.convert\(")
    files = [*(PACKAGE / "sources").rglob("*.py"), PACKAGE / "store" / "state" / "table.py"]
    found = [str(each.relative_to(PACKAGE)) for each in files if by_type.search(each.read_text())]
    assert sorted(found) == [
        "sources/replay/original_lines.py",
        "sources/replay/own_lines.py",
        "sources/session_files/look.py",
        "sources/session_files/source.py",
    ], "a replay, and the files of an import, are decoded by one thread"


IN_THE_ROOT = {
    ".ci", ".dockerignore", ".editorconfig", ".gitignore", "CONTRIBUTING.md", "Containerfile", "LICENSE", "README.md",
    "SECURITY.md",
    "agentsight_rx", "benchmarks", "conftest.py", "docs", "examples", "frontend", "hatch_build.py", "property_tests",
    "pyproject.toml", "run.sh", "scripts", "test.sh", "tests",
}  # fmt: skip


@pytest.mark.needs("git")
def test_the_root_has_these_names_alone() -> None:
    """A report of start times once lay there for weeks, in a file with the name of a wrong flag."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    assert {name.partition("/")[0] for name in listed.split("\0") if name} <= IN_THE_ROOT

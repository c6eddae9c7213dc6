"""
A file of the product -> the test files that are its own, by their names.

    python -m scripts.own_tests [FILE…]    # prints them

`agentsight_rx/wire/coding.py` has `tests/wire/test_coding.py`, `tests/wire/test_coding_*.py` and
`property_tests/test_coding_properties.py`. Where none of them is there, the file shares the tests of its folder:
`agentsight_rx/sources/hooks/ptrace.py` has `tests/sources/test_hooks.py`. Nothing is listed by hand, so a file that moves
together with its test needs no change here.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["PACKAGE", "ROOT", "own_tests", "product_files"]

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "agentsight_rx"


def product_files(root: Path = ROOT) -> list[str]:
    """Every file that does something: constants, names and re-exports need no test of their own."""
    files = sorted((root / PACKAGE).rglob("*.py"))
    return [each.relative_to(root).as_posix() for each in files if _does_something(each)]


def own_tests(file: str, root: Path = ROOT) -> list[str]:
    """The test files of a product file, as paths below the root."""
    path = Path(file).relative_to(PACKAGE)
    folder, stem = path.parent, path.stem
    if stem == "__init__":
        folder, stem = folder.parent, folder.name
    found = [*_of_name(root, folder, stem), *(root / "property_tests").glob(f"test_{stem}_properties.py")]
    while not found and folder.name:
        folder, stem = folder.parent, folder.name
        found = list(_of_name(root, folder, stem))
    return sorted(each.relative_to(root).as_posix() for each in found)


def _of_name(root: Path, folder: Path, stem: str) -> Iterator[Path]:
    """A longer name is another file's, if there is such a file: test_gemini_live.py is of gemini_live."""
    tests = root.joinpath("tests", *folder.parts)
    longer = [each.stem for each in (root / PACKAGE / folder).glob(f"{stem}_*") if not each.name.startswith("__")]
    for each in (*tests.glob(f"test_{stem}.py"), *tests.glob(f"test_{stem}_*.py")):
        if not any(each.stem == f"test_{other}" or each.stem.startswith(f"test_{other}_") for other in longer):
            yield each


def _does_something(file: Path) -> bool:
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) for node in ast.walk(ast.parse(file.read_text()))
    )


if __name__ == "__main__":
    for product in sys.argv[1:] or product_files():
        print(product, *own_tests(product))

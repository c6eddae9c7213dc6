"""
The checkout -> how large the house is: lines and files of Python, rooms, floors, small modules with one user.

`python -m scripts.counts` prints the table. `tests/test_counts.py` holds each number: it may only shrink. Where a feature needs
more, its commit says by how many, and what it removed.
"""

from __future__ import annotations

import ast
import tomllib
from collections import Counter
from pathlib import Path

__all__ = ["PACKAGE", "counts", "imports_of", "product_modules"]

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "agentsight_rx"
PAGE = ROOT / "frontend" / "src"
_OTHER = {".c", ".h", ".ts", ".tsx", ".css"}
# The last three are the public names of parts of a room, so that programs and type checkers find them
_AT_THE_TOP = {"__init__.py", "__main__.py", "graphs.py", "errors.py", "plugins.py", "testing.py"}
_SMALL = 60  # lines


def product_modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imports_of(file: Path) -> set[Path]:
    """The files of the product that it imports, wherever the import stands; a package is its `__init__`."""
    folder, found = file.parent, set[Path]()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            place = folder.joinpath(*[".."] * (node.level - 1), *(node.module or "").split(".")).resolve()
            for name in (place.joinpath(each.name) for each in node.names):
                module = name.with_suffix(".py") if name.with_suffix(".py").exists() else place.with_suffix(".py")
                found.add(module if module.exists() else place / "__init__.py")
    return found - {file}


def counts() -> dict[str, int]:
    code = product_modules()
    other = [
        file for folder in (PACKAGE, PAGE) for file in folder.rglob("*") if file.suffix in _OTHER and "dist" not in file.parts
    ]
    imports = {file: imports_of(file) for file in code}
    offers = {other for file, others in imports.items() if file.name == "__init__.py" for other in others}  # to programs
    importers = Counter(other for others in imports.values() for other in others - offers)
    lines = {file: len(file.read_text().splitlines()) for file in code}
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return {
        "lines of the product": sum(lines.values()),
        "files of the product": len(code),
        "lines of BPF and of the page": sum(len(file.read_text().splitlines()) for file in other),
        "rooms at the top of the package": sum(_is_room(entry) for entry in PACKAGE.iterdir()),
        "floors": len(next(each["layers"] for each in contracts if each["type"] == "layers")),
        "files in the largest folder": max(Counter(file.parent for file in code).values()),
        f"modules under {_SMALL} lines with one user": sum(
            lines[file] < _SMALL and users == 1 and file.name != "__init__.py" for file, users in importers.items()
        ),
        "lines of the README": len((ROOT / "README.md").read_text().splitlines()),
    }


def _is_room(entry: Path) -> bool:
    """A folder with code, or a file."""
    return (entry / "__init__.py").exists() or (entry.suffix == ".py" and entry.name not in _AT_THE_TOP)


if __name__ == "__main__":
    for what, number in counts().items():
        print(f"{number:8,}  {what}")

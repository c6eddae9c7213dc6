"""
A diff -> the checks and tests of what changed, for ./test.sh --changed.

    python -m scripts.changed [BASE]    # runs them; BASE is a commit (where HEAD left main; on main itself HEAD)

Changed files of the product bring their own tests (scripts/own_tests.py). A file without own tests brings the test files that
import it and little else. Documents, scripts and test files bring the tests that read them. The last lines say what is left
out.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.own_tests import PACKAGE, ROOT, own_tests

__all__ = ["Plan", "changed_files", "plan"]

_HOUSE = ("tests/test_house.py", "tests/test_sentences.py")  # read every file
_DOCUMENTS = ("tests/test_docs.py", *_HOUSE)
_TESTED = ("tests/", "property_tests/")
_TYPED = (PACKAGE, "tests/", "property_tests/", "benchmarks/")  # as in pyproject.toml
_IMPORTERS_MOST = 3  # of a file without own tests: the ones that import the fewest other files


@dataclass
class Plan:
    """`tests` are run; `left_out` are sentences, each a part of the whole suite that may see the change and is not run."""

    tests: list[str] = field(default_factory=list[str])
    python: list[str] = field(default_factory=list[str])
    shell: list[str] = field(default_factory=list[str])
    page: bool = False
    layers: bool = False
    left_out: list[str] = field(default_factory=list[str])


def changed_files(base: str | None = None, *, root: Path = ROOT) -> list[str]:
    """Committed since `base`, not committed, and new; without removed files."""
    since = base or _base(root)
    return sorted(
        {
            *_git(root, "diff", "--name-only", "--diff-filter=d", since),
            *_git(root, "ls-files", "--others", "--exclude-standard"),
        }
    )


def plan(changed: Iterable[str], root: Path = ROOT) -> Plan:
    found = Plan()
    for file in changed:
        _add(found, file, root)
    found.tests = sorted(set(found.tests))
    for folder in _tiers(root):
        apart = [each for each in found.tests if each.startswith(folder)]
        found.tests = [each for each in found.tests if each not in apart]
        found.left_out += [f"{each} is of a tier of its own: ./test.sh --{Path(folder).name}" for each in apart]
    live = [each for each in found.tests if each.startswith("tests/live/")]
    if live:
        found.tests = [each for each in found.tests if each not in live]
        found.left_out.append(f"tests that trace programs: sudo .venv/bin/pytest -n0 {' '.join(live)}")
    browser = [each for each in found.tests if each.startswith("tests/browser/")]
    if browser:
        found.tests = [each for each in found.tests if each not in browser]
        found.left_out.append(f"tests that open a browser: sudo .venv/bin/pytest -n0 {' '.join(browser)}")
    return found


def _tiers(root: Path) -> list[str]:
    """The folders of tests that pytest does not look into by itself."""
    with (root / "pyproject.toml").open("rb") as file:
        unseen: list[str] = tomllib.load(file)["tool"]["pytest"]["ini_options"]["norecursedirs"]
    return [f"{folder}/" for folder in unseen if folder.startswith("tests/")]


def _add(found: Plan, file: str, root: Path) -> None:
    path = Path(file)
    if path.suffix == ".py":
        found.python.append(file)
        found.tests += _HOUSE
    if file.startswith(f"{PACKAGE}/") and path.suffix == ".py":
        found.layers = True
        own = own_tests(file, root)
        if not own:
            own, others = _importers(file, root)
            found.left_out.append(f"{file} has no tests of its own; of the test files that import it {others} are not run")
        found.tests += own
    elif path.suffix in (".c", ".h"):
        found.left_out.append(f"{file} runs in the kernel: sudo ./test.sh")
    elif file.startswith(_TESTED):
        _add_test(found, path, root)
    elif file.startswith("frontend/"):
        found.page = True
        found.tests += [each.relative_to(root).as_posix() for each in (root / "tests" / "runtime" / "web").glob("test_*.py")]
        found.left_out.append(f"{file} is shown by a browser: sudo .venv/bin/pytest -n0 tests/browser")
    elif path.suffix == ".md":
        found.tests += _DOCUMENTS
        found.tests += _of_name(path.stem, root)
    elif file.startswith("scripts/") and path.suffix == ".py":
        found.tests += _of_name(path.stem, root)
    elif path.suffix == ".sh" or file == ".ci/run":
        found.shell.append(file)
        found.left_out.append(f"{file} is only parsed")
    elif file == "pyproject.toml":
        found.layers = True
        found.left_out.append(f"{file} may change every check: ./test.sh --fast")
    else:
        found.left_out.append(f"no test is known for {file}")


def _add_test(found: Plan, path: Path, root: Path) -> None:
    if path.name.startswith("test_"):
        found.tests.append(path.as_posix())
        return
    near = [each for each in (root / path.parent).glob("test_*.py") if path.stem in _imported(each, root)]
    found.tests += [each.relative_to(root).as_posix() for each in near]
    found.left_out.append(f"{path} is shared by tests; the test files that import it from other folders are not run")


def _of_name(stem: str, root: Path) -> list[str]:
    names = (f"test_{stem}.py", f"test_{stem}_page.py")
    return [f"tests/{name}" for name in names if (root / "tests" / name).exists()]


def _importers(file: str, root: Path) -> tuple[list[str], int]:
    """The test files that import a product file and few others, and how many more import it."""
    module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    files = [each for each in (root / "tests").rglob("test_*.py") if "live" not in each.parts]
    tiers = tuple(str(root / folder) for folder in _tiers(root))
    every = [(_imported(each, root), each) for each in files if not str(each).startswith(tiers)]
    users = sorted(((len(modules), each) for modules, each in every if module in modules), key=lambda user: user[0])
    return [each.relative_to(root).as_posix() for _, each in users[:_IMPORTERS_MOST]], max(0, len(users) - _IMPORTERS_MOST)


def _imported(file: Path, root: Path) -> set[str]:
    """The modules of the product by their whole names, and the last part of the names of others."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            names = {f"{module}.{each.name}".strip(".") for each in node.names} | {module}
            found |= {name if name.startswith(PACKAGE) else name.rpartition(".")[2] for name in names}
        elif isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
    return found


def _base(root: Path) -> str:
    """Where HEAD left main; HEAD where there is no main, or where it is checked out."""
    try:
        return _git(root, "merge-base", "main", "HEAD")[0]
    except subprocess.CalledProcessError:
        return "HEAD"


def _git(root: Path, *words: str) -> list[str]:
    return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True).stdout.splitlines()


def _check(title: str, command: Sequence[str]) -> None:
    print(f"== {title} ==", flush=True)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # the tools of this environment
    if subprocess.run(["env", f"PATH={path}", *command], cwd=ROOT, check=False).returncode:
        raise SystemExit(f"== failed: {title} ==")


def main(argv: Sequence[str]) -> int:
    changed = changed_files(argv[0] if argv else None)
    if not changed:
        print("nothing changed")
        return 0
    found = plan(changed)
    print(f"== {len(changed)} files changed, {len(found.tests)} test files ==", *found.tests, sep="\n")
    for file in found.shell:
        _check(f"bash -n {file}", ["bash", "-n", file])
    if found.page:
        _check("web page", ["scripts/page.sh"])
    if found.python:
        _check("ruff format", ["ruff", "format", "--check", *found.python])
        _check("ruff check", ["ruff", "check", *found.python])
    if typed := [file for file in found.python if file.startswith(_TYPED)]:
        _check("mypy", ["mypy", *typed])
    if found.layers:
        _check("import layers", ["lint-imports"])
    if found.tests:
        _check(
            "pytest", ["pytest", "-n", "2", "--dist", "loadgroup", "--quick", "-m", "not live and not browser", *found.tests]
        )
    if typed:
        found.left_out.append("pyright, and mypy of the files that import what changed: ./test.sh --fast")
    print("== left out ==", *found.left_out, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

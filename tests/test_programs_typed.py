"""
The programs of README, docs and examples -> no complaint of `mypy --strict` and of pyright's strict mode, as a user runs them.

The user has an environment with the wheel and its dependencies, and a folder of programs, both far from this checkout.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# One process builds the wheel, for all tests
pytestmark = [pytest.mark.slow, pytest.mark.thorough, pytest.mark.xdist_group("wheel")]

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PART_OF_THE_PACKAGE = re.compile(r"# [\w/]+\.py\b")  # docs/adding.md: tests/test_adding.py checks these where they belong
IMPORTED = re.compile(r"^(?:from|import) (\w+)", re.MULTILINE)


def programs() -> Iterator[tuple[str, str]]:
    """The name of each program, and its text."""
    for page in PAGES:
        for number, block in enumerate(BLOCK.findall(page.read_text()), 1):
            if PART_OF_THE_PACKAGE.match(block) is None:
                yield f"{page.stem.lower()}_{number}.py", block
    for path in sorted((ROOT / "examples").rglob("*.py")):
        *folders, name = path.relative_to(ROOT).parts
        yield (f"{folders[-1]}/{name}" if len(folders) > 1 else "_".join([*folders, name])), path.read_text()


def foreign(program: str) -> bool:
    """It needs a package that the tests do without."""
    return any(importlib.util.find_spec(name) is None for name in IMPORTED.findall(program))


def said(*words: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    ended = subprocess.run(words, cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False)
    return ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without the page, which needs Node.js and has no types."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-I", "-m", "pip", "wheel", "--disable-pip-version-check", "--no-deps")
    output = said(*pip, "--wheel-dir", folder, ROOT, cwd=folder, env={"HATCH_BUILD_NO_HOOKS": "true"})
    (made,) = folder.glob("agentsight_rx-*.whl") or pytest.fail(output)
    return made


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel. Its dependencies are those of our own, without our checkout."""
    folder = tmp_path_factory.mktemp("user") / "env"
    venv.create(folder, with_pip=False)
    found = folder / "bin" / "python"
    site = Path(said(found, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("programs")
    for name, text in programs():
        if not foreign(text):
            (made / name).parent.mkdir(exist_ok=True)
            (made / name).write_text(text)
    return made


def test_every_program_of_the_pages_is_among_them(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    assert {"readme_1.py", "examples_agent.py"} <= names
    assert {name for name, text in programs() if foreign(text)} == {"cluster_1.py"}  # Spark


def test_the_environment_of_the_user_has_the_package_of_the_wheel(python: Path, folder: Path) -> None:
    place = said(python, "-I", "-c", "import agentsight_rx; print(agentsight_rx.__file__)", cwd=folder).strip()
    assert Path(place).is_relative_to(python.parents[1])
    assert (Path(place).parent / "py.typed").is_file()


def mypy(python: Path) -> list[str | Path]:
    """Its cache is beside the environment, for all that is checked there."""
    cache = python.parents[2] / "mypy"
    return [sys.executable, "-m", "mypy", "--config-file", os.devnull, "--cache-dir", cache, "--python-executable", python]


def test_mypy_has_no_complaint(python: Path, folder: Path) -> None:
    output = said(*mypy(python), "--strict", *sorted(folder.rglob("*.py")), cwd=folder)
    assert output.startswith("Success: no issues found"), output


def test_pyright_has_no_complaint(python: Path, folder: Path) -> None:
    (folder / "pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": "strict", "include": ["."]}))
    output = said(sys.executable, "-m", "pyright", "--pythonpath", python, "--project", folder, cwd=folder)
    assert "0 errors, 0 warnings" in output, output


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_a_checker_sees_the_types_of_the_wheel(checker: str, python: Path, tmp_path: Path) -> None:
    """Where it did not, every program would be clean."""
    wrong = tmp_path / "wrong.py"
    wrong.write_text("from agentsight_rx import sources\n\nsources.Target(pid='12')\n")
    command = mypy(python) if checker == "mypy" else [sys.executable, "-m", "pyright", "--pythonpath", python]
    output = said(*command, wrong, cwd=tmp_path)
    assert re.search(r"wrong\.py:3:.* error: ", output), output

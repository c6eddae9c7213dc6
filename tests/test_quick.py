"""A usual run has a tenth of the examples and no thorough test, --quick no slow one either, --all everything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = """
import pytest
from hypothesis import given, settings, strategies as st

from property_tests.quick import fewer

COUNTS = {"named": 0, "usual": 0}


@settings(max_examples=150)
@given(st.integers())
def test_named(number):
    COUNTS["named"] += 1


@given(st.integers())
def test_usual(number):
    COUNTS["usual"] += 1


@pytest.mark.slow
def test_slow():
    print("slow ran")


@pytest.mark.thorough
def test_thorough():
    print("thorough ran")


def test_the_end():
    print("counts:", COUNTS["named"], COUNTS["usual"], fewer(40), fewer(3))
"""


@pytest.mark.parametrize(
    ("flags", "counts", "ran"),
    [
        (["--quick"], "counts: 15 10 5 3", []),
        ([], "counts: 15 10 5 3", ["slow"]),
        (["--all"], "counts: 150 100 40 3", ["slow", "thorough"]),
    ],
    ids=["quick", "usual", "all"],
)
def test_the_share_of_the_examples_and_the_tests(tmp_path: Path, flags: list[str], counts: str, ran: list[str]) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "conftest.py").read_text())
    (tmp_path / "test_some.py").write_text(TESTS)
    pytest_ini = f"[pytest]\npythonpath = {ROOT}\nmarkers =\n  slow: some\n  thorough: some\n  live: some\n"
    (tmp_path / "pytest.ini").write_text(pytest_ini)
    command = [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", *flags]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert counts in run.stdout
    assert ran == [name for name in ("slow", "thorough") if f"{name} ran" in run.stdout]

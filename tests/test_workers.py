"""Tests of one file run one after the other, in one worker, and so does every other group."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = """
import pytest

pytestmark = [pytest.mark.live, pytest.mark.parametrize("number", range(20))]


def test_one(number, worker_id):
    with open("workers", "a") as file:
        print(__name__, worker_id, file=file)
"""


@pytest.mark.needs("kernel")  # for its own tests, which say that they trace
def test_tests_of_a_file_share_one_worker_whether_they_trace_programs_or_not(tmp_path: Path) -> None:
    """pytest 9.2 ignores the name of a group that pytest-xdist 3.8 puts behind the name of a test."""
    (tmp_path / "conftest.py").write_text((ROOT / "conftest.py").read_text())
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT}\nmarkers =\n  slow: some\n  live: some\n")
    for name in ("one", "other"):
        (tmp_path / f"test_{name}.py").write_text(TESTS)
    (tmp_path / "test_plain.py").write_text(TESTS.replace("pytest.mark.live, ", ""))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", "--dist", "loadgroup"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    ran = (tmp_path / "workers").read_text().splitlines()
    assert 60 == len(ran)
    assert 3 == len(set(ran))


CRASHING = """
import os
import time

import pytest


@pytest.mark.parametrize("number", range(8))
def test_other(number):
    pass


def test_crash():
    os._exit(3)


def test_hang():
    time.sleep(600)
"""


@pytest.mark.parametrize("bad", ["test_crash", "test_hang"])
def test_a_worker_that_ends_or_hangs_ends_the_run_which_names_its_test(bad: str, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "conftest.py").read_text())
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT}\n")
    (tmp_path / "test_bad.py").write_text(CRASHING)
    given = next(line for line in _lines_of_test_sh() if line.startswith('check "pytest"')).partition("pytest -n 3")[2]
    options = given.replace('"${chosen[@]}" "$@"', "").replace("=1200", "=1").split()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", *options, "-k", f"{bad} or other"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode
    assert f"failed: test_bad.py::{bad}" in run.stdout


def _lines_of_test_sh() -> list[str]:
    return (ROOT / "test.sh").read_text().replace("\\\n", "").splitlines()

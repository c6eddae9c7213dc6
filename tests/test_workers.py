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

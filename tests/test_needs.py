"""What a machine or a user lacks leaves tests out, is counted by reason, and is a failure where all tests are required."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = """
import pytest

@pytest.mark.needs("no-such-program")
@pytest.mark.parametrize("number", range(3))
def test_needing(number):
    assert False

def test_that_skips_itself():
    pytest.skip("of its own")

def test_passing():
    pass

@pytest.mark.xfail
def test_expected():
    assert False
"""
MISSING = "the program no-such-program is not installed"


def run(folder: Path, *words: str) -> tuple[int, str]:
    """The status and the output of these tests under the conftest of the project."""
    (folder / "conftest.py").write_text((ROOT / "conftest.py").read_text())
    (folder / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT}\nmarkers =\n  slow: some\n  live: some\n")
    (folder / "test_some.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_the_last_lines_count_what_was_left_out_by_reason(tmp_path: Path) -> None:
    status, out = run(tmp_path, "-n2")
    assert status == 0
    assert [
        "4 tests were left out here:",
        f"      3 {MISSING}",
        "      1 of its own",
    ] == re.findall(r"^(?:\d+ tests? w.*|  +\d+ .*)$", out, re.MULTILINE)
    assert "1 passed, 4 skipped, 1 xfailed" in out


def test_nothing_is_left_out_where_all_is_required(tmp_path: Path) -> None:
    status, out = run(tmp_path, "-n2", "--all-required")
    assert status == 1
    assert "1 failed, 1 passed, 1 xfailed, 3 errors" in out
    assert 3 <= out.count(MISSING)
    assert "left out here" not in out


def test_what_is_not_chosen_needs_nothing(tmp_path: Path) -> None:
    status, out = run(tmp_path, "-n0", "--all-required", "-k", "passing")
    assert (status, "1 passed, 5 deselected" in out) == (0, True)


def test_a_file_that_skips_itself_fails_where_all_is_required(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text('import pytest\npytest.importorskip("no_such_module")\n')
    status, _ = run(tmp_path, "-n0", "-k", "passing")
    assert status == 0
    status, out = run(tmp_path, "-n0", "--all-required", "-k", "passing")
    assert (status, "no_such_module" in out) == (2, True), out


def test_no_test_file_decides_by_itself_who_may_run_it() -> None:
    """Whether one is root says nothing in a container; tests/needs.py asks for capabilities."""
    decides = re.compile(r"skipif\(.*(?:geteuid|getuid|which)")
    files = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "property_tests").rglob("*.py")]
    assert [] == [file.name for file in files if decides.search(file.read_text()) and file != Path(__file__)]

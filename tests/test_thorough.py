"""The list of what a usual run keeps of a test names tests and parameters that are there."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from tests.thorough import USUAL

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_list_names_tests_and_their_parameters() -> None:
    files = sorted({name.partition("::")[0] for name in USUAL})
    words = [sys.executable, "-m", "pytest", "--all", "--collect-only", "-n0", "-p", "no:cacheprovider", *files]
    found: defaultdict[str, set[str]] = defaultdict(set)
    for line in subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines():
        name, _, parameters = line.removesuffix("]").partition("[")
        found[name].add(parameters)
    assert set() == USUAL.keys() - found.keys(), "these are no tests"
    wrong = {name: kept - found[name] for name, kept in USUAL.items() if kept - found[name]}
    assert {} == wrong, "these tests have no such parameters"
    assert [] == [name for name, kept in USUAL.items() if kept == found[name]], "these tests leave nothing out"

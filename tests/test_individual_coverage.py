"""The list of the files whose own tests do not run every line is true, and may only shrink."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from scripts import individual_coverage
from scripts.individual_coverage import PARTLY, WITHOUT, listed, main, moved, uncovered, wrong
from scripts.own_tests import own_tests, product_files


def test_the_list_names_what_has_no_tests_of_its_own_and_nothing_that_is_gone() -> None:
    """As far as names tell. Where it fails after a move: python -m scripts.individual_coverage --moved"""
    known, files = listed(), product_files()
    without = {file for file in files if not own_tests(file)}
    assert set() == known.keys() - set(files), "these files are gone"
    assert without == {file for file, kind in known.items() if kind == WITHOUT}


def test_a_file_is_measured_by_its_own_tests() -> None:
    """It has lines that only other tests run, if the list says so."""
    file = "agentsight_rx/store/state/table.py"
    lines = uncovered({tuple(own_tests(file)): [file]})
    assert [] == wrong({file: PARTLY} if lines[file] else {}, listed(), [file])


def test_each_difference_from_the_list_is_named() -> None:
    known = {"as listed": PARTLY, "better": PARTLY, "first test": WITHOUT}
    found = {"as listed": PARTLY, "first test": PARTLY, "new": WITHOUT, "worse": PARTLY}
    said = wrong(found, known, ["as listed", "better", "first test", "new", "worse", "whole"])
    begins = ["better is covered", "first test has lines", "new has no tests", "worse has lines"]
    assert len(begins) == len(said)
    assert all(line.startswith(begin) for line, begin in zip(said, begins, strict=True))


def test_a_moved_file_keeps_its_place_in_the_list() -> None:
    known = {"old/a.py": PARTLY, "old/b.py": WITHOUT, "c.py": WITHOUT, "d.py": PARTLY}
    owned = {"new/a.py": ["t"], "new/b.py": [], "c.py": ["t"], "d.py": ["t"], "whole.py": ["t"]}
    assert {"new/a.py": PARTLY, "new/b.py": WITHOUT, "c.py": PARTLY, "d.py": PARTLY} == moved(known, list(owned), owned)


def test_files_that_were_not_measured_stay_in_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`agentsight_rx/gone.py` is not there any more, and the measured file is covered."""

    def nothing(groups: Mapping[tuple[str, ...], Sequence[str]]) -> dict[str, list[int]]:
        return {file: list[int]() for files in groups.values() for file in files}

    monkeypatch.setattr(individual_coverage, "LIST", tmp_path / "list.txt")
    monkeypatch.setattr(individual_coverage, "uncovered", nothing)
    files = ["agentsight_rx/gone.py", "agentsight_rx/cli/capturing/launch.py", "agentsight_rx/store/state/table.py"]
    individual_coverage.LIST.write_text("".join(f"{file} {PARTLY}\n" for file in files))
    monkeypatch.setattr(sys, "argv", ["individual_coverage", "--write", "agentsight_rx/store/state/table.py"])
    assert 0 == main()
    assert {"agentsight_rx/cli/capturing/launch.py": PARTLY} == listed()


@pytest.mark.parametrize(
    ("before", "grows"),
    [("a.py without\nb.py partly\n", False), ("a.py without\nb.py without\n", False), ("b.py partly\n", True), ("", False)],
)
def test_the_list_does_not_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, grows: bool) -> None:
    """Of two files, `a.py` has no tests of its own and `b.py` is covered partly. Without a list it is written."""

    def measured(_: object) -> dict[str, list[int]]:
        return {"b.py": [3]}

    owned: dict[str, list[str]] = {"a.py": [], "b.py": ["t"]}
    list_file = tmp_path / "list.txt"
    if before:
        list_file.write_text(f"# head\n{before}")
    monkeypatch.setattr(individual_coverage, "LIST", list_file)
    monkeypatch.setattr(individual_coverage, "product_files", lambda: list(owned))
    monkeypatch.setattr(individual_coverage, "own_tests", owned.__getitem__)
    monkeypatch.setattr(individual_coverage, "uncovered", measured)
    monkeypatch.setattr(sys, "argv", ["individual_coverage", "--write"])
    assert int(grows) == main()
    if grows:
        assert list_file.read_text().endswith(before)
    else:
        assert {"a.py": WITHOUT, "b.py": PARTLY} == listed()

"""The house does not grow unseen: what `python -m scripts.counts` counts is at most what is written down here."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import pytest

from scripts.counts import PACKAGE, counts, imports_of, product_modules

# Make one smaller when its number shrinks. A feature that needs a larger one says so in its commit, and what it removed.
MOST = {
    "lines of the product": 116_980,
    "files of the product": 658,
    "lines of BPF and of the page": 13_294,
    "rooms at the top of the package": 12,
    "floors": 9,
    "files in the largest folder": 20,
    "modules under 60 lines with one user": 0,
    "lines of the README": 120,
}


def test_no_count_is_larger_than_it_was() -> None:
    found = counts()
    assert found.keys() == MOST.keys()
    assert {} == {what: number for what, number in found.items() if number > MOST[what]}


def test_no_files_import_each_other() -> None:
    """Also inside of functions: such a circle hides that files are one idea, or that another one is missing."""
    imports = {file: imports_of(file) for file in product_modules() if file.name != "__init__.py"}
    try:
        TopologicalSorter({file: others & imports.keys() for file, others in imports.items()}).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(str(file.relative_to(PACKAGE)) for file in reversed(error.args[1])))

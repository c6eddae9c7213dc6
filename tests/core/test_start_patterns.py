"""A regular expression that is compiled late does what a compiled one does, and none of the product is wrong."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from agentsight_rx.core.start import regex


def test_it_is_as_the_compiled_one() -> None:
    late, compiled, sought = regex(b"(a)(b)?", re.IGNORECASE), re.compile(b"(a)(b)?", re.IGNORECASE), b"xAbA"
    assert "regex" in repr(late)
    for name in ("search", "match", "fullmatch", "findall", "split"):
        one, other = getattr(late, name)(sought), getattr(compiled, name)(sought)
        assert str(one) == str(other)
    assert [str(each) for each in late.finditer(sought)] == [str(each) for each in compiled.finditer(sought)]
    assert (compiled.pattern, compiled.flags, compiled.groups) == (late.pattern, late.flags, late.groups)


def test_it_is_compiled_by_its_first_use_alone() -> None:
    wrong = regex("(")
    with pytest.raises(re.error):
        wrong.search("(")
    assert not hasattr(wrong, "no_such_method")


_ALL = """
import gc, importlib, pkgutil, re
import agentsight_rx
from agentsight_rx.core.start import Late
for module in pkgutil.walk_packages(agentsight_rx.__path__, "agentsight_rx."):
    if not module.name.startswith(("agentsight_rx.runtime.web.dist", "agentsight_rx.benchmarks", "agentsight_rx.__main__")):
        importlib.import_module(module.name)
gc.unfreeze()
found = [each for each in gc.get_objects() if isinstance(each, Late)]
for each in found:
    re.compile(each.pattern, each.options)
print(len(found))
"""


def test_each_of_the_product_can_be_compiled() -> None:
    """A process of its own imports all, so that no other test has frozen its objects."""
    done = subprocess.run([sys.executable, "-c", _ALL], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 200

"""A kind of count that is added to `Usage` is in every sum, difference and row, and no row or sum counts by itself."""

from __future__ import annotations

import importlib
import pkgutil

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import asdict

import agentsight_rx
from agentsight_rx.events.tokens import Counts, Usage, counts_of

usages = st.builds(Usage, *[st.integers(0, 1 << 40)] * 5)


class More(Usage, frozen=True):
    """A provider counts something new."""

    pictures: int = 0


def _more(usage: Usage, pictures: int) -> More:
    return More(**asdict(usage), pictures=pictures)


@given(usages, usages, st.integers(0, 99), st.integers(0, 99))
def test_a_new_kind_of_count_is_added_and_taken_away_as_the_others(one: Usage, other: Usage, mine: int, theirs: int) -> None:
    a, b = _more(one, mine), _more(other, theirs)
    assert a + b == _more(one + other, mine + theirs)
    assert a + b - b == a
    assert a.without(b) == _more(one.without(other), max(0, mine - theirs))
    assert More(pictures=mine).largest(More(pictures=theirs)).pictures == max(mine, theirs)
    assert counts_of(a)["pictures_tokens"] == mine


@given(usages)
def test_the_fields_of_a_row_are_the_counts(usage: Usage) -> None:
    row = Counts(**counts_of(usage))
    assert (row.usage, row.asked_tokens, row.cached_tokens) == (usage, usage.asked, usage.cached)
    assert row.total_tokens == usage.total == usage.asked + usage.output
    assert {*Counts.__struct_fields__} == {*counts_of(usage)}


def test_no_struct_repeats_the_counts() -> None:
    for module in pkgutil.walk_packages(agentsight_rx.__path__, "agentsight_rx."):
        if not module.name.startswith(("agentsight_rx.runtime.web.dist", "agentsight_rx.benchmarks", "agentsight_rx.__main__")):
            importlib.import_module(module.name)
    waiting, own = Struct.__subclasses__(), set[str]()
    while waiting:
        found = waiting.pop()
        waiting += found.__subclasses__()
        named = found.__module__.startswith("agentsight_rx.") and "cache_read_tokens" in found.__struct_fields__
        if named and not issubclass(found, Counts):
            own.add(f"{found.__module__}.{found.__name__}")
    own -= {"agentsight_rx.view.snapshot.schema.Session"}  # the fields of the original
    own -= {"agentsight_rx.store.rows.tally.Totals"}  # a record of stores, which is added to in place
    assert [] == sorted(name for name in own if not name.startswith("agentsight_rx.llm."))  # what providers send

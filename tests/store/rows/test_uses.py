"""Each call is counted once, with its tokens and its cost, in few sums that only grow."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx.events.tokens import Usage, counts_of
from agentsight_rx.store.rows.tally import Tally
from agentsight_rx.store.rows.uses import OTHER, Use, Uses, shown_name
from agentsight_rx.view import CallRow, RowGone

FOR_EVER = 1 << 60


def cost_of(row: CallRow) -> Decimal | None:
    """A price of 0.1 for a token; the model `free-of-price` has none."""
    return None if row.model == "free-of-price" or not row.total_tokens else Decimal(row.total_tokens) / 10


def call(id: str, *, end_ms: int = 2, tokens: int = 3, model: str | None = "m", **more: Any) -> CallRow:
    counts = counts_of(Usage(tokens, cache_read=1))
    fields: dict[str, Any] = {"model": model, "agent": "a", "status": "complete", "end_timestamp_ms": end_ms, **counts, **more}
    return CallRow(id, 1, **fields)


def test_a_call_counts_once_it_ended_and_never_again() -> None:
    uses = Uses(cost_of)
    uses.put(CallRow("1", 1, model="m", agent="a"))
    assert {} == uses.until(FOR_EVER), "it goes on"
    uses.put(call("1", end_ms=5, tokens=1))
    uses.put(call("1", end_ms=6))
    assert {("m", "a"): Use()} == uses.until(5), "the 0 before"
    once = {("m", "a"): Use(1, Usage(3, cache_read=1), Decimal("0.4"), priced=1)}
    assert once == uses.until(6)
    uses.put(call("1", tokens=99))
    uses.gone("1")
    assert once == uses.until(FOR_EVER)


def test_a_call_that_may_go_on_or_is_anothers_does_not_count() -> None:
    uses = Uses(cost_of)
    for row in (call("1", more=True), call("2"), call("3"), call("4")):
        uses.put(row)
    uses.put(call("2", twin="3"))
    uses.gone("4")
    assert 1 == uses.until(FOR_EVER)["m", "a"].calls


def test_a_cost_that_is_not_known_is_none() -> None:
    uses = Uses(cost_of)
    uses.put(call("1", model="free-of-price"))
    uses.put(CallRow("2", 1, model="free-of-price", agent="a", status="aborted"))
    assert {("free-of-price", "a"): Use(2, Usage(3, cache_read=1), unpriced=1)} == uses.until(FOR_EVER)


def test_what_waits_is_bounded_and_counts_all_the_same() -> None:
    uses = Uses(cost_of)
    for number in range(1500):
        uses.put(call(str(number), more=True))
    assert 1500 - 1024 == uses.until(0)["m", "a"].calls, "the oldest ones"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("meta-llama/Llama-3", "meta-llama/Llama-3"),
        ("/home/lena/models/x.gguf", "x.gguf"),
        ("~/x.gguf/", "x.gguf"),
        ("../a/x.gguf", "x.gguf"),
        ("C:\\models\\x.gguf", "x.gguf"),
        ("a\nb\ud800", "ab"),
        ("x" * 99, "x" * 64),
        ("/", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_name_is_no_path(name: str | None, shown: str) -> None:
    assert shown == shown_name(name)


NAMES = st.one_of(st.none(), st.sampled_from(["m", "free-of-price", "other", "/srv/m", "/srv/n"]), st.text(max_size=3))
CALLS = st.builds(
    call,
    st.integers(0, 30).map(str),
    end_ms=st.integers(1, 50),
    tokens=st.integers(0, 9),
    model=NAMES,
    agent=NAMES,
    status=st.sampled_from(["pending", "complete", "partial", "aborted", "error"]),
    twin=st.sampled_from([None, None, None, "other"]),
)


@given(st.lists(st.tuples(CALLS, st.booleans(), st.integers(0, 60))))
def test_the_sums_only_grow_and_are_those_of_the_rows(steps: list[tuple[CallRow, bool, int]]) -> None:
    tally, newest, counted = Tally(Uses(cost_of, most=3)), dict[str, CallRow | None](), dict[str, CallRow]()
    assert tally.uses is not None
    before: dict[tuple[str, str], Use] = {}
    for row, is_gone, now_ms in [*steps, (call("last"), False, FOR_EVER)]:
        tally.add([RowGone(row) if is_gone else row])
        ended = not is_gone and row.twin is None and row.status != "pending"
        newest[row.id] = row if ended else None
        for each in filter(None, newest.values()):
            if (each.end_timestamp_ms or 0) <= now_ms:
                counted.setdefault(each.id, each)
        sums = tally.uses.until(now_ms)
        assert len(sums) <= 4
        for pair, use in before.items():
            assert sums[pair].calls >= use.calls
            assert sums[pair].usd >= use.usd
            assert sums[pair].usage.total >= use.usage.total
        before = sums
    total = sum(before.values(), Use())
    costs = [cost_of(row) for row in counted.values()]
    assert len(counted) == total.calls
    assert sum((row.usage for row in counted.values()), Usage()) == total.usage
    assert sum((cost for cost in costs if cost is not None), Decimal(0)) == total.usd
    assert (sum(cost is not None for cost in costs), total.calls) == (total.priced, len(counted))


def test_the_pairs_that_came_first_keep_their_sum() -> None:
    uses = Uses(cost_of, most=2)
    for number, model in enumerate(["a", "b", "c", "a", OTHER, "c"]):
        uses.put(replace(call(str(number)), model=model, agent=model))
        uses.until(FOR_EVER)
    found = {pair: use.calls for pair, use in uses.until(FOR_EVER).items()}
    assert {("a", "a"): 2, ("b", "b"): 1, (OTHER, OTHER): 3} == found

"""A signal links to turns that show it, and says how many others do."""

from __future__ import annotations

from agentsight_rx.llm.prices import Prices
from agentsight_rx.view import CallRow
from agentsight_rx.view.page.picture import Work
from agentsight_rx.view.page.signals import signals_of
from agentsight_rx.view.queries.calls.costs import priced
from agentsight_rx.view.queries.sessions.findings import Finding


def work(calls: int) -> Work:
    rows = [CallRow(f"llm-{at}", at, at + 1, model="m", turn=at, status="complete") for at in range(1, calls + 1)]
    return Work(tuple(priced(row, Prices()) for row in rows), ())


def test_turns_without_a_link_are_counted() -> None:
    (signal,) = signals_of(work(30), [Finding("retried", tuple(range(1, 26)), 31)], (), {})
    assert ("31 retries after a failure.", (1, 2, 3, 4, 5, 6), 19) == (signal.text.capitalize(), signal.turns, signal.more)


def test_a_signal_whose_turns_all_have_a_link_has_no_more() -> None:
    found = signals_of(work(3), [Finding("failed", (1, 2), 2, what="overloaded"), Finding("loop", (2, 3), 3)], (), {})
    assert [0, 0] == [each.more for each in found]

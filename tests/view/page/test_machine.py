"""Sessions and alerts of recordings -> this machine: what waits, days in columns, what runs, what was dearest and why."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx.events import Event
from agentsight_rx.llm.prices import Prices
from agentsight_rx.view.page import Picture
from agentsight_rx.view.page.alert_shapes import AlertLine
from agentsight_rx.view.page.machine import cause_said, machine_of, reason_of
from agentsight_rx.view.page.rail import flagged
from agentsight_rx.view.queries.sessions.findings import Finding
from agentsight_rx.view.queries.sessions.listing import Entry, ListRow
from tests.view.page.story import SESSION, Story, stored

DAY = 86_400_000
ROW = ListRow("s", "r", "Claude Code", start_ms=DAY, end_ms=DAY, usd=1.5)
LINE = AlertLine(1, "alert-1", "loop", "warn", "new", at_ms=DAY, sentence="x", session="s", recording="r")


def test_days_are_columns() -> None:
    rows = [
        replace(ROW, start_ms=DAY - 1),
        replace(ROW, missing=2, failed_tools=3),
        replace(ROW, start_ms=2 * DAY, agent="Codex", unpriced=1, usd=None),
        replace(ROW, start_ms=2 * DAY + 5, agent="Codex", live=True),
        replace(ROW, start_ms=2 * DAY + 6),
    ]
    lines = [LINE, replace(LINE, at_ms=2 * DAY, state="stopped"), replace(LINE, at_ms=2 * DAY, state="allowed")]
    found = machine_of(rows, lines, [DAY, 2 * DAY], why=lambda row: row.agent)
    days = found.days
    assert ((1.5, 3.0), (0, 1), (1, 3), (1, 2)) == (days.cost, days.unknown, days.sessions, days.agents)
    assert ((3, 0), (1, 0), (1, 1), (0, 1)) == (days.failed, days.gaps, days.waiting, days.decided)
    assert ((("Codex", 2), ("Claude Code", 1)), 2, 1, True) == (found.today, found.waiting, found.stopped, found.guarded)
    assert [rows[3]] == list(found.running)
    assert ["Claude Code", "Codex", "Claude Code"] == [each.why for each in found.dearest]


def test_the_first_three_of_what_waits_and_the_number_of_all() -> None:
    found = machine_of([], [replace(LINE, n=n) for n in range(5)], [0], why=str, left_out=7)
    assert ([0, 1, 2], 5, 7) == ([line.n for line in found.waits], found.waiting, found.left_out)
    empty = machine_of([], [], [], why=str)
    assert ((), False, ()) == (empty.days.cost, empty.guarded, empty.today)


@given(st.lists(st.integers(0, 20), max_size=30), st.sets(st.integers(0, 20), min_size=1, max_size=6))
def test_each_session_from_the_first_day_on_is_in_one_day(starts: list[int], begins: set[int]) -> None:
    ordered = sorted(begins)
    found = machine_of([replace(ROW, start_ms=each) for each in starts], [], ordered, why=lambda _: "")
    assert sum(each >= ordered[0] for each in starts) == sum(found.days.sessions)


def test_a_row_of_the_rail_has_what_waits() -> None:
    lines = [
        LINE,
        replace(LINE, id="alert-2", state="seen"),
        replace(LINE, id="alert-3", session="other"),
        replace(LINE, id="alert-4", state="stopped"),
        replace(LINE, id="alert-4", state="stopped", recording="beside"),
        replace(LINE, id="alert-5", recording="later", at_ms=2 * DAY),
    ]
    (found,) = flagged([Entry(ROW)], lines)
    assert (2, True) == (found.row.waiting, found.row.stopped)
    assert [Entry(ROW)] == list(flagged([Entry(ROW)], lines[1:3]))


def reason(events: Sequence[Event]) -> str:
    return reason_of(Picture(stored(events), Prices(today=datetime.date(2026, 11, 27))), SESSION)


def test_the_largest_cause_of_a_cost_is_said() -> None:
    story = Story()
    result = story.bash("make", ms=10, code=1, out="no", prompt="Build it", ms_of_model=900)
    for _ in range(4):
        story.wait(300)
        result = story.bash("make", ms=10, code=1, out="no", results=[result], ms_of_model=900)
    assert "Same command, same result: four times, nothing else in between, make. $0.078 of it." == reason(story.events)


def test_where_nothing_stands_out_there_is_no_reason() -> None:
    story = Story()
    story.ask(ms=900, prompt="Hello", says="Hi")
    assert "" == reason(story.events)


def test_without_one_cause_the_dearest_turn_is_said() -> None:
    story = Story()
    story.ask(ms=900, prompt="Hello", says="Hi")
    story.ask(ms=900, prompt="Explain it", says="So", out=4000)
    assert "2 calls, no one cause: the dearest, turn 2, cost $0.080." == reason(story.events)


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        (Finding("repeated", (1,), 1, cost_usd=0.5), "Same request sent again: 1 request unchanged. $0.50 of it."),
        (Finding("retried", (1,), 3, cost_usd=0.5), "Retries: 3 retries after a failure. $0.50 of it."),
        (Finding("uncached", (1,), 45_000, cost_usd=1.31), "Cache lost: 45.0 k tokens were paid again. $1.31 of it."),
        (Finding("growth", (1,), 3, cost_usd=0.5), ""),
    ],
)
def test_each_cause_has_its_words(finding: Finding, said: str) -> None:
    assert said == cause_said(finding)

"""Whatever calls a recording has: the turns, the session, the rail, home, the reports and the exports say the same of them."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx.cli.report.recordings import missing_said
from agentsight_rx.cli.text import gap_lines
from agentsight_rx.llm.prices import Prices
from agentsight_rx.store.rows.gap_counts import SessionGaps
from agentsight_rx.store.rows.gaps import gaps_of
from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.rows.tables import RUNS, SESSION_GAPS, TOTALS, Recording
from agentsight_rx.store.rows.tally import Tally
from agentsight_rx.store.state import MemoryStore, Put
from agentsight_rx.view import CallRow, SessionRow
from agentsight_rx.view.page.alert_shapes import SubAgent, TurnCard
from agentsight_rx.view.page.funnel import health_of
from agentsight_rx.view.page.head import MISSING, head_of
from agentsight_rx.view.page.machine import machine_of
from agentsight_rx.view.page.picture import Picture
from agentsight_rx.view.page.rail import rail_of
from agentsight_rx.view.page.turns import turns_of
from agentsight_rx.view.queries import Selection
from agentsight_rx.view.queries.sessions.health import read_health
from agentsight_rx.view.queries.sessions.summary import read_summary
from agentsight_rx.view.snapshot.snapshot import read_snapshot

_PRICES = Prices(today=datetime.date(2026, 11, 27))
_ENDS = (
    ("complete", None),
    ("error", None),
    ("pending", None),
    ("aborted", "closed"),
    ("aborted", "capture_end"),
    ("partial", "process_ended"),
    ("partial", "cancelled"),
    ("partial", "timeout"),
    ("partial", "gap"),
    ("partial", "not_understood"),
    ("partial", "request_unseen"),
)


class Recorded(NamedTuple):
    """A recording: one run with sessions, of which a sub-session belongs to the first one."""

    store: MemoryStore
    calls: list[CallRow]
    sessions: list[SessionRow]
    being_written: bool
    tally: Tally


@st.composite
def recordings(draw: st.DrawFn) -> Recorded:
    names = draw(st.sampled_from([("a",), ("a", "b"), ("a", "b", "a-sub")]))
    being_written = draw(st.booleans())
    statuses = ("live", "ended") if being_written else ("ended",)
    sessions = [
        SessionRow(
            name, 1_000 + at, end_timestamp_ms=9_000, status=draw(st.sampled_from(statuses)), agent="claude", pid=10 + at,
            parent_session_id="a" if name == "a-sub" else None,
        )
        for at, name in enumerate(names)
    ]  # fmt: skip
    ends = draw(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(_ENDS), st.booleans()), max_size=6))
    calls = [
        CallRow(
            f"llm-{at}", 2_000 + at, session_id=name, status=status, reason=reason, model="m", turn=at + 1,
            complete=status == "complete", text="some" if said else "", agent_id="sub" if said and at % 2 else None,
            end_timestamp_ms=None if status == "pending" else 3_000 + at,
        )
        for at, (name, (status, reason), said) in enumerate(ends)
    ]  # fmt: skip
    gaps: dict[str, SessionGaps] = {}
    store, tally = MemoryStore(), Tally(gaps=gaps)
    for call in calls:  # each begins, and most end
        tally.add([replace(call, status="pending", reason=None), call])
    tally.add(sessions)
    run = Recording(1, 500, committed_ms=9_500, ended=not being_written)
    store.commit([*map(put, sessions), *map(put, calls), Put(RUNS, 1, run), Put(TOTALS, 1, tally.totals)])
    store.commit([Put(SESSION_GAPS, id, found) for id, found in gaps.items()])
    return Recorded(store, calls, sessions, being_written, tally)


def _cards(cards: Sequence[TurnCard]) -> Iterator[TurnCard | SubAgent]:
    for card in cards:
        yield card
        for sub in card.subs:
            yield sub
            yield from _cards(sub.cards)


@given(recordings())
def test_no_two_surfaces_contradict_each_other(made: Recorded) -> None:
    picture = Picture(made.store, _PRICES, being_written=made.being_written)
    rail = {row.id: row for row in rail_of(picture, "r")}
    broken = 0
    for session in made.sessions:
        cards = list(_cards(turns_of(picture, session.id, start=0, count=100).cards))
        gaps = sum(isinstance(card, TurnCard) and card.gap is not None for card in cards)
        broken += gaps if session.id in rail else 0
        head = head_of(picture, session.id, recording="r")
        whole = "so_far" if made.being_written else "whole"
        assert head.whole.state == ("not_whole" if gaps else whole)
        if session.id in rail:
            assert rail[session.id].missing == head.whole.missing
        strip = any(flags & MISSING for flags in head.strip.flags) if head.strip else False
        assert strip <= bool(gaps)
        chosen = Selection(sessions=frozenset({session.id}))
        told = read_summary(made.store, chosen, _PRICES, being_written=made.being_written)
        assert told.health.missing == head.whole.missing
        assert told.duration_ms == head.end_ms - head.start_ms == session.duration_ms
        assert missing_said(told.health).text.startswith("nothing is missing") is (not gaps)
        assert told.health.missing == sum(not line.startswith("    ") for line in gap_lines(told.health.gaps))
    _the_whole_says_the_same(made, picture, broken)
    days = machine_of(list(rail.values()), [], [0], why=lambda _: "").days
    assert sum(row.missing > 0 for row in rail.values()) == days.gaps[0]


def _the_whole_says_the_same(made: Recorded, picture: Picture, broken: int) -> None:
    health = read_health(made.store, being_written=made.being_written)
    page = health_of(picture)
    calls = next(stage for stage in page.stages if stage.id == "calls")
    assert broken == calls.lost == health.calls_cut + health.calls_unfinished
    assert (calls.arrived or 0) + broken == calls.before == len(made.calls) - health.calls_open
    assert bool(broken) is bool(page.missing) is (page.whole.state == "not_whole") is (not health.complete)
    if not made.being_written:
        assert (not broken) is read_snapshot(made.store, now_ms=1).completeness.complete
        assert health.missing == gaps_of(made.tally, ()).count

"""Sessions of all stores -> those that fit a choice, in their order and by pages, and what they sum to."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx.events import Usage
from agentsight_rx.events.tokens import counts_of
from agentsight_rx.store.rows.gaps import Agreement
from agentsight_rx.store.rows.kinds import SAID, SessionRow, ToolRow
from agentsight_rx.view.queries.calls.costs import PricedCall
from agentsight_rx.view.queries.sessions.listing import (
    ORDERS,
    Choice,
    DaySum,
    Entry,
    ListRow,
    Tally,
    When,
    chosen,
    day_of,
    days_of,
    numbered,
    ordered,
    page_behind,
    place_of,
    sums_of,
    without_twins,
)

HOUR = 3_600_000
TODAY = date(2026, 11, 28)
NOON = round(datetime(2026, 11, 28, 12, tzinfo=UTC).timestamp() * 1000)
WHEN = When(TODAY, UTC)
ENTRY = Entry(ListRow("s", "r", "Claude Code", NOON, NOON + HOUR, title="Fix it", usd=1.0), folder="/home/lena/worker")


def entry(id: str = "s", *, folder: str = ENTRY.folder, said: str = "", differs: bool = False, **row: object) -> Entry:
    return Entry(replace(ENTRY.row, id=id, **row), folder=folder, said=said, differs=differs)


def test_a_row_sums_the_calls_and_tools_of_its_session() -> None:
    tally = Tally()
    tally.add(PricedCall("c1", NOON, model="a", cost_usd=0.5, **counts_of(Usage(10, 5, cache_read=85))))
    tally.add(PricedCall("c2", NOON, model="b", **counts_of(Usage(10, 5))))
    for number, (name, status) in enumerate(
        [("Edit", "completed"), ("Write", "completed"), ("Edit", "failed"), ("Bash", "completed")]
    ):
        path = f'{{"file_path": "/src/{number // 2}.py"}}'
        tally.add_tool(ToolRow(f"t{number}", NOON, "c1", "", name, input=path, status=status))
    session = SessionRow("s", NOON, NOON + HOUR, cwd="/home/lena/worker/", branch="main", title="Fix it", view_source=SAID)
    found = tally.entry(session, "past", "Claude Code", turns=2)
    row = found.row
    assert (row.project, row.branch, row.turns, row.tokens, row.files) == ("worker", "main", 2, 115, 1)
    assert (row.usd, row.unpriced, row.is_known, found.costs) == (0.5, 1, False, (("a", 0.5),))
    assert (row.file, row.recorded, found.asked, found.cached) == (True, False, 105, 85)


def test_without_calls_no_cost_is_known_and_the_tokens_are_those_of_the_session() -> None:
    row = Tally().entry(SessionRow("s", NOON, **counts_of(Usage(3, 4))), "r", "Codex CLI", turns=1).row
    assert (row.usd, row.is_known, row.tokens, row.end_ms) == (None, False, 7, NOON)


def test_a_recorded_session_says_how_far_its_file_agrees() -> None:
    session = SessionRow("s", NOON)
    agrees = Tally().entry(session, "r", "x", turns=1, agreement=Agreement(3, 3), said="f")
    assert (agrees.row.file, agrees.row.recorded, agrees.row.compared, agrees.row.found) == (True, True, 3, 3)
    assert not agrees.differs
    for agreement in (Agreement(3, 2), Agreement(3, 3, differing=1), Agreement(3, 3, calls_only_file=1)):
        assert Tally().entry(session, "r", "x", turns=1, agreement=agreement).differs


def test_a_file_is_left_out_where_a_recording_has_its_session() -> None:
    seen, file, other = entry("s", said="f", file=True), entry("f", recorded=False), entry("g", recorded=False)
    assert [seen, other] == without_twins([seen, file, other])


def test_equal_titles_in_one_folder_are_numbered_by_their_begin() -> None:
    entries = [
        entry("c", start_ms=NOON + 2),
        entry("a"),
        entry("b", start_ms=NOON + 1),
        entry("d", folder="/other"),
        entry("e", title=""),
    ]
    found = {row.id: (row.nth, row.same) for row in numbered(entries[:2] + entries[3:], entries)}
    assert {"c": (3, 3), "a": (1, 3), "d": (0, 0), "e": (0, 0)} == found


@pytest.mark.parametrize(
    ("choice", "ids"),
    [
        (Choice(), "abc"),
        (Choice(agent="Codex CLI"), "b"),
        (Choice(project="ledger"), "c"),
        (Choice(model="m"), "a"),
        (Choice(failed=True), "b"),
        (Choice(alerts=True), "c"),
        (Choice(over=1.5), "b"),
        (Choice(source="file"), "b"),
        (Choice(source="recorded"), "ac"),
        (Choice(source="both"), "c"),
        (Choice(source="differs"), "c"),
        (Choice(source="gap"), "a"),
        (Choice(words="FIX worker"), "ac"),
        (Choice(since=TODAY, until=TODAY), "ac"),
        (Choice(until=TODAY - timedelta(days=1)), "b"),
        (Choice(agent="Codex CLI", failed=True, words="no"), ""),
    ],
    ids=str,
)
def test_each_filter(choice: Choice, ids: str) -> None:
    entries = [
        entry("a", model="m", missing=1),
        entry("b", agent="Codex CLI", start_ms=NOON - 24 * HOUR, failed_tools=2, usd=2.0, recorded=False, title="Say"),
        entry("c", project="ledger", waiting=1, file=True, differs=True),
    ]
    assert list(ids) == [each.row.id for each in chosen(entries, choice, UTC)]


def test_a_day_begins_in_the_zone_of_the_person() -> None:
    late = entry(start_ms=NOON + 11 * HOUR + HOUR // 2)
    assert [late] == chosen([late], Choice(since=TODAY, until=TODAY), UTC)
    assert [] == chosen([late], Choice(since=TODAY, until=TODAY), ZoneInfo("Asia/Tokyo"))
    assert date(2026, 11, 29) == day_of(late.row.start_ms, ZoneInfo("Asia/Tokyo"))


def test_a_day_of_a_page_has_the_sums_of_the_whole_selection() -> None:
    entries = [entry("a"), entry("b", usd=None, failed_tools=2), entry("c", start_ms=NOON - 24 * HOUR)]
    assert {"2026-11-28": DaySum(2, 1.0, 1, 2)} == days_of(entries, entries[:1], UTC)
    assert ["2026-11-28", "2026-11-27"] == list(days_of(entries, entries, UTC))
    assert {} == days_of(entries, [], UTC)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=12), st.sampled_from([*ORDERS]), st.integers(1, 5))
def test_pages_have_each_session_once_in_its_order(rows: list[tuple[int, int]], order: str, limit: int) -> None:
    entries = [entry(f"s{at}", start_ms=start, usd=usd or None, turns=usd) for at, (start, usd) in enumerate(rows)]
    for name in (order, f"-{order}"):
        whole = ordered(entries, name)
        values = [ORDERS[order](each.row) for each in whole]
        assert values == sorted(values, reverse=name != order)
        found, behind = list[Entry](), ""
        while True:
            page, behind = page_behind(whole, behind, limit)
            found += page
            if not behind:
                break
        assert found == whole


def test_a_page_behind_a_row_that_is_gone_begins_at_the_top() -> None:
    assert ([ENTRY], "") == page_behind([ENTRY], "r/gone", 5)
    assert "r/s" == place_of(ENTRY.row)


def test_sums_are_those_of_the_selection_and_the_year_keeps_its_other_days() -> None:
    entries = [
        replace(entry("a", file=True, tokens=5_000), costs=(("m", 1.0),), model_ms=7, asked=10, cached=9),
        replace(entry("b", start_ms=NOON - 24 * HOUR, end_ms=NOON - 23 * HOUR, usd=3.0, project="ledger"), costs=(("n", 3.0),)),
        entry("c", recorded=False, file=True, usd=None, failed_tools=4),
    ]
    whole = sums_of(entries, Choice(), WHEN)
    assert (whole.of, whole.sessions, whole.recorded, whole.both, whole.agree) == (3, 3, 2, 1, 1)
    assert (whole.usd, whole.unpriced, whole.failed, whole.ms, whole.model_ms) == (4.0, 1, 1, 3 * HOUR, 7)
    assert ("ledger", 3.0) == (whole.projects[0].name, whole.projects[0].usd)
    assert [("n", 3.0), ("m", 1.0)] == [(each.name, each.usd) for each in whole.models]
    assert (whole.values[-2:], whole.counts[-2:], whole.ran) == (
        (3.0, 1.0),
        (1, 2),
        ((len(whole.values) - 2, len(whole.values) - 1),),
    )
    assert 0 == date.fromisoformat(whole.first).weekday()
    assert (("Claude Code", 3),) == whole.choices["agent"]
    day = sums_of(entries, Choice(since=TODAY), WHEN, by="tokens")
    assert (day.sessions, day.usd, day.values[-2:], day.counts[-2:]) == (2, 1.0, (0, 5), (1, 2))


def test_where_none_fits_it_says_how_many_would_without_each_filter() -> None:
    found = sums_of([ENTRY, entry("b", failed_tools=1)], Choice(failed=True, words="nothing"), WHEN)
    assert (0, {"failed": 0, "q": 1}) == (found.sessions, found.without)


def test_branches_are_summed_within_one_project() -> None:
    entries = [entry("a", branch="main", project="p"), entry("b", branch="fix", project="p", usd=2.0)]
    assert () == sums_of(entries, Choice(), WHEN).branches
    assert ["fix", "main"] == [each.name for each in sums_of(entries, Choice(project="p"), WHEN).branches]

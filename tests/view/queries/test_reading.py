"""What a store holds, whole and in part, and what the summary of a run says is missing."""

from __future__ import annotations

import pytest

from agentsight_rx.cli.text import gap_lines, states_said
from agentsight_rx.events.loss import Entry, Reason
from agentsight_rx.store.rows.gaps import Gaps
from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.rows.tables import CALLS, LOSSES, PROCESSES, REMOVED, RUNS, TOTALS, Recording, Removed
from agentsight_rx.store.rows.tally import Tally, Totals
from agentsight_rx.store.state import MemoryStore, Put
from agentsight_rx.view import CallRow, ProcessRow, Row, ToolRow
from agentsight_rx.view.queries import Selection
from agentsight_rx.view.queries.reading import read_totals, selected
from agentsight_rx.view.queries.sessions.health import read_health


def call(number: int, **fields: str | bool | None) -> CallRow:
    known = {"status": "complete"} | fields
    return CallRow(f"llm-{number}", number, number + 1, 1, "agent", "anthropic", "m", **known)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def tool(number: int, name: str = "a") -> ToolRow:
    return ToolRow(f"tool-llm-{number}-{name}", number, f"llm-{number}", name, "Bash")


def program(number: int) -> ProcessRow:
    return ProcessRow(f"process-{number}", number, 1, start_timestamp_ms=number, command=f"/bin/{number}", argv=(f"p{number}",))


def stored(*rows: Row, totals: bool = True) -> MemoryStore:
    store, tally = MemoryStore(), Tally()
    tally.add(rows)
    store.commit([*map(put, rows), Put(RUNS, 1, Recording(1, 0, 9_000, ended=True, seconds=2.0))])
    if totals:
        store.commit([Put(TOTALS, 1, tally.totals)])
    return store


ROWS = [row for number in range(1, 31) for row in (call(number), tool(number), tool(number, "b"), program(number))]


@pytest.mark.parametrize("limit", [None, 4, 100])
def test_rows_come_in_the_order_of_time_page_by_page(monkeypatch: pytest.MonkeyPatch, limit: int | None) -> None:
    for module in ("agentsight_rx.store.state.indexes._PAGE", "agentsight_rx.view.queries.reading._PAGE"):
        monkeypatch.setattr(module, 7)
    store = stored(*ROWS)
    numbers = list(range(1, 31))[-limit if limit else 0 :]
    assert [row.start_timestamp_ms for row in selected(store, CALLS, Selection(limit=limit))] == numbers
    assert [row.pid for row in selected(store, PROCESSES, Selection(limit=limit))] == numbers


def test_a_store_without_totals_is_counted() -> None:
    assert read_totals(stored(*ROWS, totals=False)) == read_totals(stored(*ROWS))


def test_the_totals_of_two_recordings_add_up() -> None:
    one, other = Totals(calls=1, models={"a": 1}), Totals(calls=2, models={"a": 1, "b": 1})
    one.include(other)
    assert (one.calls, one.models) == (3, {"a": 2, "b": 1})


def test_what_a_filter_left_out_is_not_what_a_pipe_repeated() -> None:
    store = stored(call(1))
    for number, (stage, reason) in enumerate(
        [("tls/filter_http", Reason.FILTERED), ("stdio/parse_jsonrpc", Reason.REPEATED), ("tls/keep_parsed", Reason.FILTERED)]
    ):
        store.commit([Put(LOSSES, number, Entry(stage, reason, 5))])
    assert read_health(store).filtered == 5


@pytest.mark.parametrize(
    ("row", "says", "whole"),
    [
        (call(1), "", True),
        (call(1, status="error", complete=False), "", True),
        (call(1, status="aborted", reason="closed"), " (1 unfinished)", False),
        (call(1, status="pending"), " (1 unfinished)", False),
        (call(1, status="partial", reason="no_end_mark"), " (1 unfinished)", False),
        (call(1, status="partial", reason="request_unseen"), " (1 cut)", False),
        (call(1, status="partial", reason="body_limit"), " (1 cut)", False),
    ],
)
def test_a_call_that_is_not_whole_and_a_complete_capture_never_stand_together(row: CallRow, says: str, whole: bool) -> None:
    store = stored(row)
    assert says == states_said(read_totals(store))
    assert whole == read_health(store).complete


def test_where_nothing_is_missing_there_is_no_line() -> None:
    assert list(gap_lines(Gaps())) == []


def test_what_retention_removed_is_said() -> None:
    store = stored(call(1))
    store.commit([Put(REMOVED, 0, Removed(1_800_000_000_000, 7))])
    found = read_health(store)
    assert (found.removed, found.complete) == (Removed(1_800_000_000_000, 7), True)

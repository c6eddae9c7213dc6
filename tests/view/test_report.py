"""What the report of a store says, whole and in part."""

from __future__ import annotations

import pytest

from agentsight_rx.cli.text import completeness, report_lines, totals
from agentsight_rx.events import BlindSpot, Origin
from agentsight_rx.loss import Entry, Reason
from agentsight_rx.state import MemoryStore, Put
from agentsight_rx.view import CallRow, ProcessRow, Row, ToolRow
from agentsight_rx.view.blind_spots import row_of
from agentsight_rx.view.report import read_processes, read_report, read_turns
from agentsight_rx.view.tables import LOSSES, REMOVED, RUNS, TOTALS, Recording, Removed, put
from agentsight_rx.view.tally import Tally, Totals


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


def test_the_first_screen_has_the_newest_and_says_how_to_see_all() -> None:
    lines = report_lines(read_report(stored(*ROWS), newest=4), "x")
    assert "30 API calls" in lines[1]
    assert "   26 earlier calls: report --all" in lines
    assert [line.partition(".")[0] for line in lines if " · anthropic · " in line] == ["27", "28", "29", "30"]
    assert lines[-5:] == [*(f"   {pid}: p{pid} -> no end seen" for pid in (27, 28, 29, 30)), "   and 26 more: report --all"]


def test_all_of_it_can_be_read_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentsight_rx.state.indexes._PAGE", 7)
    store = stored(*ROWS)
    assert [(turn.call.id, len(turn.tools)) for turn in read_turns(store)] == [(f"llm-{number}", 2) for number in range(1, 31)]
    assert len(list(read_processes(store))) == 30


def test_the_tools_of_a_call_are_its_own() -> None:
    (one, eleven) = read_report(stored(call(1), call(11), tool(11), tool(1))).turns
    assert ([each.id for each in one.tools], [each.id for each in eleven.tools]) == (["tool-llm-1-a"], ["tool-llm-11-a"])


def test_a_store_without_totals_is_counted() -> None:
    with_totals, without = (read_report(stored(*ROWS, totals=kept)) for kept in (True, False))
    assert with_totals.totals == without.totals


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
    assert read_report(store).filtered == 5


@pytest.mark.parametrize(
    ("row", "says", "whole"),
    [
        (call(1), "1 API call ·", True),
        (call(1, status="aborted", reason="closed"), "1 API call (1 unfinished)", True),
        (call(1, status="pending"), "1 API call (1 unfinished)", True),
        (call(1, status="partial", reason="no_end_mark"), "1 API call (1 unfinished)", True),
        (call(1, status="partial", reason="request_unseen"), "1 API call ·", True),
        (call(1, status="partial", reason="body_limit"), "1 API call (1 cut)", False),
    ],
)
def test_a_cut_call_and_a_complete_capture_never_stand_together(row: CallRow, says: str, whole: bool) -> None:
    report = read_report(stored(row))
    lines = report_lines(report, "x")
    assert says in totals(report.totals)
    assert whole == report.complete == ("complete: nothing lost" in lines)


def test_a_blind_spot_says_who_what_and_why() -> None:
    spot = BlindSpot(
        Origin(1, 71, comm="uv"), 1, connections=3, size=15018, peers=("127.0.0.1:8443",), files=("/bin/uv",),
        looks_like=("rustls with aws-lc",),
    )  # fmt: skip
    store = stored(row_of(spot))
    store.commit([Put(LOSSES, 1, Entry("tls/find_blind_spots", Reason.UNREADABLE, 3, 15018))])
    lines = report_lines(read_report(store), "x")
    assert "incomplete:" in lines
    assert any(
        line.startswith("  could not be read: uv (rustls with aws-lc), process 71: 3 connections, 15018 bytes")
        for line in lines
    )


def test_nothing_missing_is_one_line() -> None:
    assert completeness(()) == ["complete: nothing lost"]


def test_what_retention_removed_is_said() -> None:
    store = stored(call(1))
    store.commit([Put(REMOVED, 0, Removed(1_800_000_000_000, 7))])
    assert any(line.startswith("Removed, since it was older: all before 20") for line in report_lines(read_report(store), "x"))

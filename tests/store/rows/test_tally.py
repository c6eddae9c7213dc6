"""A row that is gone takes back what it added, whatever came between."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx.store.rows.gap_counts import SessionGaps
from agentsight_rx.store.rows.tally import Tally, Totals
from agentsight_rx.view import AuditRow, CallRow, ProcessRow, Row, RowGone, SessionRow, ToolRow

TOKENS: dict[str, Any] = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
ROWS: list[Row] = [
    CallRow("llm-1", 1, status="complete", model="m", **TOKENS),
    CallRow("llm-2", 1, status="partial", reason="lost"),
    CallRow("llm-3", 1),
    ToolRow("tool-1", 1, "llm-1", "t1", tool_name="Bash", related_pid=7),
    ToolRow("tool-2", 1, "llm-1", "t2", tool_name="Bash", status="completed"),
    ProcessRow("process-1", 7, command="/bin/sh"),
    SessionRow("s", 1),
    AuditRow("audit-1", 1, "file"),
]


@given(st.permutations(ROWS), st.sets(st.integers(0, len(ROWS) - 1)))
def test_what_is_gone_does_not_count(rows: list[Row], gone: set[int]) -> None:
    whole, expected = Tally(), Tally()
    whole.add([*rows, *(RowGone(rows[place]) for place in gone if not isinstance(rows[place], RowGone))])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    expected.add(row for place, row in enumerate(rows) if place not in gone)
    assert expected.totals == whole.totals


def test_a_row_that_never_came_is_gone_without_a_trace() -> None:
    tally = Tally()
    tally.add(RowGone(row) for row in ROWS if not isinstance(row, AuditRow | RowGone))
    assert Totals() == tally.totals


def test_a_process_that_goes_on_counts_once_however_many_come_and_go() -> None:
    tally = Tally()
    agent = ProcessRow("process-1-0", 1, command="agent")
    tally.add([agent])
    for number in range(10_000):
        row = ProcessRow(f"process-{number}-9", number, command="make")
        tally.add([row, replace(row, status="success")])
    assert tally.knows(agent)
    assert not tally.knows(ProcessRow("process-7-9", 7))  # long over
    tally.add([replace(agent, status="success")])
    assert (10_001, 10_001) == (tally.totals.processes, tally.totals.programs)


def test_a_call_that_is_answered_late_counts_once_however_many_were_answered_meanwhile() -> None:
    tally = Tally()
    slow = CallRow("llm-1", 1, model="m")
    tally.add([slow])
    for number in range(5_000):
        tally.add([CallRow(f"llm-9-{number}", 2, model="m", status="complete")])
    tally.add([replace(slow, status="complete")])
    assert (5_001, {"m": 5_001}, 0) == (tally.totals.calls, tally.totals.models, tally.totals.calls_unfinished)


CALLS = st.builds(
    CallRow,
    st.sampled_from(["llm-1", "llm-2", "llm-3"]),
    st.just(1),
    status=st.sampled_from(["pending", "partial", "complete"]),
    reason=st.sampled_from(["lost", "closed"]),
    session_id=st.sampled_from(["a", "b"]),
    twin=st.sampled_from([None, None, "llm-9"]),
)
TOOLS = st.builds(
    ToolRow,
    st.sampled_from(["tool-1", "tool-2"]),
    st.just(1),
    st.just("llm-1"),
    st.just("t"),
    tool_name=st.just("Bash"),
    status=st.sampled_from(["observed", "completed"]),
    related_pid=st.sampled_from([None, 7]),
    session_id=st.sampled_from(["a", "b"]),
)


@given(st.lists(st.tuples(CALLS | TOOLS, st.booleans()), max_size=30))
def test_the_gaps_of_all_sessions_are_those_of_the_totals(rows: list[tuple[CallRow | ToolRow, bool]]) -> None:
    """A row may come again with another session, and may be gone."""
    gaps: dict[str, SessionGaps] = {}
    tally, left = Tally(gaps=gaps), dict[str, CallRow | ToolRow]()
    for row, is_gone in rows:
        tally.add([RowGone(row) if is_gone else row])
        left.pop(row.id, None)
        if not is_gone and not (isinstance(row, CallRow) and row.twin):
            left[row.id] = row
    for session in ("a", "b"):
        alone = Tally()
        alone.add(row for row in left.values() if row.session_id == session)
        expected = SessionGaps(*(getattr(alone.totals, name) for name in SessionGaps.__struct_fields__))
        assert expected == gaps.get(session, SessionGaps())
    known = sum(gaps.values(), SessionGaps())
    assert known == SessionGaps(*(getattr(tally.totals, name) for name in SessionGaps.__struct_fields__))

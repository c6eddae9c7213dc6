"""What comes late amends the rows of what is later, and is told apart from what is too late."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import FrameType
from typing import TYPE_CHECKING, Any

from agentsight_rx.events import Event, FileEvent
from agentsight_rx.store.rows.kind import key_of, table_of
from agentsight_rx.view import AuditRow, CallRow, Fold, ProcessRow, Row, RowGone, SessionRow, ToolRow
from tests.operators import MS
from tests.store.fold.test_tools import bash, gives, wants, wrote
from tests.view.scenes import AGENT, TICK, execs, exits, forks, origin

if TYPE_CHECKING:
    from _typeshed import TraceFunction

SECOND = 1000


def kept(rows: Iterable[Row]) -> list[Row]:
    """What a store has in the end."""
    found: dict[Any, Row] = {}
    for row in rows:
        if isinstance(row, RowGone):
            found.pop((table_of(row.row).name, key_of(row.row)), None)
        else:
            found[table_of(row).name, key_of(row)] = row
    return list(found.values())


def folded(*events: Event) -> list[Row]:
    fold = Fold()
    return kept([row for event in events for row in fold.add(event)] + fold.finish())


def one(kind: type[Any], rows: Iterable[Row], **named: object) -> Any:
    (found,) = [row for row in rows if type(row) is kind and all(getattr(row, name) == value for name, value in named.items())]
    return found


RAN: list[Event] = [forks(10, 42), execs(11, 42, "sh", "-c", "make all", start=10), exits(20, 42, 2, start=10)]


def test_the_program_of_a_tool_is_found_where_it_comes_behind_the_result() -> None:
    rows = folded(execs(1, AGENT, "claude", ppid=1), *wants(2, bash("t", "make all")), gives(30, "t"), *RAN)
    tool = one(ToolRow, rows)
    assert (tool.related_pid, tool.exit_code, tool.link, tool.status) == (42, 2, "argv", "completed")
    assert one(ProcessRow, rows, pid=42).tool_call_id == tool.id


def test_a_tool_is_found_where_it_comes_behind_its_program() -> None:
    rows = folded(execs(1, AGENT, "claude", ppid=1), *RAN, *wants(2, bash("t", "make all")), gives(30, "t"))
    tool = one(ToolRow, rows)
    assert (tool.related_pid, tool.exit_code) == (42, 2)
    assert [tool.id] == [row.tool_id for row in rows if isinstance(row, AuditRow) and row.action == "exit"]


def test_a_file_gets_the_process_and_the_tool_that_come_later() -> None:
    opened = FileEvent(origin(15, 42, None), 10 * TICK, "open", "/src/x")
    rows = folded(execs(1, AGENT, "claude", ppid=1), opened, *RAN, *wants(2, bash("t", "make all")))
    line = one(AuditRow, rows, target="/src/x")
    assert (line.process_id, line.tool_id, line.link) == (one(ProcessRow, rows, pid=42).id, one(ToolRow, rows).id, "lineage")


def test_a_session_made_of_a_process_that_is_not_known_yet_goes_where_its_program_comes() -> None:
    calls = wants(5, bash("t", "make all"))
    rows = folded(*calls, execs(1, AGENT, "claude", ppid=1))
    session = one(SessionRow, rows)
    assert (session.agent, session.calls, session.tools) == ("claude", 1, 1)
    assert {session.id} == {row.session_id for row in rows if isinstance(row, CallRow | ToolRow)}


def test_a_row_is_emitted_again_only_where_it_is_another_one() -> None:
    fold = Fold()
    for event in (execs(1, AGENT, "claude", ppid=1), *wants(2, bash("t", "make all")), wrote(40, AGENT, "/x")):
        fold.add(event)
    late = [row for event in (*RAN, wrote(41, AGENT, "/y")) for row in fold.add(event)]
    assert {"/y"} == {row.target for row in late if isinstance(row, AuditRow) and row.audit_type == "file"}


def test_late_ones_that_come_together_are_read_together() -> None:
    """Their rows come with the next event, or at the next tick."""
    fold = Fold()
    fold.add(wrote(40, AGENT, "/x"))
    assert [[], [], []] == [fold.add(event) for event in RAN]
    assert {42} == {row.pid for row in fold.tick(50 * MS) if isinstance(row, ProcessRow)}
    assert [] == fold.tick(50 * MS)


def test_what_is_too_late_is_read_as_it_comes_and_counted() -> None:
    fold = Fold()
    fold.add(execs(1, AGENT, "claude", ppid=1))
    for event in wants(2, bash("t", "make all")):
        fold.add(event)
    fold.add(wrote(10 * SECOND, AGENT, "/x"))
    rows = fold.add(execs(11, 42, "sh", "-c", "make all", start=10))
    assert (1, {42}) == (fold.too_late, {row.pid for row in rows if isinstance(row, ProcessRow)})


def test_a_clock_that_starts_again_is_followed() -> None:
    """As in a recording that goes on after the machine was started again: what is late there is looked back for again."""
    fold = Fold()
    fold.add(wrote(10_000 * SECOND, AGENT, "/x"))
    for ms in range(70):
        fold.add(wrote(ms, AGENT, f"/{ms}"))
    too_late = fold.too_late
    assert [] == fold.add(execs(60, 42, "late", start=10))
    assert too_late == fold.too_late


def test_what_is_kept_is_bounded_and_later_ones_are_too_late_then() -> None:
    fold = Fold()
    for number in range(40_000):
        fold.add(FileEvent(origin(1, AGENT, None), 0, "open", f"/{number}"))
    assert len(fold.snapshot().window) <= 33_000


def lines_of(count: int) -> int:
    """How many lines of code read so many events of one time."""
    fold, lines = Fold(), 0

    def trace(frame: FrameType, event: str, argument: object) -> TraceFunction:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for number in range(count):
            fold.add(FileEvent(origin(1, AGENT, None), 0, "open", f"/{number % 7}"))
    finally:
        sys.settrace(before)
    return lines


def test_an_event_costs_the_same_however_many_have_its_time() -> None:
    assert lines_of(800) < 2.2 * lines_of(400)


def test_equal_lines_at_one_time_are_numbered_in_any_order() -> None:
    line = FileEvent(origin(5, AGENT, None), 0, "open", "/x")
    rows = folded(line, line, wrote(9, AGENT, "/y"), line)
    ids = [row.id for row in rows if isinstance(row, AuditRow) and row.target == "/x"]
    assert [ids[0], f"{ids[0]}-2", f"{ids[0]}-3"] == ids

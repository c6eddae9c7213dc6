"""The first screen counts the same as the report of each kind, however many rows there are."""

from __future__ import annotations

import pytest

from agentsight_rx.llm.prices import Prices
from agentsight_rx.store.rows.tables import AUDIT
from agentsight_rx.store.state import MemoryStore
from agentsight_rx.view import AuditRow, NetworkRow, ProcessRow, Row, SessionRow
from agentsight_rx.view.queries import Selection
from agentsight_rx.view.queries.effects.causes import Causes, within
from agentsight_rx.view.queries.effects.files import file_uses
from agentsight_rx.view.queries.effects.work import files_touched
from agentsight_rx.view.queries.sessions.summary import read_summary
from agentsight_rx.view.queries.sessions.verdict import read_outcome
from tests.view.queries.rows import stored

_LINES = 5_003  # more than were once looked at


def written(number: int, session: str | None) -> AuditRow:
    """A line of the audit trail."""
    return AuditRow(
        f"audit-{number:05}", number, "file", action="close", target=f"/w/{number}", session_id=session,
        details={"written_bytes": 1},
    )  # fmt: skip


def session(name: str, ended_ms: int) -> SessionRow:
    return SessionRow(name, 1, end_timestamp_ms=ended_ms)


def rows(sessions: int) -> list[Row]:
    """A session that wrote 7 files, and behind it many lines about files, of another session or of none."""
    first = [written(number, "one") for number in range(7)]
    rest = [written(number, "two" if sessions == 2 else None) for number in range(7, _LINES)]
    last = [session("two", 5)] if sessions == 2 else []
    return [session("one", 9_000), *last, *first, *rest]


def by_report(store: MemoryStore, selection: Selection) -> int:
    causes = Causes(store)
    return len(file_uses(within(store, AUDIT, selection, causes, kind="file"), causes).of("written"))


@pytest.mark.parametrize(("sessions", "expected"), [(1, _LINES), (2, 7)])
def test_files_are_those_of_the_report_of_files(sessions: int, expected: int) -> None:
    store = stored(*rows(sessions))
    asked = Selection(sessions=frozenset({"one"})) if sessions == 2 else Selection()
    found = read_summary(store, Selection(), Prices())
    assert (len(found.files.written), by_report(store, asked), found.cut) == (expected, expected, ())


def test_the_line_behind_a_run_counts_all_files() -> None:
    outcome = read_outcome(stored(*rows(1)), Prices(), since_ms=0)
    assert [clause.text for clause in outcome.verdict.did] == [f"edited {_LINES:,} files"]


def test_peers_are_all_counted() -> None:
    many = [NetworkRow(f"net-{number}", 1, f"host-{number}", session_id="one", count=1) for number in range(_LINES)]
    assert len(read_summary(stored(session("one", 9), *many), Selection(), Prices()).peers) == _LINES


@pytest.mark.parametrize("sessions", [1, 2])
def test_peers_of_processes_before_their_first_call_are_there(sessions: int) -> None:
    """Codex connects before it asks: the row has no session."""
    agent = ProcessRow("p1", 1, start_timestamp_ms=1)
    early = NetworkRow("net-1", 1, "1.2.3.4:443", process_id="p1", count=1)
    nscd = NetworkRow("net-2", 1, "/var/run/nscd/socket", process_id="p1", count=9, error_count=9)
    mine = SessionRow("one", 1, end_timestamp_ms=9, process_id="p1")
    others: list[Row] = [
        session("two", 5),
        ProcessRow("p2", 2, start_timestamp_ms=1),
        NetworkRow("net-3", 2, "5.6.7.8:1", process_id="p2"),
    ]
    found = read_summary(stored(agent, early, nscd, mine, *(others if sessions == 2 else [])), Selection(), Prices())
    assert [(peer.host, peer.is_absent) for peer in found.peers] == [("1.2.3.4:443", False), ("/var/run/nscd/socket", True)]


def test_operations_on_too_many_files_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentsight_rx.view.queries.effects.work._PATHS_MOST", 5)
    found = files_touched(written(number, None) for number in range(8))
    assert (len(found.written), found.uncounted) == (5, 3)

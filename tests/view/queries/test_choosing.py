"""Times as people write them, and the part of a store that flags choose."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from agentsight_rx.cli.report.shown.ask import Flags
from agentsight_rx.errors import UsageError
from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.rows.tables import CALLS, PROCESSES, TOOLS
from agentsight_rx.store.state import MemoryStore
from agentsight_rx.view import CallRow, ProcessRow, SessionRow, ToolRow
from agentsight_rx.view.queries import Selection
from agentsight_rx.view.queries.choosing import moment_of, selection_of
from agentsight_rx.view.queries.reading import selected

NOW = datetime.fromisoformat("2026-11-27T18:30:00+01:00")
NOW_MS = round(NOW.timestamp() * 1000)


@pytest.fixture(autouse=True)
def paris(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-27T18:00:00Z", "2026-11-27T19:00:00+01:00"),
        ("2026-11-27T18:00:00.250+02:00", "2026-11-27T17:00:00.250+01:00"),
        ("2026-11-27 18:00", "2026-11-27T18:00:00+01:00"),
        ("2026-11-27", "2026-11-27T00:00:00+01:00"),
        ("2026-07-01", "2026-07-01T00:00:00+02:00"),
        ("now", "2026-11-27T18:30:00+01:00"),
        ("today", "2026-11-27T00:00:00+01:00"),
        ("yesterday", "2026-11-26T00:00:00+01:00"),
        ("9:05", "2026-11-27T09:05:00+01:00"),
        ("14:30:10", "2026-11-27T14:30:10+01:00"),
        ("2h", "2026-11-27T16:30:00+01:00"),
        ("-30m", "2026-11-27T18:00:00+01:00"),
        ("1.5h ago", "2026-11-27T17:00:00+01:00"),
        ("1d", "2026-11-26T18:30:00+01:00"),
    ],
)
def test_a_time_is_understood(text: str, meant: str) -> None:
    assert moment_of(text, "--since", now_ms=NOW_MS) == round(datetime.fromisoformat(meant).timestamp() * 1000)


@pytest.mark.parametrize("text", ["soon", "", "25:00", "2026-13-01", "99999999d", "-", "h"])
def test_another_text_is_an_error_that_says_what_is_expected(text: str) -> None:
    with pytest.raises(UsageError, match="is no time; expected such as 2h"):
        moment_of(text, "--since", now_ms=NOW_MS)


def test_an_end_before_its_begin_is_an_error() -> None:
    with pytest.raises(UsageError, match="is not before --until"):
        selection_of(Flags(since="1h", until="2h"), MemoryStore(), now_ms=NOW_MS)


def store() -> MemoryStore:
    made = MemoryStore()
    for number, (session, agent) in enumerate([("aa1", "claude"), ("ab2", "codex"), ("b3", "claude")], 1):
        at = number * 100
        rows = (
            SessionRow(session, at, end_timestamp_ms=at + 50, agent=agent, comm="node", pid=number),
            CallRow(f"llm-{number}", at, pid=number, session_id=session),
            ToolRow(f"tool-llm-{number}-t", at + 10, f"llm-{number}", "t", "Bash", session_id=session, related_pid=number + 10),
            ProcessRow(f"process-{number}", number, start_timestamp_ms=at, end_timestamp_ms=at + 150, command="x"),
        )
        made.commit([put(row) for row in rows])
    return made


@pytest.mark.parametrize(
    ("flags", "sessions"),
    [
        (Flags(session="a"), {"aa1", "ab2"}),
        (Flags(session="b3"), {"b3"}),
        (Flags(session="newest"), {"b3"}),
        (Flags(agent="claude"), {"aa1", "b3"}),
        (Flags(agent="node", session="a"), {"aa1", "ab2"}),
    ],
)
def test_sessions_are_chosen_by_the_begin_of_their_ids_and_by_agents(flags: Flags, sessions: set[str]) -> None:
    chosen = selection_of(flags, store(), now_ms=NOW_MS)
    assert chosen.sessions == frozenset(sessions)
    assert {row.session_id for row in selected(store(), CALLS, chosen)} == sessions
    assert {row.session_id for row in selected(store(), TOOLS, chosen)} == sessions


@pytest.mark.parametrize("flags", [Flags(session="zz"), Flags(agent="gemini")])
def test_a_session_that_is_not_there_is_an_error_that_names_those_that_are(flags: Flags) -> None:
    with pytest.raises(UsageError, match=r"no session fits .*; there are .*(claude|aa1)"):
        selection_of(flags, store(), now_ms=NOW_MS)


def test_calls_belong_to_the_time_in_which_they_began_and_processes_to_all_in_which_they_ran() -> None:
    part = Selection(since_ms=200, until_ms=300)
    assert [row.id for row in selected(store(), CALLS, part)] == ["llm-2"]
    assert [row.pid for row in selected(store(), PROCESSES, part)] == [1, 2]


def test_a_tool_belongs_to_the_process_that_asked_and_to_the_one_that_ran() -> None:
    assert [row.id for row in selected(store(), TOOLS, Selection(pid=12))] == ["tool-llm-2-t"]


def test_the_newest_of_a_selection_are_those_of_it() -> None:
    part = Selection(sessions=frozenset({"aa1", "ab2"}), limit=1)
    assert [row.id for row in selected(store(), CALLS, part)] == ["llm-2"]

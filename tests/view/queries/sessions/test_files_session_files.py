"""Session files beside the sessions of a recording."""

from __future__ import annotations

from typing import Any

from agentsight_rx.events import Usage
from agentsight_rx.store.rows.tables import REMOVED, RUNS, Recording, Removed
from agentsight_rx.store.state import MemoryStore, Put
from agentsight_rx.view import CallRow, ProcessRow, Row, SessionRow
from agentsight_rx.view.queries.sessions.compare import SessionComparison, compare_sessions
from agentsight_rx.view.queries.sessions.files import is_of_recording, match_files
from agentsight_rx.view.transcripts import Transcript, TranscriptCall, TranscriptTool
from agentsight_rx.view.transcripts.matching import Located
from tests.view.queries.rows import AGENT, SHELL, did, stored

PATH = "/home/ada/.claude/projects/x/abc.jsonl"
PROCESS = ProcessRow(AGENT, 1, 0, start_timestamp_ms=900, end_timestamp_ms=9000, cwd="/src", comm="claude", agent="claude")
BELOW = ProcessRow(SHELL, 2, 1, start_timestamp_ms=1000, end_timestamp_ms=8000, comm="sh")
SESSION = SessionRow("s", 1000, 8000, agent="claude", pid=1, process_id=AGENT, cwd="/src")


def file(id: str, *, path: str = PATH, **more: Any) -> Located:
    made: dict[str, Any] = {"agent": "claude", "session_id": id, "cwd": "/elsewhere", "start_ms": 1000, "end_ms": 8000, **more}
    return Located(path, Transcript(**made))


def matched(store: MemoryStore, *files: Located) -> list[tuple[str | None, list[str]]]:
    return [
        (each.match.method if each.match else None, [row.id for row in each.sessions]) for each in match_files(store, files)
    ]


def compared(store: MemoryStore, *files: Located) -> list[SessionComparison]:
    return list(compare_sessions(store, match_files(store, files)))


def named(id: str, *, at: int = 1000) -> SessionRow:
    return SessionRow(id, at, at + 500, agent="claude", process_id=AGENT, named=True)


def call(id: str, at: int, session: str, **more: Any) -> CallRow:
    return CallRow(id, at, at + 100, session_id=session, model="m", status="complete", **more)


def wrote(id: str, at: int) -> TranscriptCall:
    return TranscriptCall(id=id, model="m", usage=Usage(1, 1), time_ms=at)


def test_a_session_that_its_calls_name_is_that_of_the_file_with_its_id() -> None:
    assert matched(stored(PROCESS, named("abc")), file("abc"), file("other", path="/o.jsonl")) == [
        ("session_id", ["abc"]),
        (None, []),
    ]


def test_a_conversation_that_its_calls_name_is_one_too() -> None:
    row = SessionRow("made up", 1000, agent="claude", process_id=AGENT, conversation_id="abc")
    assert matched(stored(PROCESS, row), file("abc")) == [("session_id", ["made up"])]


def test_a_file_that_a_process_below_the_agent_used_is_that_of_its_session() -> None:
    used = did("close", PATH, 1200)
    assert matched(stored(PROCESS, BELOW, SESSION, used), file("abc")) == [("file", ["s"])]


def test_a_file_that_could_not_be_opened_was_not_used() -> None:
    assert matched(stored(PROCESS, BELOW, SESSION, did("open", PATH, 1200, errno=2)), file("abc")) == [(None, [])]


def test_else_the_directory_at_the_same_time_decides() -> None:
    assert matched(stored(PROCESS, SESSION), file("abc", cwd="/src")) == [("cwd", ["s"])]
    assert matched(stored(PROCESS, SESSION), file("abc", cwd="/src", start_ms=90_000, end_ms=95_000)) == [(None, [])]


def test_without_the_process_the_time_of_the_session_counts() -> None:
    assert matched(stored(SESSION), file("abc", cwd="/src")) == [("cwd", ["s"])]


def test_each_of_a_process_s_sessions_has_its_own_file() -> None:
    store = stored(PROCESS, named("abc"), named("def", at=3000))
    assert matched(store, file("def", path="/d.jsonl"), file("abc")) == [("session_id", ["def"]), ("session_id", ["abc"])]


def test_an_agent_of_which_no_call_was_seen_has_its_file_and_all_of_it_is_missing() -> None:
    wrapper = ProcessRow("process-9-0", 9, 0, start_timestamp_ms=800, comm="claude", agent="claude")
    agent = ProcessRow(AGENT, 1, 9, start_timestamp_ms=900, comm="claude", agent="claude")
    store = stored(wrapper, agent, did("close", PATH, 1200, process=AGENT))
    (found,) = match_files(store, [file("abc", calls=(wrote("a", 1500),), tools=(TranscriptTool(id="t", time_ms=1600),))])
    assert found.match is not None
    assert (found.match.tree_id, found.sessions) == ("process-9-0", ())
    (difference,) = compare_sessions(store, [found])
    assert (difference.sessions, difference.name, len(difference.calls_only_file)) == ((), "abc", 1)
    assert [tool.id for tool in difference.tools_only_file] == ["t"]


def test_files_of_a_recording_are_known_by_the_id_in_their_name_or_by_their_use() -> None:
    is_own = is_of_recording(stored(PROCESS, named("abc"), did("close", "/used.jsonl")))
    assert [is_own(path) for path in (PATH, "/used.jsonl", "/other.jsonl")] == [True, True, False]


def test_only_what_was_written_in_a_recording_that_saw_the_session_is_missing() -> None:
    rows: tuple[Row, ...] = (PROCESS, named("abc", at=1000), call("c1", 1100, "abc", response_id="a"))
    store = stored(*rows)
    store.commit([Put(RUNS, 1, Recording(1, 1000, 2000)), Put(RUNS, 2, Recording(2, 900_000, 950_000))])
    mine = file("abc", calls=(wrote("a", 1200), wrote("b", 1300), wrote("early", 10), wrote("late", 910_000)))
    (found,) = compared(store, mine)
    assert ([pair.id for pair in found.calls], [each.id for each in found.calls_only_file]) == (["c1"], ["b"])
    assert found.outside == 2


def test_what_retention_took_out_is_not_missing() -> None:
    store = stored(PROCESS, named("abc", at=1000), call("c1", 1400, "abc", response_id="b"))
    store.commit([Put(RUNS, 1, Recording(1, 1000, 2000)), Put(REMOVED, 0, Removed(1350))])
    (found,) = compared(store, file("abc", calls=(wrote("a", 1200), wrote("b", 1450))))
    assert (found.calls_only_file, found.outside, len(found.calls)) == ((), 1, 1)


def test_the_newest_session_comes_first() -> None:
    store = stored(PROCESS, named("abc"), named("def", at=3000))
    assert [each.name for each in compared(store, file("abc"), file("def", path="/d.jsonl"))] == ["def", "abc"]

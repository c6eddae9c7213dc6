"""What agents wrote down themselves becomes sessions, calls and tools, each once, and nothing that only the kernel sees."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.events import Event, Origin, SessionEntry, ToolCall, Usage, Witness
from agentsight_rx.operators import materialize
from agentsight_rx.store.fold.fold import Fold, FoldState
from agentsight_rx.store.rows.kinds import SAID, AnyRow, CallRow, RowGone, SessionRow, TokenRow, ToolRow
from tests.operators import run

SECOND = 1_000_000_000
BASH = ToolCall("t1", "Bash", '{"command":"make"}')
READ = ToolCall("t2", "Read", '{"file_path":"/a"}')


def entry(second: int, kind: Any, id: str = "", **more: Any) -> SessionEntry:
    at = 1_700_000_000 * SECOND + second * SECOND
    more = {"session": "s1", "agent": "claude", **more}
    return SessionEntry(Origin(0, 0, comm="claude", wall_ns=at), kind=kind, id=id, **more)


def in_order(entries: Iterable[SessionEntry]) -> list[SessionEntry]:
    """As the source numbers them."""
    return [
        msgspec.structs.replace(each, origin=msgspec.structs.replace(each.origin, time_ns=number * SECOND // 10))
        for number, each in enumerate(entries, 1)
    ]


STORY = [
    entry(0, "session", folder="/work/shop", branch="main", version="2.1.4"),
    entry(1, "prompt", text="<system-reminder>x</system-reminder>\nMend it"),
    entry(3, "answer", "m1", model="claude-4", usage=Usage(10, 1), thinking="Hm", provider="anthropic"),
    entry(4, "answer", "m1", model="claude-4", usage=Usage(10, 20), thinking="Hm", text="I will", tools=(BASH,)),
    entry(5, "answer", "m1", model="claude-4", usage=Usage(10, 25), thinking="Hm", text="I will", tools=(READ,)),
    entry(7, "result", "t1", text="no rule to make", is_error=True),
    entry(8, "result", "t2", text="the file"),
    entry(10, "answer", "m2", model="claude-4", usage=Usage(40, 5, cache_read=100), text="Done."),
]


def known(entries: Iterable[SessionEntry]) -> dict[str, Any]:
    """The newest row of each id."""
    rows: dict[str, Any] = {}
    events: list[Event] = [Witness(Origin(0, 0), SAID), *in_order(entries)]
    for row in run(materialize(), events):
        if isinstance(row, RowGone):
            rows.pop(row.row.id, None)
        elif isinstance(row, AnyRow):
            rows[row.id] = row
    return rows


def of(kind: type[Any], rows: dict[str, Any]) -> list[Any]:
    return [row for row in rows.values() if isinstance(row, kind)]


def test_a_session_of_a_file_has_its_calls_tools_and_tokens() -> None:
    rows = known(STORY)
    (session,) = of(SessionRow, rows)
    assert ("claude", "/work/shop", "main", "2.1.4") == (session.agent, session.cwd, session.branch, session.agent_version)
    assert ("Mend it", 2, 2, 1) == (session.title, session.calls, session.tools, session.failed_tools)
    assert (50, 30, 100) == (session.input_tokens, session.output_tokens, session.cache_read_tokens)
    assert session.duration_ms == 10_000
    first, second = of(CallRow, rows)
    assert ("Mend it", "I will", "Hm", 2) == (first.prompt, first.text, first.thinking, first.tools)
    assert ("anthropic", "claude-4", "complete", 1, 2) == (
        first.provider,
        first.model,
        first.status,
        first.turn,
        second.turn,
    )
    assert (2_000, 4_000) == (
        (first.end_timestamp_ms - first.start_timestamp_ms) - 2_000,
        first.end_timestamp_ms - first.start_timestamp_ms,
    )
    assert ("", 2, "Done.") == (second.prompt, second.new_results, second.text)
    assert {25, 5} == {row.output_tokens for row in of(TokenRow, rows)}
    bash, read = of(ToolRow, rows)
    assert ("failed", "no rule to make", "completed", "the file") == (bash.status, bash.output, read.status, read.output)
    assert (3_000, None, None) == (bash.duration_ms, bash.pid, bash.exit_code)


def test_each_row_says_that_the_agent_said_it() -> None:
    rows = known(STORY).values()
    assert {SAID} == {row.view_source for row in rows}
    for row in rows:  # what only the kernel sees
        assert not [name for name in ("pid", "process_id", "exit_code", "related_pid") if getattr(row, name, None) is not None]


def test_a_session_that_goes_on_from_another_file_counts_its_old_answers_once() -> None:
    again = [msgspec.structs.replace(each, session="s2") for each in STORY]
    rows = known([*STORY, *again, entry(20, "prompt", text="More", session="s2"), entry(21, "answer", "m3", session="s2")])
    assert [2, 1] == [session.calls for session in of(SessionRow, rows)]
    assert 3 == len(of(CallRow, rows))


def test_the_same_id_of_two_agents_or_of_a_server_that_numbers_its_answers_is_no_copy() -> None:
    other = [msgspec.structs.replace(each, session="s2", agent="pi") for each in STORY]
    assert [2, 2] == [session.calls for session in of(SessionRow, known([*STORY, *other]))]
    local = [
        entry(1, "answer", "chatcmpl-17", model="qwen", text="one"),
        entry(2, "answer", "chatcmpl-17", model="qwen", text="two"),
        entry(3, "answer", "chatcmpl-17", model="qwen", text="three", session="s2"),
    ]
    copied = [msgspec.structs.replace(each, session="s3") for each in local[:2]]
    rows = known([*local, *copied])
    assert ["one", "two", "three"] == [call.text for call in of(CallRow, rows)]
    assert rows == known([*local, *copied, *local])


def test_a_file_that_is_read_anew_says_the_same() -> None:
    assert known(STORY) == known([*STORY, *STORY])


def test_tools_of_sessions_have_ids_of_their_own() -> None:
    """Some agents count their tools from one in each session."""
    asked = [entry(2, "answer", f"m-{name}", session=name, tools=(BASH,)) for name in ("a", "b")]
    rows = known([*asked, entry(5, "result", "t1", text="of a", session="a")])
    assert ["of a", ""] == [tool.output for tool in of(ToolRow, rows)]


def test_a_sub_agent_is_one_of_its_session() -> None:
    sub = [
        entry(6, "prompt", text="Look", thread="x1"),
        entry(7, "answer", "m9", thread="x1"),
        entry(8, "answer", "m10", thread="x1"),
    ]
    rows = known([*STORY, *sub])
    (session,) = of(SessionRow, rows)
    assert (1, 4) == (session.sub_agents, session.calls)
    assert ["x1", "x1"] == [call.agent_id for call in of(CallRow, rows) if call.agent_id]
    assert session.title == "Mend it"


def test_notes_stand_at_the_answer_behind_them() -> None:
    rows = known([*STORY, entry(11, "note", text="compacted"), entry(12, "answer", "m3")])
    assert "the agent had compacted its context" == of(CallRow, rows)[-1].note


def test_a_session_has_a_mark_while_its_file_is_gone() -> None:
    def marked(*notes: str) -> list[bool]:
        rows = known([*STORY, *(entry(0, "note", text=note) for note in notes), entry(0, "note", text="gone", session="s2")])
        return [session.file_gone for session in of(SessionRow, rows)]

    assert ([True], [False], [False]) == (marked("gone"), marked("gone", "returned"), marked("returned"))


@pytest.mark.parametrize("kind", ["session", "prompt", "answer", "result", "note", "sum"])
def test_an_entry_alone_breaks_nothing(kind: str) -> None:
    known([msgspec.structs.replace(entry(0, kind), origin=Origin(0, 0))])


@given(st.lists(st.integers(0, len(STORY)), max_size=4))
def test_a_fold_that_is_saved_and_restored_makes_the_same_rows(cuts: list[int]) -> None:
    fold, rows = Fold(), list[Any]()
    for place, event in enumerate(in_order(STORY)):
        if place in cuts:
            state = msgspec.msgpack.decode(msgspec.msgpack.encode(fold.snapshot()), type=FoldState)
            fold = Fold()
            fold.restore(state)
        rows += fold.add(event)
    whole = Fold()
    assert [row for event in in_order(STORY) for row in whole.add(event)] == rows


def test_a_session_goes_on_behind_thousands_of_others() -> None:
    others = [entry(9, "session", session=f"other-{number}", text="x") for number in range(5000)]
    rows = known([*STORY, *others, entry(20, "answer", "m9", model="claude-4", usage=Usage(1, 1))])
    (session,) = [row for row in of(SessionRow, rows) if row.id == "s1"]
    assert ("Mend it", 3) == (session.title, session.calls)


def test_a_prompt_that_waits_for_its_answer_is_one_also_where_its_file_is_read_anew() -> None:
    begun = [entry(0, "session"), entry(1, "prompt", text="Mend it"), entry(2, "prompt", text="Now")]
    rows = known([*begun, *begun, entry(3, "prompt", text="Now"), entry(4, "answer", "m1")])
    assert ["Mend it\n\nNow\n\nNow"] == [call.prompt for call in of(CallRow, rows)]

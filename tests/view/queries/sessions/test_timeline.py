"""One list in time."""

from __future__ import annotations

import errno

from agentsight_rx.view import AuditRow, CallRow, ProcessRow, ToolRow
from agentsight_rx.view.queries.sessions.timeline import Moment, timeline_of
from tests.view.queries.rows import BASE, causes, did, reached


def moments(*audits: AuditRow, idle_ms: int = 5000) -> tuple[Moment, ...]:
    calls = [row for row in BASE if isinstance(row, CallRow)]
    tools = [row for row in BASE if isinstance(row, ToolRow)]
    programs = [row for row in BASE if isinstance(row, ProcessRow)]
    return timeline_of(calls, tools, programs, audits, causes=causes(), idle_ms=idle_ms)


def test_everything_stands_in_order_with_its_offset() -> None:
    found = moments(did("mkdir", "/a", 2300), reached("connect", "1.1.1.1:80", 1500))
    assert [(each.offset_ms, each.kind) for each in found] == [
        (0, "program"),
        (900, "prompt"),
        (900, "call"),
        (1400, "connection"),
        (1900, "answer"),
        (1900, "tool"),
        (2000, "program"),
        (2200, "file"),
    ]
    assert [each.turn for each in found] == [0, 3, 3, 3, 3, 3, 3, 3]


def test_what_it_was_and_how_it_ended() -> None:
    by_kind = {each.kind: each for each in moments()}
    assert (by_kind["prompt"].text, by_kind["call"].text, by_kind["answer"].text) == ("fix it", "m", "I run it")
    assert (by_kind["call"].duration_ms, by_kind["tool"].text, by_kind["tool"].duration_ms) == (1000, "Bash make", 600)
    assert (by_kind["program"].text, by_kind["program"].detail, by_kind["program"].status) == ("sh -c make", "exit 2", "failed")


def test_a_file_written_in_pieces_is_one_moment() -> None:
    rows = [did("close", "/a", 2300 + part, written_bytes=5) for part in range(3)]
    files = [each for each in moments(*rows) if each.kind == "file"]
    assert [(each.text, each.detail, each.offset_ms) for each in files] == [("write /a", "15 bytes", 2200)]


def test_reads_are_not_in_it() -> None:
    assert len(moments()) == len(moments(did("open", "/a", flags=0), did("close", "/a", read_bytes=4)))


def test_a_failed_effect_says_why() -> None:
    (file,) = [each for each in moments(did("unlink", "/a", errno=errno.EACCES)) if each.kind == "file"]
    assert (file.status, file.detail) == ("failed", "Permission denied")


def test_where_nothing_was_under_way_stands_how_long() -> None:
    found = moments(did("mkdir", "/a", 9000))
    idle = [(each.offset_ms, each.duration_ms) for each in found if each.kind == "idle"]
    assert idle == [(2500, 6400)]
    assert [each.kind for each in found][-2:] == ["idle", "file"]


def test_a_call_under_way_is_not_idle() -> None:
    slow = CallRow("llm-2", 0, 9000, model="m", status="complete", text="done")
    found = timeline_of([slow], (), (), [did("mkdir", "/a", 9500)], causes=causes(slow))
    assert [each.kind for each in found] == ["call", "answer", "file"]


def test_a_call_of_which_something_is_missing_says_what() -> None:
    cut = CallRow("llm-2", 0, 9000, model="m", status="partial", reason="gap")
    (call,) = timeline_of([cut], (), (), (), causes=causes(cut))
    assert (call.status, call.detail) == ("missing", "gap")


def test_of_nothing_there_is_nothing() -> None:
    assert timeline_of((), (), (), (), causes=causes()) == ()

from __future__ import annotations

from typing import Any

import pytest

from agentsight_rx.errors import UsageError
from agentsight_rx.events import Direction, HttpEvent, HttpRequest, Origin, TlsChunk, TlsClose, TlsEvent, TlsHandshake
from agentsight_rx.loss import Reason
from agentsight_rx.operators import drop_marked, filter_tls, parse_http

from . import CONNECTION, Running, Wire, run


def chunk(data: bytes = b"", direction: Direction = "in", **fields: Any) -> TlsChunk:
    origin = Origin(1_700_000_000_000_000_001, 42, 43, 1000, "claude", 0, CONNECTION, direction)
    return TlsChunk(origin, data, 0, 0, **fields)


def matches(rule: str, event: TlsChunk) -> bool:
    (marked,) = run(filter_tls(rule), [event])
    assert isinstance(marked, TlsChunk)
    return marked.marked


def test_the_end_of_a_chunked_body_is_matched_by_its_bytes() -> None:
    assert matches(r"data=0\r\n\r\n", chunk(b"0\r\n\r\n"))
    assert not matches(r"data=0\r\n\r\n", chunk(b"10\r\n\r\n"))


def test_conditions_joined_by_and_must_all_match() -> None:
    rule = "data~chunked&function=READ/RECV"
    assert matches(rule, chunk(b"is chunked", "in"))
    assert not matches(rule, chunk(b"is chunked", "out"))
    assert not matches(rule, chunk(b"is not", "in"))


@pytest.mark.parametrize(
    ("rule", "size", "direction", "expected"),
    [
        ("len<10", 5, "in", True),
        ("len<10", 10, "in", False),
        ("len<=10", 10, "in", True),
        ("len!=10", 10, "in", False),
        ("len<10|len>1000", 5, "in", True),
        ("len<10|len>1000", 2000, "in", True),
        ("len<10|len>1000", 50, "in", False),
        ("(len<10|len>1000)&function=READ/RECV", 5, "in", True),
        ("(len<10|len>1000)&function=READ/RECV", 5, "out", False),
        ("len<10|len>1000&function=READ/RECV", 5, "out", True),  # & binds tighter
        ("len<10|len>1000&function=READ/RECV", 2000, "out", False),
        ("(((len<10)))", 5, "in", True),
    ],
)
def test_lengths(rule: str, size: int, direction: Direction, expected: bool) -> None:
    assert matches(rule, chunk(b"x" * size, direction)) is expected


def test_the_length_is_that_of_the_call_captured_or_not() -> None:
    assert matches("len=7", chunk(b"abc", lost=4))


@pytest.mark.parametrize(
    ("rule", "lost", "expected"),
    [("truncated=true", 1, True), ("truncated=true", 0, False), ("truncated!=true", 1, False), ("truncated=false", 0, True)],
)
def test_truncated(rule: str, lost: int, expected: bool) -> None:
    assert matches(rule, chunk(b"x", lost=lost)) is expected


@pytest.mark.parametrize(
    ("data", "binary"),
    [
        (b"\0\1", True),
        (b"\x1b[31m", True),
        ("\x85".encode(), True),
        (b"\x85", True),
        (b"\x7f", True),
        (b"HTTP/1.1 200 OK\r\n\t", False),
        ("Wörld 模".encode(), False),
        (b"\xff", False),
        (b"", False),
    ],
)
def test_what_has_control_characters_is_binary(data: bytes, binary: bool) -> None:
    assert matches("data.type=binary", chunk(data)) is binary
    assert matches("data.type=text", chunk(data)) is not binary


@pytest.mark.parametrize(
    ("rule", "data"),
    [
        ("data~foo=bar", b"xfoo=bary"),
        ("data~a!=b", b"a!=b"),
        ("data=a>=b", b"a>=b"),
        ("data~( | len<0", b"(x"),
        ("data~( | len<5", b"abc"),
        ("data~é|len<0", "é".encode()),
        (r" data=\n ", b"\n"),
        (r"data=a\|b\&c\(d\)", b"a|b&c(d)"),
        (r"data=\"\\\t", b'"\\\t'),
        (r"data=\x\\", rb"\x" + b"\\"),
        ("data=a\\", b"a\\"),
    ],
)
def test_a_value_runs_to_the_next_mark_and_may_escape_it(rule: str, data: bytes) -> None:
    assert matches(rule, chunk(data))


def test_a_value_with_marks_in_other_places_does_not_match_elsewhere() -> None:
    assert not matches("data~foo=bar", chunk(b"bar"))
    assert not matches("data=a>=b", chunk(b"b"))


@pytest.mark.parametrize("rule", ["", " ", "|", "&", " | & ", "()", "function", "pid=abc", "len=5.5", "len=x", "len<nan"])
def test_what_says_nothing_never_matches(rule: str) -> None:
    assert not matches(rule, chunk(b"x" * 5))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("pid=42", True),
        ("tid=43", True),
        ("uid>=1000", True),
        ("comm=claude", True),
        ("comm=Claude", False),
        ("comm~aud", True),
        ("comm!=claude", False),
        ("function~WRITE", False),
        ("timestamp_ns=1700000000000000001", True),
        ("timestamp_ns=1700000000000000000", False),
        ("timestamp_ns>1700000000000000000", True),
    ],
)
def test_where_a_record_comes_from(rule: str, expected: bool) -> None:
    assert matches(rule, chunk(b"x")) is expected


def test_latency() -> None:
    assert not matches("latency_ms>1.5", chunk(latency_ns=1_500_000))
    assert matches("latency_ms>1.5", chunk(latency_ns=1_501_000))
    assert matches("latency_ms=1.501", chunk(latency_ns=1_501_000))


def test_a_record_is_marked_if_one_of_several_rules_matches() -> None:
    marked = run(filter_tls("len=1", "len=2"), [chunk(b"x" * size) for size in (1, 2, 3)])
    assert [event.marked for event in marked if isinstance(event, TlsChunk)] == [True, True, False]


def test_without_a_rule_and_for_other_events_nothing_changes() -> None:
    other: list[TlsEvent] = [TlsHandshake(chunk().origin), TlsClose(chunk().origin)]
    assert run(filter_tls(), [chunk(b"x")]) == [chunk(b"x")]
    assert run(filter_tls("pid=42"), other) == other


# -- dropping behind the reassembly -----------------------------------------------------------------------------------------


def test_marked_records_still_take_part_in_reassembly() -> None:
    wire = Wire()
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    records = [wire.writes(head + b"2\r\nhi\r\n"), wire.writes(b"0\r\n\r\n")]
    made = run(drop_marked(), run(parse_http(), run(filter_tls(r"data=0\r\n\r\n"), records)))
    assert [(event.body, event.complete) for event in made if isinstance(event, HttpRequest)] == [(b"hi", True)]


def test_marked_records_that_are_no_http_are_dropped_and_counted() -> None:
    running: Running[HttpEvent, HttpEvent] = Running(drop_marked())
    assert running.feed(chunk(b"\0", marked=True), chunk(b"\0")) == [chunk(b"\0")]
    (meter,) = running.engine.ledger
    assert meter.lost(Reason.FILTERED) == 1


# -- errors -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "marked", "says"),
    [
        ("len<5 | lne>1", "lne>1", "did you mean len?"),
        ("  dat=x", "dat=x", "did you mean data?"),
        ("truncated=yes", "=yes", "write =true, =false, !=true or !=false"),
        ("len<1&truncated>true", ">true", "write =true"),
        ("data>5", ">5", "text is compared by = != or ~"),
        ("(len~5)", "~5)", "a number is compared by"),
        ("len<5)", ")", "nothing opened"),
        ("(len<5 | (pid=1)", "(len<5 | (pid=1)", "nothing closes"),
        ("pid=1 | (len<5", "(len<5", "nothing closes"),
        ("(len<5) pid=1", "pid=1", "write '&' or '|'"),
        ("len<5 | bogus", "bogus", "unknown field 'bogus'"),
        ("=5", "=5", "unknown field ''"),
        ("is_handshake=true", "is_handshake=true", "unknown field"),
    ],
)
def test_an_error_points_at_the_place(rule: str, marked: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        filter_tls(rule)
    what, shown, caret = str(caught.value).split("\n")
    assert says in what
    assert shown == f"  {rule}"
    assert shown[caret.index("^") :] == marked
    assert caret.strip() == "^"


def test_a_rule_of_nothing_but_parentheses_is_an_error() -> None:
    with pytest.raises(UsageError, match="too many parentheses"):
        filter_tls("(" * 5000)

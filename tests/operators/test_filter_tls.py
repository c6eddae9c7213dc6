from __future__ import annotations

from typing import Any

import pytest

from agentsight_rx.errors import UsageError
from agentsight_rx.events import (
    Direction,
    HttpEvent,
    HttpRequest,
    Loss,
    Origin,
    Tick,
    TlsChunk,
    TlsClose,
    TlsEvent,
    TlsHandshake,
)
from agentsight_rx.events.loss import Reason, RuleCounts
from agentsight_rx.operators import drop_marked, filter_tls, parse_http
from tests.operators import CONNECTION, Running, Wire, run


def chunk(data: bytes = b"", direction: Direction = "in", **fields: Any) -> TlsChunk:
    origin = Origin(1_700_000_000_000_000_001, 42, 43, 1000, "claude", 0, CONNECTION, direction)
    return TlsChunk(origin, data, 0, 0, **fields)


def handshake() -> TlsHandshake:
    return TlsHandshake(chunk().origin, 2_000_000)


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
    own: list[TlsEvent] = [chunk(b"x"), handshake()]
    other: list[TlsEvent] = [TlsClose(chunk().origin), Loss(chunk().origin, "tls", Reason.KERNEL_LOST, 1), Tick(chunk().origin)]
    assert run(filter_tls(), own) == own
    assert run(filter_tls("pid=42"), other) == other


# -- what the original cannot say -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "data", "expected"),
    [
        ("!data=abc", b"abd", True),
        ("!data=abc", b"abc", False),
        ("!(data~a | len>9) & pid=42", b"b", True),
        ("!(data~a | len>9) & pid=42", b"ba", False),
        ("!()", b"", True),
        ('data="a|b & (c"', b"a|b & (c", True),
        (r'data="\x00\xff"', b"\0\xff", True),
        (r'data~"\xa9"', "é".encode(), True),
        ("data=~/^GET .*HTTP/", b"GET / HTTP/1.1", True),
        ("data=~/^get/", b"GET / HTTP/1.1", False),
        ("data=~/^get/i", b"GET / HTTP/1.1", True),
        (r"data=~/a\/b/", b"a/b", True),
        (r"data=~/\x00\xff/", b"\0\xff", True),
        ("data=~/x$/", b"a" * 65_535 + b"x", True),
        ("data=~/x/", b"a" * 65_536 + b"x", False),
        ("data~=GET *", b"GET / HTTP/1.1", True),
        ("data~=*HTTP/1.1", b"GET / HTTP/1.1", True),
        ("data~=*/*", b"GET / HTTP/1.1", True),
        ("data~=G?T*", b"GET / HTTP/1.1", True),
        ("data~=G*T", b"GET / HTTP/1.1", False),
        ("data~=*x", b"a" * 100_000 + b"x", True),
        ("data~=abc", b"abcd", False),
        ("comm~=cla*", b"", True),
        ("function=~/^READ/", b"", True),
    ],
)
def test_negation_quotes_and_patterns(rule: str, data: bytes, expected: bool) -> None:
    assert matches(rule, chunk(data)) is expected


@pytest.mark.parametrize(
    ("rule", "dropped"),
    [
        ("is_handshake=true", True),
        ("is_handshake!=true", False),
        ("is_handshake=false", False),
        ("function=HANDSHAKE", True),
        ("pid=42 & comm=claude & uid=1000 & tid=43", True),
        ("pid=41", False),
        ("latency_ms>1", True),
        ("len=0", True),
        ("truncated=false", True),
        ("data=", False),
        ("data!=x", False),
        ("data.type=text", False),
        ("!data=x", True),
    ],
)
def test_a_handshake_that_matches_is_dropped_and_counted(rule: str, dropped: bool) -> None:
    running: Running[TlsEvent, TlsEvent] = Running(filter_tls(rule))
    after = chunk(b"x" * 7, "out")
    assert [type(event) for event in running.feed(handshake(), after)] == [TlsHandshake, TlsChunk][dropped:]
    (meter,) = running.engine.ledger
    assert meter.lost(Reason.FILTERED) == dropped


def test_what_a_filter_saw_and_matched_is_counted_for_each_alone() -> None:
    one: Running[TlsEvent, TlsEvent] = Running(filter_tls("len=1 | is_handshake=true"))
    other: Running[TlsEvent, TlsEvent] = Running(filter_tls("len=3", compat=True))
    one.feed(chunk(b"x"), chunk(b"xx"), handshake(), TlsClose(chunk().origin))
    one.feed(Tick(chunk().origin), chunk(b"x"))
    other.feed(chunk(b"xxx"))
    counts = [*one.engine.ledger.rules(), *other.engine.ledger.rules()]
    assert counts == [RuleCounts("SSLFilter", 4, 3), RuleCounts("SSLFilter", 1, 1)]
    assert [each.passed for each in counts] == [1, 0]
    other.feed(chunk(b"xxx"))
    Running(filter_tls("len=3"))  # of no run
    assert len(counts) == 2


# -- the vectors of the specification, by our meaning and by the original's -------------------------------------------------


def both(rule: str, event: TlsChunk) -> tuple[bool, bool]:
    (marked,) = run(filter_tls(rule, compat=True), [event])
    assert isinstance(marked, TlsChunk)
    return matches(rule, event), marked.marked


def test_vector_4_1_the_end_of_a_chunked_body() -> None:
    assert both(r"data=0\r\n\r\n", chunk(b"0\r\n\r\n")) == (True, True)
    assert both(r"data=0\r\n\r\n", chunk(b"10\r\n\r\n")) == (False, False)


def test_vector_4_2_and() -> None:
    rule = "data~chunked&function=READ/RECV"
    assert both(rule, chunk(b"chunked", "in")) == (True, True)
    assert both(rule, chunk(b"chunked", "out")) == (False, False)


def test_vector_4_3_a_length() -> None:
    assert both("len<10", chunk(b"x" * 5)) == (True, True)
    assert both("len<10", chunk(b"x" * 15)) == (False, False)


def test_vector_4_4_or() -> None:
    found = [both("len<10|len>1000", chunk(b"x" * size)) for size in (5, 2000, 50)]
    assert found == [(True, True), (True, True), (False, False)]


def test_vector_4_5_parentheses() -> None:
    rule = "(len<10|len>1000)&function=READ/RECV"
    assert both(rule, chunk(b"x" * 5, "in")) == (True, True)
    assert both(rule, chunk(b"x" * 5, "out")) == (False, False)


def test_vector_4_6_and_binds_tighter() -> None:
    rule = "len<10|len>1000&function=READ/RECV"
    assert both(rule, chunk(b"x" * 5, "out")) == (True, True)
    assert both(rule, chunk(b"x" * 2000, "out")) == (False, False)


def test_vector_4_7_the_original_ignores_the_operator_of_a_truth() -> None:
    assert both("truncated!=true", chunk(b"x", lost=1)) == (False, True)


def test_vector_4_8_to_the_original_what_is_not_true_is_false() -> None:
    (marked,) = run(filter_tls("truncated=yes", compat=True), [chunk(b"x")])
    assert isinstance(marked, TlsChunk)
    assert marked.marked
    with pytest.raises(UsageError, match="write =true"):
        filter_tls("truncated=yes")


def test_vector_4_9_control_characters_are_binary() -> None:
    data = [b"\x00\x01", b"\x1b[31m", "\x85".encode(), b"HTTP/1.1 200 OK\r\n", b""]
    found = [both("data.type=binary", chunk(each)) for each in data]
    assert found == [(True, True)] * 3 + [(False, False)] * 2
    # to the original nothing captured is null, which is no text either
    assert both("data.type=text", chunk(b"")) == (True, False)


def test_vector_4_10_the_first_operator_counts_not_the_first_of_a_list() -> None:
    assert both("data~foo=bar", chunk(b"xfoo=bary")) == (True, False)


def test_vector_4_11_a_parenthesis_in_a_value() -> None:
    assert both("data~( | len<5", chunk(b"abc")) == (True, False)


def test_vector_4_12_characters_that_are_not_ascii() -> None:
    assert both("data~é|len<5", chunk(b"abc")) == (True, False)
    assert both("data~é|len<5", chunk("é".encode() * 9)) == (True, False)
    assert both("data~é", chunk("é".encode())) == (True, True)


def test_vector_4_13_nothing() -> None:
    assert both(" ", chunk(b"abc")) == (False, False)


def test_vector_4_14_a_field_alone() -> None:
    assert both("function", chunk(b"abc")) == (False, False)


def test_vector_4_15_latency() -> None:
    assert both("latency_ms>1.5", chunk(latency_ns=1_500_000)) == (False, False)
    assert both("latency_ms>1.5", chunk(latency_ns=1_501_000)) == (True, True)


def test_vector_4_16_a_number_that_is_none() -> None:
    assert both("pid=abc", chunk(b"abc")) == (False, False)


@pytest.mark.parametrize(
    ("rule", "event", "expected"),
    [
        ("bogus=1", chunk(b"x"), False),
        ("(len<5", chunk(b"x"), False),
        ("len<5)", chunk(b"x"), False),
        ("(len<5)", chunk(b"x"), True),
        ("((len<5)|(len>9))&pid=42", chunk(b"x"), True),
        ("data=a>=b", chunk(b"a>=b"), False),
        ('data="x"', chunk(b'"x"'), True),
        ("!data=x", chunk(b"y"), False),
        ("data!=x", chunk(b""), False),  # null
        ("data~é", chunk(b"\xe9"), True),  # a lone byte is the character of its number
        (r"data=\x\\", chunk(b"\\x\\"), True),
        ("len=+5", chunk(b"x" * 5), True),
        ("len=-5", chunk(b"x" * 5), False),
        ("len<18446744073709551615", chunk(b"x"), True),
        ("len<18446744073709551616", chunk(b"x"), False),
        ("latency_ms=1.5", chunk(latency_ns=1_500_400), True),  # printed with three decimals
        ("latency_ms!=1.5", chunk(latency_ns=1_500_400), False),
        ("latency_ms<1_0", chunk(), False),
        ("latency_ms<inf", chunk(), True),
        ("timestamp_ns>1", chunk(), True),
        ("is_handshake=false", chunk(), True),
        ("is_handshake~true", chunk(), False),
        ("pid~42", chunk(), False),
        ("comm>a", chunk(), False),
        ("((" * 500 + "len<5" + "))" * 500, chunk(), False),
    ],
)
def test_other_oddities_of_the_original(rule: str, event: TlsChunk, expected: bool) -> None:
    (marked,) = run(filter_tls(rule, compat=True), [event])
    assert isinstance(marked, TlsChunk)
    assert marked.marked is expected


def test_handshakes_are_records_to_the_original_too() -> None:
    assert run(filter_tls("is_handshake=true", compat=True), [handshake()]) == []
    assert run(filter_tls("function=HANDSHAKE", compat=True), [handshake()]) == []
    assert run(filter_tls("data!=x | data.type=text", compat=True), [handshake()]) == [handshake()]


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
        ("is_handshake=yes", "=yes", "write =true"),
        ("len=~/5/", "=~/5/", "a number is compared by"),
        ("truncated~=t*", "~=t*", "write =true"),
        ("data=~/a(b+)+c/", "a(b+)+c/", "a repeat of what has a repeat"),
        ("data =~ /[/i", "[/i", "not a regular expression: unterminated character set"),
        ("data~ x | data =~ /ab**/", "*/", "not a regular expression: multiple repeat"),
        ("!dta=1", "dta=1", "did you mean data?"),
        ("!=5", "!=5", "unknown field ''"),
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
    with pytest.raises(UsageError, match="too many nested parentheses"):
        filter_tls("(" * 5000)

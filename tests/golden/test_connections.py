"""E10, E11: how connections are identified, and what the default rules of a recording drop."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from agentsight_rx.events import HttpRequest, HttpResponse, SseMessage, TlsChunk, TlsEvent
from agentsight_rx.graphs import RECORD_HTTP_FILTERS, TraceOptions
from agentsight_rx.view import CallRow
from tests.golden import ANSWER, ASKED, JSON, Talk, Threads, answer, last_rows, messages, only, request, said, streamed, traced
from tests.golden.streams import ANTHROPIC, ANTHROPIC_REPLY, START, STOP, says
from tests.operators import CONNECTION, MS, Wire

# -- E10: what a connection is -----------------------------------------------------------------------------------------


def half_a_call(wire: Wire, word: str) -> tuple[list[TlsEvent], list[TlsEvent]]:
    """A call whose answer contains `word`, as two halves of its records."""
    talk = Talk(wire, record=40)
    talk.asks(request(f"/v1/messages?{word}", ASKED))
    talk.answers(streamed(START, says(word), STOP))
    middle = len(talk.records) - 5
    return talk.records[:middle], talk.records[middle:]


def words(made: Iterable[object]) -> list[tuple[str, str | None, bool]]:
    return [(message.reply.text, message.target, message.complete) for message in only(SseMessage, made)]


def test_e10_a_reused_pid_is_another_process() -> None:
    """The first process was killed in the middle, and the close of its connection was not seen."""
    first, _ = half_a_call(Wire(CONNECTION), "one")
    begun, ended = half_a_call(Wire(replace(CONNECTION, start_ns=900 * MS), start_ns=1000 * MS), "two")
    made = traced([*first, *begun, *ended])
    assert words(made) == [("two", "/v1/messages?two", True), ("", "/v1/messages?one", False)]
    assert len({row.process_id for row in last_rows(CallRow, made)}) == 2


@pytest.mark.parametrize("close_is_seen", [True, False])
def test_e10_a_reused_handle_is_another_connection(close_is_seen: bool) -> None:
    wire = Wire(CONNECTION)
    first, _ = half_a_call(wire, "one")
    begun, ended = half_a_call(Wire(CONNECTION, start_ns=1000 * MS), "two")
    made = traced([*first, *([wire.closes()] if close_is_seen else []), *begun, *ended])
    assert words(made) == [("", "/v1/messages?one", False), ("two", "/v1/messages?two", True)]
    assert [row.status for row in last_rows(CallRow, made)] == ["partial", "complete"]
    one, two = only(HttpRequest, made)
    assert one.exchange != two.exchange


def test_e10_a_thread_that_alternates_between_connections_does_not_mix_them() -> None:
    wires = [Threads(replace(CONNECTION, handle=handle), tids={"in": 9, "out": 9}) for handle in (1, 2, 3)]
    calls = [[*begun, *ended] for begun, ended in (half_a_call(wire, f"{number}") for number, wire in enumerate(wires))]
    made = traced([record for turn in zip(*calls, strict=True) for record in turn])
    assert sorted(words(made)) == [(f"{number}", f"/v1/messages?{number}", True) for number in range(3)]
    assert {each.origin.tid for each in only(HttpRequest, made)} == {9}


def test_e10_threads_that_alternate_on_a_connection_make_one_call() -> None:
    begun, ended = half_a_call(Wire(), "one")
    records = [replace(each, origin=replace(each.origin, tid=number % 4)) for number, each in enumerate([*begun, *ended])]
    made = traced(records)
    assert words(made) == [("one", "/v1/messages?one", True)]
    assert len(last_rows(CallRow, made)) == 1


# -- E11: the rules of a recording -------------------------------------------------------------------------------------

_TERMINATOR = r"data=0\r\n\r\n"  # the original's default for records


def recorded() -> list[TlsEvent]:
    talk = Talk()
    for target, method, reply in [
        ("/v1/messages", "POST", answer(ANSWER, JSON)),
        ("/v1/rgstr?k", "POST", answer(b"{}", JSON)),
        ("/api/event_logging", "POST", answer(b"", status="202 Accepted")),
        ("/v1/messages", "HEAD", b"HTTP/1.1 200 OK\r\n\r\n"),
    ]:
        talk.asks(request(target, ASKED if method == "POST" else b"", method=method))
        talk.answers(reply)
    talk.asks(request("/v1/messages?2", ASKED))
    whole = streamed(*ANTHROPIC)
    talk.answers(whole[:-5])
    talk.answers(whole[-5:])
    talk.asks(request("/v1/messages?3", ASKED))
    talk.answers(answer(ANSWER, JSON))
    return talk.records


def test_e11_the_rules_of_a_recording_keep_the_answers_of_models() -> None:
    made = traced(recorded(), TraceOptions(http_filters=RECORD_HTTP_FILTERS))
    assert [(each.method, each.target) for each in only(HttpRequest, made)] == [
        ("POST", "/v1/messages"),
        ("POST", "/api/event_logging"),
        ("POST", "/v1/messages?2"),
        ("POST", "/v1/messages?3"),
    ]
    assert [(each.status, each.target, each.body) for each in only(HttpResponse, made)] == [
        (200, "/v1/messages", ANSWER),
        (200, "/v1/rgstr?k", b"{}"),
        (200, "/v1/messages", b""),  # of the HEAD: the rule is about requests
        (200, "/v1/messages?2", b""),
        (200, "/v1/messages?3", ANSWER),
    ]


def test_e11_the_original_drops_every_plain_response() -> None:
    """Its default includes `response.body=`, which matches every response there; here it matches an empty body."""
    rules = (f"{RECORD_HTTP_FILTERS[0]} | response.body=",)
    ours, originals = (traced(recorded(), TraceOptions(http_filters=rules, compat_filters=compat)) for compat in (False, True))
    assert [each.target for each in only(HttpResponse, ours) if not each.streaming] == [
        "/v1/messages", "/v1/rgstr?k", "/v1/messages?3",
    ]  # fmt: skip
    assert [each.target for each in only(HttpResponse, originals) if not each.streaming] == []


def test_e11_a_dropped_record_still_ends_the_body_it_belongs_to() -> None:
    """The original drops the record with the last chunk before parsing, so that the answer never ends."""
    made = traced(recorded(), TraceOptions(tls_filters=(_TERMINATOR,)))
    assert said(made) == [(ANTHROPIC_REPLY, True)]
    assert [each.status for each in only(HttpResponse, made)] == [200, 200, 202, 200, 200, 200]
    assert all(each.complete for each in messages(made))
    raw = traced(recorded(), TraceOptions(tls_filters=(_TERMINATOR,), http=False))
    assert [each.data for each in only(TlsChunk, raw)] == [
        each.data for each in recorded() if isinstance(each, TlsChunk) and each.data != b"0\r\n\r\n"
    ]

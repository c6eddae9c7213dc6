from __future__ import annotations

import pytest
from msgspec.structs import replace

from agentsight_rx.events import BodyPart, Event, HttpRequest, HttpResponse, Reply, TlsClose
from agentsight_rx.view import CallRow, HttpRow

from ..scenes import HOST, answers, asks, emitted, last, origin, streams


def gets(ms: int, exchange: int = 1, *, body: bytes = b"") -> HttpRequest:
    return HttpRequest(
        origin(ms), exchange, method="GET", target="/simple/?a=b", version="HTTP/1.1", headers=(HOST,), body=body
    )


def sent(ms: int, exchange: int = 1, *, body: bytes = b"ok", streaming: bool = False, status: int = 200) -> HttpResponse:
    head = (("content-type", "text/html"),)
    event = HttpResponse(origin(ms), exchange, status=status, phrase="", version="HTTP/1.1", headers=head, body=body)
    return replace(event, streaming=streaming, end_ns=event.origin.time_ns)


def part(ms: int, data: bytes, *, last: bool = False, complete: bool = True) -> BodyPart:
    return BodyPart(origin(ms), 1, data, last=last, complete=complete, reason=None if complete else "lost")


def rows(*events: Event) -> list[HttpRow]:
    return last(HttpRow, emitted(*events))


def test_an_exchange_of_no_model_is_a_row() -> None:
    (row,) = rows(gets(1, body=b"abc"), sent(5))
    assert (row.method, row.host, row.path, row.status_code, row.status) == (
        "GET", "api.anthropic.com", "/simple/?a=b", 200, "complete"
    )  # fmt: skip
    assert (row.request_bytes, row.response_bytes, row.content_type) == (3, 2, "text/html")
    assert (row.timestamp_ms, row.end_timestamp_ms, row.call_id, row.scheme) == (1, 5, None, "https")


def test_a_call_of_a_model_names_its_row() -> None:
    made = emitted(asks(1), answers(2))
    assert [row.call_id for row in last(HttpRow, made)] == [row.id for row in last(CallRow, made)]


def test_a_body_in_parts_is_counted_and_ends_with_its_last_part() -> None:
    (row,) = rows(gets(1), sent(2, body=b"", streaming=True), part(3, b"abc"), part(4, b"de", last=True))
    assert (row.response_bytes, row.status, row.end_timestamp_ms) == (5, "complete", 4)
    (row,) = rows(gets(1), sent(2, body=b"", streaming=True), part(4, b"de", last=True, complete=False))
    assert (row.status, row.reason) == ("partial", "lost")


def test_a_stream_of_events_ends_with_its_message() -> None:
    head = replace(answers(2), streaming=True)
    (row,) = rows(asks(1), head, streams(3, Reply(text="a"), end_ms=9, size=70))
    assert (row.response_bytes, row.status, row.end_timestamp_ms) == (70, "complete", 9)
    silent = streams(3, Reply(text="a"), end_ms=4, size=70, complete=False, reason="timeout")
    assert [row.status for row in rows(asks(1), head, silent)] == ["aborted"]
    (row,) = rows(asks(1), head, silent, streams(3, Reply(text="ab"), end_ms=9, size=5, revision=1))
    assert (row.response_bytes, row.status) == (75, "complete")


@pytest.mark.parametrize(
    ("end", "reason"), [((TlsClose(origin(9)),), "closed"), ((), "capture_end"), ((sent(9, status=0),), "reset")]
)
def test_an_exchange_without_an_answer_is_aborted(end: tuple[Event, ...], reason: str) -> None:
    assert [(row.status, row.reason) for row in rows(gets(1), *end)] == [("aborted", reason)]


def test_interim_answers_end_nothing_and_exchanges_do_not_mix() -> None:
    found = rows(gets(1, 1), gets(2, 2), sent(3, 2, status=404), sent(4, 1, status=103), sent(5, 1))
    assert [row.status_code for row in found] == [200, 404]

from __future__ import annotations

import pytest
from msgspec.structs import replace

from agentsight_rx.events import BodyPart, Event, HttpRequest, HttpResponse, Origin, Reply, TlsClose, TlsOpen
from agentsight_rx.view import CallRow, HttpRow
from tests.operators import MS
from tests.view.scenes import HOST, answers, asks, emitted, last, origin, served, streams


def gets(ms: int, exchange: int = 1, *, body: bytes = b"") -> HttpRequest:
    return HttpRequest(
        origin(ms), exchange, method="GET", target="/simple/?a=b", version="HTTP/1.1", headers=(HOST,), body=body
    )


def sent(ms: int, exchange: int = 1, *, body: bytes = b"ok", streaming: bool = False, status: int = 200) -> HttpResponse:
    head = (("content-type", "text/html"),)
    event = HttpResponse(origin(ms), exchange, status=status, phrase="", version="HTTP/1.1", headers=head, body=body)
    return replace(event, streaming=streaming, end_ns=event.origin.time_ns)


def at_server(event: HttpRequest | HttpResponse) -> HttpRequest | HttpResponse:
    """The same, as the server of the connection sees it."""
    return replace(event, origin=served(event.origin.time_ns // MS))


def opens(place: Origin, local: str, peer: str) -> TlsOpen:
    return TlsOpen(place, first=False, local=local, peer=peer)


HERE, THERE = "127.0.0.1:5000", "127.0.0.1:80"
CLIENT_OPENS, SERVER_OPENS = opens(origin(1), HERE, THERE), opens(served(1), THERE, HERE)


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


@pytest.mark.parametrize(
    "events",
    [
        (CLIENT_OPENS, SERVER_OPENS, gets(2), at_server(gets(3)), at_server(sent(4)), sent(5)),
        (CLIENT_OPENS, SERVER_OPENS, at_server(gets(2)), gets(3), at_server(sent(4)), sent(5)),
        (gets(2), at_server(gets(3)), CLIENT_OPENS, SERVER_OPENS, at_server(sent(4)), sent(5)),
    ],
    ids=["the client first", "the server first", "the ends are known late"],
)
def test_of_an_exchange_whose_both_ends_are_seen_the_one_of_the_client_counts(events: tuple[Event, ...]) -> None:
    (client, server) = sorted(rows(*events), key=lambda row: row.server)
    assert (client.twin, client.both_ends, client.status) == (None, True, "complete")
    assert (server.twin, server.both_ends, server.status) == (client.id, False, "complete")


def test_another_path_and_a_second_client_are_exchanges_of_their_own() -> None:
    other = replace(gets(3), target="/other")
    found = rows(CLIENT_OPENS, SERVER_OPENS, gets(2), at_server(other), sent(4), at_server(sent(5)))
    assert [(row.twin, row.both_ends) for row in found] == [(None, False)] * 2
    found = rows(CLIENT_OPENS, SERVER_OPENS, gets(2), at_server(gets(3)), at_server(gets(4, 2)), sent(5))
    assert [row.both_ends for row in found] == [True, False, False]
    assert [row.twin for row in found] == [None, found[0].id, None]


def test_a_connection_that_closes_ends_its_own_exchanges_alone() -> None:
    found = rows(CLIENT_OPENS, SERVER_OPENS, gets(2), at_server(gets(3)), TlsClose(origin(4), 0, 0), at_server(sent(5)))
    assert [(row.server, row.status, row.reason) for row in found] == [(False, "aborted", "closed"), (True, "complete", None)]

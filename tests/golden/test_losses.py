"""E9: a loss is flagged on the messages it hits, and later messages are complete again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from agentsight_rx.events import HttpRequest, HttpResponse, SseMessage, TlsChunk, TlsEvent, WebSocketMessage
from agentsight_rx.view import CallRow
from tests.golden import (
    ANSWER,
    ASKED,
    CREATE,
    DEFLATE,
    JSON,
    PLAIN,
    Talk,
    answer,
    last_rows,
    messages,
    only,
    request,
    streamed,
    traced,
)
from tests.golden.streams import ANTHROPIC, responses, responses_reply
from tests.operators import Wire
from tests.operators.http2_peers import Peers
from tests.operators.websocket_peers import Sockets

LONG_ANSWER = ANSWER.replace(b"hi", b"hi" * 400)


def http1(record: int = 200) -> tuple[list[TlsEvent], int, int]:
    """Three exchanges, and the places in the records where the first and the last begin."""
    talk = Talk(record=record)
    talk.asks(request("/v1/messages?1", PLAIN * 9))
    talk.answers(answer(LONG_ANSWER, JSON))
    talk.asks(request("/v1/messages?2", ASKED))
    talk.answers(streamed(*ANTHROPIC))
    last = len(talk.records)
    talk.asks(request("/v1/messages?3", PLAIN))
    talk.answers(answer(ANSWER, JSON))
    return talk.records, 0, last


def http2(record: int = 200) -> tuple[list[TlsEvent], int, int]:
    peers = Peers(Wire(), record=record)
    first = len(peers.records)
    stream = peers.asks("POST", "/v1/messages?1", [("content-type", "application/json")], PLAIN * 9)
    peers.answers(stream, [("content-type", "application/json")], LONG_ANSWER)
    stream = peers.asks("POST", "/v1/messages?2", [("x-app", "cli")], ASKED)
    peers.answers(stream, [("content-type", "text/event-stream")], b"".join(ANTHROPIC))
    last = len(peers.records)
    stream = peers.asks("POST", "/v1/messages?3", [("x-other", "y")], PLAIN)
    peers.answers(stream, [("content-type", "application/json"), ("x-more", "z")], ANSWER)
    return list(peers.records), first, last


def websocket(deflate: str, record: int = 100) -> tuple[list[TlsEvent], int, int]:
    """Four calls, and the places in the records where the WebSocket and the third call begin."""
    sockets = Sockets(Wire(), deflate=deflate, record=record)
    first, last = len(sockets.records), 0
    for number in range(4):
        last = len(sockets.records) if number == 2 else last
        sockets.asks(json.dumps({"type": "response.create", "user": f"{number}", **CREATE}, ensure_ascii=False), 2)
        for each in responses(number):
            sockets.tells(json.dumps(each, ensure_ascii=False))
    return list(sockets.records), first, last


def complete_ones(made: Iterable[object]) -> list[tuple[Any, ...]]:
    """The complete messages, without what a gap elsewhere may change: times, numbers, and headers of HTTP/2."""
    found: list[tuple[Any, ...]] = []
    for each in made:
        if isinstance(each, HttpRequest) and each.complete:
            found.append(("request", each.target, each.body))
        elif isinstance(each, HttpResponse) and each.complete and not each.streaming:
            found.append(("response", each.status, each.body))
        elif isinstance(each, SseMessage) and each.complete:
            found.append(("stream", each.reply, tuple((one.event, one.data) for one in each.events)))
        elif isinstance(each, WebSocketMessage) and each.complete:
            found.append(("message", each.kind, each.data))
    return found


def damages(records: Sequence[TlsEvent], place: int) -> list[list[TlsEvent]]:
    """The records with the one at `place` lost, and with it cut in the middle."""
    record = records[place]
    assert isinstance(record, TlsChunk)
    half = len(record.data) // 2
    cut = replace(record, data=record.data[:half], lost=len(record.data) - half)
    return [[*records[:place], *records[place + 1 :]], [*records[:place], cut, *records[place + 1 :]]]


@pytest.mark.parametrize("conversation", [http1, http2])
def test_e9_with_any_record_lost_or_cut_nothing_wrong_is_complete_and_the_next_exchange_parses(
    conversation: Callable[[], tuple[list[TlsEvent], int, int]],
) -> None:
    records, first, last = conversation()
    whole = complete_ones(traced(records))
    assert len(whole) == 6
    for place in range(first, last):
        for damaged in damages(records, place):
            made = traced(damaged)
            found = complete_ones(made)
            assert set(found) <= set(whole)
            assert len(found) < len(whole)
            assert found[-2:] == whole[-2:] == [("request", "/v1/messages?3", PLAIN), ("response", 200, ANSWER)]
            exchanges = {each.exchange for each in messages(made) if each.target == "/v1/messages?3"}
            assert len(exchanges) == 1


@pytest.mark.parametrize("conversation", [http1, http2])
def test_e9_attached_anywhere_nothing_wrong_is_complete_and_the_next_exchange_parses(
    conversation: Callable[[], tuple[list[TlsEvent], int, int]],
) -> None:
    records, _, last = conversation()
    whole = complete_ones(traced(records))
    for place in range(1, last + 1):
        found = complete_ones(traced(records[place:]))
        assert set(found) <= set(whole)
        assert found[-2:] == whole[-2:]


@pytest.mark.parametrize("deflate", DEFLATE)
def test_e9_with_any_record_of_a_websocket_lost_or_cut_no_wrong_message_is_complete(deflate: str) -> None:
    """With context takeover, messages after a loss cannot be decompressed and have a reason."""
    records, first, last = websocket(deflate)
    whole = complete_ones(traced(records))
    for place in range(first, last):
        for damaged in damages(records, place):
            found = complete_ones(traced(damaged))
            assert set(found) <= set(whole)
            assert len(found) < len(whole)
            if deflate != "permessage-deflate":
                last_ten = [[each for each in told_of if each[0] == "message"][-10:] for told_of in (found, whole)]
                assert last_ten[0] == last_ten[1]


@pytest.mark.parametrize("deflate", [DEFLATE[0], DEFLATE[2]])
def test_e9_with_any_record_of_a_websocket_lost_or_cut_no_answer_goes_to_another_request(deflate: str) -> None:
    """A complete answer is the one to its own request, and later calls are complete."""
    records, first, last = websocket(deflate)
    for place in range(first, last):
        for damaged in damages(records, place):
            made = traced(damaged)
            asked = {each.exchange: each.body for each in only(HttpRequest, made) if each.version == "WebSocket"}
            calls = [each for each in only(SseMessage, made) if each.complete]
            for each in calls:
                number = int(each.reply.id.removeprefix("resp_"))
                assert each.reply == responses_reply(number)
                assert b'"user": "%d"' % number in asked.get(each.exchange, b'"user": "%d"' % number)
            assert calls[-1].reply == responses_reply(3)


def test_e9_a_damaged_message_has_a_reason_and_the_size_of_its_loss() -> None:
    wire = Wire()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n"
    records: list[TlsEvent] = [wire.writes(request("/v1/messages?1", ASKED)), wire.reads(head + b"a" * 100)]
    wire.misses("in", 50)
    records += [wire.reads(b"b" * 150), wire.writes(request("/v1/messages?2", ASKED)), wire.reads(head + b"c" * 60, lost=240)]
    first, second = only(HttpResponse, traced(records))
    assert (first.body, first.complete, first.reason, first.body_lost) == (b"a" * 100 + b"b" * 150, False, "lost", 50)
    assert (second.body, second.complete, second.reason, second.body_lost) == (b"c" * 60, False, "truncated", 240)


def test_e9_a_damaged_message_on_http2_has_a_reason_and_the_size_of_its_loss() -> None:
    peers = Peers(Wire(), record=1000)
    for path in ("/a", "/b"):
        peers.asks("POST", path, body=path[1:].encode() * 5500)
    first, second = (
        [number for number, each in enumerate(peers.records) if set(each.data) == {byte}][1] for byte in (b"a"[0], b"b"[0])
    )
    lost = [each for number, each in enumerate(peers.records) if number != first]
    cut = replace(peers.records[second], data=b"b" * 400, lost=600)
    one, two = only(HttpRequest, traced([cut if each is peers.records[second] else each for each in lost]))
    assert (one.body, one.complete, one.reason, one.body_lost) == (b"a" * 4500, False, "lost", 1000)
    assert (two.body, two.complete, two.reason, two.body_lost) == (b"b" * 4900, False, "truncated", 600)


def test_e9_a_call_with_a_gap_in_its_stream_is_partial_in_the_rows() -> None:
    records, *_ = http1()
    place = next(number for number, each in enumerate(records) if isinstance(each, TlsChunk) and b"Let me" in each.data) + 2
    made = traced(damages(records, place)[0])
    (message,) = only(SseMessage, made)
    assert (message.complete, message.reason) == (False, "lost")
    assert [(row.status, row.complete) for row in last_rows(CallRow, made)] == [
        ("complete", True), ("partial", False), ("complete", True),
    ]  # fmt: skip

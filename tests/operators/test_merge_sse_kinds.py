"""parse_http and merge_sse on streamed bodies that are no event streams, or whose content type does not say so."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any, cast

import brotli  # type: ignore[import-untyped]  # it has no types
import msgspec
import pytest
import zstandard

from agentsight_rx.core.stream import Operator
from agentsight_rx.events import BodyPart, Connection, HttpEvent, HttpRequest, HttpResponse, Loss, Origin, SseEvent, SseMessage
from agentsight_rx.events.loss import Reason
from agentsight_rx.operators import decode_content, merge_sse, parse_http, remove_auth
from property_tests.aws_frames import chunk, event, failure
from tests.operators import Running, Wire, run, size_of
from tests.operators.http2_peers import Peers

FRAMES = "application/vnd.amazon.eventstream"
INNER: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"id": "msg_1", "model": "claude-x", "usage": {"input_tokens": 9}}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 9, "outputTokenCount": 3}},
]
BEDROCK = b"".join(chunk(json.dumps(each)) for each in INNER)
SSE = b"".join(b"event: %b\ndata: %b\n\n" % (str(each["type"]).encode(), json.dumps(each).encode()) for each in INNER)


def answered(
    body: bytes,
    content_type: str,
    *,
    target: str = "/model/claude/invoke-with-response-stream",
    record: int = 16_384,
    fields: str = "",
    status: str = "200 OK",
) -> list[HttpEvent]:
    """What the operators make of one exchange whose answer has this body."""
    wire = Wire()
    head = f"HTTP/1.1 {status}\r\n{fields}Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    stream = head.encode() + body
    asked = wire.writes(f"POST {target} HTTP/1.1\r\nHost: proxy\r\nContent-Length: 2\r\n\r\n{{}}".encode())
    records = [asked, *(wire.reads(stream[at : at + record]) for at in range(0, len(stream), record))]
    return run(merge_sse(), run(decode_content(), run(parse_http(), records)))


def message_of(made: list[HttpEvent]) -> SseMessage:
    assert [type(each) for each in made[:2]] == [HttpRequest, HttpResponse]
    (message,) = [each for each in made if isinstance(each, SseMessage)]
    return message


@pytest.mark.parametrize("record", [1, 7, 512, 16_384])
def test_frames_of_amazon_are_one_message_with_the_events_inside(record: int) -> None:
    message = message_of(answered(BEDROCK, FRAMES, record=record))
    assert [(each.event, json.loads(each.data)) for each in message.events] == [("chunk", inner) for inner in INNER]
    assert (message.size, message.reply.text, message.reply.id) == (len(BEDROCK), "Hello", "msg_1")
    assert (message.complete, message.reason) == (True, None)


@pytest.mark.parametrize("target", ["/v1/messages", "/elsewhere"])
def test_an_answer_in_frames_is_emitted_where_it_ends_while_its_body_goes_on(target: str) -> None:
    connection = Connection(4000, 1, "libssl", 0)
    origin = Origin(0, 4000, connection=connection, direction="in")
    running = Running(merge_sse())
    fields = (("content-type", FRAMES),)
    running.feed(
        HttpResponse(origin, 1, 200, "OK", "HTTP/1.1", fields, b"", True, method="POST", target=target, host="h.example")
    )
    made: list[HttpEvent] = []
    for at, each in enumerate([*INNER[:2], *INNER[1:]], 1):
        assert made == []
        data = chunk(json.dumps(each))
        now = msgspec.structs.replace(origin, time_ns=at * 10**9)
        made += running.feed(BodyPart(now, 1, data, size=len(data)))
        made += running.tick(at * 10**9)
    (message,) = made
    assert isinstance(message, SseMessage)
    assert (message.complete, message.end_ns, message.reply.text) == (True, 5 * 10**9, "HelloHello")


def test_a_frame_with_a_wrong_checksum_is_counted_and_the_message_flagged() -> None:
    broken = bytearray(BEDROCK)
    broken[len(chunk(json.dumps(INNER[0]))) + 90] ^= 1
    made = answered(bytes(broken), FRAMES)
    message = message_of(made)
    assert (message.complete, message.reason, len(message.events)) == (False, "malformed", 3)
    (loss,) = [each for each in made if isinstance(each, Loss)]
    assert (loss.reason, loss.size) == (Reason.MALFORMED, len(chunk(json.dumps(INNER[1]))))


def test_events_of_a_converse_stream_keep_their_names() -> None:
    body = event("messageStart", '{"role":"assistant"}') + failure("throttlingException", "slow down")
    message = message_of(answered(body, FRAMES, target="/model/claude/converse-stream"))
    assert [each.event for each in message.events] == ["messageStart", "throttlingException"]


@pytest.mark.parametrize(
    "content_type", ["application/x-ndjson", "application/jsonl", "application/json-lines", "application/stream+json"]
)
@pytest.mark.parametrize("record", [1, 16_384])
def test_lines_of_json_are_one_message(content_type: str, record: int) -> None:
    lines = ['{"message":{"content":"Hel"},"done":false}', '{"message":{"content":"lo"},"done":true}']
    message = message_of(answered("\n".join([*lines, ""]).encode(), content_type, target="/api/chat", record=record))
    assert message.events == tuple(SseEvent("message", line) for line in lines)


# -- a wrong content type ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", [1, 3, 16_384])
@pytest.mark.parametrize("body", [SSE, BEDROCK], ids=["events", "frames"])
@pytest.mark.parametrize("content_type", ["", "application/json", "text/plain", "application/octet-stream"])
def test_the_answer_of_a_model_that_begins_like_a_stream_is_one(content_type: str, body: bytes, record: int) -> None:
    made = answered(body, content_type, target="/v1/messages", record=record)
    message = message_of(made)
    assert (message.complete, message.reply.text, len(message.events)) == (True, "Hello", 4)
    head = made[1]
    assert isinstance(head, HttpResponse)
    assert (head.streaming, head.body) == (True, b"")
    assert message.size == len(body)


@pytest.mark.parametrize("record", [1, 16_384])
@pytest.mark.parametrize("body", [SSE, BEDROCK], ids=["events", "frames"])
def test_it_is_one_over_http_2_too(body: bytes, record: int) -> None:
    peers = Peers(Wire(), record=record)
    stream = peers.asks("POST", "/v1/messages", body=b"{}")
    peers.answers(stream, [("content-type", "application/json")], body)
    parsed = run(parse_http(), peers.records)
    assert size_of(parsed) == sum(len(record.data) for record in peers.records)
    message = message_of(run(merge_sse(), parsed))
    assert (message.complete, message.reply.text, message.size) == (True, "Hello", len(body))


def test_bytes_that_are_missing_at_its_beginning_leave_it_whole() -> None:
    wire = Wire()
    asked = wire.writes(b"POST /v1/messages HTTP/1.1\r\nHost: proxy\r\nContent-Length: 2\r\n\r\n{}")
    head = wire.reads(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (9 + len(SSE)))
    wire.misses("in", 9)
    made = run(merge_sse(), run(parse_http(), [asked, head, wire.reads(SSE)]))
    assert [type(each) for each in made] == [HttpRequest, HttpResponse]
    response = made[1]
    assert isinstance(response, HttpResponse)
    assert (response.body, response.body_lost, response.reason) == (SSE, 9, "lost")


@pytest.mark.parametrize(
    ("body", "target", "fields"),
    [
        (SSE, "/other", ""),
        (b'{"id":"msg_1"}', "/v1/messages", ""),
        (b"dat", "/v1/messages", ""),
        (b'{"text":"0123456789"}data: x\n\n', "/v1/messages", ""),
    ],
    ids=["no model", "json", "short", "later"],
)
def test_any_other_body_stays_whole(body: bytes, target: str, fields: str) -> None:
    made = answered(body, "application/json", target=target, fields=fields, record=5)
    assert [type(each) for each in made] == [HttpRequest, HttpResponse]
    response = made[1]
    assert isinstance(response, HttpResponse)
    assert response.body == (SSE if fields else body)


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "deflate": zlib.compress,
    "gzip": gzip.compress,
    "br": cast("Callable[[bytes], bytes]", brotli.compress),  # pyright: ignore[reportUnknownMemberType]
    "zstd": zstandard.compress,
}


@pytest.mark.parametrize("record", [1, 7, 16_384])
@pytest.mark.parametrize("kind", ["text/plain", "application/json", "text/html; charset=utf-8", ""])
@pytest.mark.parametrize("coding", CODINGS)
def test_a_stream_is_recognised_without_its_coding(coding: str, kind: str, record: int) -> None:
    body, fields = CODINGS[coding](SSE), f"Content-Encoding: {coding}\r\n"
    message = message_of(answered(body, kind, target="/v1/messages", fields=fields, record=record))
    assert (message.complete, message.reply.text, len(message.events)) == (True, "Hello", 4)


def test_lines_of_json_are_a_stream_whatever_the_head_says() -> None:
    lines = b'{"model":"m","message":{"content":"Hel"},"done":false}\n{"message":{"content":"lo"},"done":true}\n'
    message = message_of(answered(lines, "application/json", target="/api/chat"))
    assert (message.complete, message.reply.text, message.dialect) == (True, "Hello", "ollama")


def test_going_on_from_a_checkpoint_changes_nothing() -> None:
    wire = Wire()
    stream = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BEDROCK) + BEDROCK
    asked = wire.writes(b"POST /v1/messages HTTP/1.1\r\nHost: proxy\r\nContent-Length: 2\r\n\r\n{}")
    events = run(parse_http(), [asked, *(wire.reads(stream[at : at + 40]) for at in range(0, len(stream), 40))])
    expected = run(merge_sse(), events)
    for cut in range(len(events)):
        before, after = Running(merge_sse()), Running(merge_sse())
        made = before.feed(*events[:cut])
        state: Any = msgspec.msgpack.decode(msgspec.msgpack.encode(before.snapshot()))
        after.restore(state)
        assert after.held() == before.held()
        assert made + after.feed(*events[cut:]) + after.finish() == expected


# -- secrets ----------------------------------------------------------------------------------------------------------------

KEY = "sk-ant-api03-Zq7Wv9Xk2Jy4Zq7Wv9Xk2Jy4Zq7Wv9Xk2Jy4-AA"


@pytest.mark.parametrize("content_type", [FRAMES, "application/json"])
def test_a_secret_inside_a_chunk_is_replaced_in_the_event_and_the_base64_around_it_is_gone(content_type: str) -> None:
    told = json.dumps({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": f"key {KEY} end"}})
    body = chunk(json.dumps(INNER[0])) + chunk(told) + chunk(json.dumps(INNER[3]))
    operator: Operator[Any, Any] = remove_auth(key=b"k" * 32)
    made = run(operator, answered(body, content_type, target="/v1/messages"))
    message = message_of(made)
    assert "[redacted:" in message.reply.text
    assert "[redacted:" in message.events[1].data
    assert len(made) == 3
    assert KEY not in repr(made)

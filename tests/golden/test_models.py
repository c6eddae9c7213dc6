"""E1 to E6: complete answers of each provider, over every protocol that carries them, however they are cut."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from agentsight_rx.events import (
    Connection,
    HttpRequest,
    HttpResponse,
    Loss,
    Reply,
    SseMessage,
    TlsChunk,
    TlsEvent,
    Usage,
    WebSocketMessage,
)
from agentsight_rx.view import CallRow, TokenRow, ToolRow
from tests.golden import (
    ASKED,
    CREATE,
    DEFLATE,
    EPOCH_NS,
    JSON,
    SIZES,
    Talk,
    Threads,
    answer,
    chunked,
    events_of,
    last_rows,
    only,
    request,
    said,
    streamed,
    timeless,
    traced,
)
from tests.golden.streams import (
    ANTHROPIC,
    ANTHROPIC_REPLY,
    CHAT_END,
    GEMINI_CHUNKS,
    GEMINI_REPLY,
    anthropic,
    chat,
    data,
    responses,
    responses_reply,
    sse,
)
from tests.operators import MS, Wire
from tests.operators.http2_peers import Peers
from tests.operators.websocket_peers import Sockets

# -- E1: Anthropic over HTTP/1.1 ---------------------------------------------------------------------------------------


def anthropic_call(record: int) -> list[TlsEvent]:
    talk = Talk(record=record)
    talk.asks(request("/v1/messages?beta=true", ASKED, b"Content-Type: application/json"))
    talk.answers(streamed(*ANTHROPIC))
    talk.closes()
    return talk.records


@pytest.mark.parametrize("record", SIZES)
def test_e1_an_answer_is_complete_however_it_was_cut(record: int) -> None:
    made = traced(anthropic_call(record))
    asked, head, message, _ = events_of(made)
    assert isinstance(asked, HttpRequest)
    assert (asked.method, asked.target, asked.body, asked.complete) == ("POST", "/v1/messages?beta=true", ASKED, True)
    assert isinstance(head, HttpResponse)
    assert (head.status, head.streaming, head.exchange) == (200, True, asked.exchange)
    assert isinstance(message, SseMessage)
    assert (message.reply, message.dialect, message.complete, message.reason) == (ANTHROPIC_REPLY, "anthropic", True, None)
    assert (message.exchange, len(message.events), message.chunks) == (asked.exchange, 19, 6)
    assert [(row.tool_call_id, row.tool_name, row.input) for row in last_rows(ToolRow, made)] == [
        ("toolu_1a", "Bash", '{"command":"ls"}'),
        ("toolu_1b", "Read", '{"path":"/a"}'),
    ]
    (call,) = last_rows(CallRow, made)
    assert (call.status, call.prompt, call.text, call.thinking) == ("complete", "hello 模", "Hello Wörld 🙂", "Let me 模")
    assert (call.finish_reason, call.response_id, call.model, call.total_tokens) == ("tool_use", "msg_1", "claude-x", 100)
    (tokens,) = last_rows(TokenRow, made)
    assert (tokens.input_tokens, tokens.output_tokens, tokens.cache_creation_tokens, tokens.cache_read_tokens) == (
        10, 40, 20, 30,
    )  # fmt: skip


@pytest.mark.parametrize("record", [1, 7, 512])
def test_e1_events_and_rows_are_the_same_but_for_their_times(record: int) -> None:
    expected = [timeless(each) for each in traced(anthropic_call(16_384))]
    assert expected == [timeless(each) for each in traced(anthropic_call(record))]


def test_e1_the_time_to_the_first_word_and_to_the_last() -> None:
    wire = Wire()
    talk = Talk(wire)

    def at(ms: int) -> None:
        wire.now_ns = (ms - 1) * MS  # each record is a millisecond later

    answer_bytes = streamed(*ANTHROPIC)
    first = answer_bytes.index(b"Let me")
    at(1000)
    talk.asks(request("/v1/messages", ASKED))
    for ms, piece in [
        (1250, answer_bytes[:first]),
        (1400, answer_bytes[first : first + 2]),  # the event has not ended
        (1470, answer_bytes[first + 2 : first + 60]),
        (3000, answer_bytes[first + 60 :]),
    ]:
        at(ms)
        talk.answers(piece)
    made = traced(talk.records)
    (message,) = only(SseMessage, made)
    assert (message.origin.time_ns, message.first_chunk_ns, message.end_ns) == (1250 * MS, 1470 * MS, 3000 * MS)
    (call,) = last_rows(CallRow, made)
    assert call.time_to_first_chunk_ms == 470
    assert (call.start_ns, call.end_ns) == (EPOCH_NS + 1000 * MS, EPOCH_NS + 3000 * MS)


# -- E2: the same over HTTP/2 ------------------------------------------------------------------------------------------


def two_streams(record: int) -> list[TlsEvent]:
    peers = Peers(Threads(tids={"out": 11, "in": 12}), record=record)
    first = peers.asks("POST", "/v1/messages", [("content-type", "application/json")], ASKED)
    second = peers.asks("POST", "/v1/messages", [("content-type", "application/json")], ASKED)
    streams = {first: b"".join(anthropic(1)), second: b"".join(anthropic(2))}
    for stream in (second, first):
        peers.answers(stream, [("content-type", "text/event-stream")], streams[stream][:10], end=False)
    length = max(map(len, streams.values()))
    for start in range(10, length, 333):
        for stream, body in streams.items():
            peers.goes_on(stream, body[start : start + 333], end=start + 333 >= length)
    return list(peers.records)


@pytest.mark.parametrize("record", SIZES)
def test_e2_two_streams_at_once_on_one_connection_do_not_mix(record: int) -> None:
    made = traced(two_streams(record))
    asked = only(HttpRequest, made)
    assert [(each.stream, each.body, each.version, each.origin.tid) for each in asked] == [
        (1, ASKED, "HTTP/2", 11),
        (3, ASKED, "HTTP/2", 11),
    ]
    assert {(head.stream, head.streaming, head.origin.tid) for head in only(HttpResponse, made)} == {
        (1, True, 12),
        (3, True, 12),
    }
    other = replace(
        ANTHROPIC_REPLY,
        id="msg_2",
        tool_calls=tuple(replace(call, id=call.id.replace("_1", "_2")) for call in ANTHROPIC_REPLY.tool_calls),
    )
    replies = {message.exchange: (message.reply, message.complete) for message in only(SseMessage, made)}
    assert replies == {asked[0].exchange: (ANTHROPIC_REPLY, True), asked[1].exchange: (other, True)}
    assert [(row.status, row.total_tokens) for row in last_rows(CallRow, made)] == [("complete", 100)] * 2
    assert only(TlsChunk, made) == []


@pytest.mark.parametrize("record", [1, 7, 512])
def test_e2_events_and_rows_are_the_same_but_for_their_times(record: int) -> None:
    """The order of two streams, and where control frames are counted, may depend on the records; the rest does not."""

    def of(record: int) -> list[str]:
        made = [each for each in traced(two_streams(record)) if not isinstance(each, Loss)]
        return sorted(repr(replace(one, size=0) if isinstance(one, HttpRequest | HttpResponse | SseMessage) else one)
                      for one in map(timeless, made))  # fmt: skip

    assert of(16_384) == of(record)


# -- E3: OpenAI chat ---------------------------------------------------------------------------------------------------

_COUNTS = {"prompt_tokens": 30, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 20}}
_WHOLE = Usage(input=10, output=4, cache_read=20)


def chat_stream(between: dict[str, Any], last: Sequence[bytes]) -> list[bytes]:
    deltas: list[tuple[dict[str, Any], str | None]] = [
        ({"role": "assistant", "content": ""}, None),
        ({"content": "Hello "}, None),
        ({"content": "World!"}, None),
        ({}, "stop"),
    ]
    chunks = [chat([{"index": 0, "delta": delta, "finish_reason": reason}], **between) for delta, reason in deltas]
    return [*chunks, *last, CHAT_END]


@pytest.mark.parametrize("record", [7, 16_384])
@pytest.mark.parametrize(
    ("between", "last", "usage"),
    [
        pytest.param({}, [chat([], usage=_COUNTS)], _WHOLE, id="include_usage"),
        pytest.param({}, [], None, id="without"),
        pytest.param({"usage": None}, [chat([], usage=_COUNTS)], _WHOLE, id="null_then_usage"),
        pytest.param({"usage": None}, [], None, id="null"),
        pytest.param({"usage": {"prompt_tokens": 30, "completion_tokens": 1}}, [chat([], usage=_COUNTS)], _WHOLE, id="in_each"),
    ],
)
def test_e3_a_chat_is_one_answer_wherever_its_usage_is(
    between: dict[str, Any], last: list[bytes], usage: Usage | None, record: int
) -> None:
    talk = Talk(record=record)
    talk.asks(request("/v1/chat/completions", b'{"model":"gpt-x","stream":true,"messages":[]}', host="api.openai.com"))
    talk.answers(streamed(*chat_stream(between, last)))
    made = traced(talk.records)
    assert said(made) == [(Reply("chatcmpl-a", "gpt-x", "Hello World!", "", (), usage, "stop"), True)]
    assert len(last_rows(TokenRow, made)) == (usage is not None)
    assert [(row.status, row.provider, row.text) for row in last_rows(CallRow, made)] == [
        ("complete", "openai", "Hello World!")
    ]


# -- E4: OpenAI Responses ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", SIZES)
def test_e4_responses_over_an_event_stream(record: int) -> None:
    talk = Talk(record=record)
    talk.asks(request("/v1/responses", json.dumps({**CREATE, "stream": True}).encode(), host="api.openai.com"))
    talk.answers(streamed(*(sse(each) for each in responses())))
    made = traced(talk.records)
    assert said(made) == [(responses_reply(), True)]
    assert [(row.status, row.prompt, row.total_tokens) for row in last_rows(CallRow, made)] == [("complete", "look", 34)]


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("deflate", DEFLATE)
@pytest.mark.parametrize("record", SIZES)
def test_e4_responses_over_a_websocket_are_the_same(record: int, deflate: str, pieces: int) -> None:
    sockets = Sockets(Wire(), deflate=deflate, record=record)
    for number in (1, 2):  # the second call needs what the first left in the decompressor
        sockets.asks(json.dumps({"type": "response.create", **CREATE}, ensure_ascii=False), pieces)
        sockets.pings(b"x")
        for each in responses(number):
            sockets.tells(json.dumps(each, ensure_ascii=False), pieces)
    made = traced(list(sockets.records))
    assert said(made) == [(responses_reply(1), True), (responses_reply(2), True)]
    assert [row.prompt for row in last_rows(CallRow, made)] == ["look", "look"]
    assert [row.total_tokens for row in last_rows(TokenRow, made)] == [34, 34]
    assert {message.kind for message in only(WebSocketMessage, made)} == {"ping"}


# -- E5: Gemini --------------------------------------------------------------------------------------------------------

_GEMINI = "/v1beta/models/gemini-x:streamGenerateContent"
_GEMINI_HOST = "generativelanguage.googleapis.com"


def gemini_array(parts: int) -> list[bytes]:
    text = b"[" + b"\n,\r\n".join(json.dumps(each).encode() for each in GEMINI_CHUNKS) + b"\n]\n"
    step = -(-len(text) // parts)
    return [text[at : at + step] for at in range(0, len(text), step)]


@pytest.mark.parametrize("record", SIZES)
@pytest.mark.parametrize(
    ("target", "answer_bytes"),
    [
        (f"{_GEMINI}?alt=sse", streamed(*map(data, GEMINI_CHUNKS))),
        (_GEMINI, chunked(gemini_array(1), JSON)),
        (_GEMINI, chunked(gemini_array(9), b"Content-Type: application/json; charset=UTF-8")),
    ],
    ids=["sse", "array", "array_in_9_chunks"],
)
def test_e5_gemini_is_one_answer_with_its_last_usage(target: str, answer_bytes: bytes, record: int) -> None:
    talk = Talk(record=record)
    talk.asks(request(target, b'{"contents":[{"role":"user","parts":[{"text":"count"}]}]}', host=_GEMINI_HOST))
    talk.answers(answer_bytes)
    made = traced(talk.records)
    assert said(made) == [(GEMINI_REPLY, True)]
    assert [(row.input_tokens, row.output_tokens) for row in only(TokenRow, made)] == [(8, 3)]
    assert [(row.prompt, row.status) for row in last_rows(CallRow, made)] == [("count", "complete")]


# -- E6: MCP over streamable HTTP --------------------------------------------------------------------------------------

_LIST = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ls"}}'
_ROOTS = '{"jsonrpc":"2.0","id":"r1","method":"roots/list"}'
_TOLD_ROOTS = b'{"jsonrpc":"2.0","id":"r1","result":{"roots":[]}}'
_DONE = '{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"a b"}],"isError":false}}'


@pytest.mark.parametrize("server_is_watched", [False, True])
@pytest.mark.parametrize("record", SIZES)
def test_e6_mcp_is_emitted_in_both_directions_and_is_not_a_call_to_a_model(record: int, server_is_watched: bool) -> None:
    """Two connections: the stream on which the server sends requests, and the one with the client's answers."""
    first, second = Talk(record=record), Talk(Wire(Connection(7, 700, "/lib/libssl.so.3", 0x7F01)), record=record)
    for talk, ask, reply in (
        (first, request("/mcp", _LIST, b"Accept: application/json, text/event-stream", host="tools"),
         streamed(f"event: message\ndata: {_ROOTS}\n\n".encode(), f"event: message\ndata: {_DONE}\n\n".encode())),
        (second, request("/mcp", _TOLD_ROOTS, host="tools"), answer(b"", status="202 Accepted")),
    ):  # fmt: skip
        if server_is_watched:
            talk.answers(ask)
            talk.asks(reply)
        else:
            talk.asks(ask)
            talk.answers(reply)
    made = traced([*first.records, *second.records])
    assert [(each.target, each.body, each.complete) for each in only(HttpRequest, made)] == [
        ("/mcp", _LIST, True),
        ("/mcp", _TOLD_ROOTS, True),
    ]
    (message,) = only(SseMessage, made)
    assert (message.dialect, message.complete, message.target) == ("mcp", True, "/mcp")
    assert [(each.event, each.data) for each in message.events] == [("message", _ROOTS), ("message", _DONE)]
    assert [head.status for head in only(HttpResponse, made)] == [200, 202]
    assert last_rows(CallRow, made) == []

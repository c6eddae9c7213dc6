"""
The vectors of the specification's sections 6 and 7: bytes as the probe sees them -> the events of the product.

Where the original behaves differently, the test says how. The vectors of sections 4 and 5 are with the filters.
"""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hpack import Encoder
from msgspec.structs import replace

from agentsight_rx.events import (
    Connection,
    Direction,
    Event,
    HttpRequest,
    HttpResponse,
    Loss,
    Origin,
    ProcessExec,
    Reply,
    SseEvent,
    SseMessage,
    TlsChunk,
    TlsEvent,
    ToolCall,
    Usage,
    WebSocketMessage,
)
from agentsight_rx.events.envelope import encode_envelope
from agentsight_rx.view import CallRow, TokenRow
from tests.golden import (
    EPOCH_NS,
    JSON,
    SSE,
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
    traced,
)
from tests.golden.streams import (
    CHAT_END,
    GEMINI_CHUNKS,
    START,
    STOP,
    call_start,
    chat,
    data,
    event,
    partial_json,
    responses,
    responses_reply,
    says,
    thinks,
)
from tests.operators import CONNECTION, MS, Wire
from tests.operators.http2_peers import Peers
from tests.operators.websocket_peers import Sockets

CHAT = "/v1/chat/completions"
OTHER = Connection(7, 700, "/lib/libssl.so.3", 0x7F01)


def raw(data: bytes, direction: Direction = "in") -> list[Event]:
    """The events of one record, without rows."""
    return events_of(traced([Wire().record(direction, data)]))


def passed(data: bytes) -> bool:
    """Does this record pass unchanged, as the only event?"""
    (event,) = raw(data)
    return isinstance(event, TlsChunk) and event.data == data


def stream(*parts: bytes, target: str = "/v1/messages") -> Talk:
    """A call and its complete streamed answer, each part in a chunk and a record of its own."""
    talk = opened(target)
    for part in parts:
        talk.answers(chunk(part))
    talk.answers(b"0\r\n\r\n")
    return talk


def opened(target: str = "/v1/messages", talk: Talk | None = None) -> Talk:
    """A call and the head of its answer."""
    talk = talk or Talk()
    talk.asks(request(target))
    talk.answers(b"HTTP/1.1 200 OK\r\n" + SSE + b"\r\nTransfer-Encoding: chunked\r\n\r\n")
    return talk


def chunk(part: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(part), part)


def merged(*parts: bytes, target: str = "/v1/messages") -> SseMessage:
    """The one message of a streamed answer."""
    (message,) = only(SseMessage, traced(stream(*parts, target=target).records))
    return message


def envelope(event: Event) -> dict[str, Any]:
    return cast("dict[str, Any]", encode_envelope(event)["data"])


# -- 6.1: what an event stream is --------------------------------------------------------------------------------------


def test_vector_6_1_the_content_type_makes_an_event_stream() -> None:
    """For a head alone the original emits nothing; here the head is emitted, and a message that says it is incomplete."""
    head, message = raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    assert isinstance(head, HttpResponse)
    assert (head.status, head.streaming) == (200, True)
    assert isinstance(message, SseMessage)
    assert (message.events, message.complete, message.reason) == ((), False, "capture_end")


def test_vector_6_1_data_without_a_head_is_a_record() -> None:
    """The original takes each of these for an event stream, wherever the words are."""
    assert passed(b'data: {"type":"x"}\r\n\r\n')
    assert passed(b"event: x\ndata: y\n\n")
    assert passed(b"Transfer-Encoding: chunked, and then event: x")


def test_vector_6_1_text_is_not_an_event_stream() -> None:
    assert passed(b"regular text")


def test_vector_6_1_json_with_data_in_it_is_a_response() -> None:
    (response,) = raw(answer(b'{"data":"value"}', JSON))
    assert isinstance(response, HttpResponse)
    assert (response.body, response.streaming, response.complete) == (b'{"data":"value"}', False, True)


def test_vector_6_1_the_content_type_may_have_parameters_and_any_case() -> None:
    """The original needs `text/event-stream` in lower case, and Transfer-Encoding with capital T and E."""
    talk = Talk()
    talk.asks(request())
    talk.answers(b"HTTP/1.1 200 OK\r\ncontent-type: Text/Event-Stream; charset=utf-8\r\ntransfer-encoding: Chunked\r\n\r\n")
    talk.answers(chunk(START + says("x") + STOP) + b"0\r\n\r\n")
    assert [reply.text for reply, _ in said(traced(talk.records))] == ["x"]


# -- 6.2: events -------------------------------------------------------------------------------------------------------


def sse_events(*parts: bytes) -> list[tuple[str, str]]:
    return [(each.event, each.data) for each in merged(*parts, target="/events").events]


def test_vector_6_2_lines_of_data_are_joined() -> None:
    assert sse_events(b"data: line1\ndata: line2\n\n") == [("message", "line1\nline2")]


def test_vector_6_2_two_events_in_two_chunks_are_two() -> None:
    assert sse_events(b'data: {"a":1}\n\n', b'data: {"b":2}\n\n') == [("message", '{"a":1}'), ("message", '{"b":2}')]


def test_vector_6_2_events_that_end_in_crlf_are_two() -> None:
    """The original joins both into one that is not JSON."""
    assert sse_events(b'data: {"a":1}\r\n\r\n', b'data: {"b":2}\r\n\r\n') == [
        ("message", '{"a":1}'),
        ("message", '{"b":2}'),
    ]


def test_vector_6_2_a_line_that_looks_like_a_chunk_size_is_data() -> None:
    """The original takes `add` for a chunk size and finds no events."""
    talk = Talk()
    talk.asks(request("/events"))
    talk.answers(answer(b"data: hello\r\nadd\r\nmore\r\n\r\n", SSE))
    (message,) = only(SseMessage, traced(talk.records))
    assert message.events == (SseEvent("message", "hello"),)


def test_vector_6_2_a_comment_is_not_an_event() -> None:
    assert sse_events(b":keepalive\n\ndata:x\n\n") == [("message", "x")]


def test_vector_6_2_a_block_without_data_is_not_an_event() -> None:
    assert sse_events(b"id: 5\nretry: 10\n\n", b"event: x\ndata: y\n\n") == [("x", "y")]


def test_vector_6_2_an_id_a_lone_cr_and_spaces_in_data() -> None:
    """The original does not end a line at a lone CR, and trims each line."""
    message = merged(b"id: 7\revent: x\rdata:  a \r\r", target="/events")
    assert message.events == (SseEvent("x", " a ", "7"),)


def test_vector_6_2_usage_of_gemini_in_a_plain_answer_is_counted() -> None:
    """The original invents a `message_stop` for a record with `usageMetadata`; here the answer is read."""
    talk = Talk()
    talk.asks(request("/v1beta/models/gemini-x:generateContent", host="generativelanguage.googleapis.com"))
    talk.answers(answer(json.dumps(GEMINI_CHUNKS[2]).encode(), JSON))
    made = traced(talk.records)
    assert only(SseMessage, made) == []
    assert [(row.input_tokens, row.output_tokens) for row in only(TokenRow, made)] == [(8, 3)]
    assert last_rows(CallRow, made)[0].text == "three"


# -- 6.8: streams ------------------------------------------------------------------------------------------------------


def test_vector_6_8_1_four_records_are_one_message() -> None:
    """The original names the connection `5:9:msg_123`; here the name has process and handle. Times count from the head."""
    wire = Threads(Connection(5, 700, "/lib/libssl.so.3", 0x7F00), tids={"in": 9, "out": 9})
    talk = Talk(wire)
    talk.asks(request())
    head = b"HTTP/1.1 200 OK\r\n" + SSE + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
    for at, piece in enumerate([head + chunk(START), chunk(says("Hello ")), chunk(says("World!")), chunk(STOP) + b"0\r\n\r\n"]):
        wire.now_ns = (1000 + at) * MS
        talk.answers(piece)
    (message,) = only(SseMessage, traced(talk.records))
    whole = encode_envelope(message)
    fields_of = whole["data"]
    assert (whole["source"], whole["pid"], fields_of["tid"], fields_of["connection_id"]) == (
        "sse_processor",
        5,
        9,
        "5-2bc-7f00",
    )
    assert (fields_of["message_id"], fields_of["text_content"], fields_of["json_content"]) == ("msg_123", "Hello World!", "")
    assert (fields_of["total_size"], fields_of["event_count"], fields_of["has_message_start"]) == (12, 4, True)
    assert (fields_of["start_time"], fields_of["end_time"]) == (1001 * MS, 1004 * MS)
    assert (fields_of["duration_ns"], fields_of["duration_ms"]) == (3 * MS, 3.0)
    assert whole["timestamp"] == (EPOCH_NS + 1001 * MS) // MS


def test_vector_6_8_2_a_message_without_its_start() -> None:
    message = merged(says("x") + STOP)
    assert (envelope(message)["message_id"], envelope(message)["has_message_start"]) == (None, False)
    assert (message.reply.text, message.complete) == ("x", True)


def test_vector_6_8_3_thinking_is_not_text() -> None:
    """The original puts both into `text_content`."""
    shown = envelope(merged(START, thinks("hm"), STOP))
    assert (shown["thinking_content"], shown["text_content"]) == ("hm", "")


def test_vector_6_8_4_the_pieces_of_an_input_are_joined() -> None:
    message = merged(START, partial_json('{"message":'), partial_json('"Hello World!"}'), STOP)
    assert envelope(message)["json_content"] == '{\n  "message": "Hello World!"\n}'


def test_vector_6_8_5_two_tools_are_two() -> None:
    """The original emits `{"a":1}{"b":2}`, without id and name."""
    message = merged(
        START,
        call_start(1, "t1", "ls"),
        call_start(2, "t2", "cat"),
        partial_json('{"a":1}', 1),
        partial_json('{"b":2}', 2),
        STOP,
    )
    assert message.reply.tool_calls == (ToolCall("t1", "ls", '{"a":1}'), ToolCall("t2", "cat", '{"b":2}'))


def test_vector_6_8_6_an_empty_message() -> None:
    """The original emits nothing; here an empty answer is emitted."""
    message = merged(START, STOP)
    assert (message.reply, message.complete, len(message.events)) == (Reply("msg_123", "claude-x"), True, 2)


def test_vector_6_8_7_a_ping_alone() -> None:
    """The original drops it."""
    message = merged(event("ping"))
    assert ([each.event for each in message.events], message.complete) == (["ping"], False)


def test_vector_6_8_8_usage_in_a_record_of_its_own() -> None:
    """The original loses that record: three events and no usage."""
    message = merged(START, says("A"), event("message_delta", delta={}, usage={"output_tokens": 7}), STOP)
    assert (len(message.events), message.reply.usage, message.reply.text) == (4, Usage(output=7), "A")


def test_vector_6_8_9_an_event_that_is_cut_into_two_records() -> None:
    """The original loses the text, and the second half leaks as a record."""
    whole = streamed(START, says("Hello "), says("World!"), STOP)
    for cut in range(whole.index(b"Hello"), len(whole)):
        talk = Talk()
        talk.asks(request())
        talk.answers(whole[:cut])
        talk.answers(whole[cut:])
        made = traced(talk.records)
        assert said(made) == [(Reply("msg_123", "claude-x", "Hello World!"), True)]
        assert only(TlsChunk, made) == []


def test_vector_6_8_10_streams_of_one_thread_by_their_connections() -> None:
    """In the original, deltas have no id and go to any stream that is open on the thread."""
    first, second = (opened(talk=Talk(Threads(each, tids={"in": 9, "out": 9}))) for each in (CONNECTION, OTHER))
    records: list[TlsEvent] = []
    for talk, number in ((first, 1), (second, 2)):
        talk.answers(chunk(event("message_start", message={"id": f"msg_{number}", "model": "m"})))
    for word in "ab":
        first.answers(chunk(says(word)))
        second.answers(chunk(says(word.upper())))
    for talk in (second, first):
        talk.answers(chunk(STOP) + b"0\r\n\r\n")
    records = [each for pair in zip(first.records, second.records, strict=True) for each in pair]
    assert sorted((reply.id, reply.text) for reply, _ in said(traced(records))) == [("msg_1", "ab"), ("msg_2", "AB")]


def test_vector_6_8_11_a_gap_of_31_seconds() -> None:
    """The original loses the text before the gap, and emits the rest without an id."""
    wire = Wire()
    talk = opened(talk=Talk(wire))
    talk.answers(chunk(START + says("before ")))
    wire.now_ns += 31_500 * MS
    talk.answers(chunk(says("behind")))
    talk.answers(chunk(STOP) + b"0\r\n\r\n")
    partial, whole = only(SseMessage, traced(talk.records))
    assert (partial.reply.text, partial.complete, partial.reason, partial.revision) == ("before ", False, "timeout", 0)
    assert (whole.reply.text, whole.complete, whole.reason, whole.revision) == ("before behind", True, None, 1)
    assert (partial.reply.id, whole.reply.id) == ("msg_123", "msg_123")


@pytest.mark.parametrize(("ms", "is_repeated"), [(30_000, False), (32_000, True)])
def test_vector_6_8_11_exactly_30_seconds_are_kept(ms: int, is_repeated: bool) -> None:
    wire = Wire()
    talk = opened(talk=Talk(wire))
    wire.now_ns = 1999 * MS  # a record is a millisecond later: at a time at which the engine ticks
    talk.answers(chunk(START + says("a")))
    wire.now_ns += ms * MS - MS
    talk.answers(chunk(STOP) + b"0\r\n\r\n")
    assert len(only(SseMessage, traced(talk.records))) == 1 + is_repeated


def test_vector_6_8_12_an_error_alone() -> None:
    """The original emits nothing."""
    talk = stream(event("error", error={"type": "overloaded_error", "message": "Overloaded"}))
    made = traced(talk.records)
    (message,) = only(SseMessage, made)
    assert (message.reply.error, message.complete) == ("overloaded_error: Overloaded", True)
    assert [(row.status, row.error_type) for row in last_rows(CallRow, made)] == [("error", "overloaded_error")]


def test_vector_6_8_13_a_long_text_is_one_message() -> None:
    """The original ends a message at 50,000 bytes: it emits two, the second without an id."""
    message = merged(START, says("x" * 50_001), says("y"), STOP)
    assert (message.reply.id, message.reply.text, message.complete) == ("msg_123", "x" * 50_001 + "y", True)


def test_vector_6_8_14_a_record_that_is_not_a_stream_passes_unchanged() -> None:
    ran = ProcessExec(Origin(5 * MS, 7), 1, 2, "/bin/ls", ("ls", "data: x"), "/")
    (emitted,) = only(ProcessExec, traced(cast("list[TlsEvent]", [ran])))
    assert replace(emitted, origin=ran.origin) == ran
    assert passed(b"\x00\x01\x02 data")


def test_vector_6_8_15_a_stream_that_is_open_at_the_end() -> None:
    """The original emits nothing."""
    talk = opened()
    talk.answers(chunk(START + says("so far")))
    (message,) = only(SseMessage, traced(talk.records))
    assert (message.reply.text, message.complete, message.reason) == ("so far", False, "capture_end")


def test_vector_6_8_16_a_tool_server() -> None:
    """The original never emits it."""
    result = '{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}'
    message = merged(f"event: message\ndata: {result}\n\n".encode(), target="/mcp")
    assert (message.events, message.dialect, message.complete) == ((SseEvent("message", result),), "mcp", True)


@pytest.mark.parametrize("kind", [b"text/html", b"application/yaml"])
def test_vector_6_8_17_a_page_with_data_at_the_beginning_of_a_line(kind: bytes) -> None:
    """The original drops it."""
    page = b"<pre>\ndata: x\n\nevent: y\n</pre>"
    (response,) = raw(answer(page, b"Content-Type: " + kind))
    assert isinstance(response, HttpResponse)
    assert (response.body, response.complete) == (page, True)
    assert passed(b"intro\ndata: x\n\n")


def test_vector_6_8_18_gemini_with_usage_in_each_chunk() -> None:
    """The original emits three messages without text."""
    message = merged(*map(data, GEMINI_CHUNKS), target="/v1beta/models/gemini-x:streamGenerateContent?alt=sse")
    assert (message.reply.text, message.reply.usage, message.complete) == ("One two three", Usage(8, 3), True)


def test_vector_6_8_19_chat_with_usage_in_each_chunk() -> None:
    """The original emits a message for each."""
    chunks = [
        chat([{"index": 0, "delta": {"content": word}}], usage={"prompt_tokens": 8, "completion_tokens": number})
        for number, word in enumerate(["a", "b", "c"], 1)
    ]
    message = merged(*chunks, CHAT_END, target=CHAT)
    assert (message.reply.text, message.reply.usage, message.complete) == ("abc", Usage(8, 3), True)


def test_vector_6_8_20_usage_that_is_null_ends_nothing() -> None:
    message = merged(*(chat([{"index": 0, "delta": {"content": word}}], usage=None) for word in "ab"), CHAT_END, target=CHAT)
    assert (message.reply.text, message.reply.usage, message.complete) == ("ab", None, True)


def test_vector_6_8_20_the_last_usage_ends_once() -> None:
    usage = {"prompt_tokens": 8, "completion_tokens": 2}
    talk = stream(chat([{"index": 0, "delta": {"content": "a"}}]), chat([], usage=usage), CHAT_END, target=CHAT)
    made = traced(talk.records)
    assert said(made) == [(Reply("chatcmpl-a", "gpt-x", "a", usage=Usage(8, 2)), True)]
    assert len(only(TokenRow, made)) == 1


def test_vector_6_8_20_two_answers_of_one_connection_are_two() -> None:
    talk = Talk()
    for name in ("chatcmpl-a", "chatcmpl-b"):
        talk.asks(request(CHAT))
        talk.answers(streamed(chat([{"index": 0, "delta": {"content": name[-1]}}], name), CHAT_END))
    assert [(reply.id, reply.text) for reply, _ in said(traced(talk.records))] == [("chatcmpl-a", "a"), ("chatcmpl-b", "b")]


def test_vector_6_8_20_arguments_of_a_function_are_joined() -> None:
    deltas: list[dict[str, Any]] = [
        {"id": "call_1", "type": "function", "function": {"name": "lookup", "arguments": '{"q":'}},
        {"function": {"arguments": '"x"}'}},
    ]
    chunks = [chat([{"index": 0, "delta": {"tool_calls": [{"index": 0, **delta}]}}]) for delta in deltas]
    assert merged(*chunks, CHAT_END, target=CHAT).reply.tool_calls == (ToolCall("call_1", "lookup", '{"q":"x"}'),)


def test_vector_6_8_20_the_message_keeps_host_path_and_status() -> None:
    talk = Talk()
    talk.asks(request(CHAT, host="api.openai.com"))
    talk.answers(
        answer(
            chat([{"index": 0, "delta": {"content": "x"}}])
            + data({"usage": {"prompt_tokens": 8, "completion_tokens": 2}})
            + CHAT_END,
            SSE,
        )
    )
    (message,) = only(SseMessage, traced(talk.records))
    shown = envelope(message)
    assert (shown["host"], shown["method"], shown["path"], shown["status_code"]) == ("api.openai.com", "POST", CHAT, 200)
    assert (message.reply.usage, message.complete) == (Usage(8, 2), True)


def test_vector_6_8_20_json_with_usage_is_a_response() -> None:
    body = b'{"id":"c","usage":{"prompt_tokens":8,"completion_tokens":2}}'
    (response,) = raw(answer(body, JSON))
    assert isinstance(response, HttpResponse)
    assert response.body == body


# -- 7.1: HTTP/1 -------------------------------------------------------------------------------------------------------


def test_vector_7_1_a_a_response() -> None:
    (response,) = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHello")
    shown = envelope(response)
    assert (shown["message_type"], shown["first_line"], shown["protocol"]) == ("response", "HTTP/1.1 200 OK", "HTTP/1.1")
    assert (shown["status_code"], shown["status_text"], shown["body"], shown["content_length"]) == (200, "OK", "Hello", 5)
    assert (shown["has_body"], shown["total_size"], shown["is_chunked"]) == (True, 43, False)
    assert (shown["method"], shown["path"], shown["original_source"], shown["raw_data"]) == (None, None, "ssl", None)


def test_vector_7_1_b_a_response_without_a_body() -> None:
    """In the original the body is null, here it is empty."""
    (response,) = raw(b"HTTP/1.1 204 No Content\r\n\r\n")
    shown = envelope(response)
    assert (shown["status_code"], shown["status_text"], shown["has_body"]) == (204, "No Content", False)
    assert not shown["body"]


def test_vector_7_1_c_a_chunked_body_has_no_sizes_in_it() -> None:
    """In the original they are in the body."""
    (response,) = raw(chunked([b"Hello ", b"World"], JSON))
    shown = envelope(response)
    assert (shown["body"], shown["is_chunked"], shown["complete"]) == ("Hello World", True, True)


def test_vector_7_1_d_a_request_in_several_records_is_one() -> None:
    """The original emits a request with the bytes of the first record, and the other records unchanged."""
    body = b'{"messages":"' + b"x" * (300 * 1024) + b'"}'
    talk = Talk(record=128 * 1024)
    talk.asks(request("/v1/messages", body))
    assert len(talk.records) == 3
    (asked,) = events_of(traced(talk.records))
    assert isinstance(asked, HttpRequest)
    assert (asked.body, asked.complete) == (body, True)
    assert envelope(asked)["content_length"] == len(body)
    (five,) = raw(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n12345", "out")
    assert isinstance(five, HttpRequest)
    assert (five.body, five.complete, five.reason) == (b"12345", False, "capture_end")


def test_vector_7_1_e_two_requests_in_one_record_are_two() -> None:
    """In the original the second is the body of the first."""
    made = raw(request("/a", b"", method="GET") + request("/b", b"", method="GET"), "out")
    assert [(each.target, each.body) for each in only(HttpRequest, made)] == [("/a", b""), ("/b", b"")]


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "PROPFIND", "QUERY"])
def test_vector_7_1_f_any_method_is_a_method(method: str) -> None:
    """The original parses seven methods."""
    (asked,) = raw(f"{method} h:443 HTTP/1.1\r\nHost: h\r\n\r\n".encode(), "out")
    assert isinstance(asked, HttpRequest)
    assert (asked.method, asked.target, asked.complete) == (method, "h:443", True)


def test_vector_7_1_g_text_that_names_a_host_is_not_a_request() -> None:
    assert passed(b"some words\r\nHost: example\r\n\r\n")


def test_vector_7_1_h_fields_that_come_twice_are_two() -> None:
    """The original keeps the last."""
    (response,) = raw(answer(b"", b"Set-Cookie: a=1", b"Set-Cookie: b=2", b"Vary:  x "))
    assert isinstance(response, HttpResponse)
    assert [name for name, _ in response.headers] == ["set-cookie", "set-cookie", "vary", "content-length"]
    assert dict(response.headers)["vary"] == "x"
    assert [name for name, _ in envelope(response)["header_list"]].count("set-cookie") == 2


# -- 7.2: HTTP/2 -------------------------------------------------------------------------------------------------------

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, CONTINUATION = 0, 1, 3, 4, 9
END_STREAM, END_HEADERS, PADDED, PRIORITY = 1, 4, 8, 32
INTERNAL = "/v1internal:generateContent"


def frame(kind: int, flags: int, number: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + number.to_bytes(4, "big") + payload


def fields(encoder: Encoder, **more: str) -> bytes:
    """The head of a POST, encoded by hpack."""
    head = [(":method", "POST"), (":scheme", "https"), (":authority", "h.example"), (":path", INTERNAL), *more.items()]
    return encoder.encode(head)


def status(encoder: Encoder, *more: tuple[str, str]) -> bytes:
    return encoder.encode([(":status", "200"), *more])


def test_vector_7_2_a_request_and_response() -> None:
    """The original computes `tid` from thread and stream; here `tid` is the thread, and `stream_id` is added."""
    talk = Talk()
    body = b'{"candidates":[],"usageMetadata":{"totalTokenCount":3}}'
    talk.asks(PREFACE + frame(HEADERS, END_HEADERS, 1, fields(Encoder())) + frame(DATA, END_STREAM, 1, b'{"contents":[]}'))
    talk.answers(frame(HEADERS, END_HEADERS, 1, status(Encoder())) + frame(DATA, END_STREAM, 1, body))
    asked, answered = (envelope(each) for each in events_of(traced(talk.records)))
    assert (asked["first_line"], asked["method"], asked["path"]) == (f"POST {INTERNAL} HTTP/2", "POST", INTERNAL)
    assert (asked["headers"]["host"], asked["body"], asked["protocol"]) == ("h.example", '{"contents":[]}', "HTTP/2")
    assert (asked["original_source"], asked["tid"], asked["stream_id"]) == ("ssl.http2", 8, 1)
    assert (answered["status_code"], answered["protocol"], answered["body"]) == (200, "HTTP/2", body.decode())
    assert answered["first_line"].strip() == "HTTP/2 200"
    assert answered["http_exchange_id"] == asked["http_exchange_id"]


def test_vector_7_2_b_records_need_not_end_where_frames_do() -> None:
    """In the original a record must be whole frames to be HTTP/2."""
    body = b"x" * 400
    whole = PREFACE + frame(HEADERS, END_HEADERS, 1, fields(Encoder())) + frame(DATA, END_STREAM, 1, body)
    for cut in range(1, len(whole)):
        talk = Talk()
        talk.asks(whole[:cut])
        talk.asks(whole[cut:])
        made = traced(talk.records)
        (asked,) = only(HttpRequest, made)
        assert (asked.target, asked.body, asked.complete) == (INTERNAL, body, True)
        assert only(TlsChunk, made) == []


def test_vector_7_2_c_connections_have_their_own_header_tables() -> None:
    """The original has one table per direction for all connections, and mixes the streams of a thread."""
    talks = {name: Talk(Threads(each, tids={"in": 9, "out": 9})) for name, each in (("one", CONNECTION), ("two", OTHER))}
    encoders = {name: Encoder() for name in talks}
    for number in (1, 3, 5):
        for name, talk in talks.items():
            head = fields(encoders[name], **{"x-name": name})
            talk.asks((PREFACE if number == 1 else b"") + frame(HEADERS, END_HEADERS | END_STREAM, number, head))
    records = [each for pair in zip(*(talk.records for talk in talks.values()), strict=True) for each in pair]
    asked = only(HttpRequest, traced(records))
    assert [(each.origin.connection, dict(each.headers)["x-name"]) for each in asked] == [
        (CONNECTION, "one"), (OTHER, "two"),
    ] * 3  # fmt: skip


def test_vector_7_2_d_the_end_of_a_stream_on_a_head_that_goes_on() -> None:
    """The original loses that flag, and the message never ends."""
    block = fields(Encoder())
    talk = Talk()
    talk.asks(PREFACE + frame(HEADERS, END_STREAM, 1, block[:5]) + frame(CONTINUATION, END_HEADERS, 1, block[5:]))
    (asked,) = events_of(traced(talk.records))
    assert isinstance(asked, HttpRequest)
    assert (asked.target, asked.complete) == (INTERNAL, True)


def test_vector_7_2_e_padding_and_priority_are_not_content() -> None:
    head = b"\x03" + b"\0\0\0\0\x10" + fields(Encoder()) + bytes(3)
    talk = Talk()
    talk.asks(PREFACE + frame(HEADERS, END_HEADERS | PADDED | PRIORITY, 1, head))
    talk.asks(frame(DATA, END_STREAM | PADDED, 1, b"\x02" + b"body" + bytes(2)))
    (asked,) = events_of(traced(talk.records))
    assert isinstance(asked, HttpRequest)
    assert (asked.target, asked.body) == (INTERNAL, b"body")


def test_vector_7_2_f_a_stream_that_is_reset_is_partial() -> None:
    """The original ignores the reset, and keeps the partial message for ever."""
    talk = Talk()
    talk.asks(PREFACE + frame(HEADERS, END_HEADERS, 1, fields(Encoder())) + frame(DATA, 0, 1, b"half"))
    talk.asks(frame(RESET, 0, 1, (2).to_bytes(4, "big")))
    asked, unanswered = events_of(traced(talk.records))
    assert isinstance(asked, HttpRequest)
    assert (asked.body, asked.complete, asked.reason) == (b"half", False, "reset")
    assert isinstance(unanswered, HttpResponse)
    assert (unanswered.status, unanswered.complete, unanswered.reason) == (0, False, "reset")


def test_vector_7_2_g_a_body_of_more_than_a_mebibyte_is_whole() -> None:
    """The original keeps only the last mebibyte."""
    peers = Peers(Wire())
    body = b'{"begin":"' + b"x" * (3 << 20) + b'"}'
    peers.asks("POST", "/v1/messages", [], body)
    (asked,) = only(HttpRequest, traced(list(peers.records)))
    assert (len(asked.body), asked.body[:10], asked.complete) == (len(body), b'{"begin":"', True)


def test_vector_7_2_h_control_and_unknown_frames_emit_nothing_and_are_counted() -> None:
    talk = Talk()
    unknown = frame(0xBE, 0, 0, b"grease")
    talk.asks(PREFACE + frame(SETTINGS, 0, 0, b"") + unknown)
    talk.answers(frame(SETTINGS, 0, 0, b"") + unknown)
    made = traced(talk.records)
    assert events_of(made) == []
    assert [(loss.reason.value, loss.size) for loss in only(Loss, made)] == [("overhead", 24 + 2 * (9 + 15))]


def test_vector_7_2_i_a_stream_of_gemini_ends_with_its_body() -> None:
    """The original ends a response as soon as its body is JSON with `usageMetadata`."""
    talk = Talk()
    talk.asks(PREFACE + frame(HEADERS, END_HEADERS | END_STREAM, 1, fields(Encoder())))
    body = b'{"usageMetadata":{}}'
    talk.answers(frame(HEADERS, END_HEADERS, 1, status(Encoder(), ("content-type", "application/json"))))
    talk.answers(frame(DATA, 0, 1, body))
    talk.answers(frame(DATA, END_STREAM, 1, b"\n"))
    (response,) = only(HttpResponse, traced(talk.records))
    assert (response.body, response.complete) == (body + b"\n", True)


# -- 7.3: WebSocket ----------------------------------------------------------------------------------------------------

_CREATE = '{"type":"response.create","model":"gpt-x","input":"look"}'


@pytest.mark.parametrize("target", ["/v1/responses", "/backend-api/codex/responses"])
@pytest.mark.parametrize("pieces", [1, 4])
def test_vector_7_3_a_a_call_over_a_websocket_is_a_request(target: str, pieces: int) -> None:
    """The original reads only a message of one frame in one record."""
    sockets = Sockets(Wire(), target=target, deflate="permessage-deflate", record=30)
    for _ in range(2):
        sockets.asks(_CREATE, pieces)
    made = traced(list(sockets.records))
    asked = [envelope(each) for each in only(HttpRequest, made) if each.version == "WebSocket"]
    assert [(each["method"], each["first_line"], each["path"], each["body"]) for each in asked] == [
        ("POST", f"POST {target} WebSocket", target, _CREATE)
    ] * 2
    assert [each["headers"]["host"] for each in asked] == ["api.openai.com"] * 2


def test_vector_7_3_b_two_websockets_of_a_process_are_two() -> None:
    """The original keeps path, headers and decompressor per process, so the second overwrites them."""
    first = Sockets(Wire(CONNECTION), target="/v1/responses", deflate="permessage-deflate")
    second = Sockets(Wire(OTHER), target="/v1/responses?b", host="other.example", deflate="permessage-deflate")
    for number in (1, 2):
        for sockets in (first, second):
            sockets.asks(_CREATE)
            for each in responses(number if sockets is first else number + 2):
                sockets.tells(json.dumps(each))
    made = traced([each for pair in zip(first.records, second.records, strict=True) for each in pair])
    found = sorted((message.host or "", message.target or "", message.reply.id) for message in only(SseMessage, made))
    assert found == [
        ("api.openai.com", "/v1/responses", "resp_1"),
        ("api.openai.com", "/v1/responses", "resp_2"),
        ("other.example", "/v1/responses?b", "resp_3"),
        ("other.example", "/v1/responses?b", "resp_4"),
    ]
    assert {message.complete for message in only(SseMessage, made)} == {True}


def test_vector_7_3_c_the_messages_of_the_server_are_the_answer() -> None:
    """The original ignores every frame of the server, pings, and messages in fragments."""
    sockets = Sockets(Wire())
    sockets.asks(_CREATE)
    sockets.pings(b"p")
    for each in responses():
        sockets.tells(json.dumps(each), 3)
    sockets.closes(1000, "done")
    made = traced(list(sockets.records))
    assert said(made) == [(responses_reply(), True)]
    assert [message.kind for message in only(WebSocketMessage, made)] == ["ping", "close"]
    assert {envelope(message)["original_source"] for message in only(WebSocketMessage, made)} == {"ssl.websocket"}


def test_vector_7_3_d_another_websocket_is_not_a_call() -> None:
    sockets = Sockets(Wire(), target="/chat", host="chat.example")
    sockets.asks(_CREATE)
    made = traced(list(sockets.records))
    assert [message.data for message in only(WebSocketMessage, made)] == [_CREATE.encode()]
    assert [each.method for each in only(HttpRequest, made)] == ["GET"]

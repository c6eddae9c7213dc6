from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from agentsight_rx import events
from agentsight_rx.events import (
    BodyPart,
    Connection,
    Event,
    HttpRequest,
    HttpResponse,
    Loss,
    Origin,
    ProcessExec,
    ProcessExit,
    Reply,
    SseEvent,
    SseMessage,
    Tick,
    TlsChunk,
    TlsClose,
    TlsHandshake,
    ToolCall,
)
from agentsight_rx.events.envelope import decode_envelope, encode_envelope, encode_line
from agentsight_rx.events.loss import Reason

CONNECTION = Connection(7, 0x2BC, "/lib/libssl.so.3", 0x7F00)
ORIGIN = Origin(5_000_000, 7, 8, 1000, "agent", 1_700_000_000_123_456_789, CONNECTION, "in")
PLAIN = Origin(5_000_000, 7, 7, 1000, "sh")


def data(event: Event) -> dict[str, Any]:
    found: dict[str, Any] = encode_envelope(event)["data"]
    return found


def comes_back(event: Event) -> bool:
    return decode_envelope(json.loads(encode_line(event))) == event


def test_the_envelope_has_time_source_and_process() -> None:
    envelope = encode_envelope(Tick(ORIGIN))
    assert list(envelope) == ["timestamp", "source", "pid", "comm", "data"]
    assert (envelope["timestamp"], envelope["source"], envelope["pid"], envelope["comm"]) == (
        1_700_000_000_123,
        "engine",
        7,
        "agent",
    )
    assert envelope["data"] == {
        "event_type": "tick",
        "timestamp_ns": 5_000_000,
        "time_unix_ns": 1_700_000_000_123_456_789,
        "tid": 8,
        "uid": 1000,
        "connection_id": "7-2bc-7f00",
        "process_start_ns": 0x2BC,
        "tls_library": "/lib/libssl.so.3",
        "transport_handle": "0x7f00",
        "direction": "in",
    }


def test_without_tls_the_source_is_tcp() -> None:
    plain = replace(ORIGIN, connection=Connection(7, 700, events.PLAIN, 9))
    chunk, asked = TlsChunk(plain, b"", 0, 0), HttpRequest(plain, 1, "GET", "/", "HTTP/2", (), stream=1)
    assert ("tcp", "TCP") == (encode_envelope(chunk)["source"], data(chunk)["tls_library"])
    assert ("http_parser", "tcp.http2") == (encode_envelope(asked)["source"], data(asked)["original_source"])
    assert comes_back(chunk)
    assert comes_back(asked)


def test_without_normalize_the_timestamp_is_0() -> None:
    assert encode_envelope(Tick(PLAIN))["timestamp"] == 0


@pytest.mark.parametrize(
    ("event", "source"),
    [
        (TlsChunk(ORIGIN, b"", 0, 0), "ssl"),
        (TlsHandshake(ORIGIN), "ssl"),
        (TlsClose(ORIGIN), "ssl"),
        (HttpRequest(ORIGIN, 1, "GET", "/", "HTTP/1.1", ()), "http_parser"),
        (HttpResponse(ORIGIN, 1, 200, "OK", "HTTP/1.1", ()), "http_parser"),
        (SseMessage(ORIGIN, 1, "", Reply(), (), 1), "sse_processor"),
        (ProcessExec(PLAIN, 1, 2, "/bin/ls", ("ls",), "/"), "process"),
        (Loss(PLAIN, "tls", Reason.KERNEL_LOST, 1), "diagnostic"),
    ],
)
def test_sources_have_the_original_s_names(event: Event, source: str) -> None:
    assert encode_envelope(event)["source"] == source
    assert comes_back(event)


def test_a_record() -> None:
    found = data(TlsChunk(ORIGIN, b"abc", 10, 4, 2, 1_234_567, marked=True))
    assert {
        name: found[name] for name in ("function", "len", "latency_ms", "is_handshake", "truncated", "bytes_lost", "data")
    } == {
        "function": "READ/RECV",
        "len": 5,
        "latency_ms": 1.235,
        "is_handshake": False,
        "truncated": True,
        "bytes_lost": 2,
        "data": "abc",
    }
    assert (found["offset"], found["capture_seq"], found["filtered"]) == (10, 4, True)
    assert "bytes_lost" not in data(TlsChunk(ORIGIN, b"abc", 0, 0))


def test_bytes_that_are_not_text_become_hex() -> None:
    chunk = TlsChunk(ORIGIN, b"\xff\x00", 0, 0)
    assert (data(chunk)["data"], data(chunk)["data_hex"]) == (None, "ff00")
    assert "data_hex" not in data(TlsChunk(ORIGIN, "é\0".encode(), 0, 0))
    assert comes_back(chunk)


def test_all_two_bytes_come_back() -> None:
    for high in range(256):
        chunk = TlsChunk(ORIGIN, bytes(byte for low in range(256) for byte in (high, low)), 0, 0)
        assert comes_back(chunk)
        assert all(comes_back(TlsChunk(ORIGIN, bytes((high, low)), 0, 0)) for low in (0, 0x7F, 0x80, 0xA9, 0xFF))


def test_a_request() -> None:
    request = HttpRequest(ORIGIN, 3, "POST", "/v1", "HTTP/1.1", (("host", "a"), ("content-length", "5")), b"Hello", size=99)
    found = data(request)
    assert (found["message_type"], found["first_line"], found["method"], found["path"]) == (
        "request",
        "POST /v1 HTTP/1.1",
        "POST",
        "/v1",
    )
    assert (found["status_code"], found["status_text"], found["raw_data"], found["original_source"]) == (
        None,
        None,
        None,
        "ssl",
    )
    assert (found["headers"], found["body"], found["has_body"]) == ({"host": "a", "content-length": "5"}, "Hello", True)
    assert (found["http_exchange_id"], found["wire_size"], found["complete"]) == (3, 99, True)
    assert comes_back(request)


def test_a_response() -> None:
    found = data(HttpResponse(ORIGIN, 1, 200, "OK", "HTTP/1.1", (("content-length", "5"),), b"Hello"))
    assert (found["first_line"], found["status_code"], found["status_text"]) == ("HTTP/1.1 200 OK", 200, "OK")
    assert (found["content_length"], found["is_chunked"], found["has_body"], found["total_size"]) == (5, False, True, 43)
    assert (found["method"], found["path"]) == (None, None)
    assert data(HttpResponse(ORIGIN, 1, 100, "", "HTTP/1.1", ()))["message_type"] == "informational_response"
    assert data(HttpResponse(ORIGIN, 1, 204, "", "HTTP/1.1", ()))["has_body"] is False
    assert data(HttpResponse(ORIGIN, 1, 200, "", "HTTP/1.1", (("transfer-encoding", "Chunked"),)))["is_chunked"] is True


def test_headers_of_one_name_come_back_in_order() -> None:
    headers = (("set-cookie", "a"), ("x", ""), ("set-cookie", "b"))
    response = HttpResponse(ORIGIN, 1, 200, "OK", "HTTP/1.1", headers)
    assert data(response)["headers"] == {"set-cookie": "b", "x": ""}
    assert comes_back(response)


@pytest.mark.parametrize("length", ["", "x", "-1", "²", "٣", "9" * 19, "9" * 5000, "5, 5", " 5"])
def test_an_invalid_content_length_is_null(length: str) -> None:
    response = HttpResponse(ORIGIN, 1, 200, "OK", "HTTP/1.1", (("content-length", length),))
    assert data(response)["content_length"] is None
    assert comes_back(response)


def test_an_event_stream() -> None:
    events = (SseEvent("message_start", "{}"), SseEvent("message", "é", "7"))
    message = SseMessage(
        ORIGIN, 1, "anthropic", Reply("msg_1", text="Hé", thinking="hm"), events, 7_500_000, size=9, host="a", status=200
    )
    found = data(message)
    assert (found["message_id"], found["text_content"], found["thinking_content"], found["json_content"]) == (
        "msg_1",
        "Hé",
        "hm",
        "",
    )
    assert (found["event_count"], found["has_message_start"], found["total_size"]) == (2, True, 2)
    assert (found["start_time"], found["end_time"], found["duration_ns"], found["duration_ms"]) == (
        5_000_000,
        7_500_000,
        2_500_000,
        2.5,
    )
    assert found["sse_events"][1] == {"event": "message", "data": "é", "id": "7"}
    assert (found["host"], found["status_code"], found["function"], found["original_source"]) == ("a", 200, "READ/RECV", "ssl")
    assert comes_back(message)


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ((), ""),
        ((ToolCall("1", "ls", '{"a":[1,2.50]}'),), '{\n  "a": [\n    1,\n    2.50\n  ]\n}'),
        ((ToolCall("1", "ls", '{"a":'),), '{"a":'),
        ((ToolCall("1", "ls", "[" * 50_000),), "[" * 50_000),
        (
            (ToolCall("1", "ls", "{}"), ToolCall("2", "pwd", "")),
            '[{"id":"1","name":"ls","input":"{}"},{"id":"2","name":"pwd","input":""}]',
        ),
    ],
    ids=["none", "one", "cut", "deep", "two"],
)
def test_the_input_of_tool_calls(calls: tuple[ToolCall, ...], expected: str) -> None:
    message = SseMessage(ORIGIN, 1, "", Reply(tool_calls=calls), (), 1)
    assert data(message)["json_content"] == expected
    assert comes_back(message)


def test_processes() -> None:
    started = ProcessExec(PLAIN, 1, 2, "/bin/ls", ("ls", "-l"), "/src")
    assert (data(started)["event"], data(started)["full_command"], data(started)["filename"]) == ("EXEC", "ls -l", "/bin/ls")
    ended = ProcessExit(PLAIN, 1, 2, None, 9, core_dumped=True, duration_ns=5_500_000)
    assert (data(ended)["event"], data(ended)["exit_code"], data(ended)["signal"], data(ended)["duration_ms"]) == (
        "EXIT",
        None,
        9,
        5,
    )
    assert comes_back(started)
    assert comes_back(ended)


def test_a_part_of_a_body() -> None:
    assert comes_back(BodyPart(ORIGIN, 1, b"\xe6\xa8", last=True, complete=False, reason="lost", lost=3, size=9))


@pytest.mark.parametrize(
    "envelope",
    [
        {},
        {"data": None},
        {"data": []},
        {"data": {}},
        {"data": {"event_type": "fly"}},
        {"data": {"event_type": {}}},
        {"data": {"event_type": "tick"}},
        {"pid": "x", "comm": "a", "data": {"event_type": "tick", "timestamp_ns": 1, "tid": 1, "uid": 1, "time_unix_ns": 0}},
    ],
)
def test_a_foreign_envelope_is_refused(envelope: dict[str, Any]) -> None:
    with pytest.raises((ValueError, KeyError)):
        decode_envelope(envelope)


def test_unknown_fields_are_ignored() -> None:
    envelope = encode_envelope(Tick(PLAIN))
    envelope["added"] = envelope["data"]["added"] = 1
    assert decode_envelope(envelope) == Tick(PLAIN)

"""A size -> inputs of that size that are built to be slow. The number of calls shows whether the work is linear."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

from property_tests.aws_frames import frame as aws_frame
from property_tests.fuzz.choices import spelled
from property_tests.fuzz.operators import TURN
from property_tests.http2_strategies import PREFACE
from property_tests.http2_strategies import frame as http2_frame
from property_tests.websocket_strategies import frame as websocket_frame

__all__ = ["HOSTILE", "SMALL", "calls"]

SMALL = 400  # bytes of an input, compared with four times that: enough to see quadratic work, in less than a second

Sized = Callable[[int], bytes]


def _filled(unit: bytes, before: bytes = b"", *choices: int) -> Sized:
    """`unit` repeated."""
    return lambda size: spelled(before + unit * (size // len(unit)), *choices)


def _nested(opening: bytes, closing: bytes, before: bytes = b"", *choices: int) -> Sized:
    def made(size: int) -> bytes:
        depth = size // (len(opening) + len(closing))
        return spelled(before + opening * depth + closing * depth, *choices)

    return made


_IN_CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n"
_POST = b"POST /v1/messages HTTP/1.1\r\nHost: a\r\n"
_EVENTS = _POST + b"\r\n" + TURN + b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + _IN_CHUNKS
_UPGRADE = (
    b"GET /v1/responses HTTP/1.1\r\nHost: api.openai.com\r\nUpgrade: websocket\r\n\r\n"
    + TURN
    + b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
)
_CREATE = websocket_frame(0x81, b'{"type":"response.create"}', b"abcd")
_DELTA = websocket_frame(0x81, b'{"type":"response.x"}')

# For each target: the same byte, tiny frames, many line ends, brackets, backslashes, deep nesting
HOSTILE: dict[str, list[Sized]] = {
    "http1": [
        _filled(b"\r\n"),
        _filled(b"A"),
        _filled(b"GET / HTTP/1.1\r\n\r\n"),
        _filled(b"1\r\na\r\n", b"Content-Type: a\r\n" + _IN_CHUNKS),
        _filled(b"a: b\r\n", b"", 0, 0, 0, 1, 9),
        _filled(b"HTTP/1.1 200 ", b"\r\n", 0, 0, 0, 1, 3),
    ],
    "http2": [
        _filled(http2_frame(0, 0, 1), PREFACE),
        _filled(http2_frame(9, 0, 1, b"a"), PREFACE + http2_frame(1, 0, 1, b"\x82")),
        _filled(http2_frame(1, 5, 1, b"\x82"), PREFACE),
        _filled(b"\xff", PREFACE + http2_frame(4, 0, 0)),
        _filled(b"\0", b"", 1, 1, 9),
    ],
    "websocket": [
        _filled(websocket_frame(0x00, b""), websocket_frame(0x01, b"a"), 0, 1),
        _filled(websocket_frame(0x89, b"", b"abcd"), b"", 1, 0),
        _filled(b"\x81", b"", 0, 2, 0, 0, 1, 1),
        _filled(websocket_frame(0xC1, b"\x00"), b"", 1, 1),
        _filled(b"\0", websocket_frame(0xC1, bytes(100))[:2], 1, 1, 0, 0, 1, 7),
    ],
    "sse": [
        _filled(b"\n"),
        _filled(b"\r\n", b"data", 0, 1, 1),
        _filled(b"data: \n"),
        _filled(b"data:a\n\n"),
        _filled(b":"),
        _filled(b"event\r", b"", 0, 1, 1),
    ],
    "json_stream": [
        _filled(b"["),
        _filled(b"{}"),
        _filled(b"\\", b'"'),
        _filled(b'\\"', b'["', 0, 1, 1),
        _nested(b'{"a":', b"}"),
        _nested(b"[", b"]", b"", 0, 1, 1),
        _filled(b"\n", b"x"),
        _filled(b"1 "),
    ],
    "aws_event_stream": [
        _filled(b"\0"),
        _filled(aws_frame(b"")),
        _filled(aws_frame(b"")[:12], b"", 0, 0, 1, 5),
        _filled(b"\0\0\0\x10\0\0\0\0", b"", 0, 0, 1, 1),
        _filled(b"a", aws_frame(bytes(1 << 20))[:12], 0, 0, 1, 1),
        _filled(b"\1a\0", b"", 0, 1),
    ],
    "jsonrpc": [
        _filled(b"\n"),
        _filled(b"{\n"),
        _filled(b"[", b'{"jsonrpc":"2.0","params":'),
        _filled(b'\\"', b'{"jsonrpc":"2.0","id":"', 0, 1, 1),
        _filled(b'"id":1,', b'{"jsonrpc":"2.0",', 0, 2, 9, 9, 2),
    ],
    "secrets": [
        _filled(b"sk-"),
        _filled(b"eyJ."),
        _filled(b"-----BEGIN RSA PRIVATE KEY-----"),
        _filled(b"://a:b"),
        _filled(b"?a&key=", b"", 1),
        _filled(b"Bearer "),
        _filled(b"[redacted:a:00000000]"),
    ],
    "commands": [
        _filled(b"--key "),
        _filled(b"curl -u a:b"),
        _filled(b"API_KEY='"),
        _filled(b"X-Api-Key:"),
        _filled(b"a=b;"),
        _filled(b'sk-ant-"', b"", 0, 0, 1, 1),
    ],
    "connection": [
        _filled(b"1\r\na\r\n", _EVENTS),
        _filled(b"\r\n", b"", 0, 0, 1, 0, 0, 1, 3),
        _filled(b"7\r\ndata:a\n\r\n", _EVENTS),
        _filled(b"9\r\ndata:[[[\n\r\n", _EVENTS),
        _filled(_POST + b"\r\n"),
        _filled(http2_frame(1, 4, 1, b"\x82"), PREFACE),
        _filled(_DELTA, _UPGRADE + TURN + _CREATE + TURN),
        _filled(b"GET " + TURN),
    ],
    "pipes": [
        _filled(b"{}\n"),
        _filled(b'{"jsonrpc":"2.0","id":1,"method":"a"}\n'),
        _filled(b"[" + TURN),
        _filled(b"\\", b'{"jsonrpc":"2.0","id":"', 0, 0, 0, 0, 1, 9),
    ],
    "redaction": [
        _filled(b"sk-ant-", b"", 0, 0, 0, 1, 5),
        _filled(b"\r\nCookie: a=b", b"", 0, 0, 0, 1, 30),
        _filled(b"?key=a&", b"", 2, 0, 0, 1, 5),
    ],
    "rules": [
        _filled(b"!"),
        _filled(b"("),
        _nested(b"(", b")"),
        _filled(b"\\", b"data="),
        _filled(b"a|"),
        _filled(b"len=1&"),
        _filled(b"(a|b)?", b"data=~/"),
        _filled(b"*", b"data~="),
    ],
    "envelope": [_nested(b"[", b"]", b'{"data":'), _filled(b'{"data":{"a":')],
    "foreign_lines": [_filled(b"{}\n"), _filled(b'{"function":1}\n'), _filled(b"[")],
    "recording": [_filled(b"\n"), _filled(b"{}\n"), _filled(b'{"event":"X"}\n')],
    "cgroup": [_filled(b":/\n", b"0" * 64), _filled(b"0123456789abcdef" * 4 + b"/")],
    "reference": [_filled(b"/", b"docker://a"), _filled(b"[", b"docker:a\n\n")],
    "script": [_filled(b"exec\n", b"/bin/sh\n"), _filled(b"' ", b"/bin/sh\nexec ")],
    "anthropic_stream": [
        _filled(b"data:[\n\n"),
        _filled(b'data:{"type":"message_stop"}\n\n'),
        _filled(b"\\ud800", b'data:{"a":"'),
    ],
    "openai_stream": [_filled(b'data:{"choices":[{}]}\n\n'), _filled(b"data:[DONE]\n\n")],
    "openai_responses_stream": [_filled(b'data:{"type":"response.x"}\n\n'), _nested(b"[", b"]", b"data:")],
    "gemini_stream": [
        _filled(b'data:{"candidates":[{}]}\n\n'),
        _filled(b'{"text":"a"},', b'data:{"candidates":[{"content":{"parts":['),
    ],
    "transcripts": [
        _filled(b'{"type":"user"}\n'),
        _filled(b'{"type":"assistant","requestId":"r","message":{"model":"m"}}\n'),
        _filled(b'{"payload":{"type":"token_count"}}\n', b"", 1),
        _nested(b'{"a":', b"}", b"", 2),
        _filled(b'{"type":"gemini","id":"a","model":"m"}\n', b"", 3),
    ],
    "prices": [_filled(b"["), _filled(b'{"a":'), _filled(b"a.")],
    "mcp_stream": [_filled(b'data:{"jsonrpc":"2.0"}\n\n')],
}


def calls(function: Callable[[bytes], None], data: bytes) -> int:
    """The number of calls of Python and C functions for this input."""
    count = 0

    def counted(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        if event in ("call", "c_call"):
            count += 1

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        function(data)
    finally:
        sys.setprofile(before)
    return count

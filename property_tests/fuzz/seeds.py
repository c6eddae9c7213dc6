"""First fuzz inputs: for each target some typical ones, made by encoders."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

from hpack import Encoder

from agentsight_rx.wire.websocket_frames import Deflate
from property_tests.aws_frames import chunk as aws_chunk
from property_tests.aws_frames import event as aws_event
from property_tests.aws_frames import failure as aws_failure
from property_tests.aws_frames import frame as aws_frame
from property_tests.fuzz.choices import spelled
from property_tests.fuzz.llm_seeds import LLM_SEEDS
from property_tests.fuzz.operators import TURN
from property_tests.fuzz.samples import FOREIGN_LINES, LINES
from property_tests.http2_strategies import PREFACE
from property_tests.http2_strategies import frame as http2_frame
from property_tests.websocket_strategies import Packer
from property_tests.websocket_strategies import frame as websocket_frame
from tests.view.transcripts.reading import KINDS

__all__ = ["SEEDS"]


# -- HTTP ------------------------------------------------------------------------------------------------------------------

_BODY = b'{"model":"claude","stream":true,"messages":[{"role":"user","content":"list"}]}'
_STREAM = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","model":"c"}}\n\n'
    b'data: {"type":"message_stop"}\n\n'
)


def _chunked(body: bytes, size: int, trailer: bytes = b"") -> bytes:
    parts = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n" + trailer + b"\r\n"


def _head(first: bytes, *lines: bytes) -> bytes:
    return b"\r\n".join((first, *lines, b"", b""))


_ASKED = _head(b"POST /v1/messages HTTP/1.1", b"Host: api.anthropic.com", b"Content-Length: %d" % len(_BODY)) + _BODY
_GZIPPED = zlib.compress(_STREAM, wbits=31)
_EVENT_STREAM = b"Content-Type: text/event-stream"
_IN_CHUNKS = b"Transfer-Encoding: chunked"
_STREAMED = _head(b"HTTP/1.1 200 OK", _EVENT_STREAM, _IN_CHUNKS) + _chunked(_STREAM, 40, b"X-Sum: 1\r\n")
_CODED = _head(b"HTTP/1.1 200 OK", _EVENT_STREAM, _IN_CHUNKS, b"Content-Encoding: gzip") + _chunked(_GZIPPED, 30)
_TOLD = _head(b"HTTP/1.1 404 Not Found", b"Content-Length: 3", b"Set-Cookie: a=b") + b"no\n"
_UNTIL_CLOSE = _head(b"HTTP/1.0 200 OK", b"Content-Type: application/json") + b'{"type":"message"}'
_UPGRADE = _head(b"GET /v1/responses HTTP/1.1", b"Host: api.openai.com", b"Upgrade: websocket", b"Connection: Upgrade")
_UPGRADED = _head(b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Sec-WebSocket-Extensions: permessage-deflate")
_BROKEN = _head(b"HTTP/1.1 200 OK", _IN_CHUNKS) + b"3\r\nabc\r\nno size\r\n"
_CUTS = (
    (), (0, 0, 0), (0, 0, 0, 1, 1), (1, 1, 0, 3, 5, 0, 40),
    (0, 0, 1, 1, 30, 4, 0), (0, 0, 1, 1, 30, 0x20, 0x09), (0, 0, 0, 2, 40, 3, 0x48, 0x22), (0, 0, 1, 1, 9, 0, 0x12),
)  # fmt: skip

_ENCODER = Encoder()


def _block(*fields: tuple[str, str]) -> bytes:
    return _ENCODER.encode([(name.encode(), value.encode()) for name, value in fields])


_HTTP2_OUT = b"".join(
    (
        PREFACE,
        http2_frame(4, 0, 0, bytes([0, 3, 0, 0, 0, 100])),
        http2_frame(1, 4, 1, _block((":method", "POST"), (":path", "/v1/messages"), (":authority", "a"), ("x-a", "b"))),
        http2_frame(0, 9, 1, bytes([2]) + _BODY + bytes(2)),
        http2_frame(1, 1, 3, _block((":method", "GET"), (":path", "/"))),
        http2_frame(9, 4, 3, _block(("x-b", "c"))),
        http2_frame(8, 0, 0, bytes([0, 0, 1, 0])),
        http2_frame(3, 0, 3, bytes([0, 0, 0, 8])),
        http2_frame(7, 0, 0, bytes(8)),
    )
)
_HTTP2_IN = b"".join(
    (
        http2_frame(4, 0, 0),
        http2_frame(4, 1, 0),
        http2_frame(5, 4, 1, bytes([0, 0, 0, 2]) + Encoder().encode([(b":path", b"/p")])),
        http2_frame(1, 4, 1, Encoder().encode([(b":status", b"200"), (b"content-type", b"text/event-stream")])),
        http2_frame(0, 0, 1, _STREAM[:50]),
        http2_frame(0, 1, 1, _STREAM[50:]),
        http2_frame(6, 0, 0, b"12345678"),
    )
)

# -- WebSocket -------------------------------------------------------------------------------------------------------------

_PACKER = Packer(Deflate())
_KEY = b"\x37\xfa\x21\x3d"
_CREATE = b'{"type":"response.create","model":"gpt-5"}'
_SPOKEN = (
    websocket_frame(0x81, _CREATE, _KEY) + websocket_frame(0x89, b"ping", _KEY) + websocket_frame(0x88, b"\x03\xe8bye", _KEY),
    websocket_frame(0x01, b"Hel") + websocket_frame(0x80, b"lo") + websocket_frame(0x82, bytes(200)),
    websocket_frame(0xC1, _PACKER.pack(b"Hello")) + websocket_frame(0xC1, _PACKER.pack(b"Hello Hello", pieces=2, final=True)),
    websocket_frame(0x41, _PACKER.pack(b"abc")[:3]) + websocket_frame(0x80, b""),
)
_COMPLETED = websocket_frame(0x81, b'{"type":"response.completed","response":{"id":"r","status":"completed"}}')

_REALTIME = (
    websocket_frame(0x81, b'{"type":"conversation.item.create","item":{"type":"message"}}', _KEY)
    + websocket_frame(0x81, b'{"type":"response.create"}', _KEY),
    websocket_frame(0x81, b'{"type":"response.created","response":{"id":"a"}}')
    + websocket_frame(0x81, b'{"type":"response.done","response":{"id":"a"}}'),
)
_LIVE = (
    websocket_frame(0x81, b'{"setup":{}}', _KEY)
    + websocket_frame(0x81, b'{"clientContent":{"turns":[{}],"turnComplete":true}}', _KEY),
    websocket_frame(0x82, b'{"toolCall":{"functionCalls":[{"id":"1"}]}}')
    + websocket_frame(0x82, b'{"serverContent":{"modelTurn":{},"turnComplete":true}}'),
)
_CONNECTIONS = (
    _ASKED + TURN + _STREAMED,
    _ASKED + TURN + _CODED,
    _ASKED + TURN + _TOLD + TURN + _ASKED + TURN + _UNTIL_CLOSE,
    _HTTP2_OUT + TURN + _HTTP2_IN,
    _UPGRADE + TURN + _UPGRADED + TURN + _SPOKEN[0] + TURN + _COMPLETED,
    _UPGRADE + TURN + _UPGRADED + _SPOKEN[2],
    _UPGRADE.replace(b"responses", b"realtime") + TURN + _UPGRADED + TURN + _REALTIME[0] + TURN + _REALTIME[1],
    _UPGRADE.replace(b"/v1/responses", b"/a.BidiGenerateContent") + TURN + _UPGRADED + TURN + _LIVE[0] + TURN + _LIVE[1],
)
_WALKS = ((), (0, 0, 1, 0, 0, 2, 50, 7, 0, 0), (1, 0, 3, 2, 1, 3, 9, 90, 30, 4, 0, 2, 200, 1, 16, 0))

# -- texts -----------------------------------------------------------------------------------------------------------------

_RPC = (
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ls"}}\n{"jsonrpc":"2.0","id":1,"result":{"isError":true}}\n',
    b'[{"jsonrpc":"2.0","id":"\\u0031","method":"ping"}]\r\ntext\n{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no"}}',
    b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}\n\x00\x01',
)
_TALK = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}\n' + TURN
    + b'{"jsonrpc":"2.0","id":1,"result":{"serverInfo":{"name":"files","version":"1"}}}\n' + TURN + _RPC[0]
)  # fmt: skip
_SECRETS = (
    b'key=sk-proj-Zq7Wv9Xk2Jy4Zq7Wv9Xk2Jy4 {"token":"ghp_abcdefghij0123456789abcdefghij012345"} AKIAIOSFODNN7EXAMPLE',
    b"GET /?api_key=abc&b HTTP/1.1\r\nAuthorization: Bearer eyJhbGciOi.eyJzdWIiOi.sig-nature_1\r\nCookie: a=b\r\n more\r\n\r\n",
    b"-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7bq1\n-----END RSA PRIVATE KEY-----\n",
    b"https://me:secret7word@host/a?access_token=xyz#f [redacted:openai:12345678] aws_secret_access_key = " + b"aB3/" * 10,
)
_COMMANDS = (
    b"curl -u me:word7 -H 'X-Api-Key: abc' -b a=b https://h/?key=a",
    b"docker run -e API_KEY=geheim --token $TOKEN --password geheim",
)
_RULES = (
    b'len>=10 & (data~"HTTP\\x20" | !function=READ/RECV) | comm =~ /cl.*e/i',
    b"request.method=POST & request.path ~= /v1/* | response.status_code=4xx | query.a=b | websocket.kind=text",
    b"exchange.response.status=200 & !(exchange.request.host~openai) | /files",
    b'data.type=binary | latency_ms>2.5 | handshake | request.body=~/(a|b)[0-9]{1,3}$/ | x-a="\\""',
)
# -- files of other programs -----------------------------------------------------------------------------------------------

_ID = b"0123456789abcdef" * 4
_GROUPS = (
    b"0::/system.slice/docker-%b.scope\n\nName:\ta\nNSpid:\t7\t1\n" % _ID,
    b"12:pids:/kubepods/burstable/pod1234abcd-12ab-34cd-56ef-0123456789ab/%b\n0::/\n\nNSpid:\t7\n" % _ID,
    b"0::/user.slice/libpod-%b.scope/container:cri-containerd:%b\n\n" % (_ID, _ID),
)
_REFERENCES = (
    b'docker://agent/usr/lib/x.so\n\n{"Name":"/agent"}',
    b'podman:0123456789ab\n\n[{"id":"%b","names":["agent"]}]' % _ID,
    b'k8s://default/pod/agent\n\n{"init_process_pid":7,"init_process_start":5}',
)
_SCRIPTS = (
    b'/usr/bin/env -S PATH=/bin sh -e\nexec "/bin/true" "$@"\n',
    b'/usr/bin/env node\n//\f{"name":"@a/b","optionalDependencies":{"@a/b-linux-x64":"1"}}',
    b"/bin/sh\nexec -a name run --flag # 'x\n",
)


def _btf() -> bytes:
    """task_struct { int pid; struct { typedef int a; }; } and a constant that points at it."""
    text = b"\0int\0task_struct\0pid\0a\0"
    types = b"".join(
        (
            struct.pack("<IIII", 1, 1 << 24, 4, 32),
            struct.pack("<III", 21, 8 << 24, 1),
            struct.pack("<III", 0, 4 << 24 | 1, 4) + struct.pack("<III", 21, 2, 0),
            struct.pack("<III", 5, 4 << 24 | 2, 8) + struct.pack("<III", 17, 1, 0) + struct.pack("<III", 0, 3, 32),
            struct.pack("<III", 0, 10 << 24, 4),
        )
    )
    return struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(text)) + types + text


def _library() -> bytes:
    """The rest of the head of a 64-bit shared object with one empty section."""
    return struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 0, 64, 0, 64, 56, 0, 64, 1, 0) + bytes(64)


def _cut(payloads: Sequence[bytes], cuts: Sequence[Sequence[int]] = _CUTS) -> list[bytes]:
    return [spelled(payload, *cut) for payload in payloads for cut in cuts]


SEEDS: dict[str, list[bytes]] = {
    "http1": _cut((_ASKED + _ASKED, _STREAMED + _TOLD + _UNTIL_CLOSE, _CODED, _UPGRADE, _BROKEN, b"A: b\r\n\r\n" + _STREAMED)),
    "http2": _cut((_HTTP2_OUT, _HTTP2_IN, _HTTP2_OUT[24:]), ((), (0, 1, 1, 9), (1,), (0, 2, 2, 5, 40, 4))),
    "websocket": _cut(
        _SPOKEN,
        (
            (0, 0, 0, 0),
            (0, 1),
            (1, 1, 1, 0, 1, 2),
            (2, 2, 3, 1, 2, 7, 1, 2, 0),
            (0, 0, 0, 0, 1, 1, 0x80, 1),
            (0, 1, 0, 0, 1, 1, 0x10, 2),
        ),
    ),
    "sse": _cut((_STREAM, b"\xef\xbb\xbfid: 1\r\nretry: 5\r\ndata:a\r\ndata: b\r\n\r\n: x\n\n"), ((), (0, 1, 1), (2, 2, 3, 9))),
    "json_stream": _cut(
        (b'[{"a":"}\\""},\n[1,2] , -1.5e3,true]\n', b'\x1e{"a":1}\n{"b":2}\nx\n{}'), ((), (0, 1, 1), (2, 1, 3))
    ),
    "aws_event_stream": _cut(
        (aws_event("a", "{}") + aws_chunk('{"type":"ping"}') + aws_failure("xException", "no"), bytes(20) + aws_frame(b"")),
        ((), (0, 0, 1, 1), (1, 1, 2, 9, 3), (2, 1, 1, 5)),
    ),
    "coding": [
        spelled(b"so far so good " * 4, coding, 0, 0, 1, 3, change, 20, 0, 1, 7) for coding in range(15) for change in (0, 9)
    ]
    + [spelled(_GZIPPED, 0, 0, 0, 0, 1, 9)],
    "jsonrpc": _cut(_RPC, ((), (0, 1, 9), (1, 1, 7, 2, 0), (2,))),
    "secrets": _cut(_SECRETS, ((), (1,))),
    "commands": _cut((*_SECRETS, *_COMMANDS), ((0, 0, 1, 9, 1), (1, 1, 2, 20, 3), (3, 0), (2, 1))),
    "connection": _cut(_CONNECTIONS, _WALKS),
    "pipes": _cut((_TALK, _RPC[1] + TURN + _RPC[2]), ((), (0, 1, 0, 0, 1, 9), (1, 3, 1, 5, 2, 30, 6, 5, 0))),
    "redaction": _cut(_SECRETS, ((), (0, 9, 0, 1, 5), (1, 40, 0, 2, 3, 50), (2, 0, 0, 1, 11), (0, 9, 0, 1, 1))),
    "rules": _cut(_RULES, ((),)),
    "envelope": _cut(LINES, ((),))
    + [spelled(b"[1]", kind, 2, 1, place, 7, 0, 200, kind) for kind in range(1, 22) for place in (0, 9, 255)],
    "foreign_lines": [
        spelled(b"\n".join(FOREIGN_LINES)),
        *(spelled(b"[1]", kind, 2, 0, 0, place, 1, 3, kind) for kind in range(1, 8) for place in (0, 9, 255)),
    ],
    "recording": _cut((b"\n".join((*LINES[:6], *FOREIGN_LINES, b"{}", b"x")),), ((),)),
    "cgroup": _cut(_GROUPS, ((),)),
    "reference": _cut(_REFERENCES, ((),)),
    "script": _cut(_SCRIPTS, ((),)),
    "library": _cut((_library(),), ((0,), (1,))),
    "btf": _cut((_btf(),), ((),)),
    "transcripts": [spelled(content, place, 2, 7, 40) for place, (_, content) in enumerate(KINDS)],
    "prices": _cut((b'as_of = 2026-11-01\n["m-*"]\ninput = 1.5\noutput = 2\n', b'{"m": {"input": 1, "output": 2}}'), ((),)),
    **LLM_SEEDS,
}

"""
Random secrets of every kind, in every place where a program can send them -> no sink contains one.

A tape lists what a client and a server send each other, record by record. Both only play it, so every cut is where the test
wants it.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import secrets
import socket
import ssl
import string
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
import trustme
from h2.config import H2Configuration
from h2.connection import H2Connection

from tests.live.capture import PATIENCE_S, PROGRAM, started, until
from tests.live.test_otel import collecting

pytestmark = pytest.mark.live

_WINDOW = 13  # this many random characters of a secret are a leak
_Way = Literal["in", "out"]  # as the client sees it
_Record = tuple[_Way, bytes]
_Tape = list[_Record]
_WAYS: tuple[_Way, _Way] = ("in", "out")


# -- secrets ---------------------------------------------------------------------------------------------------------------

_ALNUM = string.ascii_letters + string.digits
_KEY = _ALNUM + "-_"


def _random(size: int, letters: str = _ALNUM) -> str:
    """Random characters with a digit, a small and a large letter, as nearly every key has; no punctuation at the ends."""
    while True:
        text = "".join(secrets.choice(letters) for _ in range(size))
        if re.fullmatch(r"(?=.*\d)(?=.*[A-Z])(?=.*[a-z]|[A-Z0-9]*$)[A-Za-z0-9](?:.*[A-Za-z0-9])?", text):
            return text


def _jwt() -> tuple[str, ...]:
    claims = json.dumps({"sub": _random(20)}).encode()
    return "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOi", _b64(claims)[14:], ".", _random(43, _KEY)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _pem() -> tuple[str, ...]:
    lines = [base64.b64encode(secrets.token_bytes(48)).decode() for _ in range(3)]
    return "-----BEGIN PRIVATE KEY-----\n", lines[0], "\n", lines[1], "\n", lines[2], "\n-----END PRIVATE KEY-----\n"


# Secrets that have a shape of their own, as (public, random, public, random, …)
_SHAPES: dict[str, Callable[[], tuple[str, ...]]] = {
    "anthropic": lambda: ("sk-ant-api03-", _random(93, _KEY), "AA"),
    "openai": lambda: ("sk-proj-", _random(64)),
    "openai-old": lambda: ("sk-", _random(48)),
    "google": lambda: ("AIza", _random(35, _KEY)),
    "github": lambda: ("ghp_", _random(36)),
    "aws": lambda: ("AKIA", _random(16, string.ascii_uppercase + "234567")),
    "jwt": _jwt,
    "pem": _pem,
    "bearer": lambda: ("Bearer ", _random(40)),
}


@dataclass
class _Planted:
    """Every secret that was made, and its place."""

    parts: dict[str, str] = field(default_factory=dict[str, str])  # random part -> "place kind"
    places: set[str] = field(default_factory=set[str])

    def shape(self, place: str, kind: str) -> str:
        pieces = _SHAPES[kind]()
        self.parts |= dict.fromkeys(pieces[1::2], f"{place} {kind}")
        return "".join(pieces)

    def opaque(self, place: str, name: str) -> str:
        """A secret that only its name gives away."""
        value = _random(32)
        self.parts[value] = f"{place} {name}"
        return value

    def text(self, place: str) -> str:
        """A text with secrets of each shape, and a mark that shows whether it was captured."""
        return self._text(place, list(_SHAPES))

    def line(self, place: str) -> str:
        """The same without the shape of several lines."""
        return self._text(place, [kind for kind in _SHAPES if kind != "pem"])

    def _text(self, place: str, kinds: list[str]) -> str:
        """Two of each, in random order: finding one kind must not hide another."""
        self.places.add(place)
        kinds = 2 * kinds
        secrets.SystemRandom().shuffle(kinds)
        return f"at-{place}: " + " and ".join(f"{kind} {self.shape(place, kind)} here" for kind in kinds)

    def leaks(self, blob: bytes) -> list[str]:
        """The secrets in these bytes, plain or as hexadecimal digits, with the bytes before them."""
        windows = {
            part[at : at + _WINDOW].encode(): where
            for part, where in self.parts.items()
            for at in range(len(part) - _WINDOW + 1)
        }
        found: list[str] = []
        for text in _texts(blob):
            for run in _RUN.finditer(text):
                hit = next(
                    (at for at in range(run.start(), run.end() - _WINDOW + 1) if text[at : at + _WINDOW] in windows), None
                )
                if hit is not None:
                    where = windows[text[hit : hit + _WINDOW]]
                    found.append(f"{where}: …{text[max(0, hit - 60) : hit + 30].decode(errors='replace')}…")
        return found


_RUN = re.compile(rb"[A-Za-z0-9+/_-]{%d,}" % _WINDOW)
_HEX = re.compile(rb"(?:[0-9a-fA-F]{2}){%d,}" % _WINDOW)


def _texts(blob: bytes) -> Iterator[bytes]:
    yield blob
    yield from (bytes.fromhex(run[0].decode()) for run in _HEX.finditer(blob))


# -- sent over TLS -------------------------------------------------------------------------------------------------------


def _pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def _sent(way: _Way, data: bytes, size: int = 4000) -> _Tape:
    return [(way, piece) for piece in _pieces(data, size)]


def _head(first: str, *fields: str) -> bytes:
    return "\r\n".join([first, *fields, "", ""]).encode()


def _post(planted: _Planted, place: str, path: str, body: bytes, *fields: str) -> bytes:
    named = [
        f"authorization: Bearer {planted.opaque(place, 'authorization')}",
        f"x-api-key: {planted.opaque(place, 'x-api-key')}",
        f"cookie: theme=dark; session={planted.opaque(place, 'cookie')}; csrf={planted.opaque(place, 'cookie 2')}",
        *(f"x-note-{kind}: see {planted.shape(place, kind)} there" for kind in _SHAPES if kind != "pem"),
    ]
    query = (
        f"?key={planted.opaque(place, 'key=')}&access_token={planted.opaque(place, 'token=')}&a={planted.shape(place, 'jwt')}"
    )
    length = f"content-length: {len(body)}"
    return _head(f"POST {path}{query} HTTP/1.1", "host: api.anthropic.com", *named, *fields, length) + body


def _ask(planted: _Planted, place: str, *, stream: bool) -> bytes:
    messages = [{"role": "user", "content": planted.text(place)}]
    return json.dumps({"model": "demo", "max_tokens": 9, "stream": stream, "messages": messages}).encode()


def _answer(planted: _Planted, place: str) -> dict[str, object]:
    tool = {"type": "tool_use", "id": "toolu_1", "name": "bash", "input": {"command": planted.text(f"{place}-tool")}}
    content = [{"type": "text", "text": planted.text(place)}, tool]
    usage = {"input_tokens": 1, "output_tokens": 1}
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": "demo", "content": content, "usage": usage}


def _ok(body: bytes, *fields: str) -> bytes:
    return _head("HTTP/1.1 200 OK", "content-type: application/json", *fields, f"content-length: {len(body)}") + body


def _event(kind: str, **fields: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def _stream(planted: _Planted, place: str, size: int) -> bytes:
    """An answer whose deltas have `size` characters."""
    start: dict[str, object] = {"id": "msg_2", "type": "message", "role": "assistant", "model": "demo", "content": []}
    blocks: list[tuple[dict[str, object], str, str]] = [
        ({"type": "text", "text": ""}, "text_delta", "text"),
        ({"type": "thinking", "thinking": ""}, "thinking_delta", "thinking"),
        ({"type": "tool_use", "id": "toolu_2", "name": "bash", "input": {}}, "input_json_delta", "partial_json"),
    ]
    events = [_event("message_start", message=start | {"usage": {"input_tokens": 1, "output_tokens": 1}})]
    for index, (block, kind, name) in enumerate(blocks):
        text = planted.text(f"{place}-{kind}")
        text = json.dumps({"command": text}) if name == "partial_json" else text
        events.append(_event("content_block_start", index=index, content_block=block))
        pieces = (text[at : at + size] for at in range(0, len(text), size))
        events += [_event("content_block_delta", index=index, delta={"type": kind, name: piece}) for piece in pieces]
        events.append(_event("content_block_stop", index=index))
    events.append(_event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 1}))
    return b"".join([*events, _event("message_stop")])


def _unknown(planted: _Planted, place: str, form: Callable[[str], str]) -> bytes:
    """An event stream in no known dialect; each event has 17 characters of one text."""
    text = planted.text(place)
    pieces = [f"at-{place}: ", *(text[at : at + 17] for at in range(0, len(text), 17))]
    return "".join(f"data: {form(piece)}\n\n" for piece in pieces).encode()


def _chunked(data: bytes, size: int, *fields: str) -> _Tape:
    head = _head("HTTP/1.1 200 OK", "content-type: text/event-stream", "transfer-encoding: chunked", *fields)
    return [("in", head), *(("in", b"%x\r\n%b\r\n" % (len(one), one)) for one in _pieces(data, size)), ("in", b"0\r\n\r\n")]


_PING = _head("GET /ping HTTP/1.1", "host: h")


def _whole_calls(planted: _Planted) -> _Tape:
    """Plain answers, with and without content coding, in few records and in many."""
    cookie = f"set-cookie: session={planted.opaque('answer-head', 'set-cookie')}; Path=/; HttpOnly"
    location = (
        f"location: https://me:{planted.opaque('answer-head', 'password')}@h/?sig={planted.opaque('answer-head', 'sig=')}"
    )
    whole = json.dumps(_answer(planted, "answer")).encode()
    coded = gzip.compress(json.dumps(_answer(planted, "answer-gzip")).encode())
    return [
        *_sent("out", _post(planted, "head", "/v1/messages", _ask(planted, "ask", stream=False))),
        *_sent("in", _ok(whole, cookie, location)),
        *_sent("out", _post(planted, "head-in-pieces", "/v1/messages", _ask(planted, "ask-in-pieces", stream=False)), 50),
        *_sent("in", _ok(json.dumps(_answer(planted, "answer-in-pieces")).encode()), 50),
        *_sent("out", _post(planted, "head-3", "/v1/messages", _ask(planted, "ask-3", stream=False))),
        *_sent("in", _ok(coded, "content-encoding: gzip")),
    ]


def _streams(planted: _Planted) -> Iterator[_Tape]:
    """Event streams, with and without content coding; deltas and records cut the secrets in different places."""
    lines = _unknown(planted, "unknown-lines", lambda piece: piece.replace("\n", " "))
    objects = _unknown(planted, "unknown-objects", lambda piece: json.dumps({"t": {"piece": piece}}))
    for size, record in ((1, 4000), (7, 97), (20, 61), (33, 1009)):
        yield [
            *_sent("out", _post(planted, f"head-s{size}", "/v1/messages", _ask(planted, f"ask-s{size}", stream=True))),
            *_chunked(_stream(planted, f"stream-{size}", size), record),
        ]
    yield [
        *_sent("out", _post(planted, "head-gzip", "/v1/messages", _ask(planted, "ask-s", stream=True))),
        *_chunked(gzip.compress(_stream(planted, "stream-gzip", 11)), 300, "content-encoding: gzip"),
        *_sent("out", _post(planted, "head-other", "/other", b"x")),
        *_chunked(lines, 41),
        *_sent("out", _post(planted, "head-other-2", "/other", b"x")),
        *_chunked(objects, 41),
    ]


def _cut_heads(planted: _Planted) -> _Tape:
    """Header fields with secrets, cut into two records at every place."""
    tape: _Tape = []
    for name, before in (("authorization", "Bearer "), ("x-api-key", ""), ("cookie", "session="), ("x-note", "")):
        for cut in range(len(name) + len(before) + 44):
            place = f"cut-head-{cut}"
            value = planted.shape(place, "github") if name == "x-note" else planted.opaque(place, name)
            head = _head("GET /ping HTTP/1.1", "host: h", f"{name}: {before}{value}", "accept: */*")
            at = head.index(name.encode()) + cut
            records: _Tape = [("out", head[:at]), ("out", head[at:]), ("in", _head("HTTP/1.1 204 No Content"))]
            tape += records
    return tape


def _frame(payload: bytes, *, opcode: int = 1, masked: bool, final: bool = True, deflated: bool = False) -> bytes:
    """RFC 6455, section 5.2."""
    first = bytes([opcode | final << 7 | deflated << 6])
    size, bit = len(payload), masked << 7
    length = bytes([bit | size]) if size < 126 else bytes([bit | 126]) + size.to_bytes(2, "big")
    if not masked:
        return first + length + payload
    mask = secrets.token_bytes(4)
    return first + length + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


_FORMS = ("whole", "records", "fragments")


def _socket(planted: _Planted, way: _Way, place: str, *, deflate: bool, forms: Sequence[str] = _FORMS) -> _Tape:
    """The same message three times: in one record, in records that cut its frame, and in fragments of one record each."""
    made: _Tape = []
    for form in forms:
        payload = planted.text(f"{place}-{way}-{form}").encode()
        if deflate:
            press = zlib.compressobj(wbits=-15)
            payload = (press.compress(payload) + press.flush(zlib.Z_SYNC_FLUSH))[:-4]
        if form == "fragments":
            *begin, last = _pieces(payload, 19)
            for number, piece in enumerate(begin):
                opcode, pressed = (0, False) if number else (1, deflate)
                made.append((way, _frame(piece, opcode=opcode, masked=way == "out", final=False, deflated=pressed)))
            made.append((way, _frame(last, opcode=0, masked=way == "out")))
        else:
            frame = _frame(payload, masked=way == "out", deflated=deflate)
            made += _sent(way, frame, 4000 if form == "whole" else 23)
    return made


def _upgrade(planted: _Planted, place: str, path: str, *, deflate: bool) -> _Tape:
    extension = ["sec-websocket-extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover"]
    ask = _head(
        f"GET {path}?token={planted.opaque(place, 'token=')} HTTP/1.1",
        "host: api.openai.com",
        "upgrade: websocket",
        "connection: Upgrade",
        "sec-websocket-version: 13",
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
        f"sec-websocket-protocol: realtime, openai-insecure-api-key.{planted.shape(place, 'openai')}",
        f"authorization: Bearer {planted.opaque(place, 'authorization')}",
        *(extension if deflate else ()),
    )
    answer = _head(
        "HTTP/1.1 101 Switching Protocols",
        "upgrade: websocket",
        "connection: Upgrade",
        "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        *(extension if deflate else ()),
    )
    return [("out", ask), ("in", answer)]


def _websockets(planted: _Planted, *, forms: Sequence[str] = _FORMS) -> Iterator[_Tape]:
    for place, deflate in (("socket", False), ("socket-deflate", True)):
        yield [
            *_upgrade(planted, place, "/echo", deflate=deflate),
            *_socket(planted, "out", place, deflate=deflate, forms=forms),
            *_socket(planted, "in", place, deflate=deflate, forms=forms),
        ]


def _socket_deltas(planted: _Planted, size: int) -> _Tape:
    """A call over a WebSocket; each message of the answer has `size` characters."""
    create = {"type": "response.create", "model": "demo", "input": planted.text(f"socket-ask-{size}")}
    text = planted.text(f"socket-deltas-{size}")
    deltas = [
        {"type": "response.output_text.delta", "item_id": "m", "delta": text[at : at + size]}
        for at in range(0, len(text), size)
    ]
    usage = {"input_tokens": 1, "output_tokens": 1}
    response: dict[str, object] = {"id": "r", "status": "completed", "model": "demo", "output": [], "usage": usage}
    return [
        *_upgrade(planted, f"socket-responses-{size}", "/v1/responses", deflate=False),
        *_sent("out", _frame(json.dumps(create).encode(), masked=True)),
        *(("in", _frame(json.dumps(delta).encode(), masked=False)) for delta in deltas),
        ("in", _frame(json.dumps({"type": "response.completed", "response": response}).encode(), masked=False)),
    ]


def _http2(planted: _Planted) -> _Tape:
    """Two calls, plain and streamed. Each side sends one record, except for bodies, which have many."""
    client, server = H2Connection(), H2Connection(H2Configuration(client_side=False))
    tape: _Tape = []

    def exchange(way: _Way) -> None:
        sender, taker = (client, server) if way == "out" else (server, client)
        data = sender.data_to_send()
        if data:
            tape.append((way, data))
            taker.receive_data(data)

    client.initiate_connection()
    server.initiate_connection()
    for stream, kind in ((1, "whole"), (3, "stream")):
        place = f"h2-{kind}"
        body = _ask(planted, f"{place}-ask", stream=kind == "stream")
        heads = [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", "api.anthropic.com"),
            (":path", f"/v1/messages?key={planted.opaque(place, 'key=')}"),
            ("authorization", f"Bearer {planted.opaque(place, 'authorization')}"),
            ("x-api-key", planted.opaque(place, "x-api-key")),
            ("cookie", f"session={planted.opaque(place, 'cookie')}"),
            *((f"x-note-{shape}", planted.shape(place, shape)) for shape in _SHAPES if shape != "pem"),
        ]
        client.send_headers(stream, heads)
        exchange("out")
        exchange("in")
        for piece in _pieces(body, 57):
            client.send_data(stream, piece)
            exchange("out")
        client.end_stream(stream)
        exchange("out")
        answer = json.dumps(_answer(planted, place)).encode() if kind == "whole" else _stream(planted, place, 7)
        content_type = "application/json" if kind == "whole" else "text/event-stream"
        cookie = f"session={planted.opaque(place, 'set-cookie')}; Path=/"
        server.send_headers(stream, [(":status", "200"), ("content-type", content_type), ("set-cookie", cookie)])
        for piece in _pieces(answer, 211):
            server.send_data(stream, piece)
            exchange("in")
            client.acknowledge_received_data(len(piece), stream)
            exchange("out")
        server.end_stream(stream)
        exchange("in")
    return tape


def _raw(planted: _Planted, kind: str) -> _Tape:
    """Records of an unknown protocol: two of them share each secret, cut at a different place, in both directions."""
    tape: _Tape = [("out", b"\x01\x02hello"), ("in", b"\x01\x03hello")]
    for cut in range(len("".join(_SHAPES[kind]())) + 1):
        for way in _WAYS:
            place = f"raw-{way}-cut-{cut}"
            secret = planted.shape(place, kind).encode()
            records: _Tape = [(way, b"\x02 it is " + secret[:cut]), (way, secret[cut:] + b"\n\x03 and on\n")]
            tape += records
    planted.places.add("raw")
    return [*tape, ("out", b"\x04at-raw: done\n")]


# -- sent over pipes and to programs ---------------------------------------------------------------------------------------


def _rpc(planted: _Planted, place: str) -> str:
    params = {"name": "echo", "arguments": {"text": planted.text(place)}}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}) + "\n"


def _rpc_answer(planted: _Planted, place: str) -> str:
    result = {"content": [{"type": "text", "text": planted.text(place)}]}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}) + "\n"


def _commands(planted: _Planted) -> list[list[str]]:
    """One command for each way to pass a secret; the last arguments are longer than the part of a command that is kept."""
    opaque = planted.opaque
    client = ["/bin/true", "-H", f"Authorization: Bearer {opaque('argv', '-H')}", "-H", f"x-api-key: {opaque('argv', '-H 2')}"]
    return [
        ["/bin/true", planted.text("argv")],
        *(["/bin/true", planted.shape("argv word", kind)] for kind in _SHAPES),
        ["/bin/true", "--api-key", opaque("argv", "--api-key X"), f"--token={opaque('argv', '--token=X')}", "--verbose"],
        ["/usr/bin/env", f"OPENAI_API_KEY={opaque('argv', 'KEY=value')}", f"DB_PASSWORD={opaque('argv', 'PASSWORD=')}", "true"],
        [*client, f"https://me:{opaque('argv', 'password')}@host/?key={opaque('argv', 'key=')}&sig={opaque('argv', 'sig=')}"],
        ["/bin/sh", "-c", f"export MY_TOKEN={opaque('argv', 'sh -c')}; true --password '{opaque('argv', 'sh -c 2')}'"],
        *(["/bin/true", "x" * size, planted.shape("argv cut", "anthropic")] for size in range(8_030, 8_190, 13)),
    ]


# Plays the tapes, talks to a child over pipes, runs programs, opens files
_CLIENT = """
import json, os, socket, ssl, subprocess, sys, time
gate, plan = sys.argv[1], json.load(open(sys.argv[2]))
if gate == "child":
    for line, answer in zip(plan["parent"], plan["child"]):
        for _ in range(line.count("\\n")):
            sys.stdin.buffer.readline()
        data = answer.encode()
        for at in range(0, len(data), 40):
            os.write(1, data[at : at + 40])
    sys.exit()
while not os.path.exists(gate):
    time.sleep(0.01)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
for tape in plan["tapes"]:
    with socket.create_connection(("127.0.0.1", plan["port"])) as plain, context.wrap_socket(plain) as tls:
        tls.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for way, record in tape:
            if way == "out":
                tls.sendall(bytes.fromhex(record))
            else:
                missing = record
                while missing:
                    got = tls.recv(missing)
                    assert got
                    missing -= len(got)
child = subprocess.Popen([sys.executable, sys.argv[0], "child", sys.argv[2]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
for line, answer in zip(plan["parent"], plan["child"]):
    data = line.encode()
    for at in range(0, len(data), 40):
        os.write(child.stdin.fileno(), data[at : at + 40])
    for _ in range(answer.count("\\n")):
        child.stdout.readline()
child.stdin.close()
assert child.wait() == 0
for command in plan["commands"]:
    subprocess.run(command, check=True)
for path in plan["paths"]:
    open(path, "w").close()
"""


@contextmanager
def _served(tapes: Sequence[_Tape]) -> Generator[int]:
    """Run a server that plays its side of the tapes, one connection each. Gives its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    failed: list[Exception] = []

    def serve() -> None:
        try:
            for tape in tapes:
                plain, _ = listening.accept()
                with context.wrap_socket(plain, server_side=True) as tls:
                    tls.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    for way, record in tape:
                        if way == "in":
                            tls.sendall(record)
                        else:
                            _read(tls, len(record))
        except (OSError, AssertionError) as error:
            failed.append(error)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(20)
    if failed:
        raise failed[0]


def _read(tls: ssl.SSLSocket, size: int) -> None:
    while size:
        got = tls.recv(size)
        assert got, "the client left"
        size -= len(got)


# -- the tests -------------------------------------------------------------------------------------------------------------


class _Leaked(Exception):
    """A sink contains secrets."""


@dataclass
class _Plan:
    """What the client sends over TLS and over the pipes of its child, and the commands and files it runs and opens."""

    planted: _Planted
    tapes: list[_Tape] = field(default_factory=list[_Tape])
    asks: list[str] = field(default_factory=list[str])  # to the child
    answers: list[str] = field(default_factory=list[str])  # of the child
    commands: list[list[str]] = field(default_factory=list[list[str]])
    names: list[str] = field(default_factory=list[str])  # of files

    def write(self, directory: Path, port: int) -> list[str]:
        """Write the files of the client. Returns its command."""
        client, path = directory / "client.py", directory / "plan.json"
        client.write_text(_CLIENT)
        plan = {
            "port": port,
            "tapes": [[(way, data.hex() if way == "out" else len(data)) for way, data in tape] for tape in self.tapes],
            "parent": self.asks,
            "child": self.answers,
            "commands": self.commands,
            "paths": [str(directory / name) for name in self.names],
        }
        path.write_text(json.dumps(plan))
        return [sys.executable, str(client), str(directory / "go"), str(path)]

    def check(self, sinks: Sequence[Path], shown: bytes) -> None:
        """Check that every text with secrets was captured and that no sink contains a secret."""
        assert not [place for place in self.planted.places if f"at-{place}: ".encode() not in shown]
        leaks = {path.name: self.planted.leaks(path.read_bytes()) for path in sinks}
        if any(leaks.values()):
            raise _Leaked("\n".join(f"{name}: {leak}" for name, found in leaks.items() for leak in found))


def _everything() -> _Plan:
    planted = _Planted()
    return _Plan(
        planted,
        [
            _whole_calls(planted),
            *_streams(planted),
            _cut_heads(planted),
            *_websockets(planted),
            _socket_deltas(planted, 4),  # longer ones have a test of their own
            _http2(planted),
            *(_raw(planted, kind) for kind in _SHAPES),
        ],
        [_rpc(planted, "rpc-ask"), planted.line("pipe-line") + "\n"],
        [_rpc_answer(planted, "rpc-answer"), planted.line("pipe-answer") + "\n"],
        _commands(planted),
        [planted.shape("path", kind) for kind in ("anthropic", "github", "google")],
    )


_SOURCES = ["--ssl", "--process", "--stdio", "--stdio-all-fds", "--stdio-max-bytes", "65536", "--files", "--net", "--system"]


def _traced(plan: _Plan, directory: Path, *flags: str) -> None:
    """Trace the client into a store, a file, the console and a collector."""
    store, lines, out, err, spans = (directory / name for name in ("run.lmdb", "run.jsonl", "out", "err", "spans"))
    with ExitStack() as stack:
        port = stack.enter_context(_served(plan.tapes))
        words = [*flags, "--db", str(store), "--jsonl", str(lines)]
        words += ["--otel", "--otel-capture-content", "--otel-endpoint", stack.enter_context(collecting(spans))]
        watched = stack.enter_context(started(plan.write(directory, port)))
        with out.open("wb") as stdout, err.open("wb") as stderr:
            command = [*PROGRAM, "trace", "-p", str(watched.pid), *words]
            tracer = stack.enter_context(subprocess.Popen(command, stdout=stdout, stderr=stderr))
            until(lambda: tracer.poll() is not None or b"capturing" in err.read_bytes())
            (directory / "go").touch()
            assert watched.wait(PATIENCE_S) == 0
            assert tracer.wait(PATIENCE_S) == 0
    # It ran before, where it is an agent; and answers of a model to what asks for none are calls without their requests
    whole = r"^(nothing is missing|1 thing is missing: (\S+ \d+ ran before the capture began|\d calls? (is|are) incomplete))"
    assert re.search(whole, err.read_text(), re.MULTILINE), err.read_text()
    assert out.read_bytes() == lines.read_bytes()
    plan.check([lines, err, spans, *directory.glob("run.lmdb*")], lines.read_bytes())


def _as_hex(text: str) -> str:
    return text.encode().hex()


@pytest.mark.parametrize("form", [str, str.upper, _as_hex])
def test_the_search_finds_any_13_random_characters(form: Callable[[str], str]) -> None:
    planted = _Planted()
    planted.text("here")
    for part, where in planted.parts.items():
        for at in range(len(part) - 12):
            window = part[at : at + 13]
            said = [leak.partition(":")[0] for leak in planted.leaks(f'{{"x": "{form(window)}"}}'.encode())]
            assert said == ([] if form is str.upper and window != window.upper() else [where])
            assert not planted.leaks(form(window[:12]).encode())


@pytest.mark.parametrize("raw", [(), ("--stdio-raw",)], ids=str)
def test_a_trace_shows_no_secret_in_any_sink(raw: tuple[str, ...], tmp_path: Path) -> None:
    _traced(_everything(), tmp_path, *_SOURCES, *raw)


def test_a_recording_holds_no_secret(tmp_path: Path) -> None:
    plan, store, out = _everything(), tmp_path / "run.lmdb", tmp_path / "out"
    with _served(plan.tapes) as port, out.open("wb") as said:
        (tmp_path / "go").touch()
        words = ["record", "--no-server", "--stdio-max-bytes", "65536", "--db", str(store), "--", *plan.write(tmp_path, port)]
        subprocess.run([*PROGRAM, *words], stdout=said, stderr=said, timeout=PATIENCE_S, check=True)
    assert "nothing is missing" in out.read_text()
    read = [tmp_path / name for name in ("run.jsonl", "run.json")]  # what is compressed in the store, as events and as rows
    for file in read:
        subprocess.run([*PROGRAM, "report", "export", "--db", str(store), "-o", str(file)], timeout=PATIENCE_S, check=True)
    plan.check([out, *tmp_path.glob("run.lmdb*"), *read], read[0].read_bytes())


def test_raw_records_beside_the_messages_hold_none_either(tmp_path: Path) -> None:
    planted = _Planted()
    unbroken: _Tape = [("out", _PING), *_chunked(_stream(planted, "stream", 4000), 1 << 14)]
    tapes = [_whole_calls(planted), unbroken, _cut_heads(planted), *_websockets(planted, forms=("whole", "records"))]
    tapes += [_raw(planted, kind) for kind in _SHAPES]
    _traced(_Plan(planted, tapes), tmp_path, "--ssl", "--ssl-raw-data")


def test_a_secret_in_pieces_over_messages_of_a_websocket_is_hidden(tmp_path: Path) -> None:
    planted = _Planted()
    _traced(_Plan(planted, [_socket_deltas(planted, 20)]), tmp_path, "--ssl")


def test_a_private_key_in_lines_of_a_pipe_is_hidden(tmp_path: Path) -> None:
    planted = _Planted()
    _traced(_Plan(planted, [], [planted.text("ask") + "\n"], [planted.text("answer") + "\n"]), tmp_path, "--stdio")


def test_a_secret_with_framing_in_its_middle_is_hidden_in_raw_records(tmp_path: Path) -> None:
    planted = _Planted()
    deltas: _Tape = [("out", _PING), *_chunked(_stream(planted, "deltas", 20), 4000)]
    chunks: _Tape = [("out", _PING), *_chunked(_stream(planted, "chunks", 4000), 20)]
    fragments = [*_upgrade(planted, "socket", "/echo", deflate=False)]
    fragments += _socket(planted, "in", "socket", deflate=False, forms=("fragments",))
    _traced(_Plan(planted, [deltas, chunks, fragments, _http2(planted)]), tmp_path, "--ssl", "--ssl-raw-data")

"""Places where a program can say a text -> the records that the capture has of it. `None`: it cannot hold such a text."""

from __future__ import annotations

import gzip
import json
import re
import urllib.parse
from collections.abc import Callable, Sequence

from msgspec import Struct

from agentsight_rx.events import (
    Channel,
    Connection,
    Event,
    FileEvent,
    NetEvent,
    Origin,
    ProcessExec,
    ProcessSeen,
    Readline,
    StdioChunk,
    TlsEvent,
)
from tests.golden import JSON, SSE, Talk, answer, chunked, request, streamed
from tests.golden.streams import START, STOP, call_start, event, partial_json, says, thinks
from tests.operators import MS, Wire
from tests.operators.http2_peers import Peers
from tests.operators.websocket_peers import Sockets

__all__ = ["CANNOT", "PLACES", "Captured", "Place", "is_raw"]

_CUT = 7  # characters of a delta, where an answer is cut


class Captured(Struct):
    """What each source captured."""

    tls: list[TlsEvent] = []
    stdio: list[Event] = []
    process: list[Event] = []
    files: list[Event] = []
    net: list[Event] = []
    readline: list[Event] = []

    def __iadd__(self, other: Captured) -> Captured:
        for name in self.__struct_fields__:
            getattr(self, name).extend(getattr(other, name))
        return self


Place = Callable[[int, str], Captured | None]


def _is_line(text: str) -> bool:
    return "\n" not in text


_is_field = re.compile(r"[A-Za-z-]+: [^\n]*").fullmatch
_is_target = re.compile(r"https://\S*").match


# -- HTTP/1 ------------------------------------------------------------------------------------------------------------


class _Caller:
    """A connection of its own, later than the ones before."""

    def __init__(self, number: int, record: int) -> None:
        self.wire = Wire(Connection(7, 700, "/lib/libssl.so.3", 0x10_000 + number), start_ns=number * 1000 * MS)
        self.talk = Talk(self.wire, record=record)

    def captured(self) -> Captured:
        return Captured(tls=[*self.talk.records, self.wire.closes()])


_Holds = Callable[[str], object]  # can the place hold this text?


def _any(text: str) -> bool:
    return True


def _http1(make: Callable[[Talk, str], None], *, holds: _Holds = _any, record: int = 16_384) -> Place:
    def place(number: int, text: str) -> Captured | None:
        if not holds(text):
            return None
        caller = _Caller(number, record)
        make(caller.talk, text)
        return caller.captured()

    return place


def _asked(body: object) -> bytes:
    return json.dumps(body).encode()


def _header(talk: Talk, text: str) -> None:
    talk.asks(request("/v1/messages", b"{}", f"X-Note: {text}".encode()))
    talk.answers(answer(b"{}", JSON))


def _answer_header(talk: Talk, text: str) -> None:
    talk.asks(request("/v1/messages"))
    talk.answers(answer(b"{}", JSON, f"X-Note: {text}".encode()))


def _own_field(talk: Talk, text: str) -> None:
    """The text is a field: of the request, of the answer, and of its trailers."""
    talk.asks(request("/v1/messages", b"{}", text.encode()))
    talk.answers(chunked([b"{}"], JSON, text.encode(), trailers=[text.encode()]))


def _own_target(talk: Talk, text: str) -> None:
    """The text begins with a URL: as a client says it to a proxy."""
    talk.asks(request(text.partition(" ")[0], b"", method="GET"))
    talk.answers(answer(b""))


def _path(talk: Talk, text: str) -> None:
    talk.asks(request(f"/v1/{urllib.parse.quote(text, safe='')}", b"", method="GET"))
    talk.answers(answer(b""))


def _query(talk: Talk, text: str) -> None:
    talk.asks(request(f"/v1/models?q={urllib.parse.quote_plus(text)}&b=c", b"", method="GET"))
    talk.answers(answer(b""))


def _prompt(talk: Talk, text: str) -> None:
    system = [{"type": "text", "text": f"system {text}"}]
    said = {"model": "m", "system": system, "messages": [{"role": "user", "content": f"look at {text}"}]}
    talk.asks(request("/v1/messages", _asked(said), JSON))
    talk.answers(
        answer(_asked({"id": "msg", "type": "message", "model": "m", "content": [{"type": "text", "text": "ok"}]}), JSON)
    )


def _tool_result(talk: Talk, text: str) -> None:
    """A conversation: the call of a tool, and what the tool said."""
    call = {"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": text, "env": {"NOTE": text}}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": text}]}
    messages = [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    talk.asks(request("/v1/messages", _asked({"model": "m", "messages": messages}), JSON))
    talk.answers(answer(_asked({"id": "msg", "type": "message", "model": "m", "content": []}), JSON))


def _answer(talk: Talk, text: str) -> None:
    tool = {"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": text}}
    content = [{"type": "text", "text": f"it is {text}"}, tool]
    talk.asks(request("/v1/messages", _asked({"model": "m", "messages": [{"role": "user", "content": "hi"}]}), JSON))
    talk.answers(answer(_asked({"id": "msg", "type": "message", "model": "m", "content": content}), JSON))


def _answer_gzip(talk: Talk, text: str) -> None:
    talk.asks(request("/v1/messages", _asked({"model": "m", "messages": [{"role": "user", "content": "hi"}]}), JSON))
    body = gzip.compress(_asked({"id": "msg", "model": "m", "content": [{"type": "text", "text": f"it is {text}"}]}), mtime=0)
    talk.answers(answer(body, JSON, b"Content-Encoding: gzip"))


def _json_body(talk: Talk, text: str) -> None:
    """The text itself, which may be JSON."""
    talk.asks(request("/hook", text.encode(), JSON))
    talk.answers(answer(text.encode(), JSON))


def _form(talk: Talk, text: str) -> None:
    body = f"a=b&note={urllib.parse.quote_plus(text)}&c=d"
    talk.asks(request("/login", body.encode(), b"Content-Type: application/x-www-form-urlencoded"))
    talk.answers(answer(b"{}"))


def _multipart(talk: Talk, text: str) -> None:
    body = f'--x\r\nContent-Disposition: form-data; name="note"\r\n\r\n{text}\r\n--x--\r\n'
    talk.asks(request("/login", body.encode(), b"Content-Type: multipart/form-data; boundary=x"))
    talk.answers(answer(b"{}"))


def _trailer(talk: Talk, text: str) -> None:
    talk.asks(request("/v1/messages"))
    talk.answers(chunked([b"{}"], JSON, trailers=[f"X-Note: {text}".encode()]))
    talk.asks(request("/v1/messages"))
    talk.answers(chunked([START, STOP], SSE, trailers=[f"X-Note: {text}".encode()]))


def _chunks(talk: Talk, text: str) -> None:
    """A body whose chunks cut the text."""
    data = f"it is {text}".encode()
    talk.asks(request("/v1/files", b"", method="GET"))
    talk.answers(chunked([data[at : at + 11] for at in range(0, len(data), 11)], b"Content-Type: text/plain"))


def _unfinished(talk: Talk, text: str) -> None:
    """The connection ends inside a body."""
    talk.asks(f"POST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\nit is {text} and".encode())


# -- event streams -----------------------------------------------------------------------------------------------------


def _pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def _stream(talk: Talk, *parts: bytes) -> None:
    talk.asks(
        request("/v1/messages", _asked({"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]}), JSON)
    )
    talk.answers(streamed(START, *parts, STOP))


def _delta(talk: Talk, text: str) -> None:
    _stream(talk, says(f"it is {text} so"), says("and on"))


def _deltas(talk: Talk, text: str) -> None:
    _stream(talk, *map(says, _pieces(f"it is {text} so", _CUT)))


def _thoughts(talk: Talk, text: str) -> None:
    _stream(talk, *map(thinks, _pieces(f"it is {text} so", _CUT)))


def _tool_deltas(talk: Talk, text: str) -> None:
    start = call_start(1, "toolu_1", "Bash")
    _stream(talk, start, *map(partial_json, _pieces(json.dumps({"command": text, "note": text}), _CUT)))


def _unknown_lines(talk: Talk, text: str) -> None:
    """An event stream of an unknown dialect, whose data is no JSON."""
    talk.asks(request("/events", b"", method="GET"))
    talk.answers(streamed(*(f"data: {piece}\n\n".encode() for piece in _pieces(f"it is {text} so", _CUT))))


def _unknown_objects(talk: Talk, text: str) -> None:
    talk.asks(request("/events", b"", method="GET"))
    talk.answers(streamed(*(event("note", t={"piece": piece}) for piece in _pieces(f"it is {text} so", _CUT))))


# -- HTTP/2 and WebSockets ---------------------------------------------------------------------------------------------


def _http2(make: Callable[[Peers, str], None], *, holds: _Holds = _any) -> Place:
    def place(number: int, text: str) -> Captured | None:
        if not holds(text):
            return None
        caller = _Caller(number, 16_384)
        peers = Peers(caller.wire, record=700)
        make(peers, text)
        return Captured(tls=[*peers.records, caller.wire.closes()])

    return place


_TO_JSON = [("content-type", "application/json")]
_TO_EVENTS = [("content-type", "text/event-stream")]


def _h2_path(peers: Peers, text: str) -> None:
    stream = peers.asks("GET", f"/v1/models?q={urllib.parse.quote(text, safe='')}")
    peers.answers(stream, _TO_JSON, b"{}")


def _h2_header(peers: Peers, text: str) -> None:
    stream = peers.asks("POST", "/v1/messages", [("x-note", text)], b"{}")
    peers.answers(stream, [*_TO_JSON, ("x-note", text)], b"{}", trailers=[("x-note", text)])


def _h2_own_field(peers: Peers, text: str) -> None:
    name, _, value = text.partition(": ")
    stream = peers.asks("POST", "/v1/messages", [(name.lower(), value)], b"{}")
    peers.answers(stream, [*_TO_JSON, (name.lower(), value)], b"{}", trailers=[(name.lower(), value)])


def _h2_body(peers: Peers, text: str) -> None:
    body = _asked({"model": "m", "messages": [{"role": "user", "content": f"look at {text}"}]})
    stream = peers.asks("POST", "/v1/messages", _TO_JSON, body)
    peers.answers(stream, _TO_JSON, _asked({"id": "msg", "model": "m", "content": [{"type": "text", "text": text}]}))


def _h2_deltas(peers: Peers, text: str) -> None:
    body = _asked({"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]})
    stream = peers.asks("POST", "/v1/messages", _TO_JSON, body)
    peers.answers(stream, _TO_EVENTS, b"".join([START, *map(says, _pieces(f"it is {text} so", _CUT)), STOP]))


def _socket(make: Callable[[Sockets, str], None], *, target: str = "/chat", deflate: str = "") -> Place:
    def place(number: int, text: str) -> Captured:
        caller = _Caller(number, 16_384)
        sockets = Sockets(caller.wire, target=target, deflate=deflate)
        make(sockets, text)
        return Captured(tls=[*sockets.records, caller.wire.closes()])

    return place


def _ws_texts(sockets: Sockets, text: str) -> None:
    for pieces in (1, 9):
        sockets.asks(f"it is {text} so", pieces)
        sockets.tells(json.dumps({"note": text}), pieces)
    sockets.sends(f"it is {text} so".encode())


def _ws_deltas(sockets: Sockets, text: str) -> None:
    """A call over a WebSocket, whose answer comes in many messages."""
    sockets.asks(json.dumps({"type": "response.create", "model": "m", "input": text}))
    for piece in _pieces(f"it is {text} so", _CUT):
        sockets.tells(json.dumps({"type": "response.output_text.delta", "item_id": "m", "delta": piece}))
    done = {"id": "r", "status": "completed", "model": "m"}
    sockets.tells(json.dumps({"type": "response.completed", "response": done}))


# -- JSON-RPC, pipes, processes ----------------------------------------------------------------------------------------


def _rpc_call(text: str) -> dict[str, object]:
    arguments = {"text": text, "command": text}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "arguments": arguments}}


def _rpc_result(text: str) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": text}]}}


def _rpc_http(talk: Talk, text: str) -> None:
    talk.asks(request("/mcp", _asked(_rpc_call(text)), JSON))
    talk.answers(answer(_asked(_rpc_result(text)), JSON))


class _Pipe:
    """Both ends of a pipe. What is written is read at once."""

    def __init__(self, number: int) -> None:
        self._now_ns = number * 1000 * MS
        self._channel = Channel("pipe", 0x100 + number)
        self._at = [0, 0]
        self.chunks: list[Event] = []

    def carries(self, data: bytes, record: int = 4096) -> None:
        for at in range(0, len(data), record):
            piece = data[at : at + record]
            for end in (0, 1):
                self._now_ns += MS
                origin = Origin(self._now_ns, 20 + end, 20 + end, 1000, "mcp", direction="in" if end else "out")
                self.chunks.append(StdioChunk(origin, self._channel, 1 - end, piece, self._at[0], self._at[1]))
            self._at = [self._at[0] + len(piece), self._at[1] + 1]


def _piped(lines: Callable[[str], Sequence[str]], *, holds: _Holds = _any, record: int = 4096) -> Place:
    def place(number: int, text: str) -> Captured | None:
        if not holds(text):
            return None
        pipe = _Pipe(number)
        for line in lines(text):
            pipe.carries(line.encode(), record)
        return Captured(stdio=pipe.chunks)

    return place


def _rpc_pipe(number: int, text: str) -> Captured:
    asked, told = _Pipe(2 * number), _Pipe(2 * number + 1)
    asked.carries(_asked(_rpc_call(text)) + b"\n")
    told.carries(_asked(_rpc_result(text)) + b"\n")
    return Captured(stdio=[*asked.chunks, *told.chunks])


def _origin(number: int) -> Origin:
    return Origin(number * 1000 * MS, 30, 30, 1000, "bash")


def _rpc_other(number: int, text: str) -> Captured:
    """Requests that are not of MCP, as editors and agents send them to each other: answered, refused, and with no answer."""
    asked, told = _Pipe(2 * number), _Pipe(2 * number + 1)
    prompt = [{"type": "text", "text": f"look at {text}"}]
    params = {"sessionId": "s", "prompt": prompt, "note": text, "env": [{"name": "NOTE", "value": text}]}
    for id_ in (1, 2, 3):
        asked.carries(_asked({"jsonrpc": "2.0", "id": id_, "method": "session/prompt", "params": params}) + b"\n")
    asked.carries(_asked({"jsonrpc": "2.0", "method": "session/update", "params": [text, {"update": text}]}) + b"\n")
    told.carries(_asked({"jsonrpc": "2.0", "id": 1, "result": {"text": text, "lines": [f"it is {text}"]}}) + b"\n")
    error = {"code": -32000, "message": f"it is {text}", "data": {"note": text}}
    told.carries(_asked({"jsonrpc": "2.0", "id": 2, "error": error}) + b"\n")
    return Captured(stdio=[*asked.chunks, *told.chunks])


def _word(number: int, text: str) -> Captured:
    return Captured(process=[ProcessExec(_origin(number), 1, 1, "/bin/x", ("x", "-v", text), "/")])


def _seen(number: int, text: str) -> Captured:
    argv = ("bash", "-c", f"echo 1; {text}")
    return Captured(process=[ProcessSeen(_origin(number), 1, 1, "/bin/bash", argv, f"/tmp/{text}")])


def _script(number: int, text: str) -> Captured:
    return Captured(process=[ProcessExec(_origin(number), 1, 1, "/bin/bash", ("bash", "-c", f"echo 1; {text}"), "/")])


def _directory(number: int, text: str) -> Captured:
    return Captured(process=[ProcessExec(_origin(number), 1, 1, f"/bin/{text}", ("x",), f"/tmp/{text}")])


def _socket_name(number: int, text: str) -> Captured:
    return Captured(net=[NetEvent(_origin(number), 1, "connect", "unix", "stream", f"/run/{text}", f"/tmp/{text}")])


def _file_name(number: int, text: str) -> Captured:
    return Captured(files=[FileEvent(_origin(number), 1, "rename", f"/tmp/{text}", f"/tmp/{text}.bak")])


def _typed(number: int, text: str) -> Captured | None:
    return Captured(readline=[Readline(_origin(number), f"echo 1; {text}")]) if _is_line(text) else None


# -- raw records -------------------------------------------------------------------------------------------------------


def _raw(record: int) -> Place:
    """A protocol that is not known."""
    return _http1(lambda talk, text: talk.asks(b"\x01\x02 it is " + text.encode() + b" so\n\x03"), record=record)


# Rows of the table. Those that begin with `raw` are captured with the records beside the messages
PLACES: dict[str, Place] = {
    "field of a request": _http1(_header, holds=_is_line),
    "field of a response": _http1(_answer_header, holds=_is_line),
    "field of its own": _http1(_own_field, holds=_is_field),
    "target of its own": _http1(_own_target, holds=_is_target),
    "path": _http1(_path),
    "query": _http1(_query),
    "prompt": _http1(_prompt),
    "call and result of a tool": _http1(_tool_result),
    "answer": _http1(_answer),
    "answer, compressed": _http1(_answer_gzip),
    "body that is JSON or text": _http1(_json_body),
    "form": _http1(_form),
    "form in parts": _http1(_multipart),
    "trailers": _http1(_trailer, holds=_is_line),
    "body in chunks": _http1(_chunks),
    "body without its end": _http1(_unfinished),
    "delta of an answer": _http1(_delta),
    "deltas that cut it": _http1(_deltas),
    "thoughts that cut it": _http1(_thoughts),
    "input of a tool, cut": _http1(_tool_deltas),
    "lines of unknown events, cut": _http1(_unknown_lines, holds=_is_line),
    "objects of unknown events, cut": _http1(_unknown_objects),
    "HTTP/2 path": _http2(_h2_path),
    "HTTP/2 fields and trailers": _http2(_h2_header, holds=_is_line),
    "HTTP/2 field of its own": _http2(_h2_own_field, holds=_is_field),
    "HTTP/2 bodies": _http2(_h2_body),
    "HTTP/2 deltas that cut it": _http2(_h2_deltas),
    "messages of a WebSocket": _socket(_ws_texts),
    "messages, compressed": _socket(_ws_texts, deflate="permessage-deflate"),
    "messages that cut an answer": _socket(_ws_deltas, target="/v1/responses"),
    "JSON-RPC over HTTP": _http1(_rpc_http),
    "JSON-RPC over pipes": _rpc_pipe,
    "JSON-RPC of another protocol": _rpc_other,
    "line of a pipe": _piped(lambda text: [f"it is {text}\n"], holds=_is_line),
    "lines of a pipe": _piped(lambda text: [f"{line}\n" for line in f"it is {text}".split("\n")], record=40),
    "word of a command": _word,
    "script of a command": _script,
    "program that ran before": _seen,
    "directory and program": _directory,
    "name of a file": _file_name,
    "name of a socket": _socket_name,
    "typed line": _typed,
    "raw: unknown protocol": _raw(16_384),
    "raw: unknown protocol, cut": _raw(11),
    "raw: heads, cut": _http1(_header, holds=_is_line, record=11),
    "raw: field of its own, cut": _http1(_own_field, holds=_is_field, record=11),
    "raw: target of its own, cut": _http1(_own_target, holds=_is_target, record=11),
    "raw: prompt": _http1(_prompt, record=4096),
    "raw: body in chunks": _http1(_chunks),
    "raw: deltas that cut it": _http1(_deltas),
    "raw: input of a tool, cut": _http1(_tool_deltas, record=97),
    "raw: HTTP/2 fields": _http2(_h2_header, holds=_is_line),
    "raw: HTTP/2 field of its own": _http2(_h2_own_field, holds=_is_field),
    "raw: HTTP/2 bodies": _http2(_h2_body),
    "raw: HTTP/2 deltas that cut it": _http2(_h2_deltas),
    "raw: messages of a WebSocket": _socket(_ws_texts),
    "raw: messages that cut an answer": _socket(_ws_deltas, target="/v1/responses"),
    "raw: answer, compressed": _http1(_answer_gzip),
    "raw: WebSocket, compressed": _socket(_ws_texts, deflate="permessage-deflate"),
}


def is_raw(place: str) -> bool:
    return place.startswith("raw")


# Rows in which nothing can be hidden: to do so, the bytes would have to be compressed anew, with another length
CANNOT = frozenset({"raw: answer, compressed", "raw: WebSocket, compressed"})

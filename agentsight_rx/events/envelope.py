"""
Event <-> the JSON envelope of events outside the program: {timestamp, source, pid, comm, data}.

Longer than 300 lines because each kind of event has its own fields there, in both directions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import msgspec

from . import (
    AnswerProgress,
    BlindSpot,
    BodyPart,
    Event,
    FileEvent,
    Headers,
    HostsKnown,
    HttpRequest,
    HttpResponse,
    Loss,
    NetEvent,
    Origin,
    ProcessExec,
    ProcessExit,
    ProcessFork,
    ProcessSeen,
    Readline,
    RpcMessage,
    RulesLoaded,
    SessionEntry,
    SseMessage,
    StdioChunk,
    StdioClose,
    SystemSample,
    SystemWide,
    TcpTraffic,
    Tick,
    TlsChunk,
    TlsClose,
    TlsHandshake,
    TlsOpen,
    TlsUse,
    UnreadTls,
    WebSocketMessage,
    Witness,
    milliseconds,
)

E = TypeVar("E")
Data = dict[str, Any]

_encoder = msgspec.json.Encoder()
_TLS = "ssl"
_DIRECTIONS = {"READ": "in", "WRITE": "out"}  # of stdio, in the words of the original


def encode_line(event: Event) -> bytes:
    """One compact line of JSON, without the line end."""
    return _encoder.encode(encode_envelope(event))


def encode_envelope(event: Event) -> Data:
    """The envelope as a value of plain JSON types. `timestamp` is Unix time in ms, 0 before normalize()."""
    kind, origin = type(event), event.origin
    how = _KINDS[kind]
    return {
        "timestamp": milliseconds(origin.wall_ns),
        "source": _wire(origin) if how.source == _TLS else how.source,
        "pid": origin.pid,
        "comm": origin.comm,
        "data": {"event_type": _NAMES[kind], **_origin(origin), **how.encode(event)},
    }


def decode_envelope(envelope: Data) -> Event:
    """
    The event that `encode_envelope` was given. Raises msgspec.ValidationError, KeyError or ValueError where the envelope is
    not one of ours.
    """
    data = msgspec.convert(envelope["data"], Data)
    kind = _BY_NAME.get(str(data.get("event_type")))
    if kind is None:
        raise ValueError(f"unknown event type {data.get('event_type')!r}")
    origin, decode = _origin_back(envelope, data), _KINDS[kind].decode
    return _convert(kind, origin, data) if decode is None else decode(origin, data)


# -- pieces ------------------------------------------------------------------------------------------------------------


def _origin(origin: Origin) -> Data:
    data: Data = {"timestamp_ns": origin.time_ns, "time_unix_ns": origin.wall_ns, "tid": origin.tid, "uid": origin.uid}
    if origin.connection is not None:
        connection = origin.connection
        data |= {
            "connection_id": connection.id,
            "process_start_ns": connection.start_ns,
            "tls_library": connection.library,
            "transport_handle": f"{connection.handle:#x}",
        }
        if connection.pid != origin.pid:
            data["connection_pid"] = connection.pid
    if origin.direction is not None:
        data["direction"] = origin.direction
    return data


def _origin_back(envelope: Data, data: Data) -> Origin:
    connection = None
    if "transport_handle" in data:
        connection = {
            "pid": data["connection_pid"] if "connection_pid" in data else envelope["pid"],
            "start_ns": data["process_start_ns"],
            "library": data["tls_library"],
            "handle": int(str(data["transport_handle"]), 16),
        }
    return msgspec.convert(
        {
            "time_ns": data["timestamp_ns"],
            "pid": envelope["pid"],
            "tid": data["tid"],
            "uid": data["uid"],
            "comm": envelope["comm"],
            "wall_ns": data["time_unix_ns"],
            "connection": connection,
            "direction": _DIRECTIONS.get(str(data.get("direction")), data.get("direction")),
        },
        Origin,
    )


def _wire(origin: Origin) -> str:
    """What carried it, in the words of the original, which has TLS alone."""
    return "tcp" if origin.connection is not None and origin.connection.plain else _TLS


def _bytes(name: str, value: bytes) -> Data:
    """UTF-8 as text; other bytes as hex, in a field with `_hex` at the end of its name, with null for the text."""
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {name: None, f"{name}_hex": value.hex()}


def _bytes_back(name: str, data: Data) -> bytes:
    found = data.get(f"{name}_hex")
    if found is not None:
        return bytes.fromhex(str(found))
    return (msgspec.convert(data[name], str | None) or "").encode()


def _fields(event: msgspec.Struct, skip: tuple[str, ...]) -> Data:
    """The fields of an event under their own names."""
    names = (name for name in event.__struct_fields__ if name != "origin" and name not in skip)
    return {name: msgspec.to_builtins(getattr(event, name)) for name in names}


def _convert(kind: type[E], origin: Origin, data: Data, /, **given: Any) -> E:
    return msgspec.convert({**data, **given, "type": data["event_type"], "origin": origin}, kind)


# -- kinds -------------------------------------------------------------------------------------------------------------


def _tls_chunk(event: TlsChunk) -> Data:
    return {
        "function": "WRITE/SEND" if event.origin.direction == "out" else "READ/RECV",
        "len": len(event.data) + event.lost,
        "latency_ms": round(event.latency_ns / 1e6, 3),
        "latency_ns": event.latency_ns,
        "is_handshake": False,
        "truncated": event.lost > 0,
        **({"bytes_lost": event.lost} if event.lost else {}),
        **({"filtered": True} if event.marked else {}),
        **_bytes("data", event.data),
        "offset": event.offset,
        "capture_seq": event.seq,
    }


def _tls_chunk_back(origin: Origin, data: Data) -> TlsChunk:
    return _convert(
        TlsChunk,
        origin,
        data,
        data=_bytes_back("data", data),
        seq=data["capture_seq"],
        lost=data.get("bytes_lost", 0),
        marked=data.get("filtered", False),
    )


def _tls_handshake(event: TlsHandshake) -> Data:
    return {
        "function": "HANDSHAKE",
        "len": 1,
        "latency_ms": round(event.latency_ns / 1e6, 3),
        "latency_ns": event.latency_ns,
        "is_handshake": True,
        "truncated": False,
        "data": None,
    }


def _tls_close(event: TlsClose) -> Data:
    return {"function": "CLOSE", "connection_closed": True, "in_offset": event.in_offset, "out_offset": event.out_offset}


def _headers(headers: Headers) -> Data:
    """By name for reading; in wire order with duplicates for decoding."""
    return {"headers": dict(headers), "header_list": [list(header) for header in headers]}


def _message(event: HttpRequest | HttpResponse, kind: str, first_line: str) -> Data:
    length = next((value for name, value in event.headers if name == "content-length"), "")
    coding = next((value for name, value in event.headers if name == "transfer-encoding"), "")
    heads = sum(len(name) + len(value) + 4 for name, value in event.headers)
    return {
        "message_type": kind,
        "first_line": first_line,
        "protocol": event.version,
        **_headers(event.headers),
        **_bytes("body", event.body),
        "has_body": bool(event.body),
        "total_size": len(first_line) + heads + len(event.body) + 4,
        "is_chunked": "chunked" in coding.lower(),
        "content_length": int(length) if length.isascii() and length.isdigit() and len(length) <= 18 else None,
        "original_source": f"{_wire(event.origin)}.http2" if event.stream else _wire(event.origin),
        "raw_data": None,
        "http_exchange_id": event.exchange,
        "complete": event.complete,
        "completion_reason": event.reason,
        "end_timestamp_ns": event.end_ns,
        "body_bytes_lost": event.body_lost,
        "wire_size": event.size,
        **({"body_tail": event.tail} if event.tail else {}),
        **({"stream_id": event.stream} if event.stream else {}),
        **({} if event.headers_complete else {"headers_complete": False}),
        **({"trailer_list": [list(header) for header in event.trailers]} if event.trailers else {}),
        **_decompressed(event),
    }


def _decompressed(event: HttpRequest | HttpResponse) -> Data:
    if not event.encoding:
        return {}
    return {"decompressed": True, "original_content_encoding": event.encoding, "decompressed_body_size": len(event.body)}


def _request(event: HttpRequest) -> Data:
    return {
        **_message(event, "request", f"{event.method} {event.target} {event.version}"),
        "method": event.method,
        "path": event.target,
        "status_code": None,
        "status_text": None,
    }


def _message_back(kind: type[E], origin: Origin, data: Data, /, **given: Any) -> E:
    return _convert(
        kind,
        origin,
        data,
        exchange=data["http_exchange_id"],
        version=data["protocol"],
        headers=data["header_list"],
        body=_bytes_back("body", data),
        reason=data["completion_reason"],
        end_ns=data["end_timestamp_ns"],
        body_lost=data["body_bytes_lost"],
        size=data["wire_size"],
        tail=data.get("body_tail", 0),
        stream=data.get("stream_id", 0),
        headers_complete=data.get("headers_complete", True),
        trailers=data.get("trailer_list", ()),
        encoding=data.get("original_content_encoding", ""),
        **given,
    )


def _request_back(origin: Origin, data: Data) -> HttpRequest:
    return _message_back(HttpRequest, origin, data, target=data["path"])


def _response(event: HttpResponse) -> Data:
    first_line = f"{event.version} {event.status} {event.phrase}".rstrip(" ")
    return {
        **_message(event, "informational_response" if event.status < 200 else "response", first_line),
        "method": None,
        "path": None,
        "status_code": event.status,
        "status_text": event.phrase,
        "streaming": event.streaming,
        "correlation_status": "inferred" if event.inferred else "unlinked" if event.target is None else "exact",
        "request_method": event.method,
        "request_path": event.target,
        "request_host": event.host,
    }


def _response_back(origin: Origin, data: Data) -> HttpResponse:
    return _message_back(
        HttpResponse,
        origin,
        data,
        status=data["status_code"],
        phrase=data["status_text"],
        method=data["request_method"],
        target=data["request_path"],
        host=data["request_host"],
        inferred=data.get("correlation_status") == "inferred",
    )


def _body_part(event: BodyPart) -> Data:
    return {**_fields(event, ("data",)), **_bytes("data", event.data)}


def _body_part_back(origin: Origin, data: Data) -> BodyPart:
    return _convert(BodyPart, origin, data, data=_bytes_back("data", data))


def _websocket(event: WebSocketMessage) -> Data:
    return {"original_source": f"{_wire(event.origin)}.websocket", **_fields(event, ("data",)), **_bytes("data", event.data)}


def _websocket_back(origin: Origin, data: Data) -> WebSocketMessage:
    return _convert(WebSocketMessage, origin, data, data=_bytes_back("data", data))


def _sse(event: SseMessage) -> Data:
    reply, start_ns, json_content = event.reply, event.origin.time_ns, _json_content(event)
    return {
        "message_id": reply.id or None,
        "start_time": start_ns,
        "end_time": event.end_ns,
        "duration_ns": event.end_ns - start_ns,
        "duration_ms": (event.end_ns - start_ns) / 1e6,
        "original_source": _wire(event.origin),
        "function": "READ/RECV",
        "text_content": reply.text,
        "thinking_content": reply.thinking,
        "json_content": json_content,
        "total_size": len(reply.text) + len(json_content),
        "event_count": len(event.events),
        "has_message_start": any(each.event == "message_start" for each in event.events),
        "sse_events": [{"event": each.event, "data": each.data, "id": each.id} for each in event.events],
        "http_exchange_id": event.exchange,
        "host": event.host,
        "method": event.method,
        "path": event.target,
        "status_code": event.status,
        "completion_reason": event.reason,
        **_fields(event, ("events", "exchange", "host", "method", "target", "status", "reason", "end_ns")),
    }


def _json_content(event: SseMessage) -> str:
    """The input of the tool calls: of a single one as the original shows it, of several as a list."""
    calls = event.reply.tool_calls
    if not calls:
        return ""
    if len(calls) == 1:
        try:
            return msgspec.json.format(calls[0].input, indent=2)
        except (msgspec.DecodeError, RecursionError):
            return calls[0].input
    return _encoder.encode([{"id": call.id, "name": call.name, "input": call.input} for call in calls]).decode()


def _sse_back(origin: Origin, data: Data) -> SseMessage:
    return _convert(
        SseMessage,
        origin,
        data,
        exchange=data["http_exchange_id"],
        events=data["sse_events"],
        host=data["host"],
        method=data["method"],
        target=data["path"],
        status=data["status_code"],
        reason=data["completion_reason"],
        end_ns=data["end_time"],
    )


def _fork(event: ProcessFork) -> Data:
    return {"event": "FORK", **_fields(event, ())}


def _exec(event: ProcessExec) -> Data:
    return {"event": "EXEC", "full_command": " ".join(event.argv), **_fields(event, ())}


def _exit(event: ProcessExit) -> Data:
    return {"event": "EXIT", "duration_ms": milliseconds(event.duration_ns), **_fields(event, ())}


def _loss(event: Loss) -> Data:
    return {"type": "loss", **_fields(event, ())}


def _stdio(event: StdioChunk) -> Data:
    direction = event.origin.direction
    return {
        **({"direction": "WRITE" if direction == "out" else "READ"} if direction else {}),
        "len": len(event.data) + event.lost,
        "fd_role": {0: "stdin", 1: "stdout", 2: "stderr"}.get(event.fd, f"fd{event.fd}"),
        "fd_target": f"{event.channel.kind}:[{event.channel.inode}]",
        "truncated": event.lost > 0,
        **_fields(event, ("data", "unread")),
        **({"unread": True} if event.unread else {}),
        **_bytes("data", event.data),
    }


def _stdio_back(origin: Origin, data: Data) -> StdioChunk:
    return _convert(StdioChunk, origin, data, data=_bytes_back("data", data))


def _stdio_close(event: StdioClose) -> Data:
    return {"closed": True, **_fields(event, ())}


def _file(event: FileEvent) -> Data:
    return {"event": f"FILE_{event.action.upper()}", "filepath": event.path, **_fields(event, ())}


def _net(event: NetEvent) -> Data:
    detail = f"{event.peer or event.local}:{event.port}" if event.port else event.peer or event.local
    return {"event": f"NET_{event.action.upper()}", "detail": detail, **_fields(event, ())}


def _readline(event: Readline) -> Data:
    return {"event": "BASH_READLINE", **_fields(event, ())}


def _rpc(event: RpcMessage) -> Data:
    return {"rpc_kind": event.kind, "rpc_method": event.method, "rpc_tool_name": event.tool, **_fields(event, ())}


def _system(event: SystemSample) -> Data:
    return {
        "type": "system_metrics",
        "cpu": {"percent": event.cpu_percent, "cores": event.cores},
        "memory": {
            "rss_kb": event.rss_bytes >> 10,
            "rss_mb": event.rss_bytes >> 20,
            "vsz_kb": event.vsz_bytes >> 10,
            "vsz_mb": event.vsz_bytes >> 20,
        },
        "process": {"threads": event.threads, "children": event.processes - 1},
        **_fields(event, ()),
    }


def _wide(event: SystemWide) -> Data:
    used = event.total_bytes - event.available_bytes
    return {
        "type": "system_wide",
        "cpu": {
            "cores": event.cores,
            "load_avg_1min": event.load_1,
            "load_avg_5min": event.load_5,
            "load_avg_15min": event.load_15,
        },
        "memory": {
            "total_kb": event.total_bytes >> 10,
            "total_mb": event.total_bytes >> 20,
            "used_kb": used >> 10,
            "used_mb": used >> 20,
            "free_kb": event.free_bytes >> 10,
            "available_kb": event.available_bytes >> 10,
            "used_percent": round(100 * used / event.total_bytes, 2) if event.total_bytes else None,
        },
        **_fields(event, ()),
    }


def _plain(event: msgspec.Struct) -> Data:
    """An event whose fields have no other names outside."""
    return _fields(event, ())


class _Kind(NamedTuple):
    """How one kind of event is encoded and decoded. Without functions: its fields, under their own names."""

    source: str  # of the envelope
    encode: Callable[[Any], Data] = _plain
    decode: Callable[[Origin, Data], Event] | None = None


_KINDS: dict[type[Event], _Kind] = {
    TlsChunk: _Kind(_TLS, _tls_chunk, _tls_chunk_back),
    TlsHandshake: _Kind(_TLS, _tls_handshake),
    TlsClose: _Kind(_TLS, _tls_close),
    TlsOpen: _Kind(_TLS),
    TcpTraffic: _Kind(_TLS),
    UnreadTls: _Kind(_TLS),
    TlsUse: _Kind("diagnostic"),
    BlindSpot: _Kind("diagnostic"),
    HttpRequest: _Kind("http_parser", _request, _request_back),
    HttpResponse: _Kind("http_parser", _response, _response_back),
    BodyPart: _Kind("http_body", _body_part, _body_part_back),
    WebSocketMessage: _Kind("websocket", _websocket, _websocket_back),
    SseMessage: _Kind("sse_processor", _sse, _sse_back),
    AnswerProgress: _Kind("answer_progress"),
    ProcessFork: _Kind("process", _fork),
    ProcessExec: _Kind("process", _exec),
    ProcessExit: _Kind("process", _exit),
    ProcessSeen: _Kind("process"),
    FileEvent: _Kind("process", _file),
    NetEvent: _Kind("process", _net),
    Readline: _Kind("process", _readline),
    StdioChunk: _Kind("stdio", _stdio, _stdio_back),
    StdioClose: _Kind("stdio", _stdio_close),
    RpcMessage: _Kind("stdio", _rpc),
    SystemSample: _Kind("system", _system),
    SystemWide: _Kind("system", _wide),
    Loss: _Kind("diagnostic", _loss),
    RulesLoaded: _Kind("guard"),
    HostsKnown: _Kind("guard"),
    SessionEntry: _Kind("session_file"),
    Witness: _Kind("diagnostic"),
    Tick: _Kind("engine"),
}
_NAMES = {kind: str(kind.__struct_config__.tag) for kind in _KINDS}
_BY_NAME = {name: kind for kind, name in _NAMES.items()}

"""The messages of one HTTP exchange -> one entry of a HAR file."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from ...events import BodyPart, HttpRequest, HttpResponse, Origin, SseMessage, WebSocketMessage
from ...store.rows.ids import connection_id, scheme_of
from ...store.words import plural
from ...wire.http1_head import field

_Json: TypeAlias = dict[str, Any]  # a JSON object
_OVERHEAD = 300  # bytes that a message takes beside its content
_OPCODES = {"text": 1, "binary": 2, "close": 8, "ping": 9, "pong": 10}  # RFC 6455 11.8


class Exchange:
    """The seen parts of one exchange so far. `weight`: about how many bytes it holds."""

    def __init__(self, id: str, origin: Origin, *, request: HttpRequest | None = None) -> None:
        self.id, self.origin, self.request = id, origin, request
        self.response: HttpResponse | None = None
        self.stream: SseMessage | None = None
        self.parts: list[BodyPart] = []
        self.messages: list[WebSocketMessage] = []
        self.messages_left_out = 0
        self.messages_made = 0  # of calls
        self.message_bytes = 0
        self.weight = _OVERHEAD + (len(request.body) if request else 0)

    def add(self, event: HttpResponse | BodyPart | SseMessage | WebSocketMessage) -> None:
        self.weight += _OVERHEAD
        match event:
            case HttpResponse():
                self.response = event
                self.weight += len(event.body)
            case BodyPart():
                self.parts.append(event)
                self.weight += len(event.data)
            case SseMessage():
                self.stream = event
                self.weight += sum(len(each.data) + _OVERHEAD for each in event.events)
            case WebSocketMessage():
                self.messages.append(event)
                self.message_bytes += len(event.data) + _OVERHEAD
                self.weight += len(event.data)


def asked_message(request: HttpRequest, /) -> WebSocketMessage:
    """The request of a call on a WebSocket as a message."""
    return WebSocketMessage(
        request.origin,
        request.exchange,
        0,
        "text",
        data=request.body,
        complete=request.complete,
        reason=request.reason,
        end_ns=request.end_ns,
        lost=request.body_lost,
        target=request.target,
        host=field(request.headers, "host"),
    )


def answer_messages(stream: SseMessage, /, *, after: int) -> Iterator[WebSocketMessage]:
    """The events of the answer to a call on a WebSocket as messages, without the first ones. All have the answer's begin."""
    for event in stream.events[after:]:
        data = event.data.encode("utf-8", "backslashreplace")
        yield WebSocketMessage(
            stream.origin,
            stream.exchange,
            0,
            "text",
            data=data,
            end_ns=stream.end_ns,
            target=stream.target,
            host=stream.host,
            sender="server",
        )


def entry_of(exchange: Exchange, /) -> _Json:
    """The entry. Sizes and times that are not known are -1, as the format wants; a missing answer has status 0."""
    request, response, origin = exchange.request, exchange.response, exchange.origin
    times = _timings(exchange)
    entry: _Json = {
        "startedDateTime": _date(origin.wall_ns),
        "time": round(sum(each for each in times.values() if each > 0), 3),
        "request": _request(exchange),
        "response": _response(exchange),
        "cache": {},
        "timings": times,
        "connection": connection_id(origin),
        "_id": exchange.id.replace("llm-", "http-", 1),
        "_process": {"pid": origin.pid, "comm": origin.comm},
    }
    if exchange.messages or (response is not None and response.status == 101):
        entry["_resourceType"] = "websocket"
        entry["_webSocketMessages"] = [_message(each) for each in exchange.messages]
    comment = "; ".join(_missing(exchange))
    seen = request is not None or _asked(exchange) is not None
    return entry | ({"comment": comment} if comment else {}) | ({} if seen else {"_requestSeen": False})


def _asked(exchange: Exchange) -> HttpResponse | SseMessage | None:
    """What names the request though it is not there itself: the request was seen when this was paired with it."""
    return next((each for each in (exchange.response, exchange.stream) if each is not None and each.method), None)


def _missing(exchange: Exchange) -> Iterator[str]:
    """The missing parts, in words."""
    request, response, stream = exchange.request, exchange.response, exchange.stream
    if request is None and _asked(exchange) is not None:
        yield "the request was seen, and is not here: a filter left it out, it was lost, or it is in an entry before this one"
    elif request is None:
        yield "the request was not captured, or is in an entry before this one"
    elif not request.complete or request.body_lost:
        yield f"the request is incomplete ({request.reason or 'body'}), {request.body_lost:,} bytes of its body are missing"
    if response is None and stream is None and not exchange.parts:
        yield "no answer was seen"
    lost = sum(max(0, part.lost) for part in exchange.parts) + (response.body_lost if response else 0)
    reason = next((each.reason for each in (response, stream, *exchange.parts) if each is not None and each.reason), None)
    if lost or reason:
        yield f"the answer is incomplete ({reason or 'body'}), {lost:,} bytes of its body are missing"
    elif response is not None and response.streaming and stream is None and not any(part.last for part in exchange.parts):
        yield "the end of the answer was not seen"
    if stream is not None:
        yield "the text of the answer is put together from the events of its stream"
        if stream.events_lost:
            yield f"{stream.events_lost:,} of its events were not kept"
    if exchange.messages_made:
        made = plural(exchange.messages_made, "message")
        yield f"{made} of the WebSocket made again from calls: the request of each, and the events of its answer"
    if exchange.messages_left_out:
        yield f"{plural(exchange.messages_left_out, 'message')} of the WebSocket left out"
    broken = sum(not message.complete or message.missed > 0 for message in exchange.messages)
    if broken:
        yield f"{plural(broken, 'message')} of the WebSocket incomplete, or behind a gap"


def _request(exchange: Exchange) -> _Json:
    request = exchange.request
    url = _url(exchange)
    headers = request.headers if request else ()
    found: _Json = {
        "method": request.method if request else _method(exchange),
        "url": url,
        "httpVersion": request.version if request else "",
        "cookies": _cookies(field(headers, "cookie")),
        "headers": _named(headers),
        "queryString": _named(_query(url)),
        "headersSize": -1,
        "bodySize": len(request.body) + request.body_lost if request else -1,
    }
    if request is not None and request.body:
        text, encoding = _text(request.body)
        found["postData"] = {"mimeType": field(headers, "content-type") or "", "params": [], "text": text}
        if encoding:
            found["postData"] |= {"encoding": encoding, "comment": "the text is in base64"}
    return found


def _method(exchange: Exchange) -> str:
    """Of a request that is not there."""
    asked = _asked(exchange)
    return (asked.method or "") if asked else "GET" if exchange.messages else ""


def _response(exchange: Exchange) -> _Json:
    response, stream = exchange.response, exchange.stream
    headers = response.headers if response else ()
    body = response.body if response else b""
    body += b"".join(part.data for part in exchange.parts)
    media_type = field(headers, "content-type") or ""
    if stream is not None:
        body = _stream_text(stream, media_type)
    text, encoding = _text(body)
    lost = sum(max(0, part.lost) for part in exchange.parts) + (response.body_lost if response else 0)
    content: _Json = {"size": len(body) + lost, "mimeType": media_type or "x-unknown"}
    if body:
        content["text"] = text
    if encoding:
        content["encoding"] = encoding
    return {
        "status": response.status if response else stream.status if stream else 0,
        "statusText": response.phrase if response else "",
        "httpVersion": response.version if response else "",
        "cookies": [each for name, value in headers if name == "set-cookie" for each in _cookies(value)[:1]],
        "headers": _named(headers),
        "content": content,
        "redirectURL": field(headers, "location") or "",
        "headersSize": -1,
        "bodySize": -1 if response is None or response.encoding else len(body) + lost,
    }


def _url(exchange: Exchange) -> str:
    request, message = exchange.request, exchange.messages[0] if exchange.messages else None
    answer = exchange.response or exchange.stream
    scheme = scheme_of(exchange.origin)
    if message is not None:
        scheme = "ws" if scheme == "http" else "wss"
    target = request.target if request else (answer.target if answer else message.target if message else None) or "/"
    host = field(request.headers, "host") if request else answer.host if answer else message.host if message else None
    if "://" in target.partition("?")[0]:
        return target
    if not target.startswith("/"):  # host:port of CONNECT, or *
        return f"{scheme}://{target}" if request and request.method == "CONNECT" else f"{scheme}://{host or 'unknown'}/{target}"
    return f"{scheme}://{host or 'unknown'}{target}"


def _query(url: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(urlsplit(url).query, keep_blank_values=True, errors="replace")
    except ValueError:  # brackets in the host that are no address
        return []


def _cookies(line: str | None) -> list[_Json]:
    pairs = (each.strip().partition("=") for each in (line or "").split(";"))
    return [{"name": name, "value": value} for name, _, value in pairs if name]


def _named(pairs: Iterable[tuple[str, str]]) -> list[_Json]:
    return [{"name": name, "value": value} for name, value in pairs]


def _timings(exchange: Exchange) -> dict[str, float]:
    """Milliseconds: send the request, wait for the first byte of the answer, receive it."""
    request, answer = exchange.request, exchange.response or exchange.stream or next(iter(exchange.parts), None)
    sent = request.end_ns if request else 0
    end_ns = max(
        exchange.response.end_ns if exchange.response else 0,
        exchange.stream.end_ns if exchange.stream else 0,
        *(part.origin.time_ns for part in exchange.parts),
        *(message.end_ns for message in exchange.messages),
        0,
    )
    began = answer.origin.time_ns if answer else 0
    return {
        "send": _span(request.origin.time_ns if request else 0, sent),
        "wait": _span(sent, began),
        "receive": _span(began, end_ns),
    }


def _span(start_ns: int, end_ns: int) -> float:
    """Milliseconds; -1 where one of both is unknown. An answer may begin before its request has ended."""
    return round(max(0, end_ns - start_ns) / 1e6, 3) if start_ns and end_ns else -1


def _message(message: WebSocketMessage) -> _Json:
    binary = message.kind != "text"
    text = (
        base64.b64encode(message.data).decode() if binary and message.kind != "close" else message.data.decode(errors="replace")
    )
    found: _Json = {
        "type": "send" if message.sender == "client" else "receive",
        "time": message.origin.wall_ns / 1e9,
        "opcode": _OPCODES[message.kind],
        "data": text,
    }
    return found | ({"_code": message.code} if message.code else {}) | ({} if message.complete else {"_reason": message.reason})


def _stream_text(stream: SseMessage, media_type: str) -> bytes:
    """Of an event stream its lines; of any other kind, such as JSON lines, what each event carried."""
    if "json" in media_type or "amazon" in media_type:
        return "".join(f"{event.data}\n" for event in stream.events).encode("utf-8", "backslashreplace")
    out: list[str] = []
    for event in stream.events:
        out += [f"event: {event.event}"] if event.event and event.event != "message" else []
        out += [f"id: {event.id}"] if event.id is not None else []
        out += [f"data: {line}" for line in event.data.split("\n")]
        out.append("")
    return "".join(f"{line}\n" for line in out).encode("utf-8", "backslashreplace")


def _text(body: bytes) -> tuple[str, str | None]:
    """A body as JSON can have it, and its encoding where it is no text."""
    try:
        return body.decode(), None
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), "base64"


def _date(wall_ns: int) -> str:
    return datetime.fromtimestamp(wall_ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"

"""Shared by the golden tests and the vectors: an agent's connection, bytes of HTTP, and the product's chain over them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from agentsight_rx.core.engine import Engine
from agentsight_rx.core.stream import of
from agentsight_rx.events import (
    Connection,
    Direction,
    Event,
    HttpRequest,
    HttpResponse,
    Origin,
    Reply,
    SseMessage,
    TlsChunk,
    TlsClose,
    TlsEvent,
    time_of,
)
from agentsight_rx.graphs import TraceOptions, http_messages
from agentsight_rx.operators import drop_marked, filter_tls, materialize, normalize, remove_auth
from agentsight_rx.view import Output, Row
from tests.operators import CONNECTION, Wire

__all__ = [
    "ANSWER",
    "ASKED",
    "CREATE",
    "DEFLATE",
    "EPOCH_NS",
    "JSON",
    "PLAIN",
    "PRODUCT",
    "SIZES",
    "SSE",
    "Talk",
    "Threads",
    "answer",
    "chunked",
    "events_of",
    "last_rows",
    "messages",
    "only",
    "request",
    "said",
    "streamed",
    "timeless",
    "traced",
]

E = TypeVar("E")
R = TypeVar("R", bound=Row)
S = TypeVar("S", bound=Struct)

EPOCH_NS = 1_700_000_000_000_000_000  # Unix time when the monotonic clock of these tests was 0
PRODUCT = TraceOptions()
SIZES = [1, 7, 512, 16_384]
SSE = b"Content-Type: text/event-stream"
JSON = b"Content-Type: application/json"

PLAIN = '{"model":"claude-x","messages":[{"role":"user","content":"hello 模"}]}'.encode()
ASKED = PLAIN.replace(b'"messages"', b'"stream":true,"messages"')
ANSWER = b'{"id":"msg_9","type":"message","model":"claude-x","content":[{"type":"text","text":"hi"}]}'
CREATE: dict[str, Any] = {"model": "gpt-x", "input": [{"role": "user", "content": "look"}]}
DEFLATE = ["", "permessage-deflate", "permessage-deflate; client_no_context_takeover; server_no_context_takeover"]


class Threads(Wire):
    """A connection whose records are read and written by the threads that `tids` names."""

    def __init__(self, connection: Connection = CONNECTION, *, tids: Mapping[Direction, int]) -> None:
        super().__init__(connection)
        self.tids = dict(tids)

    def origin(self, direction: Direction | None) -> Origin:
        made = super().origin(direction)
        return replace(made, tid=self.tids[direction]) if direction else made


class Talk:
    """An agent's connection. Requests and answers are cut into records of `record` bytes."""

    def __init__(self, wire: Wire | None = None, *, record: int = 16_384) -> None:
        self.wire = wire or Wire()
        self.records: list[TlsEvent] = []
        self._record = record

    def asks(self, data: bytes) -> None:
        self._carry("out", data)

    def answers(self, data: bytes) -> None:
        self._carry("in", data)

    def closes(self) -> None:
        self.records.append(self.wire.closes())

    def _carry(self, direction: Direction, data: bytes) -> None:
        step = self._record
        self.records += [self.wire.record(direction, data[at : at + step]) for at in range(0, len(data), step)]


def request(
    target: str = "/v1/messages", body: bytes = b"{}", *headers: bytes, method: str = "POST", host: str = "api.anthropic.com"
) -> bytes:
    """One HTTP/1.1 request whose body has a length."""
    head = [f"{method} {target} HTTP/1.1".encode(), b"Host: " + host.encode(), *headers]
    if body:
        head.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*head, b"", body])


def answer(body: bytes, *headers: bytes, status: str = "200 OK") -> bytes:
    """One HTTP/1.1 response whose body has a length."""
    return b"\r\n".join([f"HTTP/1.1 {status}".encode(), *headers, b"Content-Length: %d" % len(body), b"", body])


def chunked(parts: Iterable[bytes], *headers: bytes, trailers: Sequence[bytes] = ()) -> bytes:
    """One HTTP/1.1 response with each part as a chunk (RFC 9112 7.1)."""
    head = b"\r\n".join([b"HTTP/1.1 200 OK", *headers, b"Transfer-Encoding: chunked", b"", b""])
    return head + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"\r\n".join([b"0", *trailers, b"", b""])


def streamed(*parts: bytes) -> bytes:
    """A response that is an event stream, with each part as a chunk."""
    return chunked(parts, SSE)


def traced(records: Iterable[TlsEvent], options: TraceOptions = PRODUCT) -> list[Output]:
    """The output of the product's chain, as in graphs.trace, for these records. Only the clock is replaced."""
    engine = Engine()
    made: list[Output] = []
    source = of(list(records), time_of=time_of).pipe(normalize(offset=lambda: EPOCH_NS))
    if options.tls_filters:
        source = source.pipe(filter_tls(*options.tls_filters, compat=options.compat_filters))
    calls = http_messages(source, options) if options.http else source.pipe(drop_marked())
    calls.pipe(remove_auth(key=bytes(32)), materialize()).subscribe(made.append, scheduler=engine)
    engine.run_inline()
    return made


def only(kind: type[E], made: Iterable[object]) -> list[E]:
    return [each for each in made if isinstance(each, kind)]


def messages(made: Iterable[object]) -> list[HttpRequest | HttpResponse]:
    return [each for each in made if isinstance(each, HttpRequest | HttpResponse)]


def said(made: Iterable[object]) -> list[tuple[Reply, bool]]:
    """The replies of streamed answers, and whether each is complete."""
    return [(message.reply, message.complete) for message in only(SseMessage, made)]


def events_of(made: Iterable[Output]) -> list[Event]:
    """The events with content, without rows."""
    return [each for each in made if isinstance(each, HttpRequest | HttpResponse | SseMessage | TlsChunk | TlsClose)]


def last_rows(kind: type[R], made: Iterable[Output]) -> list[R]:
    """The final rows, in the order of their first appearance."""
    return list({row.id: row for row in made if isinstance(row, kind)}.values())


def timeless(value: S) -> S:
    """The event or row without the times in it."""
    times = {name: 0 for name in value.__struct_fields__ if name.endswith(("_ns", "_ms"))}
    origin = getattr(value, "origin", None)
    return replace(value, **times, **({"origin": timeless(origin)} if isinstance(origin, Origin) else {}))

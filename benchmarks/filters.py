"""Events through rules of six conditions: compiled from text, against the same conditions written by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from agentsight_rx.core.engine import Engine, Site
from agentsight_rx.core.stream import Operator
from agentsight_rx.events import Connection, HttpEvent, HttpRequest, Origin, TlsChunk, TlsEvent
from agentsight_rx.operators import filter_http, filter_tls
from benchmarks.recording import cut, traffic
from benchmarks.timing import Case, Row, Work, measure

__all__ = ["rows"]

_EVENTS = 20_000
_BATCH = 256

# None of these matches, so that every condition of every alternative is asked
_TLS = r"len>9000000 | pid=1 & comm=bash | data=ping | uid=0 & function=READ/RECV"
_HTTP = "method=HEAD | path=/health | path_prefix=/metrics | host=localhost | pid=1 & comm=bash"
_EXCHANGE = "exchange.request.path=/ping & exchange.status=204"


def rows(rounds: int, scale: float = 1.0, /) -> list[Row]:
    """No event matches. `+ns/event` is what the operator costs over the bare function."""
    count = max(_BATCH, int(_EVENTS * scale))
    chunks = (traffic(max(1, count // 213)) * 2)[:count]
    requests = [_request(number) for number in range(count)]
    records, messages = "six conditions on records, by hand", "six conditions on requests, by hand"
    cases = [
        Case(records, partial(_plain, _by_hand, chunks), len(chunks)),
        Case("filter_tls, compiled", partial(_fed, filter_tls(_TLS), chunks), len(chunks), floor=records, target=1.5),
        Case("filter_tls, --compat-filters", partial(_fed, filter_tls(_TLS, compat=True), chunks), len(chunks), floor=records),
        Case(messages, partial(_plain, _request_by_hand, requests), count),
        Case("filter_http, compiled", partial(_fed, filter_http(_HTTP), requests), count, floor=messages, target=1.5),
        Case("and a rule about exchanges", partial(_fed, filter_http(_HTTP, _EXCHANGE), requests), count, floor=messages),
    ]
    return measure("filters", cases, rounds)


def _by_hand(chunk: TlsEvent) -> bool:
    return type(chunk) is TlsChunk and (
        len(chunk.data) + chunk.lost > 9_000_000
        or (chunk.origin.pid == 1 and chunk.origin.comm == "bash")
        or chunk.data == b"ping"
        or (chunk.origin.uid == 0 and chunk.origin.direction != "out")
    )


def _request_by_hand(event: HttpEvent) -> bool:
    return type(event) is HttpRequest and (
        event.method.lower() == "head"
        or event.target == "/health"
        or event.target.startswith("/metrics")
        or next((value for name, value in event.headers if name == "host"), "").lower() == "localhost"
        or (event.origin.pid == 1 and event.origin.comm == "bash")
    )


def _request(number: int) -> HttpRequest:
    origin = Origin(number * 1000, 4000, comm="claude", connection=Connection(4000, 1, "ssl", 1), direction="out")
    headers = (("host", "api.anthropic.com"), ("content-type", "application/json"), ("x-app", "cli"))
    return HttpRequest(origin, number, "POST", "/v1/messages?beta=true", "HTTP/1.1", headers, b"{}")


def _plain(test: Callable[[Any], bool], events: Sequence[Any]) -> Work:
    batches = cut(events, _BATCH)

    def work() -> None:
        for batch in batches:
            assert not any(map(test, batch))

    return work


def _fed(operator: Operator[Any, Any], events: Sequence[Any]) -> Work:
    kernel = operator.kernel(Site(Engine(), operator.name))
    batches = cut(events, _BATCH)

    def work() -> None:
        for batch in batches:
            assert len(kernel.feed(batch)) == len(batch)

    return work

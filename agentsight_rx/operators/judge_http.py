"""HttpRequest, HttpResponse and what follows them -> the same, or Rejected: rules about an exchange decide on all of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from msgspec import Struct

from ..core.bounded import Recent
from ..core.machine import Bounded, Checkpointed
from ..core.per_key import per_key
from ..core.stream import Operator
from ..core.weight import weight
from ..events import (
    AnswerProgress,
    BodyPart,
    Connection,
    HttpEvent,
    HttpRequest,
    HttpResponse,
    SseMessage,
    TlsClose,
    WebSocketMessage,
)
from ..policy.rules.http import ExchangeRules, HttpRules, Judged

HttpMessage: TypeAlias = HttpRequest | HttpResponse | BodyPart | SseMessage | WebSocketMessage

_HELD_MOST = 1024  # events of one connection that wait; pipelining clients send tens of requests
_HELD_BYTES_MOST = 64 << 20  # of their bodies and heads: eight of the longest bodies that are kept
_BUDGET = 128 << 20  # of all connections together
_VERDICTS_MOST = 1024  # exchanges of one connection whose fate is remembered
_PATIENCE_NS = 30_000_000_000

_NOWHERE = Connection(0, 0, "", 0)  # messages of no known connection: nothing ties them to each other
_KINDS = frozenset({HttpRequest, HttpResponse, BodyPart, SseMessage, AnswerProgress, WebSocketMessage, TlsClose})


class Rejected(Struct, frozen=True):
    """A rule matched. `cause`: the message that it looked at, or the request and its answer; empty: an earlier one decided."""

    event: HttpMessage
    cause: tuple[Judged, ...] = ()


def judge_http(rules: HttpRules) -> Operator[HttpEvent, HttpEvent | Rejected]:
    """
    Every event as it came, or as Rejected. Where a rule about exchanges needs the answer, the request waits for its head, until
    the connection closes, for 30 s of event time, or until more than 1,024 events or 64 MiB wait on its connection; then it is
    decided without. A request always comes before its answer.
    """
    weigh = _waiting if rules.exchanges else None
    return per_key(_connection, lambda: _Exchanges(rules), name="filter_http", key_type=Connection, budget=_BUDGET, weigh=weigh)


def _waiting(events: Sequence[HttpEvent]) -> int:
    """Bytes of memory that may wait."""
    return sum([weight(event) for event in events if type(event) is HttpRequest])


def _connection(event: HttpEvent) -> Connection | None:
    return (event.origin.connection or _NOWHERE) if type(event) in _KINDS else None


class _Verdict(Struct, frozen=True, array_like=True):
    drop: bool
    request_seen: bool


_KEPT, _DROPPED = _Verdict(False, True), _Verdict(True, True)


class _Held(Struct):
    """A request, and interim answers to it."""

    events: list[HttpRequest | HttpResponse]
    size: int = 0
    weight: int = 0  # bytes of memory


class _State(Struct, array_like=True):
    held: list[tuple[int, list[HttpRequest | HttpResponse]]]
    verdicts: list[tuple[int, _Verdict]]


class _Exchanges(Bounded[HttpEvent, HttpEvent | Rejected], Checkpointed[_State]):
    """The exchanges of one connection."""

    def __init__(self, rules: HttpRules) -> None:
        self._keeps = rules.keeps
        self._rules = rules.exchanges
        self._held: Recent[int, _Held] = Recent(_HELD_MOST)
        self._verdicts: Recent[int, _Verdict] = Recent(_VERDICTS_MOST)
        self._count = 0  # of what is held
        self._size = 0
        self._bytes = 0

    def feed(self, event: HttpEvent, /) -> Iterable[HttpEvent | Rejected]:
        if type(event) is TlsClose:
            out = self.finish()
            self._verdicts.clear()
            return [*out, event]
        if not self._keeps(event):
            return (Rejected(event, (event,)),)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # only messages match
        rules = self._rules
        if rules is None or event.origin.connection is None:
            return (event,)
        if type(event) is HttpRequest:
            return self._request(event, rules)
        if type(event) is HttpResponse:
            return self._response(event, rules)
        if type(event) is WebSocketMessage:
            return self._more(event, event.upgrade)
        if type(event) is BodyPart or type(event) is SseMessage:
            return self._more(event, event.exchange)
        if type(event) is AnswerProgress:
            verdict = self._verdicts.get(event.exchange)
            return () if event.exchange in self._held or (verdict is not None and verdict.drop) else (event,)
        return (event,)

    def _request(self, request: HttpRequest, rules: ExchangeRules) -> list[HttpEvent | Rejected]:
        exchange = request.exchange
        # two requests under one number: the first gets no answer
        out = self._release(exchange) if exchange in self._held else []
        verdict = self._verdicts.pop(exchange) if exchange in self._verdicts else None
        if verdict is not None and not verdict.request_seen:  # its answer came before its last byte
            return self._decided(exchange, verdict.drop, [request], (request,), both=True)
        drop = rules.asked(request)
        if drop is not None:
            return out + self._decided(exchange, drop, [request], (request,))
        self._hold(exchange, request)
        while self._count > _HELD_MOST or self._bytes > _HELD_BYTES_MOST:
            out += self._release(next(iter(self._held)))
        return out

    def _response(self, response: HttpResponse, rules: ExchangeRules) -> list[HttpEvent | Rejected]:
        exchange = response.exchange
        if response.status < 200 and response.status != 101:
            if exchange not in self._held:
                return self._more(response, exchange)
            self._hold(exchange, response)
            return []
        held = self._take(exchange)
        if held:
            request = held[0]
            assert type(request) is HttpRequest
            drop = rules.whole(request, response)
            return self._decided(exchange, drop, [*held, response], (request, response), both=True)
        verdict = self._verdicts.get(exchange)
        if verdict is None:
            asked = _asked(response)
            drop = rules.answered(response) if asked is None else rules.whole(asked, response)
            self._verdicts.put(exchange, _Verdict(drop, False))
            cause = (response,) if asked is None else (asked, response)
            return [Rejected(response, cause)] if drop else [response]
        if verdict.drop:
            return [Rejected(response)]
        if verdict.request_seen:
            del self._verdicts[exchange]
        return [response]

    def _more(
        self, event: HttpResponse | BodyPart | SseMessage | WebSocketMessage, exchange: int
    ) -> list[HttpEvent | Rejected]:
        """What belongs to an exchange and decides nothing; a request that still waits gets no head of an answer any more."""
        out = self._release(exchange) if exchange in self._held else []
        verdict = self._verdicts.get(exchange)
        out.append(Rejected(event) if verdict is not None and verdict.drop else event)
        return out

    def _decided(
        self,
        exchange: int,
        drop: bool,
        events: list[HttpRequest | HttpResponse],
        cause: tuple[HttpRequest | HttpResponse, ...],
        *,
        both: bool = False,
    ) -> list[HttpEvent | Rejected]:
        """`both`: request and answer are known, so that a kept exchange need not be remembered."""
        if drop or not both:
            self._verdicts.put(exchange, _DROPPED if drop else _KEPT)
        return [Rejected(event, cause) for event in events] if drop else [*events]

    def _hold(self, exchange: int, event: HttpRequest | HttpResponse) -> None:
        held = self._held.get(exchange)
        if held is None:
            held = self._held[exchange] = _Held([])
        size, heavy = event.size, weight(event)
        held.events.append(event)
        held.size += size
        held.weight += heavy
        self._count += 1
        self._size += size
        self._bytes += heavy

    def _take(self, exchange: int) -> list[HttpRequest | HttpResponse]:
        held = self._held.pop(exchange, None)
        if held is None:
            return []
        self._count -= len(held.events)
        self._size -= held.size
        self._bytes -= held.weight
        return held.events

    def _release(self, exchange: int) -> list[HttpEvent | Rejected]:
        """A request that waits no longer is decided without an answer."""
        held = self._take(exchange)
        if not held or self._rules is None:
            return []
        request = held[0]
        assert type(request) is HttpRequest
        return self._decided(exchange, self._rules.alone(request), held, (request,))

    def tick(self, now_ns: int, /) -> Iterable[HttpEvent | Rejected]:
        if not self._held:
            return ()
        late = [exchange for exchange, held in self._held.items() if now_ns - _asked_ns(held.events[0]) >= _PATIENCE_NS]
        return [event for exchange in late for event in self._release(exchange)]

    def finish(self) -> list[HttpEvent | Rejected]:
        return [event for exchange in list(self._held) for event in self._release(exchange)]

    def held(self) -> int:
        return self._size

    def kept(self) -> int:
        return self._bytes

    def idle(self) -> bool:
        return not (self._held or self._verdicts)

    def used_ns(self) -> int:
        newest = next(reversed(self._held.values()), None)
        return _asked_ns(newest.events[0]) if newest else 0

    def snapshot(self) -> _State:
        return _State([(exchange, held.events) for exchange, held in self._held.items()], list(self._verdicts.items()))

    def restore(self, state: _State, /) -> None:
        for exchange, events in state.held:
            for event in events:
                self._hold(exchange, event)
        self._verdicts.update(state.verdicts)


def _asked_ns(request: HttpRequest | HttpResponse) -> int:
    return max(request.origin.time_ns, request.end_ns)


def _asked(response: HttpResponse) -> HttpRequest | None:
    """What a response says of its request; of the rest nothing is known."""
    if response.method is None or response.target is None:
        return None
    host = () if response.host is None else (("host", response.host),)
    return HttpRequest(
        response.origin,
        response.exchange,
        method=response.method,
        target=response.target,
        version="",
        headers=host,
        complete=False,
        body_lost=1,
        headers_complete=False,
    )

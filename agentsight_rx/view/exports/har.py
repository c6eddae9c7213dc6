"""Store -> HAR 1.2 (http://www.softwareishard.com/blog/har-12-spec): each HTTP exchange, with WebSocket messages."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import islice
from tempfile import TemporaryFile
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ...core.bounded import Recent
from ...events import BodyPart, Event, HttpRequest, HttpResponse, SseMessage, TlsClose, WebSocketMessage
from ...store.log.reading import read_event_count, read_events
from ...store.rows.ids import call_id, connection_id, http_id
from ...store.rows.tables import ALERTS
from ...store.state import Store
from ..queries.reading import rows_of
from .har_entry import Exchange, answer_messages, asked_message, entry_of

_OPEN_MOST = 4096  # exchanges without an end
_BEHIND_MOST = 16  # streamed answers that have ended, and may have more behind the end
_HELD_MOST = 64 << 20  # bytes of their bodies and messages; over it the oldest ones are written as they are
_MESSAGES_MOST = 8 << 20  # bytes of the messages of one WebSocket
_ALERTS_MOST = 4096
_HTTP = "http-"  # the ids of exchanges begin so
_CONVERSATION = "WebSocket"  # the version of a request that was put together from messages

_Json: TypeAlias = dict[str, Any]  # a JSON object
_HEAD: _Json = {"version": "1.2", "creator": {"name": "agentsight-rx", "version": "1"}}


def har(store: Store, *, held_most: int = _HELD_MOST, messages_most: int = _MESSAGES_MOST) -> Iterator[bytes]:
    """
    One JSON value, an entry a piece, in the order in which the exchanges began. Open exchanges are held, at most `held_most`
    bytes of it; of one WebSocket at most `messages_most`. Entries wait on disk for earlier ones.

    An entry of which something is missing says what in `comment`. Fields of our own begin with `_`, as the format wants:
    `_id` of the row in other reports, `_process`, `_alerts` of the guard, and Chrome's `_webSocketMessages`.
    A recording has a call on a WebSocket in the place of its messages: they are made again from the request
    and the events of its answer, and `comment` counts them.
    """
    head = msgspec.json.encode({"log": {**_HEAD, "pages": [], "entries": []}})
    yield head[: -len(b"]}}")]
    alerts = _alerts(store)
    with TemporaryFile() as ended:
        places: list[tuple[str, int, int]] = []
        for exchange in _exchanges(islice(read_events(store), read_event_count(store)), _Open(held_most, messages_most)):
            entry = entry_of(exchange)
            if found := alerts.get(str(entry["_id"])):
                entry["_alerts"] = found
            start = ended.tell()
            places.append((entry["startedDateTime"], start, ended.write(msgspec.json.encode(entry))))
        for at, (_, start, length) in enumerate(sorted(places)):
            ended.seek(start)
            yield (b",\n" if at else b"\n") + ended.read(length)
    yield b"\n]}}\n"


def _alerts(store: Store) -> dict[str, list[_Json]]:
    """What broke a rule, by the exchange that it is about or rests on."""
    found: dict[str, list[_Json]] = {}
    for row in islice(rows_of(store, ALERTS), _ALERTS_MOST):
        said = {"name": row.name, "rule": row.rule, "level": row.do, "sentence": row.sentence}
        call = [http_id(row.call_id)] if row.call_id else []
        for id in dict.fromkeys([*call, *(each for each in row.evidence if each.startswith(_HTTP))]):
            found.setdefault(id, []).append(said)
    return found


def _exchanges(events: Iterator[Event], open_ones: _Open) -> Iterator[Exchange]:
    """The exchanges as they end."""
    for event in events:
        match event:
            case HttpRequest() if event.version == _CONVERSATION:
                yield from open_ones.ask(event)
            case HttpRequest():
                yield from open_ones.begin(Exchange(call_id(event.origin, event.exchange), event.origin, request=event))
            case HttpResponse():
                yield from open_ones.answer(event)
            case BodyPart():
                yield from open_ones.part(event)
            case SseMessage():
                yield from open_ones.stream(event)
            case WebSocketMessage():
                yield from open_ones.message(event)
            case TlsClose():
                yield from open_ones.close(f"llm-{connection_id(event.origin)}-")
            case _:
                continue
        yield from open_ones.too_many()
    yield from open_ones.close("")


class _Asked(Struct, frozen=True):
    """A call on a WebSocket: the exchange of that, and how many events of its answer are messages there already."""

    socket: str
    answered: int = 0


class _Open:
    """The exchanges that have not ended, and how much they hold."""

    def __init__(self, held_most: int, messages_most: int) -> None:
        self._held_most, self._messages_most = held_most, messages_most
        self._all: Recent[str, Exchange] = Recent(_OPEN_MOST)
        self._asked: Recent[str, _Asked] = Recent(_OPEN_MOST)  # by call on a WebSocket
        self._sockets: Recent[tuple[str, str | None], str] = Recent(_OPEN_MOST)  # (connection, target) -> the newest one there
        self._behind: Recent[str, bool] = Recent(_BEHIND_MOST)
        self._held = 0

    def ask(self, event: HttpRequest) -> Iterator[Exchange]:
        """A call on a WebSocket: the recording has it in the place of the messages that it was made of."""
        place = connection_id(event.origin), event.target
        socket = self._sockets.get(place) or call_id(event.origin, 0)
        self._asked.put(call_id(event.origin, event.exchange), _Asked(socket))
        if event.body or event.body_lost:
            yield from self._say(socket, asked_message(event))

    def _say(self, socket: str, message: WebSocketMessage) -> Iterator[Exchange]:
        """A message that is put together from a call."""
        yield from self._message(socket, message)
        self._all[socket].messages_made += 1

    def begin(self, exchange: Exchange) -> Iterator[Exchange]:
        if exchange.id in self._all:
            yield self._end(exchange.id)
        if len(self._all) >= _OPEN_MOST:
            yield self._end(next(iter(self._all)))
        self._all.put(exchange.id, exchange)
        self._held += exchange.weight

    def answer(self, event: HttpResponse) -> Iterator[Exchange]:
        if 100 <= event.status < 200 and event.status != 101:
            return
        exchange = yield from self._of(event)
        self._add(exchange, event)
        if event.status == 101:
            request = exchange.request
            self._sockets.put((connection_id(event.origin), request.target if request else event.target), exchange.id)
        elif not event.streaming:
            yield self._end(exchange.id)

    def part(self, event: BodyPart) -> Iterator[Exchange]:
        key = call_id(event.origin, event.exchange)
        if self._behind.pop(key, False) and key in self._all:  # the end of a body behind the end of its answer
            yield self._end(key)
            return
        exchange = yield from self._of(event)
        self._add(exchange, event)
        if event.last:
            yield self._end(exchange.id)

    def stream(self, event: SseMessage) -> Iterator[Exchange]:
        """One that fell silent or has ended may go on: then a later one says all that it says."""
        key = call_id(event.origin, event.exchange)
        asked = self._asked.get(key)
        if asked is not None:
            for message in answer_messages(event, after=asked.answered):
                yield from self._say(asked.socket, message)
            self._asked.put(key, replace(asked, answered=len(event.events)))
            return
        exchange = yield from self._of(event)
        self._add(exchange, event)
        if event.reason != "timeout":
            before = self._behind.put(exchange.id, True)
            if before is not None and before[0] in self._all:
                yield self._end(before[0])

    def message(self, event: WebSocketMessage) -> Iterator[Exchange]:
        key = call_id(event.origin, event.upgrade)
        self._sockets.put((connection_id(event.origin), event.target), key)
        yield from self._message(key, event)

    def _message(self, key: str, event: WebSocketMessage) -> Iterator[Exchange]:
        if key not in self._all:
            yield from self.begin(Exchange(key, event.origin))
        exchange = self._all[key]
        if exchange.message_bytes + len(event.data) > self._messages_most:
            exchange.messages_left_out += 1
        else:
            self._add(exchange, event)

    def close(self, begin: str) -> Iterator[Exchange]:
        for key in [key for key in self._all if key.startswith(begin)]:
            yield self._end(key)

    def too_many(self) -> Iterator[Exchange]:
        while self._held > self._held_most and self._all:
            yield self._end(next(iter(self._all)))

    def _of(self, event: HttpResponse | BodyPart | SseMessage) -> Generator[Exchange, None, Exchange]:
        """The exchange of an event, a new one where its request was not seen."""
        key = call_id(event.origin, event.exchange)
        if key not in self._all:
            yield from self.begin(Exchange(key, event.origin))
        return self._all[key]

    def _add(self, exchange: Exchange, event: HttpResponse | BodyPart | SseMessage | WebSocketMessage) -> None:
        before = exchange.weight
        exchange.add(event)
        self._held += exchange.weight - before

    def _end(self, key: str) -> Exchange:
        exchange = self._all.pop(key)
        self._held -= exchange.weight
        return exchange

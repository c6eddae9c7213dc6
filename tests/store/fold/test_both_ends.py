"""
Real bytes of a connection, seen at both of its ends: HTTP/1 one behind the other, streams of HTTP/2 at once, a WebSocket,
compressed or not. What is counted is what the client alone would count.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from agentsight_rx import operators as op
from agentsight_rx.events import Connection, Direction, Event, Origin, TlsChunk, TlsClose, TlsEvent, TlsOpen
from agentsight_rx.store.rows.kinds import RowGone
from agentsight_rx.store.rows.tally import Tally
from agentsight_rx.view import CallRow, Fold, HttpRow, Row, TokenRow
from tests.operators import MS, Running, Wire
from tests.operators.http2_peers import Peers
from tests.operators.websocket_peers import Sockets

CLIENT = Connection(10, 1, "/libssl", 0x100)
SERVER = Connection(20, 1, "/libssl", 0x200)
WITHIN = Connection(10, 1, "/libssl", 0x300)  # a server in the client's process
HERE, THERE = "127.0.0.1:5000", "127.0.0.1:80"
CALLS = 7
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
JSON = ("content-type", "application/json")
EVENTS = ("content-type", "text/event-stream")


def asked(number: int, same: bool) -> bytes:
    say = "the same" if same else f"call {number}"
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": say}]}).encode()


def answered(number: int) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    return json.dumps({"id": f"c{number}", "model": "m", "choices": [choice], "usage": USAGE}).encode()


def http1(same: bool) -> list[TlsChunk]:
    """All requests at once (RFC 9112 9.3.2), then all answers."""
    wire = Wire(CLIENT)
    records: list[TlsChunk] = []
    for number in range(CALLS):
        body = asked(number, same)
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: api.openai.com\r\ncontent-type: application/json\r\n"
        records.append(wire.writes(head + b"content-length: %d\r\n\r\n%b" % (len(body), body)))
    for number in range(CALLS):
        said = answered(number)
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
        records.append(wire.reads(head + b"content-length: %d\r\n\r\n%b" % (len(said), said)))
    return records


def http2(same: bool) -> list[TlsChunk]:
    """Streams that are open at once, and answered in another order; half of the answers are streams of events."""
    peers = Peers(Wire(CLIENT))
    streams = [peers.asks("POST", "/v1/chat/completions", [JSON], asked(number, same)) for number in range(CALLS)]
    for number, stream in reversed(list(enumerate(streams))):
        if number % 2:
            peers.answers(stream, [JSON], answered(number))
        else:
            chunk: dict[str, Any] = {"id": f"c{number}", "model": "m", "choices": [{"index": 0, "delta": {"content": "hi"}}]}
            choice: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": "stop"}
            last: dict[str, Any] = {"id": f"c{number}", "choices": [choice], "usage": USAGE}
            said = "".join(f"data: {json.dumps(each)}\n\n" for each in (chunk, last)) + "data: [DONE]\n\n"
            peers.answers(stream, [EVENTS], said.encode())
    return peers.records


def websocket(deflate: str) -> Callable[[bool], list[TlsChunk]]:
    def made(same: bool) -> list[TlsChunk]:
        sockets = Sockets(Wire(CLIENT), deflate=deflate)
        for number in range(CALLS):
            say = "the same" if same else f"call {number}"
            request = {"type": "response.create", "model": "m", "input": [{"role": "user", "content": say}]}
            sockets.asks(json.dumps(request))
            usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
            ended = {"id": f"r{number}", "model": "m", "status": "completed", "usage": usage}
            sockets.tells(json.dumps({"type": "response.created", "response": {"id": f"r{number}", "status": "in_progress"}}))
            sockets.tells(json.dumps({"type": "response.completed", "response": ended}))
        return sockets.records

    return made


SAID: dict[str, Callable[[bool], list[TlsChunk]]] = {
    "http/1, pipelined": http1,
    "http/2, at once": http2,
    "websocket": websocket(""),
    "websocket, compressed": websocket("permessage-deflate"),
}


def mirrored(records: Sequence[TlsChunk], server: Connection) -> list[TlsChunk]:
    """The same records at the server's end: it reads later what the client writes, and writes earlier what the client reads."""
    made: list[TlsChunk] = []
    for record in records:
        is_read = record.origin.direction == "out"
        way: Direction = "in" if is_read else "out"
        time_ns = record.origin.time_ns + (MS // 4 if is_read else -MS // 4)
        made.append(replace(record, origin=Origin(time_ns, server.pid, server.pid, 1000, "server", 0, server, way)))
    return made


def opens(connection: Connection, local: str, peer: str) -> TlsOpen:
    return TlsOpen(Origin(MS // 10, connection.pid, connection.pid, connection=connection), first=False, local=local, peer=peer)


def counted(events: Sequence[TlsEvent], *, twins: int = 0) -> tuple[int, int, int, int]:
    """Calls, tokens, exchanges that count, and calls that are complete. `twins`: rows of calls that do not count."""
    rows: list[Row] = []
    fold, reading = Fold(), Running(op.read_http())
    made: list[Event] = [out for event in sorted(events, key=lambda each: each.origin.time_ns) for out in reading.feed(event)]
    for event in [*made, *reading.finish()]:
        rows += fold.add(event)
    rows += fold.finish()
    tally = Tally()
    tally.add(rows)
    known = {row.id: row for row in rows if isinstance(row, CallRow | HttpRow | TokenRow)}
    for row in rows:
        if isinstance(row, RowGone):
            known.pop(row.row.id, None)
    calls = [row for row in known.values() if isinstance(row, CallRow) and row.twin is None]
    tokens = sum(row.input_tokens + row.output_tokens for row in known.values() if isinstance(row, TokenRow))
    exchanges = [row for row in known.values() if isinstance(row, HttpRow) and row.twin is None]
    assert twins == len({row.id for row in known.values() if isinstance(row, CallRow) and row.twin is not None})
    assert (len(calls), tokens) == (tally.totals.calls, tally.totals.total_tokens)
    return len(calls), tokens, len(exchanges), sum(row.status == "complete" for row in calls)


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
@pytest.mark.parametrize("same", [False, True], ids=["each its own", "equal"])
@pytest.mark.parametrize("server", [SERVER, WITHIN], ids=["apart", "within"])
def test_what_both_ends_show_counts_as_what_one_end_shows(
    said: Callable[[bool], list[TlsChunk]], same: bool, server: Connection
) -> None:
    records = said(same)
    alone = counted(records)
    assert (CALLS, 7 * CALLS) == alone[:2]
    end_ns = records[-1].origin.time_ns + MS
    both: list[TlsEvent] = [opens(CLIENT, HERE, THERE), opens(server, THERE, HERE), *records, *mirrored(records, server)]
    both += [TlsClose(Origin(end_ns, each.pid, connection=each), 0, 0) for each in (CLIENT, server)]
    assert alone == counted(both, twins=CALLS)


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_a_connection_in_the_place_of_one_that_ended_has_calls_of_its_own(said: Callable[[bool], list[TlsChunk]]) -> None:
    """The same ports again, while nothing shows that the first one has ended, with equal calls."""
    records = said(True)
    both: list[TlsEvent] = [opens(CLIENT, HERE, THERE), opens(SERVER, THERE, HERE), *records, *mirrored(records, SERVER)]
    later_ns = records[-1].origin.time_ns + 10 * MS
    again = {CLIENT: Connection(10, 1, "/libssl", 0x101), SERVER: Connection(20, 1, "/libssl", 0x201)}
    later = [
        replace(
            event,
            origin=replace(
                event.origin,
                time_ns=event.origin.time_ns + later_ns,
                connection=again[event.origin.connection] if event.origin.connection else None,
            ),
        )
        for event in both
    ]
    calls, tokens, _, complete = counted([*both, *later], twins=2 * CALLS)
    assert (2 * CALLS, 2 * 7 * CALLS, 2 * CALLS) == (calls, tokens, complete)

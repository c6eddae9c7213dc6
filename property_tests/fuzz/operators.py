"""bytes -> records of a connection or of pipes -> operators: conservation, checkpoints, nothing wrong is complete."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from agentsight_rx.core.engine import Engine, Site
from agentsight_rx.core.stream import Operator
from agentsight_rx.events import (
    BodyPart,
    Channel,
    Connection,
    Direction,
    Event,
    HttpRequest,
    HttpResponse,
    Origin,
    RpcMessage,
    SseMessage,
    StdioChunk,
    StdioClose,
    StdioEvent,
    TlsChunk,
    TlsClose,
    TlsEvent,
    WebSocketMessage,
)
from agentsight_rx.events.envelope import decode_envelope, encode_line
from agentsight_rx.events.loss import Entry, Reason
from agentsight_rx.operators import decode_content, merge_sse, merge_websocket, parse_http, parse_jsonrpc, remove_auth
from property_tests.fuzz.choices import Input

__all__ = ["PLANTED", "TURN", "connection", "pipes", "redaction"]

TURN = b"\n<>\n"  # in a payload: the other side speaks from here on
PLANTED = b"sk-ant-api03-Zq7Wv9Xk2Jy4Zq7Wv9Xk2Jy4Zq7Wv9Xk2Jy4-AA"
_CONNECTION = Connection(1, 7, "/usr/lib/libssl.so.3", 1)
_KEY = b"k" * 32
_WAYS: tuple[tuple[Direction, Direction], ...] = (("out", "in"), ("in", "out"))  # who speaks first
_ENDS: tuple[tuple[Direction, ...], ...] = (("out", "in"), ("out",), ("in",))
_MS = 1_000_000
_CHECKPOINTS_MOST = 24
_WAITS = (1, 1, 1, 40, 1_500, 31_000)  # ms between records, so that every timeout occurs sometimes


def _records(given: Input) -> list[TlsEvent]:
    """Events of a TLS source for a conversation: some records lost, some cut short, the connection closed or not."""
    ways = given.pick(_WAYS)
    wait_ms, cut, close = given.pick(_WAITS), given.byte(), given.pick(("orderly", "killed", "unseen"))
    offsets, seqs = {"in": 0, "out": 0}, {"in": 0, "out": 0}
    events: list[TlsEvent] = []
    time_ns = 1_000 * _MS
    for turn, words in enumerate(given.payload.split(TURN)):
        way = ways[turn % 2]
        for step in given.steps(words):
            time_ns += wait_ms * _MS
            size = step if isinstance(step, int) else len(step)
            if isinstance(step, bytes):
                origin = Origin(time_ns, 1, 2, 1000, "agent", time_ns, _CONNECTION, way)
                kept = size // 2 if cut and len(events) % 16 == cut % 16 else size
                events.append(TlsChunk(origin, step[:kept], offsets[way], seqs[way], size - kept))
            offsets[way] += size
            seqs[way] += 1
    end = Origin(time_ns + _MS, 1, 2, 1000, "agent", time_ns + _MS, _CONNECTION)
    if close == "orderly":
        events.append(TlsClose(end, offsets["in"], offsets["out"]))
    elif close == "killed":
        events.append(TlsClose(end))
    return events


def connection(data: bytes) -> None:
    """The whole chain of `trace`: parse_http, decode_content, merge_sse, merge_websocket, remove_auth, and the envelope."""
    given = Input(data)
    body_limit = given.pick((8 << 20, 20, 400))
    records = _records(given)
    parsed = _run(parse_http(body_limit=body_limit), records, _on_the_wire, _on_the_wire)
    _are_honest(parsed)
    decoded = _run(decode_content(), parsed, _one, _one, law=False)
    _are_honest(decoded)
    merged = _run(merge_sse(), decoded, _in_the_body, _in_the_body)
    made = _run(merge_websocket(), merged, _one, _one, law=False)
    _are_honest(made)
    clean = _run(remove_auth(key=_KEY), made, _one, _one)
    assert [type(event) for event in clean] == [type(event) for event in made]
    _are_honest(clean)
    for event in clean:
        assert decode_envelope(msgspec.json.decode(encode_line(event))) == event, "an event comes back from its line"


def _one(_: Any) -> int:
    return 1


def _on_the_wire(event: Any) -> int:
    if isinstance(event, TlsChunk):
        return len(event.data)
    return int(event.size) if isinstance(event, HttpRequest | HttpResponse | BodyPart | WebSocketMessage) else 0


def _in_the_body(event: Any) -> int:
    if isinstance(event, SseMessage):
        return event.size
    return len(event.data) if isinstance(event, BodyPart) else 0


def _are_honest(events: Iterable[Any]) -> None:
    """A complete event has no reason, nothing missing, and its announced length."""
    damaged: set[int] = set()
    for event in events:
        if isinstance(event, HttpRequest | HttpResponse | BodyPart | WebSocketMessage | SseMessage):
            assert event.complete == (event.reason is None), "complete and the reason do not agree"
        if isinstance(event, HttpRequest | HttpResponse):
            assert not event.complete or event.body_lost == 0, "complete, and bytes are missing"
            assert not event.complete or event.tail == 0, "complete, and its middle is missing"
            assert 0 <= event.tail <= len(event.body)
        elif isinstance(event, WebSocketMessage):
            assert not event.complete or event.lost == 0, "complete, and bytes are missing"
        elif isinstance(event, BodyPart):
            if event.lost:
                damaged.add(event.exchange)
            if event.last:
                assert not event.complete or event.exchange not in damaged, "complete, and bytes are missing"
                damaged.discard(event.exchange)


def _run(
    operator: Operator[Any, Any],
    events: Sequence[Any],
    weigh_in: Callable[[Any], int],
    weigh_out: Callable[[Any], int],
    *,
    law: bool = True,
    unseen: frozenset[Reason] = frozenset(),
) -> list[Any]:
    """
    The output event by event and at the end, with a tick before each. Checked: it is the same when restored from snapshots;
    with `law`, all input was emitted, counted as lost or is held.
    """
    site = Site(Engine(), "plain")
    kernel, out, weight = operator.kernel(site), list[Any](), 0
    for event in events:
        out += kernel.tick(event.origin.time_ns)
        out += kernel.feed([event])
        weight += weigh_in(event)
        if law:
            balance = weight - sum(map(weigh_out, out)) if len(events) <= 64 else None
            assert balance is None or balance == _lost(site, unseen) + kernel.held(), "in == out + lost + held"
    out += kernel.finish()
    assert not law or weight - sum(map(weigh_out, out)) == _lost(site, unseen), "in == out + lost at the end"
    assert kernel.held() == 0, "nothing is held after the end"
    assert _resumed(operator, events) == (out, site.meter.entries()), "a checkpoint changes nothing"
    return out


def _lost(site: Site, unseen: frozenset[Reason]) -> int:
    return sum(entry.size for entry in site.meter.entries() if entry.reason not in unseen)


def _resumed(operator: Operator[Any, Any], events: Sequence[Any]) -> tuple[list[Any], list[Entry]]:
    site = Site(Engine(), "resumed")
    kernel, out = operator.kernel(site), list[Any]()
    every = len(events) // _CHECKPOINTS_MOST + 1
    for place, event in enumerate(events):
        if place % every == 0:
            state = msgspec.msgpack.decode(msgspec.msgpack.encode(kernel.snapshot()))
            kernel = operator.kernel(site)
            kernel.restore(state)
        out += kernel.tick(event.origin.time_ns)
        out += kernel.feed([event])
    out += kernel.finish()
    return out, [Entry("plain", entry.reason, entry.count, entry.size) for entry in site.meter.entries()]


# -- JSON-RPC on pipes -----------------------------------------------------------------------------------------------------

_CHANNELS = (Channel("pipe", 1), Channel("pipe", 2))


def pipes(data: bytes) -> None:
    """A client and a server on two pipes, seen at both ends or at one; the ends lag behind each other and lose records."""
    given = Input(data)
    ends = given.pick(_ENDS)
    wait_ms, close = given.pick(_WAITS), given.pick((True, False))
    timed: list[tuple[int, StdioEvent]] = []
    turns = given.payload.split(TURN)
    for end in ends:
        offsets, seqs = [0, 0], [0, 0]
        time_ns = (1_000 + given.byte()) * _MS
        for turn, words in enumerate(turns):
            way = turn % 2
            pid = 2 + (way if end == "out" else 1 - way)
            for step in given.steps(words):
                time_ns += wait_ms * _MS
                size = step if isinstance(step, int) else len(step)
                if isinstance(step, bytes):
                    origin = Origin(time_ns, pid, pid, direction=end)
                    timed.append((time_ns, StdioChunk(origin, _CHANNELS[way], 1, step, offsets[way], seqs[way])))
                offsets[way] += size
                seqs[way] += 1
        if close and end == "in":
            timed += [(time_ns, StdioClose(Origin(time_ns, 2 + way), _CHANNELS[way], offsets[way])) for way in (0, 1)]
    events = [event for _, event in sorted(timed, key=lambda each: each[0])]
    unseen = frozenset({Reason.LIMITED, Reason.TRUNCATED})
    made = _run(parse_jsonrpc(), events, _on_the_pipe, _on_the_pipe, unseen=unseen)
    for event in made:
        if isinstance(event, RpcMessage):
            assert event.complete == (event.reason is None), "complete and the reason do not agree"
            assert not event.complete or event.lost == 0, "complete, and bytes are missing"
        assert decode_envelope(msgspec.json.decode(encode_line(event))) == event, "an event comes back from its line"


def _on_the_pipe(event: Any) -> int:
    if isinstance(event, StdioChunk):
        return len(event.data)
    return event.size if isinstance(event, RpcMessage) else 0


# -- redaction of raw records ----------------------------------------------------------------------------------------------


def redaction(data: bytes) -> None:
    """Lengths stay, a second pass changes nothing, and a planted key between blanks is not in the output."""
    given = Input(data)
    kind, place = given.pick(("tls", "stdio", "part")), given.byte() | given.byte() << 8
    at = place % (len(given.payload) + 1)
    whole = b"%b %b ; %b" % (given.payload[:at], PLANTED, given.payload[at:])
    events = list(_raw(kind, given.pieces(whole)))
    made = _redacted(events)
    assert _redacted(made) == made, "a second pass changes nothing"
    if kind != "part":
        assert [len(event.data) for event in made] == [len(event.data) for event in events], "lengths stay"
    shown = b"".join(event.data for event in made)
    body = PLANTED.removeprefix(b"sk-ant-")
    parts = {body[start : start + 10] for start in range(len(body) - 9)}
    assert not any(part in shown for part in parts if part not in given.payload), "a planted key can be read"
    _run(remove_auth(key=_KEY), events, _one, _one)


def _raw(kind: str, pieces: Sequence[bytes]) -> Iterable[Any]:
    offset = 0
    for seq, piece in enumerate(pieces):
        origin = Origin(1_000 * _MS + seq, 1, 2, connection=_CONNECTION, direction="out")
        if kind == "tls":
            yield TlsChunk(origin, piece, offset, seq)
        elif kind == "stdio":
            yield StdioChunk(origin, _CHANNELS[0], 1, piece, offset, seq)
        else:
            yield BodyPart(origin, 1, piece, last=seq == len(pieces) - 1)
        offset += len(piece)


def _redacted(events: Sequence[Event]) -> list[Any]:
    operator: Operator[Any, Any] = remove_auth(key=_KEY)
    kernel = operator.kernel(Site(Engine(), "remove_auth"))
    return [event for one in events for event in kernel.feed([one])]

"""What more events, longer answers and more connections cost: the exponent of a fit, 1 where the cost is linear."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import log
from statistics import linear_regression

from agentsight_rx.events import Connection, Origin, TlsChunk
from benchmarks.figures import Figure, Size
from benchmarks.pipeline import graph_of
from benchmarks.recording import answer, chunked, cut, traffic
from benchmarks.timing import Case, measure

__all__ = ["exponent", "figures"]

_STEPS = (1, 2, 4, 8, 16)
_CALLS, _DELTAS, _CONNECTIONS = 4, 2_000, 64  # of the smallest step
_BATCH = 4096
_MOST = 1.1  # linear, and what caches add
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_ASK = b"POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\nContent-Length: 2\r\n\r\n{}"
_SPACING_NS = 10_000


def figures(size: Size) -> Iterator[Figure]:
    grown: dict[str, Callable[[int], list[TlsChunk]]] = {
        "events": lambda step: traffic(size.many(8), size.many(_CALLS) * step),
        "deltas of one answer": lambda step: _one_answer(size.many(_DELTAS, 20) * step),
        "connections": lambda step: _short_calls(size.many(_CONNECTIONS, 2) * step),
    }
    for name, make in grown.items():
        made = [make(step) for step in _STEPS]
        cases = [
            Case(str(step), partial(graph_of, cut(chunks, _BATCH)), len(chunks))
            for step, chunks in zip(_STEPS, made, strict=True)
        ]
        rows = measure("growth", cases, size.rounds)
        points = tuple((len(chunks), row.us_per_event * len(chunks) / 1e6) for chunks, row in zip(made, rows, strict=True))
        note = f"{rows[0].us_per_event:.1f} to {rows[-1].us_per_event:.1f} µs an event, {points[-1][0]:,.0f} events"
        yield Figure(
            group="growth", name=f"growth in {name}", value=exponent(points), unit="n^", target=_MOST, note=note, points=points
        )


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """k of the fit `seconds = c * count ** k`."""
    counts, seconds = zip(*points, strict=True)
    return linear_regression(list(map(log, counts)), list(map(log, seconds))).slope


def _chunks(pieces: Sequence[tuple[int, bool, bytes]]) -> list[TlsChunk]:
    """(number of the connection, whether it was written, the record), in order of time."""
    places: dict[tuple[int, bool], tuple[int, int]] = {}
    made: list[TlsChunk] = []
    for number, written, record in pieces:
        offset, seq = places.get((number, written), (0, 0))
        places[number, written] = offset + len(record), seq + 1
        connection = Connection(4000 + number // 8, 7, "/usr/lib/libssl.so.3", number)
        origin = Origin(
            len(made) * _SPACING_NS,
            connection.pid,
            connection.pid,
            comm="claude",
            connection=connection,
            direction="out" if written else "in",
        )
        made.append(TlsChunk(origin, record, offset, seq))
    return made


def _call(number: int, deltas: int) -> list[tuple[int, bool, bytes]]:
    records = [_HEAD, *map(chunked, answer(deltas, number)), b"0\r\n\r\n"]
    return [(number, True, _ASK), *((number, False, record) for record in records)]


def _one_answer(deltas: int) -> list[TlsChunk]:
    return _chunks(_call(0, deltas))


def _short_calls(connections: int) -> list[TlsChunk]:
    """A short call on each, all at once: a record of each connection in turn."""
    calls = [_call(number, 20) for number in range(connections)]
    return _chunks([record for records in zip(*calls, strict=True) for record in records])

"""
Connections and processes that come and go: the memory of the product must not grow with their number.

    python -m benchmarks churn            # the table
    python -m benchmarks.churn 10000      # the memory of this many connections, as JSON
    python -m benchmarks.churn 90000 page # the same while a page is open: 15 minutes of 100 processes a second
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import msgspec
from msgspec import Struct

from agentsight_rx import operators as op
from agentsight_rx.core.merge import merge
from agentsight_rx.core.stream import Stream, origin
from agentsight_rx.events import (
    Connection,
    Direction,
    Event,
    Origin,
    ProcessExec,
    ProcessExit,
    ProcessFork,
    TlsChunk,
    TlsClose,
    TlsEvent,
    time_of,
)
from agentsight_rx.graphs import RECORD_HTTP_FILTERS, TraceOptions, http_messages
from agentsight_rx.runtime.run import Run
from agentsight_rx.runtime.web import WebOptions, WebSink, web
from agentsight_rx.sinks import Lent, store
from agentsight_rx.view import Output
from benchmarks.apart import command, environment
from benchmarks.memory import Memory, memory_of
from benchmarks.recording import answer, chunked, request_body
from benchmarks.timing import Row

__all__ = ["ChurnRow", "Churned", "churned", "rows"]

_CONNECTIONS = 10_000
_STEPS = 5  # samples
_SETTLED = 2  # the sample at which tables of limited size are nearly full
_GROWTH_MOST = 12  # MB, from there on: 4,000 connections, or 3 KB for each
_BODY = 4_000
_DELTAS = 10
_MS = 1_000_000


class Churned(Struct, frozen=True):
    """The state after so many connections."""

    connections: int
    events: int
    cpu_s: float
    memory: Memory
    stored: int


class ChurnRow(Row, frozen=True):
    """`anonymous`, `mapped` and `stored` in MB; `growth` of the first, since the third row."""

    anonymous: float = 0.0
    mapped: float = 0.0
    stored: float = 0.0
    growth: float = 0.0

    columns: ClassVar[tuple[str, ...]] = ("µs/event", "anonymous MB", "growth", "target", "mapped MB", "store MB", "met")

    def _within(self, slack: float) -> bool:
        return self.growth <= _GROWTH_MOST

    @property
    def result(self) -> str:
        return f"anonymous memory grew by {self.growth:.1f} MB, target {_GROWTH_MOST}"

    def cells(self) -> tuple[str, ...]:
        sizes = f"{self.anonymous:.1f}", f"{self.growth:+.1f}", f"<= {_GROWTH_MOST}", f"{self.mapped:.1f}", f"{self.stored:.1f}"
        return (f"{self.us_per_event:.3f}", *sizes, "yes" if self.met else "no")


def rows(rounds: int, scale: float = 1.0, /) -> list[Row]:
    """One round: a second one would say the same."""
    made = churned(max(_STEPS, int(_CONNECTIONS * scale)))
    return [_row(each, made[_SETTLED]) for each in made]


def _row(made: Churned, settled: Churned) -> Row:
    us = made.cpu_s * 1e6 / made.events
    memory = made.memory
    return ChurnRow(
        "churn",
        f"{made.connections:,} connections",
        us_per_event=us,
        events_per_s=1e6 / us,
        anonymous=memory.anonymous / 1e6,
        mapped=memory.mapped / 1e6,
        stored=made.stored / 1e6,
        growth=(memory.anonymous - settled.memory.anonymous) / 1e6,
    )


def churned(connections: int) -> list[Churned]:
    """A run over so many connections in a process of its own, sampled five times."""
    done = subprocess.run(command("churn", connections), stdout=subprocess.PIPE, env=environment(), check=True)
    return [msgspec.json.decode(line, type=Churned) for line in done.stdout.splitlines()]


class _Reader:
    """
    A process for each connection: it starts, makes one call, and ends. With `sessions` each call is a session of its own. The
    samples are taken on the way.
    """

    def __init__(self, connections: int, path: Path, *, sessions: bool = False) -> None:
        self._connections = connections
        self._path = path
        self._sessions = sessions
        self._number = self._events = 0
        self.samples: list[Churned] = []
        self._body = request_body(size=_BODY)
        begun = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        self._answered = [begun, *map(chunked, answer(_DELTAS)), b"0\r\n\r\n"]

    def open(self) -> None:
        pass

    def poll(self, timeout: float, /) -> Sequence[Event] | None:
        if self._number and not self._number % max(1, self._connections // _STEPS):
            self._sample()
        if self._number >= self._connections:
            return None
        self._number += 1
        made = self._life(self._number)
        self._events += len(made)
        return made

    def _life(self, number: int) -> list[Event]:
        pid, now_ns = 1000 + number % 30_000, number * 50 * _MS
        connection = Connection(pid, now_ns, "/usr/lib/libssl.so.3", 0x7F00 + number)
        process = Origin(now_ns, pid, pid, 1000, "agent")
        made: list[Event] = [
            ProcessFork(process, 999, now_ns),
            ProcessExec(process, 999, now_ns, "/usr/bin/agent", ("agent", f"--task={number}"), "/home/user"),
        ]
        ways: tuple[tuple[Direction, list[bytes]], ...] = (("out", [self._asked(number)]), ("in", self._answered))
        for way, parts in ways:
            offset = 0
            for seq, data in enumerate(parts):
                at_ns = now_ns + len(made) * _MS
                made.append(TlsChunk(Origin(at_ns, pid, pid, 1000, "agent", 0, connection, way), data, offset, seq))
                offset += len(data)
        end = Origin(now_ns + len(made) * _MS, pid, pid, 1000, "agent", 0, connection)
        sizes = [sum(map(len, parts)) for _, parts in ways]
        return [*made, TlsClose(end, sizes[1], sizes[0]), ProcessExit(end, 999, now_ns, 0)]

    def _asked(self, number: int) -> bytes:
        body = self._body.replace(b"_session_0", b"_session_%d" % number) if self._sessions else self._body
        return b"POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

    def _sample(self) -> None:
        stored = self._path.stat().st_blocks * 512
        self.samples.append(Churned(self._number, self._events, time.process_time(), memory_of(), stored))

    def lost(self) -> Sequence[Event]:
        return ()

    def close(self) -> Sequence[Event]:
        return ()


def _graph(reader: _Reader) -> Stream[Output]:
    source: Stream[TlsEvent] = origin("tls", lambda: reader, time_of=time_of)  # type: ignore[arg-type, return-value]
    read = source.pipe(op.find_blind_spots())
    messages = http_messages(read, TraceOptions(http_filters=RECORD_HTTP_FILTERS)).pipe(op.merge_mcp())
    return merge(messages).pipe(op.remove_auth(), op.materialize())


def main(connections: int, *, with_page: bool = False) -> None:
    """Print a line of JSON for each sample."""
    with TemporaryDirectory(dir=Path.home()) as folder:
        path, lent = Path(folder) / "run.lmdb", Lent()
        page = web(WebOptions(port=0), lent=lent) if with_page else None
        reader = _Reader(connections, path, sessions=with_page)
        sinks = [store(path, lent=lent), *([page] if page else [])]
        with Run(_graph(reader), sinks, on_bug="raise_all") as run, _looked_at(page):
            run.wait()
            run.stop()
    for sample in islice(reader.samples, _STEPS):
        print(msgspec.json.encode(sample).decode(), flush=True)


@contextmanager
def _looked_at(page: WebSink | None) -> Generator[None]:
    """While the block runs, somebody looks at the page."""
    if page is None:
        yield
        return
    with subprocess.Popen(command("page_reader", page.url), stdin=subprocess.PIPE, env=environment()) as looking:
        yield
        assert looking.stdin is not None
        looking.stdin.close()


if __name__ == "__main__":
    main(int(float(sys.argv[1])), with_page=sys.argv[2:] == ["page"])

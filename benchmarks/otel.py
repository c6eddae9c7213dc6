"""Events and rows -> spans at a collector: the share of a core that OpenTelemetry takes at 1,000 exchanges a second."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import ClassVar

import msgspec
from msgspec.structs import replace

from agentsight_rx.events import Connection, Event, HttpRequest, Origin, Reply, SseMessage, Usage
from agentsight_rx.events.loss import Ledger
from agentsight_rx.sinks import OtelOptions, otel
from agentsight_rx.view import Fold, Output
from benchmarks.timing import Row

__all__ = ["OtelRow", "exchanges", "folded", "rows"]

_EXCHANGES = 3000
_RATE = 1000  # exchanges a second
_SHARE_MOST = 0.15  # of a core
_FIRST, _BATCH = 12, 512  # the first items import the SDK, once
_MS = 1_000_000
_CLOCK = 1_800_000_000_000 * _MS
_COLLECTOR = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


def exchanges(count: int) -> Iterator[Event]:
    """Streamed calls of one agent, one every millisecond."""
    body = msgspec.json.encode(
        {
            "model": "claude-sonnet-4-5",
            "max_tokens": 1000,
            "stream": True,
            "system": "Be kind",
            "messages": [{"role": "user", "content": "Say hi " * 50}],
        }
    )
    head = (("host", "api.anthropic.com"), ("x-claude-code-session-id", "bench"))
    usage = Usage(10, 20, 300, 4000, 5)
    for number in range(1, count + 1):
        at = number * _MS
        origin = Origin(at, 100, comm="claude", wall_ns=_CLOCK + at, connection=Connection(100, 1, "libssl.so", 7))
        yield HttpRequest(origin, number, "POST", "/v1/messages", version="HTTP/1.1", headers=head, body=body)
        reply = Reply(f"msg_{number}", "claude-sonnet-4-5-20250929", "Hi", "", (), usage, "end_turn")
        later = replace(origin, time_ns=at + 500, wall_ns=_CLOCK + at + 500)
        yield SseMessage(later, number, "anthropic", reply, (), at + 900, status=200, first_chunk_ns=at + 500)


def folded(events: Iterator[Event]) -> list[Output]:
    fold = Fold()
    return [item for event in events for item in (event, *fold.add(event))]


class OtelRow(Row, frozen=True):
    """`share`: of a core, at 1,000 exchanges a second."""

    share: float = 0.0

    columns: ClassVar[tuple[str, ...]] = ("µs/exchange", f"core at {_RATE}/s", "target", "met")

    def _within(self, slack: float) -> bool:
        return self.share <= _SHARE_MOST * slack

    @property
    def result(self) -> str:
        return f"{self.share:.1%} of a core at {_RATE} exchanges/s, target {_SHARE_MOST:.0%}"

    def cells(self) -> tuple[str, ...]:
        return f"{self.us_per_event:.0f}", f"{self.share:.1%}", f"<= {_SHARE_MOST:.0%}", "yes" if self.met else "no"


def rows(rounds: int, scale: float = 1.0, /) -> list[Row]:
    """The fastest round: the time of the processor on all threads, until the collector has the spans and the metrics."""
    count = max(100, int(_EXCHANGES * scale))
    items = folded(exchanges(count))
    us = min(_seconds(items) for _ in range(rounds)) / count * 1e6
    return [OtelRow("otel", "spans and metrics", us_per_event=us, events_per_s=1e6 / us, share=us * _RATE / 1e6)]


def _seconds(items: list[Output]) -> float:
    with subprocess.Popen([sys.executable, "-c", _COLLECTOR], stdout=subprocess.PIPE, text=True) as collector:
        try:
            assert collector.stdout is not None
            url = f"http://127.0.0.1:{collector.stdout.readline().strip()}"
            ledger = Ledger()
            writer = otel(OtelOptions(url, patient=True, deadline_s=60)).open(ledger)
            writer.write(items[:_FIRST])
            started = time.process_time()
            for start in range(_FIRST, len(items), _BATCH):
                writer.write(items[start : start + _BATCH])
            writer.close()
            assert ledger.complete
            return time.process_time() - started
        finally:
            collector.kill()

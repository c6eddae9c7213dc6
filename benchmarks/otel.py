"""Events and rows -> spans at a collector: the share of a core that OpenTelemetry takes at 1,000 exchanges a second."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from agentsight_rx.events import Connection, Event, HttpRequest, Origin, Reply, SseMessage, Usage
from agentsight_rx.loss import Ledger
from agentsight_rx.sinks import OtelOptions, otel
from agentsight_rx.view import Fold, Output

__all__ = ["main"]

EXCHANGES = 3000
RATE = 1000  # exchanges a second, the share of a core is for
MOST = 0.15
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


def measure(count: int) -> tuple[float, int]:
    """Seconds of the processor, on all threads, and how many spans were taken."""
    items = folded(exchanges(count))
    with subprocess.Popen([sys.executable, "-c", _COLLECTOR], stdout=subprocess.PIPE, text=True) as collector:
        try:
            assert collector.stdout is not None
            url = f"http://127.0.0.1:{collector.stdout.readline().strip()}"
            ledger = Ledger()
            writer = otel(OtelOptions(url, patient=True, deadline_s=60)).open(ledger)
            writer.write(items[:12])  # what is imported once
            started = time.process_time()
            for start in range(12, len(items), 512):
                writer.write(items[start : start + 512])
            writer.close()
            return time.process_time() - started, sum(meter.passed for meter in ledger)
        finally:
            collector.kill()


def main() -> int:
    """Print the share; 1 where it is too large."""
    seconds, spans = min(measure(EXCHANGES) for _ in range(3))
    share = seconds / EXCHANGES * RATE
    print(f"{spans} spans of {EXCHANGES} calls: {seconds / EXCHANGES * 1e6:.0f} us each, {share:.1%} of a core at {RATE}/s")
    return int(share > MOST)


if __name__ == "__main__":
    sys.exit(main())
